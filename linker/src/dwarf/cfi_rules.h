/* cfi_rules: what a .debug_frame says of one place in the code (DWARF 5 section 6.4).
 *
 * The sections are those that jitscope makes: 32-bit DWARF, absolute addresses, augmentations that carry no
 * data.  They come from another process all the same: every byte is checked, and what is not understood is
 * refused. */
#ifndef DWARF_CFI_RULES_H
#define DWARF_CFI_RULES_H

#include "base/bytes.h"

/* System V psABI x86-64, figure 3.36: the general registers and the return address, which stands for rip. */
enum { CFI_REGISTERS = 17, CFI_STACK_POINTER = 7, CFI_RETURN_ADDRESS = 16 };

/* Where the caller's value of a register is: the same register; nowhere; at CFA + value; CFA + value itself;
 * in register number value; described by an expression, which is not evaluated. */
enum cfi_how { CFI_SAME, CFI_UNDEFINED, CFI_OFFSET, CFI_VALUE_OFFSET, CFI_REGISTER, CFI_EXPRESSION };

struct cfi_rule {
    enum cfi_how how;
    int64_t value;
};

struct cfi_rules {
    bool cfa_is_expression;
    uint64_t cfa_register;
    int64_t cfa_offset;
    struct cfi_rule registers[CFI_REGISTERS];
};

/* One FDE with its CIE; borrows the section. */
struct cfi_frame {
    uint64_t start; /* first address it describes */
    uint64_t size;
    struct bytes cie; /* instructions */
    struct bytes fde;
    uint64_t code_alignment;
    int64_t data_alignment;
};

/* The record at *OFFSET, which is moved behind it; false at the end of the section, or of what can be read of
 * it. A CIE is a record too, and an FDE that describes nothing: they have size 0. */
bool cfi_next_frame(struct bytes section, uint64_t *offset, struct cfi_frame *frame);

/* Calls ROW for each stretch of code that has rules of its own, in order, up to the end of what the frame
 * describes.  False when an instruction is unknown, torn or makes no sense: rows up to there have been told.
 */
bool cfi_each_row(const struct cfi_frame *frame,
                  void (*row)(void *context, uint64_t start, uint64_t end, const struct cfi_rules *rules),
                  void *context);

/* The rules in force at PC.  False when an instruction is unknown, torn or makes no sense. */
bool cfi_find_rules(const struct cfi_frame *frame, uint64_t pc, struct cfi_rules *rules);

#endif
