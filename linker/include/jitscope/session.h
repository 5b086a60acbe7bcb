/* Sessions: inputs go in, links come out.
 *
 * Inputs queue up; jitscope_session_link() takes all of them, and the archive members they need, into one
 * batch: one graph, one allocation, one GOT.  Later batches may use the definitions of earlier ones.  A batch
 * is unloaded as a whole. */
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

struct jitscope_session;
/* One finished batch; owned by its session, gone after unload. */
struct jitscope_link;

/* What debuggers are told of a session's code, through the interface that gdb and lldb share (gdb manual,
 * "JIT Compilation Interface"): names, call frames and, of objects compiled with -g, lines, types and
 * variables. A batch is made known before its initialisers run and forgotten after its finalisers have. */
enum jitscope_debug {
    JITSCOPE_DEBUG_AUTO =
        0,                /* at once while a debugger listens; otherwise kept for one that attaches later */
    JITSCOPE_DEBUG_EAGER, /* at once, always */
    JITSCOPE_DEBUG_LAZY,  /* kept for jitscope's plug-ins and its jit-reader */
    JITSCOPE_DEBUG_OFF,   /* nothing */
};

/* How a session is made; zero-initialise, set SIZE, then what you need.  Strings are copied. */
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
     * when 0. */
    const char *record_path;
    enum jitscope_level level;

    bool keep_debug_sections; /* lay out and fix up non-allocated sections too */
    bool gc_sections;     /* drop what is not reachable from the roots (jitscope_session_add_root) and from
                             initialisers; without it everything stays, as in a static linker */
    bool phony_externals; /* symbols that nobody defines get made-up addresses; only with SIMULATE */
    bool no_default_libraries; /* do not search the C library and libgcc behind the inputs (gcc
                                  -nodefaultlibs); implied by SIMULATE */
    enum jitscope_debug debug; /* what debuggers are told; nothing with SIMULATE */
};

/* OPTIONS may be NULL.  Errors: USAGE, SYSTEM, NO_MEMORY, RECORDING. */
struct jitscope_error *jitscope_session_create(const struct jitscope_session_options *options,
                                               struct jitscope_session **session);
/* Unloads what is left, last link first, closes libraries and the recording; NULL is allowed. */
void jitscope_session_destroy(struct jitscope_session *session);

/* --- inputs: order counts, as on a linker's command line
 * -------------------------------------------------------- */

/* PATH is an object, an archive (GNU, thin), a shared library or a GNU ld script; told by content.  The file
 * is read now.  Errors: NOT_FOUND, SYSTEM, FORMAT, TRUNCATED, UNSUPPORTED. */
struct jitscope_error *jitscope_session_add_file(struct jitscope_session *session, const char *path);
/* The same from memory; DATA is copied, NAME is what messages call it. */
struct jitscope_error *jitscope_session_add_memory(struct jitscope_session *session, const char *name,
                                                   const void *data, size_t size);
/* As add_memory without the copy: DATA of an object must stay unchanged until the link that takes it has
 * returned; of an archive, shared library or script until the session is destroyed. */
struct jitscope_error *jitscope_session_add_borrowed(struct jitscope_session *session, const char *name,
                                                     const void *data, size_t size);
/* "-l NAME": libNAME.so, then libNAME.a, in each search directory; ":FILE" the exact name. Errors: NOT_FOUND.
 */
struct jitscope_error *jitscope_session_add_library(struct jitscope_session *session, const char *name);
/* "-L DIRECTORY", searched before the system's own. */
struct jitscope_error *jitscope_session_add_library_path(struct jitscope_session *session,
                                                         const char *directory);
/* For archives added from here on: take every member, needed or not. */
struct jitscope_error *jitscope_session_set_whole_archive(struct jitscope_session *session, bool whole);
/* "--as-needed" for shared libraries added from here on: open them only when a symbol is taken from them. */
struct jitscope_error *jitscope_session_set_as_needed(struct jitscope_session *session, bool as_needed);
/* Gives NAME an absolute address for all links; it wins over libraries, not over definitions in the batch. */
struct jitscope_error *jitscope_session_define(struct jitscope_session *session, const char *name,
                                               uint64_t address);
/* NAME must be found by the next link (archive members are taken for it) and it stays whatever gc_sections
 * says. */
struct jitscope_error *jitscope_session_add_root(struct jitscope_session *session, const char *name);

/* --- hooks
 * ----------------------------------------------------------------------------------------------------- */

/* Asked, in one call per link, for the symbols that neither the batch nor earlier links define, before shared
 * libraries are: set addresses[i] and found[i] for each name known.  An error ends the link.  A name that the
 * batch declares hidden is asked for even when an earlier link has it: besides the batch itself only this and
 * jitscope_session_define() answer for one (gABI, st_other). */
typedef struct jitscope_error *(*jitscope_resolver)(void *context, const char *const *names, size_t count,
                                                    uint64_t *addresses, bool *found);
struct jitscope_error *jitscope_session_set_resolver(struct jitscope_session *session,
                                                     jitscope_resolver resolver, void *context);

/* Runs PASS in PHASE of every later link, after those already there.  NAME is copied and shown in events. */
struct jitscope_error *jitscope_session_add_pass(struct jitscope_session *session, enum jitscope_phase phase,
                                                 const char *name, jitscope_pass pass, void *context);

/* Makes an action known to the executor under NAME, for jitscope_graph_add_action().  Returns NULL or why it
 * failed; the text is copied.  Runs in the executor, under the session's lock. */
typedef const char *(*jitscope_action)(void *context, const uint8_t *arguments, size_t size);
struct jitscope_error *jitscope_session_register_action(struct jitscope_session *session, const char *name,
                                                        jitscope_action action, void *context);

/* Calls CALLBACK for each event up to LEVEL, in order; NULL ends it.  The event lives during the call only.
 */
typedef void (*jitscope_event_callback)(void *context, const struct jitscope_event *event);
struct jitscope_error *jitscope_session_set_event_callback(struct jitscope_session *session,
                                                           enum jitscope_level level,
                                                           jitscope_event_callback callback, void *context);

/* --- linking
 * ------------------------------------------------------------------------------------------------------ */

/* Links everything queued and runs its initialisers.  On an error nothing of the batch is left, and the queue
 * is empty. *link is owned by the session. */
struct jitscope_error *jitscope_session_link(struct jitscope_session *session, struct jitscope_link **link);
/* The address of a global, default-visibility definition of any link (the latest link that has it), or of a
 * --define. Errors: NOT_FOUND. */
struct jitscope_error *jitscope_session_lookup(struct jitscope_session *session, const char *name,
                                               uint64_t *address);
/* Same in one link; hidden symbols are found too. */
struct jitscope_error *jitscope_link_lookup(struct jitscope_session *session,
                                            const struct jitscope_link *link, const char *name,
                                            uint64_t *address);
/* Runs the link's finalisers and gives its memory back.  No code of it may be running.  Errors: IN_USE when a
 * later link refers to it (nothing happens then), ACTION_FAILED when a finaliser failed (the memory is gone
 * all the same). */
struct jitscope_error *jitscope_session_unload(struct jitscope_session *session, struct jitscope_link *link);

/* Why the recording ended before its time (the disk is full, say), or NULL while it is whole or there is
 * none.  A link never fails because of its recording: ask.  Owned by SESSION, valid until it is destroyed. */
const char *jitscope_session_recording_failure(struct jitscope_session *session);

/* Number of the link in the session's events, from 1. */
uint32_t jitscope_link_number(const struct jitscope_link *link);

/* What initialisers and jitscope_session_run_main() get as argc, argv and envp; borrowed until the session
 * ends. */
struct jitscope_error *jitscope_session_set_arguments(struct jitscope_session *session, int argc, char **argv,
                                                      char **envp);
/* Calls the function at ADDRESS as main on this thread, without holding the session's lock. */
struct jitscope_error *jitscope_session_run_main(struct jitscope_session *session, uint64_t address,
                                                 int *status);

/* Copies SIZE bytes at ADDRESS of linked memory; works in simulated sessions too.  Errors: OUT_OF_RANGE. */
struct jitscope_error *jitscope_session_read(struct jitscope_session *session, uint64_t address, void *buffer,
                                             size_t size);

#ifdef __cplusplus
}
#endif
#endif
