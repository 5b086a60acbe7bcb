/* A recording, through every view, and through time: a mirror that was moved to a moment shows what one holds
 * that was built only so far.  Digests are made right first: behind them is what wants testing. */
#include "fuzz_mend.h"

#include "mirror/show.h"

static void compare(const struct view *view, const struct mirror *moved, const struct mirror *built) {
    struct rows a = {.columns = view->columns, .column_count = view->column_count}, b = a;
    FUZZ_HOLDS(!view_rows(view, moved, &a) && !view_rows(view, built, &b));
    FUZZ_HOLDS(a.cells.count == b.cells.count);
    for (uint32_t i = 0; i < a.cells.count; i++) {
        const struct cell *x = &a.cells.data[i], *y = &b.cells.data[i];
        FUZZ_HOLDS(x->absent == y->absent && x->number == y->number && x->length == y->length);
        FUZZ_HOLDS(!memcmp(x->text, y->text, x->length));
    }
    rows_destroy(&a);
    rows_destroy(&b);
}

static void travel(struct mirror *moved, struct mirror *built, uint64_t at) {
    struct event_cursor cursor = {.file = moved->file}, end = event_after(moved->file, at);
    struct event_view event;
    memset(built, 0, sizeof *built);
    built->file = moved->file;
    mirror_seek(moved, at);
    while (event_next_before(&cursor, &end, &event))
        FUZZ_HOLDS(!mirror_apply(built, &event));
    FUZZ_HOLDS(moved->applied == built->applied && moved->last_sequence == built->last_sequence);
    for (uint32_t i = 0; i < view_count; i++)
        compare(&views[i], moved, built);
    mirror_destroy(built);
}

/* One on demand, of which this and that was forgotten, shows what a loaded one shows. */
static void demand(const struct mirror *whole, struct mirror *mirror, uint64_t at) {
    mirror_seek(mirror, at);
    FUZZ_HOLDS(mirror->applied == whole->applied && mirror->links.count == whole->links.count);
    for (uint32_t i = 0; i < view_count; i++) {
        compare(&views[i], mirror, whole);
        mirror_forget(mirror, i);
    }
}

static void go_on_demand(struct mirror *whole, const uint64_t *moments, size_t count) {
    static struct mirror mirror;
    FUZZ_HOLDS(!mirror_open_on_demand(&mirror, whole->file));
    for (bool done = false; !done;)
        FUZZ_HOLDS(!mirror_index_step(&mirror, 100, &done));
    for (size_t i = 0; i < count; i++) {
        mirror_seek(whole, moments[i]);
        demand(whole, &mirror, moments[i]);
    }
    mirror_destroy(&mirror);
}

static void travel_through(const struct recording_file *file) {
    static struct mirror moved, built;
    struct jitscope_error *error = mirror_load(&moved, file, UINT64_MAX);
    if (!error) {
        uint64_t last = moved.last_sequence;
        const uint64_t moments[] = {last / 2, 0, last ? last - 1 : 0, last / 3, UINT64_MAX};
        for (size_t i = 0; i < sizeof moments / sizeof *moments; i++)
            travel(&moved, &built, moments[i]);
        go_on_demand(&moved, moments, sizeof moments / sizeof *moments);
        mirror_destroy(&moved);
    }
    fuzz_expect_message(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct recording_file file;
    static FILE *sink;
    sink = sink ? sink : fopen("/dev/null", "w");
    uint8_t *copy = mended_copy(data, size);
    if (!sink)
        abort();
    struct jitscope_error *error = recording_open_memory((struct bytes){copy, size}, &file);
    if (!error) {
        for (uint32_t i = 0; i < view_count; i++) {
            struct show_options options = {.at = UINT64_MAX, .json = i % 2};
            fuzz_expect_message(show_print(sink, views[i].name, &file, &options));
        }
        travel_through(&file);
        recording_close(&file);
    }
    fuzz_expect_message(error);
    free(copy);
    return 0;
}
