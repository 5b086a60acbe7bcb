/* What the world outside said, said again: files, the compiler's folder, libraries, symbols, actions. */
#include "record/replay_state.h"

#include "executor/debug_image.h"

#include <string.h>

/* A question is answered before the next call, or not at all. */
static bool is_boundary(uint32_t id) {
    return replay_is_call(id) || id == EVENT_ID_link_end;
}

bool replay_find(struct replay *replay, uint32_t id, struct answer *answer) {
    struct event_cursor at = replay->cursor;
    bool after_failure = false, first = true; /* a call may tell of itself behind its question */
    if (replay->diverged || replay->ended)
        return false;
    while (replay_next(replay, &at, &answer->view)) {
        uint32_t seen = answer->view.type->id;
        if (seen == id) {
            answer->failed = after_failure;
            answer->behind = at;
            return true;
        }
        if (seen == EVENT_ID_call_exit || (is_boundary(seen) && !first))
            return false;
        first = false;
        after_failure = seen == EVENT_ID_failure;
        if (after_failure)
            answer->failure = decode_event(&replay->recorded.decoder, &answer->view)->failure;
    }
    return false;
}

struct jitscope_error *replay_failure(struct replay *replay, const struct answer *answer) {
    return recorded_error(&replay->recorded, &answer->failure);
}

const char *replay_exit_here(struct replay *replay) {
    replay->exited = true;
    session_exit(replay->session);
    replay->ended = true;
    return "exit(3) was called here";
}

/* Instead of an answer the embedding program may have called exit. */
struct jitscope_error *replay_no_answer(struct replay *replay, const char *question) {
    struct event_view view;
    if (!replay->diverged && !replay->ended) {
        bool more = replay_peek(replay, &view);
        if (more && view.type->id == EVENT_ID_call_exit && replay->session && !replay->exited)
            replay_exit_here(replay);
        else if (more)
            replay_diverge(replay, &view, NULL, question);
        else
            replay->ended = true;
    }
    return error_create(JITSCOPE_ERROR_RECORDING, "the recording does not say %s", question);
}

static struct jitscope_error *read_file(void *context, const char *path, struct bytes *bytes,
                                        uint8_t *ownership) {
    struct replay *replay = context;
    struct answer answer;
    (void)path; /* the comparison sees to it that it is the same */
    if (!replay_find(replay, EVENT_ID_answer_file, &answer))
        return replay_no_answer(replay, "what the file holds");
    const struct event_answer_file file = decode_event(&replay->recorded.decoder, &answer.view)->answer_file;
    if (file.outcome != OUTCOME_OK)
        return replay_failure(replay, &answer);
    *ownership = BORROWED;
    return recorded_content(&replay->recorded, file.content, bytes);
}

static struct jitscope_error *newest_compiler(void *context, uint32_t *version) {
    struct replay *replay = context;
    struct answer answer;
    if (!replay_find(replay, EVENT_ID_answer_compiler, &answer))
        return replay_no_answer(replay, "which compilers there were");
    const struct event_answer_compiler compiler =
        decode_event(&replay->recorded.decoder, &answer.view)->answer_compiler;
    *version = compiler.version;
    return compiler.outcome == OUTCOME_OK ? NULL : replay_failure(replay, &answer);
}

static struct jitscope_error *open_library(void *context, const char *path) {
    struct replay *replay = context;
    struct answer answer;
    (void)path;
    if (!replay_find(replay, EVENT_ID_answer_library, &answer))
        return replay_no_answer(replay, "whether the library could be opened");
    uint32_t outcome = decode_event(&replay->recorded.decoder, &answer.view)->answer_library.outcome;
    return outcome == OUTCOME_OK ? NULL : replay_failure(replay, &answer);
}

/* Without one, there was none; also where the recording ends before this call did, which goes on. */
static struct jitscope_error *preloaded(void *context, struct preloaded *list) {
    struct replay *replay = context;
    bool ended = replay->ended;
    struct event_cursor before = replay->cursor;
    struct answer answer;
    while (replay_find(replay, EVENT_ID_answer_preloaded, &answer)) {
        if (answer.failed)
            return replay_failure(replay, &answer);
        const struct event_answer_preloaded library =
            decode_event(&replay->recorded.decoder, &answer.view)->answer_preloaded;
        const char *path = recorded_text(&replay->recorded, library.path);
        TRY(path ? preloaded_add(list, path) : error_no_memory());
        replay->cursor = answer.behind;
    }
    replay->cursor = before;
    replay->ended = ended;
    return NULL;
}

static bool says(const struct replay *replay, struct name_ref name, const char *text) {
    struct recorded_string string = recording_string(replay->recorded.file, name.id);
    return string.length == strlen(text) && !memcmp(string.bytes, text, string.length);
}

/* The next answer for a symbol, if one comes before anything else than what follows from the one before. */
static bool next_symbol(struct replay *replay, struct event_cursor *at, struct event_answer_symbol *symbol) {
    struct event_view view;
    while (replay_next(replay, at, &view)) {
        if (view.type->id == EVENT_ID_answer_symbol) {
            *symbol = decode_event(&replay->recorded.decoder, &view)->answer_symbol;
            return true;
        }
        if (view.type->id != EVENT_ID_symbol_resolved)
            return false;
    }
    return false;
}

/* The executor had no answer, perhaps. */
static struct jitscope_error *no_symbol(struct replay *replay) {
    struct answer answer;
    if (!replay->diverged && !replay->ended && replay_find(replay, EVENT_ID_answer_library, &answer) &&
        decode_event(&replay->recorded.decoder, &answer.view)->answer_library.outcome != OUTCOME_OK)
        return replay_failure(replay, &answer);
    return replay_no_answer(replay, "where the libraries' symbols were");
}

static struct jitscope_error *lookup(void *context, const char *const *names, size_t count,
                                     uint64_t *addresses) {
    struct replay *replay = context;
    struct event_cursor at = replay->cursor;
    struct event_answer_symbol symbol;
    for (size_t i = 0; i < count; i++) {
        if (replay->diverged || replay->ended || !next_symbol(replay, &at, &symbol) ||
            !says(replay, symbol.name, names[i]))
            return no_symbol(replay);
        addresses[i] = symbol.address;
    }
    return NULL;
}

static struct jitscope_error *open_tls(void *context, const struct tls_request *request,
                                       struct tls_answer *answers) {
    struct replay *replay = context;
    struct answer answer;
    struct event_view view;
    if (!replay_find(replay, EVENT_ID_answer_tls, &answer))
        return replay_no_answer(replay, "where the batch's thread-local storage was");
    const struct event_answer_tls tls = decode_event(&replay->recorded.decoder, &answer.view)->answer_tls;
    if (tls.outcome != OUTCOME_OK)
        return replay_failure(replay, &answer);
    for (uint32_t i = 0; i < request->wish_count; i++) {
        if (i >= tls.words || !replay_next(replay, &answer.behind, &view) ||
            view.type->id != EVENT_ID_answer_tls_word)
            return replay_no_answer(replay, "what the loader said of the batch's thread-local storage");
        const struct event_answer_tls_word word =
            decode_event(&replay->recorded.decoder, &view)->answer_tls_word;
        answers[i] = (struct tls_answer){{word.low, word.high}};
    }
    return NULL;
}

struct jitscope_error *replay_resolve(void *context, const char *const *names, size_t count,
                                      uint64_t *addresses, bool *found) {
    struct replay *replay = context;
    struct answer answer;
    struct event_answer_symbol symbol;
    if (!replay_find(replay, EVENT_ID_answer_resolver, &answer))
        return replay_no_answer(replay, "what the embedding program answered");
    if (decode_event(&replay->recorded.decoder, &answer.view)->answer_resolver.outcome != OUTCOME_OK)
        return replay_failure(replay, &answer);
    bool more = next_symbol(replay, &answer.behind, &symbol);
    for (size_t i = 0; i < count && more && symbol.provider == PROVIDER_RESOLVER; i++) {
        if (!says(replay, symbol.name, names[i]))
            continue;
        found[i] = true;
        addresses[i] = symbol.address;
        more = next_symbol(replay, &answer.behind, &symbol);
    }
    return NULL;
}

/* --- actions */

/* Debug images stay where their sections can be asked for, as memory does. */
static const char *keep_image(struct replay *replay, const struct action_call *call) {
    struct kept_image image = {.size = call->size};
    struct debug_image_header header;
    if (!replay->options.keep_memory || strcmp(call->function, bridge_action_REGISTER_DEBUG_IMAGE) != 0 ||
        call->size < sizeof header)
        return NULL;
    memcpy(&header, call->arguments, sizeof header);
    image.link = header.link;
    image.bytes = arena_allocate(&replay->arena, call->size);
    if (!image.bytes)
        return "out of memory";
    memcpy(image.bytes, call->arguments, call->size);
    struct jitscope_error *error = vec_push(&replay->images, image);
    jitscope_error_destroy(error);
    return error ? "out of memory" : NULL;
}

bool replay_debug_image(const struct replay *replay, uint32_t link, struct bytes *image) {
    for (uint32_t i = 0; i < replay->images.count; i++)
        if (replay->images.data[i].link == link) {
            *image = (struct bytes){replay->images.data[i].bytes, replay->images.data[i].size};
            return true;
        }
    return false;
}

void replay_lazy_calls(struct replay *replay) {
    struct event_view view;
    while (!replay->diverged && !replay->ended && replay->session && replay_peek(replay, &view) &&
           view.type->id == EVENT_ID_call_lazy) {
        const union any_event *event = decode_event(&replay->recorded.decoder, &view);
        uint64_t before = replay->compared;
        if (event->call_lazy.ordinal != replay->halves)
            return;
        jitscope_error_destroy(replay_call(replay, &view));
        if (replay->compared == before)
            return;
    }
}

static const char *run(void *context, const struct action_call *call) {
    struct replay *replay = context;
    struct recorded *recorded = &replay->recorded;
    replay_lazy_calls(replay);
    uint32_t ordinal = replay->halves++;
    if (ordinal == recorded->exit_ordinal && !replay->exited && replay->session) {
        replay->halves--; /* it never came to an end */
        return replay_exit_here(replay);
    }
    const struct recorded_half *half = recorded_failed_half(recorded, ordinal);
    if (!half)
        return keep_image(replay, call);
    const char *text = recorded_text(recorded, half->message);
    return text ? text : "out of memory";
}

static void values(void *context, const struct action_call *call, uint64_t *values, uint32_t count) {
    struct replay *replay = context;
    recorded_values(&replay->recorded, replay->halves - 1, values, count);
    for (uint32_t i = 0; i < count; i++)
        replay_write_slot(replay, load_u64(call->arguments + 16 + 16 * (size_t)i), values[i]);
}

static struct jitscope_error *lazy_resolver(void *context, uint64_t *address) {
    struct replay *replay = context;
    struct answer answer;
    if (!replay_find(replay, EVENT_ID_answer_lazy_resolver, &answer))
        return replay_no_answer(replay, "where slots of functions that wait led");
    *address = decode_event(&replay->recorded.decoder, &answer.view)->answer_lazy_resolver.address;
    return NULL;
}

static void store_slot(void *context, uint64_t slot, uint64_t function) {
    replay_write_slot(context, slot, function);
}

/* The `registration` events that come next name them. */
static uint32_t registrars(void *context, const char *names[EXECUTOR_UNWINDERS]) {
    struct replay *replay = context;
    struct event_cursor at = replay->cursor;
    struct event_view view;
    uint32_t count = 0;
    while (!replay->diverged && count < EXECUTOR_UNWINDERS && recorded_next(&replay->recorded, &at, &view) &&
           view.type->id == EVENT_ID_registration) {
        struct name_ref with = decode_event(&replay->recorded.decoder, &view)->registration.with;
        const char *text = recorded_text(&replay->recorded, with);
        if (text)
            names[count++] = text;
    }
    return count;
}

void replay_give_world(struct replay *replay, struct session_replay *setting) {
    setting->world = (struct session_world){replay, read_file, newest_compiler};
    setting->executor = (struct executor_answers){.context = replay,
                                                  .run = run,
                                                  .values = values,
                                                  .open_library = open_library,
                                                  .preloaded = preloaded,
                                                  .lookup = lookup,
                                                  .open_tls = open_tls,
                                                  .lazy_resolver = lazy_resolver,
                                                  .store_slot = store_slot,
                                                  .registrars = registrars};
}
