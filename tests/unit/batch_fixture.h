/* batch_fixture: small graphs for tests of layout and memory. */
#ifndef UNIT_BATCH_FIXTURE_H
#define UNIT_BATCH_FIXTURE_H

#include "arch/arch.h"
#include "graph/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

enum { R = PROTECT_READ, RW = PROTECT_READ | PROTECT_WRITE, RX = PROTECT_READ | PROTECT_EXECUTE };

struct batch {
    struct string_pool names;
    struct trace trace;
    struct graph graph;
};

static inline void assert_code(struct jitscope_error *error, enum jitscope_error_code code) {
    if (jitscope_error_code(error) != code)
        print_error("%s\n", jitscope_error_message(error));
    assert_int_equal(jitscope_error_code(error), code);
    jitscope_error_destroy(error);
}

static inline void batch_create(struct batch *batch) {
    assert_code(string_pool_create(&batch->names), JITSCOPE_SUCCESS);
    trace_create(&batch->trace, &batch->names);
    assert_code(graph_create(&batch->graph, &arch_x86_64, &batch->names, &batch->trace, 1), JITSCOPE_SUCCESS);
}

static inline void batch_destroy(struct batch *batch) {
    graph_destroy(&batch->graph);
    trace_destroy(&batch->trace);
    string_pool_destroy(&batch->names);
}

static inline uint32_t add_section(struct batch *batch, const char *name, uint8_t prot, uint8_t lifetime,
                                   bool zero_fill, uint32_t order) {
    uint32_t text, id;
    assert_code(string_pool_intern(&batch->names, name, strlen(name), &text), JITSCOPE_SUCCESS);
    assert_code(graph_add_section(&batch->graph, text, prot, lifetime, zero_fill, &id), JITSCOPE_SUCCESS);
    batch->graph.sections.data[id].order = order;
    return id;
}

/* CONTENT NULL is zero-fill. */
static inline uint32_t add_block(struct batch *batch, uint32_t section, const void *content, uint64_t size,
                                 uint8_t alignment_log2) {
    uint32_t id;
    assert_code(graph_add_block(&batch->graph, section, content, size, alignment_log2, MADE_BY_LINKER, &id),
                JITSCOPE_SUCCESS);
    return id;
}

static inline struct block *block_at(struct batch *batch, uint32_t id) {
    return &batch->graph.blocks.data[id];
}

#endif
