#include "executor/jit_interface.h"

#include <elf.h>
#include <stddef.h>

/* Names and layout are the interface's.  Weak: a program that also holds another JIT's copy keeps one list.
 */
enum { NO_ACTION, REGISTER, UNREGISTER };

struct jit_descriptor {
    uint32_t version;
    uint32_t action;
    struct jit_code_entry *relevant;
    struct jit_code_entry *first;
};

#define SEEN_BY_DEBUGGERS __attribute__((visibility("default"), used, weak))

SEEN_BY_DEBUGGERS __attribute__((noinline)) void __jit_debug_register_code(void);
SEEN_BY_DEBUGGERS void __jit_debug_register_code(void) {
    __asm__ volatile("" ::: "memory");
}

extern struct jit_descriptor __jit_debug_descriptor;
SEEN_BY_DEBUGGERS struct jit_descriptor __jit_debug_descriptor = {1, NO_ACTION, NULL, NULL};

bool jit_interface_is_watched(void) {
    enum { INT3 = 0xcc };
    const volatile uint8_t *hook = (const volatile uint8_t *)(uintptr_t)__jit_debug_register_code;
    return *hook == INT3;
}

/* A symbol file without symbols. */
static const Elf64_Ehdr nothing = {
    .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE},
    .e_type = ET_EXEC,
    .e_machine = EM_X86_64,
    .e_version = EV_CURRENT,
    .e_ehsize = sizeof nothing,
    .e_shentsize = sizeof(Elf64_Shdr),
};

/* Debuggers were last told that an entry went. */
static bool went;

static void tell_debuggers(struct jit_code_entry *entry, uint32_t action) {
    __jit_debug_descriptor.relevant = entry;
    __jit_debug_descriptor.action = action;
    __jit_debug_register_code();
    __jit_debug_descriptor.action = NO_ACTION;
    __jit_debug_descriptor.relevant = NULL;
    went = action == UNREGISTER;
}

void jit_interface_add(struct jit_code_entry *entry, bool tell) {
    entry->previous = NULL;
    entry->next = __jit_debug_descriptor.first;
    if (entry->next)
        entry->next->previous = entry;
    __jit_debug_descriptor.first = entry;
    if (tell)
        tell_debuggers(entry, REGISTER);
}

void jit_interface_remove(struct jit_code_entry *entry, bool tell) {
    if (entry->previous)
        entry->previous->next = entry->next;
    else
        __jit_debug_descriptor.first = entry->next;
    if (entry->next)
        entry->next->previous = entry->previous;
    if (tell)
        tell_debuggers(entry, UNREGISTER);
}

void jit_interface_settle(void) {
    struct jit_code_entry entry = {.symfile = (const char *)&nothing, .size = sizeof nothing};
    if (went && jit_interface_is_watched()) {
        jit_interface_add(&entry, true);
        jit_interface_remove(&entry, true);
    }
    went = false;
}
