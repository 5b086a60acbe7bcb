/* A session: one namespace, one memory manager, one trace, one executor. */
#include "session/session_state.h"

#include "executor/executor_remote.h"
#include "pass/executable_stack.h"

#include "memory/managers.h"
#include "session/pass_watch.h"
#include "session/session_replay.h"
#include "session/session_restore.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LIBRARY_DISTANCE = 0x40000000, SIMULATED_PAGE = 4096 };

/* --- calls and names
 * ------------------------------------------------------------------------------------------------ */

struct jitscope_error *session_enter(struct jitscope_session *session) {
    session_lock(session);
    if (session->depth == 1)
        return NULL;
    session_unlock(session);
    return error_with_help(
        error_create(JITSCOPE_ERROR_USAGE, "the session is changed from inside one of its own calls"),
        "callbacks, initialisers and finalisers can look up and read; do the rest when the call has "
        "returned");
}

void session_tell_loss(struct jitscope_session *session, const char *reason) {
    TRACE_ANSWER(&session->trace, executor_lost,
                 .reason = trace_text(&session->trace, &session->names, reason));
}

/* Behind the call in which it was found out, so that a replay has it as a call of its own. */
void session_note_loss(struct jitscope_session *session) {
    char reason[EXECUTOR_REASON];
    if (session->executor && executor_is_remote(session->executor) &&
        executor_take_loss(session->executor, reason))
        session_tell_loss(session, reason);
}

struct jitscope_error *session_note_failure(struct jitscope_session *session, struct jitscope_error *error) {
    if (error)
        TRACE_ANSWER(&session->trace, call_failed,
                     .error = trace_text(&session->trace, &session->names, jitscope_error_message(error)));
    session_note_loss(session);
    return error;
}

struct jitscope_error *session_leave(struct jitscope_session *session, struct jitscope_error *error) {
    session_note_failure(session, error);
    session_unlock(session);
    return error;
}

struct jitscope_error *session_intern(struct jitscope_session *session, const char *text, uint32_t *name) {
    return string_pool_intern(&session->names, text, strlen(text), name);
}

struct jitscope_error *session_intern_format(struct jitscope_session *session, uint32_t *name,
                                             const char *format, ...) {
    char small[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length < 0)
        return error_create(JITSCOPE_ERROR_FORMAT, "a name that cannot be formatted");
    if ((size_t)length < sizeof small)
        return string_pool_intern(&session->names, small, (size_t)length, name);
    char *large = os_allocate((size_t)length + 1);
    if (!large)
        return error_no_memory();
    va_start(arguments, format);
    vsnprintf(large, (size_t)length + 1, format, arguments);
    va_end(arguments);
    struct jitscope_error *error = string_pool_intern(&session->names, large, (size_t)length, name);
    os_release(large);
    return error;
}

/* --- creation
 * ------------------------------------------------------------------------------------------------------ */

/* The options as this library knows them, whatever size the caller's struct has. */
static struct jitscope_session_options known_options(const struct jitscope_session_options *given) {
    struct jitscope_session_options options = {0};
    if (given)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    if (!options.level)
        options.level = JITSCOPE_LEVEL_BLOCK;
    return options;
}

static struct jitscope_error *check_options(const struct jitscope_session_options *options) {
    if (options->phony_externals && !options->simulate)
        return error_create(JITSCOPE_ERROR_USAGE,
                            "phony externals need a simulated session: nothing can run");
    if (options->base && !options->simulate)
        return error_create(JITSCOPE_ERROR_USAGE, "a base address needs a simulated session");
    if (options->memory && options->simulate)
        return error_create(JITSCOPE_ERROR_USAGE,
                            "a memory manager of one's own and simulated memory exclude each other");
    if (options->memory && is_own_manager(options->memory->name))
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE,
                                            "a memory manager called '%s', as one of jitscope's own is",
                                            options->memory->name),
                               "give it a name of its own");
    if (options->executor && (options->simulate || options->memory))
        return error_create(JITSCOPE_ERROR_USAGE,
                            "memory of another process excludes simulated memory and a manager of one's own");
    if (options->debug < JITSCOPE_DEBUG_AUTO || options->debug > JITSCOPE_DEBUG_OFF)
        return error_create(JITSCOPE_ERROR_USAGE, "there is no debug policy %d", (int)options->debug);
    if (options->base % SIMULATED_PAGE)
        return error_create(JITSCOPE_ERROR_USAGE,
                            "the base address 0x%llx is no multiple of the page size, %d",
                            (unsigned long long)options->base, SIMULATED_PAGE);
    if (options->level > JITSCOPE_LEVEL_EDGES && options->level != JITSCOPE_LEVEL_OFF)
        return error_create(JITSCOPE_ERROR_USAGE, "there is no level %d", (int)options->level);
    return NULL;
}

static enum event_level level_of(enum jitscope_level level) {
    return level == JITSCOPE_LEVEL_OFF ? LEVEL_OFF : (enum event_level)level;
}

static struct jitscope_error *create_memory(struct jitscope_session *session,
                                            const struct jitscope_session_options *options,
                                            const struct session_replay *replay) {
    const struct jitscope_memory_ops *ops = replay ? replay->memory : options->memory;
    void *context = replay ? replay->memory_context : options->memory_context;
    bool remote = session->executor && executor_is_remote(session->executor);
    uint64_t page = replay              ? replay->page_size
                    : session->simulate ? SIMULATED_PAGE
                    : remote            ? executor_page_size(session->executor)
                                        : os_page_size();
    if (replay) {
        /* the places are known */
    } else if (session->simulate) {
        ops = &memory_simulated_ops;
        TRY(memory_simulated_create(session->base, page, &context));
    } else if (remote) {
        ops = &memory_executor_ops;
        TRY(memory_executor_create(session->executor, &session->trace, &context));
    } else if (!ops) {
        ops = &memory_in_process_ops;
        TRY(memory_in_process_create(executor_near_address(), &session->trace, &context));
    } else {
        executor_tell_at_once(session->executor); /* it sees where code lies */
    }
    memory_create(&session->memory, ops, context, session->executor, &session->trace, page);
    session->memory.before_abandon = session_end_nested;
    session->memory.abandon_context = session;
    if (session->executor)
        executor_set_code_hooks(session->executor,
                                (struct executor_code_hooks){session_open, session_shut, session});
    return NULL;
}

/* Whoever reads the stream later knows neither this library nor its target. */
struct jitscope_error *session_announce_itself(struct jitscope_session *session) {
    const struct arch *arch = &arch_x86_64;
    uint32_t version, target, manager, name, formula;
    TRY(session_intern(session, JITSCOPE_VERSION, &version));
    TRY(session_intern(session, "x86_64-elf", &target));
    TRY(session_intern(session, session->memory.ops->name, &manager));
    struct trace *trace = &session->trace;
    bool remote = session->executor && executor_is_remote(session->executor);
    uint32_t process = remote ? executor_process(session->executor) : (uint32_t)session->process;
    TRACE(trace, session_begin, .version = trace_name(trace, version), .target = trace_name(trace, target),
          .memory_manager = trace_name(trace, manager), .page_size = session->memory.page_size,
          .process = process);
    TRACE_ANSWER(trace, call_create, .simulate = session->simulate, .base = session->base,
                 .keep_debug_sections = session->keep_debug_sections, .gc_sections = session->gc_sections,
                 .phony_externals = session->phony_externals,
                 .no_default_libraries = session->no_default_libraries, .debug = session->debug,
                 .level = trace->record_level);
    for (uint32_t kind = 0; kind < arch->kind_count && trace_wants(trace, LEVEL_SESSION); kind++) {
        TRY(session_intern(session, arch->kinds[kind].name, &name));
        TRY(session_intern(session, arch->kinds[kind].formula, &formula));
        TRACE(trace, edge_kind, .kind = kind, .name = trace_name(trace, name),
              .formula = trace_name(trace, formula), .width = arch->kinds[kind].width);
    }
    return NULL;
}

/* exit(3) in JIT'd code ends the process without destroying the session. */
static void run_exit_actions(void *context) {
    struct jitscope_session *session = context;
    if (session_is_lost(session))
        return;
    session_lock(session);
    TRACE_ANSWER(&session->trace, call_exit, .time = trace_time(&session->trace));
    memory_run_exit_actions(&session->memory);
    trace_flush(&session->trace);
    session_unlock(session);
}

static void take_options(struct jitscope_session *session, const struct jitscope_session_options *options) {
    session->process = os_process_id();
    session->simulate = options->simulate;
    session->gc_sections = options->gc_sections;
    session->phony_externals = options->phony_externals;
    session->keep_debug_sections = options->keep_debug_sections;
    session->debug = options->simulate ? JITSCOPE_DEBUG_OFF : options->debug;
    session->free_definition = NO_DEFINITION;
    session->no_default_libraries = options->no_default_libraries || options->simulate;
    session->base = options->base;
    session->next_library_base = options->base + LIBRARY_DISTANCE;
}

/* JITSCOPE_RECORD=FOLDER: a program that does not record is recorded all the same, session by session.  Not
 * in a program that runs with more rights than its caller. */
static struct jitscope_error *path_from_environment(struct jitscope_session *session, const char **path) {
    static uint32_t sessions;
    const char *folder = os_environment("JITSCOPE_RECORD");
    uint32_t name, number = __atomic_add_fetch(&sessions, 1, __ATOMIC_RELAXED);
    if (!folder || !*folder)
        return NULL;
    TRY(session_intern_format(session, &name, "%s/%d-%u.jsr", folder, session->process, number));
    *path = session_text(session, name);
    return NULL;
}

/* A recording that cannot be begun is like one that cannot go on: the links do without. */
static struct jitscope_error *start_recording(struct jitscope_session *session, const char *path) {
    struct jitscope_error *error = trace_record_to(&session->trace, path);
    if (jitscope_error_code(error) == JITSCOPE_ERROR_NO_MEMORY)
        return error;
    session->trace.failure = error;
    return NULL;
}

static struct jitscope_error *create_executor(struct jitscope_session *session,
                                              const struct jitscope_session_options *options,
                                              const struct session_replay *replay) {
    if (session->simulate)
        return NULL;
    if (replay)
        return executor_create_answered(&replay->executor, &session->executor);
    session->connection = NULL;
    if (options->executor)
        TRY(executor_create_remote(options->executor, &session->executor));
    else
        TRY(executor_create(&session->executor));
    executor_set_debug_policy(session->executor, (enum debuggee_policy)session->debug);
    return executor_at_exit(session->executor, run_exit_actions, session);
}

static struct jitscope_error *choose_recording(struct jitscope_session *session,
                                               const struct jitscope_session_options *options,
                                               const struct session_replay *replay) {
    const char *path = options->record_path;
    if (!path && !replay)
        TRY(path_from_environment(session, &path));
    if (path)
        TRY(start_recording(session, path));
    else
        session_record_in_memory(session);
    /* Then the program has not chosen the level either. */
    bool by_environment = path && !options->record_path;
    session->recording_gives_way = by_environment || session->recorded_in_memory;
    trace_set_record_level(&session->trace, by_environment                ? LEVEL_BLOCK
                                            : session->recorded_in_memory ? session->inspection_level
                                                                          : level_of(options->level));
    return NULL;
}

/* An executor came with it: a replay learns of it as of one that was registered here. */
static void tell_action(void *context, const char *name) {
    struct jitscope_session *session = context;
    TRACE_ANSWER(&session->trace, call_register_action,
                 .name = trace_text(&session->trace, &session->names, name));
}

static struct jitscope_error *set_up(struct jitscope_session *session,
                                     const struct jitscope_session_options *options,
                                     const struct session_replay *replay) {
    static const struct session_world live = {NULL, world_read_file, world_newest_compiler};
    take_options(session, options);
    session->world = replay ? replay->world : live;
    if (replay)
        *replay->names = &session->names;
    else
        session_open_door(session, options); /* before the executor: exit(3) closes it behind finalisers */
    TRY(choose_recording(session, options, replay));
    if (replay)
        trace_compare(&session->trace, replay->level, replay->compare, replay->compare_context);
    TRY(create_executor(session, options, replay));
    TRY(create_memory(session, options, replay));
    TRY(session_announce_itself(session));
    if (session->executor && executor_is_remote(session->executor))
        executor_each_user_action(session->executor, tell_action, session);
    session_show_recording(session);
    return NULL;
}

struct jitscope_error *session_create(const struct jitscope_session_options *options,
                                      const struct session_replay *replay, struct jitscope_session **out) {
    struct jitscope_session *session = os_allocate_zeroed(sizeof *session);
    if (!session) {
        jitscope_executor_disconnect(options->executor);
        return error_no_memory();
    }
    session->connection = options->executor;
    session_lock_create(session);
    struct jitscope_error *error = string_pool_create(&session->names);
    if (!error) {
        trace_create(&session->trace, &session->names);
        error = set_up(session, options, replay);
    }
    if (error) {
        jitscope_session_destroy(session);
        return error;
    }
    *out = session;
    return NULL;
}

struct jitscope_error *jitscope_session_create(const struct jitscope_session_options *given,
                                               struct jitscope_session **out) {
    struct jitscope_session_options options = known_options(given);
    struct jitscope_error *error = check_options(&options);
    if (!error)
        return session_create(&options, NULL, out);
    jitscope_executor_disconnect(options.executor);
    return error;
}

/* --- recording on demand */

static struct jitscope_error *record_from_here(struct jitscope_session *session, const char *path,
                                               enum event_level level) {
    TRY(trace_record_to(&session->trace, path));
    trace_set_record_level(&session->trace, level);
    TRY(session_announce_itself(session));
    session_tell_state(session);
    return NULL;
}

static struct jitscope_error *begin_recording(struct jitscope_session *session, const char *path,
                                              enum event_level level) {
    if (session->has_slots || session->waiting.count)
        return error_with_help(error_create(JITSCOPE_ERROR_UNSUPPORTED,
                                            "a recording of lazy or replaceable links begins before them"),
                               "record from the session's start: record_path of its options");
    if (session->trace.record_level && !session->recording_gives_way)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "the session is being recorded already"),
                               "end that recording first: jitscope_session_end_recording()");
    trace_end_recording(&session->trace); /* one that had failed, or that gives way */
    session->recording_gives_way = session->recorded_in_memory = false;
    struct jitscope_error *error = record_from_here(session, path, level);
    if (error)
        session_resume_in_memory(session);
    else
        session_show_recording(session);
    return error;
}

struct jitscope_error *jitscope_session_begin_recording(struct jitscope_session *session, const char *path,
                                                        enum jitscope_level level) {
    if (level > JITSCOPE_LEVEL_EDGES)
        return error_create(JITSCOPE_ERROR_USAGE, "there is no level %d to record at", (int)level);
    TRY(session_enter(session));
    struct jitscope_error *error =
        begin_recording(session, path, level ? (enum event_level)level : LEVEL_BLOCK);
    session_unlock(session);
    return error;
}

struct jitscope_error *jitscope_session_end_recording(struct jitscope_session *session) {
    TRY(session_enter(session));
    if (!session->recorded_in_memory) {
        trace_end_recording(&session->trace);
        session->recording_gives_way = false;
        session_resume_in_memory(session);
    }
    session_unlock(session);
    return NULL;
}

void session_exit(struct jitscope_session *session) {
    run_exit_actions(session);
}

static void destroy_links(struct jitscope_session *session) {
    if (session->executor)
        executor_begin_end(session->executor);
    jitscope_error_destroy(session_take_down(session, 0));
}

static void destroy_tables(struct jitscope_session *session) {
    for (uint32_t i = 0; i < session->held_inputs.count; i++)
        session_release_bytes(session->held_inputs.data[i].bytes, session->held_inputs.data[i].ownership);
    vec_destroy(&session->held_inputs);
    vec_destroy(&session->queue);
    vec_destroy(&session->set_aside);
    vec_destroy(&session->library_paths);
    vec_destroy(&session->wanted_copies);
    vec_destroy(&session->roots);
    vec_destroy(&session->archives);
    vec_destroy(&session->shared);
    vec_destroy(&session->members);
    vec_destroy(&session->member_by_name);
    vec_destroy(&session->definitions);
    vec_destroy(&session->definition_by_name);
    numbered_destroy(&session->links);
    vec_destroy(&session->waiting);
    vec_destroy(&session->waiting_names);
    vec_destroy(&session->waiting_by_name);
    pass_list_destroy(&session->passes);
    for (uint32_t i = 0; i < session->user_passes.count; i++)
        os_release(session->user_passes.data[i]);
    vec_destroy(&session->user_passes);
    elf_scratch_destroy(&session->scratch);
    debug_scratch_destroy(&session->debug_scratch);
    name_tables_destroy(&session->name_tables);
}

/* Whoever answers lazy calls of another process is waited for, and can go on to find out that nothing is
 * there any more. */
static void destroy_executor(struct jitscope_session *session) {
    bool lent = session->executor && session->depth;
    uint32_t before = lent ? session_open(session) : 0;
    executor_destroy(session->executor);
    if (lent)
        session_shut(session, before);
    jitscope_executor_disconnect(session->connection);
}

void jitscope_session_destroy(struct jitscope_session *session) {
    if (!session)
        return;
    if (!session_is_lost(session))
        session_lock(session); /* finalisers may call what waits to be linked */
    trace_enter_link(&session->trace, 0);
    TRACE_ANSWER(&session->trace, call_destroy, .time = trace_time(&session->trace));
    destroy_links(session);
    if (session->memory.ops)
        memory_destroy(&session->memory);
    destroy_executor(session);
    TRACE(&session->trace, session_end, .time = trace_time(&session->trace));
    session_close_door(session);
    trace_destroy(&session->trace);
    session_destroy_event(session);
    destroy_tables(session);
    string_pool_destroy(&session->names);
    session_lock_destroy(session);
    os_release(session);
}

/* --- settings
 * ------------------------------------------------------------------------------------------------------ */

static void note_modes(struct jitscope_session *session) {
    TRACE_ANSWER(&session->trace, call_set_modes, .whole_archive = session->whole_archive,
                 .as_needed = session->as_needed);
}

struct jitscope_error *jitscope_session_set_whole_archive(struct jitscope_session *session, bool whole) {
    TRY(session_enter(session));
    session->whole_archive = whole;
    note_modes(session);
    return session_leave(session, NULL);
}

struct jitscope_error *jitscope_session_set_as_needed(struct jitscope_session *session, bool as_needed) {
    TRY(session_enter(session));
    session->as_needed = as_needed;
    note_modes(session);
    return session_leave(session, NULL);
}

struct jitscope_error *jitscope_session_add_root(struct jitscope_session *session, const char *name) {
    uint32_t id;
    TRY(session_enter(session));
    struct jitscope_error *error = session_intern(session, name, &id);
    if (!error) {
        TRACE_ANSWER(&session->trace, call_add_root, .name = trace_name(&session->trace, id));
        error = vec_push(&session->roots, id);
    }
    return session_leave(session, error);
}

struct jitscope_error *jitscope_session_set_resolver(struct jitscope_session *session,
                                                     jitscope_resolver resolver, void *context) {
    TRY(session_enter(session));
    session->resolver = resolver;
    session->resolver_context = context;
    TRACE_ANSWER(&session->trace, call_set_resolver, .present = resolver != NULL);
    return session_leave(session, NULL);
}

static struct jitscope_error *run_user_pass(struct graph *graph, void *context) {
    const struct user_pass *pass = context;
    struct pass_watch watch = {0};
    TRY(pass_watch_begin(&watch, graph));
    struct jitscope_error *error = pass->run(public_graph(graph), pass->context);
    pass_watch_end(&watch, graph, error);
    return error;
}

static struct jitscope_error *add_user_pass(struct jitscope_session *session, uint8_t phase, const char *text,
                                            struct user_pass wanted) {
    uint32_t name;
    TRY(session_intern(session, text, &name));
    TRACE_ANSWER(&session->trace, call_add_pass, .phase = phase, .name = trace_name(&session->trace, name));
    TRY(vec_reserve(&session->user_passes, 1));
    struct user_pass *pass = os_allocate(sizeof *pass);
    if (!pass)
        return error_no_memory();
    *pass = wanted;
    vec_put(&session->user_passes, pass);
    return pass_list_add(&session->passes, phase, session_text(session, name), run_user_pass, pass);
}

struct jitscope_error *jitscope_session_add_pass(struct jitscope_session *session, enum jitscope_phase phase,
                                                 const char *name, jitscope_pass pass, void *context) {
    static const uint8_t phases[] = {
        [JITSCOPE_PRE_PRUNE] = PHASE_PRE_PRUNE,
        [JITSCOPE_POST_PRUNE] = PHASE_POST_PRUNE,
        [JITSCOPE_POST_ALLOCATION] = PHASE_POST_ALLOCATION,
        [JITSCOPE_PRE_FIXUP] = PHASE_PRE_FIXUP,
        [JITSCOPE_POST_FIXUP] = PHASE_POST_FIXUP,
    };
    if ((size_t)phase >= sizeof phases)
        return error_create(JITSCOPE_ERROR_USAGE, "there is no phase %d", (int)phase);
    TRY(session_enter(session));
    if (phase >= JITSCOPE_POST_ALLOCATION && session->executor)
        executor_tell_at_once(session->executor);
    struct jitscope_error *error =
        add_user_pass(session, phases[phase], name, (struct user_pass){pass, context});
    return session_leave(session, error);
}

struct jitscope_error *jitscope_session_register_action(struct jitscope_session *session, const char *name,
                                                        jitscope_action action, void *context) {
    if (!session->executor)
        return error_create(JITSCOPE_ERROR_USAGE, "a simulated session runs no actions");
    if (executor_is_remote(session->executor) && action != executor_make_stacks_executable)
        return error_create(JITSCOPE_ERROR_USAGE, "an executor in another process has actions of its own");
    TRY(session_enter(session));
    TRACE_ANSWER(&session->trace, call_register_action,
                 .name = trace_text(&session->trace, &session->names, name));
    struct jitscope_error *error = executor_register_action(session->executor, name, action, context);
    return session_leave(session, error);
}

struct jitscope_error *jitscope_session_allow_executable_stack(struct jitscope_session *session) {
    return jitscope_session_register_action(session, MAKE_STACKS_EXECUTABLE, executor_make_stacks_executable,
                                            NULL);
}

struct jitscope_error *jitscope_session_set_event_callback(struct jitscope_session *session,
                                                           enum jitscope_level level,
                                                           jitscope_event_callback callback, void *context) {
    TRY(session_enter(session));
    struct jitscope_error *error = session_prepare_event(session);
    if (error) {
        session_unlock(session);
        return error;
    }
    if (session->executor)
        executor_tell_at_once(session->executor); /* events have addresses */
    session->event_callback = callback;
    session->event_context = context;
    trace_set_callback(&session->trace, level_of(level ? level : JITSCOPE_LEVEL_BLOCK),
                       callback ? session_deliver_event : NULL, session);
    session_unlock(session);
    return NULL;
}

const char *jitscope_session_recording_failure(struct jitscope_session *session) {
    session_lock(session);
    const struct jitscope_error *failure = trace_check(&session->trace);
    session_unlock(session);
    return failure ? jitscope_error_message(failure) : NULL;
}

struct jitscope_error *jitscope_session_set_arguments(struct jitscope_session *session, int argc, char **argv,
                                                      char **envp) {
    if (!session->executor)
        return error_create(JITSCOPE_ERROR_USAGE, "a simulated session runs nothing");
    TRY(session_enter(session));
    executor_set_arguments(session->executor, argc, argv, envp);
    session_unlock(session);
    return NULL;
}

struct jitscope_error *jitscope_session_set_entry(struct jitscope_session *session, const char *name) {
    uint32_t id;
    if (!session->executor)
        return error_create(JITSCOPE_ERROR_USAGE, "a simulated session runs nothing");
    TRY(session_enter(session));
    struct jitscope_error *error = session_intern(session, name, &id);
    if (!error)
        executor_set_entry(session->executor, id);
    return session_leave(session, error);
}

enum jitscope_executor_state jitscope_session_executor_state(struct jitscope_session *session, int *status) {
    *status = 0;
    return session->executor && executor_is_remote(session->executor)
               ? executor_remote_state(session->executor, status)
               : JITSCOPE_EXECUTOR_RUNNING;
}

int jitscope_session_executor_process(struct jitscope_session *session) {
    return session->executor && executor_is_remote(session->executor)
               ? executor_local_process(session->executor)
               : session->process;
}

uint64_t jitscope_session_executor_messages(struct jitscope_session *session) {
    return session->executor && executor_is_remote(session->executor)
               ? executor_remote_messages(session->executor)
               : 0;
}

struct jitscope_error *jitscope_session_run_main(struct jitscope_session *session, uint64_t address,
                                                 int *status) {
    if (!session->executor)
        return error_create(JITSCOPE_ERROR_USAGE, "a simulated session runs nothing");
    executor_take_turn(session->executor);
    session_lock_to_read(session);
    struct jitscope_error *error = executor_start_main(session->executor, address);
    session_unlock(session);
    if (!error)
        error = executor_run_main(session->executor, address, status);
    executor_end_turn(session->executor);
    if (error && executor_is_remote(session->executor)) {
        session_lock(session);
        session_note_loss(session);
        session_unlock(session);
    }
    return error;
}

struct jitscope_error *jitscope_session_read(struct jitscope_session *session, uint64_t address, void *buffer,
                                             size_t size) {
    session_lock_to_read(session);
    bool inside = memory_read(&session->memory, address, buffer, size);
    session_unlock(session);
    if (inside)
        return NULL;
    return error_create(JITSCOPE_ERROR_OUT_OF_RANGE, "no linked memory at 0x%llx for %zu bytes",
                        (unsigned long long)address, size);
}
