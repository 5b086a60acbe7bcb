#include "bytes/gather.h"

#include "arch/arch.h"
#include "base/os.h"
#include "bytes/worker.h"
#include "executor/bridge.h"
#include "record/replay.h"
#include "trace/event.h"
#include "trace/recording_follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What events say, by the ids of the link at hand, before it is known where all of it lies. */
struct seen_block {
    uint64_t address, size, input_offset;
    uint32_t section, input;
    bool is_placed;
};

struct seen_symbol {
    uint64_t address, offset, size;
    uint32_t name, block, leads_to;
    uint8_t kind, scope, linkage, table;
    bool is_known, is_outside, has_address;
};

struct gathering {
    const struct gather_order *order;
    const struct string_pool *names;
    uint64_t end; /* of `data` */
    uint32_t links;
    uint32_t level; /* of the recording */
    uint32_t link;  /* at hand; 0: none */
    bool has_memory;
    VEC(uint32_t) sections; /* name ids */
    VEC(bool) no_memory;    /* by segment: never in memory */
    VEC(struct seen_block) blocks;
    VEC(struct seen_symbol) symbols;
    VEC(uint32_t) places; /* of symbols, in the table: by id */
    VEC(struct content_segment) table_segments;
    VEC(struct content_block) table_blocks;
    VEC(struct content_symbol) table_symbols;
    VEC(struct content_fixup)
    table_fixups; /* target: an id; place: an offset in the block, until it is written */
    VEC(struct content_relaxed) table_relaxed;
    VEC(uint32_t) relaxed_blocks;
    VEC(struct content_action) table_actions;
    VEC(struct content_text) texts; /* by string id; length 0: not written yet */
    struct jitscope_error *failure; /* the first one; from then on nothing is written */
};

/* --- writing */

static void fail(struct gathering *gathering, struct jitscope_error *error) {
    if (error && !gathering->failure)
        gathering->failure = error;
    else
        jitscope_error_destroy(error);
}

static bool write_at(struct gathering *gathering, int fd, const void *data, uint64_t size, uint64_t offset) {
    for (const uint8_t *at = data; size && !gathering->failure;) {
        ssize_t put = os_write_at(fd, at, size, offset);
        if (put <= 0) {
            fail(gathering, error_system("cannot keep what the batches hold: pwrite", NULL));
            break;
        }
        at += put;
        offset += (uint64_t)put;
        size -= (uint64_t)put;
    }
    return !gathering->failure;
}

static uint64_t append(struct gathering *gathering, const void *data, uint64_t size) {
    uint64_t at = gathering->end;
    if (write_at(gathering, gathering->order->data, data, size, at))
        gathering->end += (size + 7) & ~UINT64_C(7);
    return at;
}

/* Of a longer name the beginning. */
enum { LONGEST_TEXT = 4096 };

static struct content_text write_text(struct gathering *gathering, const char *text, uint64_t length) {
    length = length < LONGEST_TEXT ? length : LONGEST_TEXT;
    return (struct content_text){length ? append(gathering, text, length) : 0, length};
}

/* Each once. */
static struct content_text text_of(struct gathering *gathering, uint32_t name) {
    if (name == NO_NAME || name >= gathering->names->strings.count)
        return (struct content_text){0};
    if (gathering->texts.count <= name) {
        uint32_t more = name + 1 - gathering->texts.count;
        fail(gathering, vec_reserve(&gathering->texts, more));
        if (gathering->failure)
            return (struct content_text){0};
        memset(gathering->texts.data + gathering->texts.count, 0, more * sizeof *gathering->texts.data);
        gathering->texts.count += more;
    }
    struct content_text *text = &gathering->texts.data[name];
    const struct pooled_string *string = &gathering->names->strings.data[name];
    if (!text->length)
        *text = write_text(gathering, string->bytes, string->length);
    return *text;
}

/* --- hearing events */

/* The entry of a table that grows by its ids; NULL without memory. */
#define ENTRY(gathering, table, id)                                                                          \
    (reach(gathering, &(gathering)->table, sizeof *(gathering)->table.data, id)                              \
         ? &(gathering)->table.data[id]                                                                      \
         : NULL)

static bool reach(struct gathering *gathering, void *table, size_t size, uint32_t id) {
    VEC(uint8_t) vec;
    memcpy(&vec, table, sizeof vec);
    if (id < vec.count)
        return true;
    uint32_t more = id - vec.count + 1;
    if (id == NO_ID || gathering->failure)
        return false;
    if (vec.capacity - vec.count < more) {
        fail(gathering, vec_grow(table, more, size));
        memcpy(&vec, table, sizeof vec);
    }
    if (gathering->failure)
        return false;
    memset(vec.data + (size_t)vec.count * size, 0, more * size);
    vec.count += more;
    memcpy(table, &vec, sizeof vec);
    return true;
}

#define HEAR(name) static void hear_##name(struct gathering *gathering, const struct event_##name *event)

HEAR(link_begin) {
    gathering->link = event->link;
    gathering->has_memory = false;
    gathering->sections.count = gathering->no_memory.count = gathering->blocks.count = 0;
    gathering->symbols.count = gathering->places.count = 0;
    gathering->table_segments.count = gathering->table_blocks.count = gathering->table_symbols.count = 0;
    gathering->table_fixups.count = gathering->table_relaxed.count = gathering->table_actions.count = 0;
    gathering->relaxed_blocks.count = 0;
}

HEAR(section) {
    uint32_t *name = ENTRY(gathering, sections, event->section);
    if (name)
        *name = event->name.id;
}

HEAR(segment) {
    bool *no_memory = ENTRY(gathering, no_memory, event->segment);
    if (no_memory)
        *no_memory = event->lifetime == LIFETIME_NO_ALLOC;
}

HEAR(block) {
    struct seen_block *block = ENTRY(gathering, blocks, event->block);
    if (block)
        *block = (struct seen_block){.size = event->size,
                                     .input_offset = event->input_offset,
                                     .section = event->section,
                                     .input = event->input};
}

HEAR(block_placed) {
    struct seen_block *block = ENTRY(gathering, blocks, event->block);
    if (!block || event->segment >= gathering->no_memory.count || gathering->no_memory.data[event->segment])
        return;
    block->address = event->address;
    block->is_placed = true;
}

HEAR(symbol) {
    struct seen_symbol *symbol = ENTRY(gathering, symbols, event->symbol);
    if (symbol)
        *symbol = (struct seen_symbol){.offset = event->offset,
                                       .size = event->size,
                                       .name = event->name.id,
                                       .block = event->block,
                                       .leads_to = NO_ID,
                                       .kind = (uint8_t)event->kind,
                                       .scope = (uint8_t)event->scope,
                                       .linkage = (uint8_t)event->linkage,
                                       .table = NO_TABLE,
                                       .is_known = true};
}

HEAR(symbol_external) {
    struct seen_symbol *symbol = ENTRY(gathering, symbols, event->symbol);
    if (symbol)
        *symbol = (struct seen_symbol){.name = event->name.id,
                                       .block = NO_ID,
                                       .leads_to = NO_ID,
                                       .table = NO_TABLE,
                                       .is_known = true,
                                       .is_outside = true};
}

HEAR(symbol_resolved) {
    struct seen_symbol *symbol = ENTRY(gathering, symbols, event->symbol);
    if (!symbol)
        return;
    symbol->name = event->name.id;
    symbol->address = event->address;
    symbol->is_known = symbol->has_address = symbol->is_outside = true;
    if (event->provider == PROVIDER_WEAK_UNDEFINED) {
        symbol->address = 0;
        symbol->has_address = false;
    }
}

HEAR(symbol_bound) {
    struct seen_symbol *symbol = ENTRY(gathering, symbols, event->symbol);
    if (!symbol)
        return;
    symbol->address = event->address;
    symbol->has_address = true;
}

HEAR(table_entry) {
    struct seen_symbol *symbol = ENTRY(gathering, symbols, event->symbol);
    if (!symbol)
        return;
    symbol->table = (uint8_t)event->table;
    symbol->leads_to = event->target;
}

HEAR(edge_relaxed) {
    struct content_relaxed relaxed = {.window = event->offset < 4 ? 0 : event->offset - 4,
                                      .place = event->offset,
                                      .before = event->bytes_before,
                                      .after = event->bytes_after,
                                      .kind = (uint16_t)event->before};
    fail(gathering, vec_push(&gathering->table_relaxed, relaxed));
    if (!gathering->failure)
        fail(gathering, vec_push(&gathering->relaxed_blocks, event->block));
}

HEAR(fixup) {
    uint32_t kind = event->kind;
    struct content_fixup fixup = {.place = event->offset,
                                  .addend = event->addend,
                                  .before = event->before,
                                  .after = event->after,
                                  .target = event->target,
                                  .block = event->block,
                                  .kind = (uint16_t)kind};
    if (kind >= arch_x86_64.kind_count || !arch_x86_64.kinds[kind].width)
        return;
    fixup.width = arch_x86_64.kinds[kind].width;
    fail(gathering, vec_push(&gathering->table_fixups, fixup));
}

/* --- the end of a link: sorting and writing its tables */

static int by_first(const void *a, const void *b) {
    uint64_t x = load_u64(a), y = load_u64(b);
    return (x > y) - (x < y);
}

static int by_place_and_rank(const void *a, const void *b) {
    const struct content_symbol *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return (x->symbol > y->symbol) - (x->symbol < y->symbol);
}

static void make_blocks(struct gathering *gathering) {
    fail(gathering, vec_reserve(&gathering->table_blocks, gathering->blocks.count));
    for (uint32_t i = 0; i < gathering->blocks.count && !gathering->failure; i++) {
        const struct seen_block *seen = &gathering->blocks.data[i];
        uint32_t name =
            seen->section < gathering->sections.count ? gathering->sections.data[seen->section] : 0;
        if (seen->is_placed)
            vec_put(&gathering->table_blocks, (struct content_block){.address = seen->address,
                                                                     .size = seen->size,
                                                                     .section = text_of(gathering, name),
                                                                     .block = i,
                                                                     .input = seen->input,
                                                                     .input_offset = seen->input_offset});
    }
}

/* Where it is, when that can be told. */
static bool find_symbol(const struct gathering *gathering, struct seen_symbol *symbol) {
    if (!symbol->is_known || symbol->is_outside)
        return symbol->is_known;
    if (symbol->block == NO_ID) {
        symbol->address = symbol->offset;
        return true;
    }
    if (symbol->block >= gathering->blocks.count || !gathering->blocks.data[symbol->block].is_placed)
        return false;
    symbol->address = gathering->blocks.data[symbol->block].address + symbol->offset;
    return true;
}

/* As objdump has it: what is typed before what is not, what others see before what is local. */
static uint8_t rank_of(const struct seen_symbol *symbol) {
    bool is_typed = symbol->kind == SYMBOL_KIND_FUNCTION || symbol->kind == SYMBOL_KIND_OBJECT ||
                    symbol->kind == SYMBOL_KIND_IFUNC || symbol->kind == SYMBOL_KIND_TLS;
    if (!symbol->name)
        return symbol->table != NO_TABLE ? 8 : 9;
    return (uint8_t)(4 * !is_typed + 2 * (symbol->scope == SCOPE_LOCAL) + (symbol->linkage == LINKAGE_WEAK));
}

static void make_symbols(struct gathering *gathering) {
    fail(gathering, vec_reserve(&gathering->table_symbols, gathering->symbols.count));
    for (uint32_t i = 0; i < gathering->symbols.count && !gathering->failure; i++) {
        struct seen_symbol *seen = &gathering->symbols.data[i];
        if (!find_symbol(gathering, seen))
            continue;
        vec_put(&gathering->table_symbols,
                (struct content_symbol){.address = seen->address,
                                        .size = seen->size,
                                        .name = text_of(gathering, seen->name),
                                        .symbol = i,
                                        .leads_to = seen->leads_to,
                                        .kind = seen->kind,
                                        .rank = rank_of(seen),
                                        .table = seen->table,
                                        .is_outside = seen->is_outside,
                                        .is_nowhere = seen->is_outside && !seen->has_address,
                                        .is_absolute = !seen->is_outside && seen->block == NO_ID});
    }
    if (gathering->table_symbols.count)
        qsort(gathering->table_symbols.data, gathering->table_symbols.count,
              sizeof *gathering->table_symbols.data, by_place_and_rank);
}

static uint32_t place_of(const struct gathering *gathering, uint32_t symbol) {
    return symbol < gathering->places.count ? gathering->places.data[symbol] : NO_ENTRY;
}

/* From ids to places in the sorted table. */
static void turn_symbols(struct gathering *gathering) {
    uint32_t count = gathering->symbols.count;
    fail(gathering, vec_reserve(&gathering->places, count));
    if (gathering->failure || !count)
        return;
    memset(gathering->places.data, 0xff, count * sizeof *gathering->places.data);
    gathering->places.count = count;
    for (uint32_t i = 0; i < gathering->table_symbols.count; i++)
        gathering->places.data[gathering->table_symbols.data[i].symbol] = i;
    for (uint32_t i = 0; i < gathering->table_symbols.count; i++)
        gathering->table_symbols.data[i].leads_to =
            place_of(gathering, gathering->table_symbols.data[i].leads_to);
}

static bool block_address(const struct gathering *gathering, uint32_t block, uint64_t *address) {
    if (block >= gathering->blocks.count || !gathering->blocks.data[block].is_placed)
        return false;
    *address += gathering->blocks.data[block].address;
    return true;
}

static void turn_fixups(struct gathering *gathering) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < gathering->table_fixups.count; i++) {
        struct content_fixup fixup = gathering->table_fixups.data[i];
        if (!block_address(gathering, fixup.block, &fixup.place))
            continue;
        fixup.target = place_of(gathering, fixup.target);
        gathering->table_fixups.data[kept++] = fixup;
    }
    gathering->table_fixups.count = kept;
    kept = 0;
    for (uint32_t i = 0; i < gathering->table_relaxed.count; i++) {
        struct content_relaxed relaxed = gathering->table_relaxed.data[i];
        if (block_address(gathering, gathering->relaxed_blocks.data[i], &relaxed.place) &&
            block_address(gathering, gathering->relaxed_blocks.data[i], &relaxed.window))
            gathering->table_relaxed.data[kept++] = relaxed;
    }
    gathering->table_relaxed.count = kept;
}

#define WRITE_TABLE(gathering, record, number, table)                                                        \
    do {                                                                                                     \
        if ((gathering)->table.count && number != CONTENT_SYMBOLS)                                           \
            qsort((gathering)->table.data, (gathering)->table.count, sizeof *(gathering)->table.data,        \
                  by_first);                                                                                 \
        (record)->tables[number] =                                                                           \
            (struct content_place){append(gathering, (gathering)->table.data,                                \
                                          (gathering)->table.count * sizeof *(gathering)->table.data),       \
                                   (gathering)->table.count};                                                \
    } while (0)

static void write_link(struct gathering *gathering) {
    struct content_progress *progress = gathering->order->progress;
    struct content_link record;
    memset(&record, 0, sizeof record);
    record.link = gathering->link;
    record.has_memory = gathering->has_memory;
    if (record.has_memory) {
        make_blocks(gathering);
        make_symbols(gathering);
        turn_symbols(gathering);
        turn_fixups(gathering);
        WRITE_TABLE(gathering, &record, CONTENT_SEGMENTS, table_segments);
        WRITE_TABLE(gathering, &record, CONTENT_BLOCKS, table_blocks);
        WRITE_TABLE(gathering, &record, CONTENT_SYMBOLS, table_symbols);
        WRITE_TABLE(gathering, &record, CONTENT_FIXUPS, table_fixups);
        WRITE_TABLE(gathering, &record, CONTENT_RELAXED, table_relaxed);
        WRITE_TABLE(gathering, &record, CONTENT_ACTIONS, table_actions);
    }
    if (!write_at(gathering, gathering->order->index, &record, sizeof record,
                  (uint64_t)gathering->links * sizeof record))
        return;
    gathering->links++;
    atomic_store_explicit(&progress->links, gathering->links, memory_order_release);
    worker_say(gathering->order->ends);
}

static void end_link(struct gathering *gathering) {
    if (gathering->link > gathering->order->behind && !gathering->failure)
        write_link(gathering);
    gathering->link = 0;
}

/* --- watching the replay */

static void hear_any(struct gathering *gathering, const void *record) {
    switch (EVENT_HEADER_ID(load_u32(record))) {
#define HEARS(name)                                                                                          \
    case EVENT_ID_##name:                                                                                    \
        hear_##name(gathering, record);                                                                      \
        break;
        HEARS(section)
        HEARS(segment)
        HEARS(block)
        HEARS(block_placed)
        HEARS(symbol)
        HEARS(symbol_external)
        HEARS(symbol_resolved)
        HEARS(symbol_bound)
        HEARS(table_entry)
        HEARS(edge_relaxed)
        HEARS(fixup)
#undef HEARS
    default:
        break;
    }
}

static uint32_t level_of(uint32_t id) {
    switch (id) {
#define EVENT(number, name, level, text, fields)                                                             \
    case number:                                                                                             \
        return LEVEL_##level;
#include "trace/events.def"
#undef EVENT
    default:
        return LEVEL_EDGES;
    }
}

/* Those that the recording has too, whose number is known. */
static void count_event(struct gathering *gathering, uint32_t id, const void *record) {
    if (id == EVENT_ID_call_create)
        gathering->level = ((const struct event_call_create *)record)->level;
    if (level_of(id) <= gathering->level)
        atomic_fetch_add_explicit(&gathering->order->progress->events, 1, memory_order_relaxed);
}

static void hear(void *context, uint32_t link, const void *record, const struct string_pool *names) {
    struct gathering *gathering = context;
    uint32_t id = EVENT_HEADER_ID(load_u32(record));
    gathering->names = names;
    count_event(gathering, id, record);
    if (id == EVENT_ID_link_begin)
        hear_link_begin(gathering, record);
    else if (id == EVENT_ID_link_end && link == gathering->link)
        end_link(gathering);
    else if (link && link == gathering->link && link > gathering->order->behind)
        hear_any(gathering, record);
}

static void keep_half(struct gathering *gathering, uint64_t order, const struct action_call *call) {
    if (!call->function || gathering->failure)
        return;
    struct content_action action = {
        .order = order,
        .function = write_text(gathering, call->function, strlen(call->function)),
        .arguments = {append(gathering, call->arguments, call->size), call->size}};
    fail(gathering, vec_push(&gathering->table_actions, action));
}

static void keep_memory(void *context, uint32_t link, const struct jitscope_segment *segments, size_t count,
                        const struct action *actions, uint32_t action_count) {
    struct gathering *gathering = context;
    if (!link || link != gathering->link || link <= gathering->order->behind)
        return;
    gathering->has_memory = true;
    for (size_t i = 0; i < count && !gathering->failure; i++) {
        struct content_segment segment = {.address = segments[i].address,
                                          .size = segments[i].content_size + segments[i].zero_fill_size,
                                          .content_size = segments[i].content_size,
                                          .segment = (uint32_t)i,
                                          .prot = segments[i].prot};
        segment.content = append(gathering, segments[i].working, segments[i].content_size);
        fail(gathering, vec_push(&gathering->table_segments, segment));
    }
    for (uint32_t i = 0; i < action_count; i++) {
        keep_half(gathering, 2 * (uint64_t)i, &actions[i].finalize);
        keep_half(gathering, 2 * (uint64_t)i + 1, &actions[i].deallocate);
    }
}

/* --- following */

/* All that is there by now; true when something came in. */
static bool bring_in(struct recording_file *file) {
    uint64_t before = file->events;
    for (bool more = true; more;) {
        struct jitscope_error *error = recording_refresh(file, &more);
        more = more && !error;
        jitscope_error_destroy(error); /* nothing more comes in: what is there is as good as it was */
    }
    return file->events > before;
}

static bool wait_for_more(void *context) {
    const struct gather_order *order = ((struct gathering *)context)->order;
    char word;
    while (!bring_in(order->file)) {
        if (recording_has_ended(order->file))
            return false;
        atomic_store(&order->progress->seen, order->file->events);
        worker_say(order->ends);
        if (!worker_hear(order->ends, &word))
            return false;
        if (word != GATHER_GONE)
            continue;
        recording_writer_is_gone(order->file);
        return bring_in(order->file);
    }
    return true;
}

/* --- the whole */

static void tell(struct content_progress *progress, enum content_outcome outcome, const char *reason) {
    snprintf(progress->reason, sizeof progress->reason, "%s", reason);
    atomic_store_explicit(&progress->outcome, outcome, memory_order_release);
}

static void tell_end(const struct gathering *gathering, struct jitscope_error *error,
                     const struct replay *replay) {
    struct content_progress *progress = gathering->order->progress;
    if (error || gathering->failure)
        tell(progress, CONTENT_STOPPED, jitscope_error_message(error ? error : gathering->failure));
    else
        tell(progress, replay_verdict(replay) == REPLAY_IDENTICAL ? CONTENT_COMPLETE : CONTENT_STOPPED,
             replay_report(replay));
}

/* Nothing is given back: the process ends. */
void gather(const struct gather_order *order) {
    struct gathering gathering = {
        .order = order, .end = order->data_bytes, .links = (uint32_t)order->index_links};
    const struct replay_watcher watcher = {.event = hear,
                                           .memory = keep_memory,
                                           .more = order->file->follow ? wait_for_more : NULL,
                                           .context = &gathering};
    const struct replay_options options = {.watcher = &watcher, .keep_memory = true};
    struct replay *replay = NULL;
    struct jitscope_error *error = replay_run(order->file, &options, &replay);
    if (!error && gathering.link && gathering.has_memory)
        end_link(&gathering); /* the program ended inside of it */
    tell_end(&gathering, error, replay);
}
