#define _GNU_SOURCE
#include "executor/lazy_resolver.h"

#include "base/os.h"

#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

/* --- slots
 *
 * Few batches have some, and only first calls ask: a list under a lock. */

struct slots {
    uint64_t start, end;
    lazy_answer answer;
    void *context;
    struct slots *next;
};

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static struct slots *all_slots;

static void prepare_saving(void);

const char *lazy_slots_register(uint64_t address, uint64_t size, lazy_answer answer, void *context) {
    struct slots *slots = os_allocate(sizeof *slots);
    if (!slots)
        return "out of memory";
    *slots = (struct slots){address, address + size, answer, context, NULL};
    pthread_mutex_lock(&slots_lock);
    prepare_saving();
    slots->next = all_slots;
    all_slots = slots;
    pthread_mutex_unlock(&slots_lock);
    return NULL;
}

void lazy_slots_forget(uint64_t address) {
    pthread_mutex_lock(&slots_lock);
    struct slots **link = &all_slots;
    while (*link && (*link)->start != address)
        link = &(*link)->next;
    struct slots *gone = *link;
    if (gone)
        *link = gone->next;
    pthread_mutex_unlock(&slots_lock);
    os_release(gone);
}

static struct slots find_slots(uint64_t slot) {
    struct slots found = {0};
    pthread_mutex_lock(&slots_lock);
    for (const struct slots *at = all_slots; at; at = at->next)
        if (slot >= at->start && slot < at->end)
            found = *at;
    pthread_mutex_unlock(&slots_lock);
    return found;
}

void lazy_slot_store(uint64_t slot, uint64_t function) {
    __atomic_store_n((uint64_t *)(uintptr_t)slot, function, __ATOMIC_RELEASE);
}

/* What the entry calls.  The slots are there: code that jumps through them is. */
__attribute__((used, visibility("hidden"))) uint64_t lazy_resolver_ask(uint64_t slot) {
    int error = errno, state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    struct slots slots = find_slots(slot);
    uint64_t function = slots.answer(slots.context, slot);
    pthread_setcancelstate(state, NULL);
    errno = error;
    return function;
}

/* --- the entry (psABI x86-64: section 3.2.3 for what a call passes where; Intel SDM volume 1, chapter 13,
 * for XSAVE)
 *
 * Saved are the state components x87, SSE, AVX and the three of AVX-512; of what else there is a call passes
 * nothing.  Without XSAVE there is nothing but x87 and SSE, and FXSAVE has both. */

enum { SAVED_COMPONENTS = 0xe7, FXSAVE_SIZE = 512, XSAVE_HEADER = 64 };

__attribute__((used, visibility("hidden"))) uint32_t lazy_resolver_mask; /* 0: FXSAVE */
__attribute__((used, visibility("hidden"))) uint64_t lazy_resolver_room = FXSAVE_SIZE;

static uint32_t enabled_components(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* Component I lies at an offset of its own in the standard format. */
static uint64_t end_of_component(uint32_t i) {
    uint32_t size, offset, c, d;
    if (i < 2)
        return FXSAVE_SIZE + XSAVE_HEADER;
    __cpuid_count(0xd, i, size, offset, c, d);
    return (uint64_t)offset + size;
}

static void prepare_saving(void) {
    uint32_t a, b, c, d;
    if (lazy_resolver_mask || !__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return;
    uint32_t mask = enabled_components() & SAVED_COMPONENTS;
    uint64_t room = FXSAVE_SIZE + XSAVE_HEADER;
    for (uint32_t i = 2; i < 8; i++)
        if (mask >> i & 1 && end_of_component(i) > room)
            room = end_of_component(i);
    lazy_resolver_room = (room + 63) & ~UINT64_C(63);
    lazy_resolver_mask = mask;
}

extern const char lazy_resolver_entry[] __attribute__((visibility("hidden")));

uint64_t lazy_resolver_address(void) {
    return (uint64_t)(uintptr_t)lazy_resolver_entry;
}

/* Below rbp: rax rcx rdx rsi rdi r8 r9 r10 rbx at -8 ... -72, then, aligned to 64, what XSAVE writes. */
__asm__(".text\n"
        ".hidden lazy_resolver_entry\n"
        ".globl lazy_resolver_entry\n"
        ".type lazy_resolver_entry, @function\n"
        ".p2align 4\n"
        "lazy_resolver_entry:\n"
        "    .cfi_startproc\n"
        "    push %rbp\n"
        "    .cfi_def_cfa_offset 16\n"
        "    .cfi_offset %rbp, -16\n"
        "    mov %rsp, %rbp\n"
        "    .cfi_def_cfa_register %rbp\n"
        "    push %rax\n"
        "    push %rcx\n"
        "    push %rdx\n"
        "    push %rsi\n"
        "    push %rdi\n"
        "    push %r8\n"
        "    push %r9\n"
        "    push %r10\n"
        "    push %rbx\n"
        "    .cfi_offset %rbx, -88\n"
        "    mov %r11, %rdi\n"
        "    sub lazy_resolver_room(%rip), %rsp\n"
        "    and $-64, %rsp\n"
        "    mov lazy_resolver_mask(%rip), %ebx\n"
        "    test %ebx, %ebx\n"
        "    jz 1f\n"
        "    mov %ebx, %eax\n"
        "    xor %edx, %edx\n"
        "    movq %rdx, 512(%rsp)\n" /* the header says what is there: nothing yet */
        "    movq %rdx, 520(%rsp)\n"
        "    movq %rdx, 528(%rsp)\n"
        "    movq %rdx, 536(%rsp)\n"
        "    movq %rdx, 544(%rsp)\n"
        "    movq %rdx, 552(%rsp)\n"
        "    movq %rdx, 560(%rsp)\n"
        "    movq %rdx, 568(%rsp)\n"
        "    xsave64 (%rsp)\n"
        "    call lazy_resolver_ask\n"
        "    mov %rax, %r11\n"
        "    mov %ebx, %eax\n"
        "    xor %edx, %edx\n"
        "    xrstor64 (%rsp)\n"
        "    jmp 2f\n"
        "1:  fxsave64 (%rsp)\n"
        "    call lazy_resolver_ask\n"
        "    mov %rax, %r11\n"
        "    fxrstor64 (%rsp)\n"
        "2:  mov -8(%rbp), %rax\n"
        "    mov -16(%rbp), %rcx\n"
        "    mov -24(%rbp), %rdx\n"
        "    mov -32(%rbp), %rsi\n"
        "    mov -40(%rbp), %rdi\n"
        "    mov -48(%rbp), %r8\n"
        "    mov -56(%rbp), %r9\n"
        "    mov -64(%rbp), %r10\n"
        "    mov -72(%rbp), %rbx\n"
        "    .cfi_restore %rbx\n"
        "    mov %rbp, %rsp\n"
        "    pop %rbp\n"
        "    .cfi_restore %rbp\n"
        "    .cfi_def_cfa %rsp, 8\n"
        "    jmp *%r11\n"
        "    .cfi_endproc\n"
        ".size lazy_resolver_entry, . - lazy_resolver_entry\n");
