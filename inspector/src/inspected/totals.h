/* totals: what all batches hold together at the moment that is shown. */
#ifndef INSPECTED_TOTALS_H
#define INSPECTED_TOTALS_H

#include "inspected/inspected.h"

struct totals {
    uint32_t linked, linking, failed, unloaded; /* batches */
    uint64_t executable, readable, writable;    /* bytes of those that are linked */
    uint64_t blocks, symbols, got, plt, tls;    /* of those */
};

struct totals inspected_totals(const struct inspected *inspected);

#endif
