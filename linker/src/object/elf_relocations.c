/* Relocations with addend become edges (gABI chapter 4, "Relocation"; psABI x86-64 section 4.4). */
#include "object/elf_reader.h"

#include "arch/arch.h"
#include "arch/x86_64.h"
#include "object/relocations.h"

#include <inttypes.h>

enum { TLS_CALL_SIZE = 2 }; /* call *(%rax) */

/* One RELA section while it is read. */
struct source {
    uint32_t section; /* index of the section that is relocated */
    uint32_t block;
    uint64_t size;
    bool alloc;
    bool code;
};

/* Matters for what is discarded or not sound, which most is not. */
static bool is_eh_frame(const struct elf_reader *reader, const struct source *source) {
    static const char text[] = ".eh_frame";
    const struct graph *graph = reader->graph;
    uint32_t name = graph->sections.data[graph->blocks.data[source->block].section].name;
    const struct pooled_string *string = &graph->names->strings.data[name];
    return !source->code && string->length == sizeof text - 1 &&
           !memcmp(string->bytes, text, sizeof text - 1);
}

static struct jitscope_error *bad_type(const struct elf_reader *reader, const struct source *source,
                                       const Elf64_Rela *rela) {
    uint32_t type = (uint32_t)ELF64_R_TYPE(rela->r_info), symbol = (uint32_t)ELF64_R_SYM(rela->r_info);
    const struct relocation_info *info = type < RELOCATION_X86_64_LIMIT ? &relocations_x86_64[type] : NULL;
    if (!info || !info->name)
        return elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, source->section, rela->r_offset, symbol,
                         "relocation type %u is not in the x86-64 psABI", type);
    if (info->state == RELOCATION_DYNAMIC)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, source->section, rela->r_offset, symbol,
                         "%s stands in executables and shared libraries only", info->name);
    return elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, source->section, rela->r_offset, symbol,
                     "%s (%s) is not linked yet", info->name, info->why);
}

/* The value 0, for relocations without a symbol and for records of dropped functions. */
static struct jitscope_error *zero_symbol(struct graph *graph, uint32_t *symbol) {
    if (graph->zero_symbol == NO_SYMBOL)
        TRY(graph_add_symbol(
            graph,
            (struct symbol){
                .block = NO_BLOCK, .input = NO_INPUT, .scope = SCOPE_LOCAL, .kind = SYMBOL_KIND_ABSOLUTE},
            &graph->zero_symbol));
    *symbol = graph->zero_symbol;
    return NULL;
}

/* Symbols that have no graph symbol yet, or never will.  *drop: the relocation has no meaning any more. */
static struct jitscope_error *unusual_target(struct elf_reader *reader, const struct source *source,
                                             const Elf64_Rela *rela, uint32_t *target, bool *drop) {
    uint32_t index = (uint32_t)ELF64_R_SYM(rela->r_info);
    if (!index)
        return zero_symbol(reader->graph, target);
    if (*target == SYMBOL_NOT_YET) {
        TRY(elf_reader_want_symbol(reader, index));
        *target = reader->scratch->symbol_of_index.data[index];
    }
    if (*target == SYMBOL_NOT_YET)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, source->section, rela->r_offset, index,
                         "a relocation against a symbol that is no place");
    if (*target != SYMBOL_DISCARDED)
        return NULL;
    if (is_eh_frame(reader, source)) /* eh_frame_split drops the record by this */
        return zero_symbol(reader->graph, target);
    *drop = !source->alloc;
    if (*drop)
        return NULL;
    return error_with_help(
        elf_error(reader, JITSCOPE_ERROR_FORMAT, source->section, rela->r_offset, index,
                  "refers to a local symbol of a section that was discarded"),
        "the objects were compiled from different versions of an inline function or template");
}

static void note_absolute_32(struct graph *graph, const struct source *source, uint32_t target) {
    if (source->alloc && graph->symbols.data[target].kind != SYMBOL_KIND_ABSOLUTE)
        graph->wants_low_memory = true;
}

/* What these stand for is an entry of which code takes the address, with the last four bytes of an
 * instruction, or which it reads, and then up to four bytes may follow.  There is nothing to have beside an
 * entry. */
static struct jitscope_error *check_entry_addend(const struct elf_reader *reader, const struct source *source,
                                                 const Elf64_Rela *rela, const struct relocation_info *info) {
    bool is_read = info->edge == EDGE_X86_64_REQUEST_TP_OFFSET32;
    if (!source->code || (rela->r_addend <= -4 && rela->r_addend >= (is_read ? -8 : -4)) ||
        (!is_read && info->edge != EDGE_X86_64_REQUEST_TLS_PAIR32 &&
         info->edge != EDGE_X86_64_REQUEST_TLS_BLOCK32 && info->edge != EDGE_X86_64_REQUEST_TLS_DESCRIPTOR32))
        return NULL;
    return error_with_help(elf_error(reader, JITSCOPE_ERROR_FORMAT, source->section, rela->r_offset,
                                     (uint32_t)ELF64_R_SYM(rela->r_info),
                                     "%s with an addend of %" PRId64
                                     ", not %s-4: nothing lies beside its entry",
                                     info->name, (int64_t)rela->r_addend, is_read ? "-8 .. " : ""),
                           "add the offset to the address that the code gets, not to the symbol");
}

/* The address of a thread-local symbol is an offset, which means nothing to other kinds of relocations. */
static struct jitscope_error *check_thread_local(const struct elf_reader *reader, const struct source *source,
                                                 const Elf64_Rela *rela, uint32_t target) {
    uint32_t type = (uint32_t)ELF64_R_TYPE(rela->r_info), symbol = (uint32_t)ELF64_R_SYM(rela->r_info);
    const struct relocation_info *info = &relocations_x86_64[type];
    bool by_kind = arch_x86_64.tls_kinds >> info->edge & 1,
         is_thread_local = reader->graph->symbols.data[target].kind == SYMBOL_KIND_TLS;
    if (type == R_X86_64_TLSDESC_CALL && source->size - rela->r_offset < TLS_CALL_SIZE)
        return elf_error(reader, JITSCOPE_ERROR_OUT_OF_RANGE, source->section, rela->r_offset, symbol,
                         "%s marks a call that lies behind the end of the section (0x%" PRIx64 " bytes)",
                         info->name, source->size);
    TRY(check_entry_addend(reader, source, rela, info));
    if (by_kind == is_thread_local || info->edge == EDGE_X86_64_KEEP_ALIVE || !source->alloc ||
        type == R_X86_64_TLSLD || arch_x86_64.size_kinds >> info->edge & 1)
        return NULL;
    return error_with_help(elf_error(reader, JITSCOPE_ERROR_FORMAT, source->section, rela->r_offset, symbol,
                                     by_kind ? "%s against a symbol that is not thread-local"
                                             : "%s against a thread-local symbol",
                                     info->name),
                           "declare the variable thread_local everywhere, or nowhere");
}

static struct jitscope_error *read_relocation(struct elf_reader *reader, const struct source *source,
                                              const Elf64_Rela *rela) {
    uint32_t type = (uint32_t)ELF64_R_TYPE(rela->r_info), symbol = (uint32_t)ELF64_R_SYM(rela->r_info);
    if (type >= RELOCATION_X86_64_LIMIT || relocations_x86_64[type].state != RELOCATION_KNOWN)
        return bad_type(reader, source, rela);
    if (symbol >= reader->symbol_count && symbol)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, source->section, rela->r_offset, 0,
                         "a relocation against symbol %u of %u", symbol, reader->symbol_count);
    const struct relocation_info *info = &relocations_x86_64[type];
    if (rela->r_offset > source->size || source->size - rela->r_offset < info->width)
        return elf_error(reader, JITSCOPE_ERROR_OUT_OF_RANGE, source->section, rela->r_offset, symbol,
                         "%s writes %u bytes behind the end of the section (0x%" PRIx64 " bytes)", info->name,
                         info->width, source->size);
    uint32_t target = symbol ? reader->scratch->symbol_of_index.data[symbol] : SYMBOL_NOT_YET;
    bool drop = false;
    if (__builtin_expect(target >= SYMBOL_DISCARDED, 0))
        TRY(unusual_target(reader, source, rela, &target, &drop));
    if (drop)
        return NULL;
    if (__builtin_expect(reader->has_thread_locals || arch_x86_64.tls_kinds >> info->edge & 1, 0))
        TRY(check_thread_local(reader, source, rela, target));
    if (__builtin_expect(arch_x86_64.low_kinds >> info->edge & 1, 0))
        note_absolute_32(reader->graph, source, target);
    struct edge edge = {
        .offset = (uint32_t)rela->r_offset, .target = target, .kind = info->edge, .origin = (uint8_t)type};
    TRY(graph_set_addend(reader->graph, &edge, rela->r_addend));
    graph_put_edge(reader->graph, source->block, edge);
    return NULL;
}

/* What the loop over the relocations of one table wants to know of all. */
struct plain_run {
    const uint32_t *symbols; /* graph symbols, by index; of index 0, which is none, SYMBOL_NOT_YET */
    uint32_t symbol_count;
    const struct symbol *graph_symbols; /* where some may be thread-local, which are not plain; or NULL */
    uint64_t size;                      /* of the section */
    uint64_t special;                   /* kinds that are not plain */
};

/* OFFSET is one of 32 bits, and so is the ADDEND. */
static inline bool are_short(uint64_t offset, uint64_t addend) {
    return !((offset | (addend + (UINT64_C(1) << 31))) >> 32);
}

/* Makes edges of what stands from NEXT on, up to the first that is not plain or whose symbol is not there;
 * where that is.  A function of its own, so that the loop has all registers. */
static __attribute__((noinline)) const uint8_t *put_plain(const struct plain_run *run, const uint8_t *next,
                                                          const uint8_t *end, struct edge **edges) {
    const uint32_t *symbols = run->symbols, symbol_count = run->symbol_count;
    const struct symbol *graph_symbols = run->graph_symbols;
    const uint64_t size = run->size, special = run->special;
    struct edge *edge = *edges;
    for (; next < end; next += sizeof(Elf64_Rela)) {
        uint64_t offset = load_u64(next + offsetof(Elf64_Rela, r_offset));
        uint64_t info = load_u64(next + offsetof(Elf64_Rela, r_info));
        uint32_t type = (uint32_t)ELF64_R_TYPE(info), symbol = (uint32_t)ELF64_R_SYM(info);
        uint64_t addend = load_u64(next + offsetof(Elf64_Rela, r_addend));
        if (type >= RELOCATION_X86_64_LIMIT || symbol >= symbol_count)
            break;
        const struct relocation_field *field = &relocation_fields_x86_64[type];
        uint32_t target = symbols[symbol];
        if (target >= SYMBOL_DISCARDED || !are_short(offset, addend) || special >> field->edge.kind & 1 ||
            offset + field->width > size || (graph_symbols && graph_symbols[target].kind == SYMBOL_KIND_TLS))
            break;
        *edge = field->edge;
        edge->offset = (uint32_t)offset;
        edge->target = target;
        edge->addend.bits = (int32_t)addend;
        edge++;
    }
    *edges = edge;
    return next;
}

/* Makes the local symbol that the relocation at AT is about, when it is one that is not there yet; *made: now
 * it is. */
static struct jitscope_error *want_target(struct elf_reader *reader, const uint8_t *at, bool *made) {
    const uint32_t *targets = reader->scratch->symbol_of_index.data;
    uint32_t symbol = (uint32_t)ELF64_R_SYM(load_u64(at + offsetof(Elf64_Rela, r_info)));
    *made = false;
    if (!symbol || symbol >= reader->symbol_count || targets[symbol] != SYMBOL_NOT_YET)
        return NULL;
    TRY(elf_reader_want_symbol(reader, symbol));
    *made = targets[symbol] < SYMBOL_DISCARDED;
    return NULL;
}

/* Nearly every relocation is of a common type, lies in its section, has an addend of 32 bits and is about a
 * symbol that is there, or about a local that is made when something refers to it: takes what stands from *AT
 * on of such, and moves *AT to where the first other one stands. */
static struct jitscope_error *read_plain(struct elf_reader *reader, const struct source *source,
                                         struct plain_run *run, const uint8_t **at, const uint8_t *end) {
    struct graph *graph = reader->graph;
    bool goes_on = true;
    run->size = source->size;
    while (goes_on) {
        struct edge *first = graph->edges.data + graph->edges.count, *edge = first;
        run->graph_symbols = reader->has_thread_locals ? graph->symbols.data : NULL;
        *at = put_plain(run, *at, end, &edge);
        /* A block may come with a symbol that is wanted. */
        graph_count_edges(graph, source->block, (uint32_t)(edge - first));
        if (*at == end)
            return NULL;
        TRY(want_target(reader, *at, &goes_on));
    }
    return NULL;
}

static inline bool is_sound(const struct elf_reader *reader, const Elf64_Shdr *table) {
    return table->sh_type == SHT_RELA && table->sh_entsize == sizeof(Elf64_Rela) &&
           table->sh_size % sizeof(Elf64_Rela) == 0 &&
           bytes_contain(reader->file, table->sh_offset, table->sh_size) &&
           (table->sh_link == reader->symbol_table || !table->sh_size);
}

/* Of one that is not sound. */
static __attribute__((cold, noinline)) struct jitscope_error *bad_table(const struct elf_reader *reader,
                                                                        uint32_t index) {
    const Elf64_Shdr copy = elf_section(reader, index), *table = &copy;
    if (table->sh_type == SHT_REL)
        return elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, index, NO_OFFSET, 0,
                         "relocations without addend (SHT_REL); x86-64 objects have SHT_RELA");
    if (table->sh_entsize != sizeof(Elf64_Rela) || table->sh_size % sizeof(Elf64_Rela))
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0,
                         "a relocation table of 0x%llx bytes with entries of %llu",
                         (unsigned long long)table->sh_size, (unsigned long long)table->sh_entsize);
    if (!bytes_contain(reader->file, table->sh_offset, table->sh_size))
        return elf_error(reader, JITSCOPE_ERROR_TRUNCATED, index, NO_OFFSET, 0,
                         "the relocation table at file offset 0x%llx lies outside the file",
                         (unsigned long long)table->sh_offset);
    return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0,
                     "its symbol table has index %u, the file's has %u", table->sh_link,
                     reader->symbol_table);
}

static struct jitscope_error *read_entries(struct elf_reader *reader, struct bytes table,
                                           const struct source *source, struct plain_run *run) {
    if (reader->graph->blocks.data[source->block].flags & BLOCK_ZERO_FILL && table.size)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, source->section, NO_OFFSET, 0,
                         "relocations in a section without content");
    const uint8_t *at = table.data, *end = at + table.size;
    bool traced = trace_wants(reader->graph->trace, LEVEL_EDGES);
    TRY(graph_reserve_first_edges(reader->graph, source->block, table.size / sizeof(Elf64_Rela)));
    while (at < end) {
        Elf64_Rela rela;
        if (!traced)
            TRY(read_plain(reader, source, run, &at, end));
        if (at == end)
            break;
        memcpy(&rela, at, sizeof rela);
        TRY(read_relocation(reader, source, &rela));
        at += sizeof rela;
    }
    return NULL;
}

/* Unwind tables that are not sound do not stop a link (object/eh_frame.c has the rest of this). */
static struct jitscope_error *go_without(struct elf_reader *reader, uint32_t block,
                                         struct jitscope_error *error) {
    struct graph *graph = reader->graph;
    if (graph->input_name)
        error = error_in_input(error, graph->input_name(graph->input_context, reader->input));
    TRY(graph_tell_discarded(graph, reader->input, error, "its functions have no unwind information"));
    graph_remove_block(graph, block, REASON_UNSOUND);
    return NULL;
}

/* --- code for start-up files
 * ------------------------------------------------------------------------------------------- */

enum { CALL_SIZE = 5, CALL_OPCODE = 0xe8 };

static bool is_call(const uint8_t *code, uint64_t offset, const Elf64_Rela *rela) {
    uint32_t type = (uint32_t)ELF64_R_TYPE(rela->r_info);
    return code[offset] == CALL_OPCODE && rela->r_offset == offset + 1 &&
           (type == R_X86_64_PLT32 || type == R_X86_64_PC32);
}

/* _init runs before what is in other arrays. */
static struct jitscope_error *make_array(struct elf_reader *reader, uint32_t section, uint64_t size,
                                         uint32_t *block) {
    static const char text[] = ".init_array.0";
    struct graph *graph = reader->graph;
    uint32_t name, id;
    uint8_t *content = arena_allocate(&graph->arena, size);
    if (!content)
        return error_no_memory();
    memset(content, 0, size);
    TRY(string_pool_intern(graph->names, text, sizeof text - 1, &name));
    TRY(graph_add_section(graph, name, PROTECT_READ | PROTECT_WRITE, LIFETIME_STANDARD, false, &id));
    return graph_add_block(graph, id, content, size, 3, (struct block_source){reader->input, section, 0},
                           block);
}

/* Nothing but calls in .init: that is the same as an array of pointers to what they call. */
static __attribute__((noinline)) struct jitscope_error *read_calls(struct elf_reader *reader,
                                                                   uint32_t index) {
    const Elf64_Shdr table = elf_section(reader, index), section = elf_section(reader, table.sh_info);
    uint32_t from = table.sh_info;
    uint64_t count = section.sh_size / CALL_SIZE;
    struct source source = {.section = from, .size = count * 8, .alloc = true};
    if (!is_sound(reader, &table))
        return bad_table(reader, index);
    if (section.sh_size % CALL_SIZE || table.sh_size / sizeof(Elf64_Rela) != count ||
        source.size > UINT32_MAX)
        return elf_refuse_start_up_code(reader, from);
    const uint8_t *code = reader->file.data + section.sh_offset, *at = reader->file.data + table.sh_offset;
    TRY(make_array(reader, from, source.size, &source.block));
    TRY(graph_reserve_edges(reader->graph, source.block, count));
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Rela rela;
        memcpy(&rela, at + i * sizeof rela, sizeof rela);
        if (!is_call(code, i * CALL_SIZE, &rela))
            return elf_refuse_start_up_code(reader, from);
        rela = (Elf64_Rela){.r_offset = i * 8,
                            .r_info = ELF64_R_INFO(ELF64_R_SYM(rela.r_info), R_X86_64_64),
                            .r_addend = (int64_t)((uint64_t)rela.r_addend + 4)};
        TRY(read_relocation(reader, &source, &rela));
    }
    reader->scratch->section_state.data[from] = SECTION_SKIPPED;
    return NULL;
}

/* Without a table of relocations nothing of it calls what is known. */
static struct jitscope_error *check_calls(const struct elf_reader *reader) {
    for (uint32_t i = 1; i < reader->section_count; i++)
        if (reader->scratch->section_state.data[i] == SECTION_CALLS)
            return elf_refuse_start_up_code(reader, i);
    return NULL;
}

/* --- tables
 * ------------------------------------------------------------------------------------------------------- */

static inline struct jitscope_error *read_table(struct elf_reader *reader, uint32_t index,
                                                struct plain_run *run) {
    const Elf64_Shdr table = elf_section(reader, index);
    struct source source = {.section = table.sh_info};
    if (source.section >= reader->section_count)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0, "it relocates section %u of %u",
                         source.section, reader->section_count);
    if (reader->scratch->section_state.data[source.section] == SECTION_CALLS)
        return read_calls(reader, index);
    if (table.sh_size)
        TRY(elf_reader_want_section(reader, source.section));
    source.block = reader->scratch->block_of_section.data[source.section];
    if (source.block == NO_BLOCK)
        return NULL;
    source.size = reader->graph->blocks.data[source.block].size;
    uint64_t flags = elf_section_flags(reader, source.section);
    source.alloc = flags & SHF_ALLOC;
    source.code = source.alloc && flags & SHF_EXECINSTR;
    struct jitscope_error *error =
        is_sound(reader, &table)
            ? read_entries(reader, (struct bytes){reader->file.data + table.sh_offset, table.sh_size},
                           &source, run)
            : bad_table(reader, index);
    return error && source.alloc && is_eh_frame(reader, &source) ? go_without(reader, source.block, error)
                                                                 : error;
}

/* Room for all of them at once, where there are many tables. */
static struct jitscope_error *reserve_edges(struct elf_reader *reader) {
    return reader->section_count < MANY_SECTIONS
               ? NULL
               : vec_reserve(&reader->graph->edges, reader->table_size / sizeof(Elf64_Rela));
}

struct jitscope_error *elf_read_relocations(struct elf_reader *reader) {
    /* Types that are not known have kind 0, which hardly any relocation has. */
    struct plain_run run = {.symbols = reader->scratch->symbol_of_index.data,
                            .symbol_count = reader->symbol_count,
                            .special = arch_x86_64.tls_kinds | arch_x86_64.low_kinds |
                                       UINT64_C(1) << EDGE_KEEP_ALIVE};
    TRY(reserve_edges(reader));
    for (uint32_t i = 1; i < reader->section_count; i++) {
        uint32_t type = elf_section_type(reader, i);
        if (type == SHT_RELA || type == SHT_REL)
            TRY(read_table(reader, i, &run));
    }
    return reader->has_calls ? check_calls(reader) : NULL;
}
