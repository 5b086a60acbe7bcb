/* What the session was asked to do, and with which bytes: recordings hold both, so that they can be replayed.
 */
#include "mirror/diff_counts.h"

#include "trace/decode.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* --- reading */

/* Contents come in parts, those of one behind each other. */
struct content_reader {
    XXH3_state_t hash;
    uint32_t number;
    uint64_t size, got;
};

static struct jitscope_error *read_content(struct side_calls *calls, struct content_reader *reader,
                                           const struct event_content *event, struct bytes part) {
    if (!event->offset) {
        reader->number = event->content;
        reader->size = event->size;
        reader->got = 0;
        XXH3_64bits_reset(&reader->hash);
    }
    if (event->content != reader->number || event->offset != reader->got ||
        event->content > calls->digests.count)
        return NULL; /* of this one nothing will be known */
    if (event->content == calls->digests.count)
        TRY(vec_push(&calls->digests, MAP64_NO_KEY));
    if (part.size)
        XXH3_64bits_update(&reader->hash, part.data, part.size);
    reader->got += part.size;
    if (reader->got == reader->size)
        calls->digests.data[event->content] = mix_key(XXH3_64bits_digest(&reader->hash), reader->size);
    return NULL;
}

/* The first reading of a file counts, and bytes in memory go by their name. */
static struct jitscope_error *name_content(struct side *side, struct name_ref name, uint32_t content) {
    uint32_t shared = shared_name(side, name.id);
    if (shared == NO_NAME || map64_find(&side->calls.content_of, shared) != MAP64_NO_VALUE)
        return NULL;
    return map64_set(&side->calls.content_of, shared, content);
}

static struct jitscope_error *add_call(struct side *side, uint32_t event, uint32_t name, uint32_t value) {
    return vec_push(&side->calls.list, (struct side_call){event, shared_name(side, name), value});
}

static struct jitscope_error *read_call(struct side *side, struct content_reader *reader,
                                        const struct event_view *view, const union any_event *event) {
    switch (view->type->id) {
    case EVENT_ID_content:
        return read_content(&side->calls, reader, &event->content, event_trailing_bytes(view));
    case EVENT_ID_call_create:
        side->calls.create = event->call_create;
        side->calls.has_create = true;
        return NULL;
    case EVENT_ID_answer_file:
        if (event->answer_file.outcome != OUTCOME_OK)
            return NULL;
        return name_content(side, event->answer_file.path, event->answer_file.content);
    case EVENT_ID_call_add_memory:
        return name_content(side, event->call_add_memory.name, event->call_add_memory.content);
    case EVENT_ID_call_add_root:
        return add_call(side, view->type->id, event->call_add_root.name.id, 0);
    case EVENT_ID_call_add_pass:
        return add_call(side, view->type->id, event->call_add_pass.name.id, 0);
    case EVENT_ID_call_register_action:
        return add_call(side, view->type->id, event->call_register_action.name.id, 0);
    case EVENT_ID_call_set_modes:
        return add_call(side, view->type->id, 0,
                        event->call_set_modes.whole_archive << 1 | event->call_set_modes.as_needed);
    case EVENT_ID_call_set_resolver:
        return add_call(side, view->type->id, 0, event->call_set_resolver.present);
    default:
        return NULL;
    }
}

static struct jitscope_error *walk_calls(struct side *side, struct decoder *decoder,
                                         struct event_window *window) {
    struct content_reader reader = {.number = NO_ID};
    struct event_cursor cursor = {.file = side->mirror->file, .window = window};
    struct event_view view;
    while (event_next(&cursor, &view)) {
        const union any_event *event = decode_event(decoder, &view);
        if (event)
            TRY(read_call(side, &reader, &view, event));
    }
    return recording_failure(side->mirror->file);
}

struct jitscope_error *read_calls(struct side *side) {
    struct event_window window = {0};
    struct decoder *decoder = os_allocate_zeroed(sizeof *decoder);
    struct jitscope_error *error =
        decoder ? decoder_create(decoder, &side->mirror->file->schema) : error_no_memory();
    if (!error) {
        error = walk_calls(side, decoder, &window);
        decoder_destroy(decoder);
    }
    event_window_destroy(&window);
    os_release(decoder);
    return error;
}

void forget_calls(struct side *side) {
    vec_destroy(&side->calls.list);
    vec_destroy(&side->calls.digests);
    map64_destroy(&side->calls.content_of);
}

/* --- contents */

static uint64_t digest_of(const struct side *side, uint32_t id) {
    const struct mirror_input *input = mirror_input(side->mirror, id);
    uint32_t name = input ? shared_name(side, input->event.name.id) : NO_NAME;
    uint32_t content = map64_find(&side->calls.content_of, name);
    return content < side->calls.digests.count ? side->calls.digests.data[content] : MAP64_NO_KEY;
}

bool has_other_content(const struct diff_work *work, uint32_t a_input, uint32_t b_input) {
    uint64_t a = digest_of(&work->a, a_input), b = digest_of(&work->b, b_input);
    return a != MAP64_NO_KEY && b != MAP64_NO_KEY && a != b;
}

/* --- options */

static struct jitscope_error *find_option(struct diff_work *work, const char *name, uint32_t before,
                                          uint32_t after) {
    static const char *const switches[] = {"off", "on"};
    static const char *const policies[] = {"auto", "eager", "lazy", "off"};
    bool policy = !__builtin_strcmp(name, "debug");
    struct text text = {0}, fields = {0};
    if (before == after)
        return NULL;
    if (policy && before < 4 && after < 4)
        text_print(&text, "option %s changed: %s -> %s", name, policies[before], policies[after]);
    else if (before < 2 && after < 2)
        text_print(&text, "option %s changed: %s -> %s", name, switches[before], switches[after]);
    else
        text_print(&text, "option %s changed: %u -> %u", name, before, after);
    text_print(&fields, ",\"option\":\"%s\",\"before\":%u,\"after\":%u", name, before, after);
    return find(work, "option", NO_ID, &text, &fields, NULL);
}

/* Where simulated memory starts is a placement like any other, and the level is told in a note. */
static struct jitscope_error *diff_create(struct diff_work *work) {
    const struct event_call_create *a = &work->a.calls.create, *b = &work->b.calls.create;
    if (!work->a.calls.has_create || !work->b.calls.has_create)
        return NULL;
    TRY(find_option(work, "simulate", a->simulate, b->simulate));
    TRY(find_option(work, "gc-sections", a->gc_sections, b->gc_sections));
    TRY(find_option(work, "phony-externals", a->phony_externals, b->phony_externals));
    TRY(find_option(work, "nodefaultlibs", a->no_default_libraries, b->no_default_libraries));
    TRY(find_option(work, "keep-debug-sections", a->keep_debug_sections, b->keep_debug_sections));
    return find_option(work, "debug", a->debug, b->debug);
}

static void put_call(struct text *text, const struct diff_work *work, const struct side_call *call) {
    switch (call->event) {
    case EVENT_ID_call_add_root:
        text_append(text, "asked for as a root: ");
        break;
    case EVENT_ID_call_add_pass:
        text_append(text, "pass of the embedding program: ");
        break;
    case EVENT_ID_call_register_action:
        text_append(text, "action of the embedding program: ");
        break;
    case EVENT_ID_call_set_resolver:
        text_append(text, call->value ? "a resolver set" : "a resolver taken away");
        break;
    default:
        text_print(text, "archives %s, libraries %s", call->value & 2 ? "taken whole" : "searched",
                   call->value & 1 ? "only as needed" : "in any case");
    }
    put_shared(text, work, call->name);
}

static struct jitscope_error *count_calls(struct diff_work *work, struct counts *counts,
                                          const struct side *side, uint32_t which) {
    for (uint32_t i = 0; i < side->calls.list.count; i++) {
        const struct side_call *call = &side->calls.list.data[i];
        struct text text = {0};
        put_call(&text, work, call);
        uint64_t key = mix_key(mix_key(mix_key(50, call->event), call->name), call->value);
        TRY(count_up(counts, which, key, &text));
    }
    return NULL;
}

struct jitscope_error *diff_options(struct diff_work *work) {
    TRY(diff_create(work));
    if (!work->a.calls.has_create || !work->b.calls.has_create)
        return NULL;
    return find_counts(work, "calls", count_calls);
}
