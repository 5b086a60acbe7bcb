/* pass: functions over the graph, run in phases, each an event pair with counts and time. */
#ifndef PASS_PASS_H
#define PASS_PASS_H

#include "graph/graph.h"

typedef struct jitscope_error *(*pass_function)(struct graph *graph, void *context);

struct pass {
    const char *name; /* shown in events; outlives the list */
    pass_function run;
    void *context;
    uint8_t phase; /* PHASE_* */
};

/* Passes in order of addition; those of one phase run in that order. */
struct pass_list {
    VEC(struct pass) passes;
};

struct jitscope_error *pass_list_add(struct pass_list *list, uint8_t phase, const char *name,
                                     pass_function run, void *context);
void pass_list_destroy(struct pass_list *list);

/* Runs one function as a pass: pass_begin, RUN, pass_end; debug builds verify the graph afterwards.  *number
 * counts the runs of a link. */
struct jitscope_error *pass_run(struct graph *graph, uint32_t *number, uint8_t phase, const char *name,
                                pass_function run, void *context);
/* All passes of PHASE in LIST. */
struct jitscope_error *pass_run_phase(struct graph *graph, uint32_t *number, const struct pass_list *list,
                                      uint8_t phase);

#endif
