#include "job.h"

#include "base/os.h"
#include "check_link.h"
#include "executor_choice.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_BASE = 0x10000000 };

void warn(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("jitscope: warning: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
}

/* --- what was asked for --- */

const char *job_first_input(const struct options *options) {
    for (uint32_t i = 0; i < options->items.count; i++)
        if (options->items.data[i].kind == ITEM_INPUT || options->items.data[i].kind == ITEM_LIBRARY)
            return options->items.data[i].text;
    return NULL;
}

const char *job_entry_name(const struct options *options) {
    return options->entry ? options->entry : "main";
}

static bool has_checks(const struct options *options) {
    for (uint32_t i = 0; i < options->items.count; i++)
        if (options->items.data[i].kind == ITEM_CHECK)
            return true;
    return false;
}

static bool level_holds_symbols(const struct options *options) {
    return !options->level || options->level == JITSCOPE_LEVEL_BLOCK ||
           options->level == JITSCOPE_LEVEL_EDGES;
}

static struct jitscope_error *validate(const struct options *options) {
    if (!job_first_input(options))
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "there is no input"),
                               "name an object, an archive or -l NAME");
    TRY(executor_choice_check(options));
    if (has_checks(options) && !level_holds_symbols(options))
        return error_create(JITSCOPE_ERROR_USAGE, "--check needs what --trace=block or --trace=edges tells");
    if (options->lazy && (options->bound_at_once || options->no_undefined))
        return error_with_help(
            error_create(JITSCOPE_ERROR_USAGE, "--lazy and -z now, relro or defs exclude each other"),
            "what waits is looked for, and its slot written, when it is called: leave one of them out");
    if (options->phony_externals && options->no_undefined)
        return error_create(JITSCOPE_ERROR_USAGE, "--phony-externals and --no-undefined exclude each other");
    if (options->level && options->level != JITSCOPE_LEVEL_OFF && !options->record && !has_checks(options) &&
        !options->inspectable)
        warn("--trace without --record: nothing keeps the events");
    return NULL;
}

/* --- session --- */

/* Checks read the mirror of a recording; without --record that one lies in memory. */
static struct jitscope_error *choose_recording(struct job *job) {
    job->record_path = job->options->record;
    if (job->record_path || !has_checks(job->options))
        return NULL;
    if (job->memory_file < 0)
        job->memory_file = os_memory_file("jitscope");
    if (job->memory_file < 0)
        return error_system("memfd_create", NULL);
    snprintf(job->memory_path, sizeof job->memory_path, "/proc/self/fd/%d", job->memory_file);
    job->record_path = job->memory_path;
    return NULL;
}

/* In place of the present session, if there is one, which could not link what the next one can. */
static struct jitscope_error *create_session(struct job *job, const struct job_settings *settings) {
    const struct options *options = job->options;
    struct jitscope_session_options wanted = {
        .size = sizeof wanted,
        .simulate = settings->simulate,
        .base = !settings->simulate   ? 0
                : options->base.given ? options->base.value
                                      : DEFAULT_BASE,
        .record_path = job->record_path,
        .level = options->level,
        .debug = options->debug,
        .inspectable = options->inspectable,
        .gc_sections = options->gc_sections,
        .phony_externals = options->phony_externals,
        .no_default_libraries = options->no_default_libraries,
    };
    TRY(choose_recording(job));
    wanted.record_path = job->record_path;
    if (settings->runs && executor_is_elsewhere(options))
        TRY(executor_choice_connect(options, job->is_made_for ? job->session : NULL, &wanted.executor));
    jitscope_session_destroy(job->session);
    job->session = NULL;
    return jitscope_session_create(&wanted, &job->session);
}

static void observe(void *context, const struct jitscope_event *event) {
    struct job *job = context;
    if (!strcmp(jitscope_event_name(event), "warning") && ++job->warnings > job->warnings_said)
        warn("%s", jitscope_event_field_text(event, jitscope_event_find_field(event, "text")));
    if (job->options->progress)
        progress_add(&job->progress, event);
    if (job->count)
        statistics_add(&job->statistics, event);
}

/* Counting wants blocks' events, progress only those of passes; warnings come in any case. */
static struct jitscope_error *start_observing(struct job *job, const struct job_settings *settings) {
    job->count = settings->count || job->options->stats;
    job->progress.terminal = isatty(STDERR_FILENO) == 1;
    return jitscope_session_set_event_callback(job->session,
                                               job->count               ? JITSCOPE_LEVEL_BLOCK
                                               : job->options->progress ? JITSCOPE_LEVEL_PHASE
                                                                        : JITSCOPE_LEVEL_SESSION,
                                               observe, job);
}

static struct jitscope_error *stop_observing(struct job *job) {
    progress_end(&job->progress);
    return jitscope_session_set_event_callback(job->session, 0, NULL, NULL);
}

/* --- inputs --- */

static struct jitscope_error *add_item(struct jitscope_session *session, const struct item *item) {
    switch (item->kind) {
    case ITEM_INPUT:
        return jitscope_session_add_file(session, item->text);
    case ITEM_LIBRARY:
        return jitscope_session_add_library(session, item->text);
    case ITEM_WHOLE_ARCHIVE:
    case ITEM_NO_WHOLE_ARCHIVE:
        return jitscope_session_set_whole_archive(session, item->kind == ITEM_WHOLE_ARCHIVE);
    case ITEM_AS_NEEDED:
    case ITEM_NO_AS_NEEDED:
        return jitscope_session_set_as_needed(session, item->kind == ITEM_AS_NEEDED);
    case ITEM_DEFINE:
        return jitscope_session_define(session, item->text, item->address);
    case ITEM_ROOT:
        return jitscope_session_add_root(session, item->text);
    default: /* ITEM_LIBRARY_PATH came first, ITEM_CHECK comes last */
        return NULL;
    }
}

/* As in ld, all -L count for all -l. */
static struct jitscope_error *add_items(struct job *job, const struct job_settings *settings) {
    const struct options *options = job->options;
    for (uint32_t i = 0; i < options->items.count; i++)
        if (options->items.data[i].kind == ITEM_LIBRARY_PATH)
            TRY(jitscope_session_add_library_path(job->session, options->items.data[i].text));
    for (uint32_t i = 0; i < options->items.count; i++)
        TRY(add_item(job->session, &options->items.data[i]));
    if (settings->need_entry || options->entry)
        TRY(jitscope_session_add_root(job->session, job_entry_name(options)));
    return NULL;
}

/* Nothing is to be said, or to be checked, before the program runs. */
static bool may_begin_at_once(const struct options *options) {
    return !options->stats && !options->progress && !options->export_dynamic && !has_checks(options);
}

static struct jitscope_error *link_items(struct job *job, const struct job_settings *settings) {
    if (settings->argv)
        TRY(jitscope_session_set_arguments(job->session, settings->argc, settings->argv, settings->envp));
    if (job->options->lazy && !job->at_once)
        TRY(jitscope_session_set_lazy(job->session, true));
    if (job->options->executable_stack)
        TRY(jitscope_session_allow_executable_stack(job->session));
    TRY(add_items(job, settings));
    if (settings->runs && may_begin_at_once(job->options))
        TRY(jitscope_session_set_entry(job->session, job_entry_name(job->options)));
    TRY(jitscope_session_link(job->session, &job->link));
    return job->options->export_dynamic ? jitscope_session_export(job->session, job->link) : NULL;
}

/* --- all of it --- */

static void print_statistics(const struct job *job) {
    struct text out = {0};
    statistics_print(&job->statistics, &out);
    uint64_t messages = jitscope_session_executor_messages(job->session);
    if (messages)
        text_print(&out, "executor  %llu messages so far\n", (unsigned long long)messages);
    fputs(out.data ? out.data : "", stderr);
    text_destroy(&out);
}

static struct jitscope_error *run_checks(struct job *job) {
    for (uint32_t i = 0; i < job->options->items.count; i++)
        if (job->options->items.data[i].kind == ITEM_CHECK)
            TRY(check_link(job->session, job->record_path, job->options->items.data[i].text));
    return NULL;
}

void job_warn_of_loss(struct job *job) {
    const char *failure = job->session ? jitscope_session_recording_failure(job->session) : NULL;
    if (!failure || !job->options->record || job->warned)
        return;
    job->warned = true;
    if (!strncmp(failure, job->options->record, strlen(job->options->record))) /* it was never begun */
        warn("%s", failure);
    else
        warn("%s: the recording is cut off: %s", job->options->record, failure);
}

static void warn_of_no_inspection(const struct job *job) {
    const char *failure = jitscope_session_inspection_failure(job->session);
    if (failure && job->options->inspectable)
        warn("the program cannot be inspected: %s", failure);
}

static struct jitscope_error *link_in_session(struct job *job, const struct job_settings *settings) {
    TRY(create_session(job, settings));
    if (settings->created)
        settings->created(job);
    warn_of_no_inspection(job);
    TRY(start_observing(job, settings));
    struct jitscope_error *error = link_items(job, settings);
    jitscope_error_destroy(stop_observing(job));
    return error;
}

/* Another session begins as if it were the first. */
static struct jitscope_error *link_again(struct job *job, const struct job_settings *settings) {
    statistics_destroy(&job->statistics);
    job->statistics = (struct statistics){0};
    job->warnings_said = job->warnings;
    job->warnings = 0;
    if (settings->replaced)
        settings->replaced();
    return link_in_session(job, settings);
}

static bool wants_copies(const struct job *job) {
    return job->session && jitscope_session_wants_copies(job->session);
}

/* What the link wanted of the process it cannot get any more: it is linked in one that is made for it.  What
 * waits in a lazy link does not tell what it wants before it is called, and copies are made before anything
 * runs: so all is linked at once first, for the list of what is wanted, which comes before anything runs. */
static struct jitscope_error *link_with_copies(struct job *job, const struct job_settings *settings) {
    if (job->options->lazy) {
        job->at_once = true;
        struct jitscope_error *error = link_again(job, settings);
        job->at_once = false;
        if (!error)
            warn(
                "--lazy has no effect: linked at once, the program wants no copies of the data of libraries");
        if (!wants_copies(job))
            return error;
        jitscope_error_destroy(error);
    }
    job->is_made_for = true;
    return link_again(job, settings);
}

struct jitscope_error *job_create(const struct options *options, const struct job_settings *settings,
                                  struct job *job) {
    *job = (struct job){.options = options, .memory_file = -1};
    TRY(validate(options));
    struct jitscope_error *error = link_in_session(job, settings);
    bool may_start_another = !executor_started_this(options); /* or it is not the process that was wanted */
    if (error && may_start_another && wants_copies(job)) {
        jitscope_error_destroy(error);
        error = link_with_copies(job, settings);
    }
    job_warn_of_loss(job);
    TRY(error);
    if (options->stats)
        print_statistics(job);
    return run_checks(job);
}

void job_destroy(struct job *job) {
    job_warn_of_loss(job);
    jitscope_session_destroy(job->session);
    job->session = NULL;
    statistics_destroy(&job->statistics);
    if (job->memory_file >= 0)
        os_close(job->memory_file);
}

struct jitscope_error *job_entry(const struct job *job, uint64_t *address) {
    const char *name = job_entry_name(job->options);
    struct jitscope_error *error = jitscope_link_lookup(job->session, job->link, name, address);
    if (jitscope_error_code(error) != JITSCOPE_ERROR_NOT_FOUND)
        return error;
    jitscope_error_destroy(error);
    error = error_create(JITSCOPE_ERROR_NOT_FOUND, "no input defines the entry point '%s'", name);
    return error_with_help(error, "add the input that defines it, or name another symbol with --entry");
}
