/* jitscope through its public API.  Modes: "" (nothing is traced), "no-debug" (nor kept for debuggers),
 * "default" and "edges" (events of that level go to a recording in memory), "file" (events of the default
 * level go to a file). */
#include "contestant.h"

#include <jitscope/jitscope.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static bool is_mode(const struct bench_job *job, const char *mode) {
    return !strcmp(job->mode, mode);
}

static bool choose_options(const struct bench_job *job, struct jitscope_session_options *options, char *path,
                           size_t size) {
    options->level = is_mode(job, "edges")                             ? JITSCOPE_LEVEL_EDGES
                     : is_mode(job, "default") || is_mode(job, "file") ? JITSCOPE_LEVEL_BLOCK
                                                                       : JITSCOPE_LEVEL_OFF;
    options->debug = is_mode(job, "no-debug") ? JITSCOPE_DEBUG_OFF : JITSCOPE_DEBUG_AUTO;
    if (options->level == JITSCOPE_LEVEL_OFF)
        return is_mode(job, "") || is_mode(job, "no-debug");
    if (is_mode(job, "file"))
        snprintf(path, size, "%s/bench.jsr", job->folder);
    else
        snprintf(path, size, "/proc/self/fd/%d", memfd_create("bench", 0));
    options->record_path = path;
    return true;
}

static struct jitscope_error *link_all(struct jitscope_session *session, const struct bench_input *input,
                                       uint64_t *address) {
    struct jitscope_error *error = NULL;
    for (size_t i = 0; i < input->count && !error; i++)
        error = jitscope_session_add_borrowed(session, input->objects[i].name, input->objects[i].data,
                                              input->objects[i].size);
    for (const char *const *library = input->libraries; *library && !error; library++) {
        char name[256];
        snprintf(name, sizeof name, ":%s", *library);
        error = jitscope_session_add_library(session, name);
    }
    if (!error)
        error = jitscope_session_add_library(session, "m");
    if (!error)
        error = jitscope_session_link(session, NULL);
    return error ? error : jitscope_session_lookup(session, input->entry, address);
}

const char *bench_link(const struct bench_job *job, uint64_t *address) {
    char path[4096];
    struct jitscope_session_options options = {.size = sizeof options};
    struct jitscope_session *session;
    if (!choose_options(job, &options, path, sizeof path))
        return "there is no such mode";
    struct jitscope_error *error = jitscope_session_create(&options, &session);
    if (!error)
        error = link_all(session, job->input, address);
    if (error)
        return jitscope_error_message(error);
    return jitscope_session_recording_failure(session);
}
