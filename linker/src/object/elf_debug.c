/* DWARF in relocatable objects (gABI chapter 4; DWARF 5 sections 7 and 7.3.2).
 *
 * Two kinds of values stand in it under relocations: addresses of code and data, and offsets into other DWARF
 * sections, written as references to those sections' symbols.  Both are the linker's to fill in.  An address
 * in a section that did not reach memory (a COMDAT group that lost) becomes a tombstone that debuggers skip:
 * 0, but 1 in .debug_ranges and .debug_loc, where a pair of zeros would end the list (as GNU ld and lld have
 * it).
 *
 * DWARF is read by debuggers, not run: whatever is wrong with one object's costs it its DWARF, never the
 * link. */
#include "object/elf_debug.h"

#include "arch/x86_64.h"
#include "object/elf_expand.h"
#include "object/elf_reader.h"
#include "object/relocations.h"

/* Kinds of targets besides the DWARF sections. */
enum { KIND_MEMORY = DEBUG_SECTION_COUNT, KIND_GONE, NO_KIND = KIND_GONE };

void debug_sections_clear(struct debug_sections *sections) {
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++)
        sections->bytes[i].count = 0;
    sections->references.count = sections->units = 0;
}

void debug_sections_destroy(struct debug_sections *sections) {
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++)
        vec_destroy(&sections->bytes[i]);
    vec_destroy(&sections->references);
    vec_destroy(&sections->targets);
    vec_destroy(&sections->tables);
    vec_destroy(&sections->kinds);
}

/* --- content */

/* Behind ".debug_", with the NUL. */
static const struct {
    const char *name;
    uint8_t size;
} short_names[DEBUG_SECTION_COUNT] = {
#define DEBUG_SECTION(NAME, name) {&(name)[sizeof ".debug_" - 1], sizeof(name) - (sizeof ".debug_" - 1)},
#include "executor/debug_sections.def"
#undef DEBUG_SECTION
};

static bool is_kind(const char *name, uint64_t room, uint8_t kind) {
    return name[0] == short_names[kind].name[0] && short_names[kind].size <= room &&
           !memcmp(name, short_names[kind].name, short_names[kind].size);
}

/* GUESS: what this section was in the last object.  Those of one compiler are alike. */
static uint8_t kind_of_name(const char *name, uint64_t room, uint8_t guess, bool *old) {
    enum { PREFIX = sizeof ".debug_" - 1 };
    if (room <= PREFIX + 1 || name[0] != '.')
        return NO_KIND;
    *old = name[1] == 'z'; /* .zdebug_info */
    if (memcmp(name + 1 + *old, "debug_", PREFIX - 1) != 0)
        return NO_KIND;
    name += PREFIX + *old;
    room -= PREFIX + *old;
    if (guess < DEBUG_SECTION_COUNT && is_kind(name, room, guess))
        return guess;
    for (uint8_t kind = 0; kind < DEBUG_SECTION_COUNT; kind++)
        if (is_kind(name, room, kind))
            return kind;
    return NO_KIND;
}

static struct jitscope_error *append(const struct elf_reader *reader, uint32_t index,
                                     const Elf64_Shdr *section, bool old, struct debug_sections *out,
                                     uint8_t kind) {
    struct bytes content = bytes_slice(reader->file, section->sh_offset, section->sh_size);
    uint64_t size;
    const char *failure = content.data || !section->sh_size ? NULL : "its content lies outside the file";
    enum elf_compression how = COMPRESSION_NONE;
    if (!failure)
        failure = elf_expanded_size(&content, section->sh_flags & SHF_COMPRESSED, old, &how, &size);
    if (failure)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0, "%s", failure);
    out->targets.data[index] = (struct debug_target){out->bytes[kind].count, (uint32_t)size, kind};
    if (!size)
        return NULL;
    TRY(vec_reserve(&out->bytes[kind], size));
    failure = elf_expand(content, how, out->bytes[kind].data + out->bytes[kind].count, size);
    if (failure)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0, "%s", failure);
    out->bytes[kind].count += (uint32_t)size;
    return NULL;
}

/* What the link decided; DWARF sections are still to come. */
static struct jitscope_error *begin_object(const struct elf_reader *reader,
                                           const struct elf_debug_places *places,
                                           struct debug_sections *out) {
    out->targets.count = out->tables.count = 0;
    TRY(vec_reserve(&out->targets, reader->section_count));
    TRY(vec_reserve(&out->tables, reader->section_count));
    if (out->kinds.count < reader->section_count)
        TRY(vec_reserve(&out->kinds, reader->section_count - out->kinds.count));
    while (out->kinds.count < reader->section_count)
        vec_put(&out->kinds, NO_KIND);
    for (uint32_t i = 0; i < reader->section_count; i++) {
        struct debug_target *target = &out->targets.data[i];
        bool placed = i < places->count && places->sections[i] != NOT_IN_MEMORY;
        target->value = placed ? places->sections[i] : 0;
        target->size = 0;
        target->kind = placed ? KIND_MEMORY : KIND_GONE;
    }
    out->targets.count = reader->section_count;
    return NULL;
}

static struct jitscope_error *append_all(const struct elf_reader *reader,
                                         const struct elf_debug_places *places, struct debug_sections *out) {
    TRY(begin_object(reader, places, out));
    for (uint32_t i = 1; i < reader->section_count; i++) {
        Elf64_Shdr section = elf_section(reader, i);
        bool old;
        if (section.sh_type == SHT_RELA)
            vec_put(&out->tables, i);
        if (section.sh_flags & (SHF_ALLOC | SHF_EXCLUDE) || section.sh_type == SHT_NOBITS ||
            section.sh_type == SHT_RELA || section.sh_name >= reader->section_names.size)
            continue;
        uint8_t kind = kind_of_name((const char *)reader->section_names.data + section.sh_name,
                                    reader->section_names.size - section.sh_name, out->kinds.data[i], &old);
        out->kinds.data[i] = kind;
        if (kind != NO_KIND)
            TRY(append(reader, i, &section, old, out, kind));
    }
    return NULL;
}

/* --- relocations */

/* One RELA section while it is applied. */
struct patch {
    const struct elf_reader *reader;
    const struct elf_debug_places *places;
    struct debug_sections *out;
    uint32_t section;
    struct debug_target at; /* the section itself */
    uint64_t tombstone;
};

static struct debug_target target_by_name(const struct patch *patch, const Elf64_Sym *symbol) {
    size_t length;
    const char *name = bytes_string(patch->reader->symbol_names, symbol->st_name, &length);
    uint64_t value = name && length ? patch->places->find(patch->places->context, name, length) : 0;
    return (struct debug_target){.value = value, .kind = value ? KIND_MEMORY : KIND_GONE};
}

/* What a symbol stands for; of what is gone, the addend has no meaning. */
static struct debug_target target_of(const struct patch *patch, uint32_t index) {
    const struct elf_reader *reader = patch->reader;
    Elf64_Sym symbol = elf_symbol(reader, index);
    if (symbol.st_shndx == SHN_ABS || ELF64_ST_TYPE(symbol.st_info) == STT_TLS)
        return (struct debug_target){.value = symbol.st_value, .kind = KIND_MEMORY};
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_COMMON)
        return target_by_name(patch, &symbol);
    uint32_t section = elf_reader_symbol_section(reader, index, &symbol);
    struct debug_target target = {.kind = KIND_GONE};
    if (section < reader->section_count)
        target = patch->out->targets.data[section];
    target.value = target.kind == KIND_GONE ? patch->tombstone : target.value + symbol.st_value;
    return target;
}

/* The edge of a relocation type, with those of thread-local storage, whose value is an offset that the
 * debugger adds. */
static bool edge_of(uint32_t type, uint16_t *edge) {
    if (type == R_X86_64_DTPOFF64 || type == R_X86_64_DTPOFF32) {
        *edge = type == R_X86_64_DTPOFF64 ? EDGE_X86_64_POINTER64 : EDGE_X86_64_POINTER32S;
        return true;
    }
    if (type >= RELOCATION_X86_64_LIMIT || relocations_x86_64[type].state != RELOCATION_KNOWN)
        return false;
    *edge = relocations_x86_64[type].edge;
    return !arch_x86_64.kinds[*edge].request && !(arch_x86_64.got_base_kinds >> *edge & 1);
}

static struct jitscope_error *apply(const struct patch *patch, const Elf64_Rela *rela) {
    uint32_t type = (uint32_t)ELF64_R_TYPE(rela->r_info), symbol = (uint32_t)ELF64_R_SYM(rela->r_info);
    uint16_t edge;
    if (!edge_of(type, &edge) || symbol >= patch->reader->symbol_count)
        return elf_error(patch->reader, JITSCOPE_ERROR_UNSUPPORTED, patch->section, rela->r_offset, 0,
                         "relocation type %u against symbol %u", type, symbol);
    uint8_t width = arch_x86_64.kinds[edge].width;
    if (rela->r_offset > patch->at.size || width > patch->at.size - rela->r_offset)
        return elf_error(patch->reader, JITSCOPE_ERROR_OUT_OF_RANGE, patch->section, rela->r_offset, 0,
                         "a relocation behind the end of its section");
    if (!width)
        return NULL;
    uint32_t offset = (uint32_t)(patch->at.value + rela->r_offset);
    uint64_t written;
    struct debug_target target = target_of(patch, symbol);
    struct fixup fixup = {.kind = edge,
                          .addend = target.kind == KIND_GONE ? 0 : rela->r_addend,
                          .symbol = target.value,
                          .place = offset,
                          .content = patch->out->bytes[patch->at.kind].data + offset};
    if (!arch_x86_64.apply(&fixup, &written))
        return elf_error(patch->reader, JITSCOPE_ERROR_OUT_OF_RANGE, patch->section, rela->r_offset, symbol,
                         "the value 0x%llx does not fit", (unsigned long long)written);
    if (target.kind < DEBUG_SECTION_COUNT && (width == 4 || width == 8)) /* there is room */
        vec_put(&patch->out->references,
                (struct debug_reference){
                    .offset = offset, .section = patch->at.kind, .target = target.kind, .width = width});
    return NULL;
}

/* The kind that nearly all are of: a 32-bit offset into another DWARF section, by that section's symbol.
 * False when RELA is of another, or not sound: then nothing has happened. */
static bool apply_offset(const struct patch *patch, const Elf64_Rela *rela) {
    uint32_t index = (uint32_t)ELF64_R_SYM(rela->r_info);
    if (ELF64_R_TYPE(rela->r_info) != R_X86_64_32 || index >= patch->reader->symbol_count ||
        patch->at.size < 4 || rela->r_offset > patch->at.size - 4)
        return false;
    Elf64_Sym symbol = elf_symbol(patch->reader, index);
    if (ELF64_ST_TYPE(symbol.st_info) != STT_SECTION || symbol.st_shndx >= SHN_LORESERVE ||
        symbol.st_shndx >= patch->out->targets.count)
        return false;
    struct debug_target target = patch->out->targets.data[symbol.st_shndx];
    uint64_t value = target.value + symbol.st_value + (uint64_t)rela->r_addend;
    if (target.kind >= DEBUG_SECTION_COUNT || value > UINT32_MAX)
        return false;
    uint32_t offset = (uint32_t)(patch->at.value + rela->r_offset);
    store_u32(patch->out->bytes[patch->at.kind].data + offset, (uint32_t)value);
    vec_put(&patch->out->references,
            (struct debug_reference){
                .offset = offset, .section = patch->at.kind, .target = target.kind, .width = 4});
    return true;
}

static struct jitscope_error *apply_table(struct patch *patch, const Elf64_Shdr *table) {
    const struct elf_reader *reader = patch->reader;
    struct bytes entries = bytes_slice(reader->file, table->sh_offset, table->sh_size);
    if (!entries.data || table->sh_entsize != sizeof(Elf64_Rela) || table->sh_link != reader->symbol_table)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, patch->section, NO_OFFSET, 0,
                         "its relocation table is malformed");
    TRY(vec_reserve(&patch->out->references, entries.size / sizeof(Elf64_Rela)));
    for (uint64_t at = 0; entries.size - at >= sizeof(Elf64_Rela); at += sizeof(Elf64_Rela)) {
        Elf64_Rela rela;
        memcpy(&rela, entries.data + at, sizeof rela);
        if (!apply_offset(patch, &rela))
            TRY(apply(patch, &rela));
    }
    return NULL;
}

static struct jitscope_error *apply_all(const struct elf_reader *reader,
                                        const struct elf_debug_places *places, struct debug_sections *out) {
    for (uint32_t i = 0; i < out->tables.count; i++) {
        Elf64_Shdr table = elf_section(reader, out->tables.data[i]);
        uint32_t section = table.sh_info;
        if (section >= reader->section_count || out->targets.data[section].kind >= DEBUG_SECTION_COUNT)
            continue;
        struct patch patch = {reader, places, out, section, out->targets.data[section], 0};
        patch.tombstone = patch.at.kind == DEBUG_SECTION_RANGES || patch.at.kind == DEBUG_SECTION_LOC;
        TRY(apply_table(&patch, &table));
    }
    return NULL;
}

/* --- what readers rely on */

/* Units follow each other by their lengths: one bad length would hide all that come behind it. */
static struct jitscope_error *check_units(const struct elf_reader *reader, struct debug_sections *out,
                                          uint8_t kind, uint32_t first) {
    const uint8_t *units = out->bytes[kind].data;
    uint64_t end = out->bytes[kind].count;
    for (uint64_t at = first; at < end; out->units++) {
        uint64_t length = end - at >= 12 ? load_u32(units + at) : 0, header = 4;
        if (length == UINT32_MAX) {
            length = load_u64(units + at + 4);
            header = 12;
        }
        uint16_t version = length >= 7 && length <= end - at - header ? load_u16(units + at + header) : 0;
        if (version < 2 || version > 5)
            return elf_error(reader, JITSCOPE_ERROR_FORMAT, 0, NO_OFFSET, 0,
                             "%s+0x%llx: a unit of length 0x%llx and version %u", debug_section_names[kind],
                             (unsigned long long)(at - first), (unsigned long long)length, version);
        at += header + length;
    }
    return NULL;
}

static struct jitscope_error *check_frames(const struct elf_reader *reader, const struct debug_sections *out,
                                           uint32_t first) {
    const uint8_t *frames = out->bytes[DEBUG_SECTION_FRAME].data;
    uint64_t end = out->bytes[DEBUG_SECTION_FRAME].count;
    for (uint64_t at = first; at < end;) {
        uint64_t length = end - at >= 4 ? load_u32(frames + at) : 0;
        if (length < 4 || length >= 0xfffffff0 || length > end - at - 4)
            return elf_error(reader, JITSCOPE_ERROR_FORMAT, 0, NO_OFFSET, 0,
                             "%s+0x%llx: a record of length 0x%llx", debug_section_names[DEBUG_SECTION_FRAME],
                             (unsigned long long)(at - first), (unsigned long long)length);
        at += 4 + length;
    }
    return NULL;
}

/* --- the whole */

struct mark {
    uint32_t bytes[DEBUG_SECTION_COUNT];
    uint32_t references, units;
};

static struct mark mark(const struct debug_sections *out) {
    struct mark mark = {.references = out->references.count, .units = out->units};
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++)
        mark.bytes[i] = out->bytes[i].count;
    return mark;
}

static void go_back(struct debug_sections *out, const struct mark *mark) {
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++)
        out->bytes[i].count = mark->bytes[i];
    out->references.count = mark->references;
    out->units = mark->units;
}

static struct jitscope_error *read_debug(const struct elf_reader *reader,
                                         const struct elf_debug_places *places, struct debug_sections *out,
                                         const struct mark *before) {
    TRY(append_all(reader, places, out));
    TRY(apply_all(reader, places, out));
    TRY(check_units(reader, out, DEBUG_SECTION_INFO, before->bytes[DEBUG_SECTION_INFO]));
    TRY(check_units(reader, out, DEBUG_SECTION_TYPES, before->bytes[DEBUG_SECTION_TYPES]));
    return check_frames(reader, out, before->bytes[DEBUG_SECTION_FRAME]);
}

struct jitscope_error *elf_read_debug(const struct elf_reader *reader, const struct elf_debug_places *places,
                                      struct debug_sections *out) {
    struct mark before = mark(out);
    struct jitscope_error *error = read_debug(reader, places, out, &before);
    if (error)
        go_back(out, &before);
    return error;
}
