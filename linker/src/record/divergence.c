/* The story of a divergence: which event, in which pass, about what, and what came before it. */
#include "record/divergence.h"

#include "mirror/why.h"
#include "trace/print.h"

#include <inttypes.h>
#include <string.h>

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

/* Kinds of edges have names in the recording, and in the session's own pool. */
enum { MOST_KINDS = 64 };

static uint32_t recorded_kinds(struct replay *replay, uint32_t *names) {
    struct event_cursor cursor = {.file = replay->recorded.file};
    struct event_view view;
    uint32_t count = 0;
    while (count < MOST_KINDS && recorded_next(&replay->recorded, &cursor, &view)) {
        if (view.type->id == EVENT_ID_call_link)
            break;
        if (view.type->id == EVENT_ID_edge_kind)
            names[count++] = decode_event(&replay->recorded.decoder, &view)->edge_kind.name.id;
    }
    return count;
}

static uint32_t said_kinds(const struct replay *replay, uint32_t *names) {
    const struct arch *arch = &arch_x86_64;
    uint32_t count = arch->kind_count < MOST_KINDS ? arch->kind_count : MOST_KINDS;
    for (uint32_t i = 0; i < count; i++)
        names[i] = string_pool_find(replay->names, arch->kinds[i].name, strlen(arch->kinds[i].name));
    return count;
}

static void tell_said(struct replay *replay, const void *record, uint32_t link) {
    const struct schema *schema = &replay->recorded.decoder.builtin;
    uint32_t header = load_u32(record);
    const struct event_view view = {.type = schema_event(schema, EVENT_HEADER_ID(header)),
                                    .schema = schema,
                                    .record = record,
                                    .link = link,
                                    .size = EVENT_HEADER_SIZE(header)};
    uint32_t kinds[MOST_KINDS];
    const struct name_source names = {.text = said_name,
                                      .context = replay->names,
                                      .edge_kinds = kinds,
                                      .edge_kind_count = said_kinds(replay, kinds)};
    event_print_text(&replay->report, &view, &names);
    text_append(&replay->report, "\n");
}

/* --- what came before */

static void indent(struct text *out, const char *lines) {
    for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
        text_append(out, "  ");
        text_append_bytes(out, lines, (size_t)(end - lines) + 1);
    }
}

static void tell_chain(struct replay *replay, const struct mirror *mirror, const char *question) {
    struct why_answer answer;
    struct text chain = {0};
    struct jitscope_error *error = why_ask(mirror, question, NULL, &answer);
    if (error) { /* nothing is known of it yet */
        jitscope_error_destroy(error);
        return;
    }
    why_print_text(&chain, &answer);
    why_destroy(&answer);
    text_append(&replay->report, "what led there, by the recording:\n");
    indent(&replay->report, chain.data ? chain.data : "");
    text_destroy(&chain);
}

/* Before it has an address a block is known by where it came from. */
static void tell_origin(struct replay *replay, const struct mirror *mirror, const struct mirror_block *block,
                        uint64_t offset) {
    const struct mirror_input *input = mirror_input(mirror, block->event.input);
    text_print(&replay->report, "  about     block %u", block->event.block);
    if (input) {
        struct recorded_string name = recording_string(mirror->file, input->event.name.id);
        text_append(&replay->report, " of ");
        text_append_escaped(&replay->report, name.bytes, name.length);
        text_print(&replay->report, ", section %u", block->event.input_section);
        offset += block->event.input_offset;
    }
    text_print(&replay->report, "+0x%" PRIx64 "\n", offset);
}

static void tell_subject(struct replay *replay, const struct mirror *mirror, const struct subject *subject) {
    const struct mirror_link *link = mirror_link(mirror, subject->link);
    const struct mirror_block *block = link ? mirror_block(link, subject->block) : NULL;
    struct text question = {0};
    struct recorded_string name = recording_string(mirror->file, subject->symbol.id);
    if (block)
        tell_origin(replay, mirror, block, subject->offset);
    if (name.length) {
        text_append(&replay->report, "  symbol    ");
        text_append_escaped(&replay->report, name.bytes, name.length);
        text_append(&replay->report, "\n");
    }
    if (block && block->segment != NO_ID && subject->offset < block->event.size)
        text_print(&question, "0x%" PRIx64, block->address + subject->offset);
    else
        text_append_bytes(&question, name.bytes, name.length);
    if (question.length)
        tell_chain(replay, mirror, question.data);
    text_destroy(&question);
}

/* What it is about, as the events before it say. */
static void tell_story(struct replay *replay, const struct event_view *expected, const void *record) {
    struct mirror *mirror = os_allocate_zeroed(sizeof *mirror);
    struct jitscope_error *error = !mirror ? error_no_memory()
                                   : expected->sequence
                                       ? mirror_load(mirror, replay->recorded.file, expected->sequence - 1)
                                       : error_no_memory();
    if (!error) {
        struct subject subject = subject_of(replay, mirror, expected, record);
        note_bytes(replay, mirror, &subject, expected, record);
        tell_subject(replay, mirror, &subject);
        mirror_destroy(mirror);
    }
    jitscope_error_destroy(error);
    os_release(mirror);
}

void replay_diverge(struct replay *replay, const struct event_view *expected, const void *record,
                    const char *what) {
    uint32_t kinds[MOST_KINDS];
    const struct name_source names = {.text = recorded_name,
                                      .context = replay->recorded.file,
                                      .edge_kinds = kinds,
                                      .edge_kind_count = recorded_kinds(replay, kinds)};
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
    tell_story(replay, expected, record);
}
