/* A process whose jitscope_debuggee is damaged in the way its argument says. */
#include "executor/debug_image.h"
#include "executor/debuggee.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern struct debuggee jitscope_debuggee;
struct debuggee jitscope_debuggee = {
    .magic = DEBUGGEE_MAGIC, .version = DEBUGGEE_VERSION, .size = sizeof(struct debuggee)};

static struct debuggee_batch batch;
static struct debuggee_image image;
static struct {
    struct debug_image_header header;
    struct debuggee_segment segment;
    struct debuggee_section section;
    char strings[16];
} description;
static struct {
    Elf64_Ehdr header;
    Elf64_Shdr sections[4];
    Elf64_Sym symbols[2];
    char names[32];
} elf;

static uint64_t at(const void *memory) {
    return (uint64_t)(uintptr_t)memory;
}

static void describe(void) {
    struct debug_image_header *header = &description.header;
    uint32_t base = sizeof *header;
    header->description_size = sizeof description;
    header->segments.offset = base;
    header->segments.count = 1;
    header->sections.offset = base + sizeof description.segment;
    header->sections.count = 1;
    header->strings.offset = base + sizeof description.segment + sizeof description.section;
    header->strings.count = sizeof description.strings;
    memcpy(description.strings, "\0.eh_frame", 11);
    description.segment.prot = 5;
    description.segment.address = at(pause) & ~(uint64_t)0xfff;
    description.segment.size = 0x1000;
    description.section.name = 1;
    batch.description = at(&description);
    batch.description_size = sizeof description;
    jitscope_debuggee.batch = at(&batch);
}

static void show_image(void) {
    memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
    elf.header.e_ident[EI_CLASS] = ELFCLASS64;
    elf.header.e_ident[EI_DATA] = ELFDATA2LSB;
    elf.header.e_shentsize = sizeof(Elf64_Shdr);
    elf.header.e_shoff = sizeof elf.header;
    elf.header.e_shnum = 4;
    elf.header.e_shstrndx = 1;
    memcpy(elf.names, "\0.strtab\0.symtab", 17);
    uint64_t names = at(elf.names) - at(&elf), symbols = at(elf.symbols) - at(&elf);
    elf.sections[1] =
        (Elf64_Shdr){.sh_name = 1, .sh_type = SHT_STRTAB, .sh_offset = names, .sh_size = sizeof elf.names};
    elf.sections[2] = (Elf64_Shdr){
        .sh_name = 9, .sh_type = SHT_SYMTAB, .sh_offset = symbols, .sh_size = sizeof elf.symbols};
    elf.symbols[1] =
        (Elf64_Sym){.st_name = UINT32_MAX, .st_info = STT_FUNC, .st_shndx = 1, .st_size = UINT64_MAX};
    image.address = at(&elf);
    image.size = sizeof elf;
    jitscope_debuggee.image = at(&image);
}

int main(int argc, char **argv) {
    const char *lie = argc > 1 ? argv[1] : "";
    describe();
    show_image();
    if (!strcmp(lie, "circle"))
        batch.next = at(&batch);
    else if (!strcmp(lie, "image-circle"))
        image.next = at(&image);
    else if (!strcmp(lie, "nowhere"))
        jitscope_debuggee.batch = jitscope_debuggee.image = 16;
    else if (!strcmp(lie, "huge"))
        batch.description_size = UINT32_MAX, image.size = UINT64_MAX / 2;
    else if (!strcmp(lie, "huge-symbols"))
        elf.sections[2].sh_size = UINT64_MAX, image.size = UINT64_MAX / 2;
    else if (!strcmp(lie, "tables"))
        description.header.sections.count = UINT32_MAX, description.header.segments.offset = UINT32_MAX;
    else if (!strcmp(lie, "odd"))
        description.header.segments.offset++, description.header.sections.offset++;
    else if (!strcmp(lie, "segment"))
        description.segment.address = UINT64_MAX - 8;
    else if (!strcmp(lie, "eh-frame"))
        description.section.address = at(&elf), description.section.size = UINT64_MAX;
    else if (!strcmp(lie, "eh-frame-short"))
        description.section.address = at(&elf), description.section.size = sizeof elf;
    else if (!strcmp(lie, "changing"))
        jitscope_debuggee.change = 1;
    else if (!strcmp(lie, "version"))
        jitscope_debuggee.version = 77;
    else if (!strcmp(lie, "magic"))
        jitscope_debuggee.magic[0] = 'X';
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}
