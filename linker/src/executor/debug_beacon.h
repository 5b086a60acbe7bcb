/* debug_beacon: how a jit-reader finds code that no debugger was told of.
 *
 * gdb hands a reader (gdb manual, "Writing JIT Debug Info Readers") what the JIT interface lists, and nothing
 * else; under the policy lazy nothing is listed.  So one entry is: an ELF file of a few hundred bytes with
 * neither code nor symbols, which debuggers without a reader load and find nothing in.  Its one section of
 * interest, .note.jitscope, holds a note of owner BEACON_OWNER and type BEACON_NOTE: the address of
 * `jitscope_debuggee`, from which the reader goes on by itself. */
#ifndef EXECUTOR_DEBUG_BEACON_H
#define EXECUTOR_DEBUG_BEACON_H

#include <elf.h>
#include <stdint.h>

#define BEACON_OWNER   "jitscope"
#define BEACON_SECTION ".note.jitscope"

enum { BEACON_NOTE = 1 };

/* The content of the section (gABI, "Note Section"). */
struct beacon_note {
    Elf64_Nhdr header;
    char owner[12]; /* BEACON_OWNER and zeros */
    uint64_t root;  /* address of `jitscope_debuggee` */
};

/* Puts the beacon into the JIT interface's list, if it is not there yet; a debugger that listens is told.
 * Under the lock of the list. */
void debug_beacon_light(uint64_t root);
void debug_beacon_put_out(void);

#endif
