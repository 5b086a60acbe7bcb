/* What was read: sections of inputs that grew, came, went, or were left out for another reason. */
#include "mirror/diff_state.h"

#include <inttypes.h>
#include <stdlib.h>

/* One section name of one input, on both sides. */
struct sum {
    uint32_t input, section; /* shared */
    struct {
        uint64_t size;
        uint32_t blocks, removed, reason; /* the last removal's */
        uint32_t prot;
    } side[2];
};

struct sums {
    VEC(struct sum) list;
    struct map64 by_key;
};

static struct jitscope_error *sum_of(struct sums *sums, uint32_t input, uint32_t section, struct sum **sum) {
    uint64_t key = section_key(input, section);
    uint32_t at = map64_find(&sums->by_key, key);
    if (at == MAP64_NO_VALUE) {
        at = sums->list.count;
        TRY(vec_push(&sums->list, (struct sum){.input = input, .section = section}));
        TRY(map64_set(&sums->by_key, key, at));
    }
    *sum = &sums->list.data[at];
    return NULL;
}

static struct jitscope_error *add_blocks(struct sums *sums, const struct side *side, uint32_t which) {
    for (uint32_t i = 0; i < side->link->blocks.count; i++) {
        const struct mirror_block *block = mirror_block(side->link, i);
        struct sum *sum;
        if (!block || (block->removed && block->reason == REASON_SPLIT))
            continue;
        TRY(sum_of(sums, shared_input(side, block->event.input), section_name(side, block), &sum));
        const struct mirror_section *section = mirror_section(side->link, block->event.section);
        sum->side[which].prot = section ? section->event.prot : 0;
        if (block->removed) {
            sum->side[which].removed++;
            sum->side[which].reason = block->reason;
        } else {
            sum->side[which].blocks++;
            sum->side[which].size += block->event.size;
        }
    }
    return NULL;
}

/* Input sections that never came in: their reason stands for the removal's. */
static struct jitscope_error *add_discards(struct sums *sums, const struct side *side, uint32_t which) {
    for (uint32_t i = 0; i < side->link->discards.count; i++) {
        const struct mirror_discard *discard = &side->link->discards.data[i];
        struct sum *sum;
        if (!discard->is_section)
            continue;
        TRY(sum_of(sums, shared_input(side, discard->section.input),
                   shared_name(side, discard->section.name.id), &sum));
        sum->side[which].removed++;
        sum->side[which].reason = discard->section.reason;
    }
    return NULL;
}

/* --- findings */

static void put_reason(struct text *text, const struct mirror *mirror, uint32_t reason) {
    const struct schema *schema = &mirror->file->schema;
    const char *found = NULL;
    for (uint32_t i = 0; i < schema->types.count && !found; i++)
        if (!__builtin_strcmp(schema->types.data[i].name, "reason"))
            found = schema_value_text(schema, i, reason);
    text_append(text, found ? found : "for an unknown reason");
}

static void put_section(struct text *text, const struct diff_work *work, const struct sum *sum) {
    put_shared(text, work, sum->section);
    text_append(text, sum->input == NO_ID ? ", made by " : " of ");
    put_diff_input(text, work, sum->input);
}

static void put_growth(struct text *text, uint64_t before, uint64_t after) {
    bool grew = after > before;
    text_append(text, grew ? " grew by " : " shrank by ");
    put_times(text, grew ? after - before : before - after, "byte");
    text_print(text, ", %" PRIu64 " -> %" PRIu64, before, after);
}

/* Both sides hold some of it, or neither does; "": nothing to tell. */
static const char *describe(struct text *text, const struct diff_work *work, const struct sum *sum) {
    bool here = sum->side[1].blocks, before = sum->side[0].blocks;
    if (before && here && sum->side[0].size != sum->side[1].size) {
        put_section(text, work, sum);
        put_growth(text, sum->side[0].size, sum->side[1].size);
        return "section_changed";
    }
    if (before && here && sum->side[0].blocks != sum->side[1].blocks) {
        put_section(text, work, sum);
        text_print(text, " has %u blocks now, before %u", sum->side[1].blocks, sum->side[0].blocks);
        return "section_changed";
    }
    if (before == here)
        return NULL;
    uint32_t without = before ? 1 : 0;
    put_section(text, work, sum);
    text_print(text, before ? " is not in memory any more" : " is in memory now");
    text_print(text, " (%" PRIu64 " bytes)", sum->side[!without].size);
    if (sum->side[without].removed) {
        text_append(text, before ? ": " : "; before it was not: ");
        put_reason(text, (without ? &work->b : &work->a)->mirror, sum->side[without].reason);
    }
    return before ? "section_removed" : "section_added";
}

static struct jitscope_error *find_sum(struct diff_work *work, const struct sum *sum) {
    struct text text = {0}, fields = {0};
    uint32_t id, cause = finding_of_input(work, sum->input);
    uint32_t a_count = work->a.mirror->inputs.count;
    const char *what = cause == NO_ID ? NULL : work->diff->findings.data[cause].what;
    bool lonely = what && __builtin_strcmp(what, "input_changed") != 0;
    /* All sections of an input that is new, or gone, say nothing more. */
    if (lonely && sum->input < a_count + work->b.mirror->inputs.count)
        return map64_set(&work->by_section, section_key(sum->input, sum->section), cause);
    what = describe(&text, work, sum);
    if (!what) {
        text_destroy(&text);
        return NULL;
    }
    put_shared_json(&fields, work, "section", sum->section);
    text_print(&fields, ",\"before\":%" PRIu64 ",\"after\":%" PRIu64, sum->side[0].size, sum->side[1].size);
    TRY(find(work, what, cause, &text, &fields, &id));
    return map64_set(&work->by_section, section_key(sum->input, sum->section), id);
}

/* Entries of tables are told of one by one, and commons and bounds by their symbols. */
static bool is_table(const struct diff_work *work, const struct sum *sum) {
    struct pooled_string name = work->names.strings.data[sum->section];
    return sum->input == NO_ID &&
           (!__builtin_strcmp(name.bytes, ".got") || !__builtin_strcmp(name.bytes, ".plt"));
}

static struct jitscope_error *find_prot(struct diff_work *work, const struct sum *sum) {
    struct text text = {0};
    if (!sum->side[0].blocks || !sum->side[1].blocks || sum->side[0].prot == sum->side[1].prot)
        return NULL;
    put_section(&text, work, sum);
    text_print(&text, " has another protection: %u -> %u (1 read, 2 write, 4 execute)", sum->side[0].prot,
               sum->side[1].prot);
    return find(work, "section_protection", finding_of_input(work, sum->input), &text, NULL, NULL);
}

/* --- what lost against what */

static uint64_t discard_key(const struct side *side, const struct mirror_discard *discard) {
    if (discard->is_section)
        return MAP64_NO_KEY;
    const struct event_symbol_discarded *event = &discard->symbol;
    uint64_t key = mix_key(mix_key(5, shared_name(side, event->name.id)), event->reason);
    return mix_key(mix_key(key, shared_input(side, event->input)), shared_input(side, event->in_favour_of));
}

static uint64_t *discard_keys(const struct side *side) {
    uint64_t *keys = os_allocate(side->link->discards.count * sizeof *keys);
    for (uint32_t i = 0; keys && i < side->link->discards.count; i++)
        keys[i] = discard_key(side, &side->link->discards.data[i]);
    return keys;
}

static struct jitscope_error *find_discard(struct diff_work *work, const struct side *side,
                                           const struct event_symbol_discarded *event, bool now) {
    struct text text = {0}, fields = {0};
    uint32_t loser = shared_input(side, event->input), winner = shared_input(side, event->in_favour_of);
    uint32_t cause = finding_of_input(work, loser);
    put_shared(&text, work, shared_name(side, event->name.id));
    text_append(&text, " of ");
    put_diff_input(&text, work, loser);
    text_append(&text, now ? " loses now to that of " : " does not lose any more to that of ");
    put_diff_input(&text, work, winner);
    text_append(&text, ": ");
    put_reason(&text, side->mirror, event->reason);
    put_shared_json(&fields, work, "name", shared_name(side, event->name.id));
    return find(work, now ? "symbol_discarded" : "symbol_kept",
                cause == NO_ID ? finding_of_input(work, winner) : cause, &text, &fields, NULL);
}

static struct jitscope_error *find_discards(struct diff_work *work, const struct side *side,
                                            const uint32_t *pairs, bool now) {
    for (uint32_t i = 0; i < side->link->discards.count; i++)
        if (pairs[i] == NO_ID && !side->link->discards.data[i].is_section)
            TRY(find_discard(work, side, &side->link->discards.data[i].symbol, now));
    return NULL;
}

static struct jitscope_error *diff_discards(struct diff_work *work) {
    uint32_t a_count = work->a.link->discards.count, b_count = work->b.link->discards.count;
    uint64_t *a_keys = discard_keys(&work->a), *b_keys = discard_keys(&work->b);
    uint32_t *a = no_pairs(a_count), *b = no_pairs(b_count);
    struct jitscope_error *error =
        a_keys && b_keys && a && b ? pair_by_key(a_keys, a_count, b_keys, b_count, a, b) : error_no_memory();
    if (!error)
        error = find_discards(work, &work->a, a, false);
    if (!error)
        error = find_discards(work, &work->b, b, true);
    os_release(a_keys);
    os_release(b_keys);
    os_release(a);
    os_release(b);
    return error;
}

static struct jitscope_error *sum_up(struct diff_work *work, struct sums *sums) {
    TRY(add_blocks(sums, &work->a, 0));
    TRY(add_blocks(sums, &work->b, 1));
    TRY(add_discards(sums, &work->a, 0));
    TRY(add_discards(sums, &work->b, 1));
    for (uint32_t i = 0; i < sums->list.count; i++) {
        if (is_table(work, &sums->list.data[i]))
            continue;
        TRY(find_sum(work, &sums->list.data[i]));
        TRY(find_prot(work, &sums->list.data[i]));
    }
    return NULL;
}

struct jitscope_error *diff_sections(struct diff_work *work) {
    struct sums sums = {0};
    struct jitscope_error *error = sum_up(work, &sums);
    vec_destroy(&sums.list);
    map64_destroy(&sums.by_key);
    return error ? error : diff_discards(work);
}
