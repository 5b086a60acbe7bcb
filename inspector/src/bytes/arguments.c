#include "bytes/arguments.h"

#include "executor/bridge.h"
#include "executor/debug_image.h"
#include "mirror/views.h"

#include <inttypes.h>
#include <stdlib.h>

const struct column argument_columns[] = {
    {"half", CELL_TEXT}, {"what", CELL_TEXT}, {"address", CELL_ADDRESS}, {"value", CELL_TEXT}};
const uint32_t argument_column_count = sizeof argument_columns / sizeof *argument_columns;

struct half {
    const struct look *look;
    struct rows *rows;
    const char *name; /* "finalize" */
    struct text function;
    struct bytes arguments;
};

/* --- rows */

static struct jitscope_error *begin(const struct half *half, struct row *row, const char *what,
                                    const uint64_t *address) {
    TRY(row_begin(half->rows, row));
    row_text(row, half->name);
    row_print(row, "%s", what);
    if (address)
        row_number(row, *address);
    else
        row_absent(row);
    return NULL;
}

static struct jitscope_error *add_number(const struct half *half, const char *what, uint64_t number) {
    struct row row;
    TRY(begin(half, &row, what, NULL));
    row_print(&row, "%" PRIu64, number);
    return NULL;
}

static struct jitscope_error *add_text(const struct half *half, const char *what, const char *text) {
    struct row row;
    TRY(begin(half, &row, what, NULL));
    row_print(&row, "%s", text ? text : "");
    return NULL;
}

/* An address, by its name. */
static struct jitscope_error *add_place(const struct half *half, const char *what, uint64_t address) {
    struct row row;
    struct text name = {0};
    TRY(begin(half, &row, what, &address));
    contents_name(half->look->contents, half->look->link, address, &name);
    row_print(&row, "%s", name.data ? name.data : "");
    text_destroy(&name);
    return NULL;
}

static uint64_t argument(const struct half *half, uint32_t number) {
    uint64_t at = (uint64_t)number * 8;
    return bytes_contain(half->arguments, at, 8) ? load_u64(half->arguments.data + at) : 0;
}

/* --- what actions are about */

static struct jitscope_error *tell_range(const struct half *half) {
    TRY(add_place(half, "section", argument(half, 0)));
    return add_number(half, "bytes", argument(half, 1));
}

static struct jitscope_error *tell_dso(const struct half *half) {
    return add_place(half, "handle", argument(half, 0));
}

static struct jitscope_error *tell_unwinder(const struct half *half) {
    TRY(add_place(half, "adds by", argument(half, 0)));
    TRY(add_place(half, "removes by", argument(half, 1)));
    return add_text(half, "of what", argument(half, 2) ? "one FDE" : "a section");
}

/* Each function, in the order in which they run. */
static struct jitscope_error *tell_functions(const struct half *half, bool forward, bool skips) {
    enum { MOST = 1 << 16 };
    uint64_t address = argument(half, 0), count = argument(half, 1) / 8;
    TRY(tell_range(half));
    for (uint64_t i = 0; i < count && i < MOST; i++) {
        uint64_t function, place = address + 8 * (forward ? i : count - 1 - i);
        if (look_read(half->look, place, (uint8_t *)&function, sizeof function) < sizeof function)
            return add_text(half, "functions", "cannot be read");
        if (skips && (!function || function == UINT64_MAX))
            continue;
        TRY(add_place(half, "function", function));
    }
    return count > MOST ? add_text(half, "function", "...") : NULL;
}

static struct jitscope_error *tell_initialisers(const struct half *half) {
    return tell_functions(half, true, false);
}

static struct jitscope_error *tell_finalisers(const struct half *half) {
    return tell_functions(half, false, false);
}

static struct jitscope_error *tell_ctors(const struct half *half) {
    return tell_functions(half, false, true);
}

static struct jitscope_error *tell_dtors(const struct half *half) {
    return tell_functions(half, true, true);
}

static struct jitscope_error *tell_image(const struct half *half) {
    struct debug_image image;
    const char *damage = debug_image_open(half->arguments, &image);
    if (damage)
        return add_text(half, "damage", damage);
    const struct debug_image_header *header = image.header;
    TRY(add_place(half, "batch", header->address));
    TRY(add_number(half, "extent", header->extent));
    TRY(add_number(half, "image, bytes", header->size));
    TRY(add_number(half, "segments", header->segments.count));
    TRY(add_number(half, "sections", header->sections.count));
    TRY(add_number(half, "table entries", header->entries.count));
    TRY(add_number(half, "symbols", header->symbols.count));
    TRY(add_number(half, "units", header->units));
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++)
        if (header->dwarf[i].count)
            TRY(add_number(half, debug_section_names[i], header->dwarf[i].count));
    return NULL;
}

static struct jitscope_error *tell_image_name(const struct half *half) {
    TRY(add_place(half, "batch", argument(half, 0)));
    TRY(add_number(half, "extent", argument(half, 1)));
    return add_number(half, "link", argument(half, 2));
}

enum { IN_A_ROW = 16, MOST_ROWS = 4096 };

static struct jitscope_error *tell_some_bytes(const struct half *half, uint64_t from) {
    struct text where = {0}, hex = {0};
    text_print(&where, "+0x%" PRIx64, from);
    for (uint64_t at = from; at < half->arguments.size && at < from + IN_A_ROW; at++)
        text_print(&hex, at > from ? " %02x" : "%02x", half->arguments.data[at]);
    struct jitscope_error *error = add_text(half, where.data ? where.data : "", hex.data);
    text_destroy(&where);
    text_destroy(&hex);
    return error;
}

static struct jitscope_error *tell_bytes(const struct half *half) {
    TRY(add_number(half, "bytes", half->arguments.size));
    for (uint64_t at = 0; at < half->arguments.size && at < IN_A_ROW * MOST_ROWS; at += IN_A_ROW)
        TRY(tell_some_bytes(half, at));
    return NULL;
}

/* --- by the action's name */

static const struct {
    const char *function;
    uint32_t least; /* bytes of arguments */
    struct jitscope_error *(*tell)(const struct half *half);
} known[] = {
    {bridge_action_REGISTER_EH_FRAMES, 16, tell_range},
    {bridge_action_DEREGISTER_EH_FRAMES, 16, tell_range},
    {bridge_action_ADOPT_UNWINDER, 24, tell_unwinder},
    {bridge_action_DISMISS_UNWINDER, 24, tell_unwinder},
    {bridge_action_REGISTER_DEBUG_IMAGE, sizeof(struct debug_image_header), tell_image},
    {bridge_action_DEREGISTER_DEBUG_IMAGE, sizeof(struct debug_image_name), tell_image_name},
    {bridge_action_RUN_INITIALISERS, 16, tell_initialisers},
    {bridge_action_RUN_CTORS, 16, tell_ctors},
    {bridge_action_RUN_FINALISERS, 16, tell_finalisers},
    {bridge_action_RUN_DTORS, 16, tell_dtors},
    {bridge_action_FINALIZE_DSO, 8, tell_dso},
};

static struct jitscope_error *tell_half(const struct half *half) {
    TRY(add_text(half, "runs", half->function.data));
    for (size_t i = 0; half->function.data && i < sizeof known / sizeof *known; i++)
        if (!strcmp(half->function.data, known[i].function) && half->arguments.size >= known[i].least)
            return known[i].tell(half);
    return tell_bytes(half);
}

static struct jitscope_error *add_half(const struct look *look, uint32_t action, bool deallocate,
                                       struct rows *rows) {
    struct half half = {.look = look, .rows = rows, .name = deallocate ? "deallocate" : "finalize"};
    struct jitscope_error *error =
        contents_action(look->contents, look->link, action, deallocate, &half.function, &half.arguments);
    bool is_absent = jitscope_error_code(error) == JITSCOPE_ERROR_NOT_FOUND;
    if (!error)
        error = tell_half(&half);
    text_destroy(&half.function);
    os_release((void *)(uintptr_t)half.arguments.data);
    if (!is_absent)
        return error;
    jitscope_error_destroy(error);
    return NULL;
}

struct jitscope_error *arguments_rows(const struct look *look, uint32_t action, struct rows *rows) {
    if (contents_ask(look->contents, look->link) != CONTENTS_READY)
        return NULL;
    TRY(add_half(look, action, false, rows));
    return add_half(look, action, true, rows);
}
