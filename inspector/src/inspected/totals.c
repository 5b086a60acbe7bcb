#include "inspected/totals.h"

static void add(struct totals *totals, const struct mirror_tally *tally) {
    totals->executable += tally->executable;
    totals->readable += tally->readable;
    totals->writable += tally->writable;
    totals->blocks += tally->blocks;
    totals->symbols += tally->symbols;
    totals->got += tally->got;
    totals->plt += tally->plt;
    totals->tls += tally->tls;
}

struct totals inspected_totals(const struct inspected *inspected) {
    struct totals totals = {0};
    const struct mirror *mirror = &inspected->mirror;
    EACH_LINK(link) {
        if (!link->known)
            continue;
        struct mirror_tally tally = mirror_tally(mirror, link->number);
        if (link->unloaded)
            totals.unloaded++;
        else if (!link->ended)
            totals.linking++;
        else if (link->end.outcome == OUTCOME_FAILED)
            totals.failed++;
        else
            totals.linked++;
        if (link->ended && !link->unloaded && link->end.outcome != OUTCOME_FAILED)
            add(&totals, &tally);
    }
    return totals;
}
