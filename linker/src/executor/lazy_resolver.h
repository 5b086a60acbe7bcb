/* lazy_resolver: the target's side of lazy linking (pass/lazy_stubs.h has the stubs).
 *
 * A call of an unbound stub comes to lazy_resolver_entry with all of the call's registers as they were, and
 * the slot's address in r11.  The entry saves what a call can pass things in, asks whoever registered the
 * slot for the function, restores, and goes there: the function sees what its caller gave it, on the caller's
 * stack.
 *
 *   - Registers: all general ones but r11, which is nobody's between a call and the function (rax has the
 * number of vector registers of a variadic call, r10 the static chain); and, by XSAVE, xmm, ymm, zmm, k and
 * x87 registers and MXCSR, as far as the processor has them and the system enables them.
 *   - errno is the program's, and the thread cannot be cancelled meanwhile.
 *   - Frames: the entry keeps rbp, aligns the stack by itself and has call frame information, so that
 * debuggers, and exceptions, come from the linker, or from initialisers that run below it, to the caller.
 *   - Whoever is asked stores the address into the slot (lazy_slot_store()) when it is to stay.  Threads that
 *     came through the slot before that ask too, and get the same answer.
 *
 * What a lazy call cannot serve: a signal handler that interrupts the linker, or malloc, in its own thread.
 *
 * The target may be another process than the linker: then the function that answers sends a message, and this
 * side is the same. */
#ifndef EXECUTOR_LAZY_RESOLVER_H
#define EXECUTOR_LAZY_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

/* The function that the slot at ADDRESS is for.  Comes back with an address, or not at all. */
typedef uint64_t (*lazy_answer)(void *context, uint64_t slot);

/* [ADDRESS, ADDRESS + SIZE) is slots, about which ANSWER is asked.  NULL, or why not. */
const char *lazy_slots_register(uint64_t address, uint64_t size, lazy_answer answer, void *context);
void lazy_slots_forget(uint64_t address);

/* Where unbound slots lead to in the end. */
uint64_t lazy_resolver_address(void);

/* Atomic, and behind all that was written before. */
void lazy_slot_store(uint64_t slot, uint64_t function);

#endif
