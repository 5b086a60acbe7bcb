/* hex: memory as rows of 16 bytes.
 *
 * Row number i is worked out by itself, whatever the range.  A byte stands between two marks, so that nothing
 * is said by colour alone:
 *
 *     48 8b 05 [12 34 56 78] e8 <00 00 00 00> c3
 *
 * brackets: written by a fixup or a relaxation; angles: in the process it is not what it should be, and that
 * was not a fixup's or it was.  What is not known is "??", what is outside of the range blank. */
#ifndef BYTES_HEX_H
#define BYTES_HEX_H

#include "bytes/look.h"
#include "mirror/rows.h"

enum { HEX_ROW = 16 };

/* address, hex, text, label, written */
extern const struct column hex_columns[];
extern const uint32_t hex_column_count;

/* One row's bytes, for who draws it: bits from the lowest, one for each. */
struct hex_row {
    uint64_t address; /* a multiple of 16 */
    uint8_t bytes[HEX_ROW];
    uint16_t inside;    /* the range */
    uint16_t known;     /* what they are */
    uint16_t fixed;     /* written by fixups */
    uint16_t relaxed;   /* rewritten instructions */
    uint16_t differing; /* from what they should be */
};

uint64_t hex_row_count(const struct look *look);
/* The row that holds ADDRESS, which is inside of the range. */
uint64_t hex_row_of(const struct look *look, uint64_t address);
void hex_row(const struct look *look, uint64_t number, struct hex_row *row);
/* The same as cells of the columns above, ROWS' arena for texts.  Names are in the labels: to be escaped. */
struct jitscope_error *hex_cells(const struct look *look, uint64_t number, struct rows *rows);

#endif
