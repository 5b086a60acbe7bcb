/* contents: what the memory of each batch should hold, and what lies where in it, from the recording alone.
 *
 * A recording holds the inputs' bytes, not the memory; since it replays bit for bit, the memory can be had
 * again. The first question starts a child that replays (worker.h) and writes down each batch when it is
 * complete (content_tables.h); nobody waits for it: a question is answered at once, by "still working" if
 * need be.  Answers take some 10 us and next to no memory here, whatever the size of the recording, the batch
 * or the block.
 *
 * What is told is what the linker handed over at the end of the link, after all fixups: initialisers and the
 * program itself may have changed writable memory since.  It does not depend on the moment that a mirror
 * shows. One thread at a time. */
#ifndef BYTES_CONTENTS_H
#define BYTES_CONTENTS_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "bytes/content_tables.h"
#include "trace/recording.h"

struct contents;

enum contents_state {
    CONTENTS_READY,
    CONTENTS_WORKING, /* ask again, contents_descriptor() says when */
    CONTENTS_NEVER,   /* not to be had, contents_reason() says why */
};

/* FILE is borrowed and must stay open; when it grows, contents_renew().  Starts nothing yet.  Errors:
 * NO_MEMORY. */
struct jitscope_error *contents_create(const struct recording_file *file, struct contents **contents);
void contents_destroy(struct contents *contents);
/* FILE holds more than when it was last looked at, or is another that begins with the same events: batches
 * that were not there are looked for once more. */
void contents_renew(struct contents *contents, const struct recording_file *file);

/* Whether what is known of batch LINK can be asked for; starts the work when it has not begun. */
enum contents_state contents_ask(struct contents *contents, uint32_t link);
/* The same, but waits until it is one or the other: for scripts and tests. */
enum contents_state contents_wait(struct contents *contents, uint32_t link);
/* Why the last answer was CONTENTS_NEVER. */
const char *contents_reason(const struct contents *contents);
/* How much of the recording is replayed, of 1000; while CONTENTS_WORKING. */
uint32_t contents_progress(const struct contents *contents);
/* To poll(2) for reading: then something new is known, and contents_ask() has news.  -1 while nobody works.
 */
int contents_descriptor(const struct contents *contents);

/* --- of a batch that is CONTENTS_READY; false, or 0, when it is not */

/* SIZE bytes at ADDRESS of LINK's memory; false when they do not all lie in one segment of it. */
bool contents_read(struct contents *contents, uint32_t link, uint64_t address, void *to, uint64_t size);
/* Entries of a table, and one of them; ENTRY is of the table's struct. */
uint32_t contents_count(struct contents *contents, uint32_t link, enum content_table table);
bool contents_entry(struct contents *contents, uint32_t link, enum content_table table, uint32_t number,
                    void *entry);
/* The number of the first entry that begins at or behind ADDRESS. */
uint32_t contents_first(struct contents *contents, uint32_t link, enum content_table table, uint64_t address);

bool contents_segment_at(struct contents *contents, uint32_t link, uint64_t address,
                         struct content_segment *segment);
bool contents_block_at(struct contents *contents, uint32_t link, uint64_t address,
                       struct content_block *block);
/* The named symbol, or the table entry, that holds ADDRESS; the nearest before it in its block when none
 * does. */
bool contents_symbol_at(struct contents *contents, uint32_t link, uint64_t address,
                        struct content_symbol *symbol);
/* The fixup that wrote ADDRESS. */
bool contents_fixup_at(struct contents *contents, uint32_t link, uint64_t address,
                       struct content_fixup *fixup);
/* A half of an action, deallocate or finalize; ARGUMENTS are copied and to be given back with os_release().
 * Errors: NO_MEMORY; NOT_FOUND when there is no such half. */
struct jitscope_error *contents_action(struct contents *contents, uint32_t link, uint32_t action,
                                       bool deallocate, struct text *function, struct bytes *arguments);
bool contents_text(struct contents *contents, struct content_text where, struct text *out);

/* --- in words */

/* "main", "main+0x4", ".rodata+0x10", "printf@plt", "printf@got": ADDRESS by what holds it, in LINK or, where
 * a symbol of another batch or of a library begins, outside of it.  False, and nothing appended, when nobody
 * knows; names are as they are, to be escaped by who shows them. */
bool contents_name(struct contents *contents, uint32_t link, uint64_t address, struct text *out);
/* What SYMBOL is called. */
void contents_symbol_name(struct contents *contents, uint32_t link, const struct content_symbol *symbol,
                          struct text *out);
/* Where FIXUP points: "puts", ".rodata+0x8". */
void contents_target_name(struct contents *contents, uint32_t link, const struct content_fixup *fixup,
                          struct text *out);

/* --- lines of the source */

struct content_line {
    uint64_t address; /* of the row */
    uint32_t line;
    uint32_t file; /* for contents_line_file() */
};
/* The row of the line table that ADDRESS belongs to: worked out by another child, when first asked for. NEVER
 * when there is none: READY only with a line. */
enum contents_state contents_line(struct contents *contents, uint32_t link, uint64_t address,
                                  struct content_line *line);
enum contents_state contents_wait_for_lines(struct contents *contents, uint32_t link);
bool contents_line_file(struct contents *contents, uint32_t link, const struct content_line *line,
                        struct text *out);
/* To poll(2), as contents_descriptor(). */
int contents_lines_descriptor(const struct contents *contents);

#endif
