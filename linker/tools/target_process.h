/* target_process: another process: its memory, its modules and their symbols. */
#ifndef TOOLS_TARGET_PROCESS_H
#define TOOLS_TARGET_PROCESS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/vec.h"
#include "executor/debuggee_view.h"
#include "symbol_index.h"

#include <stdbool.h>
#include <sys/types.h>

/* A file that is mapped into the process. */
struct target_module {
    const char *path;
    uint64_t start; /* lowest address of it */
    uint64_t end;
    uint64_t offset;      /* in the file, of what is mapped at START */
    uint64_t last_offset; /* of its last mapping */
    bool runs;            /* some of it is executable */
    bool asked, indexed;
    struct bytes file;             /* mapped here when asked for; {NULL, 0} when it cannot be */
    uint64_t bias;                 /* what the file's addresses differ by */
    struct symbol_index functions; /* by their addresses in the process */
};

/* Memory of a file that the process has its own copy of: initialised variables. */
struct target_data {
    uint64_t start, end;
};

struct target_process {
    pid_t pid;
    pid_t living;                      /* a thread of it: the first, unless that has ended */
    VEC(struct target_module) modules; /* by address */
    VEC(struct target_data) data;      /* what modules may write to, by address */
    struct arena arena;
    struct debuggee_memory memory; /* reads this process */
};

/* Reads /proc/PID/maps.  Errors: NOT_FOUND (no such process), SYSTEM. */
struct jitscope_error *target_process_open(pid_t pid, struct target_process *process);
void target_process_close(struct target_process *process);

const struct target_module *target_process_module_at(const struct target_process *process, uint64_t address);
/* Address of a global symbol of any module, looked for in .symtab and .dynsym; 0 when there is none. */
uint64_t target_process_symbol(struct target_process *process, const char *name);
/* What the file of ADDRESS's module calls it; *function is NULL when nothing, and lives as PROCESS.  Errors:
 * NO_MEMORY. */
struct jitscope_error *target_process_function_at(struct target_process *process, uint64_t address,
                                                  const struct indexed_symbol **function);

#endif
