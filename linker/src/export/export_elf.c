/* The linked memory as one ELF executable (ET_EXEC), for tools that want a file.
 *
 *     header, program headers
 *     segments           PT_LOAD, each at an offset that its address is congruent to modulo the page size
 *     .symtab .strtab    functions, data, stubs as NAME@plt, slots as NAME@got, and what the outside world
 * defined as absolute symbols, so that calls which go straight there have names .debug_*           of the
 * links' debug images, merged as the executor merges them for debuggers: fixed up, with offsets into each
 * other moved .shstrtab, section headers
 *
 * There are no relocations, no dynamic section and no interpreter: the file is for reading.  It runs where
 * the link refers to nothing outside and was given addresses that a process can have. Sections are the link
 * graph's, from their first block to their last; several links have several of one name.  CFI comes twice, as
 * the .eh_frame in memory and as .debug_frame. */
#include "export/elf_contents.h"
#include "export/output.h"

#include "executor/debug_store.h"

#include <inttypes.h>
#include <string.h>

struct writer {
    const struct export_source *source;
    struct output *out;
    struct elf_contents contents;
    VEC(struct debug_image) images;
    VEC(struct debug_image_header) headers; /* of these, without all but DWARF */
    struct store_image *debug;              /* NULL: there is none */
    VEC(Elf64_Shdr) sections;
    struct text names;  /* of sections */
    uint64_t page, end; /* END: where the next thing goes */
    uint64_t table;     /* of section headers */
};

/* --- DWARF */

/* What offsets of 32 bits reach. */
#define MOST_DWARF ((uint64_t)UINT32_MAX)

static struct jitscope_error *find_images(struct writer *writer) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < writer->contents.links.list.count && writer->source->debug_image; i++) {
        uint32_t link = writer->contents.links.list.data[i]->number;
        struct debug_image image;
        struct bytes content;
        if (!writer->source->debug_image(writer->source->context, link, &content))
            continue;
        const char *fault = debug_image_open(content, &image);
        if (fault)
            return error_create(JITSCOPE_ERROR_FORMAT, "link %u: %s", link, fault);
        bytes += content.size;
        if (bytes > MOST_DWARF)
            return error_create(JITSCOPE_ERROR_UNSUPPORTED, "4 GiB of debug information or more");
        TRY(vec_push(&writer->images, image));
    }
    return NULL;
}

/* Symbols and sections are this file's own: of the images only DWARF is taken. */
static struct jitscope_error *strip_images(struct writer *writer) {
    TRY(vec_reserve(&writer->headers, writer->images.count));
    for (uint32_t i = 0; i < writer->images.count; i++) {
        struct debug_image_header header = *writer->images.data[i].header;
        header.sections.count = header.symbols.count = header.strings.count = header.names.count = 0;
        vec_put(&writer->headers, header);
        writer->images.data[i].header = &writer->headers.data[i];
    }
    return NULL;
}

static struct jitscope_error *merge_images(struct writer *writer) {
    TRY(find_images(writer));
    if (!writer->images.count)
        return NULL;
    TRY(strip_images(writer));
    TRY(store_image_create_for(writer->images.data, writer->images.count, 1, &writer->debug));
    for (uint32_t i = 0; i < writer->images.count; i++) {
        struct store_share share;
        store_share_measure(&writer->images.data[i], &share);
        store_image_add(writer->debug, &writer->images.data[i], &share);
    }
    return NULL;
}

static const uint8_t *dwarf_bytes(const struct writer *writer, unsigned section) {
    return (const uint8_t *)(uintptr_t)writer->debug->public.address +
           writer->debug->place[PART_DWARF + section];
}

/* --- places */

static struct jitscope_error *too_large(void) {
    return error_create(JITSCOPE_ERROR_UNSUPPORTED, "more memory than a file can hold");
}

static struct jitscope_error *place_segments(struct writer *writer) {
    uint64_t mask = writer->page - 1;
    uint32_t count = writer->contents.segments.count + 1;
    if (count >= PN_XNUM)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "%u segments, more than an ELF file can have", count);
    writer->end = sizeof(Elf64_Ehdr) + (uint64_t)count * sizeof(Elf64_Phdr);
    for (uint32_t i = 0; i < writer->contents.segments.count; i++) {
        struct elf_segment *segment = &writer->contents.segments.data[i];
        segment->offset = writer->end + ((segment->address - writer->end) & mask);
        if (segment->content > INT64_MAX - segment->offset)
            return too_large();
        if (segment->content)
            writer->end = segment->offset + segment->content;
    }
    return NULL;
}

static struct jitscope_error *add_header(struct writer *writer, struct recorded_string name,
                                         Elf64_Shdr header) {
    header.sh_name = elf_contents_name(&writer->names, name, "");
    return vec_push(&writer->sections, header);
}

static uint32_t section_type(struct recorded_string name, bool content) {
    static const struct {
        const char *name;
        uint32_t type;
    } special[] = {{".init_array", SHT_INIT_ARRAY},
                   {".fini_array", SHT_FINI_ARRAY},
                   {".preinit_array", SHT_PREINIT_ARRAY}};
    for (size_t i = 0; i < sizeof special / sizeof *special && content; i++)
        if (name.length == strlen(special[i].name) && !memcmp(name.bytes, special[i].name, name.length))
            return special[i].type;
    return content ? SHT_PROGBITS : SHT_NOBITS;
}

/* Blocks have alignments, sections do not: what the address allows, within reason. */
static uint64_t alignment_of(uint64_t address) {
    uint64_t lowest = address & -address;
    return lowest && lowest < 16 ? lowest : 16;
}

static struct jitscope_error *add_section(struct writer *writer, const struct elf_section *section) {
    const struct elf_segment *segment = &writer->contents.segments.data[section->segment];
    struct recorded_string name = recording_string(writer->source->file, section->name);
    uint64_t offset = section->address - segment->address;
    bool content = offset < segment->content;
    uint64_t room = segment->content - offset + (content ? 0 : segment->zero_fill);
    return add_header(writer, name,
                      (Elf64_Shdr){.sh_type = section_type(name, content),
                                   .sh_flags = SHF_ALLOC | (section->prot & PROTECT_WRITE ? SHF_WRITE : 0) |
                                               (section->prot & PROTECT_EXECUTE ? SHF_EXECINSTR : 0),
                                   .sh_addr = section->address,
                                   .sh_offset = segment->offset + (content ? offset : segment->content),
                                   .sh_size = section->size > room ? room : section->size,
                                   .sh_addralign = alignment_of(section->address)});
}

/* A section of SIZE bytes behind all that has a place. */
static struct jitscope_error *add_other(struct writer *writer, const char *name, uint64_t size,
                                        Elf64_Shdr header) {
    header.sh_offset = (writer->end + header.sh_addralign - 1) & ~(header.sh_addralign - 1);
    header.sh_size = size;
    writer->end = header.sh_offset + size;
    return add_header(writer, (struct recorded_string){name, (uint32_t)strlen(name)}, header);
}

static struct jitscope_error *add_symbol_table(struct writer *writer) {
    const struct elf_contents *contents = &writer->contents;
    TRY(add_other(writer, ".symtab", (uint64_t)contents->symbols.count * sizeof(Elf64_Sym),
                  (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                               .sh_link = writer->sections.count + 1,
                               .sh_info = contents->local_symbols,
                               .sh_entsize = sizeof(Elf64_Sym),
                               .sh_addralign = 8}));
    return add_other(writer, ".strtab", contents->strings.length,
                     (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_addralign = 1});
}

static struct jitscope_error *add_dwarf(struct writer *writer) {
    for (unsigned i = 0; i < DEBUG_SECTION_COUNT && writer->debug; i++) {
        uint64_t size = writer->debug->used[PART_DWARF + i];
        bool strings = i == DEBUG_SECTION_STR || i == DEBUG_SECTION_LINE_STR;
        if (size)
            TRY(add_other(writer, debug_section_names[i], size,
                          (Elf64_Shdr){.sh_type = SHT_PROGBITS,
                                       .sh_flags = strings ? SHF_MERGE | SHF_STRINGS : 0,
                                       .sh_entsize = strings,
                                       .sh_addralign = 1}));
    }
    return NULL;
}

static struct jitscope_error *place_sections(struct writer *writer) {
    static const char last[] = ".shstrtab";
    text_append_bytes(&writer->names, "", 1);
    TRY(vec_push(&writer->sections, (Elf64_Shdr){0}));
    for (uint32_t i = 0; i < writer->contents.sections.count; i++)
        TRY(add_section(writer, &writer->contents.sections.data[i]));
    TRY(add_symbol_table(writer));
    TRY(add_dwarf(writer));
    TRY(add_other(writer, last, writer->names.length + sizeof last,
                  (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_addralign = 1}));
    writer->table = (writer->end + 7) & ~UINT64_C(7);
    return writer->names.failed ? error_no_memory() : NULL;
}

/* --- writing */

static void write_header(struct writer *writer) {
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = writer->contents.entry,
        .e_phoff = sizeof header,
        .e_shoff = writer->table,
        .e_ehsize = sizeof header,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = (Elf64_Half)(writer->contents.segments.count + 1),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = (Elf64_Half)writer->sections.count,
        .e_shstrndx = (Elf64_Half)(writer->sections.count - 1),
    };
    output_put(writer->out, &header, sizeof header);
}

static uint32_t segment_flags(uint32_t prot) {
    return (prot & PROTECT_READ ? PF_R : 0u) | (prot & PROTECT_WRITE ? PF_W : 0u) |
           (prot & PROTECT_EXECUTE ? PF_X : 0u);
}

static void write_program_headers(struct writer *writer) {
    for (uint32_t i = 0; i < writer->contents.segments.count; i++) {
        const struct elf_segment *segment = &writer->contents.segments.data[i];
        Elf64_Phdr header = {.p_type = PT_LOAD,
                             .p_flags = segment_flags(segment->prot),
                             .p_offset = segment->offset,
                             .p_vaddr = segment->address,
                             .p_paddr = segment->address,
                             .p_filesz = segment->content,
                             .p_memsz = segment->content + segment->zero_fill,
                             .p_align = writer->page};
        output_put(writer->out, &header, sizeof header);
    }
    Elf64_Phdr stack = {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16};
    output_put(writer->out, &stack, sizeof stack);
}

static void pad_to(struct writer *writer, uint64_t offset) {
    if (offset > writer->out->written)
        output_zeros(writer->out, offset - writer->out->written);
}

static struct jitscope_error *write_segment(struct writer *writer, const struct elf_segment *segment) {
    uint8_t buffer[1 << 14];
    pad_to(writer, segment->content ? segment->offset : 0);
    for (uint64_t done = 0; done < segment->content && !writer->out->failure;) {
        uint64_t left = segment->content - done, size = left < sizeof buffer ? left : sizeof buffer;
        if (!writer->source->read(writer->source->context, segment->address + done, buffer, size))
            return error_create(JITSCOPE_ERROR_UNSUPPORTED, "the bytes at 0x%" PRIx64 " are not known",
                                segment->address + done);
        output_put(writer->out, buffer, size);
        done += size;
    }
    return NULL;
}

/* Symbols, strings, DWARF and section names are the last sections, in this order. */
static void write_others(struct writer *writer) {
    const struct elf_contents *contents = &writer->contents;
    const Elf64_Shdr *next = &writer->sections.data[1 + contents->sections.count];
    pad_to(writer, next->sh_offset);
    output_put(writer->out, contents->symbols.data, contents->symbols.count * sizeof(Elf64_Sym));
    pad_to(writer, (++next)->sh_offset);
    output_put(writer->out, contents->strings.data, contents->strings.length);
    for (unsigned i = 0; i < DEBUG_SECTION_COUNT && writer->debug; i++) {
        uint64_t size = writer->debug->used[PART_DWARF + i];
        if (size) {
            pad_to(writer, (++next)->sh_offset);
            output_put(writer->out, dwarf_bytes(writer, i), size);
        }
    }
    pad_to(writer, (++next)->sh_offset);
    output_put(writer->out, writer->names.data, writer->names.length);
    pad_to(writer, writer->table);
    output_put(writer->out, writer->sections.data, writer->sections.count * sizeof(Elf64_Shdr));
}

static struct jitscope_error *write_file(struct writer *writer) {
    TRY(elf_contents_find(writer->source, &writer->contents));
    if (!writer->contents.segments.count)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "no link was in memory when the recording ends");
    TRY(merge_images(writer));
    TRY(place_segments(writer));
    TRY(place_sections(writer));
    write_header(writer);
    write_program_headers(writer);
    for (uint32_t i = 0; i < writer->contents.segments.count; i++)
        TRY(write_segment(writer, &writer->contents.segments.data[i]));
    write_others(writer);
    return NULL;
}

struct jitscope_error *export_elf(const struct export_source *source, struct output *out) {
    uint64_t page = source->mirror->session.page_size;
    struct writer writer = {
        .source = source, .out = out, .page = is_power_of_two(page) && page <= 1 << 16 ? page : 4096};
    struct jitscope_error *error = write_file(&writer);
    elf_contents_destroy(&writer.contents);
    vec_destroy(&writer.images);
    vec_destroy(&writer.headers);
    store_image_destroy(writer.debug);
    vec_destroy(&writer.sections);
    text_destroy(&writer.names);
    return error;
}
