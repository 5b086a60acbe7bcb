/* Writes a large recording through the linker's own trace, as links of whole libraries would:
 *
 *     write_recording FILE MEGABYTES [OBJECTS_PER_LINK [THREADS]]
 *
 * The mix of events is that of linking libcrypto at level `edges` (about 400 events and 17 KB per object);
 * threads take turns, link by link, and every third link is unloaded later.  Prints events=N links=N. */
#include "trace/trace.h"

#include "base/os.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BLOCKS = 18, /* per object, and so on */
    FUNCTIONS = 13,
    GLOBALS = 9,
    SYMBOLS = 26,
    EDGES = 141,
    CLAIMED = 5,
    EXTERNALS = 4,
    BYTES_PER_OBJECT = 16900, /* of recording */
};

struct writing {
    struct trace trace;
    struct string_pool names;
    pthread_mutex_t lock;
    pthread_cond_t turned;
    uint64_t chance;
    uint64_t address; /* of the next segment */
    uint32_t objects_per_link, objects, threads, link, inputs, allocations;
};

struct graph {
    uint32_t objects;
    uint32_t externals; /* number of the first; symbols of objects come before */
    uint64_t text;
};

static void or_die(struct jitscope_error *error) {
    if (error) {
        fprintf(stderr, "write_recording: %s\n", jitscope_error_message(error));
        exit(1);
    }
}

static uint32_t chance(struct writing *writing, uint32_t below) {
    writing->chance = writing->chance * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((writing->chance >> 33) % below);
}

/* --- names */

static struct name_ref name(struct writing *writing, const char *format, uint32_t a, uint32_t b) {
    char text[96];
    uint32_t id;
    int length = snprintf(text, sizeof text, format, a, b);
    or_die(string_pool_intern(&writing->names, text, (size_t)length, &id));
    return trace_name(&writing->trace, id);
}

static void begin_session(struct writing *writing) {
    struct trace *trace = &writing->trace;
    TRACE(trace, session_begin, .version = name(writing, "bench", 0, 0),
          .target = name(writing, "x86_64-elf", 0, 0), .memory_manager = name(writing, "in-process", 0, 0),
          .page_size = 4096, .process = 1);
    for (uint32_t kind = 0; kind < 21; kind++)
        TRACE(trace, edge_kind, .kind = kind, .name = name(writing, "kind-%u", kind, 0),
              .formula = name(writing, "S + A", 0, 0), .width = 4);
}

/* --- passes of one link */

static void begin_pass(struct writing *writing, uint32_t pass) {
    TRACE(&writing->trace, pass_begin, .pass = pass, .name = name(writing, "pass-%u", pass, 0), .phase = pass,
          .time = trace_time(&writing->trace));
}

static void end_pass(struct writing *writing, uint32_t pass, const struct graph *graph) {
    TRACE(&writing->trace, pass_end, .pass = pass, .duration = 1000 + pass, .sections = 4,
          .blocks = graph->objects * BLOCKS, .symbols = graph->externals, .edges = graph->objects * EDGES);
}

static void read_symbols(struct writing *writing, uint32_t object, uint32_t input) {
    struct trace *trace = &writing->trace;
    for (uint32_t i = 0; i < SYMBOLS; i++) {
        uint32_t block = object * BLOCKS + i % BLOCKS;
        bool named = i < BLOCKS;
        TRACE(trace, symbol, .symbol = object * SYMBOLS + i,
              .name = named ? name(writing, "library_%u_does_thing_%u", input, i) : (struct name_ref){0},
              .block = block, .offset = i / BLOCKS * 16, .size = 48, .linkage = i % 7 == 0,
              .scope = i < GLOBALS ? SCOPE_DEFAULT : SCOPE_LOCAL,
              .kind = i < FUNCTIONS ? SYMBOL_KIND_FUNCTION : SYMBOL_KIND_OBJECT, .input = input);
    }
}

static void read_object(struct writing *writing, uint32_t object, const struct graph *graph) {
    struct trace *trace = &writing->trace;
    uint32_t input = writing->inputs++;
    TRACE(trace, input, .input = input, .kind = INPUT_KIND_MEMBER,
          .name = name(writing, "library-lib-%u.o", input, 0), .container = 0, .size = 12000,
          .pulled_by = name(writing, "library_%u_does_thing_%u", input, 0));
    for (uint32_t i = 0; i < BLOCKS; i++)
        TRACE(trace, block, .block = object * BLOCKS + i, .section = i % 4, .input = input,
              .input_section = i + 1, .input_offset = i * 64, .size = 16 + chance(writing, 400),
              .alignment = 16);
    read_symbols(writing, object, input);
    for (uint32_t i = 0; i < EDGES; i++)
        TRACE(trace, edge, .block = object * BLOCKS + i % BLOCKS, .offset = i * 4, .kind = i % 21,
              .target = chance(writing, graph->objects * SYMBOLS), .addend = -4);
    for (uint32_t i = 0; i < FUNCTIONS; i++)
        TRACE(trace, cfi_record, .block = object * BLOCKS + FUNCTIONS, .kind = CFI_FDE,
              .cie = object * BLOCKS + FUNCTIONS, .function = object * BLOCKS + i, .function_size = 48);
}

static void read_inputs(struct writing *writing, struct graph *graph) {
    static const char *const sections[] = {".text", ".rodata", ".data", ".eh_frame"};
    for (uint32_t i = 0; i < 4; i++)
        TRACE(&writing->trace, section, .section = i, .name = name(writing, sections[i], 0, 0),
              .prot = PROTECT_READ, .lifetime = LIFETIME_STANDARD);
    for (uint32_t i = 0; i < graph->objects; i++)
        read_object(writing, i, graph);
    for (uint32_t i = 0; i < graph->objects * EXTERNALS; i++)
        TRACE(&writing->trace, symbol_external, .symbol = graph->externals + i,
              .name = name(writing, "outside_%u", i, 0), .linkage = LINKAGE_STRONG,
              .input = writing->inputs - 1);
}

/* Some blocks go, some edges ask for table entries. */
static void judge(struct writing *writing, struct graph *graph) {
    struct trace *trace = &writing->trace;
    for (uint32_t i = 0; i < graph->objects; i++) {
        TRACE(trace, block_removed, .block = i * BLOCKS + BLOCKS - 1, .reason = REASON_UNREACHABLE);
        for (uint32_t k = 0; k < CLAIMED; k++) {
            TRACE(trace, edge_claimed, .block = i * BLOCKS + k, .offset = k * 4, .before = 12, .after = 13,
                  .table = TABLE_PLT, .entry = graph->externals);
            TRACE(trace, edge_relaxed, .block = i * BLOCKS + k, .offset = k * 4, .before = 13, .after = 12,
                  .target = k, .bytes_before = 0x15ff, .bytes_after = 0xe867);
        }
        TRACE(trace, table_entry, .table = TABLE_GOT, .entry = i, .symbol = i * SYMBOLS + BLOCKS,
              .block = i * BLOCKS, .target = graph->externals + i, .asked_by = i * BLOCKS, .asked_at = 8);
    }
}

static void lay_out(struct writing *writing, struct graph *graph) {
    struct trace *trace = &writing->trace;
    uint32_t allocation = ++writing->allocations;
    uint64_t size = (uint64_t)graph->objects * BLOCKS * 512;
    graph->text = writing->address;
    writing->address += size;
    TRACE(trace, allocation, .allocation = allocation, .state = MEMORY_STATE_IN_FLIGHT,
          .address = graph->text, .size = size, .duration = 5000);
    for (uint32_t s = 0; s < 4; s++) {
        TRACE(trace, segment, .segment = s, .prot = PROTECT_READ, .address = graph->text + s * (size / 4),
              .content_size = size / 4, .alignment = 16, .blocks = graph->objects * BLOCKS / 4);
        for (uint32_t i = s; i < graph->objects * BLOCKS; i += 4)
            TRACE(trace, block_placed, .block = i, .segment = s, .address = graph->text + i * UINT64_C(512));
    }
}

static void resolve(struct writing *writing, struct graph *graph) {
    struct trace *trace = &writing->trace;
    for (uint32_t i = 0; i < graph->objects; i++)
        for (uint32_t k = 0; k < GLOBALS; k++)
            TRACE(trace, symbol_bound, .symbol = i * SYMBOLS + k,
                  .address = graph->text + (i * BLOCKS + k) * UINT64_C(512));
    for (uint32_t i = 0; i < graph->objects * EXTERNALS; i++)
        TRACE(trace, symbol_resolved, .symbol = graph->externals + i,
              .name = name(writing, "outside_%u", i, 0), .address = 0x7f0000000000 + i * UINT64_C(16),
              .provider = PROVIDER_SHARED, .where = name(writing, "libc.so.6", 0, 0));
}

static void write_values(struct writing *writing, struct graph *graph) {
    for (uint32_t i = 0; i < graph->objects * EDGES; i++)
        TRACE(&writing->trace, fixup, .block = i / EDGES * BLOCKS + i % BLOCKS, .offset = i % EDGES * 4,
              .kind = i % 21, .target = i % graph->externals, .addend = -4, .address = graph->text + i,
              .before = 0, .after = chance(writing, UINT32_MAX));
}

static void unload(struct writing *writing, uint32_t link) {
    TRACE(&writing->trace, unload, .link = link, .time = trace_time(&writing->trace));
    TRACE(&writing->trace, action_result, .allocation = link, .action = 0, .half = HALF_DEALLOCATE);
    TRACE(&writing->trace, allocation, .allocation = link, .state = MEMORY_STATE_DEALLOCATED,
          .duration = 800);
}

static void write_link(struct writing *writing, uint32_t objects) {
    void (*const passes[])(struct writing *, struct graph *) = {read_inputs, judge, lay_out, resolve,
                                                                write_values};
    struct graph graph = {.objects = objects, .externals = objects * SYMBOLS};
    struct trace *trace = &writing->trace;
    uint32_t link = ++writing->link;
    trace_enter_link(trace, link);
    TRACE(trace, link_begin, .link = link, .time = trace_time(trace));
    for (uint32_t pass = 0; pass < 5; pass++) {
        begin_pass(writing, pass);
        passes[pass](writing, &graph);
        end_pass(writing, pass, &graph);
    }
    TRACE(trace, action, .action = 0, .finalize = name(writing, "register", 0, 0), .size = 64);
    TRACE(trace, action_result, .allocation = link, .action = 0, .half = HALF_FINALIZE);
    TRACE(trace, link_end, .duration = 100000);
    trace_enter_link(trace, 0);
}

/* --- threads take turns */

struct worker {
    struct writing *writing;
    uint32_t number;
    pthread_t thread;
};

static void write_turn(struct writing *writing) {
    uint32_t objects = 1 + chance(writing, 2 * writing->objects_per_link - 1);
    objects = objects < writing->objects ? objects : writing->objects;
    writing->objects -= objects;
    write_link(writing, objects);
    if (writing->link % 3 == 0) {
        trace_enter_link(&writing->trace, writing->link / 3);
        unload(writing, writing->link / 3);
        trace_enter_link(&writing->trace, 0);
    }
}

static void *work(void *context) {
    struct worker *worker = context;
    struct writing *writing = worker->writing;
    pthread_mutex_lock(&writing->lock);
    while (writing->objects) {
        if (writing->link % writing->threads == worker->number)
            write_turn(writing);
        pthread_cond_broadcast(&writing->turned);
        if (writing->objects && writing->link % writing->threads != worker->number)
            pthread_cond_wait(&writing->turned, &writing->lock);
    }
    pthread_cond_broadcast(&writing->turned);
    pthread_mutex_unlock(&writing->lock);
    return NULL;
}

static void work_together(struct writing *writing) {
    struct worker workers[16];
    for (uint32_t i = 0; i < writing->threads; i++) {
        workers[i] = (struct worker){.writing = writing, .number = i};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            or_die(error_no_memory());
    }
    for (uint32_t i = 0; i < writing->threads; i++)
        pthread_join(workers[i].thread, NULL);
}

int main(int count, char **words) {
    struct writing writing = {.address = 0x7e0000000000, .chance = 1};
    unsigned long megabytes = count > 2 ? strtoul(words[2], NULL, 10) : 0;
    unsigned long per_link = count > 3 ? strtoul(words[3], NULL, 10) : 800;
    unsigned long threads = count > 4 ? strtoul(words[4], NULL, 10) : 4;
    if (!megabytes || !per_link || !threads || threads > 16) {
        fprintf(stderr, "usage: write_recording FILE MEGABYTES [OBJECTS_PER_LINK [THREADS]]\n");
        return 2;
    }
    writing.objects = (uint32_t)((megabytes << 20) / BYTES_PER_OBJECT + 1);
    writing.objects_per_link = (uint32_t)per_link;
    writing.threads = (uint32_t)threads;
    pthread_mutex_init(&writing.lock, NULL);
    pthread_cond_init(&writing.turned, NULL);
    or_die(string_pool_create(&writing.names));
    trace_create(&writing.trace, &writing.names);
    or_die(trace_record_to(&writing.trace, words[1]));
    trace_set_record_level(&writing.trace, LEVEL_EDGES);
    begin_session(&writing);
    work_together(&writing);
    TRACE(&writing.trace, session_end, .time = trace_time(&writing.trace));
    or_die(writing.trace.failure);
    printf("events=%llu links=%u\n", (unsigned long long)writing.trace.sequence, writing.link);
    trace_destroy(&writing.trace);
    string_pool_destroy(&writing.names);
    return 0;
}
