/* why_query: what the parts of `why` share: the chain under construction and the words for what it names. */
#ifndef MIRROR_WHY_QUERY_H
#define MIRROR_WHY_QUERY_H

#include "base/map64.h"
#include "base/text.h"
#include "mirror/why.h"
#include "trace/decode.h"

/* With all of its things at the moment.  One that has been left may be forgotten. */
#define EACH_LINK_LATEST_FIRST(link)                                                                         \
    for (const struct mirror_link *link = latest_link(query); link; link = link_before(query, link))

/* An event that belongs to a chain, named by what identifies it: its kind and first fields (why_want.c). */
struct why_want {
    uint32_t chain;
    uint32_t link;
    uint32_t event;
    uint32_t next; /* further ones that may be the same */
    uint64_t key[3];
};

struct why_edge_kind {
    uint32_t name, formula; /* name ids */
    uint32_t width;         /* bytes */
};

/* Which links have memory around an address. */
struct why_around {
    uint64_t address;
    bool is_known;
    bool links[]; /* by number */
};

struct why_query {
    const struct mirror *mirror;
    struct why_answer *answer;
    const char *question;
    const struct why_archives *archives; /* or NULL */
    uint32_t chains;                     /* so far; the last is under construction */
    VEC(struct why_want) wants;
    struct map64 by_key; /* of wants: hash -> first with it */
    bool wanted[SCHEMA_EVENT_IDS];
    VEC(struct why_edge_kind) kinds;
    struct decoder decoder;
    struct event_window window;
    bool *was_there; /* by number of a link: its content was in memory before the question */
    struct why_around *around;
};

/* --- building chains: why_want.c */

/* Starts a chain with its answer; TEXT and FIELDS (JSON members, NULL for none) are taken over. */
struct jitscope_error *chain_begin(struct why_query *query, struct text *text, struct text *fields);
struct jitscope_error *chain_note(struct why_query *query, struct text *text);
/* The chain under construction has the events of this kind with this key, whoever many there are. */
struct jitscope_error *want(struct why_query *query, uint32_t event, uint32_t link, uint64_t key0,
                            uint64_t key1, uint64_t key2);
/* Finds all events that were wanted, and those that explain why they came to be. */
struct jitscope_error *collect_events(struct why_query *query);
/* Steps grouped by chain, each in order of sequence, with their sentences. */
struct jitscope_error *finish_answer(struct why_query *query);

/* --- what concerns an entity: why_entity.c */

struct jitscope_error *want_input(struct why_query *query, const struct mirror_link *link, uint32_t input);
/* Where the block came from: input, section, block. */
struct jitscope_error *want_block_origin(struct why_query *query, const struct mirror_link *link,
                                         uint32_t block);
/* The same, and where it is: segment, placement, protection, memory, its end. */
struct jitscope_error *want_block(struct why_query *query, const struct mirror_link *link, uint32_t block);
/* All about which definition a name got, or who answered for it. */
struct jitscope_error *want_symbol(struct why_query *query, const struct mirror_link *link, uint32_t symbol);
/* The memory of a link: reservation, allocation, its end. */
struct jitscope_error *want_memory(struct why_query *query, const struct mirror_link *link, uint64_t address);
/* What unwinders and debuggers were told that covers ADDRESS. */
struct jitscope_error *want_registrations(struct why_query *query, const struct mirror_link *link,
                                          uint64_t address);
/* The call frame information of the code at BLOCK + OFFSET, and its registration. */
struct jitscope_error *want_frames(struct why_query *query, const struct mirror_link *link, uint32_t block,
                                   uint64_t offset);
/* A table entry: who asked, what it leads to, where it lies, what was written into it. */
struct jitscope_error *want_entry(struct why_query *query, const struct mirror_link *link,
                                  const struct event_table_entry *entry);
/* The relocation read at BLOCK + OFFSET, and who claimed it. */
struct jitscope_error *want_edge(struct why_query *query, const struct mirror_link *link, uint32_t block,
                                 uint64_t offset);

/* --- links: why_links.c */

struct jitscope_error *note_links(struct why_query *query);
/* What was read for the question alone; and what note_links() has made. */
void forget_links(struct why_query *query);
const struct mirror_link *latest_link(const struct why_query *query);
const struct mirror_link *link_before(const struct why_query *query, const struct mirror_link *link);
/* The same of those alone that have memory around ADDRESS; LINK may be NULL. */
const struct mirror_link *link_around_before(const struct why_query *query, const struct mirror_link *link,
                                             uint64_t address);
#define EACH_LINK_AROUND(link, address)                                                                      \
    for (const struct mirror_link *link = link_around_before(query, NULL, address); link;                    \
         link = link_around_before(query, link, address))
/* The same of those alone in which a symbol can be called NAME. */
struct name_span span_of_name(const struct why_query *query, const char *name, size_t length);
const struct mirror_link *link_within_before(const struct why_query *query, const struct mirror_link *link,
                                             struct name_span span);
#define EACH_LINK_WITHIN(link, span)                                                                         \
    for (const struct mirror_link *link = link_within_before(query, NULL, span); link;                       \
         link = link_within_before(query, link, span))
/* Whether a definition of the link can have ADDRESS: it has memory there, or symbols without any. */
bool can_define(const struct why_query *query, uint32_t number, uint64_t address);

/* --- looking up: why_find.c */

struct recorded_string text_of(const struct why_query *query, uint32_t name);
bool text_is(const struct why_query *query, uint32_t name, const char *text, size_t length);
uint32_t edge_width(const struct why_query *query, uint32_t kind);
/* Whether the recording has the edges of LINK; one without any has them at every level. */
bool has_edges(const struct why_query *query, const struct mirror_link *link);
/* Whether the memory of a link is there at the end of what the mirror has seen. */
bool link_is_live(const struct mirror_link *link);
const struct event_table_entry *entry_of_symbol(const struct mirror_link *link, uint32_t symbol);
const struct event_table_entry *entry_of_block(const struct mirror_link *link, uint32_t block);
const struct event_table_entry *entry_of_target(const struct mirror_link *link, uint32_t table,
                                                uint32_t target);
/* The fixup that wrote the byte at BLOCK + OFFSET, NULL for none. */
const struct event_fixup *fixup_covering(const struct why_query *query, const struct mirror_link *link,
                                         uint32_t block, uint64_t offset);
/* The relaxation of the edge that ended as the fixup at BLOCK + OFFSET. */
const struct event_edge_relaxed *relaxation_at(const struct mirror_link *link, uint32_t block,
                                               uint64_t offset);
/* The definition in an earlier link that answered for SYMBOL of LINK: its link, NULL when it cannot be told.
 */
const struct mirror_link *session_definition(const struct why_query *query, const struct mirror_link *link,
                                             uint32_t symbol, uint32_t *definition);
/* Best symbol to call BLOCK + OFFSET by: the named one around it, else the nearest before; NO_ID for none. */
uint32_t symbol_around(const struct why_query *query, const struct mirror_link *link, uint32_t block,
                       uint64_t offset);

/* --- words: why_words.c */

void put_name(struct text *out, const struct why_query *query, uint32_t name);
void put_input(struct text *out, const struct why_query *query, uint32_t input);
/* "a.o: .text+0x19" */
void put_place(struct text *out, const struct why_query *query, const struct mirror_link *link,
               uint32_t block, uint64_t offset);
/* Its name, or what it is: "the GOT slot of puts", ".text of a.o". */
void put_symbol(struct text *out, const struct why_query *query, const struct mirror_link *link,
                uint32_t symbol);
void put_value(struct text *out, const struct why_query *query, const char *type, uint32_t number);
void put_edge_kind(struct text *out, const struct why_query *query, uint32_t kind);
/* COUNT bytes as they stand in memory: "48 8b 05". */
void put_bytes(struct text *out, uint64_t value, uint32_t count);
/* "link 2, unloaded" */
void put_link(struct text *out, const struct why_query *query, const struct mirror_link *link);
void put_count(struct text *out, uint64_t count, const char *what);

/* --- sentences: why_say.c, why_say_memory.c */

/* What EVENT decided, in words. */
void say_event(struct text *out, struct why_query *query, const struct event_view *view);
/* Of memory, actions and registrations; false when the event is none of these. */
bool say_memory_event(struct text *out, struct why_query *query, const struct mirror_link *link,
                      const struct event_view *view, const union any_event *event);

/* --- questions: one file each */

struct jitscope_error *ask_address(struct why_query *query, uint64_t address);
struct jitscope_error *ask_symbol(struct why_query *query, const char *name, size_t length);
struct jitscope_error *ask_table(struct why_query *query, uint32_t table, const char *name, size_t length);
struct jitscope_error *ask_discard(struct why_query *query, const char *name, size_t length);
/* Tells of each archive's member that defines NAME: notes of the chain under construction when there is one,
 * or else chains of their own. */
struct jitscope_error *ask_archives(struct why_query *query, const char *name, size_t length);
/* NOT_FOUND, with the names nearest to NAME as help. */
struct jitscope_error *unknown_name(const struct why_query *query, const char *name, size_t length);

#endif
