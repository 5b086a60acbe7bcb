/* cfi: a record of .eh_frame in words (LSB Core 5, "Exception Frames"; DWARF 5 section 6.4).
 *
 * What the record says of itself, as facts; and for an FDE the rows that it stands for: from which address to
 * which, where the frame's canonical address is, and where the caller's registers are, written as readelf
 * does: c-16 is at the canonical frame address less 16, u is lost, exp is what an expression says.  Of a CIE,
 * the rules that its functions begin with.
 *
 * Records are read as they are to be shown (look.h) and are untrusted: what makes no sense is said. */
#ifndef BYTES_CFI_H
#define BYTES_CFI_H

#include "bytes/look.h"
#include "mirror/rows.h"

/* what, address, value */
extern const struct column cfi_fact_columns[];
extern const uint32_t cfi_fact_column_count;
/* address, end, cfa, registers */
extern const struct column cfi_rule_columns[];
extern const uint32_t cfi_rule_column_count;

/* Of the record at ADDRESS, which is in the range that LOOK is about.  No rows when nothing can be read there
 * yet. Errors: NO_MEMORY. */
struct jitscope_error *cfi_facts(const struct look *look, uint64_t address, struct rows *rows);
struct jitscope_error *cfi_rules_of(const struct look *look, uint64_t address, struct rows *rows);

#endif
