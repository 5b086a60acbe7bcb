#include "bytes/hex.h"

#include "arch/arch.h"
#include "mirror/views.h"

#include <inttypes.h>
#include <string.h>

const struct column hex_columns[] = {
    {"address", CELL_ADDRESS}, {"hex", CELL_CODE},     {"text", CELL_CODE},
    {"label", CELL_TEXT},      {"written", CELL_TEXT},
};
const uint32_t hex_column_count = sizeof hex_columns / sizeof *hex_columns;

/* Bytes that an edge, or a relaxation, can tell of. */
enum { WIDEST = 8 };

static uint64_t first_address(const struct look *look) {
    return look->start & ~(uint64_t)(HEX_ROW - 1);
}

uint64_t hex_row_count(const struct look *look) {
    uint64_t skew = look->start - first_address(look);
    return look->size / HEX_ROW + (look->size % HEX_ROW + skew + HEX_ROW - 1) / HEX_ROW;
}

uint64_t hex_row_of(const struct look *look, uint64_t address) {
    return (address - first_address(look)) / HEX_ROW;
}

/* --- which bytes are what */

/* Bits for the COUNT bytes at ADDRESS that are in the row. */
static uint16_t mark(const struct hex_row *row, uint64_t address, uint64_t count) {
    uint16_t marks = 0;
    for (uint64_t i = 0; i < count; i++)
        if (address + i - row->address < HEX_ROW)
            marks |= (uint16_t)(1u << (address + i - row->address));
    return marks;
}

static uint64_t reach_back(uint64_t address) {
    return address < WIDEST ? 0 : address - WIDEST;
}

static void mark_fixups(const struct look *look, struct hex_row *row) {
    struct content_fixup fixup;
    struct content_relaxed relaxed;
    uint64_t from = reach_back(row->address), end = row->address + HEX_ROW;
    uint32_t at = contents_first(look->contents, look->link, CONTENT_FIXUPS, from);
    for (; contents_entry(look->contents, look->link, CONTENT_FIXUPS, at, &fixup) && fixup.place < end; at++)
        row->fixed |= mark(row, fixup.place, fixup.width);
    at = contents_first(look->contents, look->link, CONTENT_RELAXED, from);
    for (; contents_entry(look->contents, look->link, CONTENT_RELAXED, at, &relaxed) && relaxed.window < end;
         at++)
        for (uint64_t i = 0; i < sizeof relaxed.before; i++)
            if ((relaxed.before ^ relaxed.after) >> 8 * i & 0xff)
                row->relaxed |= mark(row, relaxed.window + i, 1);
}

void hex_row(const struct look *look, uint64_t number, struct hex_row *row) {
    struct looked looked;
    memset(row, 0, sizeof *row);
    row->address = first_address(look) + number * HEX_ROW;
    look_at(look, row->address, HEX_ROW, &looked);
    for (uint32_t i = 0; i < HEX_ROW; i++)
        if (row->address + i - look->start < look->size)
            row->inside |= (uint16_t)(1u << i);
    memcpy(row->bytes, looked.bytes, HEX_ROW);
    row->known = (uint16_t)looked.known & row->inside;
    row->differing = (uint16_t)looked.differing & row->inside;
    if (contents_ask(look->contents, look->link) == CONTENTS_READY)
        mark_fixups(look, row);
    row->fixed &= row->inside;
    row->relaxed &= row->inside & (uint16_t)~row->fixed;
}

/* --- as text */

/* What a byte is framed by: 0 nothing, 1 brackets, 2 angles. */
static int frame_of(const struct hex_row *row, int i) {
    if (i < 0 || i >= HEX_ROW || !(row->inside >> i & 1))
        return 0;
    if (row->differing >> i & 1)
        return 2;
    return (row->fixed | row->relaxed) >> i & 1;
}

static char between(int left, int right) {
    if (left == right)
        return ' ';
    return right ? " [<"[right] : " ]>"[left];
}

static void put_hex(struct text *out, const struct hex_row *row) {
    for (int i = 0; i < HEX_ROW; i++) {
        char mark = between(frame_of(row, i - 1), frame_of(row, i));
        text_append_bytes(out, &mark, 1);
        if (!(row->inside >> i & 1))
            text_append(out, "  ");
        else if (row->known >> i & 1)
            text_print(out, "%02x", row->bytes[i]);
        else
            text_append(out, "??");
    }
    char mark = between(frame_of(row, HEX_ROW - 1), 0);
    text_append_bytes(out, &mark, 1);
}

static void put_text(struct text *out, const struct hex_row *row) {
    for (int i = 0; i < HEX_ROW; i++) {
        bool is_known = row->known >> i & 1, is_plain = row->bytes[i] >= 0x20 && row->bytes[i] < 0x7f;
        char shown = !is_known ? ' ' : is_plain ? (char)row->bytes[i] : '.';
        text_append_bytes(out, &shown, 1);
    }
}

static void separate(struct text *out) {
    if (out->length)
        text_append(out, ", ");
}

/* "+4 counter": symbols that begin in the row, with how far in when that is not at once. */
static void put_labels(struct text *out, const struct look *look, const struct hex_row *row) {
    struct content_symbol symbol;
    uint64_t from = row->address < look->start ? look->start : row->address;
    uint32_t at = contents_first(look->contents, look->link, CONTENT_SYMBOLS, from);
    for (; contents_entry(look->contents, look->link, CONTENT_SYMBOLS, at, &symbol) &&
           symbol.address - row->address < HEX_ROW && symbol.address - look->start < look->size;
         at++) {
        if (symbol.is_outside || symbol.is_absolute || (!symbol.name.length && symbol.table == NO_TABLE))
            continue;
        separate(out);
        if (symbol.address != row->address)
            text_print(out, "+%x ", (unsigned)(symbol.address - row->address));
        contents_symbol_name(look->contents, look->link, &symbol, out);
    }
}

static void put_addend(struct text *out, int64_t addend) {
    if (addend)
        text_print(out, "%c0x%" PRIx64, addend < 0 ? '-' : '+',
                   addend < 0 ? -(uint64_t)addend : (uint64_t)addend);
}

/* "+3 delta32 counter-0x4": what the fixups that begin in the row wrote. */
static void put_fixups(struct text *out, const struct look *look, const struct hex_row *row) {
    struct content_fixup fixup;
    uint64_t from = row->address < look->start ? look->start : row->address;
    uint32_t at = contents_first(look->contents, look->link, CONTENT_FIXUPS, from);
    for (; contents_entry(look->contents, look->link, CONTENT_FIXUPS, at, &fixup) &&
           fixup.place - row->address < HEX_ROW && fixup.place - look->start < look->size;
         at++) {
        separate(out);
        text_print(out, "+%x %s ", (unsigned)(fixup.place - row->address),
                   arch_x86_64.kinds[fixup.kind].name);
        contents_target_name(look->contents, look->link, &fixup, out);
        put_addend(out, fixup.addend);
    }
}

static void row_take(struct row *row, struct text *text) {
    row_print(row, "%s", text->data ? text->data : "");
    text_destroy(text);
}

struct jitscope_error *hex_cells(const struct look *look, uint64_t number, struct rows *rows) {
    struct hex_row bytes;
    struct row row;
    struct text hex = {0}, text = {0}, labels = {0}, fixups = {0};
    TRY(row_begin(rows, &row));
    hex_row(look, number, &bytes);
    put_hex(&hex, &bytes);
    put_text(&text, &bytes);
    if (contents_ask(look->contents, look->link) == CONTENTS_READY) {
        put_labels(&labels, look, &bytes);
        put_fixups(&fixups, look, &bytes);
    }
    row_number(&row, bytes.address);
    row_take(&row, &hex);
    row_take(&row, &text);
    row_take(&row, &labels);
    row_take(&row, &fixups);
    return NULL;
}
