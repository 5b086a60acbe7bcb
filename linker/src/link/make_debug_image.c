/* The debug image of a batch: its description, its symbols, its DWARF.
 *
 * DWARF takes another way than code: it stays in the input's bytes until every address is known, and is then
 * copied and fixed up in one sweep (object/elf_debug.c), because no pass asks about it and most processes are
 * never debugged: as blocks and edges of the graph it would cost more than the code it describes. */
#include "link/make_debug_image.h"

#include "executor/debug_elf.h"
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
    debug_outline_destroy(&scratch->outline);
    vec_destroy(&scratch->plain);
    vec_destroy(&scratch->entries);
    vec_destroy(&scratch->notes);
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

/* --- how much room the parts take */

/* .eh_frame is no section of the ELF file: without content it is an error to readelf, and .debug_frame says
 * the same.  Those beyond what ELF counts in 16 bits are none either. */
static void count_sections(struct maker *maker) {
    const struct debug_outline *outline = &maker->scratch->outline;
    struct debug_image_header *header = &maker->header;
    uint32_t count = outline->shown.count - (outline->frames != NULL);
    header->sections.count = outline->shown.count;
    header->elf_sections = count < MOST_SECTIONS - ELF_FIXED ? count : MOST_SECTIONS - ELF_FIXED;
}

/* Room for a text with its end; none for the empty one. */
static uint64_t name_room(uint64_t length) {
    return length ? length + 1 : 0;
}

/* The number of the symbol's section, 0 when it is not shown.  Functions and data are, by name; sections,
 * files and thread-local variables have no place in a symbol table of addresses. */
static inline uint32_t section_shown(const struct symbol *symbol, const struct block *blocks,
                                     const uint32_t *numbers) {
    const uint32_t kinds = 1u << SYMBOL_KIND_FUNCTION | 1u << SYMBOL_KIND_OBJECT | 1u << SYMBOL_KIND_NONE;
    if (symbol->block == NO_BLOCK || symbol->flags & SYMBOL_EXTERNAL)
        return 0;
    if (!(symbol->flags & SYMBOL_TABLE_ENTRY) && (!(kinds >> symbol->kind & 1) || symbol->name == NO_NAME))
        return 0;
    const struct block *block = &blocks[symbol->block];
    return block->flags & BLOCK_REMOVED ? 0 : numbers[block->section];
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

static struct jitscope_error *measure_symbols(struct maker *maker, uint64_t *names) {
    const struct graph *graph = maker->graph;
    struct debug_scratch *scratch = maker->scratch;
    const struct symbol *symbols = graph->symbols.data;
    const struct block *blocks = graph->blocks.data;
    const struct pooled_string *pool = graph->names->strings.data;
    const uint32_t *numbers = scratch->outline.numbers.data;
    uint64_t room = 0;
    scratch->entries.count = scratch->plain.count = 0;
    TRY(vec_reserve(&scratch->plain, graph->symbols.count));
    struct shown_symbol *plain = scratch->plain.data;
    uint32_t plain_count = 0;
    for (uint32_t id = 0, count = graph->symbols.count; id < count; id++) {
        uint32_t section = section_shown(&symbols[id], blocks, numbers);
        if (!section)
            continue;
        if (symbols[id].flags & SYMBOL_TABLE_ENTRY) {
            TRY(vec_push(&scratch->entries, id));
            continue;
        }
        room += pool[symbols[id].name].length + 1;
        plain[plain_count++] = (struct shown_symbol){id, section};
    }
    scratch->plain.count = plain_count;
    maker->header.entries.count = scratch->entries.count;
    maker->header.symbols.count = scratch->plain.count + scratch->entries.count;
    *names += room;
    return NULL;
}

/* Where the name of a target is, before it is written. */
#define NAME_PENDING UINT32_MAX

/* All entries of a symbol, and it itself, share one text, which is among those of the description. */
static struct jitscope_error *measure_entries(struct maker *maker, uint64_t *strings, uint64_t *names) {
    const struct graph *graph = maker->graph;
    struct debug_scratch *scratch = maker->scratch;
    scratch->notes.count = 0;
    if (!scratch->entries.count)
        return NULL;
    TRY(vec_reserve(&scratch->notes, graph->symbols.count));
    uint32_t *notes = memset(scratch->notes.data, 0, graph->symbols.count * sizeof *notes);
    for (uint32_t i = 0; i < scratch->entries.count; i++) {
        uint32_t id = scratch->entries.data[i], named = final_target(graph, id);
        const struct symbol *target = &graph->symbols.data[named];
        uint32_t length = length_of(graph, target->name);
        *names += length ? length + sizeof stub_suffix : 0;
        notes[id] = i;
        if (notes[named])
            continue;
        notes[named] = NAME_PENDING;
        *strings += name_room(length);
        if (section_shown(target, graph->blocks.data, scratch->outline.numbers.data))
            *names -= name_room(length);
    }
    return NULL;
}

static uint64_t measure_other_strings(const struct maker *maker) {
    const struct graph *graph = maker->graph;
    const struct debug_outline *outline = &maker->scratch->outline;
    uint64_t room = 0;
    for (uint32_t i = 0; i < outline->shown.count; i++)
        room += name_room(outline->shown.data[i].length);
    for (uint32_t i = 0; i < graph->actions.count; i++) {
        const struct action *action = &graph->actions.data[i];
        room += action->finalize.function ? name_room(strlen(action->finalize.function)) : 0;
        room += action->deallocate.function ? name_room(strlen(action->deallocate.function)) : 0;
    }
    return room;
}

static struct jitscope_error *measure_texts(struct maker *maker) {
    uint64_t strings = measure_other_strings(maker), names = 0;
    TRY(measure_symbols(maker, &names));
    TRY(measure_entries(maker, &strings, &names));
    if (strings + names > INT32_MAX)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "a batch with 2 GiB of names or more");
    maker->header.strings.count = (uint32_t)strings;
    maker->header.names.count = (uint32_t)names;
    return NULL;
}

static uint64_t frames_size(const struct debug_outline *outline) {
    return outline->frames ? outline->shown.data[outline->shown.count - 1].size : 0;
}

static uint64_t measure_frames(const struct maker *maker) {
    const struct debug_outline *outline = &maker->scratch->outline;
    return maker->scratch->sections.bytes[DEBUG_SECTION_FRAME].count +
           debug_frames_room(frames_size(outline), outline->frames ? outline->records : 0);
}

/* --- where they lie */

/* The end of a table at AT, where the next one begins: the first that is too far is found out at the end,
 * since 32-bit counts cannot overflow these. */
static uint64_t place_table(struct debug_table *table, uint64_t size, uint64_t at) {
    table->offset = (uint32_t)at;
    return (at + table->count * size + 7) & ~(uint64_t)7;
}

/* Of SIZE bytes, and perhaps MORE; what there was stays. */
static struct jitscope_error *make_room(struct maker *maker, uint64_t size, uint64_t more) {
    struct image_memory *image = &maker->scratch->image;
    if (size + more >= INT32_MAX)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "a batch with 2 GiB of debug information or more");
    TRY(vec_reserve(image, size + more - image->count));
    image->count = (uint32_t)size;
    maker->image = image->data;
    return NULL;
}

static void *table_at(const struct maker *maker, struct debug_table table) {
    return maker->image + table.offset;
}

/* A large image becomes an ELF file. */
static void decide_elf(struct maker *maker, uint64_t frames) {
    struct debug_image_header *header = &maker->header;
    const struct debug_sections *sections = &maker->scratch->sections;
    uint64_t size = (uint64_t)header->strings.count + header->names.count +
                    (uint64_t)header->symbols.count * sizeof(Elf64_Sym) + frames;
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++)
        size += i == DEBUG_SECTION_FRAME ? 0 : sections->bytes[i].count;
    bool alone = size >= DEBUG_IMAGE_ALONE;
    header->elf.count = alone ? (uint32_t)debug_image_elf_size(header->elf_sections) : 0;
    header->strings.count += alone ? debug_image_fixed_names_size : 1;
}

/* Up to .debug_frame; its own end is known when it is written.  FRAMES: most of its bytes. */
static struct jitscope_error *place_tables(struct maker *maker, uint64_t frames) {
    struct debug_image_header *header = &maker->header;
    const struct debug_sections *sections = &maker->scratch->sections;
    uint64_t at = place_table(&header->segments, sizeof(struct debuggee_segment), sizeof *header);
    at = place_table(&header->sections, sizeof(struct debuggee_section), at);
    at = place_table(&header->entries, sizeof(struct debuggee_entry), at);
    at = place_table(&header->actions, sizeof(struct debuggee_action), at);
    at = place_table(&header->elf, 1, at);
    place_table(&header->strings, 1, at);
    at += header->strings.count;
    header->description_size = (uint32_t)at;
    at = place_table(&header->names, 1, at);
    at += header->elf.count ? sizeof(Elf64_Sym) : 0;
    at = place_table(&header->symbols, sizeof(Elf64_Sym), at);
    header->references.count = sections->references.count;
    at = place_table(&header->references, sizeof(struct debug_reference), at);
    for (int i = 0; i < DEBUG_SECTION_FRAME; i++) {
        header->dwarf[i].count = sections->bytes[i].count;
        at = place_table(&header->dwarf[i], 1, at);
    }
    header->dwarf[DEBUG_SECTION_FRAME].offset = (uint32_t)at;
    maker->scratch->image.count = 0;
    return make_room(maker, at, frames);
}
_Static_assert(DEBUG_SECTION_FRAME == DEBUG_SECTION_COUNT - 1, "nothing is behind what grows");

/* --- filling */

/* At *NEXT, which moves on; SUFFIX comes with its NUL. */
static inline uint32_t put_text(const struct maker *maker, uint32_t *next, const char *text, size_t length,
                                const char *suffix, size_t more) {
    char *strings = table_at(maker, maker->header.strings);
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

static uint32_t put_action_name(struct maker *maker, const char *name) {
    return name ? put_text(maker, &maker->next_string, name, strlen(name), "", 1) : 0;
}

/* With room for ELF, `strings` begins with the names that its sections have. */
static void begin_texts(struct maker *maker) {
    const struct debug_image_header *header = &maker->header;
    uint32_t fixed = header->elf.count ? debug_image_fixed_names_size : 1;
    uint32_t behind = header->strings.offset + header->strings.count + header->names.count;
    memset(table_at(maker, header->elf), 0, header->elf.count);
    memset(maker->image + behind, 0, header->symbols.offset - behind);
    memcpy(table_at(maker, header->strings), debug_image_fixed_names, fixed);
    maker->next_string = fixed;
    maker->next_name = header->strings.count;
}

static void put_segments(const struct maker *maker) {
    struct debuggee_segment *to = table_at(maker, maker->header.segments);
    for (uint32_t i = 0; i < maker->layout->alloc_count; i++) {
        const struct jitscope_segment *from = &maker->layout->segments.data[i].view;
        to[i] = (struct debuggee_segment){from->address, from->content_size + from->zero_fill_size,
                                          from->prot, (uint32_t)from->lifetime};
    }
}

static void put_sections(struct maker *maker) {
    const struct graph *graph = maker->graph;
    const struct debug_outline *outline = &maker->scratch->outline;
    struct debuggee_section *to = table_at(maker, maker->header.sections);
    for (uint32_t i = 0; i < outline->shown.count; i++) {
        const struct shown_section *shown = &outline->shown.data[i];
        const struct section *section = &graph->sections.data[shown->first];
        const char *name = string_pool_text(graph->names, section->name);
        to[i] = (struct debuggee_section){
            .address = shown->address,
            .size = shown->size,
            .name = put_text(maker, &maker->next_string, name, shown->length, "", 1),
            .prot = section->prot,
            .zero_fill = section->zero_fill};
    }
}

static inline uint8_t info_of(const struct symbol *symbol) {
    unsigned bind = symbol->scope == SCOPE_LOCAL      ? STB_LOCAL
                    : symbol->linkage == LINKAGE_WEAK ? STB_WEAK
                                                      : STB_GLOBAL;
    unsigned type = symbol->kind == SYMBOL_KIND_FUNCTION ? STT_FUNC
                    : symbol->kind == SYMBOL_KIND_OBJECT ? STT_OBJECT
                                                         : STT_NOTYPE;
    return (uint8_t)ELF64_ST_INFO(bind, type);
}

/* SECTION: which of the outline's, from 1. */
static inline Elf64_Sym elf_symbol(const struct symbol *symbol, uint64_t address, uint32_t section,
                                   uint32_t elf_sections, uint32_t name) {
    return (Elf64_Sym){.st_name = name,
                       .st_info = info_of(symbol),
                       .st_other = symbol->scope == SCOPE_HIDDEN ? STV_HIDDEN : STV_DEFAULT,
                       .st_shndx =
                           (Elf64_Section)(section <= elf_sections ? ELF_FIXED + section - 1 : SHN_ABS),
                       .st_value = address,
                       .st_size = symbol->size};
}

static uint32_t put_name_of(struct maker *maker, uint32_t symbol) {
    uint32_t *note = &maker->scratch->notes.data[symbol];
    if (*note == NAME_PENDING)
        *note = put_name(maker, &maker->next_string, maker->graph->symbols.data[symbol].name);
    return *note;
}

static void put_entry(struct maker *maker, uint32_t number, Elf64_Sym *to) {
    const struct graph *graph = maker->graph;
    uint32_t id = maker->scratch->entries.data[number], named = final_target(graph, id);
    const struct symbol *symbol = &graph->symbols.data[id];
    const struct pooled_string *string = &graph->names->strings.data[graph->symbols.data[named].name];
    const uint32_t *numbers = maker->scratch->outline.numbers.data;
    struct debuggee_entry *entries = table_at(maker, maker->header.entries);
    bool stub = is_stub(symbol);
    entries[number] = (struct debuggee_entry){
        .address = graph->addresses[id],
        .target = graph->addresses[named],
        .size = (uint32_t)symbol->size,
        .table = stub ? TABLE_PLT : TABLE_GOT,
        .symbol = put_name_of(maker, named),
        .slot = stub ? maker->scratch->notes.data[only_edge(graph, symbol)->target] : UINT32_MAX};
    uint32_t name = put_text(maker, &maker->next_name, string->bytes, string->length,
                             stub ? stub_suffix : slot_suffix, sizeof stub_suffix);
    *to = elf_symbol(symbol, graph->addresses[id], numbers[graph->blocks.data[symbol->block].section],
                     maker->header.elf_sections, name);
}

/* What entries, which are done, lead to has its name already.  All in locals, since what is stored could
 * change the rest as far as the compiler knows. */
static void put_plain_symbols(struct maker *maker, Elf64_Sym *to) {
    const struct graph *graph = maker->graph;
    const struct symbol *symbols = graph->symbols.data;
    const uint64_t *addresses = graph->addresses;
    const struct pooled_string *pool = graph->names->strings.data;
    const uint32_t *notes = maker->scratch->entries.count ? maker->scratch->notes.data : NULL;
    const uint32_t elf_sections = maker->header.elf_sections;
    char *strings = table_at(maker, maker->header.strings);
    uint32_t next = maker->next_name;
    const struct shown_symbol *plain = maker->scratch->plain.data;
    for (uint32_t i = 0, count = maker->scratch->plain.count; i < count; i++) {
        const struct shown_symbol shown = plain[i];
        const struct symbol *symbol = &symbols[shown.id];
        uint32_t name = notes ? notes[shown.id] : 0;
        if (!name) {
            const struct pooled_string *string = &pool[symbol->name];
            memcpy(strings + next, string->bytes, string->length + (size_t)1);
            name = next;
            next += string->length + 1;
        }
        *to++ = elf_symbol(symbol, addresses[shown.id], shown.section, elf_sections, name);
    }
    maker->next_name = next;
}

static void put_symbols(struct maker *maker) {
    Elf64_Sym *to = table_at(maker, maker->header.symbols);
    for (uint32_t i = 0; i < maker->scratch->entries.count; i++)
        put_entry(maker, i, to++);
    put_plain_symbols(maker, to);
}

static void put_actions(struct maker *maker) {
    const struct graph *graph = maker->graph;
    struct debuggee_action *to = table_at(maker, maker->header.actions);
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
        memcpy(table_at(maker, header->references), sections->references.data,
               sections->references.count * sizeof *sections->references.data);
    for (int i = 0; i < DEBUG_SECTION_FRAME; i++) {
        uint32_t count = sections->bytes[i].count;
        if (!count)
            continue;
        uint8_t *to = table_at(maker, header->dwarf[i]);
        store_u64(to + ((count - 1) & ~7u), 0); /* the gap behind it */
        memcpy(to, sections->bytes[i].data, count);
    }
}

/* --- frames */

static struct jitscope_error *put_stub_frames(const struct maker *maker, struct debug_frames *frames) {
    const struct debug_outline *outline = &maker->scratch->outline;
    uint32_t name = string_pool_find(maker->graph->names, ".plt", sizeof ".plt" - 1);
    for (uint32_t i = 0; name != NO_NAME && i < outline->shown.count; i++) {
        const struct shown_section *shown = &outline->shown.data[i];
        if (maker->graph->sections.data[shown->first].name == name && shown->size)
            TRY(debug_frames_add_stubs(frames, shown->address, shown->size));
    }
    return NULL;
}

/* Behind those that inputs have. */
static struct jitscope_error *put_frames(struct maker *maker) {
    struct image_memory *image = &maker->scratch->image;
    struct debug_table *table = &maker->header.dwarf[DEBUG_SECTION_FRAME];
    const struct debug_sections *sections = &maker->scratch->sections;
    const struct debug_outline *outline = &maker->scratch->outline;
    uint32_t given = sections->bytes[DEBUG_SECTION_FRAME].count;
    if (given)
        memcpy(table_at(maker, *table), sections->bytes[DEBUG_SECTION_FRAME].data, given);
    image->count += given;
    struct debug_frames frames = {.arch = maker->graph->arch, .image = image, .start = table->offset};
    TRY(put_stub_frames(maker, &frames));
    if (outline->frames)
        TRY(debug_frames_add(&frames, outline->shown.data[outline->shown.count - 1].address,
                             (struct bytes){outline->frames, frames_size(outline)}));
    maker->frames = frames.count;
    table->count = image->count - table->offset;
    uint64_t end = ((uint64_t)image->count + 7) & ~(uint64_t)7, behind = image->count;
    TRY(make_room(maker, end, 0));
    memset(maker->image + behind, 0, end - behind);
    maker->header.size = (uint32_t)end;
    return NULL;
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
    TRY(debug_outline_make(&maker->scratch->outline, maker->graph, maker->layout));
    count_sections(maker);
    TRY(measure_texts(maker));
    uint64_t frames = measure_frames(maker);
    decide_elf(maker, frames);
    return place_tables(maker, frames);
}

static struct jitscope_error *fill(struct maker *maker) {
    begin_texts(maker);
    put_segments(maker);
    put_sections(maker);
    put_symbols(maker);
    put_actions(maker);
    put_dwarf(maker);
    TRY(put_frames(maker));
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

enum { MOST_KEPT = 8192 }; /* symbols, of one batch for the next */

struct jitscope_error *make_debug_image(struct graph *graph, void *context) {
    const struct debug_job *job = context;
    struct maker maker = {.graph = graph, .layout = job->layout, .scratch = job->scratch};
    if (!job->layout->alloc_count)
        return NULL;
    TRY(read_inputs(&maker));
    TRY(measure(&maker));
    TRY(fill(&maker));
    if (job->scratch->plain.count > MOST_KEPT)
        vec_destroy(&job->scratch->plain); /* there is room for what the session notes */
    TRACE(graph->trace, debug_image, .size = maker.header.size, .symbols = maker.header.symbols.count,
          .frames = maker.frames, .units = maker.header.units, .inputs = maker.inputs);
    return attach(&maker);
}
