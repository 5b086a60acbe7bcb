/* widen: references that were made direct because the batch was to lie near (relax.h), and now may not.
 *
 * That is decided before the embedding program's post-prune passes, which may add what does not fit between
 * code and data: gigabytes.  Then such references go through the GOT after all, as they were written.
 * References that do without it are no better off (static variables behind gigabytes of constants): they end
 * the link when they do not reach. */
#ifndef PASS_WIDEN_H
#define PASS_WIDEN_H

#include "graph/graph.h"

/* Post-prune, where the graph lies near no more: what relax_early() has taken is asked for again. */
struct jitscope_error *widen_references(struct graph *graph, void *unused);

#endif
