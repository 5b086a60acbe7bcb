/* diff_state: what the parts of `diff` share: two sides, how their entities pair, and where findings go. */
#ifndef MIRROR_DIFF_STATE_H
#define MIRROR_DIFF_STATE_H

#include "base/map64.h"
#include "base/string_pool.h"
#include "mirror/diff.h"

struct side_call {
    uint32_t event; /* EVENT_ID_call_... */
    uint32_t name;  /* shared */
    uint32_t value; /* of those without a name */
};

/* What the recording holds for replaying: of calls those that decide something, of inputs their bytes. */
struct side_calls {
    struct event_call_create create;
    bool has_create;
    VEC(struct side_call) list;
    VEC(uint64_t) digests;   /* of contents, by number; MAP64_NO_KEY: not known */
    struct map64 content_of; /* shared name of an input -> number of its content */
};

/* One recording, and one of its links at a time. */
struct side {
    const struct mirror *mirror;
    struct side_calls calls;
    const struct mirror_link *link;
    uint32_t *names;  /* number of a text in the recording -> in the pool that both sides share */
    uint32_t *inputs; /* number of an input -> the same for both sides, when they are paired */
    /* Per link: the other side's entity, or NO_ID. */
    uint32_t *blocks;
    uint32_t *symbols;
    uint32_t *segments;
    uint32_t *entries; /* by block: 1 + the table entry that it is, 0 for others */
    uint32_t *slots;   /* by symbol: 1 + the GOT entry that leads to it */
};

/* Blocks whose distance to the start of their segment changed by the same, for the same reason. */
struct move {
    uint32_t cause;
    uint64_t by;
    bool various; /* several of one cause, each by another distance */
    uint32_t blocks, symbols, slots;
    uint32_t inputs[4], input_count; /* first few */
};

struct diff_work {
    struct diff *diff;
    struct string_pool names;
    struct side a, b;
    uint32_t link;           /* under comparison; 0 the session */
    struct map64 by_input;   /* shared number of an input -> its finding */
    struct map64 by_section; /* section_key() -> its finding, of this link */
    uint32_t table_finding[3];
    uint32_t order_finding; /* that inputs come in another order */
    struct map64 move_by_key;
    VEC(struct move) moves;
};

/* --- findings: diff.c */

/* TEXT and FIELDS (NULL for none) are taken over.  *id may be NULL. */
struct jitscope_error *find(struct diff_work *work, const char *what, uint32_t cause, struct text *text,
                            struct text *fields, uint32_t *id);
struct jitscope_error *find_note(struct diff_work *work, const char *what, struct text *text,
                                 struct text *fields);
/* The finding about an input, NO_ID when it is the same on both sides. */
uint32_t finding_of_input(const struct diff_work *work, uint32_t shared_input);

/* --- pairing: diff_pair.c */

uint64_t mix_key(uint64_t hash, uint64_t value);
/* Pairs the nth with a key on one side with the nth on the other; those already paired, and those with
 * MAP64_NO_KEY, are left as they are. */
struct jitscope_error *pair_by_key(const uint64_t *a, uint32_t a_count, const uint64_t *b, uint32_t b_count,
                                   uint32_t *a_pairs, uint32_t *b_pairs);
/* COUNT numbers that are all NO_ID; NULL without memory. */
uint32_t *no_pairs(uint32_t count);
struct jitscope_error *pair_inputs(struct diff_work *work);
/* Fills blocks, symbols and segments of both sides for their current links. */
struct jitscope_error *pair_link(struct diff_work *work);
void forget_link(struct diff_work *work);

/* --- looking up: diff_pair.c */

/* In the shared pool. */
uint32_t shared_name(const struct side *side, uint32_t name);
/* NO_ID for the linker's own. */
uint32_t shared_input(const struct side *side, uint32_t input);
uint32_t section_name(const struct side *side, const struct mirror_block *block);
/* What was read from one section of one input; what the linker adds has sections too. */
uint64_t section_key(uint32_t shared_input, uint32_t shared_section);
bool is_placed(const struct side *side, uint32_t block);
/* Distance from the start of its segment. */
uint64_t place_of(const struct side *side, uint32_t block);

/* --- words: diff_words.c */

void put_shared(struct text *out, const struct diff_work *work, uint32_t name);
void put_shared_json(struct text *out, const struct diff_work *work, const char *member, uint32_t name);
void put_diff_input(struct text *out, const struct diff_work *work, uint32_t shared_input);
void put_times(struct text *out, uint64_t count, const char *what);
/* "+0x10", "-0x10" */
void put_shift(struct text *out, uint64_t by);

/* A list of names of which the first few are shown and all are in JSON. */
struct name_list {
    uint32_t count;
    struct text shown, json;
};
void name_list_add(struct name_list *list, const struct diff_work *work, uint32_t name);
/* "a, b and 3 more"; the list is empty afterwards. */
void name_list_put(struct text *out, struct text *fields, struct name_list *list);

/* --- what is compared, in this order: one file each */

struct jitscope_error *read_calls(struct side *side);
void forget_calls(struct side *side);
/* Whether both sides hold the bytes of these inputs, and other ones. */
bool has_other_content(const struct diff_work *work, uint32_t a_input, uint32_t b_input);
struct jitscope_error *diff_options(struct diff_work *work);
struct jitscope_error *diff_session(struct diff_work *work);
struct jitscope_error *diff_inputs(struct diff_work *work);
struct jitscope_error *diff_outcome(struct diff_work *work);
struct jitscope_error *diff_sections(struct diff_work *work);
struct jitscope_error *diff_symbols(struct diff_work *work);
struct jitscope_error *diff_tables(struct diff_work *work);
struct jitscope_error *diff_moves(struct diff_work *work);
struct jitscope_error *diff_memory(struct diff_work *work);
struct jitscope_error *diff_actions(struct diff_work *work);

#endif
