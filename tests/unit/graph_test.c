/* The link graph: resolution among definitions, edge runs, sections by name, the invariants. */
#include "graph/graph.h"

#include "base/digest.h"
#include "graph/graph_digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct string_pool names;
    struct trace trace;
    struct graph graph;
};

static int create(void **state) {
    static struct fixture fixture;
    assert_null(string_pool_create(&fixture.names));
    trace_create(&fixture.trace, &fixture.names);
    assert_null(graph_create(&fixture.graph, &arch_x86_64, &fixture.names, &fixture.trace, 1));
    *state = &fixture;
    return 0;
}

static int destroy(void **state) {
    struct fixture *fixture = *state;
    graph_destroy(&fixture->graph);
    trace_destroy(&fixture->trace);
    string_pool_destroy(&fixture->names);
    return 0;
}

static uint32_t name(struct fixture *fixture, const char *text) {
    uint32_t id;
    assert_null(string_pool_intern(&fixture->names, text, strlen(text), &id));
    return id;
}

static uint32_t block(struct fixture *fixture, uint64_t size) {
    static const uint8_t bytes[64];
    uint32_t section, id;
    assert_null(graph_add_section(&fixture->graph, name(fixture, ".data"), PROTECT_READ | PROTECT_WRITE,
                                  LIFETIME_STANDARD, false, &section));
    assert_null(graph_add_block(&fixture->graph, section, bytes, size, 3, MADE_BY_LINKER, &id));
    return id;
}

/* What each pair of linkages decides: rows meet first, columns second; "1" the first stays, "2" the second
 * takes over, "x" clash. */
static void test_definitions_meet(void **state) {
    static const char *const expected[3] = {"x11", "212", "21m"};
    struct fixture *fixture = *state;
    for (uint8_t first = 0; first < 3; first++)
        for (uint8_t second = 0; second < 3; second++) {
            char text[8] = {'p', (char)('0' + first), (char)('0' + second)};
            struct symbol one = {
                .name = name(fixture, text), .linkage = first, .input = 1, .size = 4, .value = 8};
            struct symbol two = {.name = one.name, .linkage = second, .input = 2, .size = 8, .value = 4};
            one.block = first == LINKAGE_COMMON ? NO_BLOCK : block(fixture, 16);
            two.block = second == LINKAGE_COMMON ? NO_BLOCK : block(fixture, 16);
            uint32_t id, again;
            bool won;
            assert_null(graph_define(&fixture->graph, &one, &id, &won));
            assert_true(won);
            struct jitscope_error *error = graph_define(&fixture->graph, &two, &again, &won);
            const struct symbol *result = &fixture->graph.symbols.data[id];
            switch (expected[first][second]) {
            case 'x':
                assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_DUPLICATE);
                assert_string_equal(jitscope_error_symbol(error), text);
                break;
            case '1':
                assert_false(won);
                assert_int_equal(result->input, 1);
                break;
            case '2':
                assert_true(won);
                assert_int_equal(result->input, 2);
                break;
            default: /* commons merge: the larger size, the stricter alignment */
                assert_int_equal(result->size, 8);
                assert_int_equal(result->value, 8);
            }
            if (!error)
                assert_int_equal(id, again);
            jitscope_error_destroy(error);
        }
    assert_null(graph_verify(&fixture->graph));
}

static void test_reference_then_definition(void **state) {
    struct fixture *fixture = *state;
    struct graph *graph = &fixture->graph;
    uint32_t weak, strong, defined, foo = name(fixture, "foo");
    bool won;
    assert_null(graph_refer(graph, foo, LINKAGE_WEAK, SCOPE_DEFAULT, SYMBOL_KIND_NONE, 3, &weak));
    assert_int_equal(graph->symbols.data[weak].linkage, LINKAGE_WEAK);
    assert_null(graph_refer(graph, foo, LINKAGE_STRONG, SCOPE_HIDDEN, SYMBOL_KIND_FUNCTION, 4, &strong));
    assert_int_equal(weak, strong);
    assert_int_equal(graph->symbols.data[weak].linkage, LINKAGE_STRONG);
    assert_int_equal(graph->symbols.data[weak].input, 4);
    assert_null(graph_define(graph, &(struct symbol){.name = foo, .block = block(fixture, 8), .input = 5},
                             &defined, &won));
    assert_int_equal(defined, weak);
    assert_true(symbol_is_defined(&graph->symbols.data[weak]));
    /* the strictest visibility of all mentions */
    assert_int_equal(graph->symbols.data[weak].scope, SCOPE_HIDDEN);
}

static void assert_open(struct graph *graph, const uint32_t *ids, uint32_t count) {
    assert_null(graph_verify(graph));
    graph_tidy_open(graph);
    assert_null(graph_verify(graph));
    assert_int_equal(graph->open.count, count);
    assert_memory_equal(graph->open.data, ids, count * sizeof *ids);
}

/* Symbols become open, stop being it, and become it again, in any order. */
static void test_open_symbols(void **state) {
    struct fixture *fixture = *state;
    struct graph *graph = &fixture->graph;
    uint32_t a, b, c, d, place = block(fixture, 16);
    struct symbol weak = {.name = name(fixture, "a"), .block = place, .linkage = LINKAGE_WEAK},
                  common = {.name = weak.name, .block = NO_BLOCK, .linkage = LINKAGE_COMMON, .size = 4};
    struct symbol strong = {.name = name(fixture, "b"), .block = place};
    bool won;
    assert_null(graph_define(graph, &weak, &a, &won));
    assert_null(graph_refer(graph, strong.name, LINKAGE_STRONG, SCOPE_DEFAULT, SYMBOL_KIND_NONE, 1, &b));
    assert_null(graph_add_symbol(graph, (struct symbol){.block = place, .scope = SCOPE_LOCAL}, &c));
    assert_null(graph_refer(graph, name(fixture, "d"), LINKAGE_WEAK, SCOPE_DEFAULT, SYMBOL_KIND_NONE, 1, &d));
    assert_open(graph, (uint32_t[]){b, d}, 2);
    assert_null(graph_define(graph, &common, &a, &won));
    assert_open(graph, (uint32_t[]){a, b, d}, 3);
    assert_null(graph_define(graph, &strong, &b, &won));
    assert_open(graph, (uint32_t[]){a, d}, 2);
    assert_null(graph_define(graph, &(struct symbol){.name = name(fixture, "d"), .block = place}, &d, &won));
    assert_null(graph_yield(graph, d)); /* there twice until it is tidied */
    assert_null(graph_yield(graph, b));
    assert_open(graph, (uint32_t[]){a, b, d}, 3);
    graph_define_at(graph, a, place, 0, 4);
    assert_open(graph, (uint32_t[]){b, d}, 2);
}

static int64_t addend_of(const struct graph *graph, uint32_t block, uint32_t number) {
    return graph_addend(graph, &graph->edges.data[graph->blocks.data[block].first_edge + number]);
}

static void test_edges_move_as_one_run(void **state) {
    struct fixture *fixture = *state;
    struct graph *graph = &fixture->graph;
    uint32_t a = block(fixture, 32), b = block(fixture, 32), symbol;
    static const int64_t addends[4] = {0, INT32_MIN, INT64_MIN, INT64_MAX};
    assert_null(graph_add_symbol(graph, (struct symbol){.block = a, .scope = SCOPE_LOCAL}, &symbol));
    for (uint32_t i = 0; i < 4; i++) {
        struct edge edge = {.offset = i * 8, .kind = arch_x86_64.pointer64, .target = symbol};
        assert_null(graph_set_addend(graph, &edge, addends[i]));
        assert_null(graph_add_edge(graph, a, edge));
        assert_null(graph_add_edge(graph, b, edge));
    }
    assert_null(graph_verify(graph));
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(addend_of(graph, a, i) == addends[i]);
        assert_true(addend_of(graph, b, i) == addends[i]);
    }
    assert_int_equal(graph->live_edges, 8);
    graph_remove_block(graph, a, REASON_UNREACHABLE);
    graph_remove_block(graph, a, REASON_UNREACHABLE);
    assert_int_equal(graph->live_edges, 4);
    assert_int_equal(graph->live_blocks, 1);
}

static struct edge with_addend(struct graph *graph, int64_t addend) {
    struct edge edge = {.kind = arch_x86_64.pointer64};
    assert_null(graph_set_addend(graph, &edge, addend));
    return edge;
}

/* One that fits 32 bits and one that does not are told alike; a copy keeps what it had. */
static void test_wide_addends(void **state) {
    struct fixture *fixture = *state;
    struct graph *graph = &fixture->graph;
    static const int64_t addends[] = {
        0,          1,         -4,       INT32_MAX, INT32_MIN, INT32_MAX + INT64_C(1), INT32_MIN - INT64_C(1),
        UINT32_MAX, INT64_MAX, INT64_MIN};
    struct edge edges[sizeof addends / sizeof *addends];
    for (size_t i = 0; i < sizeof addends / sizeof *addends; i++)
        edges[i] = with_addend(graph, addends[i]);
    for (size_t i = 0; i < sizeof addends / sizeof *addends; i++) {
        assert_true(graph_addend(graph, &edges[i]) == addends[i]);
        assert_true(edges[i].is_wide == (addends[i] > INT32_MAX || addends[i] < INT32_MIN));
    }
    struct edge edge = with_addend(graph, INT64_MAX), copy = edge;
    assert_null(graph_set_addend(graph, &edge, INT64_MIN));
    assert_true(graph_addend(graph, &edge) == INT64_MIN && graph_addend(graph, &copy) == INT64_MAX);
    assert_null(graph_set_addend(graph, &edge, -4));
    assert_true(graph_addend(graph, &edge) == -4 && edge_has_addend(&edge, -4));
    edge = with_addend(graph, INT64_MAX);
    assert_false(edge_has_addend(&edge, edge.addend.bits));
}

/* The number of bits that an edge has for its addend is no matter of the digest. */
static void test_digest_of_edges(void **state) {
    struct fixture *fixture = *state;
    struct graph *graph = &fixture->graph;
    uint32_t id = block(fixture, 8), symbol;
    assert_null(graph_add_symbol(graph, (struct symbol){.block = id, .scope = SCOPE_LOCAL}, &symbol));
    uint64_t none = graph_digest(graph, GRAPH_EDGES);
    assert_null(graph_add_edge(graph, id, with_addend(graph, INT64_MAX)));
    uint64_t one = graph_digest(graph, GRAPH_EDGES);
    graph->edges.data[0] = with_addend(graph, INT64_MAX);
    assert_true(none != one && graph_digest(graph, GRAPH_EDGES) == one);
    graph->edges.data[0] = with_addend(graph, INT64_MAX - 1);
    assert_true(graph_digest(graph, GRAPH_EDGES) != one);
}

struct parts {
    uint8_t bytes[5000];
    size_t at, end, step;
};

static size_t next_part(void *context, const void **part) {
    struct parts *parts = context;
    size_t left = parts->end - parts->at, size = left < parts->step ? left : parts->step;
    *part = parts->bytes + parts->at;
    parts->at += size;
    return size;
}

static void test_digest_of_parts(void **state) {
    (void)state;
    struct parts parts;
    for (size_t i = 0; i < sizeof parts.bytes; i++)
        parts.bytes[i] = (uint8_t)(i * i >> 3);
    for (size_t size = 0; size <= sizeof parts.bytes; size += 24)
        for (size_t step = 1; step <= sizeof parts.bytes; step = step * 3 + 5) {
            parts.at = 0;
            parts.end = size;
            parts.step = step;
            assert_true(digest_64_parts(next_part, &parts) == digest_64(parts.bytes, size));
        }
}

static void test_sections_of_one_name(void **state) {
    struct fixture *fixture = *state;
    struct graph *graph = &fixture->graph;
    uint32_t text = name(fixture, ".x"), rx, rw, again;
    assert_null(
        graph_add_section(graph, text, PROTECT_READ | PROTECT_EXECUTE, LIFETIME_STANDARD, false, &rx));
    assert_null(graph_add_section(graph, text, PROTECT_READ | PROTECT_WRITE, LIFETIME_STANDARD, false, &rw));
    assert_null(
        graph_add_section(graph, text, PROTECT_READ | PROTECT_EXECUTE, LIFETIME_STANDARD, false, &again));
    assert_int_equal(rx, again);
    assert_int_not_equal(rx, rw);
    assert_int_equal(graph_find_section(graph, text), rx);
    assert_int_equal(graph_next_section(graph, rx), rw);
    assert_int_equal(graph_next_section(graph, rw), NO_SECTION);
}

static void test_verify_finds_faults(void **state) {
    struct fixture *fixture = *state;
    struct graph *graph = &fixture->graph;
    uint32_t id = block(fixture, 8), symbol;
    assert_null(
        graph_add_symbol(graph, (struct symbol){.block = id, .value = 9, .scope = SCOPE_LOCAL}, &symbol));
    struct jitscope_error *error = graph_verify(graph);
    assert_non_null(strstr(jitscope_error_message(error), "behind the end of its block"));
    jitscope_error_destroy(error);
    graph->symbols.data[symbol].value = 8;
    assert_null(graph_verify(graph));
    assert_null(graph_add_edge(graph, id,
                               (struct edge){.offset = 4, .kind = arch_x86_64.pointer64, .target = symbol}));
    error = graph_verify(graph);
    assert_non_null(strstr(jitscope_error_message(error), "an edge outside its block"));
    jitscope_error_destroy(error);
    graph->edges.data[0].offset = 0;
    assert_null(graph_verify(graph));
    graph->edges.data[0].is_wide = true;
    error = graph_verify(graph);
    assert_non_null(strstr(jitscope_error_message(error), "an edge whose wide addend is not there"));
    jitscope_error_destroy(error);
}

static void test_group_has_one_holder(void **state) {
    struct fixture *fixture = *state;
    uint32_t holder, signature = name(fixture, "_ZN1AC2Ev");
    assert_null(graph_claim_group(&fixture->graph, signature, 7, &holder));
    assert_int_equal(holder, 7);
    assert_null(graph_claim_group(&fixture->graph, signature, 9, &holder));
    assert_int_equal(holder, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_definitions_meet, create, destroy),
        cmocka_unit_test_setup_teardown(test_reference_then_definition, create, destroy),
        cmocka_unit_test_setup_teardown(test_open_symbols, create, destroy),
        cmocka_unit_test_setup_teardown(test_edges_move_as_one_run, create, destroy),
        cmocka_unit_test_setup_teardown(test_wide_addends, create, destroy),
        cmocka_unit_test_setup_teardown(test_digest_of_edges, create, destroy),
        cmocka_unit_test(test_digest_of_parts),
        cmocka_unit_test_setup_teardown(test_sections_of_one_name, create, destroy),
        cmocka_unit_test_setup_teardown(test_verify_finds_faults, create, destroy),
        cmocka_unit_test_setup_teardown(test_group_has_one_holder, create, destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
