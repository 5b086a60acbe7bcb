/* why: the causal chain behind a byte, a symbol, a table entry, or something that is missing.
 *
 * A question is resolved against the mirror: it says which link, blocks, symbols and edges are concerned.
 * Then the events of the recording, or of a mirror on demand those of the links concerned, are walked, and
 * those that decided something about these become the steps of the chain, in the order in which they
 * happened: inputs come before sections, sections before placement, placement before fixups.  A step keeps
 * its event, so that whoever shows it can go there.
 *
 *     struct why_answer answer;
 *     TRY(why_ask(mirror, "got:puts", NULL, &answer));
 *     why_print_text(&text, &answer);
 *     why_destroy(&answer);
 *
 * Questions: ADDRESS (0x1f or decimal), SYMBOL, SYMBOL+OFFSET, got:SYMBOL, plt:SYMBOL, discard:NAME of a
 * symbol, section or input. */
#ifndef MIRROR_WHY_H
#define MIRROR_WHY_H

#include "base/arena.h"
#include "mirror/mirror.h"

struct text;

enum why_step_kind {
    WHY_ANSWER, /* what the chain says, in one sentence; has no event */
    WHY_EVENT,  /* what an event decided */
    WHY_NOTE    /* what follows from the chain, or cannot be known */
};

struct why_step {
    enum why_step_kind kind;
    uint32_t chain;          /* steps of one chain stand together; the first is its answer */
    uint32_t order;          /* of answer and notes */
    const char *text;        /* one sentence, names escaped */
    const char *fields;      /* of an answer: more JSON members, each behind a comma, or "" */
    struct event_view event; /* of WHY_EVENT; the record is the answer's own */
};

struct why_answer {
    VEC(struct why_step) steps;
    const struct mirror *mirror; /* borrowed */
    /* By an event's sequence: the number to print; UINT64_MAX for none.  NULL, as why_ask() leaves it: the
     * sequence itself.  Borrowed. */
    const uint64_t *numbers;
    struct arena arena;
};

/* Looks into archives for members that were never taken. */
struct why_archives {
    /* Whether the archive at PATH, an input of the recording, has a member that defines NAME; its name is
     * appended to MEMBER. */
    bool (*defines)(void *context, const char *path, const char *name, size_t length, struct text *member);
    void *context;
};

/* MIRROR and its recording must outlive the answer; ARCHIVES may be NULL: then nobody looks.  Errors:
 * NOT_FOUND (nothing has that name or address; the help tells what is near), RECORDING, NO_MEMORY. */
struct jitscope_error *why_ask(const struct mirror *mirror, const char *question,
                               const struct why_archives *archives, struct why_answer *answer);
void why_destroy(struct why_answer *answer);

/* The address of the symbol called NAME, the latest one of a link that has its memory, or else the latest
 * one; *found is false when none has an address.  Of a mirror on demand those links alone are read that can
 * have it.  Errors: RECORDING, NO_MEMORY. */
struct jitscope_error *why_find_address(const struct mirror *mirror, const char *name, size_t length,
                                        uint64_t *address, bool *found);

/* Each step a line that begins with its event's number, if that has one; chains separated by empty lines. */
void why_print_text(struct text *out, const struct why_answer *answer);
/* An array of steps: {"sequence", "chain", "what", fields of the event ..., "text"}. */
void why_print_json(struct text *out, const struct why_answer *answer);

#endif
