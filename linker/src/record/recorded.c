#include "record/recorded.h"

#include <inttypes.h>
#include <string.h>

static struct jitscope_error *damaged(const struct event_view *view, const char *what) {
    return error_create(JITSCOPE_ERROR_RECORDING, "event %" PRIu64 ": %s", view->sequence, what);
}

/* --- contents */

static struct jitscope_error *assemble(struct recorded_content *content, struct bytes part) {
    uint8_t *grown = os_reallocate(content->owned, content->bytes.size + part.size + 1);
    if (!grown)
        return error_no_memory();
    if (!content->owned && content->bytes.size)
        memcpy(grown, content->bytes.data, content->bytes.size);
    if (part.size)
        memcpy(grown + content->bytes.size, part.data, part.size);
    content->owned = grown;
    content->bytes = (struct bytes){grown, content->bytes.size + part.size};
    return NULL;
}

/* Numbers are dense and parts follow each other, as the writer gives them. */
static struct jitscope_error *add_content(struct recorded *recorded, const struct event_view *view) {
    const struct event_content event = decode_event(&recorded->decoder, view)->content;
    struct bytes part = event_trailing_bytes(view);
    if (event.content > recorded->contents.count)
        return damaged(view, "content with an impossible number");
    if (event.content == recorded->contents.count)
        TRY(vec_push(&recorded->contents, (struct recorded_content){.size = event.size}));
    struct recorded_content *content = &recorded->contents.data[event.content];
    if (event.offset != content->bytes.size || part.size > content->size - content->bytes.size)
        return damaged(view, "a part of content that does not follow the one before it");
    if (content->bytes.data)
        return assemble(content, part);
    content->bytes = part;
    return NULL;
}

struct jitscope_error *recorded_content(const struct recorded *recorded, uint32_t number,
                                        struct bytes *bytes) {
    if (number >= recorded->contents.count)
        return error_create(JITSCOPE_ERROR_RECORDING, "the recording does not hold content %u", number);
    const struct recorded_content *content = &recorded->contents.data[number];
    if (content->bytes.size != content->size)
        return error_create(JITSCOPE_ERROR_RECORDING, "the recording ends inside content %u", number);
    *bytes = content->bytes;
    return NULL;
}

const struct recorded_half *recorded_failed_half(const struct recorded *recorded, uint32_t ordinal) {
    uint32_t low = 0, high = recorded->failed_halves.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (recorded->failed_halves.data[middle].ordinal < ordinal)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == recorded->failed_halves.count)
        return NULL;
    const struct recorded_half *half = &recorded->failed_halves.data[low];
    return half->ordinal == ordinal ? half : NULL;
}

void recorded_values(const struct recorded *recorded, uint32_t ordinal, uint64_t *values, uint32_t count) {
    uint32_t low = 0, high = recorded->values.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (recorded->values.data[middle].ordinal < ordinal)
            low = middle + 1;
        else
            high = middle;
    }
    for (uint32_t i = 0; i < count; i++, low++)
        values[i] = low < recorded->values.count && recorded->values.data[low].ordinal == ordinal
                        ? recorded->values.data[low].address
                        : 0;
}

bool recorded_file(struct recorded *recorded, const char *path, struct bytes *bytes) {
    struct event_cursor cursor = {.file = recorded->file};
    struct event_view view;
    size_t length = strlen(path);
    while (event_next(&cursor, &view)) {
        if (view.type->id != EVENT_ID_answer_file)
            continue;
        const struct event_answer_file file = decode_event(&recorded->decoder, &view)->answer_file;
        struct recorded_string name = recording_string(recorded->file, file.path.id);
        if (file.outcome != OUTCOME_OK || name.length != length || memcmp(name.bytes, path, length) != 0)
            continue;
        struct jitscope_error *error = recorded_content(recorded, file.content, bytes);
        bool good = !error;
        jitscope_error_destroy(error);
        return good;
    }
    return false;
}

/* --- opening */

static struct jitscope_error *note(struct recorded *recorded, const struct event_view *view) {
    if (view->type->id == EVENT_ID_content)
        return add_content(recorded, view);
    const union any_event *event = decode_event(&recorded->decoder, view);
    switch (view->type->id) {
    case EVENT_ID_session_begin:
        recorded->has_begin = true;
        recorded->begin = event->session_begin;
        return NULL;
    case EVENT_ID_call_create:
        recorded->has_create = true;
        recorded->create = event->call_create;
        return NULL;
    case EVENT_ID_answer_action:
        return vec_push(&recorded->failed_halves,
                        (struct recorded_half){event->answer_action.ordinal, event->answer_action.message});
    case EVENT_ID_answer_ifunc:
        return vec_push(&recorded->values,
                        (struct recorded_value){event->answer_ifunc.ordinal, event->answer_ifunc.address});
    case EVENT_ID_answer_exit:
        if (recorded->exit_ordinal == UINT64_MAX) /* others are of runs that it was called inside of */
            recorded->exit_ordinal = event->answer_exit.ordinal;
        return NULL;
    case EVENT_ID_call_destroy:
    case EVENT_ID_call_exit:
        recorded->has_end = true;
        return NULL;
    case EVENT_ID_lost:
        recorded->has_lost = true;
        return NULL;
    default:
        return NULL;
    }
}

static struct jitscope_error *check_beginning(const struct recorded *recorded) {
    if (recorded->has_begin && recorded->has_create)
        return NULL;
    return error_with_help(
        error_create(JITSCOPE_ERROR_RECORDING, "the recording does not hold what replaying needs"),
        "it was written by a version before replays, or cut off before the first link");
}

/* The options are among the first things that a recording says: without them not all of it is read. */
struct jitscope_error *recorded_read_on(struct recorded *recorded) {
    enum { FIRST_EVENTS = 4096 };
    struct event_view view;
    while (!recorded->has_gap && event_next(&recorded->noted, &view)) {
        recorded->has_gap = view.sequence != recorded->next_sequence++;
        if (recorded->has_gap)
            break;
        recorded->last_sequence = view.sequence;
        TRY(note(recorded, &view));
        if (view.sequence == FIRST_EVENTS)
            TRY(check_beginning(recorded));
    }
    return recording_failure(recorded->file); /* from here on all of it is in memory */
}

static struct jitscope_error *read_all(struct recorded *recorded) {
    recorded->noted.file = recorded->file;
    TRY(recorded_read_on(recorded));
    return check_beginning(recorded);
}

struct jitscope_error *recorded_open(struct recorded *recorded, const struct recording_file *file) {
    *recorded = (struct recorded){.file = file, .exit_ordinal = UINT64_MAX};
    TRY(decoder_create(&recorded->decoder, &file->schema));
    struct jitscope_error *error = read_all(recorded);
    if (error)
        recorded_close(recorded);
    return error;
}

void recorded_close(struct recorded *recorded) {
    for (uint32_t i = 0; i < recorded->contents.count; i++)
        os_release(recorded->contents.data[i].owned);
    vec_destroy(&recorded->contents);
    vec_destroy(&recorded->failed_halves);
    vec_destroy(&recorded->values);
    vec_destroy(&recorded->text_list);
    map64_destroy(&recorded->text_by_name);
    arena_destroy(&recorded->texts);
    decoder_destroy(&recorded->decoder);
}

/* --- reading on */

bool recorded_next(struct recorded *recorded, struct event_cursor *cursor, struct event_view *view) {
    cursor->file = recorded->file;
    while (event_next(cursor, view) && view->sequence <= recorded->last_sequence)
        if (view->type->id != EVENT_ID_string && view->type->id != EVENT_ID_content &&
            view->type->id != EVENT_ID_report && view->type->id != EVENT_ID_run)
            return true;
    return false;
}

static struct jitscope_error *keep_text(struct recorded *recorded, uint32_t id, const char **text) {
    struct recorded_string string = recording_string(recorded->file, id);
    *text = arena_copy(&recorded->texts, string.bytes ? string.bytes : "", string.length);
    if (!*text)
        return error_no_memory();
    TRY(vec_push(&recorded->text_list, *text));
    return map64_set(&recorded->text_by_name, id, recorded->text_list.count - 1);
}

const char *recorded_text(struct recorded *recorded, struct name_ref name) {
    const char *text;
    uint32_t place = map64_find(&recorded->text_by_name, name.id);
    if (place != MAP64_NO_VALUE)
        return recorded->text_list.data[place];
    struct jitscope_error *error = keep_text(recorded, name.id, &text);
    jitscope_error_destroy(error);
    return error ? NULL : text;
}

/* The linker's own; an embedding program can give its errors the same code. */
static bool is_no_memory(const struct event_failure *failure, const char *text) {
    return failure->code == JITSCOPE_ERROR_NO_MEMORY && !strcmp(text, error_text(error_no_memory()));
}

struct jitscope_error *recorded_error(struct recorded *recorded, const struct event_failure *failure) {
    const char *input = recorded_text(recorded, failure->input);
    const char *section = recorded_text(recorded, failure->section);
    const char *symbol = recorded_text(recorded, failure->symbol);
    const char *text = recorded_text(recorded, failure->text);
    const char *help = recorded_text(recorded, failure->help);
    if (!input || !section || !symbol || !text || !help || is_no_memory(failure, text))
        return error_no_memory();
    struct coordinates where = {*input ? input : NULL, *section ? section : NULL, failure->offset,
                                *symbol ? symbol : NULL};
    enum jitscope_error_code code = failure->code ? failure->code : JITSCOPE_ERROR_SYSTEM;
    struct jitscope_error *error = error_at(code, &where, "%s", text);
    return *help ? error_with_help(error, "%s", help) : error;
}
