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

/* Larger ones are looked at more closely. */
#define MOST_PLAIN ((uint64_t)1 << 28)

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
    vec_destroy(&sections->shape.sections);
    vec_destroy(&sections->shape.names);
    vec_destroy(&sections->shape.dwarf);
    vec_destroy(&sections->shape.tables);
}

/* --- which sections are DWARF */

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

static uint8_t kind_of_name(const char *name, uint64_t room, bool *old) {
    enum { PREFIX = sizeof ".debug_" - 1 };
    if (room <= PREFIX + 1 || name[0] != '.')
        return NO_KIND;
    *old = name[1] == 'z'; /* .zdebug_info */
    if (memcmp(name + 1 + *old, "debug_", PREFIX - 1) != 0)
        return NO_KIND;
    for (uint8_t kind = 0; kind < DEBUG_SECTION_COUNT; kind++)
        if (is_kind(name + PREFIX + *old, room - PREFIX - *old, kind))
            return kind;
    return NO_KIND;
}

static struct debug_trait trait_of(const struct elf_reader *reader, uint32_t index) {
    Elf64_Shdr section = elf_section(reader, index);
    const uint8_t *header = reader->sections + (size_t)index * sizeof section;
    struct debug_trait trait = {
        .name_and_type = load_u64(header), .flags = section.sh_flags, .kind = NO_KIND};
    if (!(section.sh_flags & (SHF_ALLOC | SHF_EXCLUDE)) && section.sh_type != SHT_NOBITS &&
        section.sh_type != SHT_RELA && section.sh_name < reader->section_names.size)
        trait.kind = kind_of_name((const char *)reader->section_names.data + section.sh_name,
                                  reader->section_names.size - section.sh_name, &trait.old);
    return trait;
}

static bool has_shape(const struct elf_reader *reader, const struct debug_shape *shape) {
    if (reader->section_count != shape->sections.count || reader->section_names.size != shape->names.count ||
        !shape->names.count || memcmp(reader->section_names.data, shape->names.data, shape->names.count) != 0)
        return false;
    const uint8_t *header = reader->sections;
    uint64_t different = 0;
    for (uint32_t i = 0; i < shape->sections.count; i++, header += sizeof(Elf64_Shdr))
        different |= (load_u64(header) ^ shape->sections.data[i].name_and_type) |
                     (load_u64(header + offsetof(Elf64_Shdr, sh_flags)) ^ shape->sections.data[i].flags);
    return !different;
}

static struct jitscope_error *make_room(const struct elf_reader *reader, struct debug_sections *out) {
    struct debug_shape *shape = &out->shape;
    shape->sections.count = shape->names.count = shape->dwarf.count = shape->tables.count = 0;
    out->targets.count = 0;
    TRY(vec_reserve(&out->targets, reader->section_count));
    TRY(vec_reserve(&shape->dwarf, reader->section_count));
    TRY(vec_reserve(&shape->tables, reader->section_count));
    TRY(vec_reserve(&shape->names, reader->section_names.size));
    return vec_reserve(&shape->sections, reader->section_count);
}

/* The names last: without them it is nobody's shape. */
static struct jitscope_error *take_shape(const struct elf_reader *reader, struct debug_sections *out) {
    struct debug_shape *shape = &out->shape;
    if (has_shape(reader, shape))
        return NULL;
    TRY(make_room(reader, out));
    for (uint32_t i = 0; i < reader->section_count; i++) {
        struct debug_trait trait = trait_of(reader, i);
        vec_put(&shape->sections, trait);
        if (trait.kind != NO_KIND)
            vec_put(&shape->dwarf, i);
        else if (trait.name_and_type >> 32 == SHT_RELA)
            vec_put(&shape->tables, i);
    }
    shape->names.count = (uint32_t)reader->section_names.size;
    if (shape->names.count)
        memcpy(shape->names.data, reader->section_names.data, shape->names.count);
    return NULL;
}

/* --- content */

/* Why it could not be done, in HOW's case; *failure NULL otherwise. */
static struct jitscope_error *append_packed(struct bytes content, const struct debug_trait *trait,
                                            struct debug_sections *out, uint64_t *size,
                                            const char **failure) {
    enum elf_compression how;
    *failure = elf_expanded_size(&content, trait->flags & SHF_COMPRESSED, trait->old, &how, size);
    if (*failure || !*size)
        return NULL;
    TRY(vec_reserve(&out->bytes[trait->kind], *size));
    *failure = elf_expand(content, how, out->bytes[trait->kind].data + out->bytes[trait->kind].count, *size);
    return NULL;
}

static struct jitscope_error *append_plain(struct bytes content, uint8_t kind, struct debug_sections *out) {
    TRY(vec_reserve(&out->bytes[kind], content.size));
    memcpy(out->bytes[kind].data + out->bytes[kind].count, content.data, content.size);
    return NULL;
}

static struct jitscope_error *append(const struct elf_reader *reader, uint32_t index,
                                     struct debug_sections *out) {
    const struct debug_trait *trait = &out->shape.sections.data[index];
    const uint8_t *header = reader->sections + (size_t)index * sizeof(Elf64_Shdr);
    uint64_t size = load_u64(header + offsetof(Elf64_Shdr, sh_size));
    struct bytes content =
        bytes_slice(reader->file, load_u64(header + offsetof(Elf64_Shdr, sh_offset)), size);
    const char *failure = NULL;
    if (!content.data && size)
        failure = "its content lies outside the file";
    else if (trait->flags & SHF_COMPRESSED || trait->old || size > MOST_PLAIN)
        TRY(append_packed(content, trait, out, &size, &failure));
    else if (size)
        TRY(append_plain(content, trait->kind, out));
    if (failure)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0, "%s", failure);
    out->targets.data[index] = (struct debug_target){out->bytes[trait->kind].count, (uint32_t)size};
    out->bytes[trait->kind].count += (uint32_t)size;
    return NULL;
}

/* --- relocations */

/* One RELA section while it is applied. */
struct patch {
    const struct elf_reader *reader;
    const struct elf_debug_places *places;
    struct debug_sections *out;
    uint32_t section;
    uint8_t kind;           /* of the section itself */
    struct debug_target at; /* where it is */
    uint64_t tombstone;
};

/* What a symbol stands for. */
struct meaning {
    uint64_t value;
    uint8_t kind; /* enum debug_section, KIND_MEMORY or KIND_GONE */
};

static struct meaning meaning_by_name(const struct patch *patch, const Elf64_Sym *symbol) {
    size_t length;
    const char *name = bytes_string(patch->reader->symbol_names, symbol->st_name, &length);
    uint64_t value = name && length ? patch->places->find(patch->places->context, name, length) : 0;
    return (struct meaning){value, value ? KIND_MEMORY : KIND_GONE};
}

static struct meaning meaning_of_section(const struct patch *patch, uint32_t section) {
    const struct debug_sections *out = patch->out;
    uint8_t kind = section < out->shape.sections.count ? out->shape.sections.data[section].kind : NO_KIND;
    if (kind != NO_KIND)
        return (struct meaning){out->targets.data[section].value, kind};
    bool placed = section < patch->places->count && patch->places->sections[section] != NOT_IN_MEMORY;
    return (struct meaning){placed ? patch->places->sections[section] : patch->tombstone,
                            placed ? KIND_MEMORY : KIND_GONE};
}

/* Of what is gone, the addend has no meaning. */
static struct meaning meaning_of(const struct patch *patch, uint32_t index) {
    const struct elf_reader *reader = patch->reader;
    Elf64_Sym symbol = elf_symbol(reader, index);
    if (symbol.st_shndx == SHN_ABS)
        return (struct meaning){symbol.st_value, KIND_MEMORY};
    if (symbol.st_shndx == SHN_UNDEF || elf_is_common(symbol.st_shndx))
        return meaning_by_name(patch, &symbol);
    struct meaning meaning = meaning_of_section(patch, elf_reader_symbol_section(reader, index));
    meaning.value += meaning.kind == KIND_GONE ? 0 : symbol.st_value;
    return meaning;
}

/* The edge of a relocation type, with those of thread-local storage, whose value is an offset that the
 * debugger adds. */
static bool edge_of(uint32_t type, uint16_t *edge) {
    if (type >= RELOCATION_X86_64_LIMIT || relocations_x86_64[type].state != RELOCATION_KNOWN)
        return false;
    *edge = relocations_x86_64[type].edge;
    if (*edge == EDGE_X86_64_TLS_OFFSET32 || *edge == EDGE_X86_64_TLS_OFFSET64)
        return true;
    return !arch_x86_64.kinds[*edge].request &&
           !((arch_x86_64.got_base_kinds | arch_x86_64.size_kinds | arch_x86_64.tls_kinds) >> *edge & 1);
}

/* Where a thread-local variable is, only the loader could say, and debuggers ask it about the files of
 * libraries: gdb takes what it cannot find for a variable of the first module's, and shows another's value.
 * So that expression (DW_OP_const4u or const8u OFFSET, DW_OP_form_tls_address or DW_OP_GNU_push_tls_address)
 * becomes one of the same length for an address that nobody can read, 2^64 - 1. */
static void hide_thread_local(const struct patch *patch, uint64_t offset) {
    enum {
        CONST4U = 0x0c,
        CONST8U = 0x0e,
        NOT = 0x20,
        LIT0 = 0x30,
        NOP = 0x96,
        FORM_TLS = 0x9b,
        GNU_PUSH_TLS = 0xe0
    };
    if (!offset)
        return;
    uint8_t *expression = patch->out->bytes[patch->kind].data + patch->at.value + offset - 1;
    uint64_t length = *expression == CONST4U ? 6 : *expression == CONST8U ? 10 : 0;
    if (!length || length > patch->at.size - offset + 1 ||
        (expression[length - 1] != FORM_TLS && expression[length - 1] != GNU_PUSH_TLS))
        return;
    memset(expression, NOP, length);
    expression[0] = LIT0;
    expression[1] = NOT;
}

/* What an FDE says of its CIE is found without a reference. */
static bool is_to_cie(uint8_t section, uint8_t target) {
    return section == DEBUG_SECTION_FRAME && target == DEBUG_SECTION_FRAME;
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
    struct meaning target = meaning_of(patch, symbol);
    struct fixup fixup = {.kind = edge,
                          .addend = target.kind == KIND_GONE ? 0 : rela->r_addend,
                          .symbol = target.value,
                          .place = offset,
                          .content = patch->out->bytes[patch->kind].data + offset};
    if (!arch_x86_64.apply(&fixup, &written))
        return elf_error(patch->reader, JITSCOPE_ERROR_OUT_OF_RANGE, patch->section, rela->r_offset, symbol,
                         "the value 0x%llx does not fit", (unsigned long long)written);
    if (edge == EDGE_X86_64_TLS_OFFSET32 || edge == EDGE_X86_64_TLS_OFFSET64)
        hide_thread_local(patch, rela->r_offset);
    if (target.kind < DEBUG_SECTION_COUNT && (width == 4 || width == 8) &&
        !is_to_cie(patch->kind, target.kind)) /* there is room */
        vec_put(&patch->out->references,
                (struct debug_reference){
                    .offset = offset, .section = patch->kind, .target = target.kind, .width = width});
    return NULL;
}

/* What nearly all relocations are: 32-bit offsets into another DWARF section, by that section's symbol.  Such
 * a run, from ENTRY on, is applied; the result is where it ends: at END, or at the first that is of another
 * kind or not sound, which is apply()'s.  Everything in locals: the stores could change whatever is not, as
 * far as the compiler knows. */
static const uint8_t *apply_offsets(const struct patch *patch, const uint8_t *entry, const uint8_t *end) {
    const struct debug_sections *out = patch->out;
    const struct debug_trait *traits = out->shape.sections.data;
    const struct debug_target *targets = out->targets.data;
    const uint8_t *symbols = patch->reader->symbols;
    const uint64_t symbol_count = patch->reader->symbol_count;
    const uint32_t count = out->shape.sections.count,
                   sections = count < SHN_LORESERVE ? count : SHN_LORESERVE,
                   start = (uint32_t)patch->at.value;
    const uint8_t kind = patch->kind;
    if (entry == end || patch->at.size < 4)
        return entry;
    uint8_t *content = out->bytes[kind].data + start;
    struct debug_reference *reference = out->references.data + out->references.count;
    for (const uint64_t last = patch->at.size - 4; entry != end; entry += sizeof(Elf64_Rela)) {
        uint64_t offset = load_u64(entry), info = load_u64(entry + offsetof(Elf64_Rela, r_info));
        if ((uint32_t)info != R_X86_64_32 || info >> 32 >= symbol_count || offset > last)
            break;
        const uint8_t *symbol = symbols + (info >> 32) * sizeof(Elf64_Sym);
        uint64_t what = load_u64(symbol); /* st_name, st_info, st_other, st_shndx */
        uint32_t section = (uint32_t)(what >> 48);
        if (ELF64_ST_TYPE(what >> 32) != STT_SECTION || section >= sections ||
            traits[section].kind == NO_KIND || is_to_cie(kind, traits[section].kind))
            break;
        uint64_t value = targets[section].value + load_u64(symbol + offsetof(Elf64_Sym, st_value)) +
                         load_u64(entry + offsetof(Elf64_Rela, r_addend));
        if (value > UINT32_MAX)
            break;
        store_u32(content + offset, (uint32_t)value);
        *reference++ = (struct debug_reference){
            .offset = start + (uint32_t)offset, .section = kind, .target = traits[section].kind, .width = 4};
    }
    patch->out->references.count = (uint32_t)(reference - out->references.data);
    return entry;
}

static struct jitscope_error *apply_table(struct patch *patch, const Elf64_Shdr *table) {
    const struct elf_reader *reader = patch->reader;
    struct bytes entries = bytes_slice(reader->file, table->sh_offset, table->sh_size);
    if (!entries.data || table->sh_entsize != sizeof(Elf64_Rela) || table->sh_link != reader->symbol_table)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, patch->section, NO_OFFSET, 0,
                         "its relocation table is malformed");
    uint64_t count = entries.size / sizeof(Elf64_Rela);
    TRY(vec_reserve(&patch->out->references, count));
    const uint8_t *entry = entries.data, *end = entry + count * sizeof(Elf64_Rela);
    while ((entry = apply_offsets(patch, entry, end)) != end) {
        Elf64_Rela rela;
        memcpy(&rela, entry, sizeof rela);
        TRY(apply(patch, &rela));
        entry += sizeof rela;
    }
    return NULL;
}

static struct jitscope_error *apply_all(const struct elf_reader *reader,
                                        const struct elf_debug_places *places, struct debug_sections *out) {
    for (uint32_t i = 0; i < out->shape.tables.count; i++) {
        Elf64_Shdr table = elf_section(reader, out->shape.tables.data[i]);
        uint32_t section = table.sh_info;
        if (section >= out->shape.sections.count || out->shape.sections.data[section].kind == NO_KIND)
            continue;
        uint8_t kind = out->shape.sections.data[section].kind;
        struct patch patch = {.reader = reader,
                              .places = places,
                              .out = out,
                              .section = section,
                              .kind = kind,
                              .at = out->targets.data[section],
                              .tombstone = kind == DEBUG_SECTION_RANGES || kind == DEBUG_SECTION_LOC};
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

/* Where the object at hand begins. */
struct mark {
    uint32_t info, types, frame; /* in bytes of those */
    uint32_t references, units;
    uint32_t appended; /* of shape.dwarf */
};

static void go_back(struct debug_sections *out, const struct mark *mark) {
    for (uint32_t i = mark->appended; i-- > 0;) {
        uint32_t section = out->shape.dwarf.data[i];
        out->bytes[out->shape.sections.data[section].kind].count = (uint32_t)out->targets.data[section].value;
    }
    out->references.count = mark->references;
    out->units = mark->units;
}

static struct jitscope_error *read_debug(const struct elf_reader *reader,
                                         const struct elf_debug_places *places, struct debug_sections *out,
                                         struct mark *mark) {
    TRY(take_shape(reader, out));
    for (; mark->appended < out->shape.dwarf.count; mark->appended++)
        TRY(append(reader, out->shape.dwarf.data[mark->appended], out));
    TRY(apply_all(reader, places, out));
    TRY(check_units(reader, out, DEBUG_SECTION_INFO, mark->info));
    TRY(check_units(reader, out, DEBUG_SECTION_TYPES, mark->types));
    return check_frames(reader, out, mark->frame);
}

struct jitscope_error *elf_read_debug(const struct elf_reader *reader, const struct elf_debug_places *places,
                                      struct debug_sections *out) {
    struct mark mark = {.info = out->bytes[DEBUG_SECTION_INFO].count,
                        .types = out->bytes[DEBUG_SECTION_TYPES].count,
                        .frame = out->bytes[DEBUG_SECTION_FRAME].count,
                        .references = out->references.count,
                        .units = out->units};
    struct jitscope_error *error = read_debug(reader, places, out, &mark);
    if (error)
        go_back(out, &mark);
    return error;
}
