/* What moved because something before it grew, shrank, came or went.
 *
 * Blocks of a segment are walked in the order of their addresses.  As long as they lie as far from the
 * segment's start as on the other side, nothing moved.  Where the distance changes, the reason stands right
 * before: a block of another size, one that is new, or one that is gone.  All that follows moved for this
 * reason, until the distance changes again (alignment takes up small changes). */
#include "mirror/diff_state.h"

#include <inttypes.h>
#include <stdlib.h>

struct placed {
    uint64_t place;
    uint32_t block;
};

static int by_place(const void *a, const void *b) {
    const struct placed *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

typedef VEC(struct placed) placed_list;

static struct jitscope_error *list_blocks(const struct side *side, uint32_t segment, placed_list *list) {
    for (uint32_t i = 0; i < side->link->blocks.count; i++)
        if (is_placed(side, i) && side->link->blocks.data[i].segment == segment)
            TRY(vec_push(list, (struct placed){place_of(side, i), i}));
    if (list->count)
        qsort(list->data, list->count, sizeof *list->data, by_place);
    return NULL;
}

/* --- why */

static uint32_t finding_of_block(const struct diff_work *work, const struct side *side, uint32_t id) {
    const struct mirror_block *block = &side->link->blocks.data[id];
    uint32_t input = shared_input(side, block->event.input), section = section_name(side, block);
    uint32_t finding = map64_find(&work->by_section, section_key(input, section));
    if (finding != NO_ID)
        return finding;
    if (!side->entries[id])
        return finding_of_input(work, input);
    uint32_t table = side->link->entries.data[side->entries[id] - 1].table;
    return table < sizeof work->table_finding / sizeof *work->table_finding ? work->table_finding[table]
                                                                            : NO_ID;
}

static bool is_resized(const struct diff_work *work, uint32_t b_block) {
    uint32_t pair = work->b.blocks[b_block];
    return pair != NO_ID &&
           work->a.link->blocks.data[pair].event.size != work->b.link->blocks.data[b_block].event.size;
}

/* Of the blocks from FIRST up to END of the list, the last that has no pair in the same segment of the other
 * side. */
static uint32_t last_lonely(const struct side *side, const placed_list *list, uint32_t first, uint32_t end) {
    for (uint32_t i = end; i-- > first;)
        if (side->blocks[list->data[i].block] == NO_ID)
            return list->data[i].block;
    return NO_ID;
}

struct walk {
    struct diff_work *work;
    placed_list a, b;
    uint32_t *a_index; /* by block: where in `a` */
    uint32_t before;   /* the paired block before, as index in `b` + 1; 0 for the start */
};

static uint32_t reason_between(const struct walk *walk, uint32_t at) {
    struct diff_work *work = walk->work;
    uint32_t block, pair = work->b.blocks[walk->b.data[at].block];
    uint32_t first = walk->before ? walk->b.data[walk->before - 1].block : NO_ID;
    uint32_t a_first = first == NO_ID ? 0 : walk->a_index[work->b.blocks[first]] + 1;
    if (first != NO_ID && is_resized(work, first))
        return finding_of_block(work, &work->b, first);
    block = last_lonely(&work->b, &walk->b, walk->before, at);
    if (block != NO_ID)
        return finding_of_block(work, &work->b, block);
    block = last_lonely(&work->a, &walk->a, a_first, walk->a_index[pair]);
    return block == NO_ID ? NO_ID : finding_of_block(work, &work->a, block);
}

/* --- what */

static struct jitscope_error *move_of(struct diff_work *work, uint32_t cause, uint64_t by, uint32_t *id) {
    uint64_t key = mix_key(mix_key(40, cause), by);
    *id = map64_find(&work->move_by_key, key);
    if (*id != MAP64_NO_VALUE)
        return NULL;
    *id = work->moves.count;
    TRY(vec_push(&work->moves, (struct move){.cause = cause, .by = by}));
    return map64_set(&work->move_by_key, key, *id);
}

static void add_input(struct move *move, uint32_t input) {
    enum { SHOWN = sizeof move->inputs / sizeof *move->inputs };
    for (uint32_t i = 0; i < move->input_count && i < SHOWN; i++)
        if (move->inputs[i] == input)
            return;
    if (move->input_count < SHOWN)
        move->inputs[move->input_count] = input;
    move->input_count += move->input_count <= SHOWN;
}

/* Fills MOVED: per block of B, 1 + the move it takes part in. */
static struct jitscope_error *walk_segment(struct walk *walk, uint32_t *moved) {
    struct diff_work *work = walk->work;
    uint64_t by = 0;
    uint32_t move = NO_ID;
    for (uint32_t i = 0; i < walk->b.count; i++) {
        uint32_t block = walk->b.data[i].block, pair = work->b.blocks[block];
        if (pair == NO_ID || walk->a_index[pair] == NO_ID)
            continue;
        uint64_t distance = walk->b.data[i].place - place_of(&work->a, pair);
        if (distance != by) {
            uint32_t reason = reason_between(walk, i);
            /* Alignment gave way: the reason is the same as before. */
            if (reason == NO_ID && move != NO_ID)
                reason = work->moves.data[move].cause;
            TRY(move_of(work, reason == NO_ID ? work->order_finding : reason, distance, &move));
        }
        by = distance;
        walk->before = i + 1;
        if (!by)
            continue;
        moved[block] = move + 1;
        work->moves.data[move].blocks++;
    }
    return NULL;
}

static struct jitscope_error *move_segment(struct diff_work *work, uint32_t a_segment, uint32_t b_segment,
                                           uint32_t *moved) {
    struct walk walk = {.work = work, .a_index = no_pairs(work->a.link->blocks.count)};
    struct jitscope_error *error = walk.a_index ? NULL : error_no_memory();
    if (!error)
        error = list_blocks(&work->a, a_segment, &walk.a);
    if (!error)
        error = list_blocks(&work->b, b_segment, &walk.b);
    for (uint32_t i = 0; i < walk.a.count && !error; i++)
        walk.a_index[walk.a.data[i].block] = i;
    if (!error)
        error = walk_segment(&walk, moved);
    vec_destroy(&walk.a);
    vec_destroy(&walk.b);
    os_release(walk.a_index);
    return error;
}

/* --- who noticed */

static void count_symbols(struct diff_work *work, const uint32_t *moved) {
    const struct mirror_link *link = work->b.link;
    for (uint32_t i = 0; i < link->symbols.count; i++) {
        const struct mirror_symbol *symbol = mirror_symbol(link, i);
        if (!symbol || symbol->state != SYMBOL_DEFINED || symbol->block >= link->blocks.count ||
            !moved[symbol->block] || shared_name(&work->b, symbol->name) == NO_NAME ||
            work->b.symbols[i] == NO_ID)
            continue;
        struct move *move = &work->moves.data[moved[symbol->block] - 1];
        move->symbols++;
        move->slots += work->b.slots[i] && work->a.slots[work->b.symbols[i]];
        add_input(move, shared_input(&work->b, symbol->input));
    }
}

static struct jitscope_error *find_move(struct diff_work *work, const struct move *move) {
    enum { SHOWN = sizeof move->inputs / sizeof *move->inputs };
    struct text text = {0}, fields = {0};
    if (!move->by || !move->blocks || (!move->symbols && move->cause != NO_ID))
        return NULL;
    if (move->symbols)
        put_times(&text, move->symbols, "symbol");
    else
        put_times(&text, move->blocks, "block");
    for (uint32_t i = 0; i < move->input_count && i < SHOWN; i++) {
        text_append(&text, i ? ", " : " of ");
        put_diff_input(&text, work, move->inputs[i]);
    }
    text_append(&text, move->input_count > SHOWN ? " and others moved by " : " moved by ");
    if (move->various)
        text_append(&text, "various distances");
    else
        put_shift(&text, move->by);
    if (move->slots) {
        text_append(&text, "; ");
        put_times(&text, move->slots, "GOT slot");
        text_print(&text, " hold%s another value", move->slots == 1 ? "s" : "");
    }
    text_print(&fields, ",\"by\":%" PRId64 ",\"blocks\":%u,\"symbols\":%u,\"got_slots\":%u",
               (int64_t)move->by, move->blocks, move->symbols, move->slots);
    return find(work, "moved", move->cause, &text, &fields, NULL);
}

/* A new order of inputs can move each block by another distance: one line is enough then. */
static struct jitscope_error *merge_moves(struct diff_work *work) {
    enum { MOST_MOVES = 8 };
    struct map64 counts = {0}, merged = {0};
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < work->moves.count && !error; i++) {
        uint32_t cause = work->moves.data[i].cause, count = map64_find(&counts, cause);
        if (work->moves.data[i].symbols)
            error = map64_set(&counts, cause, count == MAP64_NO_VALUE ? 1 : count + 1);
    }
    for (uint32_t i = 0; i < work->moves.count && !error; i++) {
        struct move *move = &work->moves.data[i];
        uint32_t count = map64_find(&counts, move->cause), first = map64_find(&merged, move->cause);
        if (count == MAP64_NO_VALUE || count <= MOST_MOVES || !move->symbols)
            continue;
        if (first == MAP64_NO_VALUE) {
            move->various = true;
            error = map64_set(&merged, move->cause, i);
            continue;
        }
        struct move *into = &work->moves.data[first];
        into->blocks += move->blocks;
        into->symbols += move->symbols;
        into->slots += move->slots;
        for (uint32_t j = 0; j < move->input_count && j < 4; j++)
            add_input(into, move->inputs[j]);
        move->by = 0;
    }
    map64_destroy(&counts);
    map64_destroy(&merged);
    return error;
}

struct jitscope_error *diff_moves(struct diff_work *work) {
    uint32_t *moved = os_allocate_zeroed(work->b.link->blocks.count * sizeof *moved);
    struct jitscope_error *error = moved ? NULL : error_no_memory();
    for (uint32_t i = 0; i < work->b.link->segments.count && !error; i++)
        if (work->b.segments[i] != NO_ID)
            error = move_segment(work, work->b.segments[i], i, moved);
    if (!error)
        count_symbols(work, moved);
    if (!error)
        error = merge_moves(work);
    for (uint32_t i = 0; i < work->moves.count && !error; i++)
        error = find_move(work, &work->moves.data[i]);
    os_release(moved);
    return error;
}
