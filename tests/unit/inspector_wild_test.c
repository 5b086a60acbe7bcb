/* Recordings that nobody has written: one field after the other of each kind of event holds what nobody would
 * put there, and all screens are gone through.  Some cannot be opened; the others can be looked at, and draw
 * nothing that steers a terminal.  (WILD_RECORDS=N: N events of each kind instead of one.) */
#define _GNU_SOURCE
#include "driven_inspector.h"

#include "../fuzz/fuzz_mend.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const tour[] = {
    "last",          "enter",       "leave",     "map",          "zoom in", "zoom out",   "last",
    "enter",         "segments",    "last",      "enter",        "leave",   "blocks",     "last",
    "why",           "leave",       "symbols",   "last",         "why",     "sort -size", "edges",
    "last",          "enter",       "got",       "last",         "why",     "plt",        "why",
    "tls",           "eh-frames",   "last",      "enter",        "actions", "last",       "enter",
    "passes",        "last",        "pass -3",   "symbols",      "pass 2",  "goto 0",     "batch 1",
    "goto +1ms",     "follow",      "batch all", "memory",       "last",    "inputs",     "last",
    "registrations", "last",        "events",    "last",         "enter",   "code main",  "bytes main",
    "why main",      "why got:far", "overview",  "step-batch -1"};

static int file_of = -1;
static char path_of[32];

static void write_recording(const uint8_t *data, size_t size) {
    uint8_t *copy = mended_copy(data, size);
    assert_int_equal(ftruncate(file_of, 0), 0);
    assert_int_equal(pwrite(file_of, copy, size, 0), size);
    free(copy);
}

static void check_cells(const struct grid *grid) {
    for (uint16_t row = 0; row < grid->rows; row++)
        for (uint16_t column = 0; column < grid->columns; column++) {
            uint32_t character = grid_cell(grid, row, column)->character;
            assert_true(!character || character_columns(character));
        }
}

static void go_through(struct driven *driven) {
    for (size_t i = 0; i < sizeof tour / sizeof *tour; i++) {
        const struct input work = {.kind = INPUT_WORK};
        bool good = update(&driven->state, &(struct input){.kind = INPUT_COMMAND, .command = tour[i]});
        for (int j = 0; j < 100 && update_has_work(&driven->state); j++)
            update(&driven->state, &work);
        assert_true(good || driven->state.message.length);
        assert_null(draw(&driven->grid, &driven->state));
        check_cells(&driven->grid);
    }
}

/* Whether it could be opened. */
static bool inspect(void) {
    struct driven driven = {0};
    struct jitscope_error *error = inspected_open(path_of, UINT64_MAX / 2, &driven.inspected);
    if (!error)
        error = state_create(&driven.state, driven.inspected);
    if (error) {
        assert_true(jitscope_error_message(error)[0]);
        jitscope_error_destroy(error);
        inspected_close(driven.inspected);
        return false;
    }
    go_through(&driven);
    stop_driving(&driven);
    return true;
}

/* --- spoiling --- */

struct spoiled {
    uint8_t *data;
    size_t size;
    uint32_t tried, opened;
};

static void spoil_field(struct spoiled *spoiled, uint64_t at, uint32_t size) {
    uint64_t old = 0, top = size == 8 ? UINT64_MAX : UINT32_MAX;
    memcpy(&old, spoiled->data + at, size);
    const uint64_t wild[] = {0, 1, old + 1, top / 2, top, top - 4096, 77};
    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
        memcpy(spoiled->data + at, &wild[i], size);
        write_recording(spoiled->data, spoiled->size);
        spoiled->tried++;
        spoiled->opened += inspect();
    }
    memcpy(spoiled->data + at, &old, size);
}

static void spoil_event(struct spoiled *spoiled, const struct event_view *view) {
    for (uint32_t i = 0; i < view->type->field_count; i++) {
        const struct schema_field *field = &view->schema->fields.data[view->type->first_field + i];
        uint32_t end = i + 1 < view->type->field_count
                           ? view->schema->fields.data[view->type->first_field + i + 1].offset
                           : view->type->size;
        spoil_field(spoiled, view->offset + field->offset, end - field->offset >= 8 ? 8 : 4);
    }
}

static struct spoiled read_whole(const char *path) {
    struct spoiled spoiled = {.data = malloc(1 << 20)};
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_non_null(spoiled.data);
    spoiled.size = fread(spoiled.data, 1, 1 << 20, file);
    fclose(file);
    return spoiled;
}

static void spoil(const char *path, uint32_t most) {
    static uint32_t seen[SCHEMA_EVENT_IDS];
    struct spoiled spoiled = read_whole(path);
    struct recording_file file;
    struct event_view view;
    memset(seen, 0, sizeof seen);
    assert_null(recording_open(path, &file));
    struct event_cursor cursor = {.file = &file};
    while (event_next(&cursor, &view))
        if (seen[view.type->id]++ < most)
            spoil_event(&spoiled, &view);
    recording_close(&file);
    free(spoiled.data);
    print_message("%s: %u recordings, %u could be opened\n", path, spoiled.tried, spoiled.opened);
    assert_true(spoiled.tried > 500 && spoiled.opened > spoiled.tried / 2 && spoiled.opened < spoiled.tried);
}

static void test_wild_fields(void **state) {
    (void)state;
    const char *records = getenv("WILD_RECORDS");
    uint32_t most = records ? (uint32_t)atoi(records) : 1;
    file_of = memfd_create("wild", MFD_CLOEXEC);
    assert_true(file_of >= 0);
    snprintf(path_of, sizeof path_of, "/proc/self/fd/%d", file_of);
    spoil(GOLDEN("edges"), most);
    spoil(GOLDEN("unloads"), most);
    close(file_of);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wild_fields)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
