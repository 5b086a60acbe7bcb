/* Symbols of an ET_REL file (gABI chapter 4, "Symbol Table"). */
#include "object/elf_reader.h"

/* Addresses without the tags that -fsanitize=hwaddress gives to objects. */
#define UNTAGGED (~(UINT64_C(0xff) << 56))

static uint8_t scope_of(const struct elf_symbol_entry *symbol) {
    switch (ELF64_ST_VISIBILITY(symbol->st_other)) {
    case STV_HIDDEN:
    case STV_INTERNAL:
        return SCOPE_HIDDEN;
    default: /* protected: visible outside, and nothing here preempts anyway */
        return SCOPE_DEFAULT;
    }
}

static uint8_t kind_of(const struct elf_symbol_entry *symbol) {
    static const uint8_t kinds[16] = {
        [STT_FUNC] = SYMBOL_KIND_FUNCTION,   [STT_OBJECT] = SYMBOL_KIND_OBJECT,
        [STT_COMMON] = SYMBOL_KIND_OBJECT,   [STT_TLS] = SYMBOL_KIND_TLS,
        [STT_SECTION] = SYMBOL_KIND_SECTION, [STT_GNU_IFUNC] = SYMBOL_KIND_IFUNC,
    };
    uint8_t kind = kinds[ELF64_ST_TYPE(symbol->st_info)];
    /* Whoever refers to an indirect function sees a function. */
    return kind == SYMBOL_KIND_IFUNC && symbol->st_shndx == SHN_UNDEF ? SYMBOL_KIND_FUNCTION : kind;
}

static struct jitscope_error *check_symbol(const struct elf_reader *reader, uint32_t index,
                                           const struct elf_symbol_entry *symbol) {
    if (elf_is_common(symbol->st_shndx) && symbol->st_value && !is_power_of_two(symbol->st_value))
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, 0, NO_OFFSET, index,
                         "a common symbol with an alignment of 0x%llx", (unsigned long long)symbol->st_value);
    if (elf_is_common(symbol->st_shndx) && symbol->st_size > UINT32_MAX)
        return elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, 0, NO_OFFSET, index,
                         "a common symbol of 0x%llx bytes: 4 GiB or more",
                         (unsigned long long)symbol->st_size);
    if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC &&
        (symbol->st_shndx == SHN_ABS || elf_is_common(symbol->st_shndx)))
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, 0, NO_OFFSET, index,
                         "an indirect function (STT_GNU_IFUNC) whose resolver lies in no section");
    return NULL;
}

/* What lies in a thread-local section is thread-local, and nothing else is. */
static struct jitscope_error *check_thread_local(struct elf_reader *reader, uint32_t index,
                                                 struct symbol *symbol) {
    const struct graph *graph = reader->graph;
    const struct section *section = &graph->sections.data[graph->blocks.data[symbol->block].section];
    bool is_thread_local = section->lifetime == LIFETIME_THREAD;
    if (is_thread_local && (symbol->kind == SYMBOL_KIND_SECTION || symbol->kind == SYMBOL_KIND_NONE))
        symbol->kind = SYMBOL_KIND_TLS;
    reader->has_thread_locals |= is_thread_local;
    if ((symbol->kind == SYMBOL_KIND_TLS) == is_thread_local)
        return NULL;
    return elf_error(reader, JITSCOPE_ERROR_FORMAT, 0, NO_OFFSET, index,
                     is_thread_local ? "it lies in a thread-local section and is no thread-local symbol"
                                     : "a thread-local symbol (STT_TLS) outside thread-local sections");
}

/* Fills in the block (or absolute value, or common); *state says whether the symbol's section is in the
 * graph. */
static inline struct jitscope_error *place_symbol(struct elf_reader *reader, uint32_t index,
                                                  const struct elf_symbol_entry *from, struct symbol *symbol,
                                                  enum section_state *state) {
    uint32_t section = elf_reader_symbol_section(reader, index);
    *state = SECTION_TAKEN;
    reader->has_thread_locals |= symbol->kind == SYMBOL_KIND_TLS;
    if (from->st_shndx == SHN_ABS) {
        symbol->kind = SYMBOL_KIND_ABSOLUTE;
        return NULL;
    }
    if (elf_is_common(from->st_shndx)) {
        symbol->linkage = LINKAGE_COMMON;
        symbol->flags = from->st_shndx == SHN_COMMON ? 0 : SYMBOL_LARGE;
        return NULL;
    }
    if (from->st_shndx == SHN_XINDEX && !reader->extended_indices)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, 0, NO_OFFSET, index,
                         "its section's number stands in a table (SHT_SYMTAB_SHNDX) that is missing");
    if (section >= reader->section_count)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, 0, NO_OFFSET, index, "it lies in section %u of %u",
                         section, reader->section_count);
    TRY(elf_reader_want_section(reader, section));
    *state = (enum section_state)reader->scratch->section_state.data[section];
    if (*state == SECTION_CALLS && symbol->kind != SYMBOL_KIND_SECTION)
        return elf_refuse_start_up_code(reader, section);
    if (*state == SECTION_CALLS) /* unwind tables and debug information do without it */
        *state = SECTION_SKIPPED;
    if (*state != SECTION_TAKEN)
        return NULL;
    symbol->block = reader->scratch->block_of_section.data[section];
    reader->graph->has_ifuncs |= symbol->kind == SYMBOL_KIND_IFUNC;
    uint64_t size = reader->graph->blocks.data[symbol->block].size;
    if (symbol->value > size && (symbol->value & UNTAGGED) <= size)
        return error_with_help(elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, section, symbol->value, index,
                                         "the symbol's address has a tag in its highest byte"),
                               "-fsanitize=hwaddress makes such addresses: leave the option out");
    if (symbol->value > size)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, section, symbol->value, index,
                         "the symbol lies behind the end of its section (0x%llx bytes)",
                         (unsigned long long)size);
    return check_thread_local(reader, index, symbol);
}

/* A unique definition that is not the first. */
static bool is_elsewhere(const struct elf_reader *reader, const struct elf_symbol_entry *from,
                         const struct symbol *symbol) {
    return ELF64_ST_BIND(from->st_info) == STB_GNU_UNIQUE && from->st_shndx != SHN_UNDEF &&
           symbol->scope == SCOPE_DEFAULT && reader->options->is_elsewhere &&
           reader->options->is_elsewhere(reader->options->context, symbol->name);
}

static inline struct jitscope_error *read_global(struct elf_reader *reader, uint32_t index,
                                                 const struct elf_symbol_entry *from, struct symbol *symbol) {
    uint32_t *id = &reader->scratch->symbol_of_index.data[index];
    bool weak = ELF64_ST_BIND(from->st_info) == STB_WEAK,
         unique = ELF64_ST_BIND(from->st_info) == STB_GNU_UNIQUE;
    enum section_state state = SECTION_SKIPPED;
    bool won;
    symbol->scope = scope_of(from);
    symbol->linkage = weak || unique ? LINKAGE_WEAK : LINKAGE_STRONG;
    if (__builtin_expect(is_elsewhere(reader, from, symbol), 0))
        return graph_refer(reader->graph, symbol->name, LINKAGE_STRONG, symbol->scope, symbol->kind,
                           reader->input, id);
    if (from->st_shndx != SHN_UNDEF)
        TRY(place_symbol(reader, index, from, symbol, &state));
    reader->has_thread_locals |= symbol->kind == SYMBOL_KIND_TLS;
    if (from->st_shndx == SHN_UNDEF || state == SECTION_DISCARDED)
        return graph_refer(reader->graph, symbol->name, weak ? LINKAGE_WEAK : LINKAGE_STRONG, symbol->scope,
                           symbol->kind, reader->input, id);
    if (state == SECTION_SKIPPED) {
        *id = SYMBOL_DISCARDED;
        return NULL;
    }
    return graph_define(reader->graph, symbol, id, &won);
}

static struct jitscope_error *enter_local(struct elf_reader *reader, uint32_t index,
                                          const struct elf_symbol_entry *from, struct symbol *symbol) {
    uint32_t *id = &reader->scratch->symbol_of_index.data[index];
    enum section_state state;
    symbol->scope = SCOPE_LOCAL;
    TRY(place_symbol(reader, index, from, symbol, &state));
    if (state == SECTION_TAKEN)
        return graph_add_symbol(reader->graph, *symbol, id);
    *id = SYMBOL_DISCARDED;
    return NULL;
}

/* Locals without a name of their own (sections, .L labels) are made when something refers to them. */
static inline bool waits_until_wanted(const char *name) {
    return !name[0] || (name[0] == '.' && name[1] == 'L');
}

static struct jitscope_error *read_local(struct elf_reader *reader, uint32_t index,
                                         const struct elf_symbol_entry *from, struct symbol *symbol,
                                         bool wanted) {
    if (ELF64_ST_TYPE(from->st_info) == STT_FILE || from->st_shndx == SHN_UNDEF)
        return NULL;
    if (!wanted && waits_until_wanted(string_pool_text(reader->graph->names, symbol->name)))
        return NULL;
    return enter_local(reader, index, from, symbol);
}

/* "name@@version" defines "name" and "name@version" (the version that those who ask for none get, and by
 * name); AT is its first '@'.  To relocations of this object it is the first of these. */
static __attribute__((noinline, cold)) struct jitscope_error *
read_versioned(struct elf_reader *reader, uint32_t index, const struct elf_symbol_entry *from,
               const struct symbol *symbol, const char *name, const char *at) {
    struct symbol with = *symbol, without = *symbol;
    struct string_pool *names = reader->graph->names;
    size_t plain = (size_t)(at - name), version = strlen(at + 1);
    char *text = arena_allocate(&reader->graph->arena, plain + version);
    if (!text)
        return error_no_memory();
    memcpy(text, name, plain);
    memcpy(text + plain, at + 1, version);
    TRY(string_pool_intern(names, text, plain + version, &with.name));
    TRY(read_global(reader, index, from, &with));
    TRY(string_pool_intern(names, name, plain, &without.name));
    return read_global(reader, index, from, &without);
}

/* Where the version begins in the name of a definition that is its name's default; NULL for others. */
static const char *find_default_version(const struct elf_reader *reader, const struct elf_symbol_entry *from,
                                        const char *name) {
    const char *at = reader->has_versions && from->st_shndx != SHN_UNDEF ? strchr(name, '@') : NULL;
    return at && at > name && at[1] == '@' && at[2] ? at : NULL;
}

/* PREPARED has no bytes where there is no name. */
static struct jitscope_error *read_symbol(struct elf_reader *reader, uint32_t index,
                                          const struct pool_name *prepared, bool wanted) {
    const struct elf_symbol_entry *from = elf_symbol_at(reader, index);
    unsigned type = ELF64_ST_TYPE(from->st_info);
    struct symbol symbol = {.value = from->st_value,
                            .size = from->st_size,
                            .block = NO_BLOCK,
                            .input = reader->input,
                            .kind = kind_of(from)};
    const char *name = prepared->bytes;
    if (!name)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, reader->symbol_table, (uint64_t)index * sizeof *from,
                         0, "symbol %u has its name outside the string table", index);
    TRY(check_symbol(reader, index, from));
    if (type != STT_SECTION) /* sections are called nothing */
        TRY(string_pool_intern_prepared(reader->graph->names, prepared, &symbol.name));
    if (ELF64_ST_BIND(from->st_info) == STB_LOCAL)
        return read_local(reader, index, from, &symbol, wanted);
    if (!prepared->length)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, reader->symbol_table, (uint64_t)index * sizeof *from,
                         0, "global symbol %u has no name", index);
    if (from->st_shndx == SHN_COMMON && !strcmp(name, "__gnu_lto_slim"))
        return error_with_help(
            error_create(JITSCOPE_ERROR_UNSUPPORTED, "GCC's LTO bytecode, not machine code"),
            "compile without -flto, or with -ffat-lto-objects");
    const char *version = find_default_version(reader, from, name);
    return version ? read_versioned(reader, index, from, &symbol, name, version)
                   : read_global(reader, index, from, &symbol);
}

/* --- ordinary ones
 * ---------------------------------------------------------------------------------------------- */

/* Nearly every symbol lies in a section that is in the graph and in memory, and is neither thread-local nor
 * an indirect function: nothing but its offset is to be checked.  The section's block; NO_BLOCK for others.
 */
static inline uint32_t ordinary_block(const struct elf_reader *reader, const struct elf_symbol_entry *from) {
    const struct elf_scratch *scratch = reader->scratch;
    uint32_t section = from->st_shndx; /* 0 is none, and skipped */
    if (section >= SHN_LORESERVE || section >= reader->section_count ||
        scratch->section_state.data[section] != SECTION_TAKEN || ELF64_ST_TYPE(from->st_info) > STT_SECTION)
        return NO_BLOCK;
    uint32_t id = scratch->block_of_section.data[section];
    const struct block *block = &reader->graph->blocks.data[id];
    return block->flags & BLOCK_IN_MEMORY && from->st_value <= block->size ? id : NO_BLOCK;
}

static inline bool has_ordinary_name(const struct elf_reader *reader, const struct elf_symbol_entry *from,
                                     const struct pool_name *name) {
    unsigned bind = ELF64_ST_BIND(from->st_info);
    return bind == STB_LOCAL ? name->bytes != NULL
                             : bind <= STB_WEAK && name->length && !reader->has_versions;
}

/* What read_symbol() comes to for a symbol with such a block and such a name. */
static inline struct jitscope_error *read_ordinary(struct elf_reader *reader, uint32_t index, uint32_t block,
                                                   const struct pool_name *name) {
    const struct elf_symbol_entry *from = elf_symbol_at(reader, index);
    unsigned bind = ELF64_ST_BIND(from->st_info);
    struct symbol symbol = {.value = from->st_value,
                            .size = from->st_size,
                            .block = block,
                            .input = reader->input,
                            .linkage = bind == STB_WEAK ? LINKAGE_WEAK : LINKAGE_STRONG,
                            .scope = bind == STB_LOCAL ? SCOPE_LOCAL : scope_of(from),
                            .kind = kind_of(from)};
    uint32_t *id = &reader->scratch->symbol_of_index.data[index];
    bool won;
    TRY(string_pool_intern_prepared(reader->graph->names, name, &symbol.name));
    if (bind != STB_LOCAL)
        return graph_define(reader->graph, &symbol, id, &won);
    return waits_until_wanted(name->bytes) ? NULL : graph_add_symbol(reader->graph, symbol, id);
}

/* A section is called nothing. */
static inline struct symbol section_symbol(const struct elf_reader *reader,
                                           const struct elf_symbol_entry *from, uint32_t block) {
    return (struct symbol){.value = from->st_value,
                           .size = from->st_size,
                           .block = block,
                           .input = reader->input,
                           .scope = SCOPE_LOCAL,
                           .kind = SYMBOL_KIND_SECTION};
}

static __attribute__((noinline)) struct jitscope_error *want_unusual(struct elf_reader *reader,
                                                                     uint32_t index) {
    const struct elf_symbol_entry *from = elf_symbol_at(reader, index);
    bool is_section = from->st_info == ELF64_ST_INFO(STB_LOCAL, STT_SECTION) && from->st_shndx != SHN_UNDEF &&
                      !elf_is_common(from->st_shndx);
    if (is_section) {
        struct symbol symbol = section_symbol(reader, from, NO_BLOCK);
        return enter_local(reader, index, from, &symbol);
    }
    struct pool_name name = elf_name(reader->symbol_names, from->st_name);
    string_pool_prepare(reader->graph->names, &name, 1);
    return read_symbol(reader, index, &name, true);
}

struct jitscope_error *elf_reader_want_symbol(struct elf_reader *reader, uint32_t index) {
    const struct elf_symbol_entry *from = elf_symbol_at(reader, index);
    bool is_section = from->st_info == ELF64_ST_INFO(STB_LOCAL, STT_SECTION);
    uint32_t block = is_section ? ordinary_block(reader, from) : NO_BLOCK;
    return block == NO_BLOCK ? want_unusual(reader, index)
                             : graph_add_symbol(reader->graph, section_symbol(reader, from, block),
                                                &reader->scratch->symbol_of_index.data[index]);
}

/* --- all
 * -------------------------------------------------------------------------------------------------------- */

/* Fills AHEAD with the symbols that are next; those of sections come when something refers to them. */
static uint32_t look_ahead(const struct elf_reader *reader, uint32_t next, struct elf_names_ahead *ahead) {
    uint32_t count = 0;
    for (; next < reader->symbol_count && count < NAMES_AHEAD; next++) {
        const struct elf_symbol_entry *symbol = elf_symbol_at(reader, next);
        if (ELF64_ST_TYPE(symbol->st_info) == STT_SECTION)
            continue;
        ahead->indices[count] = next;
        ahead->names[count++] = elf_name(reader->symbol_names, symbol->st_name);
    }
    string_pool_prepare(reader->graph->names, ahead->names, count);
    ahead->count = count;
    return next;
}

struct jitscope_error *elf_read_symbols(struct elf_reader *reader) {
    const struct bytes names = reader->symbol_names;
    reader->has_versions = names.size && memchr(names.data, '@', names.size);
    if (reader->section_count < MANY_SECTIONS) /* else there is room already */
        TRY(string_pool_reserve(reader->graph->names, reader->symbol_count));
    TRY(graph_reserve_symbols(reader->graph, reader->symbol_count));
    struct elf_names_ahead ahead;
    for (uint32_t next = 1; next < reader->symbol_count;) {
        next = look_ahead(reader, next, &ahead);
        for (uint32_t i = 0; i < ahead.count; i++) {
            const struct elf_symbol_entry *from = elf_symbol_at(reader, ahead.indices[i]);
            uint32_t block =
                has_ordinary_name(reader, from, &ahead.names[i]) ? ordinary_block(reader, from) : NO_BLOCK;
            TRY(block == NO_BLOCK ? read_symbol(reader, ahead.indices[i], &ahead.names[i], false)
                                  : read_ordinary(reader, ahead.indices[i], block, &ahead.names[i]));
        }
    }
    return NULL;
}
