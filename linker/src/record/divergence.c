/* The story of a divergence: which event, in which pass, about what, and what came before it. */
#include "record/replay_state.h"

#include "mirror/mirror.h"
#include "trace/print.h"

#include <inttypes.h>

static struct recorded_string recorded_name(const void *file, uint32_t id) {
    return recording_string(file, id);
}

static struct recorded_string said_name(const void *pool, uint32_t id) {
    const struct string_pool *names = pool;
    if (id >= names->strings.count)
        return (struct recorded_string){"", 0};
    return (struct recorded_string){names->strings.data[id].bytes, names->strings.data[id].length};
}

static void tell_place(struct replay *replay, const struct event_view *expected) {
    struct text *out = &replay->report;
    text_print(out, "diverged at event %" PRIu64, expected->sequence);
    if (expected->link)
        text_print(out, ", link %u", expected->link);
    if (replay->pass.inside && expected->link) {
        struct recorded_string name = recording_string(replay->recorded.file, replay->pass.name.id);
        text_print(out, ", pass %u ", replay->pass.number);
        text_append_escaped(out, name.bytes, name.length);
    }
    text_append(out, "\n");
}

static void tell_said(struct replay *replay, const void *record, uint32_t link) {
    const struct schema *schema = &replay->recorded.decoder.builtin;
    uint32_t header = load_u32(record);
    const struct event_view view = {.type = schema_event(schema, EVENT_HEADER_ID(header)),
                                    .schema = schema,
                                    .record = record,
                                    .link = link,
                                    .size = EVENT_HEADER_SIZE(header)};
    const struct name_source names = {.text = said_name, .context = replay->names};
    event_print_text(&replay->report, &view, &names);
    text_append(&replay->report, "\n");
}

void replay_diverge(struct replay *replay, const struct event_view *expected, const void *record,
                    const char *what) {
    const struct name_source names = {.text = recorded_name, .context = replay->recorded.file};
    if (replay->diverged)
        return;
    replay->diverged = true;
    replay->divergence = expected->sequence;
    tell_place(replay, expected);
    text_print(&replay->report, "differs: %s\n  recorded  ", what);
    event_print_text(&replay->report, expected, &names);
    text_append(&replay->report, "\n  replayed  ");
    if (record)
        tell_said(replay, record, expected->link);
    else
        text_append(&replay->report, "nothing\n");
}
