#include "bytes/compare.h"

#include "mirror/views.h"
#include "trace/event.h"

const struct column difference_columns[] = {
    {"address", CELL_ADDRESS}, {"bytes", CELL_NUMBER}, {"what", CELL_TEXT},     {"where", CELL_TEXT},
    {"expected", CELL_TEXT},   {"actual", CELL_TEXT},  {"leads_to", CELL_TEXT},
};
const uint32_t difference_column_count = sizeof difference_columns / sizeof *difference_columns;

enum { GAP = 8, PART = 4096, SHOWN = 16, POINTER = 8 };

void differences_destroy(struct differences *differences) {
    vec_destroy(&differences->list);
}

/* --- finding them */

/* One more byte that differs: of the last run, or of a new one. */
static struct jitscope_error *add_byte(struct differences *differences, uint64_t address, uint64_t floor) {
    struct difference *last =
        differences->list.count ? &differences->list.data[differences->list.count - 1] : NULL;
    if (last && last->address >= floor && address - (last->address + last->size) < GAP) {
        last->size = address + 1 - last->address;
        return NULL;
    }
    return vec_push(&differences->list, (struct difference){address, 1});
}

struct jitscope_error *compare_bytes(const uint8_t *expected, const uint8_t *actual, uint64_t size,
                                     uint64_t address, struct differences *differences) {
    for (uint64_t i = 0; i < size; i++)
        if (expected[i] != actual[i])
            TRY(add_byte(differences, address + i, 0));
    return NULL;
}

/* Where the block begins that holds ADDRESS, or the gap behind the last one. */
static uint64_t floor_of(const struct look *look, uint64_t address) {
    struct content_block block;
    if (contents_block_at(look->contents, look->link, address, &block))
        return block.address;
    uint32_t behind = contents_first(look->contents, look->link, CONTENT_BLOCKS, address);
    if (behind && contents_entry(look->contents, look->link, CONTENT_BLOCKS, behind - 1, &block))
        return block.address + block.size;
    return 0;
}

static bool is_writable(const struct look *look, uint64_t address) {
    struct content_segment segment;
    return contents_segment_at(look->contents, look->link, address, &segment) && segment.prot & PROTECT_WRITE;
}

static struct jitscope_error *add_run(const struct look *look, struct differences *differences,
                                      uint64_t address) {
    uint32_t before = differences->list.count;
    TRY(add_byte(differences, address, floor_of(look, address)));
    if (differences->list.count > before && !is_writable(look, address))
        differences->alarming++;
    return NULL;
}

/* At once where all of it can be read, and is the same. */
static struct jitscope_error *compare_part(const struct look *look, struct differences *differences,
                                           uint64_t size) {
    uint8_t expected[PART], actual[PART];
    uint64_t at = differences->at;
    if (contents_read(look->contents, look->link, at, expected, size) &&
        look->read(look->context, at, actual, size)) {
        if (memcmp(expected, actual, size) != 0)
            for (uint64_t i = 0; i < size; i++)
                if (expected[i] != actual[i])
                    TRY(add_run(look, differences, at + i));
        return NULL;
    }
    for (uint64_t i = 0; i < size; i++) {
        if (!contents_read(look->contents, look->link, at + i, expected, 1) ||
            !look->read(look->context, at + i, actual, 1))
            differences->unread++;
        else if (expected[0] != actual[0])
            TRY(add_run(look, differences, at + i));
    }
    return NULL;
}

struct jitscope_error *compare_some(const struct look *look, struct differences *differences,
                                    uint64_t budget) {
    uint64_t end = look->start + look->size;
    if (!look->read || contents_ask(look->contents, look->link) != CONTENTS_READY)
        return NULL;
    for (uint64_t done = 0; done < budget && differences->at < end;) {
        uint64_t size = PART - differences->at % PART;
        size = size < end - differences->at ? size : end - differences->at;
        TRY(compare_part(look, differences, size));
        differences->at += size;
        done += size;
    }
    return NULL;
}

/* --- telling them */

static void put_bytes(struct row *row, const uint8_t *bytes, uint64_t known, uint64_t size) {
    struct text text = {0};
    for (uint64_t i = 0; i < size && i < SHOWN; i++) {
        text_append(&text, i ? " " : "");
        if (known >> i & 1)
            text_print(&text, "%02x", bytes[i]);
        else
            text_append(&text, "??");
    }
    text_append(&text, size > SHOWN ? " ..." : "");
    row_print(row, "%s", text.data ? text.data : "");
    text_destroy(&text);
}

static void put_name(struct row *row, const struct look *look, uint64_t address) {
    struct text name = {0};
    bool is_known = contents_name(look->contents, look->link, address, &name) && name.data;
    if (is_known)
        row_print(row, "%s", name.data);
    else
        row_absent(row);
    text_destroy(&name);
}

/* Where a pointer of writable or relocated data leads now, when it leads to something that has a name. */
static void put_target(struct row *row, const struct look *look, const struct difference *difference) {
    uint64_t slot = difference->address & ~(uint64_t)(POINTER - 1), target;
    struct content_fixup fixup;
    bool is_pointer = contents_fixup_at(look->contents, look->link, slot, &fixup) && fixup.width == POINTER &&
                      difference->address + difference->size <= slot + POINTER;
    if (is_pointer && look_read(look, slot, (uint8_t *)&target, sizeof target) == sizeof target)
        put_name(row, look, target);
    else
        row_absent(row);
}

struct jitscope_error *difference_cells(const struct look *look, const struct difference *difference,
                                        struct rows *rows) {
    struct row row;
    struct looked looked;
    TRY(row_begin(rows, &row));
    look_at(look, difference->address, SHOWN, &looked);
    row_number(&row, difference->address);
    row_number(&row, difference->size);
    row_text(&row, is_writable(look, difference->address) ? "changed since link" : "differs");
    put_name(&row, look, difference->address);
    put_bytes(&row, looked.expected, UINT64_MAX, difference->size);
    put_bytes(&row, looked.bytes, looked.known, difference->size);
    put_target(&row, look, difference);
    return NULL;
}
