/* What the executor's process was started with before all others: LD_PRELOAD, /etc/ld.so.preload.
 *
 * A program that ld has linked does not know them: which archive members it has, and which names it wants of
 * libraries at all, was decided without.  But when it runs, the loader looks for each of those names in the
 * program, then in preloaded libraries, then in those that it needs.  So it is here: a name that some library
 * of the link defines, or that only weak references have, is a preloaded library's if that one defines it.
 *
 * Versions are held against each other as the loader does: the reference has that of the library it was
 * linked with, and a definition without any will do.  Libraries of the process refer to each other by the
 * loader alone. */
#include "session/session_state.h"

#include <string.h>

/* --- taking them in */

static void note(struct jitscope_session *session, const char *path) {
    TRACE_ANSWER(&session->trace, answer_preloaded,
                 .path = trace_text(&session->trace, &session->names, path));
}

/* Another process has named it: an object or an archive would become part of the program by that. */
static struct jitscope_error *add(struct jitscope_session *session, const char *path) {
    struct bytes bytes;
    uint8_t ownership;
    note(session, path);
    TRY(session_read_file(session, path, &bytes, &ownership));
    if (session_is_library(bytes))
        return session_add_bytes(session, bytes, ownership, path);
    struct coordinates where = {.input = path, .offset = NO_OFFSET};
    session_release_bytes(bytes, ownership);
    return error_at(JITSCOPE_ERROR_FORMAT, &where, "it is no shared library here");
}

/* As an input that is needed when something is found in it. */
static struct jitscope_error *add_all(struct jitscope_session *session, const struct preloaded *list) {
    bool as_needed = session->as_needed, whole = session->whole_archive;
    uint32_t rank = session->next_rank;
    struct jitscope_error *error = NULL;
    session->as_needed = true;
    session->whole_archive = false;
    for (uint32_t i = 0; i < list->paths.count && !error; i++) {
        session->next_rank = PRELOADED_RANK + i;
        error = add(session, list->paths.data[i]);
    }
    session->next_rank = rank;
    session->as_needed = as_needed;
    session->whole_archive = whole;
    return error;
}

/* Those of a link that failed are taken in again by the next. */
static void forget_all(struct jitscope_session *session) {
    while (session->shared.count && is_preloaded(&session->shared.data[session->shared.count - 1]))
        session->shared.count--;
}

/* Why it is not known is an answer, too. */
static struct jitscope_error *ask(struct jitscope_session *session, struct preloaded *list) {
    struct jitscope_error *error = executor_preloaded(session->executor, list);
    trace_failure(&session->trace, &session->names, error);
    if (error)
        note(session, NULL);
    return error;
}

struct jitscope_error *session_add_preloaded(struct jitscope_session *session) {
    struct preloaded list = {0};
    if (!session->executor || session->preloaded_is_known)
        return NULL;
    struct jitscope_error *error = ask(session, &list);
    if (!error)
        error = add_all(session, &list);
    preloaded_destroy(&list);
    session->preloaded_is_known = !error;
    if (!error)
        return NULL;
    forget_all(session);
    return error_with_help(error,
                           "the process that code is to run in was started with it (LD_PRELOAD, "
                           "/etc/ld.so.preload), and it is asked before other libraries: have the same "
                           "file here, or start the process without it");
}

/* --- asking them */

static int64_t find_preloaded(const struct jitscope_session *session, const char *name, const char *version,
                              struct elf_shared_symbol *found) {
    for (uint32_t i = 0; i < session->shared.count; i++)
        if (is_preloaded(&session->shared.data[i]) &&
            elf_shared_interposes(&session->shared.data[i].library, name, version, found))
            return i;
    return -1;
}

/* The version that a reference to NAME gets when it is linked with PROVIDER, -1 for none. */
static const char *version_of(const struct jitscope_session *session, const char *name, int64_t provider,
                              const struct elf_shared_symbol *found) {
    const char *at = strchr(name, '@');
    if (at)
        return at + strspn(at, "@");
    return provider < 0 ? NULL : elf_shared_version_at(&session->shared.data[provider].library, found->index);
}

/* By its name alone a library gives what is not hidden. */
static struct jitscope_error *name_of(struct jitscope_session *session, uint32_t name, int64_t provider,
                                      const struct elf_shared_symbol *found, uint32_t *asked) {
    const struct elf_shared *library = &session->shared.data[provider].library;
    const char *text = session_text(session, name);
    int length = (int)strcspn(text, "@");
    return found->hidden ? session_intern_format(session, asked, "%.*s@%s", length, text,
                                                 elf_shared_version_at(library, found->index))
                         : session_intern_format(session, asked, "%.*s", length, text);
}

/* A weak reference that no library answers is left to the loader in position-independent code only. */
struct jitscope_error *session_find_at_run_time(struct jitscope_session *session, const struct graph *graph,
                                                const struct symbol *symbol, int64_t *provider,
                                                struct elf_shared_symbol *found, uint32_t *asked) {
    struct elf_shared_symbol first;
    const char *name = session_text(session, symbol->name);
    *asked = symbol->name;
    *provider = session_find_shared(session, symbol->name, PRELOADED_RANK, found);
    if (*provider < 0 && (symbol->linkage != LINKAGE_WEAK || graph->wants_low_memory))
        return NULL;
    int64_t index = find_preloaded(session, name, version_of(session, name, *provider, found), &first);
    if (index < 0)
        return NULL;
    *provider = index;
    *found = first;
    return name_of(session, symbol->name, index, found, asked);
}
