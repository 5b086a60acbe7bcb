/* Libraries by name: the search path as gcc and ld have it on Debian, and what gcc adds behind every link. */
#include "session/session_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const system_paths[] = {"/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib",
                                           "/lib"};
static const char gcc_root[] = "/usr/lib/gcc/x86_64-linux-gnu";

/* Adds FOLDER/FILE when it exists. */
static struct jitscope_error *try_file(struct jitscope_session *session, const char *folder,
                                       const char *prefix, const char *name, const char *suffix,
                                       bool *found) {
    uint32_t path;
    TRY(session_intern_format(session, &path, "%s/%s%s%s", folder, prefix, name, suffix));
    struct bytes bytes;
    uint8_t ownership;
    struct jitscope_error *error =
        session_read_file(session, session_text(session, path), &bytes, &ownership);
    if (jitscope_error_code(error) == JITSCOPE_ERROR_NOT_FOUND) {
        jitscope_error_destroy(error);
        return NULL;
    }
    TRY(error);
    *found = true;
    return session_add_bytes(session, bytes, ownership, session_text(session, path));
}

static struct jitscope_error *try_folder(struct jitscope_session *session, const char *folder,
                                         const char *name, bool *found) {
    if (name[0] == ':')
        return try_file(session, folder, "", name + 1, "", found);
    TRY(try_file(session, folder, "lib", name, ".so", found));
    return *found ? NULL : try_file(session, folder, "lib", name, ".a", found);
}

static void note_version(void *context, const char *name) {
    long *newest = context, version = strtol(name, NULL, 10);
    *newest = version > *newest ? version : *newest;
}

struct jitscope_error *world_newest_compiler(void *unused, uint32_t *version) {
    long newest = 0;
    (void)unused;
    if (os_each_entry(gcc_root, note_version, &newest) && errno != ENOENT)
        return error_system("cannot list", gcc_root);
    *version = newest > 0 && newest < INT32_MAX ? (uint32_t)newest : 0;
    return NULL;
}

/* Looks for the newest gcc installed, once: libgcc.a and libstdc++.so are in its folder. */
static struct jitscope_error *find_gcc_folder(struct jitscope_session *session) {
    uint32_t newest = 0;
    if (session->gcc_is_known)
        return NULL;
    session->gcc_folder = NO_NAME;
    struct jitscope_error *error = session->world.newest_compiler(session->world.context, &newest);
    trace_failure(&session->trace, &session->names, error);
    TRACE_ANSWER(&session->trace, answer_compiler, .outcome = outcome_of(error), .version = newest);
    TRY(error);
    if (newest)
        TRY(session_intern_format(session, &session->gcc_folder, "%s/%u", gcc_root, newest));
    session->gcc_is_known = true;
    return NULL;
}

struct jitscope_error *session_find_library(struct jitscope_session *session, const char *name) {
    bool found = false;
    for (uint32_t i = 0; i < session->library_paths.count && !found; i++)
        TRY(try_folder(session, session_text(session, session->library_paths.data[i]), name, &found));
    if (!found)
        TRY(find_gcc_folder(session));
    if (!found && session->gcc_folder != NO_NAME)
        TRY(try_folder(session, session_text(session, session->gcc_folder), name, &found));
    for (size_t i = 0; i < sizeof system_paths / sizeof *system_paths && !found; i++)
        TRY(try_folder(session, system_paths[i], name, &found));
    if (found)
        return NULL;
    bool exact = name[0] == ':';
    return error_with_help(
        error_create(JITSCOPE_ERROR_NOT_FOUND, "cannot find -l%s: no %s%s%s in the search path", name,
                     exact ? "" : "lib", exact ? name + 1 : name, exact ? "" : ".so and no such .a"),
        "install the -dev package, or name its folder with -L");
}

/* Without compiler and libc6-dev installed there is still the C library itself. */
static struct jitscope_error *add_c_library(struct jitscope_session *session) {
    struct jitscope_error *error = session_find_library(session, "c");
    if (jitscope_error_code(error) != JITSCOPE_ERROR_NOT_FOUND)
        return error;
    jitscope_error_destroy(error);
    return session_find_library(session, ":libc.so.6");
}

static struct jitscope_error *add_optional(struct jitscope_session *session, const char *name) {
    struct jitscope_error *error = session_find_library(session, name);
    if (jitscope_error_code(error) != JITSCOPE_ERROR_NOT_FOUND)
        return error;
    jitscope_error_destroy(error);
    return NULL;
}

/* The C library comes first, since most links want nothing that it does not have. */
static struct jitscope_error *add_default(struct jitscope_session *session, uint32_t number) {
    return number == 0   ? add_c_library(session)
           : number == 1 ? add_optional(session, "gcc")
                         : add_optional(session, ":libgcc_s.so.1");
}

bool session_has_more_libraries(const struct jitscope_session *session) {
    return !session->no_default_libraries && session->defaults_added < DEFAULT_LIBRARIES;
}

struct jitscope_error *session_add_default_library(struct jitscope_session *session) {
    bool as_needed = session->as_needed, whole = session->whole_archive;
    uint32_t rank = session->next_rank, number = session->defaults_added;
    session->as_needed = true;
    session->whole_archive = false;
    session->next_rank = DEFAULT_LIBRARY_RANK + number * DEFAULT_LIBRARY_STRIDE;
    struct jitscope_error *error = add_default(session, number);
    session->next_rank = rank;
    session->as_needed = as_needed;
    session->whole_archive = whole;
    session->defaults_added += !error;
    return error;
}

struct jitscope_error *jitscope_session_add_library(struct jitscope_session *session, const char *name) {
    TRY(session_enter(session));
    TRACE_ANSWER(&session->trace, call_add_library,
                 .name = trace_text(&session->trace, &session->names, name));
    return session_leave(session, session_find_library(session, name));
}

struct jitscope_error *jitscope_session_add_library_path(struct jitscope_session *session,
                                                         const char *directory) {
    uint32_t name;
    TRY(session_enter(session));
    struct jitscope_error *error = session_intern(session, directory, &name);
    if (!error) {
        TRACE_ANSWER(&session->trace, call_add_library_path,
                     .path = trace_text(&session->trace, &session->names, directory));
        error = vec_push(&session->library_paths, name);
    }
    return session_leave(session, error);
}
