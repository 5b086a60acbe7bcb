/* The map: segments that are there at the moment, and the gaps between them.  A row is remembered by its
 * address: what else is there differs from moment to moment. */
#include "screens/map.h"

#include <stdlib.h>
#include <string.h>

static const struct column columns[] = {{"address", CELL_ADDRESS}, {"end", CELL_ADDRESS},
                                        {"size", CELL_NUMBER},     {"prot", CELL_TEXT},
                                        {"link", CELL_NUMBER},     {"what", CELL_TEXT}};

/* All that regions follow from, besides the question: these lists only grow. */
struct map_basis {
    uint32_t placements, reservations, lives;
};

struct map {
    struct map_basis basis;
    bool is_made;                               /* from it */
    VEC(struct region) used;                    /* by address */
    VEC(struct region) regions;                 /* with the gaps, as far as they are asked for */
    VEC(struct event_reservation) reservations; /* by address */
    uint32_t reservation;                       /* the last that begins before what is shown next */
};

static bool has_memory(const struct mirror *mirror, uint32_t link) {
    struct mirror_life life = mirror_life(mirror, link);
    return !life.allocated ||
           (life.state != MEMORY_STATE_DEALLOCATED && life.state != MEMORY_STATE_ABANDONED);
}

static struct jitscope_error *add_placement(struct map *map, const struct mirror_placement *placement) {
    if (!placement->size || placement->address + placement->size < placement->size)
        return NULL;
    struct region region = {.address = placement->address,
                            .end = placement->address + placement->size,
                            .prot = placement->prot,
                            .link = placement->link,
                            .segment = placement->segment,
                            .blocks = placement->blocks};
    return vec_push(&map->used, region);
}

static int by_address(const void *a, const void *b) {
    const struct region *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return x->link < y->link ? -1 : x->link > y->link;
}

static int by_reserved_address(const void *a, const void *b) {
    const struct event_reservation *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

static struct jitscope_error *sort_reservations(struct map *map, const struct mirror *mirror) {
    uint32_t count = mirror->reservations.count;
    map->reservations.count = map->reservation = 0;
    TRY(vec_reserve(&map->reservations, count));
    for (uint32_t i = 0; i < count; i++)
        vec_put(&map->reservations, mirror->reservations.data[i]);
    if (count)
        qsort(map->reservations.data, count, sizeof *map->reservations.data, by_reserved_address);
    return NULL;
}

/* What ADDRESS, which grows from call to call, is reserved for. */
static uint32_t reservation_at(struct map *map, uint64_t address) {
    const struct event_reservation *all = map->reservations.data;
    uint32_t count = map->reservations.count;
    while (map->reservation + 1 < count && all[map->reservation + 1].address <= address)
        map->reservation++;
    if (!count || address - all[map->reservation].address >= all[map->reservation].size)
        return 0;
    return all[map->reservation].why.id;
}

/* Adds what of REGION is asked for. */
static struct jitscope_error *show(struct sheet *sheet, struct map *map, struct region region) {
    const struct question *question = &sheet->question;
    uint64_t end = question->address + question->size;
    if (question->size && region.address < question->address)
        region.address = question->address;
    if (question->size && region.end > end)
        region.end = end;
    if (region.address >= region.end)
        return NULL;
    if (region.link == NO_ID)
        region.why = reservation_at(map, region.address);
    return vec_push(&map->regions, region);
}

static struct jitscope_error *fill_gaps(struct sheet *sheet, struct map *map) {
    uint64_t at = map->used.count ? map->used.data[0].address : 0;
    for (uint32_t i = 0; i < map->used.count; i++) {
        const struct region *region = &map->used.data[i];
        if (region->address > at)
            TRY(show(sheet, map, (struct region){.address = at, .end = region->address, .link = NO_ID}));
        TRY(show(sheet, map, *region));
        at = region->end > at ? region->end : at;
    }
    return NULL;
}

/* A batch's segments come one behind the other: whether it has memory is asked once for all. */
static struct jitscope_error *find_used(struct map *map, const struct mirror *mirror, uint32_t link) {
    uint32_t last = NO_ID;
    bool wanted = false;
    map->used.count = 0;
    for (uint32_t i = 0; i < mirror->placements.count; i++) {
        const struct mirror_placement *placement = &mirror->placements.data[i];
        if (placement->link != last)
            wanted = (link == ALL_LINKS || link == placement->link) && has_memory(mirror, placement->link);
        last = placement->link;
        if (wanted)
            TRY(add_placement(map, placement));
    }
    if (map->used.count)
        qsort(map->used.data, map->used.count, sizeof *map->used.data, by_address);
    return NULL;
}

static struct map_basis find_basis(const struct mirror *mirror) {
    uint32_t low = 0, high = mirror->life_events.count, now = mirror->history ? mirror->history->now : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (mirror->life_events.data[middle].event < now)
            low = middle + 1;
        else
            high = middle;
    }
    return (struct map_basis){mirror->placements.count, mirror->reservations.count, low};
}

static struct jitscope_error *make_map(struct sheet *sheet, struct map *map) {
    const struct mirror *mirror = &sheet->inspected->mirror;
    map->regions.count = 0;
    TRY(find_used(map, mirror, sheet->question.link));
    TRY(sort_reservations(map, mirror));
    return fill_gaps(sheet, map);
}

/* Most steps through time change nothing here. */
static struct jitscope_error *refresh(struct sheet *sheet) {
    struct map_basis basis = find_basis(&sheet->inspected->mirror);
    struct map *map = sheet->own;
    if (!map && !(map = sheet->own = os_allocate_zeroed(sizeof *map)))
        return error_no_memory();
    sheet->columns = columns;
    sheet->column_count = sizeof columns / sizeof *columns;
    sheet_remark_level(sheet, LEVEL_BLOCK);
    if (map->is_made && !memcmp(&basis, &map->basis, sizeof basis))
        return NULL;
    map->is_made = false;
    TRY(make_map(sheet, map));
    map->basis = basis;
    map->is_made = true;
    sheet->count = map->regions.count;
    return NULL;
}

static void close_map(struct sheet *sheet) {
    struct map *map = sheet->own;
    if (!map)
        return;
    vec_destroy(&map->used);
    vec_destroy(&map->regions);
    vec_destroy(&map->reservations);
    os_release(map);
}

static void row_what(struct row *row, const struct mirror *mirror, const struct region *region) {
    struct recorded_string why = recording_string(mirror->file, region->why);
    if (region->link != NO_ID)
        row_print(row, "segment %u, %u block%s", region->segment, region->blocks,
                  region->blocks == 1 ? "" : "s");
    else if (region->why)
        row_print(row, "free, reserved for %.*s", (int)why.length, why.bytes);
    else
        row_text(row, "gap");
}

static bool map_row(struct sheet *sheet, uint64_t number, struct row *row) {
    const struct map *map = sheet->own;
    if (number >= map->regions.count)
        return false;
    const struct region *region = &map->regions.data[number];
    row_number(row, region->address);
    row_number(row, region->end);
    row_number(row, region->end - region->address);
    if (region->link == NO_ID) {
        row_absent(row);
        row_absent(row);
    } else {
        row_prot(row, region->prot);
        row_number(row, region->link);
    }
    row_what(row, &sheet->inspected->mirror, region);
    return true;
}

static struct position map_position(const struct sheet *sheet, uint64_t number) {
    const struct map *map = sheet->own;
    uint64_t address = number < map->regions.count ? map->regions.data[number].address : UINT64_MAX;
    return (struct position){(uint32_t)(address >> 32), (uint32_t)address};
}

static uint64_t map_number(const struct sheet *sheet, struct position position) {
    const struct map *map = sheet->own;
    uint64_t address = (uint64_t)position.link << 32 | position.item;
    uint32_t low = 0, high = map->regions.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->regions.data[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct sheet_kind sheet_of_map = {
    .refresh = refresh, .close = close_map, .row = map_row, .position = map_position, .number = map_number};

const struct region *map_regions(const struct sheet *sheet, uint32_t *count) {
    const struct map *map = sheet->own;
    *count = map->regions.count;
    return map->regions.data;
}

void map_zoom(const struct sheet *sheet, uint64_t around, bool in, struct question *question) {
    uint32_t count;
    const struct region *regions = map_regions(sheet, &count);
    if (!count)
        return;
    uint64_t low = regions[0].address, size = regions[count - 1].end - low;
    uint64_t wanted = in ? (size > 32 ? size / 2 : size) : size * 2;
    if (!in && size > UINT64_MAX / 4) {
        question->address = question->size = 0;
        return;
    }
    question->address = around > wanted / 2 ? around - wanted / 2 : 0;
    question->size = wanted < UINT64_MAX - question->address ? wanted : UINT64_MAX - question->address;
}
