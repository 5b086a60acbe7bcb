/* The comparison: what the session says against what it said when it was recorded.  All fields count but
 * times, durations and the process number, which belong to the machine and not to the link, and the level,
 * which belongs to the recording. */
#include "record/replay_state.h"

#include <stddef.h>
#include <string.h>

static bool is_anothers(uint32_t id, const struct schema_field *field, uint8_t print) {
    return print == PRINT_NS || (id == EVENT_ID_session_begin && !strcmp(field->name, "process")) ||
           (id == EVENT_ID_call_create && !strcmp(field->name, "level"));
}

/* What follows from names, be it their bytes. */
static bool is_of_names(const struct schema_type *type) {
    return type->print == PRINT_NAME || !strcmp(type->name, "digest");
}

static bool same_text(const struct replay *replay, uint32_t recorded, uint32_t said) {
    struct recorded_string a = recording_string(replay->recorded.file, recorded);
    const struct pooled_string *b = &replay->names->strings.data[said];
    uint32_t shown = b->length; /* long names are recorded cut, with dots at the end */
    if (a.length < b->length && a.length == RECORDING_LONGEST_NAME &&
        !memcmp(a.bytes + a.length - 3, "...", 3))
        shown = a.length - 3;
    else if (a.length != b->length)
        return false;
    return !shown || !memcmp(a.bytes, b->bytes, shown);
}

static bool same_field(const struct replay *replay, uint32_t id, const struct schema_field *field,
                       const uint8_t *recorded, const uint8_t *said) {
    const struct schema_type *type = &replay->recorded.decoder.builtin.types.data[field->type];
    const uint8_t *a = recorded + field->offset, *b = said + field->offset;
    if (is_anothers(id, field, type->print) || (replay->options.renamed && is_of_names(type)))
        return true;
    if (type->print == PRINT_NAME)
        return same_text(replay, load_u32(a), load_u32(b));
    return !memcmp(a, b, type->bytes);
}

static bool same_trailing(const struct event_view *view, const struct schema_event *type,
                          const uint8_t *said) {
    struct bytes bytes = event_trailing_bytes(view);
    uint32_t size = EVENT_HEADER_SIZE(load_u32(said));
    return size - type->size >= bytes.size &&
           (!bytes.size || !memcmp(bytes.data, said + type->size, bytes.size));
}

/* NULL when they are the same; else what is different: a field's name. */
static const char *difference(struct replay *replay, const struct event_view *view, uint32_t link,
                              const uint8_t *said) {
    struct decoder *decoder = &replay->recorded.decoder;
    uint32_t id = EVENT_HEADER_ID(load_u32(said));
    if (view->type->id != id)
        return "event";
    if (view->link != link)
        return "link";
    const struct schema_event *type = schema_event(&decoder->builtin, id);
    const uint8_t *recorded = (const uint8_t *)decode_event(decoder, view);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct schema_field *field = &decoder->builtin.fields.data[type->first_field + i];
        if (!same_field(replay, id, field, recorded, said))
            return field->name;
    }
    return replay->options.renamed || same_trailing(view, type, said) ? NULL : "digests";
}

/* Calls and answers are in every recording, events up to its level. */
static bool is_recorded(const struct replay *replay, uint32_t id) {
    if (id == EVENT_ID_string || id == EVENT_ID_content || id == EVENT_ID_run)
        return false;
    if (id >= EVENT_ID_content)
        return true;
    const struct schema_event *type = schema_event(&replay->recorded.decoder.builtin, id);
    return type->level <= replay->recorded.create.level;
}

static void follow_passes(struct replay *replay, const struct event_view *view) {
    const union any_event *event = decode_event(&replay->recorded.decoder, view);
    if (view->type->id == EVENT_ID_pass_begin)
        replay->pass = (struct pass_place){event->pass_begin.name, event->pass_begin.pass, true};
    else if (view->type->id == EVENT_ID_pass_end)
        replay->pass.inside = false;
}

/* A call of exit(3) from inside a link or an unload: by a function that nobody waits for an answer of, such
 * as an event callback, or a memory manager's abandon. */
static bool is_exit_inside(const struct replay *replay, const struct event_view *view, const void *record) {
    return view->type->id == EVENT_ID_call_exit && view->link && !replay->exited &&
           EVENT_HEADER_ID(load_u32(record)) != EVENT_ID_call_exit;
}

static void show_watcher(const struct replay *replay, uint32_t link, const void *record) {
    const struct replay_watcher *watcher = replay->options.watcher;
    if (watcher && watcher->event && !replay->diverged && !replay->ended)
        watcher->event(watcher->context, link, record, replay->names);
}

void replay_compare(void *context, uint64_t sequence, uint32_t link, const void *record) {
    struct replay *replay = context;
    show_watcher(replay, link, record);
    struct event_cursor ahead = replay->cursor;
    struct event_view view;
    (void)sequence;
    if (replay->diverged || replay->ended || !is_recorded(replay, EVENT_HEADER_ID(load_u32(record))))
        return;
    if (!recorded_next(&replay->recorded, &ahead, &view) || view.type->id == EVENT_ID_lost) {
        replay->ended = true;
        return;
    }
    if (is_exit_inside(replay, &view, record)) {
        replay_exit_here(replay);
        return;
    }
    const char *what = difference(replay, &view, link, record);
    if (what) {
        replay_diverge(replay, &view, record, what);
        return;
    }
    follow_passes(replay, &view);
    replay->cursor = ahead;
    replay->compared++;
}
