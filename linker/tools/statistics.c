#include "statistics.h"

#include "trace/event.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

/* --- counting --- */

static uint64_t number(const struct jitscope_event *event, const char *field) {
    return jitscope_event_field_number(event, jitscope_event_find_field(event, field));
}

/* Event texts live for one call. */
static const char *keep(struct statistics *statistics, const struct jitscope_event *event,
                        const char *field) {
    const char *text = jitscope_event_field_text(event, jitscope_event_find_field(event, field));
    const char *copy = text ? arena_copy(&statistics->arena, text, strlen(text)) : NULL;
    statistics->incomplete |= !copy;
    return copy ? copy : "";
}

static void put(struct statistics *statistics, struct jitscope_error *error) {
    statistics->incomplete |= error != NULL;
    jitscope_error_destroy(error);
}

static void add_input(struct statistics *statistics, const struct jitscope_event *event) {
    uint64_t kind = number(event, "kind");
    if (kind < INPUT_KINDS)
        statistics->inputs[kind]++;
    if (kind != INPUT_KIND_MEMBER)
        statistics->input_bytes += number(event, "size");
}

static void add_pass_begin(struct statistics *statistics, const struct jitscope_event *event) {
    put(statistics, vec_push(&statistics->passes, (struct pass_line){.name = keep(statistics, event, "name"),
                                                                     .number = number(event, "pass")}));
}

static void add_pass_end(struct statistics *statistics, const struct jitscope_event *event) {
    uint64_t pass = number(event, "pass");
    for (uint32_t i = statistics->passes.count; i-- > 0;)
        if (statistics->passes.data[i].number == pass) {
            statistics->passes.data[i].duration = number(event, "duration");
            break;
        }
    statistics->sections = number(event, "sections");
    statistics->blocks = number(event, "blocks");
    statistics->symbols = number(event, "symbols");
    statistics->edges = number(event, "edges");
}

static void add_table_entry(struct statistics *statistics, const struct jitscope_event *event) {
    uint64_t table = number(event, "table");
    if (table < TABLE_KINDS)
        statistics->entries[table]++;
}

static void add_relaxed(struct statistics *statistics, const struct jitscope_event *event) {
    (void)event;
    statistics->relaxed++;
}

static void add_segment(struct statistics *statistics, const struct jitscope_event *event) {
    put(statistics, vec_push(&statistics->segments,
                             (struct segment_line){.prot = keep(statistics, event, "prot"),
                                                   .lifetime = keep(statistics, event, "lifetime"),
                                                   .address = number(event, "address"),
                                                   .content_size = number(event, "content_size"),
                                                   .zero_fill_size = number(event, "zero_fill_size")}));
}

static void add_link_end(struct statistics *statistics, const struct jitscope_event *event) {
    statistics->duration = number(event, "duration");
}

void statistics_add(struct statistics *statistics, const struct jitscope_event *event) {
    static const struct {
        const char *name;
        void (*add)(struct statistics *statistics, const struct jitscope_event *event);
    } counted[] = {{"input", add_input},       {"pass_begin", add_pass_begin},
                   {"pass_end", add_pass_end}, {"table_entry", add_table_entry},
                   {"segment", add_segment},   {"edge_relaxed", add_relaxed},
                   {"link_end", add_link_end}};
    const char *name = jitscope_event_name(event);
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        if (strcmp(name, counted[i].name) == 0)
            counted[i].add(statistics, event);
}

void statistics_destroy(struct statistics *statistics) {
    vec_destroy(&statistics->passes);
    vec_destroy(&statistics->segments);
    arena_destroy(&statistics->arena);
}

/* --- printing --- */

void print_duration(struct text *out, uint64_t ns) {
    text_print(out, "%" PRIu64 ".%03" PRIu64 " ms", ns / 1000000, ns / 1000 % 1000);
}

static const struct {
    const char *one, *many;
} input_names[INPUT_KINDS] = {
    [INPUT_KIND_OBJECT] = {"object", "objects"},
    [INPUT_KIND_ARCHIVE] = {"archive", "archives"},
    [INPUT_KIND_MEMBER] = {"archive member", "archive members"},
    [INPUT_KIND_SHARED] = {"shared library", "shared libraries"},
    [INPUT_KIND_SCRIPT] = {"ld script", "ld scripts"},
};

static const char *const table_names[TABLE_KINDS] = {
    [TABLE_GOT] = "GOT", [TABLE_PLT] = "PLT", [TABLE_TLS] = "TLS"};

static void print_inputs(const struct statistics *statistics, struct text *out) {
    const char *comma = "";
    text_append(out, "inputs    ");
    for (size_t i = 0; i < INPUT_KINDS; i++)
        if (statistics->inputs[i] && input_names[i].one) {
            text_print(out, "%s%" PRIu64 " %s", comma, statistics->inputs[i],
                       statistics->inputs[i] == 1 ? input_names[i].one : input_names[i].many);
            comma = ", ";
        }
    text_print(out, "; %" PRIu64 " bytes\n", statistics->input_bytes);
}

static void print_tables(const struct statistics *statistics, struct text *out) {
    const char *comma = "";
    text_append(out, "tables    ");
    for (size_t i = 0; i < TABLE_KINDS; i++)
        if (table_names[i]) {
            text_print(out, "%s%s %" PRIu64, comma, table_names[i], statistics->entries[i]);
            comma = ", ";
        }
    text_print(out, " entries; %" PRIu64 " edges relaxed\n", statistics->relaxed);
}

static void print_memory(const struct statistics *statistics, struct text *out) {
    uint64_t content = 0, zero = 0;
    for (uint32_t i = 0; i < statistics->segments.count; i++) {
        content += statistics->segments.data[i].content_size;
        zero += statistics->segments.data[i].zero_fill_size;
    }
    text_print(out, "memory    %u segments, %" PRIu64 " bytes with content, %" PRIu64 " zero-filled",
               statistics->segments.count, content, zero);
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        text_print(out, "; this process %ld KiB at most", usage.ru_maxrss);
    text_append(out, "\n");
}

void statistics_print(const struct statistics *statistics, struct text *out) {
    print_inputs(statistics, out);
    text_print(out,
               "graph     %" PRIu64 " sections, %" PRIu64 " blocks, %" PRIu64 " symbols, %" PRIu64 " edges\n",
               statistics->sections, statistics->blocks, statistics->symbols, statistics->edges);
    print_tables(statistics, out);
    print_memory(statistics, out);
    for (uint32_t i = 0; i < statistics->passes.count; i++) {
        text_print(out, "pass      %-24s ", statistics->passes.data[i].name);
        print_duration(out, statistics->passes.data[i].duration);
        text_append(out, "\n");
    }
    text_print(out, "link      %-24s ", "");
    print_duration(out, statistics->duration);
    text_append(out, "\n");
    if (statistics->incomplete)
        text_append(out, "          (incomplete: memory ran out while counting)\n");
}
