/* mirror_state: what the parts of the mirror share: mirror.c (the session, moments), outline.c (each link
 * from outside), content.c (what is in a link). */
#ifndef MIRROR_MIRROR_STATE_H
#define MIRROR_MIRROR_STATE_H

#include "mirror/mirror.h"

/* Most events of a recording, and what few look at. */
static inline bool is_of_edges(uint32_t id) {
    return id == EVENT_ID_edge || id == EVENT_ID_edge_claimed || id == EVENT_ID_fixup;
}

/* --- mirror.c */

struct jitscope_error *wild_id(const struct event_view *view, const char *what, uint32_t id);
/* Whether all tables together may grow by MORE entries.  Almost every id has an event that announced it; a
 * recording at a low level, or with gaps, names some that it has not announced.  Without a bound for the sum,
 * a small file of many links could ask, link by link, for more memory than there is. */
bool can_reach(struct mirror *mirror, uint64_t more);
/* New entries at the end of a table are there since the event that is being applied. */
struct jitscope_error *add_lives(const struct history *history, lives *list, uint64_t more);

/* Makes VEC reach to ID, with zeroed entries; *MORE gets how many those are. */
#define REACH(vec, id, more)                                                                                 \
    do {                                                                                                     \
        *(more) = (id) < (vec)->count ? 0 : (uint64_t)(id) + 1 - (vec)->count;                               \
        if (*(more)) {                                                                                       \
            TRY(vec_reserve(vec, *(more)));                                                                  \
            memset((vec)->data + (vec)->count, 0, *(more) * sizeof *(vec)->data);                            \
            (vec)->count += (uint32_t) * (more);                                                             \
        }                                                                                                    \
    } while (0)

/* How many were there at the moment: sets the count of a list or table without touching what is behind. */
#define LIST_AT(owner, name, now)                                                                            \
    (owner)->name.count = stamps_before((owner)->name##_stamps.data, (owner)->name##_stamps.count, now);
#define TABLE_AT(owner, name, now)                                                                           \
    (owner)->name.count = lives_before((owner)->name##_lives.data, (owner)->name##_lives.count, now);

#define PUSH(history, owner, list, ...)                                                                      \
    do {                                                                                                     \
        TRY(vec_push(&(owner)->list##_stamps, (history)->applying));                                         \
        TRY(vec_push(&(owner)->list, __VA_ARGS__));                                                          \
    } while (0)

/* --- outline.c */

/* The event that is being applied, seen from outside of its link: outlines, stretches, bounds.  EVENT may be
 * NULL for one that this version does not know, and for those that are left out.  PLACE is NULL when nobody
 * will read it again. */
struct jitscope_error *outline_apply(struct mirror *mirror, const struct event_view *view,
                                     const union any_event *event, const struct event_place *place);
/* Counting up to a moment, event by event: it brings the tally of the stretch that the moment lies in. */
void outline_cut(struct mirror *mirror, const struct event_view *view, uint32_t event);
void outline_destroy(struct mirror *mirror);

/* --- content.c */

/* A link without content yet.  Errors: NO_MEMORY. */
struct jitscope_error *content_create(struct mirror *mirror, uint32_t number);
/* The event that is being applied, into its link. */
struct jitscope_error *content_apply(struct mirror_link *link, const struct event_view *view,
                                     const union any_event *event);
/* Counts of tables and lists, and the link's life, are those of the moment. */
void content_refresh(const struct mirror *mirror, struct mirror_link *link);
void content_destroy(struct mirror_link *link);

#endif
