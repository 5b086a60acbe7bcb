/* String tables of ELF files (gABI chapter 4, "String Table").
 *
 * What is peculiar: a table may hold the names of symbols, sections and files at once (LLVM's do), and the
 * end of one string may be another one (binutils and LLVM both merge so).  Strings are collected with their
 * places; those that end at the same byte share it. */
#include "record/redact_contents.h"

#include <stdlib.h>
#include <string.h>

bool redact_elf_open(struct redact_elf *elf, struct redact_words *words, uint8_t *data, uint64_t size) {
    *elf = (struct redact_elf){.words = words, .data = data, .file = {data, size}};
    if (size < sizeof elf->header || memcmp(data, ELFMAG, SELFMAG) != 0 || data[EI_CLASS] != ELFCLASS64 ||
        data[EI_DATA] != ELFDATA2LSB)
        return false;
    memcpy(&elf->header, data, sizeof elf->header);
    return elf->header.e_shentsize == sizeof(Elf64_Shdr);
}

static bool section_header(const struct redact_elf *elf, uint64_t index, Elf64_Shdr *section) {
    uint64_t at;
    if (__builtin_add_overflow(elf->header.e_shoff, index * sizeof *section, &at) ||
        !bytes_contain(elf->file, at, sizeof *section))
        return false;
    memcpy(section, elf->file.data + at, sizeof *section);
    return true;
}

/* With more than 65,279 sections the number stands in the first one. */
uint32_t redact_section_count(const struct redact_elf *elf) {
    Elf64_Shdr first;
    if (elf->header.e_shnum || !elf->header.e_shoff || !section_header(elf, 0, &first))
        return elf->header.e_shnum;
    return first.sh_size < elf->file.size / sizeof first ? (uint32_t)first.sh_size : 0;
}

static uint32_t names_section(const struct redact_elf *elf) {
    Elf64_Shdr first;
    if (elf->header.e_shstrndx != SHN_XINDEX || !section_header(elf, 0, &first))
        return elf->header.e_shstrndx;
    return first.sh_link;
}

bool redact_section(const struct redact_elf *elf, uint32_t index, Elf64_Shdr *section,
                    struct bytes *content) {
    if (index >= redact_section_count(elf) || !section_header(elf, index, section) ||
        section->sh_type == SHT_NOBITS)
        return false;
    *content = bytes_slice(elf->file, section->sh_offset, section->sh_size);
    return content->data;
}

const char *redact_section_name(const struct redact_elf *elf, const Elf64_Shdr *section) {
    Elf64_Shdr names;
    struct bytes content;
    size_t length;
    const char *name = redact_section(elf, names_section(elf), &names, &content)
                           ? bytes_string(content, section->sh_name, &length)
                           : NULL;
    return name ? name : "";
}

/* --- strings */

static struct jitscope_error *add_table_string(struct redact_elf *elf, uint32_t table, uint64_t offset,
                                               enum redact_kind kind, bool is_guess) {
    struct redact_table_string string = {.section = table, .offset = offset, .is_guess = is_guess};
    Elf64_Shdr section;
    struct bytes content;
    size_t length;
    const char *text =
        redact_section(elf, table, &section, &content) ? bytes_string(content, offset, &length) : NULL;
    if (!text || !length)
        return NULL;
    TRY(redact_text(elf->words, kind, text, length, &string.text));
    return vec_push(&elf->strings, string);
}

struct jitscope_error *redact_table_string(struct redact_elf *elf, uint32_t table, uint64_t offset,
                                           enum redact_kind kind) {
    return add_table_string(elf, table, offset, kind, false);
}

struct jitscope_error *redact_table_guess(struct redact_elf *elf, uint32_t table, uint64_t offset,
                                          enum redact_kind kind) {
    return add_table_string(elf, table, offset, kind, true);
}

struct jitscope_error *redact_own_string(struct redact_elf *elf, const char *at, size_t length,
                                         enum redact_kind kind) {
    uint32_t text;
    if (!length)
        return NULL;
    TRY(redact_text(elf->words, kind, at, length, &text));
    return redact_at(elf->words, text, elf->data + ((const uint8_t *)at - elf->file.data));
}

static int by_place(const void *a, const void *b) {
    const struct redact_table_string *x = a, *y = b;
    if (x->section != y->section)
        return x->section < y->section ? -1 : 1;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->is_guess != y->is_guess)
        return x->is_guess ? 1 : -1;
    return x->text < y->text ? -1 : x->text > y->text;
}

/* Strings in order of their place: one that begins inside of another is its end.  What stands at one place as
 * two kinds of text is the first kind's, which symbols are; the other one shares all of it. */
static struct jitscope_error *place_strings(struct redact_elf *elf) {
    struct redact_words *words = elf->words;
    uint32_t longest = 0;
    if (elf->strings.count)
        qsort(elf->strings.data, elf->strings.count, sizeof *elf->strings.data, by_place);
    for (uint32_t i = 0; i < elf->strings.count; i++) {
        const struct redact_table_string *string = &elf->strings.data[i],
                                         *before = &elf->strings.data[longest];
        uint64_t end = before->offset + words->text_list.data[before->text].length;
        if (i && string->is_guess && string->section == string[-1].section &&
            string->offset == string[-1].offset)
            continue;
        if (i && string->section == before->section && string->offset < end) {
            if (string->text != before->text)
                TRY(redact_share(words, before->text, string->text));
            continue;
        }
        longest = i;
        Elf64_Shdr section;
        struct bytes content;
        if (redact_section(elf, string->section, &section, &content))
            TRY(redact_at(words, string->text, elf->data + section.sh_offset + string->offset));
    }
    return NULL;
}

/* --- symbols and sections */

static struct jitscope_error *add_symbols(struct redact_elf *elf, const Elf64_Shdr *table,
                                          struct bytes content) {
    for (uint64_t at = 0; bytes_contain(content, at, sizeof(Elf64_Sym)); at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        memcpy(&symbol, content.data + at, sizeof symbol);
        unsigned type = ELF64_ST_TYPE(symbol.st_info);
        if (symbol.st_name)
            TRY(redact_table_string(elf, table->sh_link, symbol.st_name,
                                    type == STT_FILE      ? KIND_PATH
                                    : type == STT_SECTION ? KIND_SECTION
                                                          : KIND_SYMBOL));
    }
    return NULL;
}

static struct jitscope_error *add_dynamic(struct redact_elf *elf, const Elf64_Shdr *table,
                                          struct bytes content) {
    for (uint64_t at = 0; bytes_contain(content, at, sizeof(Elf64_Dyn)); at += sizeof(Elf64_Dyn)) {
        uint64_t tag = load_u64(content.data + at);
        if (tag == DT_SONAME || tag == DT_NEEDED || tag == DT_RPATH || tag == DT_RUNPATH)
            TRY(redact_table_string(elf, table->sh_link, load_u64(content.data + at + 8), KIND_PATH));
    }
    return NULL;
}

static struct jitscope_error *add_tables(struct redact_elf *elf) {
    Elf64_Shdr section;
    struct bytes content;
    for (uint32_t i = 0; i < redact_section_count(elf); i++) {
        if (!redact_section(elf, i, &section, &content))
            continue;
        if (section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM)
            TRY(add_symbols(elf, &section, content));
        else if (section.sh_type == SHT_DYNAMIC)
            TRY(add_dynamic(elf, &section, content));
    }
    return NULL;
}

/* Behind the symbols, since a section's name may hold one's. */
static struct jitscope_error *add_section_names(struct redact_elf *elf) {
    Elf64_Shdr section;
    for (uint32_t i = 0; i < redact_section_count(elf) && section_header(elf, i, &section); i++) {
        TRY(redact_table_string(elf, names_section(elf), section.sh_name, KIND_SECTION));
        const char *name = redact_section_name(elf, &section);
        elf->words->left[LEFT_INTERMEDIATE] += !strncmp(name, ".gnu.lto_", 9) || !strncmp(name, ".llvmbc", 7);
    }
    return NULL;
}

static struct jitscope_error *redact_all(struct redact_elf *elf) {
    TRY(add_tables(elf));
    TRY(add_section_names(elf));
    TRY(redact_debug(elf));
    return place_strings(elf);
}

struct jitscope_error *redact_elf_file(struct redact_words *words, uint8_t *data, uint64_t size) {
    struct redact_elf elf;
    if (!redact_elf_open(&elf, words, data, size)) {
        words->left[LEFT_UNREADABLE]++;
        return NULL;
    }
    struct jitscope_error *error = redact_all(&elf);
    vec_destroy(&elf.strings);
    return error;
}

/* --- names that stay */

static struct jitscope_error *keep_symbols(const struct redact_elf *elf, const Elf64_Shdr *table,
                                           struct bytes content, enum redact_left why) {
    Elf64_Shdr section;
    struct bytes strings;
    size_t length;
    if (!redact_section(elf, table->sh_link, &section, &strings))
        return NULL;
    for (uint64_t at = 0; bytes_contain(content, at, sizeof(Elf64_Sym)); at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        memcpy(&symbol, content.data + at, sizeof symbol);
        const char *name = bytes_string(strings, symbol.st_name, &length);
        if (name && ELF64_ST_BIND(symbol.st_info) != STB_LOCAL)
            TRY(redact_keep(elf->words, CLASS_NAME, name, length, why));
    }
    return NULL;
}

struct jitscope_error *redact_keep_elf(struct redact_words *words, struct bytes file, enum redact_left why) {
    struct redact_elf elf;
    Elf64_Shdr section;
    struct bytes content;
    if (!redact_elf_open(&elf, words, (uint8_t *)(uintptr_t)file.data, file.size))
        return NULL;
    unsigned wanted = why == LEFT_PROVIDED ? SHT_DYNSYM : SHT_SYMTAB;
    for (uint32_t i = 0; i < redact_section_count(&elf); i++)
        if (redact_section(&elf, i, &section, &content) && section.sh_type == wanted)
            TRY(keep_symbols(&elf, &section, content, why));
    return NULL;
}
