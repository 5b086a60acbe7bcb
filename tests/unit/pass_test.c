/* The passes, each on the smallest graph that shows what it decides. */
#include "batch_fixture.h"

#include "pass/edge_visitor.h"
#include "pass/pass.h"
#include "pass/prune.h"
#include "pass/section_actions.h"
#include "pass/synthetic.h"
#include "pass/tables.h"

#include "arch/x86_64.h"
#include "base/bytes.h"

static const uint8_t content[64];

static uint32_t add_named(struct batch *batch, const char *text, uint32_t block, uint8_t scope) {
    struct symbol symbol = {.block = block, .scope = scope};
    uint32_t id;
    bool won;
    assert_code(string_pool_intern(&batch->names, text, strlen(text), &symbol.name), JITSCOPE_SUCCESS);
    if (block == NO_BLOCK)
        assert_code(graph_refer(&batch->graph, symbol.name, LINKAGE_STRONG, scope, SYMBOL_KIND_NONE, 0, &id),
                    JITSCOPE_SUCCESS);
    else
        assert_code(graph_define(&batch->graph, &symbol, &id, &won), JITSCOPE_SUCCESS);
    return id;
}

static void edge(struct batch *batch, uint32_t block, uint32_t offset, uint16_t kind, uint32_t target) {
    struct edge edge = {.offset = offset, .kind = kind, .target = target, .addend = {-4}};
    assert_code(graph_add_edge(&batch->graph, block, edge), JITSCOPE_SUCCESS);
}

static const struct edge *edge_at(const struct batch *batch, uint32_t block, uint32_t index) {
    return &batch->graph.edges.data[batch->graph.blocks.data[block].first_edge + index];
}

static uint32_t leads_to(const struct batch *batch, uint32_t entry) {
    return edge_at(batch, batch->graph.symbols.data[entry].block, 0)->target;
}

static void test_tables_share_entries(void **state) {
    (void)state;
    struct batch batch;
    batch_create(&batch);
    uint32_t text = add_section(&batch, ".text", RX, LIFETIME_STANDARD, false, 0);
    uint32_t a = add_block(&batch, text, content, 64, 4), b = add_block(&batch, text, content, 64, 4);
    uint32_t outside = add_named(&batch, "puts", NO_BLOCK, SCOPE_DEFAULT);
    uint32_t inside = add_named(&batch, "f", b, SCOPE_DEFAULT);
    edge(&batch, a, 0, EDGE_X86_64_BRANCH32, outside);
    edge(&batch, a, 8, EDGE_X86_64_BRANCH32, inside);
    edge(&batch, a, 16, EDGE_X86_64_REQUEST_GOT_REX_LOAD32, outside);
    edge(&batch, b, 0, EDGE_X86_64_BRANCH32, outside);
    edge(&batch, b, 8, EDGE_X86_64_REQUEST_GOT_DELTA32, inside);
    assert_code(build_tables(&batch.graph, NULL), JITSCOPE_SUCCESS);
    assert_code(graph_verify(&batch.graph), JITSCOPE_SUCCESS);

    const struct edge *call = edge_at(&batch, a, 0);
    assert_int_equal(call->kind, EDGE_X86_64_BRANCH32_TO_STUB);
    assert_int_equal(call->target, edge_at(&batch, b, 0)->target); /* one stub for both */
    assert_int_equal(edge_at(&batch, a, 1)->target, inside);       /* near: no stub */
    const struct edge *load = edge_at(&batch, a, 2);
    assert_int_equal(load->kind, EDGE_X86_64_GOT_REX_LOAD32);
    assert_int_equal(leads_to(&batch, load->target), outside);
    assert_int_equal(leads_to(&batch, call->target), load->target); /* the stub jumps through the same slot */
    assert_int_equal(edge_at(&batch, b, 1)->kind, EDGE_X86_64_GOT_DELTA32);
    assert_int_equal(leads_to(&batch, edge_at(&batch, b, 1)->target), inside);
    assert_int_equal(batch.graph.blocks.count, 2 + 2 + 1); /* two slots, one stub */
    batch_destroy(&batch);
}

/* What does without an entry is decided for each load. */
static void test_near_loads_have_no_entry(void **state) {
    (void)state;
    static const uint8_t loads[64] = {0x48, 0x8b, 0x05, 0, 0, 0, 0, 0, 0x48, 0x8b, 0x05};
    struct batch batch;
    batch_create(&batch);
    uint32_t text = add_section(&batch, ".text", RX, LIFETIME_STANDARD, false, 0);
    uint32_t debug = add_section(&batch, ".debug_info", 0, LIFETIME_NO_ALLOC, false, 0);
    uint32_t a = add_block(&batch, text, loads, 64, 4);
    uint32_t data = add_block(&batch, debug, content, 64, 0);
    uint32_t inside = add_named(&batch, "inside", a, SCOPE_DEFAULT);
    uint32_t outside = add_named(&batch, "outside", NO_BLOCK, SCOPE_DEFAULT);
    uint32_t unplaced = add_named(&batch, "unplaced", data, SCOPE_DEFAULT), number;
    struct symbol absolute = {.block = NO_BLOCK, .value = 5, .scope = SCOPE_LOCAL};
    assert_code(graph_add_symbol(&batch.graph, absolute, &number), JITSCOPE_SUCCESS);
    edge(&batch, a, 3, EDGE_X86_64_REQUEST_GOT_REX_LOAD32, inside);
    edge(&batch, a, 20, EDGE_X86_64_REQUEST_GOT_REX_LOAD32, inside); /* no mov stands there */
    edge(&batch, a, 30, EDGE_X86_64_REQUEST_GOT_DELTA32, inside);
    edge(&batch, a, 11, EDGE_X86_64_REQUEST_GOT_REX_LOAD32, inside);
    edge(&batch, a, 3, EDGE_X86_64_REQUEST_GOT_REX_LOAD32, outside);
    edge(&batch, a, 3, EDGE_X86_64_REQUEST_GOT_REX_LOAD32, unplaced);
    edge(&batch, a, 3, EDGE_X86_64_REQUEST_GOT_REX_LOAD32, number);
    batch.graph.lies_near = true;
    assert_code(build_tables(&batch.graph, NULL), JITSCOPE_SUCCESS);
    assert_code(graph_verify(&batch.graph), JITSCOPE_SUCCESS);
    assert_int_equal(edge_at(&batch, a, 0)->kind, EDGE_X86_64_NEAR_LOAD32);
    assert_int_equal(edge_at(&batch, a, 0)->target, inside);
    assert_int_equal(edge_at(&batch, a, 1)->kind, EDGE_X86_64_GOT_REX_LOAD32);
    assert_int_equal(leads_to(&batch, edge_at(&batch, a, 1)->target), inside);
    assert_int_equal(edge_at(&batch, a, 2)->target, edge_at(&batch, a, 1)->target);
    assert_int_equal(edge_at(&batch, a, 3)->kind, EDGE_X86_64_NEAR_LOAD32);
    assert_int_equal(leads_to(&batch, edge_at(&batch, a, 4)->target), outside);
    assert_int_equal(leads_to(&batch, edge_at(&batch, a, 5)->target), unplaced);
    assert_int_equal(leads_to(&batch, edge_at(&batch, a, 6)->target), number);
    assert_int_equal(batch.graph.blocks.count, 2 + 4);
    batch_destroy(&batch);
}

static void test_an_address_of_the_table_makes_the_table(void **state) {
    (void)state;
    struct batch batch;
    batch_create(&batch);
    uint32_t text = add_section(&batch, ".text", RX, LIFETIME_STANDARD, false, 0);
    uint32_t a = add_block(&batch, text, content, 64, 4);
    uint32_t got = add_named(&batch, "_GLOBAL_OFFSET_TABLE_", NO_BLOCK, SCOPE_DEFAULT);
    edge(&batch, a, 3, EDGE_X86_64_GOT_BASE_DELTA32, got);
    assert_code(build_tables(&batch.graph, NULL), JITSCOPE_SUCCESS);
    uint32_t name = string_pool_find(&batch.names, ".got", 4);
    assert_int_not_equal(name, NO_NAME);
    uint32_t section = graph_find_section(&batch.graph, name);
    assert_int_equal(batch.graph.sections.data[section].blocks, 1);
    uint32_t last = batch.graph.blocks.count - 1;
    batch.graph.sections.data[section].first = batch.graph.sections.data[section].last = last;
    block_at(&batch, last)->address = 0x4000;
    assert_code(define_bounds(&batch.graph, NULL), JITSCOPE_SUCCESS);
    assert_int_equal(batch.graph.got_base, 0x4000);
    assert_int_equal(graph_symbol_address(&batch.graph, got), 0x4000);
    batch_destroy(&batch);
}

/* main -> used -> string; unused -> string2; each function has an FDE, the FDEs a CIE. */
static void prune_program(bool everything, uint32_t expected_live) {
    struct batch batch;
    batch_create(&batch);
    uint32_t text = add_section(&batch, ".text", RX, LIFETIME_STANDARD, false, 0);
    uint32_t data = add_section(&batch, ".rodata", R, LIFETIME_STANDARD, false, 0);
    uint32_t eh = add_section(&batch, ".eh_frame", R, LIFETIME_STANDARD, false, 0);
    uint32_t init = add_section(&batch, ".init_array", RW, LIFETIME_STANDARD, false, 0);
    batch.graph.sections.data[eh].dependent = true;
    uint32_t functions[3], fdes[3], names[3];
    static const char *const texts[] = {"main", "used", "unused"};
    uint32_t cie = add_block(&batch, eh, content, 16, 0);
    uint32_t cie_symbol = add_named(&batch, "cie", cie, SCOPE_DEFAULT);
    for (int i = 0; i < 3; i++) {
        functions[i] = add_block(&batch, text, content, 64, 4);
        names[i] = add_named(&batch, texts[i], functions[i], SCOPE_DEFAULT);
        fdes[i] = add_block(&batch, eh, content, 16, 0);
        edge(&batch, fdes[i], 4, EDGE_X86_64_NEGATIVE_DELTA32, cie_symbol);
        graph_attach_block(&batch.graph, functions[i], fdes[i]);
    }
    uint32_t string = add_block(&batch, data, content, 16, 0),
             string2 = add_block(&batch, data, content, 16, 0);
    uint32_t initialiser = add_block(&batch, init, content, 8, 3);
    edge(&batch, functions[0], 0, EDGE_X86_64_BRANCH32, names[1]);
    edge(&batch, functions[1], 0, EDGE_X86_64_DELTA32, add_named(&batch, "s", string, SCOPE_DEFAULT));
    edge(&batch, functions[2], 0, EDGE_X86_64_DELTA32, add_named(&batch, "s2", string2, SCOPE_DEFAULT));
    uint32_t root = batch.graph.symbols.data[names[0]].name;
    struct prune_roots roots = {.everything = everything, .names = &root, .count = 1};
    assert_code(prune(&batch.graph, &roots), JITSCOPE_SUCCESS);
    assert_int_equal(batch.graph.live_blocks, expected_live);
    assert_int_equal(!!(block_at(&batch, fdes[2])->flags & BLOCK_REMOVED), !everything);
    assert_int_equal(!!(block_at(&batch, string2)->flags & BLOCK_REMOVED), !everything);
    assert_false(block_at(&batch, initialiser)->flags & BLOCK_REMOVED);
    assert_false(block_at(&batch, cie)->flags & BLOCK_REMOVED);
    assert_code(graph_verify(&batch.graph), JITSCOPE_SUCCESS);
    batch_destroy(&batch);
}

static void test_prune(void **state) {
    (void)state;
    prune_program(true, 10);
    prune_program(false, 7);
}

static void test_an_fde_dies_with_its_function(void **state) {
    (void)state;
    struct batch batch;
    batch_create(&batch);
    uint32_t eh = add_section(&batch, ".eh_frame", R, LIFETIME_STANDARD, false, 0);
    batch.graph.sections.data[eh].dependent = true;
    uint32_t lonely = add_block(&batch, eh, content, 16, 0);
    struct prune_roots roots = {.everything = true};
    assert_code(prune(&batch.graph, &roots), JITSCOPE_SUCCESS);
    assert_true(block_at(&batch, lonely)->flags & BLOCK_REMOVED);
    batch_destroy(&batch);
}

/* What runs when, from the actions' order: finalize halves forward, deallocate halves backward. */
static void test_initialisers_run_by_priority(void **state) {
    static const struct {
        const char *section;
        uint64_t address;
    } arrays[] = {{".init_array", 0x100},       {".init_array.00200", 0x200},
                  {".init_array.00101", 0x300}, {".fini_array.00101", 0x400},
                  {".fini_array", 0x500},       {".ctors.65434", 0x600},
                  {".preinit_array", 0x700},    {".ctors", 0x800},
                  {".init_array", 0x900},       {".dtors.65436", 0xa00},
                  {".fini_array", 0x508},       {".init_array.later", 0xb00}};
    /* .ctors stand among .init_array, in the inputs' order; of one priority by name; neighbours are one. */
    static const uint64_t finalize[] = {0x700, 0x600, 0x300, 0x200, 0xb00, 0x100, 0x800, 0x900};
    static const uint64_t deallocate[] = {0x500, 0x400, 0xa00};
    (void)state;
    struct batch batch;
    batch_create(&batch);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        uint32_t section = add_section(&batch, arrays[i].section, RW, LIFETIME_STANDARD, false, 0);
        block_at(&batch, add_block(&batch, section, content, 8, 3))->address = arrays[i].address;
    }
    assert_code(order_initialisers(&batch.graph, NULL), JITSCOPE_SUCCESS);
    assert_code(attach_initialisers(&batch.graph, NULL), JITSCOPE_SUCCESS);
    size_t next = 0;
    for (uint32_t i = 0; i < batch.graph.actions.count; i++)
        if (batch.graph.actions.data[i].finalize.function)
            assert_int_equal(load_u64(batch.graph.actions.data[i].finalize.arguments), finalize[next++]);
    assert_int_equal(next, sizeof finalize / sizeof *finalize);
    next = 0;
    for (uint32_t i = batch.graph.actions.count; i-- > 0;)
        if (batch.graph.actions.data[i].deallocate.function)
            assert_int_equal(load_u64(batch.graph.actions.data[i].deallocate.arguments), deallocate[next++]);
    assert_int_equal(next, sizeof deallocate / sizeof *deallocate);
    batch_destroy(&batch);
}

static void test_section_bounds(void **state) {
    (void)state;
    struct batch batch;
    batch_create(&batch);
    uint32_t section = add_section(&batch, "plugins", RW, LIFETIME_STANDARD, false, 0);
    uint32_t first = add_block(&batch, section, content, 16, 3);
    uint32_t last = add_block(&batch, section, content, 8, 3);
    block_at(&batch, first)->address = 0x2000;
    block_at(&batch, last)->address = 0x2010;
    batch.graph.sections.data[section].first = first;
    batch.graph.sections.data[section].last = last;
    uint32_t start = add_named(&batch, "__start_plugins", NO_BLOCK, SCOPE_DEFAULT);
    uint32_t stop = add_named(&batch, "__stop_plugins", NO_BLOCK, SCOPE_DEFAULT);
    uint32_t other = add_named(&batch, "__start_nowhere", NO_BLOCK, SCOPE_DEFAULT);
    assert_code(define_bounds(&batch.graph, NULL), JITSCOPE_SUCCESS);
    assert_int_equal(graph_symbol_address(&batch.graph, start), 0x2000);
    assert_int_equal(graph_symbol_address(&batch.graph, stop), 0x2018);
    assert_false(batch.graph.symbols.data[other].flags & SYMBOL_RESOLVED);
    batch_destroy(&batch);
}

static void test_commons_and_dso_handle(void **state) {
    (void)state;
    struct batch batch;
    batch_create(&batch);
    struct symbol common = {
        .block = NO_BLOCK, .size = 400, .value = 32, .linkage = LINKAGE_COMMON, .input = NO_INPUT};
    uint32_t id;
    bool won;
    assert_code(string_pool_intern(&batch.names, "table", 5, &common.name), JITSCOPE_SUCCESS);
    assert_code(graph_define(&batch.graph, &common, &id, &won), JITSCOPE_SUCCESS);
    uint32_t handle = add_named(&batch, "__dso_handle", NO_BLOCK, SCOPE_DEFAULT);
    assert_code(allocate_commons(&batch.graph, NULL), JITSCOPE_SUCCESS);
    assert_code(define_dso_handle(&batch.graph, NULL), JITSCOPE_SUCCESS);
    const struct block *block = block_at(&batch, batch.graph.symbols.data[id].block);
    assert_int_equal(block->size, 400);
    assert_int_equal(block->alignment_log2, 5);
    assert_true(block->flags & BLOCK_ZERO_FILL);
    assert_true(symbol_is_defined(&batch.graph.symbols.data[handle]));
    assert_int_equal(leads_to(&batch, handle), handle); /* holds its own address */
    batch_destroy(&batch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_share_entries),
        cmocka_unit_test(test_near_loads_have_no_entry),
        cmocka_unit_test(test_an_address_of_the_table_makes_the_table),
        cmocka_unit_test(test_prune),
        cmocka_unit_test(test_an_fde_dies_with_its_function),
        cmocka_unit_test(test_initialisers_run_by_priority),
        cmocka_unit_test(test_section_bounds),
        cmocka_unit_test(test_commons_and_dso_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
