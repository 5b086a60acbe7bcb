#include "mirror/why.h"

#include "base/spelling.h"
#include "mirror/why_query.h"

#include <string.h>

/* --- names that are near */

static void consider(const struct why_query *query, uint32_t id, const char *name, size_t length,
                     unsigned *least, uint32_t *best) {
    struct recorded_string text = text_of(query, id);
    size_t apart = text.length < length ? length - text.length : text.length - length;
    if (!text.length || apart > *least)
        return;
    unsigned steps = spelling_distance(name, length, text.bytes, text.length);
    if (steps > *least || (steps == *least && *best != NO_ID))
        return;
    *best = id;
    *least = steps;
}

/* Among names of symbols, of discarded things and of inputs. */
static uint32_t nearest_name(const struct why_query *query, const char *name, size_t length) {
    const struct mirror *mirror = query->mirror;
    uint32_t best = NO_ID;
    unsigned least = spelling_tolerance(length);
    EACH_LINK_LATEST_FIRST(link) {
        for (uint32_t i = 0; i < link->symbols.count; i++)
            if (link->symbols.data[i].known)
                consider(query, link->symbols.data[i].name, name, length, &least, &best);
        for (uint32_t i = 0; i < link->sections.count; i++)
            if (link->sections.data[i].known)
                consider(query, link->sections.data[i].event.name.id, name, length, &least, &best);
    }
    for (uint32_t i = 0; i < mirror->inputs.count; i++) {
        const struct mirror_input *input = mirror_input(mirror, i);
        if (input)
            consider(query, input->event.name.id, name, length, &least, &best);
    }
    return best;
}

struct jitscope_error *unknown_name(const struct why_query *query, const char *name, size_t length) {
    struct text text = {0};
    text_append_escaped(&text, name, length);
    struct jitscope_error *error = error_create(
        JITSCOPE_ERROR_NOT_FOUND, "nothing in the recording is called '%s'", text.data ? text.data : "");
    uint32_t near = nearest_name(query, name, length);
    text_clear(&text);
    if (near != NO_ID)
        put_name(&text, query, near);
    if (!query->mirror->counts[EVENT_ID_symbol])
        error = error_with_help(error, "the recording tells of no symbols; one made with --trace=block does");
    else if (near != NO_ID)
        error = error_with_help(error, "did you mean %s?", text.data ? text.data : "");
    else
        error = error_with_help(error, "`jitscope show symbols` lists the names");
    text_destroy(&text);
    return error;
}

/* --- the question */

static unsigned digit_of(char byte) {
    char lower = (char)(byte | 0x20);
    if (byte >= '0' && byte <= '9')
        return (unsigned)(byte - '0');
    return lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a' + 10) : 99;
}

/* "0x1f" or "31", the whole text. */
static bool parse_address(const char *text, uint64_t *address) {
    unsigned base = text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10;
    const char *at = base == 16 ? text + 2 : text;
    *address = 0;
    if (!*at)
        return false;
    for (; *at; at++)
        if (digit_of(*at) >= base || __builtin_mul_overflow(*address, base, address) ||
            __builtin_add_overflow(*address, digit_of(*at), address))
            return false;
    return true;
}

/* SYMBOL+OFFSET, when no symbol is called that. */
static struct jitscope_error *ask_behind_symbol(struct why_query *query, const char *name) {
    const char *plus = strrchr(name, '+');
    uint64_t offset, address;
    if (!plus || plus == name || !parse_address(plus + 1, &offset))
        return NULL;
    struct name_span span = span_of_name(query, name, (size_t)(plus - name));
    EACH_LINK_WITHIN(link, span)
    for (uint32_t i = 0; i < link->symbols.count; i++) {
        const struct mirror_symbol *symbol = &link->symbols.data[i];
        if (symbol->known && text_is(query, symbol->name, name, (size_t)(plus - name)) &&
            mirror_symbol_address(link, symbol, &address))
            return ask_address(query, address + offset);
    }
    return NULL;
}

static struct jitscope_error *ask_name(struct why_query *query, const char *name) {
    size_t length = strlen(name);
    TRY(ask_symbol(query, name, length));
    if (!query->chains)
        TRY(ask_behind_symbol(query, name));
    if (!query->chains)
        TRY(ask_discard(query, name, length));
    return NULL;
}

static struct jitscope_error *ask(struct why_query *query, const char *question) {
    static const struct {
        const char *prefix;
        int table; /* negative: discards */
    } prefixes[] = {{"got:", TABLE_GOT}, {"plt:", TABLE_PLT}, {"tls:", TABLE_TLS}, {"discard:", -1}};
    uint64_t address;
    if (parse_address(question, &address))
        return ask_address(query, address);
    const char *name = question;
    struct jitscope_error *error = NULL;
    bool asked = false;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes && !asked; i++) {
        size_t length = strlen(prefixes[i].prefix);
        if (strncmp(question, prefixes[i].prefix, length) != 0)
            continue;
        name = question + length;
        asked = true;
        error = prefixes[i].table < 0 ? ask_discard(query, name, strlen(name))
                                      : ask_table(query, (uint32_t)prefixes[i].table, name, strlen(name));
    }
    if (!asked)
        error = ask_name(query, name);
    return error || query->chains ? error : unknown_name(query, name, strlen(name));
}

/* --- the whole */

/* Edge kinds name themselves before the first link. */
static struct jitscope_error *read_edge_kinds(struct why_query *query) {
    struct event_cursor cursor = {.file = query->mirror->file};
    struct event_view view;
    while (event_next(&cursor, &view) && view.link == 0) {
        const union any_event *event =
            view.type->id == EVENT_ID_edge_kind ? decode_event(&query->decoder, &view) : NULL;
        if (!event || event->edge_kind.kind >= 256)
            continue;
        while (query->kinds.count <= event->edge_kind.kind)
            TRY(vec_push(&query->kinds, (struct why_edge_kind){0}));
        uint32_t width = event->edge_kind.width <= 8 ? (uint32_t)event->edge_kind.width : 8;
        query->kinds.data[event->edge_kind.kind] =
            (struct why_edge_kind){event->edge_kind.name.id, event->edge_kind.formula.id, width};
    }
    return NULL;
}

static struct jitscope_error *answer_question(struct why_query *query) {
    TRY(read_edge_kinds(query));
    TRY(ask(query, query->question));
    TRY(collect_events(query));
    return finish_answer(query);
}

static void destroy_query(struct why_query *query) {
    forget_links(query);
    event_window_destroy(&query->window);
    vec_destroy(&query->wants);
    vec_destroy(&query->kinds);
    map64_destroy(&query->by_key);
    decoder_destroy(&query->decoder);
    os_release(query);
}

struct jitscope_error *why_ask(const struct mirror *mirror, const char *question,
                               const struct why_archives *archives, struct why_answer *answer) {
    struct why_query *query = os_allocate_zeroed(sizeof *query);
    *answer = (struct why_answer){.mirror = mirror};
    if (!query)
        return error_no_memory();
    query->mirror = mirror;
    query->answer = answer;
    query->question = question;
    query->archives = archives;
    struct jitscope_error *error = decoder_create(&query->decoder, &mirror->file->schema);
    if (error) {
        os_release(query);
        return error;
    }
    error = note_links(query);
    if (!error)
        error = answer_question(query);
    if (!error)
        error = mirror_failure(mirror);
    destroy_query(query);
    if (error)
        why_destroy(answer);
    return error;
}

void why_destroy(struct why_answer *answer) {
    vec_destroy(&answer->steps);
    arena_destroy(&answer->arena);
}
