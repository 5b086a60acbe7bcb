/* Which entity of one recording is which of the other. */
#include "mirror/diff_state.h"

uint64_t mix_key(uint64_t hash, uint64_t value) {
    /* Both are often small numbers, which must not cancel each other. */
    hash = ((hash + 1) * 0xff51afd7ed558ccdu ^ value) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
    return hash == MAP64_NO_KEY ? 0 : hash;
}

uint32_t *no_pairs(uint32_t count) {
    uint32_t *pairs = os_allocate((size_t)count * sizeof *pairs);
    for (uint32_t i = 0; pairs && i < count; i++)
        pairs[i] = NO_ID;
    return pairs;
}

/* Those of side A with one key wait in a queue, in their order. */
static struct jitscope_error *queue(const uint64_t *keys, uint32_t count, const uint32_t *pairs,
                                    struct map64 *heads, uint32_t *next) {
    for (uint32_t i = count; i-- > 0;) {
        if (keys[i] == MAP64_NO_KEY || pairs[i] != NO_ID)
            continue;
        next[i] = map64_find(heads, keys[i]); /* MAP64_NO_VALUE is NO_ID */
        TRY(map64_set(heads, keys[i], i));
    }
    return NULL;
}

struct jitscope_error *pair_by_key(const uint64_t *a, uint32_t a_count, const uint64_t *b, uint32_t b_count,
                                   uint32_t *a_pairs, uint32_t *b_pairs) {
    struct map64 heads = {0};
    uint32_t *next = no_pairs(a_count);
    struct jitscope_error *error = next ? queue(a, a_count, a_pairs, &heads, next) : error_no_memory();
    for (uint32_t i = 0; i < b_count && !error; i++) {
        uint32_t head = b[i] == MAP64_NO_KEY || b_pairs[i] != NO_ID ? NO_ID : map64_find(&heads, b[i]);
        if (head == NO_ID)
            continue;
        a_pairs[head] = i;
        b_pairs[i] = head;
        error = map64_set(&heads, b[i], next[head]);
    }
    map64_destroy(&heads);
    os_release(next);
    return error;
}

/* --- looking up */

uint32_t shared_name(const struct side *side, uint32_t name) {
    return name < side->mirror->file->strings.count ? side->names[name] : NO_NAME;
}

uint32_t shared_input(const struct side *side, uint32_t input) {
    return input < side->mirror->inputs.count ? side->inputs[input] : NO_ID;
}

uint32_t section_name(const struct side *side, const struct mirror_block *block) {
    const struct mirror_section *section = mirror_section(side->link, block->event.section);
    return section ? shared_name(side, section->event.name.id) : NO_NAME;
}

uint64_t section_key(uint32_t input, uint32_t section) {
    uint64_t key = (uint64_t)input << 32 | section;
    return key == MAP64_NO_KEY ? 0 : key;
}

bool is_placed(const struct side *side, uint32_t id) {
    const struct mirror_block *block = mirror_block(side->link, id);
    return block && !block->removed && block->segment < side->link->segments.count &&
           side->link->segments.data[block->segment].known;
}

uint64_t place_of(const struct side *side, uint32_t id) {
    const struct mirror_block *block = &side->link->blocks.data[id];
    return block->address - side->link->segments.data[block->segment].event.address;
}

/* --- inputs */

static uint64_t hash_of(const char *bytes, uint32_t length) {
    uint64_t hash = length;
    for (uint32_t i = 0; i < length; i++)
        hash = mix_key(hash, (unsigned char)bytes[i]);
    return hash;
}

/* By name, or by what stands behind the last slash of it, among those of one kind. */
static uint64_t *input_keys(const struct diff_work *work, const struct side *side, bool whole) {
    const struct mirror *mirror = side->mirror;
    uint64_t *keys = os_allocate(mirror->inputs.count * sizeof *keys);
    for (uint32_t i = 0; keys && i < mirror->inputs.count; i++) {
        const struct mirror_input *input = mirror_input(mirror, i);
        uint64_t name = input ? shared_name(side, input->event.name.id) : NO_NAME;
        keys[i] = MAP64_NO_KEY;
        if (!input)
            continue;
        if (!whole) {
            struct pooled_string text = work->names.strings.data[name];
            uint32_t start = text.length;
            while (start && text.bytes[start - 1] != '/')
                start--;
            name = hash_of(text.bytes + start, text.length - start);
        }
        keys[i] = mix_key(mix_key(input->event.kind, name), 1);
    }
    return keys;
}

static struct jitscope_error *pair_inputs_by(struct diff_work *work, bool whole, uint32_t *a, uint32_t *b) {
    uint64_t *a_keys = input_keys(work, &work->a, whole), *b_keys = input_keys(work, &work->b, whole);
    struct jitscope_error *error = a_keys && b_keys ? pair_by_key(a_keys, work->a.mirror->inputs.count,
                                                                  b_keys, work->b.mirror->inputs.count, a, b)
                                                    : error_no_memory();
    os_release(a_keys);
    os_release(b_keys);
    return error;
}

/* Afterwards inputs of B have the numbers of A's, those that A does not have numbers behind them. */
struct jitscope_error *pair_inputs(struct diff_work *work) {
    uint32_t a_count = work->a.mirror->inputs.count, b_count = work->b.mirror->inputs.count;
    uint32_t *pairs = no_pairs(a_count);
    work->a.inputs = no_pairs(a_count);
    work->b.inputs = no_pairs(b_count);
    struct jitscope_error *error = pairs && work->a.inputs && work->b.inputs ? NULL : error_no_memory();
    if (!error)
        error = pair_inputs_by(work, true, pairs, work->b.inputs);
    if (!error)
        error = pair_inputs_by(work, false, pairs, work->b.inputs);
    for (uint32_t i = 0; i < a_count && !error; i++)
        work->a.inputs[i] = i;
    for (uint32_t i = 0; i < b_count && !error; i++) {
        /* Of those whose events are lost on both sides, only the number is left to go by. */
        bool lost = i < a_count && !mirror_input(work->a.mirror, i) && !mirror_input(work->b.mirror, i);
        if (work->b.inputs[i] == NO_ID)
            work->b.inputs[i] = lost ? i : a_count + i;
    }
    os_release(pairs);
    return error;
}

/* --- blocks, symbols, segments of one link */

/* By block and by symbol: which entry it is, and which GOT slot leads to it. */
static struct jitscope_error *index_entries(struct side *side) {
    const struct mirror_link *link = side->link;
    side->entries = os_allocate_zeroed(link->blocks.count * sizeof *side->entries);
    side->slots = os_allocate_zeroed(link->symbols.count * sizeof *side->slots);
    if (!side->entries || !side->slots)
        return error_no_memory();
    for (uint32_t i = 0; i < link->entries.count; i++) {
        const struct event_table_entry *entry = &link->entries.data[i];
        if (entry->block < link->blocks.count)
            side->entries[entry->block] = i + 1;
        if (entry->table == TABLE_GOT && entry->target < link->symbols.count)
            side->slots[entry->target] = i + 1;
    }
    return NULL;
}

static uint64_t entry_key(const struct side *side, const struct event_table_entry *entry) {
    const struct mirror_symbol *target = mirror_symbol(side->link, entry->target);
    return mix_key(mix_key(2, entry->table), target ? shared_name(side, target->name) : NO_NAME);
}

static uint64_t *block_keys(const struct side *side) {
    const struct mirror_link *link = side->link;
    uint64_t *keys = os_allocate(link->blocks.count * sizeof *keys);
    for (uint32_t i = 0; keys && i < link->blocks.count; i++) {
        const struct mirror_block *block = mirror_block(link, i);
        keys[i] = MAP64_NO_KEY;
        if (!block || block->reason == REASON_SPLIT)
            continue;
        uint64_t section = section_name(side, block);
        if (side->entries[i])
            keys[i] = entry_key(side, &link->entries.data[side->entries[i] - 1]);
        else
            keys[i] = mix_key(mix_key(mix_key(1, section), shared_input(side, block->event.input)),
                              block->event.input_offset);
    }
    return keys;
}

/* Global names mean one thing in a link; local ones belong to their input. */
static uint64_t *symbol_keys(const struct side *side) {
    const struct mirror_link *link = side->link;
    uint64_t *keys = os_allocate(link->symbols.count * sizeof *keys);
    for (uint32_t i = 0; keys && i < link->symbols.count; i++) {
        const struct mirror_symbol *symbol = mirror_symbol(link, i);
        uint32_t name = symbol ? shared_name(side, symbol->name) : NO_NAME;
        bool local = symbol && symbol->state == SYMBOL_DEFINED && symbol->scope == SCOPE_LOCAL;
        keys[i] = name == NO_NAME
                      ? MAP64_NO_KEY
                      : mix_key(mix_key(3, name), local ? shared_input(side, symbol->input) : NO_ID);
    }
    return keys;
}

static uint64_t *segment_keys(const struct side *side) {
    const struct mirror_link *link = side->link;
    uint64_t *keys = os_allocate(link->segments.count * sizeof *keys);
    for (uint32_t i = 0; keys && i < link->segments.count; i++)
        keys[i] = link->segments.data[i].known ? mix_key(mix_key(4, link->segments.data[i].event.prot),
                                                         link->segments.data[i].event.lifetime)
                                               : MAP64_NO_KEY;
    return keys;
}

static struct jitscope_error *pair_entities(struct diff_work *work, uint64_t *(*keys)(const struct side *),
                                            uint32_t a_count, uint32_t b_count, uint32_t **a_pairs,
                                            uint32_t **b_pairs) {
    uint64_t *a_keys = keys(&work->a), *b_keys = keys(&work->b);
    *a_pairs = no_pairs(a_count);
    *b_pairs = no_pairs(b_count);
    struct jitscope_error *error = error_no_memory();
    if (a_keys && b_keys && *a_pairs && *b_pairs)
        error = pair_by_key(a_keys, a_count, b_keys, b_count, *a_pairs, *b_pairs);
    os_release(a_keys);
    os_release(b_keys);
    return error;
}

struct jitscope_error *pair_link(struct diff_work *work) {
    struct side *a = &work->a, *b = &work->b;
    TRY(index_entries(a));
    TRY(index_entries(b));
    TRY(pair_entities(work, block_keys, a->link->blocks.count, b->link->blocks.count, &a->blocks,
                      &b->blocks));
    TRY(pair_entities(work, symbol_keys, a->link->symbols.count, b->link->symbols.count, &a->symbols,
                      &b->symbols));
    return pair_entities(work, segment_keys, a->link->segments.count, b->link->segments.count, &a->segments,
                         &b->segments);
}

static void forget_side(struct side *side) {
    os_release(side->blocks);
    os_release(side->symbols);
    os_release(side->segments);
    os_release(side->entries);
    os_release(side->slots);
    side->entries = side->slots = NULL;
    side->blocks = side->symbols = side->segments = NULL;
}

void forget_link(struct diff_work *work) {
    forget_side(&work->a);
    forget_side(&work->b);
    map64_destroy(&work->by_section);
    map64_destroy(&work->move_by_key);
    vec_destroy(&work->moves);
}
