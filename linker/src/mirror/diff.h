/* diff: what two links decided differently, causes first.
 *
 * Both recordings are seen through their mirrors.  What they speak of is paired by meaning, never by number:
 * inputs by name, blocks by input, section and offset, symbols by name, table entries by what they lead to.
 * Differences become findings.  A finding may be the consequence of another: an input that changed makes a
 * section grow, and that moves the symbols behind it.  Addresses count relative to their segment, so that
 * where the operating system put a link makes no difference; it is told in a note.
 *
 *     struct diff diff;
 *     TRY(diff_mirrors(a, b, &diff));
 *     diff_print_text(&text, &diff);        diff.differences is 0 when all decisions are the same
 *     diff_destroy(&diff); */
#ifndef MIRROR_DIFF_H
#define MIRROR_DIFF_H

#include "base/arena.h"
#include "base/text.h"
#include "mirror/mirror.h"

struct diff_finding {
    const char *what;   /* "input_changed", ... */
    const char *text;   /* one sentence, names escaped */
    const char *fields; /* more JSON members, each behind a comma, or "" */
    uint32_t link;      /* 0: the session */
    uint32_t cause;     /* the finding of which this is a consequence, or NO_ID */
    bool note;          /* worth knowing, but no decision */
};

struct diff {
    VEC(struct diff_finding) findings;
    uint32_t differences; /* findings that are no notes */
    struct arena arena;
};

/* Errors: NO_MEMORY. */
struct jitscope_error *diff_mirrors(const struct mirror *a, const struct mirror *b, struct diff *diff);
void diff_destroy(struct diff *diff);

/* A line per finding, consequences indented below their causes. */
void diff_print_text(struct text *out, const struct diff *diff);
/* An array of findings; `cause` counts in it. */
void diff_print_json(struct text *out, const struct diff *diff);

#endif
