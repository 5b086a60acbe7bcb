/* The debug image of a batch: its description, its symbols, its DWARF.
 *
 * DWARF takes another way than code: it stays in the input's bytes until every address is known, and is then
 * copied and fixed up in one sweep (object/elf_debug.c), because no pass asks about it and most processes are
 * never debugged: as blocks and edges of the graph it would cost more than the code it describes. */
#include "link/make_debug_image.h"

#include "executor/debug_image.h"
#include "executor/debuggee.h"
#include "link/debug_frames.h"

#include <stdlib.h>

struct maker {
    struct graph *graph;
    const struct layout *layout;
    struct debug_scratch *scratch;
    struct debug_image_header header;
    uint8_t *image;                  /* being filled */
    uint32_t next_string, next_name; /* of `strings` and of `names`, both from the start of `strings` */
    uint32_t frames, inputs;
};

void debug_scratch_destroy(struct debug_scratch *scratch) {
    debug_sections_destroy(&scratch->sections);
    vec_destroy(&scratch->places);
    vec_destroy(&scratch->image);
    vec_destroy(&scratch->shown);
    vec_destroy(&scratch->numbers);
    vec_destroy(&scratch->slots);
    vec_destroy(&scratch->texts);
}

/* NO_NAME is the empty one. */
static uint32_t length_of(const struct graph *graph, uint32_t name) {
    return graph->names->strings.data[name].length;
}

static bool in_memory(const struct graph *graph, const struct block *block) {
    return !(block->flags & BLOCK_REMOVED) &&
           graph->sections.data[block->section].lifetime == LIFETIME_STANDARD;
}

/* Its place is an offset in the batch's block, which is what DWARF says of a thread-local variable. */
static bool is_thread_local(const struct graph *graph, const struct block *block) {
    return !(block->flags & BLOCK_REMOVED) &&
           graph->sections.data[block->section].lifetime == LIFETIME_THREAD;
}

/* --- DWARF of the inputs */

static uint64_t find_by_name(const void *context, const char *text, size_t length) {
    const struct graph *graph = context;
    uint32_t name = string_pool_find(graph->names, text, length);
    uint32_t symbol = name == NO_NAME ? NO_SYMBOL : graph_find_symbol(graph, name);
    return symbol == NO_SYMBOL ? 0 : graph->addresses[symbol];
}

static struct jitscope_error *collect_places(const struct maker *maker, const struct debug_input *input) {
    const struct graph *graph = maker->graph;
    struct debug_scratch *scratch = maker->scratch;
    scratch->places.count = 0;
    for (uint32_t id = input->first_block; id < input->first_block + input->block_count; id++) {
        const struct block *block = &graph->blocks.data[id];
        uint32_t index = block->input_section;
        if (!in_memory(graph, block) && !is_thread_local(graph, block))
            continue;
        if (index >= scratch->places.count)
            TRY(vec_reserve(&scratch->places, index + 1 - scratch->places.count));
        while (scratch->places.count <= index)
            vec_put(&scratch->places, NOT_IN_MEMORY);
        scratch->places.data[index] = block->address;
    }
    return NULL;
}

static struct jitscope_error *read_inputs(struct maker *maker) {
    const struct graph *graph = maker->graph;
    debug_sections_clear(&maker->scratch->sections);
    for (uint32_t i = 0; i < graph->debug_inputs.count; i++) {
        const struct debug_input *input = &graph->debug_inputs.data[i];
        TRY(collect_places(maker, input));
        struct elf_debug_places places = {.sections = maker->scratch->places.data,
                                          .count = maker->scratch->places.count,
                                          .find = find_by_name,
                                          .context = graph};
        struct jitscope_error *error = elf_read_debug(input->reader, &places, &maker->scratch->sections);
        maker->inputs += !error;
        if (error)
            TRY(graph_tell_discarded(
                maker->graph, input->input,
                error_in_input(error, graph->input_name(graph->input_context, input->input)),
                "debuggers go without its debug information"));
    }
    return NULL;
}

/* --- what goes in, and how much room it takes */

/* Functions and data by name; sections, files and thread-local variables have no place in a symbol table of
 * addresses. */
static bool is_shown(const struct graph *graph, const struct symbol *symbol) {
    if (symbol->block == NO_BLOCK || symbol->flags & SYMBOL_EXTERNAL ||
        !in_memory(graph, &graph->blocks.data[symbol->block]))
        return false;
    return symbol->flags & SYMBOL_TABLE_ENTRY ||
           ((symbol->kind == SYMBOL_KIND_FUNCTION || symbol->kind == SYMBOL_KIND_OBJECT ||
             symbol->kind == SYMBOL_KIND_NONE) &&
            length_of(graph, symbol->name));
}

static bool is_stub(const struct symbol *symbol) {
    return symbol->flags & SYMBOL_TABLE_ENTRY && symbol->kind == SYMBOL_KIND_FUNCTION;
}

static const struct edge *only_edge(const struct graph *graph, const struct symbol *entry) {
    return &graph->edges.data[graph->blocks.data[entry->block].first_edge];
}

/* What a table entry leads to in the end: a stub leads to a slot, which leads to the target. */
static uint32_t final_target(const struct graph *graph, uint32_t symbol) {
    while (graph->symbols.data[symbol].flags & SYMBOL_TABLE_ENTRY)
        symbol = only_edge(graph, &graph->symbols.data[symbol])->target;
    return symbol;
}

static const char stub_suffix[] = "@plt", slot_suffix[] = "@got";

/* Room for a text with its end; none for the empty one. */
static uint64_t name_room(uint64_t length) {
    return length ? length + 1 : 0;
}

static struct jitscope_error *number_sections(struct maker *maker) {
    const struct graph *graph = maker->graph;
    struct debug_scratch *scratch = maker->scratch;
    scratch->numbers.count = 0;
    TRY(vec_reserve(&scratch->numbers, graph->sections.count));
    for (uint32_t id = 0; id < graph->sections.count; id++) {
        const struct section *section = &graph->sections.data[id];
        bool taken = section->blocks && section->lifetime == LIFETIME_STANDARD;
        vec_put(&scratch->numbers, taken ? ++maker->header.sections.count : 0);
    }
    return NULL;
}

/* A stub may come before its slot. */
static struct jitscope_error *number_entry(struct maker *maker, uint32_t id) {
    if (!maker->header.entries.count)
        TRY(vec_reserve(&maker->scratch->slots, maker->graph->symbols.count));
    maker->scratch->slots.data[id] = maker->header.entries.count++;
    return NULL;
}

/* A text that is still to be written: which room has it. */
enum { PENDING_NAME = -1, PENDING_STRING = -2 };

static struct jitscope_error *forget_texts(struct maker *maker) {
    struct debug_scratch *scratch = maker->scratch;
    scratch->texts.count = 0;
    TRY(vec_reserve(&scratch->texts, maker->graph->symbols.count));
    if (scratch->texts.data)
        memset(scratch->texts.data, 0, maker->graph->symbols.count * sizeof *scratch->texts.data);
    return NULL;
}

/* A symbol, its slot and its stub share one text; it is among those of the description when an entry names
 * it.
 */
static inline void want_text(int32_t *text, uint64_t room, bool entry, uint64_t *strings, uint64_t *names) {
    if (*text == PENDING_STRING || (*text == PENDING_NAME && !entry))
        return;
    *names -= *text == PENDING_NAME ? room : 0;
    *(entry ? strings : names) += room;
    *text = entry ? PENDING_STRING : PENDING_NAME;
}

static struct jitscope_error *choose_symbols(struct maker *maker, uint64_t *strings, uint64_t *names) {
    const struct graph *graph = maker->graph;
    struct debug_scratch *scratch = maker->scratch;
    scratch->shown.count = scratch->slots.count = 0;
    TRY(forget_texts(maker));
    TRY(vec_reserve(&scratch->shown, graph->symbols.count));
    struct shown_symbol *shown = scratch->shown.data;
    int32_t *texts = scratch->texts.data;
    uint64_t in_strings = 0, in_names = 0;
    for (uint32_t id = 0; id < graph->symbols.count; id++) {
        const struct symbol *symbol = &graph->symbols.data[id];
        if (!is_shown(graph, symbol))
            continue;
        bool entry = symbol->flags & SYMBOL_TABLE_ENTRY;
        uint32_t named = entry ? final_target(graph, id) : id;
        uint32_t length = length_of(graph, graph->symbols.data[named].name);
        want_text(&texts[named], name_room(length), entry, &in_strings, &in_names);
        if (entry) {
            in_names += length + sizeof stub_suffix;
            TRY(number_entry(maker, id));
        }
        *shown++ = (struct shown_symbol){id, named};
    }
    *strings += in_strings;
    *names += in_names;
    scratch->shown.count = (uint32_t)(shown - scratch->shown.data);
    maker->header.symbols.count = scratch->shown.count;
    return NULL;
}

static uint64_t count_other_strings(const struct maker *maker) {
    const struct graph *graph = maker->graph;
    uint64_t room = 1;
    for (uint32_t id = 0; id < graph->sections.count; id++)
        if (maker->scratch->numbers.data[id])
            room += name_room(length_of(graph, graph->sections.data[id].name));
    for (uint32_t i = 0; i < graph->actions.count; i++) {
        const struct action *action = &graph->actions.data[i];
        room += action->finalize.function ? name_room(strlen(action->finalize.function)) : 0;
        room += action->deallocate.function ? name_room(strlen(action->deallocate.function)) : 0;
    }
    return room;
}

/* Where the next one begins: the first that is too far is found out at the end, since 32-bit counts cannot
 * overflow these. */
static uint64_t place_table(struct debug_table *table, uint64_t size, uint64_t at) {
    table->offset = (uint32_t)at;
    return (at + table->count * size + 7) & ~(uint64_t)7;
}

static struct jitscope_error *place_tables(struct maker *maker) {
    struct debug_image_header *header = &maker->header;
    const struct debug_sections *sections = &maker->scratch->sections;
    uint64_t at = sizeof *header;
    at = place_table(&header->segments, sizeof(struct debuggee_segment), at);
    at = place_table(&header->sections, sizeof(struct debuggee_section), at);
    at = place_table(&header->entries, sizeof(struct debuggee_entry), at);
    at = place_table(&header->actions, sizeof(struct debuggee_action), at);
    place_table(&header->strings, 1, at);
    at += header->strings.count;
    header->description_size = (uint32_t)at;
    at = place_table(&header->names, 1, at);
    at = place_table(&header->symbols, sizeof(Elf64_Sym), at);
    header->references.count = sections->references.count;
    at = place_table(&header->references, sizeof(struct debug_reference), at);
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++) {
        header->dwarf[i].count = sections->bytes[i].count;
        at = place_table(&header->dwarf[i], 1, at);
    }
    header->size = (uint32_t)at;
    return at < INT32_MAX
               ? NULL
               : error_create(JITSCOPE_ERROR_UNSUPPORTED, "a batch with 2 GiB of debug information or more");
}

/* --- filling */

/* At *NEXT, which moves on; SUFFIX comes with its NUL. */
static uint32_t put_text(const struct maker *maker, uint32_t *next, const char *text, size_t length,
                         const char *suffix, size_t more) {
    char *strings = (char *)maker->image + maker->header.strings.offset;
    uint32_t at = *next;
    if (!length)
        return 0;
    memcpy(strings + at, text, length);
    memcpy(strings + at + length, suffix, more);
    *next = at + (uint32_t)(length + more);
    return at;
}

static uint32_t put_name(const struct maker *maker, uint32_t *next, uint32_t name) {
    const struct pooled_string *string = &maker->graph->names->strings.data[name];
    return put_text(maker, next, string->bytes, string->length, "", 1);
}

static uint32_t put_name_of(struct maker *maker, uint32_t symbol) {
    int32_t *text = &maker->scratch->texts.data[symbol];
    uint32_t name = maker->graph->symbols.data[symbol].name;
    if (*text < 0)
        *text =
            (int32_t)put_name(maker, *text == PENDING_STRING ? &maker->next_string : &maker->next_name, name);
    return (uint32_t)*text;
}

static uint32_t put_entry_name(struct maker *maker, uint32_t name, bool stub) {
    const struct pooled_string *string = &maker->graph->names->strings.data[name];
    return put_text(maker, &maker->next_name, string->bytes, string->length, stub ? stub_suffix : slot_suffix,
                    sizeof stub_suffix);
}

static uint32_t put_action_name(struct maker *maker, const char *name) {
    return name ? put_text(maker, &maker->next_string, name, strlen(name), "", 1) : 0;
}

static void put_segments(const struct maker *maker) {
    struct debuggee_segment *to = (void *)(maker->image + maker->header.segments.offset);
    for (uint32_t i = 0; i < maker->layout->alloc_count; i++) {
        const struct jitscope_segment *from = &maker->layout->segments.data[i].view;
        to[i] = (struct debuggee_segment){from->address, from->content_size + from->zero_fill_size,
                                          from->prot, (uint32_t)from->lifetime};
    }
}

static void put_sections(struct maker *maker) {
    const struct graph *graph = maker->graph;
    const uint32_t *numbers = maker->scratch->numbers.data;
    struct debuggee_section *to = (void *)(maker->image + maker->header.sections.offset);
    for (uint32_t id = 0; id < graph->sections.count; id++) {
        const struct section *section = &graph->sections.data[id];
        if (numbers[id])
            to[numbers[id] - 1] =
                (struct debuggee_section){.name = put_name(maker, &maker->next_string, section->name),
                                          .prot = section->prot,
                                          .zero_fill = section->zero_fill};
    }
    for (uint32_t id = 0; id < graph->blocks.count; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->flags & BLOCK_REMOVED || !numbers[block->section])
            continue;
        struct debuggee_section *section = &to[numbers[block->section] - 1];
        uint64_t end = block->address + block->size;
        if (!section->address || block->address < section->address)
            section->size += section->address ? section->address - block->address : 0,
                section->address = block->address;
        if (end - section->address > section->size)
            section->size = end - section->address;
    }
}

static void put_entry(const struct maker *maker, const struct shown_symbol *shown, uint32_t number,
                      uint32_t name) {
    const struct graph *graph = maker->graph;
    const struct symbol *symbol = &graph->symbols.data[shown->symbol];
    const struct edge *edge = only_edge(graph, symbol);
    struct debuggee_entry *to = (void *)(maker->image + maker->header.entries.offset);
    bool stub = is_stub(symbol);
    to[number] =
        (struct debuggee_entry){.address = graph->addresses[shown->symbol],
                                .target = graph->addresses[shown->named],
                                .size = (uint32_t)symbol->size,
                                .table = stub ? TABLE_PLT : TABLE_GOT,
                                .symbol = name,
                                .slot = stub ? maker->scratch->slots.data[edge->target] : UINT32_MAX};
}

static uint8_t info_of(const struct symbol *symbol) {
    static const uint8_t types[] = {[SYMBOL_KIND_FUNCTION] = STT_FUNC, [SYMBOL_KIND_OBJECT] = STT_OBJECT};
    unsigned bind = symbol->scope == SCOPE_LOCAL      ? STB_LOCAL
                    : symbol->linkage == LINKAGE_WEAK ? STB_WEAK
                                                      : STB_GLOBAL;
    unsigned type = symbol->kind < sizeof types ? types[symbol->kind] : STT_NOTYPE;
    return (uint8_t)ELF64_ST_INFO(bind, type);
}
_Static_assert(STT_NOTYPE == 0, "kinds without a type of their own");

static void put_symbol(const struct maker *maker, Elf64_Sym *to, uint32_t id, uint32_t name) {
    const struct graph *graph = maker->graph;
    const struct symbol *symbol = &graph->symbols.data[id];
    uint32_t section = maker->scratch->numbers.data[graph->blocks.data[symbol->block].section];
    to->st_name = name;
    to->st_info = info_of(symbol);
    to->st_other = symbol->scope == SCOPE_HIDDEN ? STV_HIDDEN : STV_DEFAULT;
    to->st_shndx = (Elf64_Section)(section < SHN_LORESERVE ? section : SHN_ABS);
    to->st_value = graph->addresses[id];
    to->st_size = symbol->size;
}

static void put_symbols(struct maker *maker) {
    const struct symbol *symbols = maker->graph->symbols.data;
    const struct debug_scratch *scratch = maker->scratch;
    Elf64_Sym *to = (void *)(maker->image + maker->header.symbols.offset);
    uint32_t entries = 0;
    for (uint32_t i = 0, count = scratch->shown.count; i < count; i++) {
        const struct shown_symbol *shown = &scratch->shown.data[i];
        const struct symbol *symbol = &symbols[shown->symbol];
        uint32_t name = put_name_of(maker, shown->named);
        if (symbol->flags & SYMBOL_TABLE_ENTRY) {
            put_entry(maker, shown, entries++, name);
            name = put_entry_name(maker, symbols[shown->named].name, is_stub(symbol));
        }
        put_symbol(maker, &to[i], shown->symbol, name);
    }
}

static void put_actions(struct maker *maker) {
    const struct graph *graph = maker->graph;
    struct debuggee_action *to = (void *)(maker->image + maker->header.actions.offset);
    for (uint32_t i = 0; i < graph->actions.count; i++) {
        const struct action *action = &graph->actions.data[i];
        const struct action_call *call = action->finalize.function ? &action->finalize : &action->deallocate;
        to[i].address = call->size >= 8 ? load_u64(call->arguments) : 0;
        to[i].size = call->size >= 16 ? load_u64(call->arguments + 8) : 0;
        to[i].finalize = put_action_name(maker, action->finalize.function);
        to[i].deallocate = put_action_name(maker, action->deallocate.function);
    }
}

static void put_dwarf(const struct maker *maker) {
    const struct debug_sections *sections = &maker->scratch->sections;
    const struct debug_image_header *header = &maker->header;
    if (sections->references.count)
        memcpy(maker->image + header->references.offset, sections->references.data,
               sections->references.count * sizeof *sections->references.data);
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++) {
        uint32_t count = sections->bytes[i].count;
        if (!count)
            continue;
        uint8_t *to = maker->image + header->dwarf[i].offset;
        store_u64(to + ((count - 1) & ~7u), 0); /* the gap behind it */
        memcpy(to, sections->bytes[i].data, count);
    }
}

static void set_extent(struct maker *maker) {
    uint64_t start = UINT64_MAX, end = 0;
    for (uint32_t i = 0; i < maker->layout->alloc_count; i++) {
        const struct jitscope_segment *view = &maker->layout->segments.data[i].view;
        uint64_t size = view->content_size + view->zero_fill_size;
        start = size && view->address < start ? view->address : start;
        end = size && view->address + size > end ? view->address + size : end;
    }
    maker->header.address = start < end ? start : 0;
    maker->header.extent = start < end ? end - start : 0;
}

/* --- the whole */

static struct jitscope_error *measure(struct maker *maker) {
    struct debug_image_header *header = &maker->header;
    header->link = maker->graph->link;
    header->units = maker->scratch->sections.units;
    header->segments.count = maker->layout->alloc_count;
    header->actions.count = maker->graph->actions.count;
    set_extent(maker);
    TRY(number_sections(maker));
    uint64_t strings = count_other_strings(maker), names = 0;
    TRY(choose_symbols(maker, &strings, &names));
    if (strings + names > INT32_MAX)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "a batch with 2 GiB of names or more");
    header->strings.count = (uint32_t)strings;
    header->names.count = (uint32_t)names;
    return place_tables(maker);
}

static struct jitscope_error *fill(struct maker *maker) {
    struct debug_scratch *scratch = maker->scratch;
    const struct debug_image_header *header = &maker->header;
    scratch->image.count = 0;
    TRY(vec_reserve(&scratch->image, header->size));
    maker->image = scratch->image.data;
    /* Each table is written whole; texts leave a gap behind them. */
    store_u64(maker->image + header->symbols.offset - 8, 0);
    maker->image[header->strings.offset] = 0;
    maker->next_string = 1;
    maker->next_name = header->strings.count;
    put_segments(maker);
    put_sections(maker);
    put_symbols(maker);
    put_actions(maker);
    put_dwarf(maker);
    memcpy(maker->image, &maker->header, sizeof maker->header);
    return NULL;
}

static struct jitscope_error *attach(const struct maker *maker) {
    struct debug_image_name *name = arena_allocate(&maker->graph->arena, sizeof *name);
    if (!name)
        return error_no_memory();
    *name = (struct debug_image_name){maker->header.address, maker->header.extent, maker->header.link};
    return graph_add_first_action(
        maker->graph,
        (struct action_call){bridge_action_REGISTER_DEBUG_IMAGE, maker->image, maker->header.size},
        (struct action_call){bridge_action_DEREGISTER_DEBUG_IMAGE, (const uint8_t *)name, sizeof *name});
}

struct jitscope_error *make_debug_image(struct graph *graph, void *context) {
    const struct debug_job *job = context;
    struct maker maker = {.graph = graph, .layout = job->layout, .scratch = job->scratch};
    if (!job->layout->alloc_count)
        return NULL;
    TRY(read_inputs(&maker));
    TRY(debug_frames_add(graph, &job->scratch->sections, &maker.frames));
    TRY(measure(&maker));
    TRY(fill(&maker));
    TRACE(graph->trace, debug_image, .size = maker.header.size, .symbols = maker.header.symbols.count,
          .frames = maker.frames, .units = maker.header.units, .inputs = maker.inputs);
    return attach(&maker);
}
