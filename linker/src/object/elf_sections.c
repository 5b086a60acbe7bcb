/* Sections and groups of an ET_REL file become blocks (gABI chapter 4, "Sections", "Section Groups"). */
#include "object/elf_reader.h"

#ifndef SHT_X86_64_UNWIND
#define SHT_X86_64_UNWIND 0x70000001
#endif

/* Numbers that <elf.h> has not everywhere. */
enum { TYPE_RELR = 19, TYPE_CREL = 0x40000014 };

enum { MAX_ALIGNMENT_LOG2 = 31 };

/* --- groups
 * -------------------------------------------------------------------------------------------------------- */

static void discard_member(struct elf_reader *reader, uint32_t index, uint32_t signature, uint32_t holder) {
    struct graph *graph = reader->graph;
    uint8_t *state = &reader->scratch->section_state.data[index];
    if (*state != SECTION_DISCARDED && elf_section_flags(reader, index) & SHF_ALLOC)
        reader->memory_sections--;
    *state = SECTION_DISCARDED;
    if (!trace_wants(graph->trace, LEVEL_BLOCK))
        return;
    const char *text = elf_reader_section_name(reader, index);
    uint32_t name = NO_NAME;
    jitscope_error_destroy(string_pool_intern(graph->names, text, strlen(text), &name));
    TRACE(graph->trace, section_discarded, .input = reader->input, .input_section = index,
          .name = trace_name(graph->trace, name), .reason = REASON_COMDAT,
          .group = trace_name(graph->trace, signature), .in_favour_of = holder);
}

static struct jitscope_error *read_group(struct elf_reader *reader, uint32_t index, const Elf64_Shdr *group) {
    struct bytes content = bytes_slice(reader->file, group->sh_offset, group->sh_size);
    if (!content.data)
        return elf_error(reader, JITSCOPE_ERROR_TRUNCATED, index, NO_OFFSET, 0,
                         "a section group at file offset 0x%llx with 0x%llx bytes lies outside the file",
                         (unsigned long long)group->sh_offset, (unsigned long long)group->sh_size);
    if (content.size < 4 || content.size % 4)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0,
                         "a section group of 0x%llx bytes is no list of 4-byte numbers",
                         (unsigned long long)group->sh_size);
    if (!(load_u32(content.data) & GRP_COMDAT))
        return NULL;
    if (!group->sh_info || group->sh_info >= reader->symbol_count)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0,
                         "its signature is symbol %u of %u", group->sh_info, reader->symbol_count);
    const char *text = elf_reader_symbol_name(reader, group->sh_info);
    uint32_t signature, holder;
    if (!*text) /* all nameless groups of all inputs would be one */
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0,
                         "its signature, symbol %u, has no name", group->sh_info);
    TRY(string_pool_intern(reader->graph->names, text, strlen(text), &signature));
    TRY(graph_claim_group(reader->graph, signature, reader->input, &holder));
    for (uint64_t at = 4; at < content.size; at += 4) {
        uint32_t member = load_u32(content.data + at);
        if (!member || member >= reader->section_count)
            return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, at, 0, "member %u of %u sections", member,
                             reader->section_count);
        if (holder != reader->input)
            discard_member(reader, member, signature, holder);
    }
    return NULL;
}

struct jitscope_error *elf_read_groups(struct elf_reader *reader) {
    for (uint32_t i = 1; reader->has_groups && i < reader->section_count; i++) {
        if (elf_section_type(reader, i) != SHT_GROUP)
            continue;
        Elf64_Shdr section = elf_section(reader, i);
        TRY(read_group(reader, i, &section));
    }
    return NULL;
}

/* --- sections
 * ------------------------------------------------------------------------------------------------------ */

enum type_class { TYPE_TABLE, TYPE_CONTENT, TYPE_REFUSED };

/* What nobody has defined is what GNU ld makes of it: types of operating systems are contents (unless a flag
 * says that there is more to know of them), those of programs can be kept out of memory, others are errors.
 */
static enum type_class unknown_type(const struct elf_section_entry *section) {
    if (section->sh_type >= SHT_LOOS && section->sh_type <= SHT_HIOS)
        return section->sh_flags & SHF_OS_NONCONFORMING ? TYPE_REFUSED : TYPE_CONTENT;
    return section->sh_type >= SHT_LOUSER && !(section->sh_flags & SHF_ALLOC) ? TYPE_CONTENT : TYPE_REFUSED;
}

static enum type_class class_of(const struct elf_section_entry *section) {
    switch (section->sh_type) {
    case SHT_PROGBITS:
    case SHT_NOBITS:
    case SHT_INIT_ARRAY:
    case SHT_FINI_ARRAY:
    case SHT_PREINIT_ARRAY:
    case SHT_X86_64_UNWIND:
    case SHT_NOTE:
    case SHT_HASH: /* the tables of the dynamic loader have no meaning in an object */
    case SHT_DYNAMIC:
    case SHT_DYNSYM:
        return TYPE_CONTENT;
    case SHT_NULL: /* tables are the linker's */
    case SHT_SYMTAB:
    case SHT_RELA:
    case SHT_REL: /* refused where it relocates something that is read */
    case SHT_GROUP:
    case SHT_SYMTAB_SHNDX:
        return TYPE_TABLE;
    case SHT_STRTAB:
        return section->sh_flags & SHF_ALLOC ? TYPE_REFUSED : TYPE_TABLE;
    default:
        return unknown_type(section);
    }
}

static struct jitscope_error *refuse_type(const struct elf_reader *reader, uint32_t index,
                                          const struct elf_section_entry *section) {
    if (section->sh_type == TYPE_CREL)
        return error_with_help(elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, index, NO_OFFSET, 0,
                                         "compact relocations (section type SHT_CREL, 0x%x)",
                                         section->sh_type),
                               "compile without -Wa,--crel");
    if (section->sh_type == TYPE_RELR)
        return error_with_help(elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0,
                                         "relative relocations (section type SHT_RELR, %u), which stand in "
                                         "executables and shared libraries only",
                                         section->sh_type),
                               "x86-64 objects have SHT_RELA");
    return error_with_help(
        elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, index, NO_OFFSET, 0,
                  "sections of type 0x%x%s are not read", section->sh_type,
                  section->sh_flags & SHF_OS_NONCONFORMING ? " (with the flag SHF_OS_NONCONFORMING)" : ""),
        "give data the type @progbits");
}

/* Of the sections that never reach memory, those that debuggers read. */
static bool is_debug_section(const char *name) {
    return !strncmp(name, ".debug_", 7) || !strncmp(name, ".zdebug_", 8) || !strcmp(name, ".stab") ||
           !strcmp(name, ".stabstr");
}

static inline struct jitscope_error *check_section(struct elf_reader *reader, uint32_t index,
                                                   const struct elf_section_entry *section) {
    if (section->sh_flags & SHF_COMPRESSED)
        return elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, index, NO_OFFSET, 0,
                         "compressed sections are not read yet");
    if ((section->sh_flags & (SHF_WRITE | SHF_EXECINSTR)) == (SHF_WRITE | SHF_EXECINSTR))
        return error_with_help(elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, index, NO_OFFSET, 0,
                                         "a section that is writable and executable"),
                               "split it: memory here is never both");
    if (section->sh_type != SHT_NOBITS && !bytes_contain(reader->file, section->sh_offset, section->sh_size))
        return elf_error(
            reader, JITSCOPE_ERROR_TRUNCATED, index, NO_OFFSET, 0,
            "its content at file offset 0x%llx with 0x%llx bytes lies outside the file of 0x%llx bytes",
            (unsigned long long)section->sh_offset, (unsigned long long)section->sh_size,
            (unsigned long long)reader->file.size);
    if (section->sh_size > UINT32_MAX)
        return elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, index, NO_OFFSET, 0,
                         "a section of 4 GiB or more");
    if (section->sh_addralign > 1 && (!is_power_of_two(section->sh_addralign) ||
                                      __builtin_ctzll(section->sh_addralign) > MAX_ALIGNMENT_LOG2))
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0,
                         "an alignment of 0x%llx: no power of two up to 2^%d",
                         (unsigned long long)section->sh_addralign, MAX_ALIGNMENT_LOG2);
    return NULL;
}

static uint8_t lifetime_of(const struct elf_section_entry *section) {
    return !(section->sh_flags & SHF_ALLOC) ? LIFETIME_NO_ALLOC
           : section->sh_flags & SHF_TLS    ? LIFETIME_THREAD
                                            : LIFETIME_STANDARD;
}

static uint8_t prot_of(const struct elf_section_entry *section) {
    if (!(section->sh_flags & SHF_ALLOC))
        return 0;
    return (uint8_t)(PROTECT_READ | (section->sh_flags & SHF_WRITE ? PROTECT_WRITE : 0) |
                     (section->sh_flags & SHF_EXECINSTR ? PROTECT_EXECUTE : 0));
}

/* SECTION was checked. */
static inline struct jitscope_error *take_section(struct elf_reader *reader, uint32_t index,
                                                  const struct elf_section_entry *section,
                                                  const struct pool_name *text) {
    struct graph *graph = reader->graph;
    bool zero_fill = section->sh_type == SHT_NOBITS;
    uint32_t name, id;
    TRY(string_pool_intern_prepared(graph->names, text, &name));
    TRY(graph_add_section(graph, name, prot_of(section), lifetime_of(section), zero_fill, &id));
    if (section->sh_flags & SHF_X86_64_LARGE)
        graph->sections.data[id].order = ORDER_LARGE;
    uint8_t alignment = section->sh_addralign ? (uint8_t)__builtin_ctzll(section->sh_addralign) : 0;
    TRY(vec_reserve(&graph->blocks, 1));
    reader->scratch->block_of_section.data[index] = graph_put_block(
        graph, id, zero_fill ? NULL : reader->file.data + section->sh_offset, (uint32_t)section->sh_size,
        alignment, (struct block_source){reader->input, index, 0});
    reader->scratch->section_state.data[index] = SECTION_TAKEN;
    return NULL;
}

struct jitscope_error *elf_reader_want_empty(struct elf_reader *reader, uint32_t index) {
    const char *text = elf_reader_section_name(reader, index);
    struct pool_name name = {.bytes = text, .length = strlen(text)};
    string_pool_prepare(reader->graph->names, &name, 1);
    return take_section(reader, index, elf_section_at(reader, index), &name);
}

/* Whether the section that INDEX tells of is in the graph, and tells of none itself (else two could hold each
 * other). */
static bool has_owner(const struct elf_reader *reader, uint32_t owner) {
    return owner && owner < reader->section_count &&
           reader->scratch->section_state.data[owner] == SECTION_TAKEN &&
           !(elf_section_flags(reader, owner) & SHF_LINK_ORDER);
}

/* SHF_LINK_ORDER: what a section tells of another has no meaning without it (gABI chapter 4, "Section
 * Attribute Flags"). One that tells of nothing, or of what has no bytes, stays. */
static void attach_linked(struct elf_reader *reader, uint32_t index,
                          const struct elf_section_entry *section) {
    struct graph *graph = reader->graph;
    struct elf_scratch *scratch = reader->scratch;
    uint32_t block = scratch->block_of_section.data[index], owner = section->sh_link;
    if (block == NO_BLOCK)
        return;
    if (has_owner(reader, owner)) {
        graph->blocks.data[block].flags |= BLOCK_DEPENDENT;
        graph_attach_block(graph, scratch->block_of_section.data[owner], block);
    } else if (owner && owner < reader->section_count &&
               scratch->section_state.data[owner] == SECTION_DISCARDED) {
        graph_remove_block(graph, block, REASON_COMDAT);
        scratch->block_of_section.data[index] = NO_BLOCK;
        scratch->section_state.data[index] = SECTION_DISCARDED;
    }
}

static void attach_all_linked(struct elf_reader *reader) {
    for (uint32_t i = 1; i < reader->section_count; i++) {
        const struct elf_section_entry *section = elf_section_at(reader, i);
        if (section->sh_flags & SHF_LINK_ORDER && section->sh_flags & SHF_ALLOC)
            attach_linked(reader, i, section);
    }
}

/* Sections with a C identifier as name count even when empty: programs ask where they start. */
static bool may_be_left_out(const struct elf_section_entry *section, const char *name) {
    return (!section->sh_size || section->sh_type == SHT_NOTE) && name[0] == '.';
}

/* Pieces of the functions _init and _fini: those of all files stand one behind the other, and the first and
 * the last piece are the start-up files'. */
static bool is_start_up_code(const struct elf_section_entry *section, const char *name, size_t length) {
    return length == sizeof ".init" - 1 && section->sh_flags & SHF_EXECINSTR && section->sh_size &&
           (!memcmp(name, ".init", length) || !memcmp(name, ".fini", length));
}

struct jitscope_error *elf_refuse_start_up_code(const struct elf_reader *reader, uint32_t section) {
    bool init = !strcmp(elf_reader_section_name(reader, section), ".init");
    return error_with_help(
        elf_error(reader, JITSCOPE_ERROR_UNSUPPORTED, section, NO_OFFSET, 0,
                  "a piece of the function %s, which only start-up files make whole",
                  init ? "_init" : "_fini"),
        init ? "put a pointer to a function into .init_array (or use __attribute__((constructor)))"
             : "put a pointer to a function into .fini_array (or use __attribute__((destructor)))");
}

static struct jitscope_error *take_start_up_code(struct elf_reader *reader, uint32_t index,
                                                 const struct elf_section_entry *section, const char *name) {
    if (section->sh_type != SHT_PROGBITS || strcmp(name, ".init"))
        return elf_refuse_start_up_code(reader, index);
    reader->scratch->section_state.data[index] = SECTION_CALLS;
    reader->has_calls = true;
    return NULL;
}

/* The only section outside memory that is executable: its name and this flag are all there is to it. */
static void note_stack(struct elf_reader *reader, const struct elf_section_entry *section) {
    size_t length;
    const char *name = bytes_string(reader->section_names, section->sh_name, &length);
    if (name && !strcmp(name, ".note.GNU-stack") && reader->graph->wants_executable_stack == NO_INPUT)
        reader->graph->wants_executable_stack = reader->input;
}

/* In objects with many sections a third of the symbols stand for these, and are called nothing. */
static uint32_t count_symbol_names(const struct elf_reader *reader) {
    uint32_t count = 0;
    for (uint32_t i = 1; i < reader->symbol_count; i++)
        count += elf_symbol_type(reader, i) != STT_SECTION;
    return count;
}

/* Room for all blocks and names at once, where there are many: those of symbols are among them, and blocks
 * for records of .eh_frame, as many functions as each second section may be. */
static struct jitscope_error *reserve_blocks(struct elf_reader *reader) {
    uint32_t count = reader->memory_sections;
    if (reader->section_count < MANY_SECTIONS)
        return NULL;
    TRY(string_pool_reserve(reader->graph->names, count + count_symbol_names(reader)));
    TRY(graph_reserve_sections(reader->graph, count));
    return vec_reserve(&reader->graph->blocks, (uint64_t)count + count / 2);
}

/* Debug sections stay in the file, whose reader is kept for them. */
static struct jitscope_error *keep_reader(struct elf_reader *reader, uint32_t first) {
    struct elf_reader *kept = arena_allocate(&reader->graph->arena, sizeof *kept);
    if (!kept)
        return error_no_memory();
    *kept = *reader;
    return vec_push(&reader->graph->debug_inputs,
                    (struct debug_input){reader->input, first, reader->graph->blocks.count - first, kept});
}

/* What the walk over all sections has come across. */
struct walk {
    uint32_t next; /* section */
    bool has_debug, has_linked;
};

/* Fills AHEAD with the sections that are next; tables of relocations, mostly every other one, are read
 * later. */
static void look_ahead(struct elf_reader *reader, struct walk *walk, struct elf_names_ahead *ahead) {
    uint32_t at = walk->next, count = 0;
    for (; at < reader->section_count && count < NAMES_AHEAD; at++) {
        const struct elf_section_entry *section = elf_section_at(reader, at);
        if (section->sh_type == SHT_RELA)
            continue;
        uint64_t flags = section->sh_flags;
        if ((flags & (SHF_ALLOC | SHF_EXECINSTR)) == SHF_EXECINSTR)
            note_stack(reader, section);
        walk->has_linked |= (flags & SHF_LINK_ORDER) != 0;
        if (flags & SHF_EXCLUDE || reader->scratch->section_state.data[at] == SECTION_DISCARDED)
            continue;
        ahead->indices[count] = at;
        ahead->names[count++] = elf_name(reader->section_names, section->sh_name);
    }
    string_pool_prepare(reader->graph->names, ahead->names, count);
    ahead->count = count;
    walk->next = at;
}

static struct jitscope_error *read_section(struct elf_reader *reader, struct walk *walk, uint32_t index,
                                           const struct pool_name *name) {
    const struct elf_read_options *options = reader->options;
    const struct elf_section_entry *section = elf_section_at(reader, index);
    bool alloc = section->sh_flags & SHF_ALLOC;
    enum type_class class = class_of(section);
    if (class == TYPE_REFUSED)
        return refuse_type(reader, index, section);
    if (class == TYPE_TABLE ||
        (!alloc && !options->keep_no_alloc && (walk->has_debug || !options->note_debug)))
        return NULL;
    if (!name->bytes)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, 0, NO_OFFSET, 0,
                         "section %u has its name outside the name table", index);
    bool is_debug = !alloc && is_debug_section(name->bytes);
    if (!alloc && !(options->keep_no_alloc && is_debug)) {
        walk->has_debug |= is_debug;
        return NULL;
    }
    TRY(check_section(reader, index, section));
    if (alloc && may_be_left_out(section, name->bytes))
        reader->scratch->section_state.data[index] = SECTION_EMPTY;
    else if (__builtin_expect(alloc && is_start_up_code(section, name->bytes, name->length), 0))
        return take_start_up_code(reader, index, section, name->bytes);
    else
        return take_section(reader, index, section, name);
    return NULL;
}

struct jitscope_error *elf_read_sections(struct elf_reader *reader) {
    uint32_t first = reader->graph->blocks.count;
    struct walk walk = {.next = 1};
    struct elf_names_ahead ahead;
    TRY(reserve_blocks(reader));
    while (walk.next < reader->section_count) {
        look_ahead(reader, &walk, &ahead);
        for (uint32_t i = 0; i < ahead.count; i++)
            TRY(read_section(reader, &walk, ahead.indices[i], &ahead.names[i]));
    }
    if (walk.has_linked)
        attach_all_linked(reader);
    return walk.has_debug ? keep_reader(reader, first) : NULL;
}
