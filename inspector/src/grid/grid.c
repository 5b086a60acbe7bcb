#include "grid/grid.h"

#include "base/os.h"

#include <stdio.h>
#include <string.h>

struct jitscope_error *grid_reset(struct grid *grid, uint16_t rows, uint16_t columns) {
    size_t count = (size_t)rows * columns;
    if (count > grid->capacity || !grid->cells) {
        struct grid_cell *cells = os_reallocate(grid->cells, (count ? count : 1) * sizeof *cells);
        if (!cells)
            return error_no_memory();
        grid->cells = cells;
        grid->capacity = count;
    }
    grid->rows = rows;
    grid->columns = columns;
    grid->has_cursor = false;
    for (size_t i = 0; i < count; i++)
        grid->cells[i] = (struct grid_cell){' ', STYLE_NORMAL, OVERLAY_NONE};
    return NULL;
}

void grid_destroy(struct grid *grid) {
    os_release(grid->cells);
    *grid = (struct grid){0};
}

static struct grid_cell *cell_at(const struct grid *grid, uint32_t row, uint32_t column) {
    if (row >= grid->rows || column >= grid->columns)
        return NULL;
    return grid->cells + (size_t)row * grid->columns + column;
}

const struct grid_cell *grid_cell(const struct grid *grid, uint16_t row, uint16_t column) {
    return cell_at(grid, row, column);
}

/* How many of WIDTH columns lie in the row. */
static uint16_t clip(const struct grid *grid, uint16_t row, uint16_t column, uint16_t width) {
    if (row >= grid->rows || column >= grid->columns)
        return 0;
    uint16_t left = (uint16_t)(grid->columns - column);
    return width < left ? width : left;
}

/* CHARACTER of WIDTH columns; the caller has clipped. */
static void put(struct grid *grid, uint16_t row, uint32_t column, enum style style, uint32_t character,
                int width) {
    struct grid_cell *cell = cell_at(grid, row, column);
    struct grid_cell *behind = cell_at(grid, row, column + (uint32_t)width);
    if (cell->character == 0 && column)
        cell_at(grid, row, column - 1)->character = ' ';
    if (behind && behind->character == 0)
        behind->character = ' ';
    cell[0] = (struct grid_cell){character, (uint8_t)style, OVERLAY_NONE};
    if (width == 2)
        cell[1] = (struct grid_cell){0, (uint8_t)style, OVERLAY_NONE};
}

/* --- text --- */

/* What is drawn for one character, or one invalid byte, of a text. */
struct piece {
    size_t length; /* of the text */
    uint32_t character;
    uint8_t columns;
    uint8_t escaped; /* length of: */
    char escape[12];
};

static struct piece next_piece(const struct grid *grid, const char *text, size_t length) {
    struct piece piece = {0};
    piece.length = text_utf8_decode((const unsigned char *)text, length, &piece.character);
    bool byte = piece.length < 2;
    piece.length = piece.length ? piece.length : 1;
    if (byte && piece.character >= 0x20 && piece.character < 0x7f && piece.character != '\\') {
        piece.columns = 1;
        return piece;
    }
    piece.columns = byte || grid->ascii ? 0 : (uint8_t)character_columns(piece.character);
    if (piece.columns)
        return piece;
    const char *format = byte ? "\\x%02x" : "\\u{%x}";
    piece.escaped = (uint8_t)snprintf(piece.escape, sizeof piece.escape, format, piece.character);
    piece.columns = piece.escaped;
    return piece;
}

/* Columns of TEXT, or any number beyond LIMIT. */
static uint64_t measure(const struct grid *grid, const char *text, size_t length, uint64_t limit) {
    uint64_t columns = 0;
    for (size_t i = 0; i < length && columns <= limit;) {
        struct piece piece = next_piece(grid, text + i, length - i);
        columns += piece.columns;
        i += piece.length;
    }
    return columns;
}

uint32_t grid_width(const struct grid *grid, const char *text, size_t length) {
    uint64_t columns = measure(grid, text, length, UINT32_MAX);
    return columns < UINT32_MAX ? (uint32_t)columns : UINT32_MAX;
}

/* As much of PIECE as has room in LIMIT columns from AT on: escapes may be cut, wide characters not. */
static uint16_t put_piece(struct grid *grid, uint16_t row, uint16_t at, uint16_t limit, enum style style,
                          const struct piece *piece) {
    if (!piece->escaped) {
        if (piece->columns > limit)
            return 0;
        put(grid, row, at, style, piece->character, piece->columns);
        return piece->columns;
    }
    uint16_t i = 0;
    for (; i < piece->escaped && i < limit; i++)
        put(grid, row, at + i, style, (unsigned char)piece->escape[i], 1);
    return i;
}

uint16_t grid_text(struct grid *grid, uint16_t row, uint16_t column, uint16_t width, enum style style,
                   const char *text, size_t length) {
    width = clip(grid, row, column, width);
    if (!width)
        return 0;
    bool cut = measure(grid, text, length, width) > width;
    uint16_t limit = cut ? (uint16_t)(width - 1) : width;
    uint16_t took = 0;
    for (size_t i = 0; i < length && took < limit;) {
        struct piece piece = next_piece(grid, text + i, length - i);
        uint16_t step =
            put_piece(grid, row, (uint16_t)(column + took), (uint16_t)(limit - took), style, &piece);
        if (!step)
            break;
        took = (uint16_t)(took + step);
        i += piece.length;
    }
    if (cut)
        took = (uint16_t)(took + grid_glyph(grid, row, (uint16_t)(column + took), style, GLYPH_CUT));
    return took;
}

uint16_t grid_string(struct grid *grid, uint16_t row, uint16_t column, enum style style, const char *text) {
    return grid_text(grid, row, column, UINT16_MAX, style, text, strlen(text));
}

/* --- glyphs, blanks, overlays --- */

static const struct {
    const char *utf8, *ascii;
} glyphs[GLYPH_COUNT] = {
#define GLYPH(NAME, utf8, ascii, meaning) {utf8, ascii},
#include "grid/glyphs.def"
#undef GLYPH
};

uint16_t grid_glyph(struct grid *grid, uint16_t row, uint16_t column, enum style style, enum glyph glyph) {
    uint16_t took = 0, width = clip(grid, row, column, UINT16_MAX);
    const char *text = grid->ascii ? glyphs[glyph].ascii : glyphs[glyph].utf8;
    for (size_t length = strlen(text), step; length && took < width; text += step, length -= step) {
        uint32_t character;
        step = text_utf8_decode((const unsigned char *)text, length, &character);
        put(grid, row, column + took++, style, character, 1);
    }
    return took;
}

void grid_fill(struct grid *grid, uint16_t row, uint16_t column, uint16_t width, enum style style) {
    width = clip(grid, row, column, width);
    for (uint16_t i = 0; i < width; i++)
        put(grid, row, column + i, style, ' ', 1);
}

void grid_rule(struct grid *grid, uint16_t row, uint16_t column, uint16_t width, enum style style,
               enum glyph glyph) {
    width = clip(grid, row, column, width);
    const char *text = grid->ascii ? glyphs[glyph].ascii : glyphs[glyph].utf8;
    uint32_t character;
    text_utf8_decode((const unsigned char *)text, strlen(text), &character);
    for (uint16_t i = 0; i < width; i++)
        put(grid, row, column + i, style, character, 1);
}

void grid_overlay(struct grid *grid, uint16_t row, uint16_t column, uint16_t width, enum overlay overlay) {
    width = clip(grid, row, column, width);
    for (uint16_t i = 0; i < width; i++)
        cell_at(grid, row, (uint32_t)column + i)->overlay |= (uint8_t)overlay;
}

void grid_cursor(struct grid *grid, uint16_t row, uint16_t column) {
    if (!cell_at(grid, row, column))
        return;
    grid->has_cursor = true;
    grid->cursor_row = row;
    grid->cursor_column = column;
}

/* --- print --- */

void grid_print_text(struct text *out, const struct grid *grid) {
    for (uint16_t row = 0; row < grid->rows; row++) {
        const struct grid_cell *cells = cell_at(grid, row, 0);
        uint16_t columns = grid->columns;
        while (columns && cells[columns - 1].character == ' ')
            columns--;
        for (uint16_t i = 0; i < columns; i++)
            if (cells[i].character)
                text_append_character(out, cells[i].character);
        text_append(out, "\n");
    }
}

/* --- widths --- */

static const struct range {
    uint32_t first, last;
    uint8_t columns;
} ranges[] = {
#define RANGE(first, last, columns) {first, last, columns},
#include "grid/widths.def"
#undef RANGE
};

int character_columns(uint32_t character) {
    size_t low = 0, high = sizeof ranges / sizeof *ranges;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (character > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    bool inside = low < sizeof ranges / sizeof *ranges && character >= ranges[low].first;
    return inside ? ranges[low].columns : character > 0x10ffff ? 0 : 1;
}
