/* Sessions: inputs go in, links come out.
 *
 * Inputs queue up; jitscope_session_link() takes all of them, and the archive members they need, into one
 * batch: one graph, one allocation, one GOT.  Later batches may use the definitions of earlier ones.  A batch
 * is unloaded as a whole.
 *
 * Threads.  Every function here but jitscope_session_create() and _destroy() may be called by any thread at
 * any time: a session has one lock, held for the whole call, so links and unloads of one session come one
 * after the other, in an order that its recording keeps; compiling, reading files and running what was linked
 * go on beside them.  Nobody may use a session while it is destroyed.  The queue is the session's: adding and
 * linking are two calls, and the link takes what others have added in between.  Threads that link each on its
 * own prepare a batch apart (jitscope_batch_create()), which nobody else's link takes or sees.  When a link
 * has returned, all threads find what it defines, and may call it; what a batch refers to has to be linked
 * before, by whatever thread (threads whose batches need each other make one batch of them).  A thread that
 * unloads a link which another's link is about to use gets IN_USE, or the other one gets UNRESOLVED or an
 * older definition: never an address of what is gone.  Different sessions do not wait for each other.
 *
 * Callbacks: passes, resolvers, actions, event callbacks, memory managers; and linked code that the session
 * itself calls, which is initialisers and finalisers.  They run under the lock, on the thread of the call
 * they belong to.  They can call jitscope_session_lookup(), jitscope_link_lookup(), jitscope_session_read(),
 * jitscope_link_number() and jitscope_session_recording_failure() on it; all else that would change it
 * returns USAGE and does nothing, and jitscope_session_destroy() must not be called.  Waiting in them for
 * another thread that uses the session is a deadlock.  They must return: no longjmp, no C++ exception, past
 * them; exit(3) is fine.  jitscope_session_run_main(), and calling an address oneself, hold no lock: code run
 * so can link and unload, though not itself.
 *
 * Code that goes.  Addresses from a lookup hold until their batch is unloaded, or the session destroyed; then
 * the memory may be used for something else at once.  Before that, no thread may be in the batch's code or
 * have it on its stack, and nobody may keep a pointer into it: signal handlers, threads' destructors
 * (pthread_key_create), functions handed to the host. What it registered with atexit or __cxa_atexit runs at
 * unload by itself, and so do destructors of the unloading thread's thread_local objects; other threads'
 * objects are destroyed when those threads end, if that is before, and never otherwise.  When the process
 * exits with sessions left, finalisers and other deallocate actions run once, and the memory stays.  In a
 * child of fork(2) linked code runs on; the recording stays the parent's.
 *
 * Memory.  What a batch takes is given back when it is unloaded, however many there have been.  Three things
 * stay until the session is destroyed: archives and shared libraries, a recording in memory, and each name
 * that the session has met, of symbols, sections and inputs: less than 100 bytes besides its own.
 *
 * Names (char *) are copied unless the function says otherwise; they are what the input's string table holds,
 * mangled for C++. Sizes are in bytes, addresses are the executor's, which is this process unless the session
 * is simulated.  Besides the errors that a function lists, each can return NO_MEMORY, and USAGE from inside a
 * callback. */
#ifndef JITSCOPE_SESSION_H
#define JITSCOPE_SESSION_H

#include "jitscope/error.h"
#include "jitscope/event.h"
#include "jitscope/graph.h"
#include "jitscope/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One namespace, with its inputs, links, memory manager and events.  Owned by the program. */
struct jitscope_session;
/* executor.h */
struct jitscope_executor_connection;
/* One finished batch; owned by its session, gone after unload. */
struct jitscope_link;

/* What debuggers are told of a session's code, through the interface that gdb and lldb share (gdb manual,
 * "JIT Compilation Interface"): names, call frames and, of objects compiled with -g, lines, types and
 * variables. A batch is made known before its initialisers run and forgotten after its finalisers have.
 *
 * AUTO has batches without initialisers wait for each other while a debugger listens, and makes them known
 * together before anything can run them: at the next lookup, jitscope_session_run_main(), or batch with an
 * initialiser or an action of yours.  Sessions with a memory manager of their own, an event callback, or a
 * pass that comes after allocation can learn addresses earlier: there nothing waits. */
enum jitscope_debug {
    JITSCOPE_DEBUG_AUTO = 0, /* before it can run while a debugger listens; otherwise kept for a later one */
    JITSCOPE_DEBUG_EAGER,    /* at once, always */
    JITSCOPE_DEBUG_LAZY,     /* kept for jitscope's plug-ins and its jit-reader */
    JITSCOPE_DEBUG_OFF,      /* nothing */
};

/* How a session is made; zero-initialise, set SIZE, then what you need.  Only read during
 * jitscope_session_create(). */
struct jitscope_session_options {
    size_t size; /* sizeof(struct jitscope_session_options): the struct can grow */

    /* Simulated memory from this address upwards: nothing is executed, shared libraries are read but not
     * loaded, and nothing depends on this machine.  Only with SIMULATE. */
    bool simulate;
    uint64_t base;

    /* Own memory manager (memory.h); NULL for the in-process one.  The table must outlive the session; the
     * session calls its destroy. */
    const struct jitscope_memory_ops *memory;
    void *memory_context;

    /* Recording file (created with mode 0600, replaced) and level of detail; LEVEL is JITSCOPE_LEVEL_BLOCK
     * when 0.  A recording holds all that is needed to link again elsewhere (`jitscope replay`): the inputs'
     * bytes, and what libraries, memory manager, resolver, passes and actions answered and did.  Without a
     * path the environment variable JITSCOPE_RECORD can name a folder, where each session then gets a file
     * PROCESS-NUMBER.jsr.  When the file cannot be made the session goes on without:
     * jitscope_session_recording_failure(). */
    const char *record_path;
    enum jitscope_level level;

    bool keep_debug_sections; /* lay out and fix up non-allocated sections too, for passes to read; debuggers
                                 then get names and call frames of these inputs, not their DWARF */
    bool gc_sections;     /* drop what is not reachable from the roots (jitscope_session_add_root) and from
                             initialisers; without it everything stays, as in a static linker */
    bool phony_externals; /* symbols that nobody defines get made-up addresses; only with SIMULATE */
    bool no_default_libraries; /* do not search the C library and libgcc behind the inputs (gcc
                                  -nodefaultlibs); implied by SIMULATE */
    enum jitscope_debug debug; /* what debuggers are told; nothing with SIMULATE */

    /* Lets inspectors of the same user, and root, attach while the session runs.  They get its recording to
     * read, which holds the inputs' bytes and all addresses, and nothing else: the session is neither stopped
     * nor slowed down by them.  A thread of the library's own waits for them at a socket in the user's
     * private folder, $XDG_RUNTIME_DIR/jitscope or /tmp/jitscope-UID, from create to destroy or exit(3);
     * children of fork(2) cannot be inspected.  A session that is not recorded is recorded into memory, at
     * LEVEL: that takes as much as a recording file, grows with each link, and stays until the session is
     * destroyed. Never in programs with more rights than their caller.  JITSCOPE_INSPECT=1 in the environment
     * does the same for all sessions of a program.  When it cannot be done the session goes on without:
     * jitscope_session_inspection_failure(). */
    bool inspectable;

    /* Code runs in the process at the other end (executor.h); NULL: in this one.  Taken over, also when
     * creating the session fails.  Addresses are that process's then, and actions are registered there.
     * Excludes MEMORY and SIMULATE; the session can be inspected when that process is known to be on this
     * machine. */
    struct jitscope_executor_connection *executor;
};

/* OPTIONS may be NULL: all zero.  *session is the caller's, to be ended with jitscope_session_destroy(); not
 * written on an error.  Any number of sessions can live at once.  Errors: USAGE, SYSTEM. */
struct jitscope_error *jitscope_session_create(const struct jitscope_session_options *options,
                                               struct jitscope_session **session);
/* Unloads what is left, last link first, closes libraries and the recording; NULL is allowed.  Not from a
 * callback, and only when no other thread uses the session.  Finalisers that fail are only told in events. */
void jitscope_session_destroy(struct jitscope_session *session);

/* --- inputs: order counts, as on a linker's command line
 * -------------------------------------------------------- */

/* PATH is an object, an archive (GNU, thin), a shared library or a GNU ld script; told by content.  The file
 * is read now and may change afterwards, but for a thin archive's members; big files are mapped: those must
 * not be truncated or written into until the session is destroyed.  What is wrong inside an object is told by
 * the link.  Errors: NOT_FOUND, SYSTEM, FORMAT, TRUNCATED, UNSUPPORTED. */
struct jitscope_error *jitscope_session_add_file(struct jitscope_session *session, const char *path);
/* The same from SIZE bytes of memory; DATA is copied, NAME is what messages call it.  Files that a script or
 * a thin archive names are looked for from the working directory.  Errors: as jitscope_session_add_file(). */
struct jitscope_error *jitscope_session_add_memory(struct jitscope_session *session, const char *name,
                                                   const void *data, size_t size);
/* As add_memory without the copy: DATA of an object must stay unchanged until the link that takes it has
 * returned; of an archive or shared library until the session is destroyed.  Errors: as
 * jitscope_session_add_file(). */
struct jitscope_error *jitscope_session_add_borrowed(struct jitscope_session *session, const char *name,
                                                     const void *data, size_t size);
/* "-l NAME": libNAME.so, then libNAME.a, in each search directory; ":FILE" the exact name.  Errors:
 * NOT_FOUND, and as jitscope_session_add_file(). */
struct jitscope_error *jitscope_session_add_library(struct jitscope_session *session, const char *name);
/* "-L DIRECTORY", searched before the system's own, in order of addition, by later calls of
 * jitscope_session_add_library(). */
struct jitscope_error *jitscope_session_add_library_path(struct jitscope_session *session,
                                                         const char *directory);
/* For archives added from here on: take every member, needed or not (--whole-archive).  Off at first. */
struct jitscope_error *jitscope_session_set_whole_archive(struct jitscope_session *session, bool whole);
/* "--as-needed" for shared libraries added from here on: open them only when a symbol is taken from them. Off
 * at first. */
struct jitscope_error *jitscope_session_set_as_needed(struct jitscope_session *session, bool as_needed);
/* Gives NAME an absolute address for all later links; it wins over libraries, not over definitions in the
 * batch.  A second one, and a later link's definition, shadow the first.  Stays until the session is
 * destroyed. */
struct jitscope_error *jitscope_session_define(struct jitscope_session *session, const char *name,
                                               uint64_t address);
/* NAME must be defined by the next link (archive members are taken for it) or an earlier one, and what it
 * names stays whatever gc_sections says, in all later links; the link fails with UNRESOLVED otherwise. */
struct jitscope_error *jitscope_session_add_root(struct jitscope_session *session, const char *name);

/* --- batches prepared apart
 * ------------------------------------------------------------------------------------ */

/* Inputs that one thread collects and links together, whatever other threads add and link meanwhile.  Used by
 * one thread at a time; the program's, to be ended with jitscope_batch_destroy(), before the session or after
 * it. */
struct jitscope_batch;
/* An empty one for SESSION.  *batch is not written on an error. */
struct jitscope_error *jitscope_batch_create(struct jitscope_session *session, struct jitscope_batch **batch);
/* Drops what was not linked; NULL is allowed. */
void jitscope_batch_destroy(struct jitscope_batch *batch);
/* As jitscope_session_add_file(), but the session hears of the input when the batch is linked: until then it
 * is neither locked nor changed, callbacks may do this too, and what is wrong with the input is told by the
 * link.  Errors: NOT_FOUND, SYSTEM, UNSUPPORTED (a file that cannot be read). */
struct jitscope_error *jitscope_batch_add_file(struct jitscope_batch *batch, const char *path);
/* The same from SIZE bytes of memory, as jitscope_session_add_memory(). */
struct jitscope_error *jitscope_batch_add_memory(struct jitscope_batch *batch, const char *name,
                                                 const void *data, size_t size);
/* The same without the copy, as jitscope_session_add_borrowed(). */
struct jitscope_error *jitscope_batch_add_borrowed(struct jitscope_batch *batch, const char *name,
                                                   const void *data, size_t size);
/* Links the batch's objects, as jitscope_session_link() does the queue's, which stays as it is.  Archives and
 * shared libraries of the batch become the session's, behind those that it has, for this link and all later
 * ones.  The batch is empty afterwards, linked or not, and can be filled again; after USAGE it has what it
 * had.  Errors: as jitscope_session_add_file() and jitscope_session_link(). */
struct jitscope_error *jitscope_batch_link(struct jitscope_batch *batch, struct jitscope_link **link);

/* --- hooks
 * ----------------------------------------------------------------------------------------------------- */

/* Asked, in one call per link, for the symbols that neither the batch nor earlier links define, before shared
 * libraries are: set addresses[i] and found[i] for each name known; found[i] is false beforehand.  The
 * arrays, of COUNT elements, and the names are valid during the call.  An error, which the linker then owns,
 * ends the link.  A name that the batch declares hidden is asked for even when an earlier link has it:
 * besides the batch itself only this and jitscope_session_define() answer for one (gABI, st_other). */
typedef struct jitscope_error *(*jitscope_resolver)(void *context, const char *const *names, size_t count,
                                                    uint64_t *addresses, bool *found);
/* Sets the one resolver of later links; NULL for none.  CONTEXT is passed on, and must live until it is
 * replaced or the session destroyed. */
struct jitscope_error *jitscope_session_set_resolver(struct jitscope_session *session,
                                                     jitscope_resolver resolver, void *context);

/* Runs PASS (graph.h) in PHASE of every later link, after those already there.  NAME is copied and shown in
 * events; CONTEXT must live as long as the session.  Errors: USAGE (no such phase). */
struct jitscope_error *jitscope_session_add_pass(struct jitscope_session *session, enum jitscope_phase phase,
                                                 const char *name, jitscope_pass pass, void *context);

/* One half of an allocation action: gets the SIZE bytes of ARGUMENTS that were attached, valid during the
 * call.  Returns NULL, or why it failed; the text is copied before the next action runs.  Runs in the
 * executor. */
typedef const char *(*jitscope_action)(void *context, const uint8_t *arguments, size_t size);
/* Makes ACTION known to the executor under NAME, for jitscope_graph_add_action().  CONTEXT must live until
 * the session is destroyed, or the process ends: deallocate halves run then.  Errors: DUPLICATE (a name that
 * is taken, also by the linker's own actions), USAGE (a simulated session runs none; another process has its
 * own: jitscope_target_register_action()). */
struct jitscope_error *jitscope_session_register_action(struct jitscope_session *session, const char *name,
                                                        jitscope_action action, void *context);

/* Lets links have what they want an executable stack for, as gcc's code does that takes the address of a
 * nested function; without it such a link fails with UNSUPPORTED.  When one does, the action
 * "make-stacks-executable" makes the stacks of all threads, and of those to come, writable and executable at
 * once, for the rest of the process's life.  It fails where the C library does not let it (glibc 2.41 and
 * later).  Errors: as for jitscope_session_register_action(). */
struct jitscope_error *jitscope_session_allow_executable_stack(struct jitscope_session *session);

/* Gets one event (event.h), which lives during the call only. */
typedef void (*jitscope_event_callback)(void *context, const struct jitscope_event *event);
/* Calls CALLBACK for each event up to LEVEL from here on, in order; it is the session's only one, and NULL
 * ends it.  The recording has its own level.  CONTEXT must live until it is replaced or the session
 * destroyed. */
struct jitscope_error *jitscope_session_set_event_callback(struct jitscope_session *session,
                                                           enum jitscope_level level,
                                                           jitscope_event_callback callback, void *context);

/* --- lazy links
 * ------------------------------------------------------------------------------------------------ */

/* From now on a link takes only what is needed at once: of the objects queued those that define a root
 * (jitscope_session_add_root(); all of them when none does) or have initialisers, and, transitively, objects
 * and archive members of which something that was taken uses data or takes a function's address.  A function
 * of the rest that is only called gets a stub: the first call links what it needs, by a link made on behalf
 * of the one that was asked for, and binds the stub's slot, for all threads at once; no code is ever changed.
 *
 * What waits is not found by lookups, and what was given with jitscope_session_add_borrowed() must stay
 * unchanged until it is unloaded or the session destroyed.  Initialisers of archive members run when these
 * are linked, on the thread that called.  A lazy call may come from any thread, and from initialisers,
 * finalisers and actions, but not from a signal handler, nor from a pass, resolver, event callback or memory
 * manager.  A call that comes while an initialiser runs is served, whichever thread it comes from.  Unloading
 * a link unloads what was made on its behalf; slots of other links that lead there wait again.  Such a
 * session is recorded from its start or not at all.  Off at first.  Errors: USAGE (with gc_sections). */
struct jitscope_error *jitscope_session_set_lazy(struct jitscope_session *session, bool lazy);

/* A lazy call of FUNCTION could not be served: MESSAGE says why.  Both are valid during the call.  There is
 * nothing to call, so it must not return: it ends the process, or leaves by longjmp or an exception, which
 * passes the frames up to the caller; what the session itself called, an initialiser say, cannot be left so.
 * No lock is held. When it returns all the same, the process ends as if there were none.  With code in
 * another process it is not called: that process says why on its standard error and ends, with status 127,
 * and the session hears of it as of any end (jitscope_session_executor_state()); event callbacks get why with
 * `link_end` of the link that failed. */
typedef void (*jitscope_lazy_failure)(void *context, const char *function, const char *message);
/* Sets the one such function; NULL: the message goes to standard error and the process ends with status 127,
 * as when the dynamic loader cannot bind a symbol. */
struct jitscope_error *jitscope_session_set_lazy_failure(struct jitscope_session *session,
                                                         jitscope_lazy_failure failure, void *context);

/* --- code that is replaced
 * ---------------------------------------------------------------------------------------- */

/* From now on calls of global functions with default visibility, whichever link of the session defines them,
 * go through slots, so that jitscope_session_replace() can let them lead elsewhere; as with the compilers'
 * -fsemantic-interposition, which the inputs should be compiled with (-fPIC): what was inlined cannot be
 * replaced. Off at first. */
struct jitscope_error *jitscope_session_set_replaceable(struct jitscope_session *session, bool replaceable);

/* Links what is queued, as jitscope_session_link(), and lets it take the place of OLD: every call in the
 * session that leads to a function of OLD which the new link defines too leads there from now on, old code's
 * own calls included.  Each slot swings at once for all threads; one after the other, so that for a moment
 * some calls lead to the old functions and some to the new; threads that are in the old code go on in it.
 * Nothing but slots is written.  In a lazy session all that is queued is linked at once; calls lead there too
 * whose function in OLD has been linked since, or waits.
 *
 * Variables stay: a global variable with default visibility that the session has keeps its place and its
 * value, and the new code refers to it.  Constants, static variables and hidden ones are the new link's own.
 * Addresses of functions that were taken, by code or by lookups, lead to the old functions; later lookups and
 * links get the new.
 *
 * OLD stays, for debuggers too, until its owner unloads it, when no thread is in it any more: that can be
 * done once nothing else refers to it, which slots do until they have swung, and the new link while it uses
 * its variables. Both may be replaced again.  *link, when LINK is not NULL, is as of jitscope_session_link();
 * on an error nothing is replaced.  Errors: USAGE (OLD, or a link that calls it, was linked before
 * jitscope_session_set_replaceable()), FORMAT (a variable has another size now), and as
 * jitscope_session_link(). */
struct jitscope_error *jitscope_session_replace(struct jitscope_session *session, struct jitscope_link *old,
                                                struct jitscope_link **link);

/* --- linking
 * ------------------------------------------------------------------------------------------------------ */

/* Links everything queued, on this thread, and runs its initialisers: .preinit_array, .init_array and .ctors
 * in the order that the system's linker gives them (gABI chapter 5, "Initialization and Termination
 * Functions").  Symbols, COMDAT groups and archive members are chosen as by a static linker (gABI chapter 4).
 * What is a library's is taken from those first that the process was started with (LD_PRELOAD), as the loader
 * does. Duplicates count within the batch only; a definition that an earlier link has too is the one that
 * lookups and later links get.  LINK may be NULL; *link is owned by the session, and not written on an error.
 * With nothing queued the batch is empty.  On an error nothing of the batch is left, what had run of its
 * actions has been undone, and the queue is empty. Errors: FORMAT, TRUNCATED, UNSUPPORTED (an input),
 * DUPLICATE, UNRESOLVED, OUT_OF_RANGE, ADDRESS_SPACE, ACTION_FAILED, NOT_FOUND, SYSTEM, EXECUTOR_GONE (with
 * code in another process; an action that was asked for by itself, as in lazy sessions, is named), and what
 * passes, resolver and memory manager return. */
struct jitscope_error *jitscope_session_link(struct jitscope_session *session, struct jitscope_link **link);
/* The address of a global, default-visibility definition of any link (the latest link that has it), or of a
 * jitscope_session_define(), whichever is younger.  Of a thread-local variable it is the calling thread's.
 * Shared libraries are not asked.  Errors: NOT_FOUND. */
struct jitscope_error *jitscope_session_lookup(struct jitscope_session *session, const char *name,
                                               uint64_t *address);
/* Same in one link; hidden symbols are found too.  LINK must not have been unloaded.  Errors: NOT_FOUND. */
struct jitscope_error *jitscope_link_lookup(struct jitscope_session *session,
                                            const struct jitscope_link *link, const char *name,
                                            uint64_t *address);
/* Lets shared libraries that the process opens from here on (dlopen(3)), and dlsym(3) with RTLD_DEFAULT, find
 * the link's global definitions of default visibility, as those of a program linked with -rdynamic: plug-ins
 * take names from who opens them.  What waits to be linked lazily is not among them.  The program's own
 * names, and those of libraries opened before, go before these; thread-local variables are not among them.
 * Ends when LINK is unloaded; libraries that took something from it must be closed first.  Replaying does
 * nothing here.  Errors: USAGE (a simulated session), UNSUPPORTED (the dynamic loader refuses),
 * ADDRESS_SPACE, SYSTEM. */
struct jitscope_error *jitscope_session_export(struct jitscope_session *session,
                                               const struct jitscope_link *link);
/* Runs the link's finalisers and other deallocate actions, in reverse, and gives its memory back; LINK is
 * gone afterwards, and its names are free or fall back to older links'.  No code of it may be running: see
 * "Code that goes" above.  Errors: IN_USE when a later link refers to it (nothing happens then: unload that
 * one first; what addresses from lookups are used for is not known and not counted), ACTION_FAILED when a
 * finaliser failed, EXECUTOR_GONE, SYSTEM (the memory is gone all the same). */
struct jitscope_error *jitscope_session_unload(struct jitscope_session *session, struct jitscope_link *link);

/* Why a session that is to be inspectable cannot be inspected, or NULL.  Owned by SESSION, valid until it is
 * destroyed. */
const char *jitscope_session_inspection_failure(struct jitscope_session *session);

/* Begins to record in the middle of a session, as RECORD_PATH and LEVEL of the options do from its start
 * (JITSCOPE_LEVEL_DEFAULT is block).  The recording replays from here on: it holds the libraries and archives
 * that the session has, its definitions and links, but not what was in these links' memory.  Of an
 * inspectable session the recording in memory ends, for those who read it too, and who attaches gets the new
 * one.  Errors: USAGE (it is recorded already, no such level), RECORDING (the file cannot be made). */
struct jitscope_error *jitscope_session_begin_recording(struct jitscope_session *session, const char *path,
                                                        enum jitscope_level level);
/* Closes the recording, whoever began it; without one nothing happens.  An inspectable session's recording in
 * memory stays; in the place of another one a new one begins, as by jitscope_session_begin_recording(). */
struct jitscope_error *jitscope_session_end_recording(struct jitscope_session *session);

/* Why the recording could not be begun, or ended before its time (the disk is full, say), or NULL while it is
 * whole or there is none.  A link never fails because of its recording: ask.  Owned by SESSION, valid until
 * it is destroyed. */
const char *jitscope_session_recording_failure(struct jitscope_session *session);

/* Number of the link in the session's events, from 1; links that failed have one too.  LINK must not have
 * been unloaded. */
uint32_t jitscope_link_number(const struct jitscope_link *link);

/* What initialisers and jitscope_session_run_main() get as argc, argv and envp; borrowed until the session
 * ends.  At first 0, nothing, and this process's environment.  Errors: USAGE (a simulated session). */
struct jitscope_error *jitscope_session_set_arguments(struct jitscope_session *session, int argc, char **argv,
                                                      char **envp);
/* What jitscope_session_run_main() will be called with, once a link has defined NAME: then an executor in
 * another process whose program's end is this process's (jitscope_executor_options) begins with it right
 * behind that link's initialisers, which saves a message.  Nothing happens otherwise.  Errors: USAGE (a
 * simulated session).
 */
struct jitscope_error *jitscope_session_set_entry(struct jitscope_session *session, const char *name);
/* Calls the function at ADDRESS as main, without holding the session's lock; *status is what it returned.  On
 * this thread, and exit(3) in it ends the process; or in the executor's process, on its main thread, and when
 * that ends this is an error.  Errors: USAGE (a simulated session), EXECUTOR_GONE. */
struct jitscope_error *jitscope_session_run_main(struct jitscope_session *session, uint64_t address,
                                                 int *status);

/* Copies SIZE bytes at ADDRESS of linked memory to BUFFER; works in simulated sessions too.  A program that
 * writes there at the same time sees to it itself.  Errors: OUT_OF_RANGE when a byte of it lies in no link's
 * memory; BUFFER may have been written in part. */
struct jitscope_error *jitscope_session_read(struct jitscope_session *session, uint64_t address, void *buffer,
                                             size_t size);

#ifdef __cplusplus
}
#endif
#endif
