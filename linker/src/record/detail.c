#include "record/detail.h"

#include "record/recorded.h"
#include "record/replay.h"

#include <stdio.h>
#include <string.h>

/* The options are among the first things that a recording says. */
bool detail_is_missing(const struct recording_file *file, enum event_level needed) {
    enum { FIRST_EVENTS = 4096 };
    struct event_cursor cursor = {.file = file};
    struct event_view view;
    struct decoder decoder;
    struct jitscope_error *error = decoder_create(&decoder, &file->schema);
    bool missing = false;
    for (uint32_t i = 0; !error && i < FIRST_EVENTS && event_next(&cursor, &view); i++)
        if (view.type->id == EVENT_ID_call_create) {
            missing = decode_event(&decoder, &view)->call_create.level < (uint32_t)needed;
            break;
        }
    if (!error)
        decoder_destroy(&decoder);
    jitscope_error_destroy(error);
    return missing;
}

/* --- numbers */

static bool in_original(const struct recorded *original, const struct event_view *view) {
    return view->type->id >= EVENT_ID_content || view->type->level <= original->create.level;
}

/* Both hold the same events in the same order; the detailed one has others between them. */
static void number(struct detail *detail, struct recorded *original, struct recorded *detailed) {
    struct event_cursor at = {.file = original->file}, in = {.file = &detail->file};
    struct event_view view, known;
    while (recorded_next(detailed, &in, &view)) {
        if (!in_original(original, &view) || view.sequence >= detail->count)
            continue;
        if (!recorded_next(original, &at, &known) || known.type->id != view.type->id)
            return;
        detail->numbers[view.sequence] = known.sequence;
        detail->until = view.sequence;
    }
}

static struct jitscope_error *open_both(struct detail *detail, const struct recording_file *file) {
    struct recorded original, detailed;
    TRY(recorded_open(&original, file));
    struct jitscope_error *error = recorded_open(&detailed, &detail->file);
    if (!error) {
        number(detail, &original, &detailed);
        recorded_close(&detailed);
    }
    recorded_close(&original);
    return error;
}

static struct jitscope_error *number_events(struct detail *detail, const struct recording_file *file) {
    const struct recording_file *made = &detail->file;
    for (uint32_t i = 0; i < made->runs.count; i++)
        if (detail->count < made->runs.data[i].sequence + made->runs.data[i].count)
            detail->count = made->runs.data[i].sequence + made->runs.data[i].count;
    detail->numbers = os_allocate(detail->count * sizeof *detail->numbers);
    if (!detail->numbers)
        return error_no_memory();
    memset(detail->numbers, 0xff, detail->count * sizeof *detail->numbers);
    return open_both(detail, file);
}

uint64_t detail_sequence(const struct detail *detail, uint64_t sequence) {
    uint64_t last = 0;
    for (uint64_t i = 0; i < detail->count; i++)
        if (detail->numbers[i] != NO_NUMBER && detail->numbers[i] <= sequence)
            last = i;
    return last;
}

/* --- making it */

static struct jitscope_error *replay_into(const struct recording_file *file, const char *path, bool *made,
                                          struct text *reason) {
    const struct replay_options options = {.record_path = path, .level = JITSCOPE_LEVEL_EDGES};
    struct replay *replay;
    TRY(replay_run(file, &options, &replay));
    *made = replay_verdict(replay) == REPLAY_IDENTICAL;
    if (!*made)
        text_append(reason, replay_report(replay));
    replay_destroy(replay);
    return NULL;
}

struct jitscope_error *detail_make(const struct recording_file *file, struct detail *detail, bool *made,
                                   struct text *reason) {
    char path[64];
    *detail = (struct detail){.memory_file = os_memory_file("jitscope-detail")};
    *made = false;
    if (detail->memory_file < 0)
        return error_system("memfd_create", NULL);
    snprintf(path, sizeof path, "/proc/self/fd/%d", detail->memory_file);
    struct jitscope_error *error = replay_into(file, path, made, reason);
    if (!error && *made)
        error = recording_open(path, &detail->file);
    if (!error && *made)
        error = number_events(detail, file);
    if (error || !*made)
        detail_close(detail);
    return error;
}

void detail_close(struct detail *detail) {
    recording_close(&detail->file);
    os_release(detail->numbers);
    if (detail->memory_file >= 0)
        os_close(detail->memory_file);
    *detail = (struct detail){.memory_file = -1};
}
