#define _GNU_SOURCE
/* jitscope run: the program is linked here, and runs in a process of its own, for which this one stands in
 * (stand_in.h); or in this one.
 *
 * When it is done this process ends through exit(3), as when main returns to the C library: functions that
 * the program gave to atexit still run, and its code must still be there.  So the session is never destroyed
 * here; it runs the program's finalisers and closes the recording's last chunk from its own exit function. */
#include "commands.h"
#include "executor_choice.h"
#include "job.h"
#include "stand_in.h"

#include "base/os.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

/* What the program gets as argv; lives as long as the process. */
static struct jitscope_error *build_arguments(const struct options *options, struct job_settings *settings) {
    const struct words *words = &options->words;
    const char *name = job_first_input(options);
    uint32_t count = words->list.count - options->first_program;
    char **argv = os_allocate((count + 2) * sizeof *argv);
    if (!argv)
        return error_no_memory();
    argv[0] = (char *)(uintptr_t)(name ? name : "");
    for (uint32_t i = 0; i < count; i++)
        argv[1 + i] = (char *)(uintptr_t)words->list.data[options->first_program + i].text;
    argv[1 + count] = NULL;
    settings->argc = (int)count + 1;
    settings->argv = argv;
    settings->envp = environ;
    return NULL;
}

/* error(3), err(3) and perror-like functions of the program name it, not jitscope. */
static void take_name(char *name) {
    char *slash = strrchr(name, '/');
    program_invocation_name = name;
    program_invocation_short_name = slash ? slash + 1 : name;
}

static void stand_in(const struct job *job) {
    int process = jitscope_session_executor_process(job->session);
    if (process &&
        executor_is_elsewhere(job->options)) /* else signals end this process, and so the program */
        stand_in_for(process, executor_is_child(job->options) || executor_started_this(job->options));
}

/* The program ran in another process, and that is no more. */
static void end_as_program(const struct job *job, struct jitscope_error *error) {
    enum { SIGNAL_STATUS = 128 };
    int status;
    switch (jitscope_session_executor_state(job->session, &status)) {
    case JITSCOPE_EXECUTOR_LEFT:
        os_exit_child(status); /* by _exit(2): its finalisers have not run, and are told of nowhere */
    case JITSCOPE_EXECUTOR_KILLED:
        jitscope_error_destroy(error);
        stand_in_end(status);
    case JITSCOPE_EXECUTOR_LOST:
        if (!executor_started_this(job->options))
            break;
        jitscope_error_destroy(error); /* who has started the executor sees how it ended */
        stand_in_is_over();
        exit(SIGNAL_STATUS);
    default:
        break;
    }
}

/* Comes back only with an error. */
static struct jitscope_error *run(const struct job *job, const struct job_settings *settings) {
    uint64_t entry;
    int status;
    TRY(job_entry(job, &entry));
    if (executor_is_child(job->options))
        stand_in_leave_descriptors();
    take_name(settings->argv[0]);
    struct jitscope_error *error = jitscope_session_run_main(job->session, entry, &status);
    end_as_program(job, error);
    TRY(error);
    stand_in_is_over();
    exit(status);
}

static struct job job; /* outlives command_run() when the program calls exit */
static int process;

/* The file may have been lost while the program ran.  A child of fork() has nothing to do with it. */
static void warn_at_exit(void) {
    if (process != os_process_id())
        return;
    job_warn_of_loss(&job);
    stand_in_at_exit();
}

struct jitscope_error *command_run(const struct options *options) {
    struct job_settings settings = {
        .runs = true, .need_entry = true, .created = stand_in, .replaced = stand_in_no_more};
    process = os_process_id();
    if (os_at_exit(warn_at_exit) < 0) /* before the session's: comes after it */
        return error_no_memory();
    TRY(build_arguments(options, &settings));
    struct jitscope_error *error = job_create(options, &settings, &job);
    if (!error)
        error = run(&job, &settings);
    else if (job.session)
        end_as_program(&job, error);
    job_destroy(&job);
    os_release(settings.argv);
    return error;
}
