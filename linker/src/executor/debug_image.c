#include "executor/debug_image.h"

#include "executor/debug_elf.h"
#include "executor/debuggee.h"

const char *const debug_section_names[DEBUG_SECTION_COUNT] = {
#define DEBUG_SECTION(NAME, name) name,
#include "executor/debug_sections.def"
#undef DEBUG_SECTION
};

const char debug_image_fixed_names[] = "\0.shstrtab\0.strtab\0.symtab\0"
#define DEBUG_SECTION(NAME, name) name "\0"
#include "executor/debug_sections.def"
#undef DEBUG_SECTION
    ;
const uint32_t debug_image_fixed_names_size = sizeof debug_image_fixed_names - 1;

/* The end of TABLE, which is not to begin before FROM; *good becomes false when it does.  Tables follow each
 * other, so that all lie inside when the last one ends inside; 32-bit counts cannot overflow these. */
static uint64_t check_table(struct debug_table table, size_t entry, uint64_t from, bool *good) {
    *good &= table.offset >= from;
    return table.offset + (uint64_t)table.count * entry;
}

static bool check_tables(const struct debug_image_header *header) {
    bool good = header->description_size <= header->size;
    uint64_t at = check_table(header->segments, sizeof(struct debuggee_segment), sizeof *header, &good);
    at = check_table(header->sections, sizeof(struct debuggee_section), at, &good);
    at = check_table(header->entries, sizeof(struct debuggee_entry), at, &good);
    at = check_table(header->actions, sizeof(struct debuggee_action), at, &good);
    at = check_table(header->elf, 1, at, &good);
    at = check_table(header->strings, 1, at, &good);
    good &= at <= header->description_size && header->names.offset == at;
    at = check_table(header->names, 1, at, &good);
    at += header->elf.count ? sizeof(Elf64_Sym) : 0;
    at = check_table(header->symbols, sizeof(Elf64_Sym), at, &good);
    at = check_table(header->references, sizeof(struct debug_reference), at, &good);
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++)
        at = check_table(header->dwarf[i], 1, at, &good);
    return good && at <= header->size;
}

static bool is_aligned(const struct debug_image_header *header) {
    return !((header->size | header->segments.offset | header->sections.offset | header->entries.offset |
              header->actions.offset | header->elf.offset | header->symbols.offset |
              header->references.offset) &
             7);
}

/* What the executor needs to make an ELF file of the image where it lies. */
static bool check_elf(const struct debug_image *image) {
    const struct debug_image_header *header = image->header;
    if (header->elf_sections > header->sections.count || header->elf_sections > MOST_SECTIONS - ELF_FIXED)
        return false;
    return !header->elf.count || (header->elf.count == debug_image_elf_size(header->elf_sections) &&
                                  header->strings.count > debug_image_fixed_names_size &&
                                  !memcmp(debug_image_table(image, header->strings), debug_image_fixed_names,
                                          debug_image_fixed_names_size));
}

static bool check_names(const struct debug_image *image) {
    const struct debug_image_header *header = image->header;
    const char *strings = debug_image_table(image, header->strings);
    const uint32_t texts = debug_image_texts(header);
    if (!header->strings.count || strings[0] || strings[header->strings.count - 1] || strings[texts - 1])
        return false;
    const struct debuggee_section *sections = debug_image_table(image, header->sections);
    for (uint32_t i = 0; i < header->sections.count; i++)
        if (sections[i].name >= header->strings.count)
            return false;
    const Elf64_Sym *symbols = debug_image_table(image, header->symbols);
    for (uint32_t i = 0; i < header->symbols.count; i++)
        if (symbols[i].st_name >= texts ||
            (symbols[i].st_shndx != SHN_ABS &&
             (uint32_t)symbols[i].st_shndx - ELF_FIXED >= header->elf_sections))
            return false;
    return true;
}

static bool check_references(const struct debug_image *image) {
    const struct debug_image_header *header = image->header;
    const struct debug_reference *references = debug_image_table(image, header->references);
    for (uint32_t i = 0; i < header->references.count; i++) {
        const struct debug_reference *at = &references[i];
        if (at->section >= DEBUG_SECTION_COUNT || at->target >= DEBUG_SECTION_COUNT ||
            (at->width != 4 && at->width != 8) ||
            (uint64_t)at->offset + at->width > header->dwarf[at->section].count)
            return false;
    }
    return true;
}

const char *debug_image_open(struct bytes bytes, struct debug_image *image) {
    if (bytes.size < sizeof(struct debug_image_header) || (uintptr_t)bytes.data % 8)
        return "the debug image is too short or not aligned";
    *image = (struct debug_image){bytes, (const void *)bytes.data};
    if (image->header->size != bytes.size || !is_aligned(image->header) || !check_tables(image->header))
        return "a table of the debug image lies outside it";
    if (!check_elf(image))
        return "the debug image has not the sections, or not the names, of an ELF file";
    if (!check_names(image))
        return "a name or section number of the debug image lies outside its table";
    if (!check_references(image))
        return "a reference of the debug image lies outside its section";
    return NULL;
}
