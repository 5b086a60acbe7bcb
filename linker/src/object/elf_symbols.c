/* Symbols of an ET_REL file (gABI chapter 4, "Symbol Table"). */
#include "object/elf_reader.h"

/* Addresses without the tags that -fsanitize=hwaddress gives to objects. */
#define UNTAGGED (~(UINT64_C(0xff) << 56))

static uint8_t scope_of(const Elf64_Sym *symbol) {
    switch (ELF64_ST_VISIBILITY(symbol->st_other)) {
    case STV_HIDDEN:
    case STV_INTERNAL:
        return SCOPE_HIDDEN;
    default: /* protected: visible outside, and nothing here preempts anyway */
        return SCOPE_DEFAULT;
    }
}

static uint8_t kind_of(const Elf64_Sym *symbol) {
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
                                           const Elf64_Sym *symbol) {
    if (elf_symbol_is_common(symbol) && symbol->st_value && !is_power_of_two(symbol->st_value))
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, 0, NO_OFFSET, index,
                         "a common symbol with an alignment of 0x%llx", (unsigned long long)symbol->st_value);
    if (elf_symbol_is_common(symbol) && symbol->st_size > UINT32_MAX)
        return elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, 0, NO_OFFSET, index,
                         "a common symbol of 0x%llx bytes: 4 GiB or more",
                         (unsigned long long)symbol->st_size);
    if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC &&
        (symbol->st_shndx == SHN_ABS || elf_symbol_is_common(symbol)))
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
                                                  const Elf64_Sym *from, struct symbol *symbol,
                                                  enum section_state *state) {
    uint32_t section = elf_reader_symbol_section(reader, index, from);
    *state = SECTION_TAKEN;
    reader->has_thread_locals |= symbol->kind == SYMBOL_KIND_TLS;
    if (from->st_shndx == SHN_ABS) {
        symbol->kind = SYMBOL_KIND_ABSOLUTE;
        return NULL;
    }
    if (elf_symbol_is_common(from)) {
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
static bool is_elsewhere(const struct elf_reader *reader, const Elf64_Sym *from,
                         const struct symbol *symbol) {
    return ELF64_ST_BIND(from->st_info) == STB_GNU_UNIQUE && from->st_shndx != SHN_UNDEF &&
           symbol->scope == SCOPE_DEFAULT && reader->options->is_elsewhere &&
           reader->options->is_elsewhere(reader->options->context, symbol->name);
}

static inline struct jitscope_error *read_global(struct elf_reader *reader, uint32_t index,
                                                 const Elf64_Sym *from, struct symbol *symbol) {
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

static struct jitscope_error *enter_local(struct elf_reader *reader, uint32_t index, const Elf64_Sym *from,
                                          struct symbol *symbol) {
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
static struct jitscope_error *read_local(struct elf_reader *reader, uint32_t index, const Elf64_Sym *from,
                                         struct symbol *symbol, bool wanted) {
    const char *name = string_pool_text(reader->graph->names, symbol->name);
    if (ELF64_ST_TYPE(from->st_info) == STT_FILE || from->st_shndx == SHN_UNDEF)
        return NULL;
    if (!wanted && (!name[0] || (name[0] == '.' && name[1] == 'L')))
        return NULL;
    return enter_local(reader, index, from, symbol);
}

/* "name@@version" defines "name" and "name@version" (the version that those who ask for none get, and by
 * name); AT is its first '@'.  To relocations of this object it is the first of these. */
static __attribute__((noinline, cold)) struct jitscope_error *
read_versioned(struct elf_reader *reader, uint32_t index, const Elf64_Sym *from, const struct symbol *symbol,
               const char *name, const char *at) {
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
static const char *find_default_version(const struct elf_reader *reader, const Elf64_Sym *from,
                                        const char *name) {
    const char *at = reader->has_versions && from->st_shndx != SHN_UNDEF ? strchr(name, '@') : NULL;
    return at && at > name && at[1] == '@' && at[2] ? at : NULL;
}

static struct jitscope_error *intern_name(const struct elf_reader *reader, uint32_t index, const char *name,
                                          size_t length, uint32_t *id) {
    *id = reader->has_groups ? reader->scratch->name_of_index.data[index] : NO_NAME;
    return *id == NO_NAME ? string_pool_intern(reader->graph->names, name, length, id) : NULL;
}

static struct jitscope_error *read_symbol(struct elf_reader *reader, uint32_t index, bool wanted) {
    Elf64_Sym from = elf_symbol(reader, index);
    bool is_section = ELF64_ST_TYPE(from.st_info) == STT_SECTION;
    bool local = ELF64_ST_BIND(from.st_info) == STB_LOCAL;
    struct symbol symbol = {.value = from.st_value,
                            .size = from.st_size,
                            .block = NO_BLOCK,
                            .input = reader->input,
                            .kind = kind_of(&from)};
    size_t length;
    const char *name = bytes_string(reader->symbol_names, from.st_name, &length);
    if (!name)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, reader->symbol_table, (uint64_t)index * sizeof from,
                         0, "symbol %u has its name outside the string table", index);
    TRY(check_symbol(reader, index, &from));
    if (!is_section) /* sections are called nothing */
        TRY(intern_name(reader, index, name, length, &symbol.name));
    if (local)
        return read_local(reader, index, &from, &symbol, wanted);
    if (!length)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, reader->symbol_table, (uint64_t)index * sizeof from,
                         0, "global symbol %u has no name", index);
    if (from.st_shndx == SHN_COMMON && !strcmp(name, "__gnu_lto_slim"))
        return error_with_help(
            error_create(JITSCOPE_ERROR_UNSUPPORTED, "GCC's LTO bytecode, not machine code"),
            "compile without -flto, or with -ffat-lto-objects");
    const char *version = find_default_version(reader, &from, name);
    return version ? read_versioned(reader, index, &from, &symbol, name, version)
                   : read_global(reader, index, &from, &symbol);
}

/* A section is called nothing: what most symbols have to be asked does not count for its own. */
static struct jitscope_error *read_section_symbol(struct elf_reader *reader, uint32_t index,
                                                  const Elf64_Sym *from) {
    struct symbol symbol = {.value = from->st_value,
                            .size = from->st_size,
                            .block = NO_BLOCK,
                            .input = reader->input,
                            .kind = SYMBOL_KIND_SECTION};
    return enter_local(reader, index, from, &symbol);
}

struct jitscope_error *elf_reader_want_symbol(struct elf_reader *reader, uint32_t index) {
    Elf64_Sym from = elf_symbol(reader, index);
    bool is_section = from.st_info == ELF64_ST_INFO(STB_LOCAL, STT_SECTION) && from.st_shndx != SHN_UNDEF &&
                      !elf_symbol_is_common(&from);
    return is_section ? read_section_symbol(reader, index, &from) : read_symbol(reader, index, true);
}

struct jitscope_error *elf_read_symbols(struct elf_reader *reader) {
    const struct bytes names = reader->symbol_names;
    reader->has_versions = names.size && memchr(names.data, '@', names.size);
    if (reader->section_count < MANY_SECTIONS) /* else there is room already */
        TRY(string_pool_reserve(reader->graph->names, reader->symbol_count));
    TRY(graph_reserve_symbols(reader->graph, reader->symbol_count));
    for (uint32_t i = 1; i < reader->symbol_count; i++) {
        if (elf_symbol_type(reader, i) != STT_SECTION) /* those come when something refers to them */
            TRY(read_symbol(reader, i, false));
    }
    return NULL;
}
