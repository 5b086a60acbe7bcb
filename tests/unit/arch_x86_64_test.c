/* x86-64: each edge kind at its limits, and each rewriting of a load through the GOT. */
#include "arch/arch.h"
#include "arch/x86_64.h"
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct limit_case {
    uint16_t kind;
    uint64_t largest, smallest; /* values that still fit; one beyond each must not */
};

static bool apply_at_zero(uint16_t kind, uint64_t value, uint8_t *content) {
    struct fixup fixup = {.kind = kind, .symbol = value, .content = content};
    uint64_t computed;
    bool done = arch_x86_64.apply(&fixup, &computed);
    assert_true(computed == value);
    return done;
}

static void test_limits(void **state) {
    static const struct limit_case cases[] = {
        {EDGE_X86_64_POINTER32, UINT32_MAX, 0},
        {EDGE_X86_64_POINTER32S, INT32_MAX, (uint64_t)INT32_MIN},
        {EDGE_X86_64_POINTER16, UINT16_MAX, (uint64_t)INT16_MIN},
        {EDGE_X86_64_POINTER8, UINT8_MAX, (uint64_t)INT8_MIN},
        {EDGE_X86_64_DELTA32, INT32_MAX, (uint64_t)INT32_MIN},
        {EDGE_X86_64_DELTA16, INT16_MAX, (uint64_t)INT16_MIN},
        {EDGE_X86_64_DELTA8, INT8_MAX, (uint64_t)INT8_MIN},
        {EDGE_X86_64_BRANCH32, INT32_MAX, (uint64_t)INT32_MIN},
        {EDGE_X86_64_GOT_OFFSET32, INT32_MAX, (uint64_t)INT32_MIN},
        {EDGE_X86_64_GOT_REX2_LOAD32, INT32_MAX, (uint64_t)INT32_MIN},
        {EDGE_X86_64_SIZE32, UINT32_MAX, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t content[16] = {[8] = 0x5a};
        assert_true(apply_at_zero(cases[i].kind, cases[i].largest, content));
        assert_true(apply_at_zero(cases[i].kind, cases[i].smallest, content));
        assert_false(apply_at_zero(cases[i].kind, cases[i].largest + 1, content));
        assert_false(apply_at_zero(cases[i].kind, cases[i].smallest - 1, content));
        assert_int_equal(content[8], 0x5a); /* nothing behind the field */
    }
}

static void test_formulas(void **state) {
    (void)state;
    uint8_t content[8];
    uint64_t value;
    struct fixup fixup = {.kind = EDGE_X86_64_DELTA32,
                          .symbol = 0x5000,
                          .addend = -4,
                          .place = 0x1000,
                          .got = 0x9000,
                          .content = content};
    assert_true(arch_x86_64.apply(&fixup, &value));
    assert_int_equal(load_u32(content), 0x3ffc);
    fixup.kind = EDGE_X86_64_GOT_OFFSET64;
    assert_true(arch_x86_64.apply(&fixup, &value));
    assert_int_equal(load_u64(content), (uint64_t)(0x5000 - 4 - 0x9000));
    fixup.kind = EDGE_X86_64_GOT_BASE_DELTA32;
    assert_true(arch_x86_64.apply(&fixup, &value));
    assert_int_equal(load_u32(content), 0x9000 - 4 - 0x1000);
    fixup.kind = EDGE_X86_64_GOT_BASE_DELTA64;
    assert_true(arch_x86_64.apply(&fixup, &value));
    assert_int_equal(load_u64(content), 0x9000 - 4 - 0x1000);
    fixup.kind = EDGE_X86_64_BRANCH_GOT_OFFSET64;
    assert_true(arch_x86_64.apply(&fixup, &value));
    assert_int_equal(load_u64(content), (uint64_t)(0x5000 - 4 - 0x9000));
    fixup.kind = EDGE_X86_64_GOT_DELTA64;
    assert_true(arch_x86_64.apply(&fixup, &value));
    assert_int_equal(load_u64(content), 0x5000 - 4 - 0x1000);
    fixup.kind = EDGE_X86_64_SIZE64;
    assert_true(arch_x86_64.apply(&fixup, &value));
    assert_int_equal(load_u64(content), 0x5000 - 4);
    fixup.kind = EDGE_X86_64_REQUEST_GOT_LOAD32;
    assert_false(arch_x86_64.apply(&fixup, &value));
}

struct relax_case {
    const char *name;
    uint16_t kind;
    uint8_t before[8], after[8];
    uint8_t size;   /* bytes of the instruction */
    uint8_t offset; /* of the displacement */
    uint64_t target;
    uint16_t new_kind; /* EDGE_KEEP_ALIVE: must be left alone */
    int addend;
    int move_back;
};

static const struct relax_case relax_cases[] = {
    {"mov foo(%rip),%rax",
     EDGE_X86_64_GOT_REX_LOAD32,
     {0x48, 0x8b, 0x05},
     {0x48, 0x8d, 0x05},
     7,
     3,
     0x100002000,
     EDGE_X86_64_DELTA32,
     -4,
     0},
    {"mov foo(%rip),%eax",
     EDGE_X86_64_GOT_LOAD32,
     {0x8b, 0x05},
     {0x8d, 0x05},
     6,
     2,
     0x100002000,
     EDGE_X86_64_DELTA32,
     -4,
     0},
    {"call *foo(%rip)",
     EDGE_X86_64_GOT_LOAD32,
     {0xff, 0x15},
     {0x67, 0xe8},
     6,
     2,
     0x100002000,
     EDGE_X86_64_BRANCH32,
     -4,
     0},
    {"jmp *foo(%rip)",
     EDGE_X86_64_GOT_LOAD32,
     {0xff, 0x25},
     {0xe9, 0x25, 0, 0, 0, 0x90},
     6,
     2,
     0x100002000,
     EDGE_X86_64_BRANCH32,
     -4,
     1},
    {"test %r9,foo(%rip), low",
     EDGE_X86_64_GOT_REX_LOAD32,
     {0x4c, 0x85, 0x0d},
     {0x49, 0xf7, 0xc1},
     7,
     3,
     0x2000,
     EDGE_X86_64_POINTER32S,
     0,
     0},
    {"cmp foo(%rip),%rdx, low",
     EDGE_X86_64_GOT_REX_LOAD32,
     {0x48, 0x3b, 0x15},
     {0x48, 0x81, 0xfa},
     7,
     3,
     0x2000,
     EDGE_X86_64_POINTER32S,
     0,
     0},
    {"cmp foo(%rip),%rdx with a REX.B that means nothing, low",
     EDGE_X86_64_GOT_REX_LOAD32,
     {0x49, 0x3b, 0x15},
     {0x48, 0x81, 0xfa},
     7,
     3,
     0x2000,
     EDGE_X86_64_POINTER32S,
     0,
     0},
    {"cmp foo(%rip),%rdx, high",
     EDGE_X86_64_GOT_REX_LOAD32,
     {0x48, 0x3b, 0x15},
     {0x48, 0x3b, 0x15},
     7,
     3,
     0x100002000,
     EDGE_KEEP_ALIVE,
     0,
     0},
    {"mov foo(%rip),%r31",
     EDGE_X86_64_GOT_REX2_LOAD32,
     {0xd5, 0x4c, 0x8b, 0x3d},
     {0xd5, 0x4c, 0x8d, 0x3d},
     8,
     4,
     0x100002000,
     EDGE_X86_64_DELTA32,
     -4,
     0},
    {"cmp foo(%rip),%r25, low",
     EDGE_X86_64_GOT_REX2_LOAD32,
     {0xd5, 0x4c, 0x3b, 0x0d},
     {0xd5, 0x19, 0x81, 0xf9},
     8,
     4,
     0x2000,
     EDGE_X86_64_POINTER32S,
     0,
     0},
    {"no REX2 prefix in front",
     EDGE_X86_64_GOT_REX2_LOAD32,
     {0x90, 0x48, 0x8b, 0x05},
     {0x90, 0x48, 0x8b, 0x05},
     8,
     4,
     0x100002000,
     EDGE_KEEP_ALIVE,
     0,
     0},
    {"another opcode map behind REX2",
     EDGE_X86_64_GOT_REX2_LOAD32,
     {0xd5, 0xc8, 0x8b, 0x05},
     {0xd5, 0xc8, 0x8b, 0x05},
     8,
     4,
     0x100002000,
     EDGE_KEEP_ALIVE,
     0,
     0},
    {"mov, too far",
     EDGE_X86_64_GOT_REX_LOAD32,
     {0x48, 0x8b, 0x05},
     {0x48, 0x8b, 0x05},
     7,
     3,
     0x900002000,
     EDGE_KEEP_ALIVE,
     0,
     0},
    {"push foo(%rip)",
     EDGE_X86_64_GOT_LOAD32,
     {0xff, 0x35},
     {0xff, 0x35},
     6,
     2,
     0x100002000,
     EDGE_KEEP_ALIVE,
     0,
     0},
    {"add foo(%rip),%r16 by the relocation type of REX",
     EDGE_X86_64_GOT_REX_LOAD32,
     {0xd5, 0x48, 0x03, 0x05},
     {0xd5, 0x48, 0x03, 0x05},
     8,
     4,
     0x1000,
     EDGE_KEEP_ALIVE,
     0,
     0},
    {"mov foo(%rip),%r16 by the relocation type of REX",
     EDGE_X86_64_GOT_REX_LOAD32,
     {0xd5, 0x48, 0x8b, 0x05},
     {0xd5, 0x48, 0x8d, 0x05},
     8,
     4,
     0x100002000,
     EDGE_X86_64_DELTA32,
     -4,
     0},
    {"add foo(%rip),%rax without its REX",
     EDGE_X86_64_GOT_REX_LOAD32,
     {0x90, 0x03, 0x05},
     {0x90, 0x03, 0x05},
     7,
     3,
     0x1000,
     EDGE_KEEP_ALIVE,
     0,
     0},
    {"add foo(%rip),%ax",
     EDGE_X86_64_GOT_LOAD32,
     {0x66, 0x03, 0x05},
     {0x66, 0x03, 0x05},
     7,
     3,
     0x1000,
     EDGE_KEEP_ALIVE,
     0,
     0},
    {"add foo(%rip),%r8w",
     EDGE_X86_64_GOT_REX_LOAD32,
     {0x66, 0x44, 0x03, 0x05},
     {0x66, 0x44, 0x03, 0x05},
     8,
     4,
     0x1000,
     EDGE_KEEP_ALIVE,
     0,
     0},
    {"mov $0x48661234,%edi, of which two bytes, and call *foo(%rip)",
     EDGE_X86_64_GOT_LOAD32,
     {0x66, 0x48, 0xff, 0x15},
     {0x66, 0x48, 0xff, 0x15},
     8,
     4,
     0x100002000,
     EDGE_KEEP_ALIVE,
     0,
     0},
    {"data16 call *foo(%rip)",
     EDGE_X86_64_GOT_LOAD32,
     {0x66, 0xff, 0x15},
     {0x66, 0xff, 0x15},
     7,
     3,
     0x100002000,
     EDGE_KEEP_ALIVE,
     0,
     0},
};

static void test_relaxations(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof relax_cases / sizeof *relax_cases; i++) {
        const struct relax_case *c = &relax_cases[i];
        uint8_t content[8];
        memcpy(content, c->before, 8);
        struct fixup_run run = {.content = content, .address = 0x100001000};
        struct edge edge = {.kind = c->kind, .offset = (uint32_t)c->offset, .addend = {-4}, .target = 7};
        bool done = arch_x86_64.relax_got_load(&run, &edge, c->target);
        print_message("%s\n", c->name);
        assert_int_equal(done, c->new_kind != EDGE_KEEP_ALIVE);
        assert_memory_equal(content, c->after, c->size);
        if (!done)
            continue;
        assert_int_equal(edge.kind, c->new_kind);
        assert_int_equal(edge.addend.bits, c->addend);
        assert_int_equal(edge.offset, c->offset - c->move_back);
        assert_int_equal(edge.target, 7);
    }
}

static uint16_t request_of(uint16_t kind) {
    return kind == EDGE_X86_64_GOT_LOAD32       ? EDGE_X86_64_REQUEST_GOT_LOAD32
           : kind == EDGE_X86_64_GOT_REX_LOAD32 ? EDGE_X86_64_REQUEST_GOT_REX_LOAD32
                                                : EDGE_X86_64_REQUEST_GOT_REX2_LOAD32;
}

/* What a run over edges makes of EDGE, when its target has a place and when it has none, and KIND is all that
 * anybody wants to see. */
static struct edge after_run(const uint8_t *content, uint64_t size, struct edge edge, bool is_placed,
                             bool *is_shown) {
    uint64_t placed[1] = {is_placed ? UINT64_C(1) << edge.target : ~(UINT64_C(1) << edge.target)};
    struct relax_run run = {.content = content,
                            .size = size,
                            .placed = placed,
                            .kinds = UINT64_C(1) << edge.kind,
                            .inside = UINT64_C(1) << edge.kind};
    *is_shown = arch_x86_64.relax_early_run(&run, &edge, &edge + 1) == &edge;
    return edge;
}

static void assert_same_in_run(const uint8_t *content, uint64_t size, struct edge before, struct edge after,
                               bool done) {
    bool is_shown;
    struct edge edge = after_run(content, size, before, true, &is_shown);
    assert_true(is_shown == !done);
    assert_memory_equal(&edge, done ? &after : &before, sizeof edge);
    edge = after_run(content, size, before, false, &is_shown);
    assert_true(is_shown);
    assert_memory_equal(&edge, &before, sizeof edge);
}

/* Edges that ask for nothing are shown to those who want to see them, of what has a place in the batch to
 * those who want that too. */
static void test_runs_show_what_is_wanted(void **state) {
    (void)state;
    struct edge edges[4] = {{.kind = EDGE_X86_64_DELTA32, .target = 1},
                            {.kind = EDGE_X86_64_BRANCH32, .target = 1},
                            {.kind = EDGE_X86_64_GOT_OFFSET64, .target = 1},
                            {.kind = EDGE_X86_64_BRANCH32, .target = 64}};
    static const uint64_t placed[2] = {2, 0};
    struct relax_run run = {.placed = placed,
                            .kinds = UINT64_C(1) << EDGE_X86_64_BRANCH32 | UINT64_C(1)
                                                                               << EDGE_X86_64_GOT_OFFSET64,
                            .inside = UINT64_C(1) << EDGE_X86_64_GOT_OFFSET64};
    assert_ptr_equal(arch_x86_64.relax_early_run(&run, edges, edges + 4), edges + 2);
    assert_ptr_equal(arch_x86_64.relax_early_run(&run, edges + 3, edges + 4), edges + 3);
    assert_ptr_equal(arch_x86_64.relax_early_run(&run, edges, edges + 2), edges + 2);
}

/* A run of fixups stops where an addend is not in the edge. */
static void test_runs_leave_wide_addends(void **state) {
    (void)state;
    static const uint64_t addresses[1] = {0x1000};
    uint8_t content[16] = {0};
    struct edge edges[2] = {{.kind = EDGE_X86_64_POINTER64, .addend = {1}}, {.offset = 8, .is_wide = true}};
    struct fixup_run run = {
        .content = content, .size = sizeof content, .address = 0x2000, .addresses = addresses};
    for (uint16_t kind = EDGE_X86_64_POINTER64; kind <= EDGE_X86_64_NEAR_LOAD32; kind++) {
        edges[1].kind = kind;
        assert_ptr_equal(arch_x86_64.apply_run(&run, edges, edges + 2), edges + 1);
        assert_true(content[0] == 1 && content[1] == 0x10 && !content[8] && !content[9]);
    }
}

/* Before there are addresses the same is decided, but for what depends on them; fixups then come to the same
 * bytes, and do not when the target is too far. */
static void test_early_relaxations(void **state) {
    (void)state;
    unsigned early = 0;
    for (size_t i = 0; i < sizeof relax_cases / sizeof *relax_cases; i++) {
        const struct relax_case *c = &relax_cases[i];
        uint8_t late[8], content[8];
        uint64_t value, far;
        bool near = c->target + 0x7fffffff > 0x100001000,
             immediate = c->new_kind == EDGE_X86_64_POINTER32 || c->new_kind == EDGE_X86_64_POINTER32S;
        memcpy(late, c->before, 8);
        memcpy(content, c->before, 8);
        struct edge edge = {.kind = request_of(c->kind), .offset = c->offset, .addend = {-4}, .target = 7};
        struct edge then = {.kind = c->kind, .offset = c->offset, .addend = {-4}, .target = 7};
        struct fixup_run run = {.content = late, .address = 0x100001000};
        struct edge before = edge;
        bool done = arch_x86_64.relax_early(content, c->size, &edge);
        print_message("%s\n", c->name);
        assert_same_in_run(content, c->size, before, edge, done);
        assert_memory_equal(content, c->before, 8);
        if (!done)
            assert_true(immediate || c->new_kind == EDGE_KEEP_ALIVE);
        if (!done || !arch_x86_64.relax_got_load(&run, &then, c->target))
            continue;
        assert_true(near && !immediate);
        assert_int_equal(edge.target, 7);
        struct fixup fixup = {.kind = edge.kind,
                              .addend = edge.addend.bits,
                              .symbol = c->target + ((uint64_t)1 << 33),
                              .place = run.address + edge.offset,
                              .content = content + edge.offset};
        assert_false(arch_x86_64.apply(&fixup, &far));
        assert_memory_equal(content, c->before, 8);
        fixup.symbol = c->target;
        assert_true(arch_x86_64.apply(&fixup, &value));
        assert_false(arch_x86_64.apply(&fixup, &far)); /* it is no load any more */
        fixup.kind = then.kind;
        fixup.place = run.address + then.offset;
        fixup.content = late + then.offset;
        assert_true(arch_x86_64.apply(&fixup, &far));
        assert_int_equal(value, far);
        assert_memory_equal(content, late, 8);
        early++;
    }
    assert_true(early >= 5);
}

static void test_early_relaxation_needs_the_instruction(void **state) {
    (void)state;
    static const uint8_t load[7] = {0x48, 0x8b, 0x05};
    struct edge edge = {.kind = EDGE_X86_64_REQUEST_GOT_REX_LOAD32, .offset = 3, .addend = {-4}};
    struct edge shifted = edge, first = edge, plain = edge;
    shifted.addend.bits = 4;
    first.offset = 2;
    plain.kind = EDGE_X86_64_REQUEST_GOT_DELTA32;
    assert_false(arch_x86_64.relax_early(load, 7, &shifted)); /* the word behind the entry */
    assert_false(arch_x86_64.relax_early(load, 7, &first));
    assert_false(arch_x86_64.relax_early(load, 7, &plain));
    assert_false(arch_x86_64.relax_early(load, 6, &edge)); /* its field is cut off */
    assert_false(arch_x86_64.relax_early(NULL, 7, &edge)); /* zero-fill */
    assert_same_in_run(load, 7, shifted, shifted, false);
    assert_same_in_run(load, 7, first, first, false);
    assert_same_in_run(load, 7, plain, plain, false);
    assert_same_in_run(load, 6, edge, edge, false);
    assert_same_in_run(NULL, 7, edge, edge, false);
    assert_true(arch_x86_64.relax_early(load, 7, &edge));
}

static void test_relaxation_needs_the_opcode(void **state) {
    (void)state;
    uint8_t content[8] = {0};
    struct fixup_run run = {.content = content, .address = 0xffe};
    struct edge rex = {.kind = EDGE_X86_64_GOT_REX_LOAD32, .offset = 2, .addend = {-4}};
    struct edge plain = {.kind = EDGE_X86_64_GOT_LOAD32, .offset = 1, .addend = {-4}};
    /* a displacement at the start of a block has no instruction before it */
    assert_false(arch_x86_64.relax_got_load(&run, &rex, 0x2000));
    assert_false(arch_x86_64.relax_got_load(&run, &plain, 0x2000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_relaxations),
        cmocka_unit_test(test_early_relaxations),
        cmocka_unit_test(test_early_relaxation_needs_the_instruction),
        cmocka_unit_test(test_relaxation_needs_the_opcode),
        cmocka_unit_test(test_runs_show_what_is_wanted),
        cmocka_unit_test(test_runs_leave_wide_addends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
