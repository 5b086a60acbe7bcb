#include "bytes/code.h"

#include "arch/arch.h"
#include "mirror/views.h"

#include <capstone/capstone.h>
#include <inttypes.h>
#include <string.h>

const struct column code_columns[] = {
    {"address", CELL_ADDRESS}, {"bytes", CELL_CODE},  {"instruction", CELL_TEXT},
    {"edges", CELL_TEXT},      {"source", CELL_TEXT},
};
const uint32_t code_column_count = sizeof code_columns / sizeof *code_columns;

enum {
    LONGEST = 15,  /* bytes of an instruction */
    WINDOW = 4096, /* bytes in which instructions are looked for at once */
    LEAD = 512,    /* bytes before, in which decoding falls into step */
    WINDOWS = 8,   /* that are remembered */
};

/* Where instructions and labels begin in a window, a bit for each byte. */
struct window {
    uint64_t start, end; /* end 0: not used */
    uint64_t limit;      /* of the region that the window is a part of */
    uint64_t instructions[WINDOW / 64];
    uint64_t labels[WINDOW / 64];
};

struct code {
    struct look look;
    enum code_syntax syntax;
    csh plain, detailed;
    cs_insn *instruction; /* of either */
    struct window windows[WINDOWS];
    uint32_t next; /* to be used anew */
};

/* --- creating */

static struct jitscope_error *open_engines(struct code *code) {
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &code->plain) != CS_ERR_OK ||
        cs_open(CS_ARCH_X86, CS_MODE_64, &code->detailed) != CS_ERR_OK ||
        cs_option(code->detailed, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "capstone cannot decode x86-64");
    code->instruction = cs_malloc(code->detailed);
    return code->instruction ? NULL : error_no_memory();
}

struct jitscope_error *code_create(const struct look *look, enum code_syntax syntax, struct code **out) {
    struct code *code = os_allocate_zeroed(sizeof *code);
    if (!code)
        return error_no_memory();
    code->look = *look;
    struct jitscope_error *error = open_engines(code);
    if (error) {
        code_destroy(code);
        return error;
    }
    code_set_syntax(code, syntax);
    *out = code;
    return NULL;
}

void code_destroy(struct code *code) {
    if (!code)
        return;
    if (code->instruction)
        cs_free(code->instruction, 1);
    if (code->plain)
        cs_close(&code->plain);
    if (code->detailed)
        cs_close(&code->detailed);
    os_release(code);
}

void code_set_syntax(struct code *code, enum code_syntax syntax) {
    code->syntax = syntax;
    cs_option(code->detailed, CS_OPT_SYNTAX, syntax == CODE_ATT ? CS_OPT_SYNTAX_ATT : CS_OPT_SYNTAX_INTEL);
}

void code_refresh(struct code *code) {
    memset(code->windows, 0, sizeof code->windows);
}

/* --- where instructions begin */

static bool is_label(const struct content_symbol *symbol) {
    return !symbol->is_outside && !symbol->is_absolute && (symbol->name.length || symbol->table != NO_TABLE);
}

/* The first place behind ADDRESS, before LIMIT, that has a label; LIMIT when none has. */
static uint64_t next_label(const struct look *look, uint64_t address, uint64_t limit) {
    struct content_symbol symbol;
    uint32_t at = contents_first(look->contents, look->link, CONTENT_SYMBOLS, address + 1);
    for (; contents_entry(look->contents, look->link, CONTENT_SYMBOLS, at, &symbol) && symbol.address < limit;
         at++)
        if (is_label(&symbol))
            return symbol.address;
    return limit;
}

/* Between blocks there is padding. */
static void find_gap(const struct look *look, uint64_t address, uint64_t *base, uint64_t *limit) {
    struct content_block block;
    uint32_t behind = contents_first(look->contents, look->link, CONTENT_BLOCKS, address);
    if (behind && contents_entry(look->contents, look->link, CONTENT_BLOCKS, behind - 1, &block) &&
        block.address + block.size - *base <= address - *base)
        *base = block.address + block.size;
    if (contents_entry(look->contents, look->link, CONTENT_BLOCKS, behind, &block) && block.address < *limit)
        *limit = block.address;
}

/* The last place at or before ADDRESS, not before BASE, that has a label; BASE when none has. */
static uint64_t last_label(const struct look *look, uint64_t address, uint64_t base) {
    enum { MOST_WITHOUT = 256 };
    struct content_symbol symbol;
    uint32_t at = contents_first(look->contents, look->link, CONTENT_SYMBOLS, address + 1);
    for (uint32_t i = 0; i < MOST_WITHOUT && at--; i++) {
        if (!contents_entry(look->contents, look->link, CONTENT_SYMBOLS, at, &symbol) ||
            symbol.address < base)
            break;
        if (is_label(&symbol))
            return symbol.address;
    }
    return base;
}

/* What holds ADDRESS and begins with an instruction: from one label to the next, what is before the first one
 * of a block, a gap between blocks; without contents all of the range. */
static void find_region(const struct look *look, uint64_t address, uint64_t *base, uint64_t *limit) {
    struct content_block block;
    *base = look->start;
    *limit = look->start + look->size;
    if (contents_ask(look->contents, look->link) != CONTENTS_READY)
        return;
    if (contents_block_at(look->contents, look->link, address, &block)) {
        *base = block.address > *base ? block.address : *base;
        *limit = block.address + block.size < *limit ? block.address + block.size : *limit;
        *base = last_label(look, address, *base);
        *limit = next_label(look, address, *limit);
    } else {
        find_gap(look, address, base, limit);
    }
    *limit = *limit > address ? *limit : address + 1;
}

static void set_bit(uint64_t *bits, uint64_t at) {
    bits[at / 64] |= UINT64_C(1) << at % 64;
}

static bool has_bit(const uint64_t *bits, uint64_t at) {
    return bits[at / 64] >> at % 64 & 1;
}

/* What is decoded at once: bytes that are known, from ADDRESS on. */
struct code_stretch {
    uint8_t bytes[LEAD + WINDOW + LONGEST];
    const uint8_t *at;
    size_t left;
    uint64_t address, end;
};

/* Memory that cannot be read is in pages; where it can be read again is looked for at every 16th byte, and so
 * much of it is one row. */
enum { UNKNOWN_ROW = 16 };

static void skip_unknown(const struct code *code, struct code_stretch *stretch) {
    uint64_t step = UNKNOWN_ROW - stretch->address % UNKNOWN_ROW, left = stretch->end - stretch->address;
    step = step < left ? step : left;
    stretch->address += step;
    stretch->at = stretch->bytes;
    stretch->left = look_read(&code->look, stretch->address, stretch->bytes, left - step);
}

/* To where the next instruction begins, or the next byte that is none. */
static void step(const struct code *code, struct code_stretch *stretch) {
    uint64_t start = stretch->address;
    if (!stretch->left) {
        skip_unknown(code, stretch);
        return;
    }
    if (cs_disasm_iter(code->plain, &stretch->at, &stretch->left, &stretch->address, code->instruction))
        return;
    stretch->address = start + 1;
    stretch->at++;
    stretch->left--;
}

/* The last one may reach beyond the window, not beyond the region. */
static void find_instructions(const struct code *code, struct window *window, uint64_t base, uint64_t limit) {
    struct code_stretch stretch = {.at = stretch.bytes};
    stretch.address = window->start - base > LEAD ? window->start - LEAD : base;
    stretch.end = limit - window->end < LONGEST ? limit : window->end + LONGEST;
    if (!code->look.read && contents_ask(code->look.contents, code->look.link) != CONTENTS_READY)
        return;
    stretch.left = look_read(&code->look, stretch.address, stretch.bytes, stretch.end - stretch.address);
    while (stretch.address < window->end) {
        if (stretch.address >= window->start)
            set_bit(window->instructions, stretch.address - window->start);
        step(code, &stretch);
    }
}

static void find_labels(const struct code *code, struct window *window) {
    const struct look *look = &code->look;
    struct content_symbol symbol;
    if (contents_ask(look->contents, look->link) != CONTENTS_READY)
        return;
    uint32_t at = contents_first(look->contents, look->link, CONTENT_SYMBOLS, window->start);
    for (; contents_entry(look->contents, look->link, CONTENT_SYMBOLS, at, &symbol) &&
           symbol.address < window->end;
         at++)
        if (is_label(&symbol))
            set_bit(window->labels, symbol.address - window->start);
}

static const struct window *window_at(struct code *code, uint64_t address) {
    uint64_t base, limit;
    for (uint32_t i = 0; i < WINDOWS; i++)
        if (address >= code->windows[i].start && address < code->windows[i].end)
            return &code->windows[i];
    struct window *window = &code->windows[code->next++ % WINDOWS];
    find_region(&code->look, address, &base, &limit);
    memset(window, 0, sizeof *window);
    window->start = base + (address - base) / WINDOW * WINDOW;
    window->limit = limit;
    window->end = limit - window->start > WINDOW ? window->start + WINDOW : limit;
    find_instructions(code, window, base, limit);
    find_labels(code, window);
    return window;
}

/* --- candidates */

uint64_t code_candidates(const struct code *code) {
    return 2 * code->look.size;
}

bool code_is_row(struct code *code, uint64_t candidate) {
    if (candidate / 2 >= code->look.size)
        return false;
    uint64_t address = code->look.start + candidate / 2;
    const struct window *window = window_at(code, address);
    return has_bit(candidate % 2 ? window->instructions : window->labels, address - window->start);
}

uint64_t code_candidate_of(struct code *code, uint64_t address) {
    uint64_t exact = 2 * (address - code->look.start) + 1, candidate = exact;
    for (int i = 0; i < LONGEST && candidate > 1 && !code_is_row(code, candidate); i++)
        candidate -= 2;
    return code_is_row(code, candidate) ? candidate : exact;
}

/* --- what an instruction refers to */

/* With the bytes up to the end of the region, as when it was found to begin there. */
static bool decode(struct code *code, uint64_t address, uint8_t bytes[LONGEST], uint64_t *known) {
    uint64_t left_over = window_at(code, address)->limit - address;
    uint64_t size = left_over < LONGEST ? left_over : LONGEST;
    *known = look_read(&code->look, address, bytes, size);
    const uint8_t *at = bytes;
    size_t left = *known;
    return left && cs_disasm_iter(code->detailed, &at, &left, &address, code->instruction);
}

enum reference { REFERENCE_NONE, REFERENCE_BRANCH, REFERENCE_DATA };

/* Of capstone's group of jumps the loops are no part. */
static bool is_branch(const struct code *code) {
    switch (code->instruction->id) {
    case X86_INS_LOOP:
    case X86_INS_LOOPE:
    case X86_INS_LOOPNE:
    case X86_INS_JRCXZ:
    case X86_INS_JECXZ:
    case X86_INS_XBEGIN:
        return true;
    default:
        break;
    }
    return cs_insn_group(code->detailed, code->instruction, CS_GRP_JUMP) ||
           cs_insn_group(code->detailed, code->instruction, CS_GRP_CALL);
}

static enum reference find_reference(const struct code *code, uint64_t *target) {
    const cs_insn *instruction = code->instruction;
    const cs_x86 *x86 = &instruction->detail->x86;
    for (uint8_t i = 0; i < x86->op_count; i++) {
        const cs_x86_op *operand = &x86->operands[i];
        if (operand->type == X86_OP_IMM && is_branch(code)) {
            *target = (uint64_t)operand->imm;
            return REFERENCE_BRANCH;
        }
        if (operand->type == X86_OP_MEM && operand->mem.base == X86_REG_RIP) {
            *target = instruction->address + instruction->size + (uint64_t)operand->mem.disp;
            return REFERENCE_DATA;
        }
    }
    return REFERENCE_NONE;
}

bool code_target(struct code *code, uint64_t address, uint64_t *target) {
    uint8_t bytes[LONGEST];
    uint64_t known;
    return decode(code, address, bytes, &known) && find_reference(code, target) != REFERENCE_NONE;
}

/* --- rows */

static void put_bytes(struct text *out, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        text_print(out, i ? " %02x" : "%02x", bytes[i]);
}

static bool is_ready(const struct code *code) {
    return contents_ask(code->look.contents, code->look.link) == CONTENTS_READY;
}

/* As objdump writes it: "call 0x401030 <puts@plt>", "mov 0x2fe2(%rip), %rax  # 0x404010 <counter>". */
static void put_reference(struct text *out, const struct code *code) {
    struct text name = {0};
    uint64_t target = 0;
    enum reference reference = find_reference(code, &target);
    bool is_named = reference && is_ready(code) &&
                    contents_name(code->look.contents, code->look.link, target, &name) && name.data;
    if (reference == REFERENCE_DATA)
        text_print(out, "  # 0x%" PRIx64, target);
    if (is_named)
        text_print(out, " <%s>", name.data);
    text_destroy(&name);
}

static void put_instruction(struct text *out, const struct code *code) {
    const cs_insn *instruction = code->instruction;
    text_append(out, instruction->mnemonic);
    if (instruction->op_str[0])
        text_print(out, " %s", instruction->op_str);
    put_reference(out, code);
}

static void separate(struct text *out) {
    if (out->length)
        text_append(out, ", ");
}

static void put_addend(struct text *out, int64_t addend) {
    if (addend)
        text_print(out, "%c0x%" PRIx64, addend < 0 ? '-' : '+',
                   addend < 0 ? -(uint64_t)addend : (uint64_t)addend);
}

static void put_fixups(struct text *out, const struct look *look, uint64_t address, uint64_t size) {
    struct content_fixup fixup;
    uint32_t at = contents_first(look->contents, look->link, CONTENT_FIXUPS, address);
    for (; contents_entry(look->contents, look->link, CONTENT_FIXUPS, at, &fixup) &&
           fixup.place - address < size;
         at++) {
        separate(out);
        text_print(out, "%s ", arch_x86_64.kinds[fixup.kind].name);
        contents_target_name(look->contents, look->link, &fixup, out);
        put_addend(out, fixup.addend);
    }
}

static void put_relaxations(struct text *out, const struct look *look, uint64_t address, uint64_t size) {
    struct content_relaxed relaxed;
    uint64_t from = address < sizeof relaxed.before ? 0 : address - sizeof relaxed.before;
    uint32_t at = contents_first(look->contents, look->link, CONTENT_RELAXED, from);
    for (; contents_entry(look->contents, look->link, CONTENT_RELAXED, at, &relaxed) &&
           relaxed.window < address + size;
         at++)
        if (relaxed.place - address < size && relaxed.kind < arch_x86_64.kind_count) {
            const struct edge_kind_info *kind = &arch_x86_64.kinds[relaxed.kind];
            separate(out); /* a wish for an entry that was never made is named for what it wished to be */
            text_print(out, "was %s", kind->request ? arch_x86_64.kinds[kind->becomes].name : kind->name);
        }
}

/* "main.c:12", where the line begins. */
static void put_source(struct text *out, const struct look *look, uint64_t address, uint64_t size) {
    struct content_line line;
    struct text file = {0};
    if (contents_line(look->contents, look->link, address, &line) != CONTENTS_READY ||
        line.address - address >= size)
        return;
    contents_line_file(look->contents, look->link, &line, &file);
    const char *folder = file.data ? strrchr(file.data, '/') : NULL;
    if (file.data)
        text_print(out, "%s:%u", folder ? folder + 1 : file.data, line.line);
    text_destroy(&file);
}

static void row_take(struct row *row, struct text *text) {
    row_print(row, "%s", text->data ? text->data : "");
    text_destroy(text);
}

static struct jitscope_error *add_instruction(struct code *code, uint64_t address, struct rows *rows) {
    struct row row;
    uint8_t bytes[LONGEST];
    uint64_t known, size = 1;
    struct text hex = {0}, words = {0}, edges = {0}, source = {0};
    TRY(row_begin(rows, &row));
    if (decode(code, address, bytes, &known)) {
        size = code->instruction->size;
        put_instruction(&words, code);
    } else {
        text_append(&words, known ? "(no instruction)" : "(not known)");
    }
    put_bytes(&hex, bytes, known < size ? known : size);
    if (is_ready(code)) {
        put_relaxations(&edges, &code->look, address, size);
        put_fixups(&edges, &code->look, address, size);
        put_source(&source, &code->look, address, size);
    }
    row_number(&row, address);
    row_take(&row, &hex);
    row_take(&row, &words);
    row_take(&row, &edges);
    row_take(&row, &source);
    return NULL;
}

static struct jitscope_error *add_label(const struct code *code, uint64_t address, struct rows *rows) {
    const struct look *look = &code->look;
    struct content_symbol symbol;
    struct text names = {0};
    struct row row;
    TRY(row_begin(rows, &row));
    uint32_t at = contents_first(look->contents, look->link, CONTENT_SYMBOLS, address);
    for (; contents_entry(look->contents, look->link, CONTENT_SYMBOLS, at, &symbol) &&
           symbol.address == address;
         at++)
        if (is_label(&symbol)) {
            separate(&names);
            contents_symbol_name(look->contents, look->link, &symbol, &names);
        }
    text_append(&names, ":");
    row_number(&row, address);
    row_absent(&row);
    row_take(&row, &names);
    return NULL;
}

struct jitscope_error *code_cells(struct code *code, uint64_t candidate, struct rows *rows, bool *made) {
    uint64_t address = code->look.start + candidate / 2;
    *made = code_is_row(code, candidate);
    if (!*made)
        return NULL;
    return candidate % 2 ? add_instruction(code, address, rows) : add_label(code, address, rows);
}
