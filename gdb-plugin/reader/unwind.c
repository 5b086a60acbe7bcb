#include "unwind.h"

#include "gdb_memory.h"

/* psABI x86-64, figure 3.36: rflags and the selectors.  CFI has no rules for them; they are the same in the
 * caller, as gdb's own unwinder has it.  The rest cannot be passed on: gdb 13 takes the numbers of xmm
 * registers for ymm ones, which a reader cannot set, and stops at those of fs.base and gs.base. */
static const uint8_t kept_registers[] = {49, 50, 51, 52, 53, 54, 55};

struct word {
    uint64_t value;
    bool is_known;
};

/* A frame that is ours. */
struct place {
    struct cfi_frame frame;
    struct cfi_rules rules;
    struct word registers[CFI_REGISTERS];
    uint64_t cfa;
};

/* --- registers */

static struct word get_register(struct gdb_unwind_callbacks *gdb, int number) {
    struct word word = {0, false};
    struct gdb_reg_value *value = gdb->reg_get(gdb, number);
    if (value && value->defined && value->size == sizeof word.value) {
        memcpy(&word.value, value->value, sizeof word.value);
        word.is_known = true;
    }
    if (value && value->free)
        value->free(value);
    return word;
}

static void release_value(struct gdb_reg_value *value) {
    os_release(value);
}

static bool set_register(struct gdb_unwind_callbacks *gdb, int number, uint64_t value) {
    struct gdb_reg_value *set = os_allocate_zeroed(sizeof *set + sizeof value);
    if (!set)
        return false;
    set->size = sizeof value;
    set->defined = 1;
    set->free = release_value;
    memcpy(set->value, &value, sizeof value);
    gdb->reg_set(gdb, number, set);
    return true;
}

/* Their sizes differ: gdb gets back what it gave. */
static void keep_register(struct gdb_unwind_callbacks *gdb, int number) {
    struct gdb_reg_value *value = gdb->reg_get(gdb, number);
    if (value && value->defined)
        gdb->reg_set(gdb, number, value);
    else if (value && value->free)
        value->free(value);
}

/* --- the place */

static bool read_word(const struct debuggee_memory *memory, uint64_t address, uint64_t *value) {
    return memory->read(memory->context, address, value, sizeof *value);
}

/* A return address may lie behind the last instruction of its function, or under rules that begin there: the
 * call before it is what counts.  A caller's pc is told from that of the innermost frame by the slot it was
 * popped from, which is still below the stack pointer. */
static uint64_t place_of(const struct debuggee_memory *memory, uint64_t pc, uint64_t stack) {
    uint64_t slot;
    return read_word(memory, stack - sizeof slot, &slot) && slot == pc ? pc - 1 : pc;
}

static bool find_place(struct frame_index *index, struct gdb_unwind_callbacks *gdb,
                       const struct debuggee_memory *memory, struct place *place) {
    struct word pc = get_register(gdb, CFI_RETURN_ADDRESS), stack = get_register(gdb, CFI_STACK_POINTER);
    if (!pc.is_known || !stack.is_known)
        return false;
    uint64_t at = place_of(memory, pc.value, stack.value);
    if (!frame_index_find(index, memory, at, &place->frame) ||
        !cfi_find_rules(&place->frame, at, &place->rules))
        return false;
    for (int i = 0; i < CFI_REGISTERS; i++)
        place->registers[i] = get_register(gdb, i);
    struct word base = place->registers[place->rules.cfa_register];
    place->cfa = base.value + (uint64_t)place->rules.cfa_offset;
    return base.is_known;
}

bool unwind_identify(struct frame_index *index, struct gdb_unwind_callbacks *gdb, struct gdb_frame_id *id) {
    struct debuggee_memory memory = gdb_memory(&gdb->target_read);
    struct place place;
    if (!find_place(index, gdb, &memory, &place))
        return false;
    *id = (struct gdb_frame_id){place.frame.start, place.cfa};
    return true;
}

/* --- the caller */

static bool find_caller_value(const struct place *place, const struct debuggee_memory *memory, int number,
                              struct word *word) {
    const struct cfi_rule *rule = &place->rules.registers[number];
    *word = (struct word){0, false};
    switch (rule->how) {
    case CFI_SAME:
        *word = place->registers[number];
        if (number == CFI_STACK_POINTER)
            *word = (struct word){place->cfa, true};
        return true;
    case CFI_UNDEFINED:
        return true;
    case CFI_OFFSET:
        word->is_known = read_word(memory, place->cfa + (uint64_t)rule->value, &word->value);
        return word->is_known;
    case CFI_VALUE_OFFSET:
        *word = (struct word){place->cfa + (uint64_t)rule->value, true};
        return true;
    case CFI_REGISTER:
        *word = place->registers[rule->value];
        return true;
    case CFI_EXPRESSION:
        return false;
    }
    return false;
}

bool unwind_frame(struct frame_index *index, struct gdb_unwind_callbacks *gdb) {
    struct debuggee_memory memory = gdb_memory(&gdb->target_read);
    struct place place;
    struct word caller[CFI_REGISTERS];
    if (!find_place(index, gdb, &memory, &place))
        return false;
    for (int i = 0; i < CFI_REGISTERS; i++)
        if (!find_caller_value(&place, &memory, i, &caller[i]))
            return false;
    if (!caller[CFI_RETURN_ADDRESS].is_known)
        return false;
    for (int i = 0; i < CFI_REGISTERS; i++)
        if (caller[i].is_known && !set_register(gdb, i, caller[i].value))
            return false;
    for (size_t i = 0; i < sizeof kept_registers; i++)
        keep_register(gdb, kept_registers[i]);
    return true;
}
