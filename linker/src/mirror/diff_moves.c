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
    for (uint32_t i = 0; input == NO_ID && i < side->link->entries.count; i++)
        if (side->link->entries.data[i].block == id && side->link->entries.data[i].table < 3)
            return work->table_finding[side->link->entries.data[i].table];
    return finding_of_input(work, input);
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
    for (uint32_t i = 0; i < work->moves.count; i++)
        if (work->moves.data[i].cause == cause && work->moves.data[i].by == by) {
            *id = i;
            return NULL;
        }
    *id = work->moves.count;
    return vec_push(&work->moves, (struct move){.cause = cause, .by = by});
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
            TRY(move_of(work, reason, distance, &move));
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
        add_input(move, shared_input(&work->b, symbol->input));
    }
    for (uint32_t i = 0; i < link->entries.count; i++) {
        const struct event_table_entry *entry = &link->entries.data[i];
        const struct mirror_symbol *target = mirror_symbol(link, entry->target);
        if (entry->table == TABLE_GOT && target && target->state == SYMBOL_DEFINED &&
            target->block < link->blocks.count && moved[target->block] && entry->block < link->blocks.count &&
            work->b.blocks[entry->block] != NO_ID)
            work->moves.data[moved[target->block] - 1].slots++;
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

struct jitscope_error *diff_moves(struct diff_work *work) {
    uint32_t *moved = os_allocate_zeroed(work->b.link->blocks.count * sizeof *moved);
    struct jitscope_error *error = moved ? NULL : error_no_memory();
    for (uint32_t i = 0; i < work->b.link->segments.count && !error; i++)
        if (work->b.segments[i] != NO_ID)
            error = move_segment(work, work->b.segments[i], i, moved);
    if (!error)
        count_symbols(work, moved);
    for (uint32_t i = 0; i < work->moves.count && !error; i++)
        error = find_move(work, &work->moves.data[i]);
    os_release(moved);
    return error;
}
