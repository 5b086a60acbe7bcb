#define _GNU_SOURCE
#include "record/redact.h"

#include "record/recorded.h"
#include "record/redact_contents.h"

#include <ctype.h>
#include <inttypes.h>

/* Contents are inputs when they are read from a file or added from memory; others are bytes of the program.
 */
enum { NO_INPUT, OUR_INPUT, SYSTEM_INPUT };

struct content_copy {
    uint8_t *bytes; /* NULL: not touched */
    uint64_t size;
    uint8_t role;
};

/* A recorded string, by what uses it; the lowest kind wins where there are several. */
enum {
    STRING_SYMBOL,
    STRING_MISSING,
    STRING_PATH,
    STRING_LIBRARY,
    STRING_SECTION,
    STRING_MESSAGE,
    STRING_KINDS
};
static const enum redact_kind kinds[STRING_KINDS] = {
    [STRING_SYMBOL] = KIND_SYMBOL,   [STRING_MISSING] = KIND_MISSING, [STRING_PATH] = KIND_PATH,
    [STRING_LIBRARY] = KIND_LIBRARY, [STRING_SECTION] = KIND_SECTION, [STRING_MESSAGE] = KIND_MESSAGE,
};

struct used_string {
    uint32_t id;
    uint32_t text;
    uint8_t kind;
};

struct redaction {
    struct redact_words words;
    struct recorded recorded;
    VEC(struct content_copy) contents;
    struct map64 strings; /* id -> place in USED */
    VEC(struct used_string) used;
};

/* --- what uses which string */

static struct jitscope_error *use(struct redaction *redaction, struct name_ref name, uint8_t kind) {
    uint32_t place = map64_find(&redaction->strings, name.id);
    if (place != MAP64_NO_VALUE) {
        struct used_string *string = &redaction->used.data[place];
        string->kind = kind < string->kind ? kind : string->kind;
        return NULL;
    }
    TRY(map64_set(&redaction->strings, name.id, redaction->used.count));
    return vec_push(&redaction->used, (struct used_string){name.id, NO_WORD, kind});
}

static struct jitscope_error *use_failure(struct redaction *redaction, const struct event_failure *failure) {
    TRY(use(redaction, failure->input, STRING_MISSING));
    TRY(use(redaction, failure->section, STRING_SECTION));
    TRY(use(redaction, failure->symbol, STRING_SYMBOL));
    TRY(use(redaction, failure->text, STRING_MESSAGE));
    return use(redaction, failure->help, STRING_MESSAGE);
}

static void set_role(struct redaction *redaction, uint32_t content, uint8_t role) {
    if (content < redaction->contents.count && redaction->contents.data[content].role < role)
        redaction->contents.data[content].role = role;
}

/* libm.so, and with it libm.a, which may have been looked for before. */
static struct jitscope_error *keep_file(struct redaction *redaction, const char *name, size_t length) {
    bool so = length > 3 && !memcmp(name + length - 3, ".so", 3),
         a = length > 2 && !memcmp(name + length - 2, ".a", 2);
    struct text other = {0};
    TRY(redact_keep(&redaction->words, CLASS_PATH, name, length, LEFT_SYSTEM_PATHS));
    if (!so && !a)
        return NULL;
    text_print(&other, "%.*s%s", (int)(length - (so ? 3 : 2)), name, so ? ".a" : ".so");
    struct jitscope_error *error = other.failed ? error_no_memory()
                                                : redact_keep(&redaction->words, CLASS_PATH, other.data,
                                                              other.length, LEFT_SYSTEM_PATHS);
    text_destroy(&other);
    return error;
}

/* Files of the system: neither their names nor what is in them is anybody's secret. */
static struct jitscope_error *note_file(struct redaction *redaction, const struct event_answer_file *file) {
    struct recorded_string path = recording_string(redaction->recorded.file, file->path.id);
    TRY(use(redaction, file->path, file->outcome == OUTCOME_OK ? STRING_PATH : STRING_MISSING));
    if (file->outcome != OUTCOME_OK)
        return NULL;
    bool system = redact_is_system_path(path.bytes, path.length);
    set_role(redaction, file->content, system ? SYSTEM_INPUT : OUR_INPUT);
    const char *slash = memrchr(path.bytes, '/', path.length);
    if (!system || !slash)
        return NULL;
    slash++;
    return keep_file(redaction, slash, path.length - (size_t)(slash - path.bytes));
}

/* Symbols that the system's libraries have answered for. */
static struct jitscope_error *note_symbol(struct redaction *redaction,
                                          const struct event_answer_symbol *symbol) {
    struct recorded_string name = recording_string(redaction->recorded.file, symbol->name.id);
    TRY(use(redaction, symbol->name, STRING_SYMBOL));
    if (symbol->provider != PROVIDER_SHARED || !symbol->address)
        return NULL;
    return redact_keep(&redaction->words, CLASS_NAME, name.bytes, name.length, LEFT_PROVIDED);
}

static struct jitscope_error *note_event(struct redaction *redaction, const struct event_view *view) {
    const union any_event *event = decode_event(&redaction->recorded.decoder, view);
    switch (event ? view->type->id : 0) {
    case EVENT_ID_call_add_file:
        return use(redaction, event->call_add_file.path, STRING_PATH);
    case EVENT_ID_call_add_memory:
        set_role(redaction, event->call_add_memory.content, OUR_INPUT);
        return use(redaction, event->call_add_memory.name, STRING_PATH);
    case EVENT_ID_call_add_library:
        return use(redaction, event->call_add_library.name, STRING_LIBRARY);
    case EVENT_ID_call_add_library_path:
        return use(redaction, event->call_add_library_path.path, STRING_PATH);
    case EVENT_ID_call_define:
        return use(redaction, event->call_define.name, STRING_SYMBOL);
    case EVENT_ID_call_add_root:
        return use(redaction, event->call_add_root.name, STRING_SYMBOL);
    case EVENT_ID_failure:
        return use_failure(redaction, &event->failure);
    case EVENT_ID_answer_file:
        return note_file(redaction, &event->answer_file);
    case EVENT_ID_answer_library:
        return use(redaction, event->answer_library.path, STRING_PATH);
    case EVENT_ID_answer_preloaded:
        return use(redaction, event->answer_preloaded.path, STRING_PATH);
    case EVENT_ID_answer_symbol:
        return note_symbol(redaction, &event->answer_symbol);
    case EVENT_ID_answer_action:
        return use(redaction, event->answer_action.message, STRING_MESSAGE);
    case EVENT_ID_call_add_pass:
    case EVENT_ID_call_register_action:
        redaction->words.left[LEFT_PUBLIC]++;
        return NULL;
    case EVENT_ID_edit_section:
        return use(redaction, event->edit_section.name, STRING_SECTION);
    case EVENT_ID_edit_symbol:
        return use(redaction, event->edit_symbol.name, STRING_SYMBOL);
    default:
        return NULL;
    }
}

static struct jitscope_error *note_events(struct redaction *redaction) {
    struct event_cursor cursor = {.file = redaction->recorded.file};
    struct event_view view;
    uint32_t count = redaction->recorded.contents.count;
    TRY(vec_reserve(&redaction->contents, count));
    for (uint32_t i = 0; i < count; i++)
        vec_put(&redaction->contents, (struct content_copy){.role = NO_INPUT});
    while (event_next(&cursor, &view))
        if (view.type->id != EVENT_ID_content && view.type->id != EVENT_ID_string)
            TRY(note_event(redaction, &view));
    return NULL;
}

/* --- what stays */

/* -lm is libm.so of the system. */
static struct jitscope_error *keep_library(struct redaction *redaction, struct recorded_string name) {
    static const char *const endings[] = {".so", ".a"};
    bool kept = false, failed = false;
    for (size_t i = 0; i < 2; i++) {
        struct text file = {0};
        text_print(&file, "lib%.*s%s", (int)name.length, name.bytes, endings[i]);
        kept |= file.data && redact_kept(&redaction->words, CLASS_PATH, file.data, file.length) != NOT_LEFT;
        failed |= file.failed;
        text_destroy(&file);
    }
    if (failed)
        return error_no_memory();
    return kept ? redact_keep(&redaction->words, CLASS_PATH, name.bytes, name.length, LEFT_SYSTEM_PATHS)
                : NULL;
}

static struct jitscope_error *keep_all(struct redaction *redaction) {
    for (uint32_t i = 0; i < redaction->contents.count; i++) {
        const struct recorded_content *content = &redaction->recorded.contents.data[i];
        uint8_t role = redaction->contents.data[i].role;
        if (role != NO_INPUT)
            TRY(redact_keep_content(&redaction->words, content->bytes, role == SYSTEM_INPUT));
    }
    for (uint32_t i = 0; i < redaction->used.count; i++)
        if (redaction->used.data[i].kind == STRING_LIBRARY)
            TRY(keep_library(redaction,
                             recording_string(redaction->recorded.file, redaction->used.data[i].id)));
    return NULL;
}

/* --- what is replaced */

static struct jitscope_error *copy_content(struct redaction *redaction, uint32_t number) {
    struct content_copy *copy = &redaction->contents.data[number];
    struct bytes bytes = redaction->recorded.contents.data[number].bytes;
    if (bytes.size != redaction->recorded.contents.data[number].size)
        return NULL; /* cut off: nobody can read it */
    copy->bytes = os_allocate(bytes.size);
    copy->size = bytes.size;
    if (!copy->bytes)
        return error_no_memory();
    if (bytes.size)
        memcpy(copy->bytes, bytes.data, bytes.size);
    return redact_content(&redaction->words, copy->bytes, bytes.size);
}

/* Messages quote what stands elsewhere: they come last. */
static struct jitscope_error *find_texts(struct redaction *redaction) {
    for (uint32_t i = 0; i < redaction->contents.count; i++)
        if (redaction->contents.data[i].role == OUR_INPUT)
            TRY(copy_content(redaction, i));
    for (uint8_t kind = 0; kind < STRING_KINDS; kind++)
        for (uint32_t i = 0; i < redaction->used.count; i++) {
            struct used_string *used = &redaction->used.data[i];
            struct recorded_string string = recording_string(redaction->recorded.file, used->id);
            if (used->kind == kind && string.length)
                TRY(redact_text(&redaction->words, kinds[kind], string.bytes, string.length, &used->text));
        }
    return NULL;
}

/* --- the recording with other names */

static void patch_string(const struct redaction *redaction, const struct event_view *view, uint8_t *at) {
    uint32_t id = (uint32_t)event_field(view, 0), place = map64_find(&redaction->strings, id);
    uint32_t text = place == MAP64_NO_VALUE ? NO_WORD : redaction->used.data[place].text;
    if (text != NO_WORD && redaction->words.text_list.data[text].length == event_trailing_bytes(view).size)
        redact_render(&redaction->words, text, at);
}

static void patch_content(struct redaction *redaction, const struct event_view *view, uint8_t *at) {
    const struct event_content part = decode_event(&redaction->recorded.decoder, view)->content;
    const struct content_copy *copy = &redaction->contents.data[part.content];
    if (copy->bytes)
        memcpy(at, copy->bytes + part.offset, event_trailing_bytes(view).size);
}

static void patch_events(struct redaction *redaction, uint8_t *image) {
    const struct recording_file *file = redaction->recorded.file;
    struct event_cursor cursor = {.file = file};
    struct event_view view;
    while (event_next(&cursor, &view)) {
        struct bytes bytes = event_trailing_bytes(&view);
        if (!bytes.size)
            continue;
        if (view.type->id == EVENT_ID_string)
            patch_string(redaction, &view, image + (bytes.data - file->bytes.data));
        else if (view.type->id == EVENT_ID_content)
            patch_content(redaction, &view, image + (bytes.data - file->bytes.data));
    }
}

static void renew_digests(uint8_t *image, uint64_t size) {
    struct recording_header header;
    struct chunk_header chunk;
    memcpy(&header, image, sizeof header);
    for (uint64_t at = header.first_chunk; at < size && size - at >= sizeof chunk; at += header.chunk_size) {
        memcpy(&chunk, image + at, sizeof chunk);
        if (chunk.sealed)
            chunk.digest = recording_chunk_digest(chunk, image + at + sizeof chunk);
        memcpy(image + at, &chunk, sizeof chunk);
        if (size - at <= header.chunk_size)
            break;
    }
}

/* --- what is said of it */

/* Words of four letters or more that stand by themselves: shorter ones are everywhere by chance. */
static void count_places(struct redaction *redaction, const struct content_copy *copy) {
    struct redact_words *words = &redaction->words;
    uint64_t begin = 0;
    for (uint64_t at = 0; at <= copy->size; at++) {
        if (at < copy->size && (isalnum(copy->bytes[at]) || copy->bytes[at] == '_'))
            continue;
        for (int class = CLASS_PATH; class <= CLASS_NAME && at - begin >= 4; class ++) {
            uint32_t word = redact_find_word(words, (enum redact_class) class,
                                             (const char *)copy->bytes + begin, at - begin);
            if (word != NO_WORD && words->word_list.data[word].left == NOT_LEFT) {
                words->left[LEFT_PLACES]++;
                break;
            }
        }
        begin = at + 1;
    }
}

static void tell(struct redaction *redaction, const struct redact_options *options, struct text *about) {
    static const char *const texts[LEFT_COUNT] = {
#define LEFT(name, text) [LEFT_##name] = text,
#include "record/redact_kinds.def"
#undef LEFT
    };
    uint64_t replaced[2] = {0};
    /* The copies have served: what was decided about in them is no place that was overlooked. */
    for (uint32_t i = 0; i < redaction->words.spots.count; i++)
        memset(redaction->words.spots.data[i].at, 0,
               redaction->words.text_list.data[redaction->words.spots.data[i].text].length);
    for (uint32_t i = 0; i < redaction->contents.count; i++)
        if (redaction->contents.data[i].bytes)
            count_places(redaction, &redaction->contents.data[i]);
    for (uint32_t i = 0; i < redaction->words.word_list.count; i++)
        replaced[redaction->words.word_list.data[i].class] +=
            redaction->words.word_list.data[i].left == NOT_LEFT;
    struct recorded_string version =
        recording_string(redaction->recorded.file, redaction->recorded.begin.version.id);
    text_print(about, "%-16sjitscope ", "first link by");
    text_append_escaped(about, version.bytes, version.length);
    text_print(about, "\n%-16s%s%s%s\n", "redacted", options->paths ? "paths" : "",
               options->paths && options->names ? ", " : "", options->names ? "names" : "");
    text_print(about,
               "%12" PRIu64 "  words of paths, %" PRIu64 " of names, replaced by others of their length\n",
               replaced[CLASS_PATH], replaced[CLASS_NAME]);
    text_print(about, "%-16sbytes of the program: its code, its data, the strings in them\n", "not redacted");
    for (int i = 0; i < LEFT_COUNT; i++)
        if (redaction->words.left[i])
            text_print(about, "%12" PRIu64 "  %s\n", redaction->words.left[i], texts[i]);
}

/* --- all of it */

static struct jitscope_error *redact(struct redaction *redaction, const struct redact_options *options,
                                     struct text *image, struct text *about) {
    const struct recording_file *file = redaction->recorded.file;
    TRY(note_events(redaction));
    TRY(keep_all(redaction));
    TRY(find_texts(redaction));
    TRY(redact_settle(&redaction->words));
    redact_apply(&redaction->words);
    text_append_bytes(image, (const char *)file->bytes.data, file->bytes.size);
    if (image->failed)
        return error_no_memory();
    patch_events(redaction, (uint8_t *)image->data);
    renew_digests((uint8_t *)image->data, image->length);
    tell(redaction, options, about);
    return about->failed ? error_no_memory() : NULL;
}

struct jitscope_error *redact_recording(const struct recording_file *file,
                                        const struct redact_options *options, struct text *image,
                                        struct text *about) {
    struct redaction redaction = {0};
    TRY(redact_words_create(&redaction.words, options->paths, options->names));
    struct jitscope_error *error = recorded_open(&redaction.recorded, file);
    if (!error) {
        error = redact(&redaction, options, image, about);
        recorded_close(&redaction.recorded);
    }
    for (uint32_t i = 0; i < redaction.contents.count; i++)
        os_release(redaction.contents.data[i].bytes);
    vec_destroy(&redaction.contents);
    vec_destroy(&redaction.used);
    map64_destroy(&redaction.strings);
    redact_words_destroy(&redaction.words);
    return error;
}
