/* statistics: counting what a link says while it works; for --stats, and for the summary of `jitscope link`.
 */
#ifndef TOOLS_STATISTICS_H
#define TOOLS_STATISTICS_H

#include "base/arena.h"
#include "base/text.h"
#include "base/vec.h"
#include "jitscope/event.h"

enum { INPUT_KINDS = 8, TABLE_KINDS = 8 };

struct pass_line {
    const char *name;
    uint64_t number;
    uint64_t duration; /* ns */
};

struct segment_line {
    const char *prot;
    const char *lifetime;
    uint64_t address;
    uint64_t content_size, zero_fill_size; /* bytes */
};

/* Zero-initialised is empty. */
struct statistics {
    struct arena arena;
    VEC(struct pass_line) passes;
    VEC(struct segment_line) segments;
    uint64_t inputs[INPUT_KINDS]; /* by enum INPUT_KIND_* */
    uint64_t entries[TABLE_KINDS];
    uint64_t input_bytes; /* of what stands on its own: members are part of archives */
    uint64_t sections, blocks, symbols, edges, relaxed;
    uint64_t duration; /* ns */
    bool incomplete;   /* no memory for all of it */
};

void statistics_add(struct statistics *statistics, const struct jitscope_event *event);
void statistics_print(const struct statistics *statistics, struct text *out);
void statistics_destroy(struct statistics *statistics);

/* Nanoseconds as "1.204 ms". */
void print_duration(struct text *out, uint64_t ns);

#endif
