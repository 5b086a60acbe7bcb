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

struct rates inspected_rates(const struct inspected *inspected, bool follows) {
    enum { SECOND = 1000000000 };
    struct rates rates = {0};
    uint32_t count = inspected_boundaries_up_to(inspected, inspected->now);
    const struct mirror_boundary *all = inspected->mirror.boundaries.data;
    if (!count)
        return rates;
    uint64_t end =
        follows && inspected->is_alive ? inspected->looked - inspected->began : all[count - 1].time;
    uint64_t first = inspected->now + 1;
    for (; count && all[count - 1].time + SECOND > end; count--) {
        first = all[count - 1].sequence;
        rates.batches += all[count - 1].is_link;
    }
    rates.events = inspected->now + 1 - first;
    return rates;
}

static struct totals add_all(const struct inspected *inspected) {
    struct totals totals = {0};
    const struct mirror *mirror = &inspected->mirror;
    totals.batches = mirror->links.count;
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

/* While a large recording is read, what is new each time matters less than that reading goes on. */
static bool is_outdated(const struct inspected *inspected) {
    enum { PART = 8 };
    const struct totals *totals = &inspected->totals;
    uint32_t known = totals->batches, batches = inspected->mirror.links.count;
    if (!inspected->has_totals)
        return true;
    if (!inspected->is_read && inspected->now >= inspected->totals_now && batches > known &&
        batches - known < known / PART)
        return false;
    return inspected->totals_version != inspected->version;
}

struct totals inspected_totals(struct inspected *inspected) {
    if (!is_outdated(inspected))
        return inspected->totals;
    inspected->totals = add_all(inspected);
    inspected->has_totals = true;
    inspected->totals_version = inspected->version;
    inspected->totals_now = inspected->now;
    return inspected->totals;
}
