/* Strings of DWARF 2 to 5, for redaction.
 *
 * Most stand in .debug_str and .debug_line_str; in objects their offsets are written by relocations.  Short
 * ones stand in .debug_info itself (DW_FORM_string), and the names of files, before DWARF 5, in .debug_line.
 * To find those, attributes are walked over by their forms (DWARF 5 section 7.5.6); what has an unknown form
 * ends its unit, counted as unreadable. */
#include "record/redact_contents.h"

#include <string.h>

/* DWARF 5 section 7.5: those that matter here. */
enum {
    TAG_COMPILE_UNIT = 0x11,
    TAG_PARTIAL_UNIT = 0x3c,
    TAG_TYPE_UNIT = 0x41,
    TAG_SKELETON_UNIT = 0x4a,
    AT_NAME = 0x03,
    AT_COMP_DIR = 0x1b,
    AT_DWO_NAME = 0x76,
    AT_GNU_DWO_NAME = 0x2130,
    FORM_BLOCK2 = 0x03,
    FORM_BLOCK4 = 0x04,
    FORM_STRING = 0x08,
    FORM_BLOCK = 0x09,
    FORM_BLOCK1 = 0x0a,
    FORM_SDATA = 0x0d,
    FORM_STRP = 0x0e,
    FORM_INDIRECT = 0x16,
    FORM_EXPRLOC = 0x18,
    FORM_LINE_STRP = 0x1f,
    FORM_IMPLICIT_CONST = 0x21,
};

/* Bytes of forms of fixed size; PER_ADDRESS and ULEB for the others. */
enum { PER_ADDRESS = 0xfe, ULEB = 0xff, UNKNOWN = 0xfd };
static uint8_t size_of_form(uint64_t form) {
    static const uint8_t sizes[] = {
        UNKNOWN, PER_ADDRESS, UNKNOWN, UNKNOWN, UNKNOWN,     2, 4,  8, UNKNOWN, UNKNOWN, UNKNOWN, 1,
        1,       ULEB,        4,       ULEB,    PER_ADDRESS, 1, 2,  4, 8,       ULEB,    UNKNOWN, 4,
        UNKNOWN, 0,           ULEB,    ULEB,    4,           4, 16, 4, 8,       0,       ULEB,    ULEB,
        8,       1,           2,       3,       4,           1, 2,  3, 4};
    if (form == 0x1f01 || form == 0x1f02)
        return ULEB; /* GNU's addresses and strings by index */
    if (form == 0x1f20 || form == 0x1f21)
        return 4; /* GNU's references into other files */
    return form < sizeof sizes ? sizes[form] : UNKNOWN;
}

/* --- sections and their relocations */

struct reference {
    uint64_t offset, value;
};

struct debug_section {
    struct redact_elf *elf;
    uint32_t index;
    struct bytes content;
    VEC(struct reference) references; /* relocated places, in order of their offset */
};

/* The tables that strings lie in; 0: none. */
struct string_tables {
    uint32_t strings, line_strings;
};

static struct jitscope_error *read_table(struct debug_section *section, const struct bytes *table,
                                         const struct bytes *symbols) {
    for (uint64_t at = 0; bytes_contain(*table, at, sizeof(Elf64_Rela)); at += sizeof(Elf64_Rela)) {
        Elf64_Rela rela;
        Elf64_Sym symbol = {0};
        memcpy(&rela, table->data + at, sizeof rela);
        uint64_t place = ELF64_R_SYM(rela.r_info) * sizeof symbol;
        if (bytes_contain(*symbols, place, sizeof symbol))
            memcpy(&symbol, symbols->data + place, sizeof symbol);
        TRY(vec_push(&section->references,
                     (struct reference){rela.r_offset, symbol.st_value + (uint64_t)rela.r_addend}));
    }
    return NULL;
}

static struct jitscope_error *read_references(struct debug_section *section) {
    Elf64_Shdr header, symbol_header;
    struct bytes table, symbols = {NULL, 0};
    uint32_t count = section->elf->header.e_type == ET_REL ? redact_section_count(section->elf) : 0;
    for (uint32_t i = 1; i < count; i++) {
        if (!redact_section(section->elf, i, &header, &table) || header.sh_type != SHT_RELA ||
            header.sh_info != section->index)
            continue;
        redact_section(section->elf, header.sh_link, &symbol_header, &symbols);
        TRY(read_table(section, &table, &symbols));
    }
    return NULL;
}

/* The offset that stands at PLACE, or will when relocations are applied; they are in order, as assemblers
 * write them. */
static uint64_t offset_at(const struct debug_section *section, uint64_t place) {
    uint32_t low = 0, high = section->references.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (section->references.data[middle].offset < place)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < section->references.count && section->references.data[low].offset == place)
        return section->references.data[low].value;
    return bytes_contain(section->content, place, 4) ? load_u32(section->content.data + place) : UINT64_MAX;
}

/* --- attributes */

struct unit {
    struct debug_section *section;
    struct bytes abbreviations; /* of this unit */
    const struct string_tables *tables;
    uint64_t declared;          /* where DECLARATIONS are from */
    VEC(uint64_t) declarations; /* offset in ABBREVIATIONS by code; UINT64_MAX: none */
    uint64_t at, end;
    uint16_t version;
    uint8_t address_size;
};

static bool skip(struct unit *unit, uint64_t size) {
    if (size > unit->end - unit->at)
        return false;
    unit->at += size;
    return true;
}

static bool read_uleb(struct unit *unit, uint64_t *value) {
    struct bytes bytes = {unit->section->content.data, unit->end};
    return bytes_uleb(bytes, &unit->at, value);
}

static bool read_number(struct unit *unit, unsigned size, uint64_t *value) {
    *value = 0;
    if (size > 8 || size > unit->end - unit->at)
        return false;
    memcpy(value, unit->section->content.data + unit->at, size);
    unit->at += size;
    return true;
}

static struct jitscope_error *take_inline(struct unit *unit, enum redact_kind kind, bool *good) {
    size_t length;
    struct bytes bytes = {unit->section->content.data, unit->end};
    const char *text = bytes_string(bytes, unit->at, &length);
    *good = text;
    if (!text)
        return NULL;
    unit->at += length + 1;
    return redact_own_string(unit->section->elf, text, length, kind);
}

static struct jitscope_error *take_offset(struct unit *unit, uint32_t table, enum redact_kind kind,
                                          bool *good) {
    uint64_t offset = offset_at(unit->section, unit->at);
    *good = skip(unit, 4);
    return *good && table ? redact_table_string(unit->section->elf, table, offset, kind) : NULL;
}

/* Passes over a value; takes the string that it is. */
static struct jitscope_error *take_form(struct unit *unit, uint64_t form, enum redact_kind kind, bool *good) {
    uint64_t size = 0;
    if (form == FORM_INDIRECT && (!read_uleb(unit, &form) || form == FORM_INDIRECT)) {
        *good = false;
        return NULL;
    }
    if (form == FORM_STRING)
        return take_inline(unit, kind, good);
    if (form == FORM_STRP || form == FORM_LINE_STRP)
        return take_offset(unit, form == FORM_STRP ? unit->tables->strings : unit->tables->line_strings, kind,
                           good);
    uint8_t fixed = size_of_form(form);
    if (form == FORM_BLOCK1 || form == FORM_BLOCK2 || form == FORM_BLOCK4)
        *good = read_number(unit,
                            form == FORM_BLOCK1   ? 1
                            : form == FORM_BLOCK2 ? 2
                                                  : 4,
                            &size) &&
                skip(unit, size);
    else if (form == FORM_BLOCK || form == FORM_EXPRLOC)
        *good = read_uleb(unit, &size) && skip(unit, size);
    else if (fixed == ULEB)
        *good = read_uleb(unit, &size);
    else
        *good = fixed != UNKNOWN && skip(unit, fixed == PER_ADDRESS ? unit->address_size : fixed);
    return NULL;
}

static enum redact_kind kind_of(uint64_t tag, uint64_t attribute) {
    bool is_unit = tag == TAG_COMPILE_UNIT || tag == TAG_PARTIAL_UNIT || tag == TAG_TYPE_UNIT ||
                   tag == TAG_SKELETON_UNIT;
    return (attribute == AT_NAME && is_unit) || attribute == AT_COMP_DIR || attribute == AT_DWO_NAME ||
                   attribute == AT_GNU_DWO_NAME
               ? KIND_PATH
               : KIND_DEBUG;
}

static struct jitscope_error *walk_entry(struct unit *unit, uint64_t declaration, bool *good) {
    uint64_t tag, attribute, form;
    int64_t constant;
    *good = bytes_uleb(unit->abbreviations, &declaration, &tag);
    declaration++; /* whether it has children */
    while (*good) {
        *good = bytes_uleb(unit->abbreviations, &declaration, &attribute) &&
                bytes_uleb(unit->abbreviations, &declaration, &form);
        if (*good && !attribute && !form)
            return NULL;
        if (*good && form == FORM_IMPLICIT_CONST)
            *good = bytes_sleb(unit->abbreviations, &declaration, &constant);
        if (*good)
            TRY(take_form(unit, form, kind_of(tag, attribute), good));
    }
    return NULL;
}

enum { MOST_CODES = 1 << 16 };

static struct jitscope_error *note_declaration(struct unit *unit, uint64_t code, uint64_t at) {
    while (unit->declarations.count <= code)
        TRY(vec_push(&unit->declarations, UINT64_MAX));
    unit->declarations.data[code] = at;
    return NULL;
}

/* One table ends with a code of 0. */
static struct jitscope_error *read_declarations(struct unit *unit) {
    uint64_t at = 0, code, value, attribute;
    int64_t constant;
    unit->declarations.count = 0;
    while (bytes_uleb(unit->abbreviations, &at, &code) && code && code < MOST_CODES) {
        TRY(note_declaration(unit, code, at));
        if (!bytes_uleb(unit->abbreviations, &at, &value))
            return NULL;
        at++;
        do {
            if (!bytes_uleb(unit->abbreviations, &at, &attribute) ||
                !bytes_uleb(unit->abbreviations, &at, &value) ||
                (value == FORM_IMPLICIT_CONST && !bytes_sleb(unit->abbreviations, &at, &constant)))
                return NULL;
        } while (attribute || value);
    }
    return NULL;
}

static struct jitscope_error *walk_entries(struct unit *unit, bool *good) {
    uint64_t code;
    *good = true;
    while (*good && unit->at < unit->end) {
        *good = read_uleb(unit, &code);
        if (!*good || !code)
            continue;
        *good = code < unit->declarations.count && unit->declarations.data[code] != UINT64_MAX;
        if (*good)
            TRY(walk_entry(unit, unit->declarations.data[code], good));
    }
    return NULL;
}

/* DWARF 5 section 7.5.1; 64-bit DWARF is not made by any compiler of Linux unless asked. */
static bool read_unit_header(struct unit *unit, uint64_t *abbreviations) {
    uint64_t length, number, type = 1;
    unit->end = unit->section->content.size;
    if (!read_number(unit, 4, &length) || length > unit->end - unit->at)
        return false;
    unit->end = unit->at + length;
    if (!read_number(unit, 2, &number) || number < 2 || number > 5)
        return false;
    unit->version = (uint16_t)number;
    if (unit->version == 5 && (!read_number(unit, 1, &type) || !read_number(unit, 1, &number)))
        return false;
    *abbreviations = offset_at(unit->section, unit->at);
    if (!skip(unit, 4) || (unit->version < 5 && !read_number(unit, 1, &number)))
        return false;
    unit->address_size = (uint8_t)number;
    return skip(unit, type == 4 || type == 5 ? 8 : type == 2 || type == 6 ? 12 : 0);
}

/* Sections of type units before DWARF 5 have signature and offset behind the header. */
static struct jitscope_error *walk_units(struct debug_section *section, const struct string_tables *tables,
                                         struct bytes abbreviations, bool types) {
    struct unit unit = {.section = section, .tables = tables, .declared = UINT64_MAX};
    struct jitscope_error *error = NULL;
    bool good = true;
    while (!error && good && unit.at < section->content.size) {
        uint64_t offset;
        good = read_unit_header(&unit, &offset) && (!types || skip(&unit, 12)) && abbreviations.data &&
               offset <= abbreviations.size;
        if (!good)
            break;
        unit.abbreviations = bytes_slice(abbreviations, offset, abbreviations.size - offset);
        if (offset != unit.declared) /* units of one object share them, but for type units */
            error = read_declarations(&unit);
        unit.declared = offset;
        if (!error)
            error = walk_entries(&unit, &good);
        unit.at = unit.end;
    }
    section->elf->words->left[LEFT_UNREADABLE] += !good;
    vec_destroy(&unit.declarations);
    return error;
}

/* --- tables of files (DWARF 5 section 6.2.4) */

static struct jitscope_error *walk_old_files(struct unit *unit, bool *good) {
    uint64_t number;
    for (int list = 0; list < 2; list++) { /* folders, files */
        for (*good = true; *good && unit->at < unit->end && unit->section->content.data[unit->at];) {
            TRY(take_inline(unit, KIND_PATH, good));
            for (int i = 0; i < 3 && list && *good; i++)
                *good = read_uleb(unit, &number);
        }
        *good = *good && skip(unit, 1);
    }
    return NULL;
}

static struct jitscope_error *walk_new_files(struct unit *unit, bool *good) {
    for (int list = 0; list < 2 && *good; list++) {
        uint64_t formats, entries, forms[32], type;
        *good = read_number(unit, 1, &formats) && formats <= 32;
        for (uint64_t i = 0; i < formats && *good; i++)
            *good = read_uleb(unit, &type) && read_uleb(unit, &forms[i]);
        *good = *good && read_uleb(unit, &entries) && entries <= unit->end - unit->at;
        for (uint64_t i = 0; *good && i < entries; i++)
            for (uint64_t j = 0; *good && j < formats; j++)
                TRY(take_form(unit, forms[j], KIND_PATH, good));
    }
    return NULL;
}

static struct jitscope_error *walk_line_unit(struct unit *unit, bool *good) {
    uint64_t number, version, opcodes;
    unit->end = unit->section->content.size;
    *good = read_number(unit, 4, &number) && number <= unit->end - unit->at;
    if (!*good)
        return NULL;
    unit->end = unit->at + number;
    *good = read_number(unit, 2, &version) && version >= 2 && version <= 5 &&
            skip(unit, version == 5 ? 2 : 0) && skip(unit, 4) && skip(unit, version >= 4 ? 5 : 4) &&
            read_number(unit, 1, &opcodes) && opcodes && skip(unit, opcodes - 1);
    if (!*good)
        return NULL;
    return version == 5 ? walk_new_files(unit, good) : walk_old_files(unit, good);
}

static struct jitscope_error *walk_lines(struct debug_section *section, const struct string_tables *tables) {
    struct unit unit = {.section = section, .tables = tables, .address_size = 8};
    bool good = true;
    while (good && unit.at < section->content.size) {
        TRY(walk_line_unit(&unit, &good));
        unit.at = unit.end;
    }
    section->elf->words->left[LEFT_UNREADABLE] += !good;
    return NULL;
}

/* --- lists of public names (DWARF 4 section 6.1.1): GNU's have a byte of flags before each */

static struct jitscope_error *walk_names(struct debug_section *section, bool gnu) {
    struct unit unit = {.section = section, .end = section->content.size};
    bool good = true;
    uint64_t length, number;
    while (good && unit.at < section->content.size) {
        unit.end = section->content.size;
        good = read_number(&unit, 4, &length) && length <= unit.end - unit.at && length >= 10;
        if (!good)
            break;
        unit.end = unit.at + length;
        /* An offset of 0 ends the list; gcc writes it for types in units of their own too, so the length
         * counts. */
        for (good = skip(&unit, 10); good && unit.end - unit.at > 4;) {
            good = read_number(&unit, 4, &number) && skip(&unit, gnu);
            if (good)
                TRY(take_inline(&unit, KIND_DEBUG, &good));
        }
        unit.at = unit.end;
    }
    section->elf->words->left[LEFT_UNREADABLE] += !good;
    return NULL;
}

/* --- all of it */

static struct jitscope_error *take_table(struct redact_elf *elf, uint32_t index, struct bytes content,
                                         enum redact_kind kind) {
    size_t length;
    for (uint64_t at = 0; at < content.size; at += length + 1) {
        if (!bytes_string(content, at, &length))
            return NULL;
        TRY(redact_table_guess(elf, index, at, kind));
    }
    return NULL;
}

static bool is_named(const char *name, const char *wanted) {
    return !strcmp(name, wanted);
}

static struct jitscope_error *walk_section(struct debug_section *section, const char *name,
                                           const struct string_tables *tables, struct bytes abbreviations) {
    bool types = is_named(name, ".debug_types");
    TRY(read_references(section));
    if (types || is_named(name, ".debug_info"))
        return walk_units(section, tables, abbreviations, types);
    if (is_named(name, ".debug_line"))
        return walk_lines(section, tables);
    return walk_names(section, name[7] == 'g');
}

static bool has_strings(const char *name) {
    static const char *const names[] = {".debug_info",        ".debug_types",    ".debug_line",
                                        ".debug_pubnames",    ".debug_pubtypes", ".debug_gnu_pubnames",
                                        ".debug_gnu_pubtypes"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_named(name, names[i]))
            return true;
    return false;
}

struct found {
    struct string_tables tables;
    struct bytes abbreviations;
};

static void find_tables(struct redact_elf *elf, struct found *found) {
    Elf64_Shdr header;
    struct bytes content;
    for (uint32_t i = 1; i < redact_section_count(elf); i++) {
        if (!redact_section(elf, i, &header, &content))
            continue;
        const char *name = redact_section_name(elf, &header);
        bool compressed = header.sh_flags & SHF_COMPRESSED || !strncmp(name, ".zdebug_", 8);
        if (strncmp(name, ".debug_", 7) != 0 && !compressed)
            continue;
        elf->words->left[LEFT_COMPRESSED] += compressed;
        elf->words->left[LEFT_MACROS] += is_named(name, ".debug_macro") || is_named(name, ".debug_macinfo");
        if (compressed)
            continue;
        if (is_named(name, ".debug_str"))
            found->tables.strings = i;
        else if (is_named(name, ".debug_line_str"))
            found->tables.line_strings = i;
        else if (is_named(name, ".debug_abbrev"))
            found->abbreviations = content;
    }
}

static struct jitscope_error *walk_sections(struct redact_elf *elf, const struct found *found) {
    Elf64_Shdr header;
    struct debug_section section = {.elf = elf};
    for (uint32_t i = 1; i < redact_section_count(elf); i++) {
        if (!redact_section(elf, i, &header, &section.content) || header.sh_flags & SHF_COMPRESSED)
            continue;
        const char *name = redact_section_name(elf, &header);
        if (is_named(name, ".gnu_debuglink"))
            TRY(redact_table_string(elf, i, 0, KIND_PATH));
        if (!has_strings(name))
            continue;
        section.index = i;
        struct jitscope_error *error = walk_section(&section, name, &found->tables, found->abbreviations);
        vec_destroy(&section.references);
        TRY(error);
    }
    return NULL;
}

struct jitscope_error *redact_debug(struct redact_elf *elf) {
    struct found found = {0};
    Elf64_Shdr header;
    struct bytes content;
    find_tables(elf, &found);
    TRY(walk_sections(elf, &found));
    /* Strings that only indices lead to, or nothing. */
    if (redact_section(elf, found.tables.strings, &header, &content))
        TRY(take_table(elf, found.tables.strings, content, KIND_DEBUG));
    if (redact_section(elf, found.tables.line_strings, &header, &content))
        TRY(take_table(elf, found.tables.line_strings, content, KIND_PATH));
    return NULL;
}
