/* unwinder: one unwinder in this process, and how it is told of an .eh_frame section.
 *
 * - libgcc: __register_frame takes a whole section up to its terminator and aborts the process when asked to
 *   forget what it does not know.  Up to release 12 its list is searched linearly, so one section for a batch
 *   matters, and many batches are grouped (frame_groups.h).
 * - LLVM's libunwind: a function of the same name takes one FDE, so the name alone must never be trusted.
 *   __unw_add_dynamic_eh_frame_section takes a section, but gives up at the first FDE whose CIE is not the
 *   last before it, and reads on behind the terminator in releases up to 16 (and crashes, or registers what
 *   it finds there).  Which of these it is, is tried out (unwinder_llvm.c).  When that or the section will
 * not do, __unw_add_dynamic_fde does the same job, one FDE at a time.
 * - nongnu libunwind: _U_dyn_register takes a table (executor_nongnu.h).
 *
 * The format of the section is that of the Linux Standard Base, Core, section 10.6.1 ("The .eh_frame
 * section"): records of a 32-bit length, a 32-bit id (0: a CIE; else an FDE, and the distance back to its
 * CIE), and a length of 0 at the end. */
#ifndef EXECUTOR_UNWINDER_H
#define EXECUTOR_UNWINDER_H

#include "base/bytes.h"

#include <stdbool.h>

struct nongnu_table;
struct frame_groups;

enum unwinder_kind { UNWINDER_LIBGCC, UNWINDER_LLVM, UNWINDER_NONGNU, UNWINDER_KINDS };
enum { UNWINDERS_PER_LIBRARY = 2 };

struct unwinder {
    enum unwinder_kind kind;
    bool is_batch_s; /* it is JIT'd code itself */
    const char *name;
    void *library; /* a handle to be closed when it is forgotten; NULL: none */
    union {
        void (*libgcc)(const void *section);
        void (*llvm)(uintptr_t fde);
        void (*nongnu)(void *info);
    } add, remove;
    void (*add_section)(uintptr_t), (*remove_section)(uintptr_t); /* LLVM's, or NULL */
    void (*add_table)(const void **, void *); /* libgcc's, when it keeps a list; or NULL */
    void *(*remove_table)(const void **);
    struct frame_groups *groups; /* of libgcc's that is used, when it keeps a list */
    void (*flush)(void *space, uintptr_t low, uintptr_t high); /* nongnu's: forgets what it cached */
    void **space;                                              /* of this process, for FLUSH */
};

/* NULL, or what is wrong with the section's records. */
const char *unwinder_check_section(struct bytes section);

/* The unwinders that LIBRARY itself has; how many. */
uint32_t unwinders_of_library(void *library, struct unwinder found[UNWINDERS_PER_LIBRARY]);
/* The unwinder that is linked statically into the library or program that this code is in; false: none. */
bool unwinder_of_this_program(struct unwinder *unwinder);
/* As executor_adopt_unwinder(). */
bool unwinder_of_batch(uint64_t kind, uint64_t add, uint64_t remove, struct unwinder *unwinder);
bool unwinder_is_same(const struct unwinder *one, const struct unwinder *other);
/* A batch brought it, with this function to add by. */
bool unwinder_is_batch_s(const struct unwinder *unwinder, uint64_t add);

/* It is going to be used; and no more, without its library being closed. */
void unwinder_settle(struct unwinder *unwinder);
void unwinder_forget(struct unwinder *unwinder);

/* SECTION is sound; TABLE is nongnu's of it, good until it is removed. */
void unwinder_add(const struct unwinder *unwinder, struct bytes section, struct nongnu_table *table);
void unwinder_remove(const struct unwinder *unwinder, struct bytes section, struct nongnu_table *table);

/* Whether LLVM's ADD, which takes a section, stops at its end: FIND is _Unwind_Find_FDE of the same library.
 */
bool unwinder_llvm_stops(void (*add)(uintptr_t), void (*remove)(uintptr_t),
                         const void *(*find)(const void *, void *));

#endif
