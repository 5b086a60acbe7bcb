/* The map: segments that are there at the moment, and the gaps between them. */
#include "screens/map.h"

#include <stdlib.h>

static const struct column columns[] = {{"address", CELL_ADDRESS}, {"end", CELL_ADDRESS},
                                        {"size", CELL_NUMBER},     {"prot", CELL_TEXT},
                                        {"link", CELL_NUMBER},     {"what", CELL_TEXT}};

struct map {
    VEC(struct region) used;    /* by address */
    VEC(struct region) regions; /* with the gaps, as far as they are asked for */
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

/* Segments of a link stand together. */
static struct jitscope_error *add_placements(const struct sheet *sheet, struct map *map) {
    const struct mirror *mirror = &sheet->inspected->mirror;
    uint32_t link = NO_ID;
    bool wanted = false;
    for (uint32_t i = 0; i < mirror->placements.count; i++) {
        const struct mirror_placement *placement = &mirror->placements.data[i];
        if (placement->link != link) {
            link = placement->link;
            wanted = (sheet->question.link == ALL_LINKS || sheet->question.link == link) &&
                     has_memory(mirror, link);
        }
        if (wanted)
            TRY(add_placement(map, placement));
    }
    return NULL;
}

static int by_address(const void *a, const void *b) {
    const struct region *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return x->link < y->link ? -1 : x->link > y->link;
}

/* Most often they are in order already. */
static void sort_by_address(struct map *map) {
    const struct region *used = map->used.data;
    for (uint32_t i = 1; i < map->used.count; i++)
        if (used[i].address < used[i - 1].address) {
            qsort(map->used.data, map->used.count, sizeof *used, by_address);
            return;
        }
}

static uint32_t reservation_at(const struct mirror *mirror, uint64_t address) {
    for (uint32_t i = 0; i < mirror->reservations.count; i++) {
        const struct event_reservation *reservation = &mirror->reservations.data[i];
        if (address - reservation->address < reservation->size)
            return reservation->why.id;
    }
    return 0;
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
    region.why = reservation_at(&sheet->inspected->mirror, region.address);
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

static struct jitscope_error *refresh(struct sheet *sheet) {
    struct map *map = sheet->own;
    if (!map && !(map = sheet->own = os_allocate_zeroed(sizeof *map)))
        return error_no_memory();
    sheet->columns = columns;
    sheet->column_count = sizeof columns / sizeof *columns;
    map->used.count = map->regions.count = 0;
    TRY(add_placements(sheet, map));
    sort_by_address(map);
    TRY(fill_gaps(sheet, map));
    sheet->count = map->regions.count;
    return NULL;
}

static void close_map(struct sheet *sheet) {
    struct map *map = sheet->own;
    if (!map)
        return;
    vec_destroy(&map->used);
    vec_destroy(&map->regions);
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

const struct sheet_kind sheet_of_map = {.refresh = refresh,
                                        .close = close_map,
                                        .row = map_row,
                                        .position = plain_position,
                                        .number = plain_number};

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
