/* totals: what all batches hold together at the moment that is shown. */
#ifndef INSPECTED_TOTALS_H
#define INSPECTED_TOTALS_H

#include "inspected/inspected.h"

/* Of each version made once: who draws asks for them in each frame, of a hundred thousand batches. */
struct totals inspected_totals(struct inspected *inspected);

#endif
