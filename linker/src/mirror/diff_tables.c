/* Table entries that came and went, and references that are relaxed on one side only. */
#include "mirror/diff_state.h"

#include <inttypes.h>

static const char *const table_names[] = {"GOT", "PLT", "TLS"};

/* --- entries */

static uint64_t entry_key(const struct side *side, const struct event_table_entry *entry) {
    const struct mirror_symbol *target = mirror_symbol(side->link, entry->target);
    return mix_key(mix_key(20, entry->table), target ? shared_name(side, target->name) : NO_NAME);
}

static uint64_t *entry_keys(const struct side *side) {
    uint64_t *keys = os_allocate(side->link->entries.count * sizeof *keys);
    for (uint32_t i = 0; keys && i < side->link->entries.count; i++)
        keys[i] = entry_key(side, &side->link->entries.data[i]);
    return keys;
}

static uint32_t input_of_block(const struct side *side, uint32_t id) {
    const struct mirror_block *block = mirror_block(side->link, id);
    return block ? shared_input(side, block->event.input) : NO_ID;
}

static uint32_t target_name(const struct side *side, const struct event_table_entry *entry) {
    const struct mirror_symbol *target = mirror_symbol(side->link, entry->target);
    return target ? shared_name(side, target->name) : NO_NAME;
}

/* Entries of one table that one side lacks.  When all were asked for by one input that changed, that is why.
 */
static struct jitscope_error *find_entries(struct diff_work *work, const struct side *side,
                                           const uint32_t *pairs, uint32_t table, bool added) {
    struct name_list names = {0};
    struct text text = {0}, fields = {0};
    uint32_t cause = NO_ID;
    for (uint32_t i = 0; i < side->link->entries.count; i++) {
        const struct event_table_entry *entry = &side->link->entries.data[i];
        if (pairs[i] != NO_ID || entry->table != table)
            continue;
        uint32_t why = finding_of_input(work, input_of_block(side, entry->asked_by));
        cause = names.count && cause != why ? NO_ID : why;
        name_list_add(&names, work, target_name(side, entry));
    }
    if (!names.count)
        return NULL;
    text_print(&text, "%s: ", table_names[table]);
    text_print(&text, "%u %sentr%s%s", names.count, added ? "new " : "", names.count == 1 ? "y" : "ies",
               added ? ", for " : " less, for ");
    name_list_put(&text, &fields, &names);
    text_print(&fields, ",\"table\":\"%s\"", table_names[table]);
    return find(work, added ? "entries_added" : "entries_removed", cause, &text, &fields,
                &work->table_finding[table]);
}

/* Who asked first, by input and section: offsets change with everything that is before them. */
static bool same_asker(const struct diff_work *work, const struct event_table_entry *a,
                       const struct event_table_entry *b) {
    const struct mirror_block *x = mirror_block(work->a.link, a->asked_by);
    const struct mirror_block *y = mirror_block(work->b.link, b->asked_by);
    return !x || !y ||
           (shared_input(&work->a, x->event.input) == shared_input(&work->b, y->event.input) &&
            section_name(&work->a, x) == section_name(&work->b, y));
}

static struct jitscope_error *find_askers(struct diff_work *work, const uint32_t *a_pairs, uint32_t table) {
    struct name_list names = {0};
    struct text text = {0}, fields = {0};
    const struct mirror_link *a = work->a.link, *b = work->b.link;
    for (uint32_t i = 0; i < a->entries.count; i++)
        if (a_pairs[i] != NO_ID && a->entries.data[i].table == table &&
            !same_asker(work, &a->entries.data[i], &b->entries.data[a_pairs[i]]))
            name_list_add(&names, work, target_name(&work->a, &a->entries.data[i]));
    if (!names.count)
        return NULL;
    text_print(&text, "%s: asked for first by another section or input: ", table_names[table]);
    name_list_put(&text, &fields, &names);
    text_print(&fields, ",\"table\":\"%s\"", table_names[table]);
    return find(work, "entries_asked", NO_ID, &text, &fields, NULL);
}

static struct jitscope_error *diff_entries(struct diff_work *work, uint32_t *a, uint32_t *b) {
    for (uint32_t table = 0; table < sizeof table_names / sizeof *table_names; table++) {
        TRY(find_entries(work, &work->a, a, table, false));
        TRY(find_entries(work, &work->b, b, table, true));
        TRY(find_askers(work, a, table));
    }
    return NULL;
}

/* --- relaxations */

/* Whether the reference had a table entry before it was relaxed is not its matter: that is told of entries.
 */
static uint64_t relaxation_key(const struct side *side, const struct event_edge_relaxed *event) {
    const struct mirror_block *block = mirror_block(side->link, event->block);
    const struct mirror_symbol *target = mirror_symbol(side->link, event->target);
    uint64_t key = mix_key(21, block ? shared_input(side, block->event.input) : NO_ID);
    return mix_key(key, target ? shared_name(side, target->name) : NO_NAME);
}

static uint64_t *relaxation_keys(const struct side *side) {
    uint64_t *keys = os_allocate(side->link->relaxations.count * sizeof *keys);
    for (uint32_t i = 0; keys && i < side->link->relaxations.count; i++)
        keys[i] = relaxation_key(side, &side->link->relaxations.data[i]);
    return keys;
}

/* Relaxations of one input that the other side lacks. */
struct lack {
    uint32_t input, count;
    struct name_list names;
};

static struct jitscope_error *find_lack(struct diff_work *work, struct lack *lack, bool now) {
    struct text text = {0}, fields = {0};
    put_times(&text, lack->count, "reference");
    text_append(&text, " of ");
    put_diff_input(&text, work, lack->input);
    text_append(&text, now ? " relaxed to go straight to the target, not so before: to "
                           : " not relaxed any more, which went straight to the target before: to ");
    name_list_put(&text, &fields, &lack->names);
    return find(work, now ? "relaxations_added" : "relaxations_removed", finding_of_input(work, lack->input),
                &text, &fields, NULL);
}

/* Each name once, however many references there are. */
static struct jitscope_error *add_lacking(struct diff_work *work, struct lack *lack, struct map64 *seen,
                                          uint32_t name) {
    uint64_t key = mix_key(mix_key(22, lack->input), name);
    lack->count++;
    if (map64_find(seen, key) != MAP64_NO_VALUE)
        return NULL;
    name_list_add(&lack->names, work, name);
    return map64_set(seen, key, 1);
}

static struct jitscope_error *find_lacks(struct diff_work *work, const struct side *side,
                                         const uint32_t *pairs, bool now) {
    struct map64 by_input = {0}, seen = {0};
    VEC(struct lack) list = {0};
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < side->link->relaxations.count && !error; i++) {
        const struct event_edge_relaxed *event = &side->link->relaxations.data[i];
        const struct mirror_symbol *target = mirror_symbol(side->link, event->target);
        uint32_t input = input_of_block(side, event->block), at = map64_find(&by_input, input);
        if (pairs[i] != NO_ID)
            continue;
        if (at == MAP64_NO_VALUE) {
            at = list.count;
            error = vec_push(&list, (struct lack){.input = input});
            if (!error)
                error = map64_set(&by_input, input, at);
        }
        if (!error)
            error =
                add_lacking(work, &list.data[at], &seen, target ? shared_name(side, target->name) : NO_NAME);
    }
    for (uint32_t i = 0; i < list.count; i++)
        if (!error)
            error = find_lack(work, &list.data[i], now);
        else
            text_destroy(&list.data[i].names.shown), text_destroy(&list.data[i].names.json);
    vec_destroy(&list);
    map64_destroy(&by_input);
    map64_destroy(&seen);
    return error;
}

static struct jitscope_error *diff_relaxations(struct diff_work *work, uint32_t *a, uint32_t *b) {
    TRY(find_lacks(work, &work->a, a, false));
    return find_lacks(work, &work->b, b, true);
}

/* --- both */

static struct jitscope_error *
diff_paired(struct diff_work *work, uint64_t *(*keys)(const struct side *), uint32_t a_count,
            uint32_t b_count, struct jitscope_error *(*compare)(struct diff_work *, uint32_t *, uint32_t *)) {
    uint64_t *a_keys = keys(&work->a), *b_keys = keys(&work->b);
    uint32_t *a = no_pairs(a_count), *b = no_pairs(b_count);
    struct jitscope_error *error =
        a_keys && b_keys && a && b ? pair_by_key(a_keys, a_count, b_keys, b_count, a, b) : error_no_memory();
    if (!error)
        error = compare(work, a, b);
    os_release(a_keys);
    os_release(b_keys);
    os_release(a);
    os_release(b);
    return error;
}

struct jitscope_error *diff_tables(struct diff_work *work) {
    const struct mirror_link *a = work->a.link, *b = work->b.link;
    TRY(diff_paired(work, entry_keys, a->entries.count, b->entries.count, diff_entries));
    return diff_paired(work, relaxation_keys, a->relaxations.count, b->relaxations.count, diff_relaxations);
}
