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

static struct totals add_all(const struct inspected *inspected) {
    struct totals totals = {0};
    const struct mirror *mirror = &inspected->mirror;
    for (uint32_t i = 0; i < mirror->links.count; i++) {
        struct mirror_life life = mirror_life(mirror, i);
        struct mirror_tally tally = mirror_tally(mirror, i);
        bool failed = life.ended && life.end.outcome == OUTCOME_FAILED;
        if (!life.known)
            continue;
        totals.unloaded += life.unloaded;
        totals.linking += !life.unloaded && !life.ended;
        totals.failed += !life.unloaded && failed;
        if (life.unloaded || !life.ended || failed)
            continue;
        totals.linked++;
        add(&totals, &tally);
    }
    return totals;
}

struct totals inspected_totals(struct inspected *inspected) {
    if (!inspected->has_totals || inspected->totals_version != inspected->version)
        inspected->totals = add_all(inspected);
    inspected->has_totals = true;
    inspected->totals_version = inspected->version;
    return inspected->totals;
}
