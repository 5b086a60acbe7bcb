/* jit_interface: the list of symbol files that gdb and lldb look for (gdb manual, "JIT Compilation
 * Interface").
 *
 * A debugger finds the list through the symbol __jit_debug_descriptor, at attach and in core files, and sets
 * a breakpoint on __jit_debug_register_code, which it runs into whenever the list changes.  That breakpoint
 * is visible: it is how this side knows whether anybody listens. */
#ifndef EXECUTOR_JIT_INTERFACE_H
#define EXECUTOR_JIT_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

struct jit_code_entry {
    struct jit_code_entry *next;
    struct jit_code_entry *previous;
    const char *symfile;
    uint64_t size;
};

/* A debugger has its breakpoint in the hook now. */
bool jit_interface_is_watched(void);
/* ENTRY joins or leaves the list; with TELL, debuggers are told at once.  ENTRY stays the caller's.  Under a
 * lock of the caller's: the list is the process's. */
void jit_interface_add(struct jit_code_entry *entry, bool tell);
void jit_interface_remove(struct jit_code_entry *entry, bool tell);
/* gdb looks for the places of its breakpoints again when an entry comes, not when one goes.  Until then it
 * keeps putting breakpoints into the memory that the entry's code had, and putting a byte of that code back.
 * Where that memory cannot rest, this has gdb look now, by an entry without symbols that comes and goes; it
 * disables the breakpoints that were set when their code was there and are nowhere now. */
void jit_interface_settle(void);

#endif
