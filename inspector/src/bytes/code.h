/* code: memory as instructions, by capstone.
 *
 * Rows are asked for by candidates, two for each byte of the range: number 2i is the label at byte i, 2i+1
 * the instruction that begins there; most are no row.  Where instructions begin is known from the labels:
 * from the symbol, or the block, that holds a byte.  A long function is not read from its start for each
 * screen: from every 4 KiB on it is taken up anew, some way before, where decoding has fallen into step (x86
 * code does, within a few instructions).  So a row is the same from wherever one comes, and takes some
 * milliseconds at most.
 *
 * Operands that are places are named: targets of jumps and calls, what rip-relative operands refer to. Edges,
 * relaxations and lines of the source stand beside, as far as they are known yet: ask again while contents
 * are CONTENTS_WORKING. */
#ifndef BYTES_CODE_H
#define BYTES_CODE_H

#include "bytes/look.h"
#include "mirror/rows.h"

struct code;

enum code_syntax { CODE_ATT, CODE_INTEL };

/* address, bytes, instruction, edges, source */
extern const struct column code_columns[];
extern const uint32_t code_column_count;

/* LOOK is copied.  Errors: NO_MEMORY, UNSUPPORTED (capstone without x86). */
struct jitscope_error *code_create(const struct look *look, enum code_syntax syntax, struct code **code);
void code_destroy(struct code *code);
void code_set_syntax(struct code *code, enum code_syntax syntax);
/* The process's memory may have changed, or contents have become ready: nothing that was read before counts.
 */
void code_refresh(struct code *code);

uint64_t code_candidates(const struct code *code);
/* Whether the candidate is a row. */
bool code_is_row(struct code *code, uint64_t candidate);
/* The candidate of the instruction that ADDRESS, which is in the range, is part of; as if one began there
 * when none is known, as long as contents are not ready. */
uint64_t code_candidate_of(struct code *code, uint64_t address);
/* The row as cells of the columns above; *made is false, and nothing is added, when the candidate is none.
 * Names are as they are, to be escaped by who shows them. */
struct jitscope_error *code_cells(struct code *code, uint64_t candidate, struct rows *rows, bool *made);

/* Where the code at ADDRESS leads to, for who follows it: the target of a jump or call, what a rip-relative
 * operand refers to.  False when there is nothing of the kind. */
bool code_target(struct code *code, uint64_t address, uint64_t *target);

#endif
