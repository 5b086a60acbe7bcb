/* x86-64 (System V psABI x86-64, sections 4.4 and B.2).
 *
 * What is peculiar here: nearly every reference is a 32-bit displacement from the end of the instruction, so
 * code must lie within 2 GiB of what it names, and everything else goes through a 64-bit GOT slot.  The psABI
 * marks loads from the GOT that the linker may turn into direct references (GOTPCRELX and its like): the
 * opcode is the byte two before the displacement, and every rewriting keeps the instruction's length. */
#include "arch/arch.h"
#include "arch/x86_64.h"

#include "base/bytes.h"

static const struct edge_kind_info kinds[] = {
#define EDGE(NAME, name, width, value, check, text)                                                          \
    {name, #value, text, width, CHECK_##check, false, EDGE_KEEP_ALIVE, 0, 0},
#define REQUEST(NAME, name, width, becomes, text)                                                            \
    {name, "", text, width, CHECK_NONE, true, EDGE_X86_64_##becomes, 0, 0},
#define REWRITE(NAME, name, width, value, check, before, behind, how, text)                                  \
    {name, #value, text, width, CHECK_##check, false, EDGE_KEEP_ALIVE, before, behind},
#include "arch/x86_64.def"
#undef EDGE
#undef REQUEST
#undef REWRITE
};
_Static_assert((int)EDGE_X86_64_COUNT <= (int)EDGE_KIND_LIMIT, "visitors keep edge kinds in a 64-bit mask");
_Static_assert((int)EDGE_X86_64_KEEP_ALIVE == (int)EDGE_KEEP_ALIVE, "edge kind 0 is shared by all targets");

/* Kept apart from the formulas so that each formula stands once, in the table. */
static inline bool fits(uint64_t value, unsigned width, enum edge_check check) {
    unsigned spare = 64 - width * 8;
    bool is_signed = (uint64_t)((int64_t)(value << spare) >> spare) == value;
    bool is_unsigned = value << spare >> spare == value;
    switch (check) {
    case CHECK_SIGNED:
        return is_signed;
    case CHECK_UNSIGNED:
        return is_unsigned;
    case CHECK_EITHER:
        return is_signed || is_unsigned;
    case CHECK_NONE:
        break;
    }
    return true;
}

static inline void store(uint8_t *at, unsigned width, uint64_t value) {
    switch (width) {
    case 1:
        *at = (uint8_t)value;
        break;
    case 2:
        store_u16(at, (uint16_t)value);
        break;
    case 4:
        store_u32(at, (uint32_t)value);
        break;
    case 8:
        store_u64(at, value);
        break;
    default:
        break;
    }
}

/* --- instructions that become others, FIELD is where the new one has its displacement */

enum { MOV_LOAD = 0x8b, LEA = 0x8d, GROUP_5 = 0xff, CALL_SLOT = 0x15, JUMP_SLOT = 0x25 };
enum { ADDR32 = 0x67, CALL = 0xe8, JUMP = 0xe9, NOP = 0x90 };

/* mov slot(%rip), %reg -> lea target(%rip), %reg */
static inline bool load_to_lea(uint8_t *field) {
    if (field[-2] != MOV_LOAD)
        return false;
    field[-2] = LEA;
    return true;
}

/* call *slot(%rip) -> addr32 call target */
static inline bool call_to_direct(uint8_t *field) {
    if (field[-2] != GROUP_5 || field[-1] != CALL_SLOT)
        return false;
    field[-2] = ADDR32;
    field[-1] = CALL;
    return true;
}

/* jmp *slot(%rip) -> jmp target; nop */
static inline bool jump_to_direct(uint8_t *field) {
    if (field[-1] != GROUP_5 || field[0] != JUMP_SLOT)
        return false;
    field[-1] = JUMP;
    field[4] = NOP;
    return true;
}

static bool rewrite(uint16_t kind, uint8_t *field) {
    switch (kind) {
#define EDGE(NAME, name, width, value, check, text)
#define REQUEST(NAME, name, width, becomes, text)
#define REWRITE(NAME, name, width, value, check, before, behind, how, text)                                  \
    case EDGE_X86_64_##NAME:                                                                                 \
        return how(field);
#include "arch/x86_64.def"
#undef EDGE
#undef REQUEST
#undef REWRITE
    default:
        return false;
    }
}

static inline __attribute__((always_inline)) bool apply(const struct fixup *fixup, uint64_t *value) {
    const uint64_t S = fixup->symbol, Z = S, P = fixup->place, GOT = fixup->got, TP = fixup->tp,
                   A = (uint64_t)fixup->addend;
    switch (fixup->kind) {
#define EDGE(NAME, name, width, formula, check, text)                                                        \
    case EDGE_X86_64_##NAME:                                                                                 \
        *value = (formula);                                                                                  \
        if ((width) && !fits(*value, (width) ? (width) : 8, CHECK_##check))                                  \
            return false;                                                                                    \
        store(fixup->content, width, *value);                                                                \
        return true;
#define REQUEST(NAME, name, width, becomes, text)
#define REWRITE(NAME, name, width, formula, check, before, behind, how, text)                                \
    case EDGE_X86_64_##NAME:                                                                                 \
        *value = (formula);                                                                                  \
        if (!fits(*value, width, CHECK_##check) || !how(fixup->content))                                     \
            return false;                                                                                    \
        store(fixup->content, width, *value);                                                                \
        return true;
#include "arch/x86_64.def"
#undef EDGE
#undef REQUEST
#undef REWRITE
    default:
        *value = 0;
        return false;
    }
}

#define BIT(kind)  ((uint64_t)1 << (kind))
#define SIZE_KINDS (BIT(EDGE_X86_64_SIZE32) | BIT(EDGE_X86_64_SIZE64))
#define GOT_REQUESTS                                                                                         \
    (BIT(EDGE_X86_64_REQUEST_GOT_DELTA32) | BIT(EDGE_X86_64_REQUEST_GOT_LOAD32) |                            \
     BIT(EDGE_X86_64_REQUEST_GOT_REX_LOAD32) | BIT(EDGE_X86_64_REQUEST_GOT_OFFSET32) |                       \
     BIT(EDGE_X86_64_REQUEST_GOT_OFFSET64) | BIT(EDGE_X86_64_REQUEST_GOT_DELTA64) |                          \
     BIT(EDGE_X86_64_REQUEST_GOT_REX2_LOAD32))

/* The kinds that are applied as DELTA32 is: nearly all edges of code.  Compilers make a number of it. */
static inline uint64_t near_kinds(void) {
    uint64_t near_kinds = 0;
#define EDGE(NAME, name, width, formula, check, text)                                                        \
    if ((width) == 4 && CHECK_##check == CHECK_SIGNED && !__builtin_strcmp(#formula, "S + A - P"))           \
        near_kinds |= UINT64_C(1) << EDGE_X86_64_##NAME;
#define REQUEST(NAME, name, width, becomes, text)
#define REWRITE(NAME, name, width, formula, check, before, behind, how, text)
#include "arch/x86_64.def"
#undef EDGE
#undef REQUEST
#undef REWRITE
    return near_kinds;
}

static inline __attribute__((always_inline)) bool apply_edge(const struct fixup_run *run,
                                                             const struct edge *edge, uint16_t kind) {
    uint64_t value;
    const struct fixup fixup = {.kind = kind,
                                .addend = edge->addend.bits,
                                .symbol = run->addresses[edge->target],
                                .place = run->address + edge->offset,
                                .got = run->got,
                                .tp = run->tp,
                                .content = run->content + edge->offset};
    return !edge->is_wide && (uint64_t)edge->offset + kinds[kind].width <= run->size &&
           !(SIZE_KINDS >> kind & 1) && apply(&fixup, &value);
}

static __attribute__((noinline)) bool apply_other(const struct fixup_run *run, const struct edge *edge) {
    return apply_edge(run, edge, edge->kind);
}

/* The kinds that most edges are of do without apply()'s switch, which processors cannot foresee. */
static const struct edge *apply_run(const struct fixup_run *run, const struct edge *edge,
                                    const struct edge *end) {
    const struct fixup_run at = {
        .content = run->content, .size = run->size, .address = run->address, .addresses = run->addresses};
    for (; edge < end; edge++) {
        uint16_t kind = edge->kind;
        bool done = near_kinds() >> kind & 1          ? apply_edge(&at, edge, EDGE_X86_64_DELTA32)
                    : kind == EDGE_X86_64_NEAR_LOAD32 ? apply_edge(&at, edge, EDGE_X86_64_NEAR_LOAD32)
                    : kind == EDGE_X86_64_POINTER64   ? apply_edge(&at, edge, EDGE_X86_64_POINTER64)
                    : kind == EDGE_X86_64_NEGATIVE_DELTA32
                        ? apply_edge(&at, edge, EDGE_X86_64_NEGATIVE_DELTA32)
                        : apply_other(run, edge);
        if (!done)
            break;
    }
    return edge;
}

static bool reaches(uint16_t kind, uint64_t place, uint64_t target, int64_t addend) {
    (void)kind;
    return fits(target + (uint64_t)addend - place, 4, CHECK_SIGNED);
}

enum { OPERAND_SIZE = 0x66, REX_W = 0x48, REX2_PREFIX = 0xd5 };

/* call *slot(%rip) or jmp *slot(%rip) at INSTRUCTION, with ROOM bytes before it.  Some processors take a
 * direct branch behind the prefix for one of 16 bits.  With REX.W between them it would mean nothing, but
 * these bytes may as well be the end of the instruction before. */
static bool is_plain_branch(const uint8_t *instruction, uint64_t room) {
    if (instruction[0] != GROUP_5 || (instruction[1] != CALL_SLOT && instruction[1] != JUMP_SLOT))
        return false;
    return !(room && instruction[-1] == OPERAND_SIZE) &&
           !(room >= 2 && instruction[-2] == OPERAND_SIZE && instruction[-1] == REX_W);
}

/* Of %rip: the low bits of a ModRM with disp32(%rip) are 5. */
static bool is_plain_load(const uint8_t *instruction) {
    return instruction[0] == MOV_LOAD && (instruction[1] & 0xc7) == 0x05;
}

/* INSTRUCTION is the opcode of a plain branch. */
static bool relax_branch(const struct fixup_run *run, struct edge *edge, uint8_t *instruction,
                         uint64_t target) {
    bool is_call = instruction[1] == CALL_SLOT;
    /* The displacement of the jump moves one byte forward, and with it the place. */
    uint32_t offset = is_call ? edge->offset : edge->offset - 1;
    if (!fits(target - 4 - (run->address + offset), 4, CHECK_SIGNED))
        return false;
    (void)(is_call ? call_to_direct(instruction + 2) : jump_to_direct(instruction + 1));
    edge->kind = EDGE_X86_64_BRANCH32;
    edge_set_short_addend(edge, -4);
    edge->offset = offset;
    return true;
}

/* What stands before the opcode, and its bytes. */
enum prefix { NO_PREFIX = 0, REX = 1, REX2 = 2 };

/* test %reg, slot(%rip) and the eight binary operations on a load -> the same with an immediate operand. Only
 * when the address fits a sign-extended 32-bit immediate, and only for the forms the psABI lists. */
static bool relax_to_immediate(struct edge *edge, uint8_t *instruction, enum prefix prefix, uint64_t target) {
    uint8_t opcode = instruction[0];
    bool is_test = opcode == 0x85;
    bool is_binary = (opcode & 0xc7) == 0x03;
    if (!(is_test || is_binary) || !fits(target, 4, prefix ? CHECK_SIGNED : CHECK_UNSIGNED))
        return false;
    uint8_t reg = instruction[1] >> 3 & 7;
    /* REX.R becomes REX.B, which meant nothing so far: the register moves to the r/m field.  REX2 has their
     * high bits four places further left. */
    if (prefix)
        instruction[-1] = (uint8_t)((instruction[-1] & ~(prefix == REX2 ? 0x55 : 5)) |
                                    (instruction[-1] >> 2 & (prefix == REX2 ? 0x11 : 1)));
    instruction[1] = (uint8_t)(0xc0 | reg | (is_test ? 0 : opcode & 0x38));
    instruction[0] = is_test ? 0xf7 : 0x81;
    edge->kind = prefix ? EDGE_X86_64_POINTER32S : EDGE_X86_64_POINTER32;
    edge_set_short_addend(edge, 0);
    return true;
}

/* Whether KIND's instruction may be one that is rewritten: its prefix is there, and what it means. */
static inline bool find_prefix(uint16_t kind, const uint8_t *content, uint64_t offset, enum prefix *prefix) {
    *prefix = kind == EDGE_X86_64_GOT_REX_LOAD32    ? REX
              : kind == EDGE_X86_64_GOT_REX2_LOAD32 ? REX2
                                                    : NO_PREFIX;
    if ((!*prefix && kind != EDGE_X86_64_GOT_LOAD32) || offset < 2u + *prefix)
        return false;
    /* Behind REX2 comes a byte whose highest bit selects the opcodes that 0x0f introduces: none of ours. */
    return *prefix == REX    ? (content[offset - 3] & 0xf0) == 0x40
           : *prefix == REX2 ? content[offset - 4] == REX2_PREFIX && !(content[offset - 3] & 0x80)
                             : true;
}

/* Whether the operand may be something else than the prefix says, which changes what an immediate means: it
 * has 16 bits; or the register's number stands as REX2 has it, for which clang 19 has the relocation type of
 * REX. */
static bool is_unusual(const uint8_t *content, uint64_t offset, enum prefix prefix) {
    uint64_t before = 3 + (uint64_t)prefix;
    if (offset < before)
        return false;
    bool is_wide = prefix && content[offset - 3] & 8;
    return (content[offset - before] == OPERAND_SIZE && !is_wide) ||
           (prefix == REX && content[offset - before] == REX2_PREFIX);
}

/* All but moves. */
static __attribute__((noinline)) bool relax_other(const struct fixup_run *run, struct edge *edge,
                                                  enum prefix prefix, uint64_t target) {
    uint8_t *instruction = run->content + edge->offset - 2;
    uint8_t modrm = instruction[1];
    if (!prefix && is_plain_branch(instruction, edge->offset - 2))
        return relax_branch(run, edge, instruction, target);
    return (modrm & 0xc7) == 0x05 && !is_unusual(run->content, edge->offset, prefix) &&
           relax_to_immediate(edge, instruction, prefix, target);
}

static bool relax_got_load(const struct fixup_run *run, struct edge *edge, uint64_t target) {
    enum prefix prefix;
    if (!find_prefix(edge->kind, run->content, edge->offset, &prefix))
        return false;
    uint8_t *instruction = run->content + edge->offset - 2;
    if (!is_plain_load(instruction) || !fits(target - 4 - (run->address + edge->offset), 4, CHECK_SIGNED))
        return relax_other(run, edge, prefix, target);
    load_to_lea(instruction + 2);
    edge->kind = EDGE_X86_64_DELTA32;
    edge_set_short_addend(edge, -4);
    return true;
}

/* BECOMES is what the edge would be with an entry.  Immediates depend on the address: those instructions wait
 * for it. */
static inline __attribute__((always_inline)) bool relax_request(const uint8_t *content, uint64_t size,
                                                                struct edge *edge, uint16_t becomes) {
    enum prefix prefix;
    if (!edge_has_addend(edge, -4) || (uint64_t)edge->offset + 4 > size ||
        !find_prefix(becomes, content, edge->offset, &prefix))
        return false;
    const uint8_t *instruction = content + edge->offset - 2;
    if (is_plain_load(instruction)) {
        edge->kind = EDGE_X86_64_NEAR_LOAD32;
        return true;
    }
    if (prefix || !is_plain_branch(instruction, edge->offset - 2))
        return false;
    bool is_call = instruction[1] == CALL_SLOT;
    edge->kind = is_call ? EDGE_X86_64_NEAR_CALL32 : EDGE_X86_64_NEAR_JUMP32;
    if (!is_call)
        edge->offset--;
    return true;
}

static bool relax_early(const uint8_t *content, uint64_t size, struct edge *edge) {
    return content && relax_request(content, size, edge, kinds[edge->kind].becomes);
}

static inline __attribute__((always_inline)) bool relax_in_run(const struct relax_run *run,
                                                               struct edge *edge) {
    return edge->kind == EDGE_X86_64_REQUEST_GOT_REX_LOAD32 /* nearly all */
               ? relax_request(run->content, run->size, edge, EDGE_X86_64_GOT_REX_LOAD32)
               : relax_early(run->content, run->size, edge);
}

static struct edge *relax_early_run(const struct relax_run *run, struct edge *edge, struct edge *end) {
    const struct relax_run at = *run;
    for (; edge < end; edge++) {
        if (!(at.kinds >> edge->kind & 1))
            continue;
        if (!(at.placed[edge->target / 64] >> (edge->target % 64) & 1))
            break;
        if (GOT_REQUESTS >> edge->kind & 1 ? !at.content || !relax_in_run(&at, edge)
                                           : at.inside >> edge->kind & 1)
            break;
    }
    return edge;
}

/* jmp *slot(%rip), padded to eight bytes with a trap so that falling past it is seen */
static const uint8_t plt_code[] = {0xff, 0x25, 0, 0, 0, 0, 0xcc, 0xcc};

/* jmp *slot(%rip); lea slot(%rip), %r11; jmp *resolver(%rip), padded.  r11 is nobody's between a call and the
 * function (psABI x86-64, section 3.2.1, table 3.4), and nothing is pushed: all along the stub the frame is
 * as at the function's first instruction. */
static const uint8_t lazy_code[] = {0xff, 0x25, 0,    0, 0, 0, 0x4c, 0x8d, 0x1d, 0,    0,    0,
                                    0,    0xff, 0x25, 0, 0, 0, 0,    0xcc, 0xcc, 0xcc, 0xcc, 0xcc};

/* call, jmp or jcc with the displacement at OFFSET.  The byte before the displacement of a rip-relative
 * operand is its ModRM, whose bits 0-2 and 6-7 are 5 and 0: none of the opcodes'. */
static bool is_near_branch(const uint8_t *content, uint64_t offset) {
    uint8_t opcode = offset ? content[offset - 1] : 0;
    if (opcode == 0xe8 || opcode == 0xe9)
        return true;
    return offset >= 2 && content[offset - 2] == 0x0f && (opcode & 0xf0) == 0x80 && (opcode & 0xc7) != 0x05;
}

static enum arch_use use_of(uint16_t kind, const uint8_t *content, uint64_t offset, int64_t addend) {
    if (!content || addend != -4)
        return USE_ADDRESS;
    if (kind == EDGE_X86_64_BRANCH32 || kind == EDGE_X86_64_DELTA32)
        return is_near_branch(content, offset) ? USE_CALL : USE_ADDRESS;
    if (kind != EDGE_X86_64_REQUEST_GOT_LOAD32 || offset < 2 || content[offset - 2] != 0xff)
        return USE_ADDRESS;
    return content[offset - 1] == 0x15 || content[offset - 1] == 0x25 ? USE_CALL_INDIRECT : USE_ADDRESS;
}

/* DW_CFA_def_cfa rsp + 8; DW_CFA_offset return address at cfa - 8 (psABI x86-64, figure 3.36) */
static const uint8_t entry_cfi[] = {0x0c, 7, 8, 0x80 | 16, 1};

const struct arch arch_x86_64 = {
    .name = "x86_64",
    .kinds = kinds,
    .kind_count = EDGE_X86_64_COUNT,
    .pointer_size = 8,
    .code_padding = 0xcc, /* int3 */
    .got_base_kinds = BIT(EDGE_X86_64_GOT_OFFSET64) | BIT(EDGE_X86_64_GOT_BASE_DELTA32) |
                      BIT(EDGE_X86_64_GOT_BASE_DELTA64) | BIT(EDGE_X86_64_BRANCH_GOT_OFFSET64) |
                      BIT(EDGE_X86_64_GOT_OFFSET32),
    .got_request_kinds = GOT_REQUESTS,
    .got_load_kinds =
        BIT(EDGE_X86_64_GOT_LOAD32) | BIT(EDGE_X86_64_GOT_REX_LOAD32) | BIT(EDGE_X86_64_GOT_REX2_LOAD32),
    .tls_kinds = BIT(EDGE_X86_64_TLS_OFFSET32) | BIT(EDGE_X86_64_TLS_OFFSET64) |
                 BIT(EDGE_X86_64_TP_OFFSET32) | BIT(EDGE_X86_64_TP_OFFSET64) |
                 BIT(EDGE_X86_64_REQUEST_TLS_PAIR32) | BIT(EDGE_X86_64_REQUEST_TLS_BLOCK32) |
                 BIT(EDGE_X86_64_REQUEST_TP_OFFSET32) | BIT(EDGE_X86_64_REQUEST_TLS_DESCRIPTOR32) |
                 BIT(EDGE_X86_64_TLS_CALL),
    .size_kinds = SIZE_KINDS,
    .low_kinds = BIT(EDGE_X86_64_POINTER32) | BIT(EDGE_X86_64_POINTER32S),
    .tls = {.request_pair = EDGE_X86_64_REQUEST_TLS_PAIR32,
            .request_block = EDGE_X86_64_REQUEST_TLS_BLOCK32,
            .request_tp_offset = EDGE_X86_64_REQUEST_TP_OFFSET32,
            .request_descriptor = EDGE_X86_64_REQUEST_TLS_DESCRIPTOR32,
            .entry_reference = EDGE_X86_64_GOT_DELTA32,
            .offset32 = EDGE_X86_64_TLS_OFFSET32,
            .offset64 = EDGE_X86_64_TLS_OFFSET64,
            .tp_offset32 = EDGE_X86_64_TP_OFFSET32,
            .tp_offset64 = EDGE_X86_64_TP_OFFSET64,
            .word64 = EDGE_X86_64_TLS_WORD64},
    .pointer64 = EDGE_X86_64_POINTER64,
    .delta64 = EDGE_X86_64_DELTA64,
    .delta32 = EDGE_X86_64_DELTA32,
    .negative_delta32 = EDGE_X86_64_NEGATIVE_DELTA32,
    .branch = EDGE_X86_64_BRANCH32,
    .branch_to_stub = EDGE_X86_64_BRANCH32_TO_STUB,
    .plt = {.code = plt_code,
            .size = sizeof plt_code,
            .alignment = 8,
            .got_offset = 2,
            .got_edge = EDGE_X86_64_GOT_DELTA32,
            .got_addend = -4},
    .lazy = {.code = lazy_code,
             .size = sizeof lazy_code,
             .alignment = 8,
             .slot_offsets = {2, 9},
             .resolver_offset = 15,
             .unbound = 6},
    .call_kinds = BIT(EDGE_X86_64_BRANCH32) | BIT(EDGE_X86_64_DELTA32) | BIT(EDGE_X86_64_REQUEST_GOT_LOAD32),
    .use_of = use_of,
    .entry_cfi = entry_cfi,
    .entry_cfi_size = sizeof entry_cfi,
    .return_address_register = 16,
    .data_alignment = -8,
    .apply = apply,
    .apply_run = apply_run,
    .relax_got_load = relax_got_load,
    .relax_early = relax_early,
    .relax_early_run = relax_early_run,
    .rewrite = rewrite,
    .reaches = reaches,
};
