/* totals: what all batches hold together at the moment that is shown. */
#ifndef INSPECTED_TOTALS_H
#define INSPECTED_TOTALS_H

#include "inspected/inspected.h"

/* Of each version made once: who draws asks for them in each frame, of a hundred thousand batches. */
struct totals inspected_totals(struct inspected *inspected);

/* What happened in the second before the moment that is shown.  Times are those of the events that begin
 * passes and batches, the last of which stands for the moment; for who FOLLOWS a process that runs it is the
 * present, so that one that does nothing has nothing. */
struct rates {
    uint32_t batches; /* that began */
    uint64_t events;
};

struct rates inspected_rates(const struct inspected *inspected, bool follows);

#endif
