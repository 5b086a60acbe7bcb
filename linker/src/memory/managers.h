/* managers: the memory managers that come with jitscope, each a struct jitscope_memory_ops and its context.
 */
#ifndef MEMORY_MANAGERS_H
#define MEMORY_MANAGERS_H

#include "base/error.h"
#include "jitscope/memory.h"
#include "trace/trace.h"

/* The segments of a batch of at most so many bytes lie less than 2 GiB apart: what is to reach across them
 * need not go through a table.  (Those that lie where code runs do so whatever their size: all that is
 * reserved lies in one window of that size, executor/address_space.h.) */
#define NEAR_BATCH ((uint64_t)1 << 30)

/* Whether NAME is one of the three managers' here. */
bool is_own_manager(const char *name);

/* In this process: reserved address ranges within reach of NEAR, one sub-range per kind of segment so that
 * neighbouring batches' pages merge into one mapping; freed ranges are reused; below 2 GiB when the graph
 * wants low memory. */
extern const struct jitscope_memory_ops memory_in_process_ops;
struct jitscope_error *memory_in_process_create(uint64_t near_address, struct trace *trace, void **context);

/* In the process of EXECUTOR, which is remote. */
struct executor;
extern const struct jitscope_memory_ops memory_executor_ops;
struct jitscope_error *memory_executor_create(struct executor *executor, struct trace *trace, void **context);

/* Any target address, from BASE upwards; nothing is executed, everything stays readable. */
extern const struct jitscope_memory_ops memory_simulated_ops;
struct jitscope_error *memory_simulated_create(uint64_t base, uint64_t page_size, void **context);

#endif
