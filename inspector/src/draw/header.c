#include "draw/header.h"

#include "inspected/totals.h"
#include "screens/map.h"

#include <inttypes.h>

static void print_bytes(struct text *out, uint64_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 10240 && unit + 1 < sizeof units / sizeof *units)
        value /= 1024, unit++;
    text_print(out, "%.0f %s", value, units[unit]);
}

/* --- overview: batches, memory, rates
 * ------------------------------------------------------------------------------------------------- */

static void draw_line(struct grid *grid, uint16_t row, struct text *text) {
    grid_text(grid, row, 2, grid->columns > 2 ? (uint16_t)(grid->columns - 2) : 0, STYLE_NORMAL,
              text->data ? text->data : "", text->length);
    text_clear(text);
}

struct share {
    const char *name;
    uint64_t bytes;
    enum style style;
};

/* "r-x ██████ 160 KiB", each bar to the same scale. */
static uint16_t draw_share(struct grid *grid, uint16_t row, uint16_t column, const struct share *share,
                           uint64_t all, uint16_t width) {
    struct text text = {0};
    uint16_t filled = all ? (uint16_t)((share->bytes * width + all - 1) / all) : 0;
    column = (uint16_t)(column + grid_string(grid, row, column, share->style, share->name) + 1);
    grid_rule(grid, row, column, filled, share->style, GLYPH_FULL);
    print_bytes(&text, share->bytes);
    column = (uint16_t)(column + filled + (filled > 0));
    column = (uint16_t)(column + grid_string(grid, row, column, STYLE_NUMBER, text.data ? text.data : ""));
    text_destroy(&text);
    return (uint16_t)(column + 2);
}

static void draw_memory(struct grid *grid, uint16_t row, const struct totals *totals) {
    const struct share shares[] = {{"r-x", totals->executable, STYLE_EXECUTE},
                                   {"r--", totals->readable, STYLE_READ},
                                   {"rw-", totals->writable, STYLE_WRITE}};
    uint64_t all = totals->executable + totals->readable + totals->writable;
    uint16_t column = 2, width = grid->columns > 60 ? (uint16_t)(grid->columns - 60) : 0;
    column = (uint16_t)(column + grid_string(grid, row, column, STYLE_NORMAL, "memory   "));
    for (size_t i = 0; i < 3; i++)
        column = draw_share(grid, row, column, &shares[i], all, width);
}

static void draw_overview(struct grid *grid, const struct state *state) {
    const struct mirror *mirror = &state->inspected->mirror;
    struct totals totals = inspected_totals(state->inspected);
    struct text text = {0};
    text_print(&text, "batches  %u linked, %u linking, %u failed, %u unloaded; %u inputs", totals.linked,
               totals.linking, totals.failed, totals.unloaded, mirror->inputs.count);
    draw_line(grid, 1, &text);
    text_print(&text,
               "holding  %" PRIu64 " blocks, %" PRIu64 " symbols, %" PRIu64 " GOT, %" PRIu64 " PLT, %" PRIu64
               " TLS",
               totals.blocks, totals.symbols, totals.got, totals.plt, totals.tls);
    draw_line(grid, 2, &text);
    draw_memory(grid, 3, &totals);
    struct rates rates = inspected_rates(state->inspected, state->follows);
    text_print(&text, "rates    %u batches/s, %" PRIu64 " events/s", rates.batches, rates.events);
    draw_line(grid, 4, &text);
    text_destroy(&text);
}

/* --- map: the strip to scale
 * ------------------------------------------------------------------------------------------------- */

/* What a cell of the strip shows: the kind of memory that most of its bytes have, be it so little. */
struct strip_cell {
    uint64_t most;
    enum style style;
    enum glyph glyph;
    char letter; /* 0: the glyph */
};

static struct strip_cell show_region(const struct region *region) {
    if (region->link == NO_ID)
        return (struct strip_cell){.style = STYLE_GAP, .glyph = region->why ? GLYPH_HORIZONTAL : GLYPH_EMPTY};
    if (region->prot & PROTECT_EXECUTE)
        return (struct strip_cell){.style = STYLE_EXECUTE, .letter = 'x'};
    if (region->prot & PROTECT_WRITE)
        return (struct strip_cell){.style = STYLE_WRITE, .letter = 'w'};
    return (struct strip_cell){.style = STYLE_READ, .letter = 'r'};
}

/* Memory that somebody has wins over gaps, or a small segment in a wide gap would not be seen.  Cells are
 * asked for from low to high: *FIRST is the first region that can matter to this one and those behind it. */
static struct strip_cell strip_cell(const struct region *regions, uint32_t count, uint32_t *first,
                                    uint64_t from, uint64_t to) {
    struct strip_cell best = {.style = STYLE_GAP, .glyph = GLYPH_EMPTY};
    bool has_owner = false;
    while (*first < count && regions[*first].end <= from)
        (*first)++;
    for (uint32_t i = *first; i < count && regions[i].address < to; i++) {
        uint64_t low = regions[i].address > from ? regions[i].address : from;
        uint64_t high = regions[i].end < to ? regions[i].end : to;
        bool owned = regions[i].link != NO_ID;
        if (low >= high || (has_owner && !owned) || (has_owner == owned && high - low <= best.most))
            continue;
        best = show_region(&regions[i]);
        best.most = high - low;
        has_owner = owned;
    }
    return best;
}

static void draw_strip(struct grid *grid, const struct region *regions, uint32_t count, uint64_t low,
                       uint64_t size) {
    uint16_t width = grid->columns > 4 ? (uint16_t)(grid->columns - 4) : 1;
    uint32_t first = 0;
    for (uint16_t i = 0; i < width; i++) {
        uint64_t from = low + (uint64_t)((__uint128_t)size * i / width);
        uint64_t to = low + (uint64_t)((__uint128_t)size * (i + 1u) / width);
        struct strip_cell cell = strip_cell(regions, count, &first, from, to > from ? to : from + 1);
        if (cell.letter)
            grid_text(grid, 2, (uint16_t)(i + 2), 1, cell.style, &cell.letter, 1);
        else
            grid_glyph(grid, 2, (uint16_t)(i + 2), cell.style, cell.glyph);
    }
}

/* Under the strip, where the cursor's region lies. */
static void draw_marker(struct grid *grid, const struct state *state, const struct region *regions,
                        uint32_t count, uint64_t low, uint64_t size) {
    uint64_t place = table_number(&state->table, state->table.cursor);
    uint16_t width = grid->columns > 4 ? (uint16_t)(grid->columns - 4) : 1;
    if (place >= count || !size)
        return;
    uint64_t first = (uint64_t)((__uint128_t)(regions[place].address - low) * width / size);
    uint64_t last = (uint64_t)((__uint128_t)(regions[place].end - 1 - low) * width / size);
    for (uint64_t i = first; i <= last && i < width; i++)
        grid_string(grid, 3, (uint16_t)(i + 2), STYLE_KEY, "^");
}

static void draw_map(struct grid *grid, const struct state *state) {
    uint32_t count;
    const struct region *regions = map_regions(&state->table.sheet, &count);
    struct text text = {0};
    if (!count)
        return;
    uint64_t low = regions[0].address, size = regions[count - 1].end - low;
    text_print(&text, "0x%" PRIx64 " to 0x%" PRIx64 ", ", low, low + size);
    print_bytes(&text, size);
    text_append(&text, "; a column is ");
    print_bytes(&text, size / (grid->columns > 4 ? grid->columns - 4u : 1u));
    draw_line(grid, 1, &text);
    draw_strip(grid, regions, count, low, size);
    draw_marker(grid, state, regions, count, low, size);
    text_destroy(&text);
}

void draw_header(struct grid *grid, const struct state *state, uint32_t rows) {
    if (!rows)
        return;
    if (state->place.screen == SCREEN_OVERVIEW)
        draw_overview(grid, state);
    else if (state->place.screen == SCREEN_MAP)
        draw_map(grid, state);
}
