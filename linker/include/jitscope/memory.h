/* Memory managers: who decides where a batch lies.
 *
 * A link asks its manager for memory once, with everything in the segment view: a handful of runs of pages,
 * each with one protection.  A manager that wants more than the segment view is given the link graph as well.
 *
 *     allocate ──► in flight ──finalize──► finalized (one uint64_t in the session) ──► deallocate
 *                      └──────abandon──► gone
 *
 * Every allocation in flight is finalized or abandoned, exactly once.  Calls come under the session's lock,
 * from the thread that links, unloads or ends the session, at most one at a time for one session; a manager
 * that serves several sessions locks for itself.  From inside them the session can be looked up in and read,
 * not changed (session.h).  Errors they return belong to the linker afterwards; any code will do.  Terms
 * follow LLVM JITLink's JITLinkMemoryManager. */
#ifndef JITSCOPE_MEMORY_H
#define JITSCOPE_MEMORY_H

#include "jitscope/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* graph.h */
struct jitscope_graph;

/* Protections, to be or-ed. */
enum { JITSCOPE_READ = 1, JITSCOPE_WRITE = 2, JITSCOPE_EXECUTE = 4 };

/* How long a segment is needed (LLVM JITLink's MemLifetime). */
enum jitscope_lifetime {
    JITSCOPE_LIFETIME_STANDARD = 0, /* until deallocate */
    JITSCOPE_LIFETIME_FINALIZE = 1, /* until the finalize actions have run */
};

/* One run of memory.  The session fills in the upper part, the manager's allocate the lower. */
struct jitscope_segment {
    uint32_t prot; /* JITSCOPE_READ | ...: what it must become at finalize; never W and X */
    enum jitscope_lifetime lifetime;
    uint64_t content_size;   /* bytes; content comes first */
    uint64_t zero_fill_size; /* bytes behind it that must read as zero */
    uint64_t alignment;      /* bytes, a power of two, at least the page size */

    uint64_t address; /* OUT: where it will be in the executor, aligned */
    uint8_t *working; /* OUT: where the linker writes content_size + zero_fill_size bytes until finalize; must
                         read as zero.  May be the final place itself */
};

/* A manager as functions.  CONTEXT is what was given with the table; ALLOCATION is what allocate returned,
 * the manager's own and only passed on.  SEGMENTS are the session's: valid during the call, and the same,
 * with what allocate filled in, from call to call. */
struct jitscope_memory_ops {
    size_t size;      /* sizeof(struct jitscope_memory_ops) of the caller's header: the table can grow */
    const char *name; /* shown in events; static.  Not "in-process", "executor" or "simulated": the linker
                         knows where those managers, its own, put things */

    /* Places COUNT segments; COUNT may be 0, and a segment can have 0 bytes (symbols name its place): then it
     * needs an address, no memory.  Code is compiled for segments at most 2 GiB from each other (psABI
     * x86-64, section 3.5.1, "small code model"), and below 2 GiB when jitscope_graph_wants_low_memory().
     * Of managers not its own the linker takes neither for granted: whatever is loaded through the GOT has
     * its entry there.  Through a function at a multiple of 4 GiB libgcc does not unwind: better leave such
     * addresses out. GRAPH can be read, not changed.  On an error nothing is held. */
    struct jitscope_error *(*allocate)(void *context, const struct jitscope_graph *graph,
                                       struct jitscope_segment *segments, size_t count, void **allocation);
    /* Transfers the working memory, which is not written any more, and applies the protections.  After an
     * error the allocation is still in flight and will be abandoned. */
    struct jitscope_error *(*finalize)(void *context, void *allocation,
                                       const struct jitscope_segment *segments, size_t count);
    /* Gives back one segment of lifetime FINALIZE, after the finalize actions.  May be NULL: then such
     * segments stay until deallocate. */
    void (*release)(void *context, void *allocation, const struct jitscope_segment *segment);
    /* Ends an allocation in flight, or one whose finalize actions failed. */
    void (*abandon)(void *context, void *allocation);
    /* Ends a finalized allocation; its deallocate actions have run.  It is gone also when an error is
     * returned. */
    struct jitscope_error *(*deallocate)(void *context, void *allocation);
    /* The session is going away; all allocations are gone.  May be NULL. */
    void (*destroy)(void *context);
    /* Copies SIZE bytes at ADDRESS, which lie inside one segment of the finalized ALLOCATION; 0 when they
     * cannot be read.  May be NULL: the memory is this process's and is read directly. */
    int (*read)(void *context, void *allocation, uint64_t address, void *buffer, size_t size);
};

#ifdef __cplusplus
}
#endif
#endif
