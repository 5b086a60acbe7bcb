#include "dwarf/cfi_rules.h"

enum { LENGTH_SIZE = 4, ID_SIZE = 4, ADDRESS_SIZE = 8, MOST_REMEMBERED = 32 };

/* DWARF 5 section 7.24.  The first three have their operand in the low six bits. */
enum {
    CFA_ADVANCE_LOC = 0x40,
    CFA_OFFSET = 0x80,
    CFA_RESTORE = 0xc0,
    CFA_NOP = 0,
    CFA_SET_LOC,
    CFA_ADVANCE_LOC1,
    CFA_ADVANCE_LOC2,
    CFA_ADVANCE_LOC4,
    CFA_OFFSET_EXTENDED,
    CFA_RESTORE_EXTENDED,
    CFA_UNDEFINED,
    CFA_SAME_VALUE,
    CFA_REGISTER,
    CFA_REMEMBER_STATE,
    CFA_RESTORE_STATE,
    CFA_DEF_CFA,
    CFA_DEF_CFA_REGISTER,
    CFA_DEF_CFA_OFFSET,
    CFA_DEF_CFA_EXPRESSION,
    CFA_EXPRESSION,
    CFA_OFFSET_EXTENDED_SF,
    CFA_DEF_CFA_SF,
    CFA_DEF_CFA_OFFSET_SF,
    CFA_VAL_OFFSET,
    CFA_VAL_OFFSET_SF,
    CFA_VAL_EXPRESSION,
    CFA_GNU_ARGS_SIZE = 0x2e, /* LSB Core 5, "DWARF Extensions" */
    CFA_OPERAND = 0x3f,
};

/* --- records */

/* The length, or 0. */
static uint64_t record_length(struct bytes section, uint64_t offset) {
    if (!bytes_contain(section, offset, LENGTH_SIZE + ID_SIZE))
        return 0;
    uint64_t length = load_u32(section.data + offset);
    return length >= ID_SIZE && bytes_contain(section, offset + LENGTH_SIZE, length) ? length : 0;
}

/* Sections 6.4.1 and 7.24; version 4 adds the sizes of addresses and segment selectors. */
static bool open_cie(struct bytes section, uint64_t offset, struct cfi_frame *frame) {
    uint64_t length = record_length(section, offset), at = ID_SIZE + 1, unused;
    struct bytes record = bytes_slice(section, offset + LENGTH_SIZE, length);
    if (!length || load_u32(record.data) != UINT32_MAX || !bytes_contain(record, ID_SIZE, 2))
        return false;
    uint8_t version = record.data[ID_SIZE];
    bool is_signal = record.data[at] == 'S';
    at += is_signal;
    if ((version != 1 && version != 3 && version != 4) || !bytes_contain(record, at, 1) || record.data[at++])
        return false;
    if (version == 4) {
        if (!bytes_contain(record, at, 2) || record.data[at] != ADDRESS_SIZE || record.data[at + 1])
            return false;
        at += 2;
    }
    if (!bytes_uleb(record, &at, &frame->code_alignment) || !bytes_sleb(record, &at, &frame->data_alignment))
        return false;
    if (version == 1 ? !bytes_contain(record, at++, 1) : !bytes_uleb(record, &at, &unused))
        return false;
    frame->cie = bytes_slice(record, at, record.size - at);
    return true;
}

bool cfi_next_frame(struct bytes section, uint64_t *offset, struct cfi_frame *frame) {
    uint64_t length = record_length(section, *offset);
    *frame = (struct cfi_frame){0};
    if (!length)
        return false;
    struct bytes record = bytes_slice(section, *offset + LENGTH_SIZE, length);
    *offset += LENGTH_SIZE + length;
    const uint64_t fixed = ID_SIZE + 2 * ADDRESS_SIZE;
    uint32_t cie = load_u32(record.data);
    if (cie == UINT32_MAX || length < fixed || !open_cie(section, cie, frame))
        return true;
    frame->start = load_u64(record.data + ID_SIZE);
    frame->size = load_u64(record.data + ID_SIZE + ADDRESS_SIZE);
    frame->fde = bytes_slice(record, fixed, length - fixed);
    if (frame->size > UINT64_MAX - frame->start)
        frame->size = 0;
    return true;
}

/* --- instructions */

struct machine {
    const struct cfi_frame *frame;
    struct bytes code;
    uint64_t at; /* in CODE */
    uint64_t location;
    uint64_t pc; /* where to stop */
    struct cfi_rules rules;
    struct cfi_rules initial; /* by the CIE, for CFA_RESTORE */
    struct cfi_rules remembered[MOST_REMEMBERED];
    unsigned depth;
};

static bool take_unsigned(struct machine *machine, uint64_t *value) {
    return bytes_uleb(machine->code, &machine->at, value);
}

static bool take_signed(struct machine *machine, int64_t *value) {
    return bytes_sleb(machine->code, &machine->at, value);
}

static bool take_fixed(struct machine *machine, uint64_t size, uint64_t *value) {
    *value = 0;
    if (!bytes_contain(machine->code, machine->at, size))
        return false;
    memcpy(value, machine->code.data + machine->at, size);
    machine->at += size;
    return true;
}

/* Registers beyond the general ones are nobody's to restore: the psABI has no others saved by the callee. */
static bool set_rule(struct machine *machine, uint64_t number, enum cfi_how how, int64_t value) {
    if (number < CFI_REGISTERS)
        machine->rules.registers[number] = (struct cfi_rule){how, value};
    return true;
}

static bool restore_rule(struct machine *machine, uint64_t number) {
    if (number < CFI_REGISTERS)
        machine->rules.registers[number] = machine->initial.registers[number];
    return true;
}

static bool factor(const struct machine *machine, int64_t value, int64_t *out) {
    return !__builtin_mul_overflow(value, machine->frame->data_alignment, out);
}

static bool offset_rule(struct machine *machine, enum cfi_how how, uint64_t number) {
    uint64_t factored;
    int64_t offset;
    return take_unsigned(machine, &factored) && factored <= INT64_MAX &&
           factor(machine, (int64_t)factored, &offset) && set_rule(machine, number, how, offset);
}

static bool offset_rule_signed(struct machine *machine, enum cfi_how how, uint64_t number) {
    int64_t factored, offset;
    return take_signed(machine, &factored) && factor(machine, factored, &offset) &&
           set_rule(machine, number, how, offset);
}

static bool advance(struct machine *machine, uint64_t factored) {
    uint64_t bytes;
    return !__builtin_mul_overflow(factored, machine->frame->code_alignment, &bytes) &&
           !__builtin_add_overflow(machine->location, bytes, &machine->location);
}

static bool advance_by(struct machine *machine, uint64_t size) {
    uint64_t factored;
    return take_fixed(machine, size, &factored) && advance(machine, factored);
}

static bool skip_block(struct machine *machine) {
    uint64_t size;
    if (!take_unsigned(machine, &size) || !bytes_contain(machine->code, machine->at, size))
        return false;
    machine->at += size;
    return true;
}

static bool remember(struct machine *machine) {
    if (machine->depth == MOST_REMEMBERED)
        return false;
    machine->remembered[machine->depth++] = machine->rules;
    return true;
}

static bool recall(struct machine *machine) {
    if (!machine->depth)
        return false;
    machine->rules = machine->remembered[--machine->depth];
    return true;
}

static bool set_cfa_register(struct machine *machine) {
    machine->rules.cfa_is_expression = false;
    return take_unsigned(machine, &machine->rules.cfa_register);
}

static bool set_cfa_offset(struct machine *machine) {
    uint64_t offset;
    if (!take_unsigned(machine, &offset) || offset > INT64_MAX)
        return false;
    machine->rules.cfa_offset = (int64_t)offset;
    return true;
}

static bool set_cfa_offset_signed(struct machine *machine) {
    int64_t factored;
    return take_signed(machine, &factored) && factor(machine, factored, &machine->rules.cfa_offset);
}

static bool set_cfa_expression(struct machine *machine) {
    machine->rules.cfa_is_expression = true;
    return skip_block(machine);
}

/* Those whose first operand is a register. */
static bool run_on_register(struct machine *machine, uint8_t code) {
    uint64_t number, other;
    if (!take_unsigned(machine, &number))
        return false;
    switch (code) {
    case CFA_OFFSET_EXTENDED:
        return offset_rule(machine, CFI_OFFSET, number);
    case CFA_OFFSET_EXTENDED_SF:
        return offset_rule_signed(machine, CFI_OFFSET, number);
    case CFA_VAL_OFFSET:
        return offset_rule(machine, CFI_VALUE_OFFSET, number);
    case CFA_VAL_OFFSET_SF:
        return offset_rule_signed(machine, CFI_VALUE_OFFSET, number);
    case CFA_RESTORE_EXTENDED:
        return restore_rule(machine, number);
    case CFA_UNDEFINED:
        return set_rule(machine, number, CFI_UNDEFINED, 0);
    case CFA_SAME_VALUE:
        return set_rule(machine, number, CFI_SAME, 0);
    case CFA_REGISTER:
        return take_unsigned(machine, &other) && other < CFI_REGISTERS &&
               set_rule(machine, number, CFI_REGISTER, (int64_t)other);
    case CFA_EXPRESSION:
    case CFA_VAL_EXPRESSION:
        return skip_block(machine) && set_rule(machine, number, CFI_EXPRESSION, 0);
    default:
        return false;
    }
}

static bool run_one(struct machine *machine, uint8_t code) {
    uint64_t unused;
    switch (code) {
    case CFA_NOP:
        return true;
    case CFA_SET_LOC:
        return take_fixed(machine, ADDRESS_SIZE, &machine->location);
    case CFA_ADVANCE_LOC1:
        return advance_by(machine, 1);
    case CFA_ADVANCE_LOC2:
        return advance_by(machine, 2);
    case CFA_ADVANCE_LOC4:
        return advance_by(machine, 4);
    case CFA_REMEMBER_STATE:
        return remember(machine);
    case CFA_RESTORE_STATE:
        return recall(machine);
    case CFA_DEF_CFA:
        return set_cfa_register(machine) && set_cfa_offset(machine);
    case CFA_DEF_CFA_SF:
        return set_cfa_register(machine) && set_cfa_offset_signed(machine);
    case CFA_DEF_CFA_REGISTER:
        return set_cfa_register(machine);
    case CFA_DEF_CFA_OFFSET:
        return set_cfa_offset(machine);
    case CFA_DEF_CFA_OFFSET_SF:
        return set_cfa_offset_signed(machine);
    case CFA_DEF_CFA_EXPRESSION:
        return set_cfa_expression(machine);
    case CFA_GNU_ARGS_SIZE:
        return take_unsigned(machine, &unused);
    default:
        return run_on_register(machine, code);
    }
}

static bool run_next(struct machine *machine) {
    uint8_t byte = machine->code.data[machine->at++], operand = byte & CFA_OPERAND;
    switch (byte & ~CFA_OPERAND) {
    case CFA_ADVANCE_LOC:
        return advance(machine, operand);
    case CFA_OFFSET:
        return offset_rule(machine, CFI_OFFSET, operand);
    case CFA_RESTORE:
        return restore_rule(machine, operand);
    default:
        return run_one(machine, byte);
    }
}

/* Up to the first row behind PC. */
static bool run(struct machine *machine, struct bytes code) {
    machine->code = code;
    machine->at = 0;
    while (machine->at < code.size && machine->location <= machine->pc)
        if (!run_next(machine))
            return false;
    return true;
}

/* What the CIE says, before the FDE begins. */
static bool begin(struct machine *machine, const struct cfi_frame *frame, uint64_t pc) {
    *machine = (struct machine){.frame = frame, .location = frame->start, .pc = pc};
    machine->rules.cfa_register = CFI_REGISTERS; /* none, until an instruction says */
    machine->rules.registers[CFI_RETURN_ADDRESS].how = CFI_UNDEFINED;
    if (!run(machine, frame->cie))
        return false;
    machine->initial = machine->rules;
    machine->location = frame->start;
    return true;
}

bool cfi_each_row(const struct cfi_frame *frame,
                  void (*row)(void *context, uint64_t start, uint64_t end, const struct cfi_rules *rules),
                  void *context) {
    struct machine machine;
    uint64_t start = frame->start, end = frame->start + frame->size;
    if (!begin(&machine, frame, UINT64_MAX))
        return false;
    machine.code = frame->fde;
    machine.at = 0;
    while (machine.at < frame->fde.size) {
        if (!run_next(&machine) || machine.location < start)
            return false;
        if (machine.location > start && start < end)
            row(context, start, machine.location < end ? machine.location : end, &machine.rules);
        start = machine.location; /* advancing changes no rule */
    }
    if (start < end)
        row(context, start, end, &machine.rules);
    return true;
}

bool cfi_find_rules(const struct cfi_frame *frame, uint64_t pc, struct cfi_rules *rules) {
    struct machine machine;
    if (pc - frame->start >= frame->size || !begin(&machine, frame, pc) || !run(&machine, frame->fde))
        return false;
    *rules = machine.rules;
    return !rules->cfa_is_expression && rules->cfa_register < CFI_RETURN_ADDRESS;
}
