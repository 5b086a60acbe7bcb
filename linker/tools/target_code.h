/* target_code: the JIT'd code of another process, as its debuggee.h tells of it: unwind tables, names, lines.
 */
#ifndef TOOLS_TARGET_CODE_H
#define TOOLS_TARGET_CODE_H

#include "target_process.h"

struct nongnu_table;

/* A batch's executable segment, with the .eh_frame that describes its functions. */
struct target_range {
    uint64_t start, end;
    uint64_t eh_frame, eh_frame_size; /* in the process; 0 for none */
    struct nongnu_table *table;       /* of its records, made when first asked for */
    bool asked;
};

struct target_function {
    uint64_t start;
    const char *name;
    const char *file; /* of the address asked about; NULL when not known */
    uint32_t line;
};

struct target_image; /* one debug image: its names, and its lines when first asked for */

struct target_code {
    const struct target_process *process;
    struct debuggee root;
    VEC(struct target_range) ranges; /* by start */
    VEC(struct target_image *) images;
    bool changing;      /* the process was stopped while it changed its lists */
    const char *absent; /* why there is no JIT'd code to be seen; NULL when there is */
};

/* Errors: NO_MEMORY.  A process without jitscope, or with a damaged table, is no error: ABSENT says it. */
struct jitscope_error *target_code_open(struct target_process *process, struct target_code *code);
void target_code_close(struct target_code *code);

struct target_range *target_code_range_at(struct target_code *code, uint64_t address);
/* The sorted table of the range's FDEs; NULL when there is none or it cannot be read. */
struct nongnu_table *target_code_unwind_table(struct target_code *code, struct target_range *range);
/* The function that holds ADDRESS; strings live until target_code_close(). */
bool target_code_function_at(struct target_code *code, uint64_t address, struct target_function *function);

#endif
