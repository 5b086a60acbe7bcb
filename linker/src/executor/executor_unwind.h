/* executor_unwind: making .eh_frame sections known to every unwinder of this process. */
#ifndef EXECUTOR_UNWIND_H
#define EXECUTOR_UNWIND_H

#include "base/bytes.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

/* The unwinders a section can be registered with, one bit each. */
enum { UNWINDER_LIBGCC = 1, UNWINDER_LLVM = 2, UNWINDER_NONGNU = 4 };

struct nongnu_table;

struct registered_eh_frame {
    uint64_t address;
    uint64_t size;
    struct nongnu_table *table; /* what nongnu libunwind was told; NULL when nothing */
    uint8_t with;               /* UNWINDER_* */
};

/* An unwinder in JIT'd code, by the addresses of what it is told with: see executor_linked.h. */
struct linked_unwinder {
    uint64_t add_function;
    uint64_t remove_function;
    bool each_fde; /* they take one FDE, not a whole section */
};

/* Zero-initialised is ready. */
struct unwinders {
    bool found; /* the functions below were looked for; false again after a library was opened */
    void *libgcc;
    void (*gcc_register)(const void *);
    void (*gcc_deregister)(const void *);
    void (*llvm_register)(uintptr_t);
    void (*llvm_deregister)(uintptr_t);
    void *nongnu;
    void (*nongnu_register)(void *);
    void (*nongnu_deregister)(void *);
    void (*nongnu_flush)(void *space, uintptr_t low, uintptr_t high);
    void **nongnu_space; /* the address space of this process, for nongnu_flush */
    VEC(struct registered_eh_frame) registered;
    VEC(struct linked_unwinder) linked;
};

/* Both return NULL, or why it failed (a static text). */
const char *executor_register_eh_frame(struct unwinders *unwinders, uint64_t address, uint64_t size);
const char *executor_deregister_eh_frame(struct unwinders *unwinders, uint64_t address, uint64_t size);
/* Calls FUNCTION for each FDE; with NULL it only checks the records.  Returns NULL, or what is wrong with
 * them. */
const char *executor_each_fde(struct bytes section, void (*function)(uintptr_t));
void executor_unwinders_destroy(struct unwinders *unwinders);
/* The names of the unwinders found so far; how many, at most EXECUTOR_UNWINDERS. */
uint32_t executor_unwinder_names(const struct unwinders *unwinders, const char **names);

#endif
