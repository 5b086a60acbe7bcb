/* content_tables: what is found out about each batch by replaying it: its memory, and what lies where in it.
 *
 * Two files without a name, written by the child that replays and read by the one that shows:
 *
 *     data    segments' bytes, tables, texts, actions' arguments, one behind the other
 *     index   a struct content_link for each batch, in order, once all of it is in `data`
 *
 * Tables are sorted by the 64-bit number that each entry begins with (an address; actions: their order), so
 * that the few entries that are on a screen are found and read without the others.  Both sides are this
 * program: no entry is checked, but numbers and texts in them come from a recording and mean nothing before
 * they are. */
#ifndef BYTES_CONTENT_TABLES_H
#define BYTES_CONTENT_TABLES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define NO_ENTRY UINT32_MAX

/* A text, or bytes, in `data`. */
struct content_text {
    uint64_t offset;
    uint64_t length;
};

struct content_segment {
    uint64_t address;
    uint64_t size; /* bytes, zero-fill included */
    uint64_t content_size;
    uint64_t content; /* where the bytes with content are in `data` */
    uint32_t segment;
    uint32_t prot;
};

struct content_block {
    uint64_t address;
    uint64_t size;
    struct content_text section; /* its name */
    uint32_t block;
    uint32_t input;        /* NO_ID: the linker made it */
    uint64_t input_offset; /* where it starts in its input section */
};

struct content_symbol {
    uint64_t address;
    uint64_t size;
    struct content_text name; /* length 0 for what has none: sections, table entries */
    uint32_t symbol;
    uint32_t leads_to; /* of a table entry: the symbol behind it, an index in this table; or NO_ENTRY */
    uint8_t kind;      /* SYMBOL_KIND_* */
    uint8_t rank;      /* of several at one place the lowest is shown, and comes first */
    uint8_t table;     /* of a table entry: TABLE_*; or NO_TABLE */
    bool is_outside;   /* of another batch, or a library: only the place itself is called so */
    bool is_absolute;  /* a value, no place */
    bool is_nowhere;   /* outside, and nobody has it: weak and undefined; ADDRESS is 0 */
};
enum { NO_TABLE = 0xff };

struct content_fixup {
    uint64_t place;
    int64_t addend;
    uint64_t before, after; /* bytes, little-endian */
    uint32_t target;        /* index in the table of symbols, or NO_ENTRY */
    uint32_t block;
    uint16_t kind;
    uint8_t width; /* bytes written */
};

/* A load through the GOT, or a call of a stub, that was rewritten: eight bytes with the end of the
 * instruction. */
struct content_relaxed {
    uint64_t window;        /* where BEFORE and AFTER begin, at most 4 before PLACE */
    uint64_t before, after; /* bytes, little-endian */
    uint64_t place;         /* of the edge before */
    uint16_t kind;          /* before */
};

/* One half of an action. */
struct content_action {
    uint64_t order; /* twice the action's number, plus 1 for the half at deallocate */
    struct content_text function;
    struct content_text arguments;
};

enum content_table {
    CONTENT_SEGMENTS,
    CONTENT_BLOCKS,
    CONTENT_SYMBOLS,
    CONTENT_FIXUPS,
    CONTENT_RELAXED,
    CONTENT_ACTIONS,
    CONTENT_TABLES
};

struct content_place {
    uint64_t offset; /* in `data` */
    uint32_t count;
};

struct content_link {
    uint32_t link;
    bool has_memory; /* false: it failed before its memory was complete */
    struct content_place tables[CONTENT_TABLES];
};

/* In memory that both see. */
struct content_progress {
    _Atomic uint64_t events; /* of the replay, so far */
    _Atomic uint64_t seen;   /* that the recording had when the child came to its end, and waited for more */
    _Atomic uint32_t links;  /* in the index */
    _Atomic uint32_t outcome;
    char reason[1024]; /* of an outcome that is no success; NUL-terminated */
};
enum content_outcome { CONTENT_RUNNING, CONTENT_COMPLETE, CONTENT_STOPPED };

#endif
