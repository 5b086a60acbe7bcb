/* The allocation protocol and its managers: placement, protections, roll-back, reuse, failures from below. */
#define _GNU_SOURCE
#include "base/bytes.h"
#include "batch_fixture.h"
#include "executor/address_space.h"
#include "memory/managers.h"
#include "memory/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* mov $42, %eax; ret */
static const uint8_t return_42[] = {0xb8, 42, 0, 0, 0, 0xc3};

static char journal[1024];

static int reset(void **state) {
    (void)state;
    journal[0] = 0;
    os_fail_after(0, false);
    return 0;
}

static const char *note_action(void *context, const uint8_t *arguments, size_t size) {
    (void)context;
    assert_true(strlen(journal) + size + 2 < sizeof journal);
    strncat(journal, (const char *)arguments, size);
    strcat(journal, " ");
    return arguments[0] == '!' ? "as told" : NULL;
}

static struct action_call call_note(const char *text) {
    return (struct action_call){text ? "note" : NULL, (const uint8_t *)(text ? text : ""),
                                text ? (uint32_t)strlen(text) : 0};
}

static void add_action(struct batch *batch, const char *finalize, const char *deallocate) {
    assert_code(graph_add_action(&batch->graph, call_note(finalize), call_note(deallocate)),
                JITSCOPE_SUCCESS);
}

/* A batch and the memory that it goes to. */
struct bench {
    struct batch batch;
    struct executor *executor;
    struct memory memory;
};

static void bench_create(struct bench *bench, bool simulated, uint64_t base) {
    void *context;
    batch_create(&bench->batch);
    bench->executor = NULL;
    if (!simulated) {
        assert_code(executor_create(&bench->executor), JITSCOPE_SUCCESS);
        assert_code(executor_register_action(bench->executor, "note", note_action, NULL), JITSCOPE_SUCCESS);
        assert_code(memory_in_process_create(executor_near_address(), &bench->batch.trace, &context),
                    JITSCOPE_SUCCESS);
    } else {
        assert_code(memory_simulated_create(base, PAGE, &context), JITSCOPE_SUCCESS);
    }
    memory_create(&bench->memory, simulated ? &memory_simulated_ops : &memory_in_process_ops, context,
                  bench->executor, &bench->batch.trace, PAGE);
}

static void bench_destroy(struct bench *bench) {
    memory_destroy(&bench->memory);
    executor_destroy(bench->executor);
    batch_destroy(&bench->batch);
}

/* The next batch of the same session. */
static void next_graph(struct bench *bench) {
    struct graph *graph = &bench->batch.graph;
    graph_destroy(graph);
    assert_code(graph_create(graph, &arch_x86_64, &bench->batch.names, &bench->batch.trace, 1),
                JITSCOPE_SUCCESS);
}

static uint64_t link_batch(struct bench *bench) {
    struct in_flight *in_flight;
    uint64_t finalized;
    assert_code(memory_allocate(&bench->memory, &bench->batch.graph, &in_flight), JITSCOPE_SUCCESS);
    assert_code(memory_finalize(in_flight, &finalized), JITSCOPE_SUCCESS);
    return finalized;
}

/* --- /proc/self/maps */

/* Mappings with PROT ("---p"), all of them for "".  None may be writable and executable. */
static int count_mappings_with(const char *prot) {
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        assert_null(strstr(line, " rwx"));
        assert_null(strstr(line, " -wx"));
        count += strstr(line, prot) != NULL;
    }
    fclose(maps);
    return count;
}

static int count_mappings(void) {
    return count_mappings_with("");
}

/* The protection of the mapping that ADDRESS lies in. */
static const char *protection_at(uint64_t address) {
    static char prot[8];
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    strcpy(prot, "none");
    while (fgets(line, sizeof line, maps)) {
        unsigned long long start, end;
        char found[8];
        if (sscanf(line, "%llx-%llx %4s", &start, &end, found) == 3 && start <= address && address < end)
            snprintf(prot, sizeof prot, "%.3s", found);
    }
    fclose(maps);
    return prot;
}

/* --- simulated */

static void add_sample(struct bench *bench, uint8_t number) {
    struct batch *batch = &bench->batch;
    static uint8_t values[256];
    for (unsigned i = 0; i < 256; i++)
        values[i] = (uint8_t)i;
    uint32_t text = add_section(batch, ".text", RX, LIFETIME_STANDARD, false, 0);
    uint32_t rodata = add_section(batch, ".rodata", R, LIFETIME_STANDARD, false, 0);
    uint32_t data = add_section(batch, ".data", RW, LIFETIME_STANDARD, false, 0);
    uint32_t bss = add_section(batch, ".bss", RW, LIFETIME_STANDARD, true, 0);
    uint32_t init = add_section(batch, ".init", R, LIFETIME_FINALIZE, false, 0);
    uint32_t debug = add_section(batch, ".debug_info", 0, LIFETIME_NO_ALLOC, false, 0);
    add_block(batch, text, return_42, sizeof return_42, 4);
    add_block(batch, rodata, values + number, 1, 0);
    add_block(batch, data, values + number, 1, 3);
    add_block(batch, bss, NULL, 3 * PAGE, 3);
    add_block(batch, init, values + number, 1, 0);
    add_block(batch, debug, values + number, 1, 0);
}
enum { TEXT_BLOCK, RODATA_BLOCK, DATA_BLOCK, BSS_BLOCK, INIT_BLOCK, DEBUG_BLOCK };

static void simulated_addresses_are_repeatable(void **state) {
    (void)state;
    /* Segments of 1 r-x, 1 r--, 1 r-- until finalize, 4 rw- pages; the third is free for the next batch. */
    static const uint64_t wanted[][4] = {{0x400000, 0x401000, 0x402000, 0x403000},
                                         {0x402000, 0x407000, 0x408000, 0x409000},
                                         {0x408000, 0x40d000, 0x40e000, 0x40f000}};
    struct bench bench;
    bench_create(&bench, true, 0x3fffff);
    for (unsigned i = 0; i < 3; i++) {
        next_graph(&bench);
        add_sample(&bench, (uint8_t)(i + 1));
        link_batch(&bench);
        assert_int_equal(block_at(&bench.batch, TEXT_BLOCK)->address, wanted[i][0]);
        assert_int_equal(block_at(&bench.batch, RODATA_BLOCK)->address, wanted[i][1]);
        assert_int_equal(block_at(&bench.batch, INIT_BLOCK)->address, wanted[i][2]);
        assert_int_equal(block_at(&bench.batch, DATA_BLOCK)->address, wanted[i][3]);
    }
    bench_destroy(&bench);
}

static void simulated_memory_reads_back(void **state) {
    (void)state;
    struct bench bench;
    uint8_t bytes[8];
    bench_create(&bench, true, 0x7000000000);
    add_sample(&bench, 9);
    add_action(&bench.batch, "!never", "!run");
    uint64_t handle = link_batch(&bench);
    uint64_t text = block_at(&bench.batch, TEXT_BLOCK)->address;
    uint64_t data = block_at(&bench.batch, DATA_BLOCK)->address;
    assert_int_equal(text, 0x7000000000);
    assert_true(memory_read(&bench.memory, text, bytes, sizeof return_42));
    assert_memory_equal(bytes, return_42, sizeof return_42);
    assert_true(memory_read(&bench.memory, data, bytes, 8));
    assert_memory_equal(bytes, ((uint8_t[8]){9}), 8);
    assert_false(memory_read(&bench.memory, text + sizeof return_42 - 1, bytes, 2));
    assert_false(memory_read(&bench.memory, text - 1, bytes, 1));
    assert_false(memory_read(&bench.memory, block_at(&bench.batch, INIT_BLOCK)->address, bytes, 1));
    assert_true(memory_read(&bench.memory, text, bytes, 0));
    assert_string_equal(journal, "");
    assert_code(memory_deallocate(&bench.memory, handle), JITSCOPE_SUCCESS);
    assert_false(memory_read(&bench.memory, text, bytes, 1));
    assert_code(memory_deallocate(&bench.memory, handle), JITSCOPE_ERROR_USAGE);
    assert_code(memory_deallocate(&bench.memory, 0), JITSCOPE_ERROR_USAGE);
    assert_code(memory_deallocate(&bench.memory, 2), JITSCOPE_ERROR_USAGE);
    bench_destroy(&bench);
}

static void simulated_memory_is_reused_and_has_an_end(void **state) {
    (void)state;
    struct bench bench;
    struct in_flight *in_flight;
    bench_create(&bench, true, UINT64_MAX - 16 * PAGE + 1);
    for (int i = 0; i < 100; i++) {
        next_graph(&bench);
        add_sample(&bench, 1);
        uint64_t handle = link_batch(&bench);
        assert_true(block_at(&bench.batch, TEXT_BLOCK)->address == UINT64_MAX - 16 * PAGE + 1);
        assert_code(memory_deallocate(&bench.memory, handle), JITSCOPE_SUCCESS);
    }
    link_batch(&bench);
    link_batch(&bench);
    assert_code(memory_allocate(&bench.memory, &bench.batch.graph, &in_flight), JITSCOPE_ERROR_ADDRESS_SPACE);
    bench_destroy(&bench);
    void *context;
    assert_code(memory_simulated_create(0, 100, &context), JITSCOPE_ERROR_USAGE);
    assert_code(memory_simulated_create(UINT64_MAX, PAGE, &context), JITSCOPE_ERROR_USAGE);
}

/* The first batch leaves a hole at the base that has room for the third's code, but not for its data, and the
 * second keeps more than 2 GiB behind that. */
static void simulated_batches_lie_together(void **state) {
    (void)state;
    struct bench bench;
    bench_create(&bench, true, 0x400000);
    add_sample(&bench, 1);
    uint64_t handle = link_batch(&bench);
    next_graph(&bench);
    uint32_t bss = add_section(&bench.batch, ".bss", RW, LIFETIME_STANDARD, true, 0);
    add_block(&bench.batch, bss, NULL, 0x80000000, 3);
    link_batch(&bench);
    assert_code(memory_deallocate(&bench.memory, handle), JITSCOPE_SUCCESS);
    next_graph(&bench);
    uint32_t text = add_section(&bench.batch, ".text", RX, LIFETIME_STANDARD, false, 0);
    bss = add_section(&bench.batch, ".bss", RW, LIFETIME_STANDARD, true, 0);
    uint32_t code = add_block(&bench.batch, text, return_42, sizeof return_42, 4);
    uint32_t data = add_block(&bench.batch, bss, NULL, 8 * PAGE, 14);
    link_batch(&bench);
    uint64_t at = block_at(&bench.batch, code)->address;
    assert_true(at > 0x80400000);
    assert_int_equal(block_at(&bench.batch, data)->address, (at + PAGE + 0x3fff) & ~(uint64_t)0x3fff);
    next_graph(&bench);
    text = add_section(&bench.batch, ".text", RX, LIFETIME_STANDARD, false, 0);
    code = add_block(&bench.batch, text, return_42, sizeof return_42, 4);
    link_batch(&bench);
    assert_int_equal(block_at(&bench.batch, code)->address, 0x400000); /* the hole is free again */
    bench_destroy(&bench);
}

static void near_is_promised_by_jitscopes_managers(void **state) {
    (void)state;
    struct bench bench;
    struct memory other;
    struct jitscope_memory_ops ops = {.size = sizeof ops, .name = "other"};
    bench_create(&bench, true, 0);
    assert_true(memory_keeps_near(&bench.memory, NEAR_BATCH));
    assert_false(memory_keeps_near(&bench.memory, NEAR_BATCH + 1));
    memory_create(&other, &ops, NULL, NULL, &bench.batch.trace, PAGE);
    assert_false(memory_keeps_near(&other, 0));
    memory_destroy(&other);
    bench_destroy(&bench);
}

/* --- in this process */

static void code_runs_and_protections_hold(void **state) {
    (void)state;
    struct bench bench;
    struct in_flight *in_flight;
    uint64_t handle;
    uint8_t byte;
    bench_create(&bench, false, 0);
    add_sample(&bench, 5);
    assert_code(memory_allocate(&bench.memory, &bench.batch.graph, &in_flight), JITSCOPE_SUCCESS);
    uint64_t at[DEBUG_BLOCK + 1];
    for (uint32_t i = 0; i <= DEBUG_BLOCK; i++)
        at[i] = block_at(&bench.batch, i)->address;
    for (uint32_t i = 0; i < DEBUG_BLOCK; i++) {
        assert_string_equal(protection_at(at[i]), "rw-");
        assert_ptr_equal(block_at(&bench.batch, i)->working, (void *)(uintptr_t)at[i]);
        uint64_t near = executor_near_address();
        assert_true((at[i] > near ? at[i] - near : near - at[i]) < (uint64_t)1 << 31);
    }
    assert_int_equal(at[DEBUG_BLOCK], 0);
    assert_int_equal(*block_at(&bench.batch, DEBUG_BLOCK)->working, 5);
    count_mappings();
    assert_code(memory_finalize(in_flight, &handle), JITSCOPE_SUCCESS);
    assert_string_equal(protection_at(at[TEXT_BLOCK]), "r-x");
    assert_string_equal(protection_at(at[RODATA_BLOCK]), "r--");
    assert_string_equal(protection_at(at[DATA_BLOCK]), "rw-");
    assert_string_equal(protection_at(at[BSS_BLOCK] + 3 * PAGE - 1), "rw-");
    assert_string_equal(protection_at(at[INIT_BLOCK]), "---");
    count_mappings();
    assert_int_equal(((int (*)(void))(uintptr_t)at[TEXT_BLOCK])(), 42);
    assert_true(memory_read(&bench.memory, at[DATA_BLOCK], &byte, 1) && byte == 5);
    assert_false(memory_read(&bench.memory, at[INIT_BLOCK], &byte, 1));
    assert_code(memory_deallocate(&bench.memory, handle), JITSCOPE_SUCCESS);
    for (uint32_t i = 0; i < DEBUG_BLOCK; i++)
        assert_string_equal(protection_at(at[i]), "---");
    bench_destroy(&bench);
    assert_string_equal(protection_at(at[TEXT_BLOCK]), "none");
}

static void freed_memory_is_reused_and_reads_as_zero(void **state) {
    (void)state;
    struct bench bench;
    struct in_flight *in_flight;
    bench_create(&bench, false, 0);
    add_sample(&bench, 5);
    uint64_t handle = link_batch(&bench);
    uint64_t first = block_at(&bench.batch, DATA_BLOCK)->address;
    memset((void *)(uintptr_t)block_at(&bench.batch, BSS_BLOCK)->address, 0xff, 3 * PAGE);
    assert_code(memory_deallocate(&bench.memory, handle), JITSCOPE_SUCCESS);
    assert_code(memory_allocate(&bench.memory, &bench.batch.graph, &in_flight), JITSCOPE_SUCCESS);
    assert_true(block_at(&bench.batch, DATA_BLOCK)->address == first);
    for (int i = 0; i < 3 * PAGE; i++)
        assert_int_equal(block_at(&bench.batch, BSS_BLOCK)->working[i], 0);
    memory_abandon(in_flight);
    assert_string_equal(protection_at(first), "---");
    assert_true(link_batch(&bench) != handle);
    assert_true(block_at(&bench.batch, DATA_BLOCK)->address == first);
    bench_destroy(&bench);
}

static void actions_run_after_protections_and_are_undone(void **state) {
    (void)state;
    struct bench bench;
    struct in_flight *in_flight;
    uint64_t handle;
    bench_create(&bench, false, 0);
    add_sample(&bench, 5);
    add_action(&bench.batch, "+a", "-a");
    add_action(&bench.batch, NULL, "-b");
    add_action(&bench.batch, "+c", NULL);
    handle = link_batch(&bench);
    uint64_t kept = block_at(&bench.batch, TEXT_BLOCK)->address;
    assert_string_equal(journal, "+a +c ");

    add_action(&bench.batch, "+d", "!d");
    add_action(&bench.batch, "!e", "-e");
    journal[0] = 0;
    assert_code(memory_allocate(&bench.memory, &bench.batch.graph, &in_flight), JITSCOPE_SUCCESS);
    uint64_t at = block_at(&bench.batch, TEXT_BLOCK)->address;
    assert_code(memory_finalize(in_flight, &handle), JITSCOPE_ERROR_ACTION_FAILED);
    assert_string_equal(journal, "+a +c +d !e !d -b -a ");
    assert_string_equal(protection_at(at), "---");
    assert_string_equal(protection_at(kept), "r-x");

    next_graph(&bench); /* what was copied outlives its graph */
    journal[0] = 0;
    assert_code(memory_deallocate(&bench.memory, handle), JITSCOPE_SUCCESS);
    assert_string_equal(journal, "-b -a ");
    bench_destroy(&bench);
}

static void deallocation_gives_memory_back_whatever_actions_say(void **state) {
    (void)state;
    struct bench bench;
    bench_create(&bench, false, 0);
    add_sample(&bench, 5);
    add_action(&bench.batch, NULL, "!a");
    add_action(&bench.batch, NULL, "-b");
    uint64_t handle = link_batch(&bench);
    uint64_t at = block_at(&bench.batch, TEXT_BLOCK)->address;
    assert_code(memory_deallocate(&bench.memory, handle), JITSCOPE_ERROR_ACTION_FAILED);
    assert_string_equal(journal, "-b !a ");
    assert_string_equal(protection_at(at), "---");
    journal[0] = 0;
    link_batch(&bench); /* left over: destroyed last first */
    add_action(&bench.batch, NULL, "-c");
    link_batch(&bench);
    bench_destroy(&bench);
    assert_string_equal(journal, "-c -b !a -b !a ");
}

static void odd_batches_are_placed(void **state) {
    (void)state;
    struct bench bench;
    static const uint8_t byte[1] = {1};
    bench_create(&bench, false, 0);
    uint64_t handle = link_batch(&bench); /* nothing at all */
    assert_code(memory_deallocate(&bench.memory, handle), JITSCOPE_SUCCESS);

    uint32_t data = add_section(&bench.batch, ".data", RW, LIFETIME_STANDARD, false, 0);
    uint32_t init = add_section(&bench.batch, ".init", RW, LIFETIME_FINALIZE, false, 0);
    uint32_t text = add_section(&bench.batch, ".text", RX, LIFETIME_STANDARD, false, 0);
    uint32_t empty = add_block(&bench.batch, text, byte, 0, 4);
    add_block(&bench.batch, init, byte, 0, 0);
    uint32_t first = add_block(&bench.batch, data, byte, 1, 21);
    uint32_t big = add_block(&bench.batch, data, NULL, 600u << 20, 24);
    handle = link_batch(&bench);
    assert_true(block_at(&bench.batch, empty)->address != 0);
    assert_true(block_at(&bench.batch, big)->address % (1 << 24) == 0);
    assert_int_equal(*(uint8_t *)(uintptr_t)block_at(&bench.batch, first)->address, 1);
    assert_string_equal(protection_at(block_at(&bench.batch, big)->address + (600u << 20) - 1), "rw-");
    uint64_t second = link_batch(&bench);
    assert_code(memory_deallocate(&bench.memory, handle), JITSCOPE_SUCCESS);
    assert_code(memory_deallocate(&bench.memory, second), JITSCOPE_SUCCESS);

    struct in_flight *in_flight;
    block_at(&bench.batch, big)->size = (uint32_t)3 << 30;
    assert_code(memory_allocate(&bench.memory, &bench.batch.graph, &in_flight), JITSCOPE_ERROR_ADDRESS_SPACE);
    block_at(&bench.batch, big)->size = UINT32_MAX;
    assert_code(memory_allocate(&bench.memory, &bench.batch.graph, &in_flight), JITSCOPE_ERROR_OUT_OF_RANGE);
    block_at(&bench.batch, big)->size = 1;
    block_at(&bench.batch, big)->alignment_log2 = 62;
    assert_code(memory_allocate(&bench.memory, &bench.batch.graph, &in_flight), JITSCOPE_ERROR_OUT_OF_RANGE);
    bench_destroy(&bench);
}

/* libgcc does not see a function there (address_space.c). */
static void nothing_lies_at_a_multiple_of_4_gib(void **state) {
    const uint64_t multiple = UINT64_C(0x200000000000);
    const uint64_t nears[] = {multiple, multiple + 256 * MIB, multiple + 768 * MIB, multiple + 1 * GIB};
    (void)state;
    for (size_t i = 0; i < sizeof nears / sizeof *nears; i++) {
        const struct neighbourhood around = {.near = nears[i], .first = nears[i], .last = nears[i]};
        uint64_t start, size;
        assert_code(address_space_reserve(&around, CHUNK, 1 * GIB, &start, &size), JITSCOPE_SUCCESS);
        assert_true(start + size <= multiple || start > multiple);
        assert_true(size >= 512 * MIB && start % CHUNK == 0 && size % CHUNK == 0);
        assert_int_equal(os_protect((void *)(uintptr_t)start, size, PROT_READ), 0); /* all of it is there */
        assert_int_equal(os_unmap((void *)(uintptr_t)start, size), 0);
    }
    const struct neighbourhood around = {
        .near = multiple + 512 * MIB, .first = multiple, .last = multiple + 512 * MIB};
    uint64_t start, size;
    assert_code(address_space_reserve(&around, 1 * GIB, 1 * GIB, &start, &size), JITSCOPE_SUCCESS);
    assert_int_equal(size, 1 * GIB); /* which is more than what else is wanted */
    os_unmap((void *)(uintptr_t)start, size);
}

static void low_memory_is_low(void **state) {
    (void)state;
    struct bench bench;
    bench_create(&bench, false, 0);
    bench.batch.graph.wants_low_memory = true;
    add_sample(&bench, 1);
    link_batch(&bench);
    for (uint32_t i = 0; i < DEBUG_BLOCK; i++)
        assert_true(block_at(&bench.batch, i)->address < 0x7ffff000);
    bench.batch.graph.wants_low_memory = false;
    link_batch(&bench);
    assert_true(block_at(&bench.batch, TEXT_BLOCK)->address > 0x7fffffff);
    bench_destroy(&bench);
}

/* Batch after batch, each with code, constants and data: mappings must not grow with them. */
static void fifty_thousand_batches_share_mappings(void **state) {
    (void)state;
    enum { BATCHES = 50000 };
    static uint64_t handles[BATCHES];
    struct bench bench;
    bench_create(&bench, false, 0);
    add_sample(&bench, 7);
    int before = count_mappings();
    for (int i = 0; i < BATCHES; i++) {
        handles[i] = link_batch(&bench);
        if (i % 9973 == 0)
            assert_int_equal(((int (*)(void))(uintptr_t)block_at(&bench.batch, TEXT_BLOCK)->address)(), 42);
    }
    assert_in_range(count_mappings() - before, 0, 3000);
    for (int i = 0; i < BATCHES; i += 2) /* holes everywhere */
        assert_code(memory_deallocate(&bench.memory, handles[i]), JITSCOPE_SUCCESS);
    assert_in_range(count_mappings() - before, 0, 30000);
    for (int i = 0; i < BATCHES; i += 2) /* which are filled again */
        handles[i] = link_batch(&bench);
    assert_in_range(count_mappings() - before, 0, 3000);
    for (int i = 0; i < BATCHES; i++)
        assert_code(memory_deallocate(&bench.memory, handles[i]), JITSCOPE_SUCCESS);
    assert_in_range(count_mappings() - before, 0, 3000);
    bench_destroy(&bench);
#ifndef __SANITIZE_THREAD__ /* which keeps mappings of its own about memory that was there */
    assert_true(count_mappings() - before < 50);
#endif
}

/* --- anything at all, for a while */

struct life {
    void *allocation;
    struct jitscope_segment segments[3];
    size_t count;
    bool finalized;
};

static uint32_t seed;

static uint32_t random_below(uint32_t limit) {
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(seed >> 4) * limit >> 28);
}

static uint64_t size_of(const struct jitscope_segment *segment) {
    return segment->content_size + segment->zero_fill_size;
}

/* Writes NUMBER to every page, which must have been zero. */
static void fill(const struct life *life, uint32_t number) {
    for (size_t i = 0; i < life->count; i++)
        for (uint64_t at = 0; at + 4 <= size_of(&life->segments[i]); at += PAGE / 2) {
            assert_int_equal(load_u32(life->segments[i].working + at), 0);
            store_u32(life->segments[i].working + at, number);
        }
}

static void check(const struct life *life, uint32_t number) {
    for (size_t i = 0; i < life->count; i++)
        for (uint64_t at = 0; at + 4 <= size_of(&life->segments[i]); at += PAGE / 2)
            assert_int_equal(load_u32((const void *)(uintptr_t)(life->segments[i].address + at)), number);
}

static void begin(struct life *life, void *manager, struct graph *graph) {
    static const uint32_t prots[] = {RX, R, RW};
    life->count = random_below(4);
    graph->wants_low_memory = random_below(8) == 0;
    for (size_t i = 0; i < life->count; i++) {
        static const uint32_t limits[] = {3 * PAGE, 3 * PAGE, 60 * PAGE, 1200 * PAGE};
        uint32_t most = limits[random_below(random_below(8) ? 3 : 4)];
        life->segments[i] = (struct jitscope_segment){
            .prot = prots[random_below(3)],
            .content_size = random_below(most),
            .zero_fill_size = random_below(4) ? 0 : random_below(most),
            .alignment = random_below(30) ? PAGE : (uint64_t)PAGE << random_below(11),
        };
    }
    assert_code(memory_in_process_ops.allocate(manager, (void *)graph, life->segments, life->count,
                                               &life->allocation),
                JITSCOPE_SUCCESS);
    for (size_t i = 0; i < life->count; i++)
        assert_int_equal(life->segments[i].address & (life->segments[i].alignment - 1), 0);
}

static void end(struct life *life, void *manager, uint32_t number) {
    check(life, number);
    if (life->finalized)
        assert_code(memory_in_process_ops.deallocate(manager, life->allocation), JITSCOPE_SUCCESS);
    else
        memory_in_process_ops.abandon(manager, life->allocation);
    *life = (struct life){0};
}

static void one(struct life *life, void *manager, struct graph *graph, uint32_t prot, uint64_t size) {
    life->count = 1;
    life->segments[0] = (struct jitscope_segment){.prot = prot, .content_size = size, .alignment = PAGE};
    assert_code(memory_in_process_ops.allocate(manager, (void *)graph, life->segments, 1, &life->allocation),
                JITSCOPE_SUCCESS);
    fill(life, 1);
    assert_code(memory_in_process_ops.finalize(manager, life->allocation, life->segments, 1),
                JITSCOPE_SUCCESS);
    life->finalized = true;
}

/* What was data becomes code becomes data: nothing may be remembered about the first time. */
static void memory_changes_its_kind(void **state) {
    (void)state;
    enum { MOST = 48 };
    static struct life lives[MOST], code, data[2];
    struct batch batch;
    void *manager;
    batch_create(&batch);
    for (uint32_t count = 1; count < MOST; count++) {
        assert_code(memory_in_process_create(executor_near_address(), &batch.trace, &manager),
                    JITSCOPE_SUCCESS);
        for (uint32_t i = 0; i < count; i++)
            one(&lives[i], manager, &batch.graph, RW, PAGE);
        uint64_t first = lives[0].segments[0].address;
        for (uint32_t i = 0; i < count; i++)
            end(&lives[i], manager, 1);
        one(&code, manager, &batch.graph, RX, 2 << 20);
        assert_true(code.segments[0].address == first);
        end(&code, manager, 1);
        one(&data[0], manager, &batch.graph, RW, (uint64_t)count * PAGE);
        assert_true(data[0].segments[0].address == first);
        one(&data[1], manager, &batch.graph, RW, PAGE);
        end(&data[1], manager, 1);
        end(&data[0], manager, 1);
        memory_in_process_ops.destroy(manager);
    }
    batch_destroy(&batch);
}

static void batches_of_all_sizes_come_and_go(void **state) {
    (void)state;
    enum { LIVES = 150, STEPS = 20000 };
    static struct life lives[LIVES];
    struct batch batch;
    void *manager;
    batch_create(&batch);
    assert_code(memory_in_process_create(executor_near_address(), &batch.trace, &manager), JITSCOPE_SUCCESS);
    seed = 7;
    for (int step = 0; step < STEPS; step++) {
        uint32_t number = random_below(step % 1000 < 500 ? 12 : LIVES); /* few, then many */
        struct life *life = &lives[number];
        if (!life->allocation) {
            begin(life, manager, &batch.graph);
            fill(life, number + 1);
        } else if (!life->finalized && random_below(4)) {
            assert_code(
                memory_in_process_ops.finalize(manager, life->allocation, life->segments, life->count),
                JITSCOPE_SUCCESS);
            life->finalized = true;
        } else {
            end(life, manager, number + 1);
        }
        if (step % 1000 == 0)
            count_mappings();
    }
    for (uint32_t i = 0; i < LIVES; i++)
        if (lives[i].allocation)
            end(&lives[i], manager, i + 1);
    memory_in_process_ops.destroy(manager);
    batch_destroy(&batch);
}

/* --- events */

struct counts {
    unsigned of[EVENT_HEADER_ID(UINT32_MAX)];
    uint32_t last_state;
    uint32_t rollbacks;
};

static void count_event(void *context, uint64_t sequence, uint32_t link, const void *record) {
    struct counts *counts = context;
    uint32_t id = EVENT_HEADER_ID(load_u32(record));
    (void)sequence, (void)link;
    counts->of[id]++;
    if (id == EVENT_ID_allocation)
        counts->last_state = ((const struct event_allocation *)record)->state;
    if (id == EVENT_ID_action_result)
        counts->rollbacks += ((const struct event_action_result *)record)->half == HALF_ROLLBACK;
}

static void the_protocol_is_told(void **state) {
    (void)state;
    struct bench bench;
    static struct counts counts;
    struct in_flight *in_flight;
    uint64_t handle;
    bench_create(&bench, false, 0);
    trace_set_callback(&bench.batch.trace, LEVEL_BLOCK, count_event, &counts);
    add_sample(&bench, 5);
    add_action(&bench.batch, "+a", "-a");
    memset(&counts, 0, sizeof counts);
    assert_code(memory_allocate(&bench.memory, &bench.batch.graph, &in_flight), JITSCOPE_SUCCESS);
    assert_int_equal(counts.of[EVENT_ID_reservation], 1);
    assert_int_equal(counts.of[EVENT_ID_segment], 5);
    assert_int_equal(counts.of[EVENT_ID_block_placed], 6);
    assert_int_equal(counts.of[EVENT_ID_allocation], 1);
    assert_int_equal(counts.last_state, MEMORY_STATE_IN_FLIGHT);
    assert_code(memory_finalize(in_flight, &handle), JITSCOPE_SUCCESS);
    assert_int_equal(counts.of[EVENT_ID_protect], 4);
    assert_int_equal(counts.of[EVENT_ID_action], 1);
    assert_int_equal(counts.of[EVENT_ID_action_result], 1);
    assert_int_equal(counts.last_state, MEMORY_STATE_FINALIZED);
    assert_code(memory_deallocate(&bench.memory, handle), JITSCOPE_SUCCESS);
    assert_int_equal(counts.of[EVENT_ID_action_result], 2);
    assert_int_equal(counts.last_state, MEMORY_STATE_DEALLOCATED);

    uint32_t terminator = 0; /* an empty .eh_frame */
    uint8_t arguments[16];
    store_u64(arguments, (uint64_t)(uintptr_t)&terminator);
    store_u64(arguments + 8, 4);
    assert_code(graph_add_action(&bench.batch.graph,
                                 (struct action_call){bridge_action_REGISTER_EH_FRAMES, arguments, 16},
                                 (struct action_call){bridge_action_DEREGISTER_EH_FRAMES, arguments, 16}),
                JITSCOPE_SUCCESS);
    add_action(&bench.batch, "!b", NULL);
    assert_code(memory_allocate(&bench.memory, &bench.batch.graph, &in_flight), JITSCOPE_SUCCESS);
    memset(&counts, 0, sizeof counts);
    assert_code(memory_finalize(in_flight, &handle), JITSCOPE_ERROR_ACTION_FAILED);
    assert_int_equal(counts.of[EVENT_ID_action_result], 5);
    assert_int_equal(counts.rollbacks, 2);
    assert_true(counts.of[EVENT_ID_registration] >= 2);
    assert_int_equal(counts.last_state, MEMORY_STATE_ABANDONED);
    bench_destroy(&bench);
}

/* --- failures from below */

/* A life of a session's memory, with whatever fails on the way. */
static struct jitscope_error *live(struct bench *bench) {
    struct in_flight *in_flight;
    uint64_t one, two;
    TRY(memory_allocate(&bench->memory, &bench->batch.graph, &in_flight));
    TRY(memory_finalize(in_flight, &one));
    TRY(memory_allocate(&bench->memory, &bench->batch.graph, &in_flight));
    memory_abandon(in_flight);
    TRY(memory_allocate(&bench->memory, &bench->batch.graph, &in_flight));
    TRY(memory_finalize(in_flight, &two));
    return memory_deallocate(&bench->memory, one);
}

static int count_in_journal(char sign) {
    int count = 0;
    for (const char *at = journal; *at; at++)
        count += *at == sign;
    return count;
}

static void sweep(bool simulated, bool sticky) {
    int mappings = count_mappings_with(" ---p");
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        struct bench bench;
        int64_t allocations = os_live_allocations();
        bench_create(&bench, simulated, 0x10000);
        add_sample(&bench, 3);
        add_action(&bench.batch, "+a", "-a");
        add_action(&bench.batch, "+b", "-b");
        journal[0] = 0;
        os_fail_after(n, sticky);
        struct jitscope_error *error = live(&bench);
        done = os_call_count() < n;
        os_fail_after(0, false);
        assert_true(!done || !error);
        jitscope_error_destroy(error);
        bench_destroy(&bench);
        assert_int_equal(os_live_allocations(), allocations);
        assert_int_equal(count_in_journal('+'), count_in_journal('-'));
        assert_int_equal(count_mappings_with(" ---p"), mappings); /* a lost reservation has such parts */
        assert_true(n < 10000);
    }
}

static void every_failing_call_leaves_nothing_behind(void **state) {
    (void)state;
    sweep(false, false);
    sweep(true, false);
    sweep(false, true);
    sweep(true, true);
}

/* A manager of somebody else's, that places badly. */
static struct jitscope_error *place_badly(void *context, const struct jitscope_graph *graph,
                                          struct jitscope_segment *segments, size_t count,
                                          void **allocation) {
    (void)graph;
    for (size_t i = 0; i < count; i++) {
        segments[i].address = *(uint64_t *)context;
        segments[i].working = (uint8_t *)journal;
    }
    *allocation = NULL;
    return NULL;
}

static void note_abandon(void *context, void *allocation) {
    (void)context, (void)allocation;
    strcat(journal, "abandoned");
}

static void bad_placement_is_an_error(void **state) {
    (void)state;
    static const uint64_t bad[] = {PAGE + 1, UINT64_MAX & ~(uint64_t)(PAGE - 1)};
    struct jitscope_memory_ops ops = {.size = offsetof(struct jitscope_memory_ops, destroy),
                                      .name = "bad",
                                      .allocate = place_badly,
                                      .abandon = note_abandon};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct batch batch;
        struct memory memory;
        struct in_flight *in_flight;
        uint64_t address = bad[i];
        journal[0] = 0;
        batch_create(&batch);
        add_block(&batch, add_section(&batch, ".bss", RW, LIFETIME_STANDARD, true, 0), NULL, 2 * PAGE, 0);
        memory_create(&memory, &ops, &address, NULL, &batch.trace, PAGE);
        assert_code(memory_allocate(&memory, &batch.graph, &in_flight), JITSCOPE_ERROR_ADDRESS_SPACE);
        assert_string_equal(journal, "abandoned");
        memory_destroy(&memory);
        batch_destroy(&batch);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(simulated_addresses_are_repeatable, reset),
        cmocka_unit_test_setup(simulated_memory_reads_back, reset),
        cmocka_unit_test_setup(simulated_memory_is_reused_and_has_an_end, reset),
        cmocka_unit_test_setup(simulated_batches_lie_together, reset),
        cmocka_unit_test_setup(near_is_promised_by_jitscopes_managers, reset),
        cmocka_unit_test_setup(code_runs_and_protections_hold, reset),
        cmocka_unit_test_setup(freed_memory_is_reused_and_reads_as_zero, reset),
        cmocka_unit_test_setup(actions_run_after_protections_and_are_undone, reset),
        cmocka_unit_test_setup(deallocation_gives_memory_back_whatever_actions_say, reset),
        cmocka_unit_test_setup(odd_batches_are_placed, reset),
        cmocka_unit_test_setup(nothing_lies_at_a_multiple_of_4_gib, reset),
        cmocka_unit_test_setup(low_memory_is_low, reset),
        cmocka_unit_test_setup(fifty_thousand_batches_share_mappings, reset),
        cmocka_unit_test_setup(batches_of_all_sizes_come_and_go, reset),
        cmocka_unit_test_setup(memory_changes_its_kind, reset),
        cmocka_unit_test_setup(the_protocol_is_told, reset),
        cmocka_unit_test_setup(every_failing_call_leaves_nothing_behind, reset),
        cmocka_unit_test_setup(bad_placement_is_an_error, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
