/* disassembly: machine code as text, by capstone. */
#ifndef TOOLS_DISASSEMBLY_H
#define TOOLS_DISASSEMBLY_H

#include "base/bytes.h"
#include "base/text.h"

/* A line for each instruction of x86-64 CODE, which lies at ADDRESS, behind INDENT: address, bytes, mnemonic.
 * Bytes that are no instruction are shown as such. */
void disassemble(struct text *out, const char *indent, struct bytes code, uint64_t address);

#endif
