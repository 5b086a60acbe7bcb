#include "executor/debuggee_view.h"

#include "base/os.h"

/* More than any process has: images hold thousands of functions each. */
enum { MOST_IMAGES = 1 << 16 };

static bool copy(const struct debuggee_memory *memory, uint64_t address, void *to, uint64_t size) {
    return memory->read(memory->context, address, to, size);
}

const char *debuggee_view_root(const struct debuggee_memory *memory, uint64_t address,
                               struct debuggee *root) {
    if (!copy(memory, address, root, sizeof *root))
        return "jitscope_debuggee cannot be read";
    if (memcmp(root->magic, DEBUGGEE_MAGIC, sizeof root->magic) != 0)
        return "jitscope_debuggee is not what its name says";
    if (root->version != DEBUGGEE_VERSION || root->size != sizeof *root)
        return "the process has a jitscope of another version";
    return NULL;
}

/* --- images */

static const char *count_images(const struct debuggee_memory *memory, uint64_t first, uint32_t *count) {
    struct debuggee_image image;
    *count = 0;
    for (uint64_t at = first; at; at = image.next) {
        if (*count == MOST_IMAGES)
            return "the list of debug images does not end";
        if (!copy(memory, at, &image, sizeof image))
            return "the list of debug images leads to memory that cannot be read";
        ++*count;
    }
    return NULL;
}

const char *debuggee_view_images(const struct debuggee_memory *memory, const struct debuggee *root,
                                 struct debuggee_image **images, uint32_t *count) {
    *images = NULL;
    const char *failure = count_images(memory, root->image, count);
    if (failure || !*count)
        return failure;
    *images = os_allocate(*count * sizeof **images);
    if (!*images)
        return "out of memory";
    /* The process may have changed its list since it was counted. */
    uint32_t found = 0;
    for (uint64_t at = root->image; at && found < *count; at = (*images)[found++].next)
        if (!copy(memory, at, &(*images)[found], sizeof **images))
            break;
    *count = found;
    return NULL;
}

/* --- sections */

static bool lies_in(const struct debuggee_image *image, uint64_t offset, uint64_t size) {
    return bytes_contain((struct bytes){NULL, image->size}, offset, size);
}

static bool is_elf(const Elf64_Ehdr *header) {
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
           header->e_ident[EI_DATA] == ELFDATA2LSB && header->e_shentsize == sizeof(Elf64_Shdr);
}

const char *debuggee_view_elf(const struct debuggee_memory *memory, const struct debuggee_image *image,
                              struct debuggee_elf *elf) {
    Elf64_Ehdr header;
    uint64_t end;
    if (image->size < sizeof header || __builtin_add_overflow(image->address, image->size, &end))
        return "a debug image is too small, or lies outside memory";
    if (!copy(memory, image->address, &header, sizeof header) || !is_elf(&header))
        return "a debug image is no ELF file";
    elf->image = *image;
    elf->count = header.e_shnum < VIEWED_SECTIONS ? header.e_shnum : VIEWED_SECTIONS;
    if (header.e_shstrndx >= elf->count ||
        !lies_in(image, header.e_shoff, elf->count * sizeof elf->sections[0]) ||
        !copy(memory, image->address + header.e_shoff, elf->sections, elf->count * sizeof elf->sections[0]))
        return "the section table of a debug image lies outside it";
    const Elf64_Shdr *names = &elf->sections[header.e_shstrndx];
    uint64_t size = names->sh_size < VIEWED_NAMES ? names->sh_size : VIEWED_NAMES;
    memset(elf->names, 0, sizeof elf->names);
    if (!lies_in(image, names->sh_offset, size) ||
        !copy(memory, image->address + names->sh_offset, elf->names, size))
        return "the names of a debug image's sections lie outside it";
    return NULL;
}

/* Before memory is taken for it: a damaged size may be anything. */
static bool can_be_read(const struct debuggee_memory *memory, const struct debuggee_elf *elf,
                        const Elf64_Shdr *header) {
    uint8_t last;
    return lies_in(&elf->image, header->sh_offset, header->sh_size) &&
           copy(memory, elf->image.address + header->sh_offset + (header->sh_size - 1), &last, sizeof last);
}

static const Elf64_Shdr *find(const struct debuggee_elf *elf, const char *name) {
    for (uint32_t i = 0; i < elf->count; i++)
        if (elf->sections[i].sh_name < VIEWED_NAMES &&
            strcmp(elf->names + elf->sections[i].sh_name, name) == 0)
            return &elf->sections[i];
    return NULL;
}

const char *debuggee_view_section(const struct debuggee_memory *memory, const struct debuggee_elf *elf,
                                  const char *name, struct bytes *section) {
    const Elf64_Shdr *header = find(elf, name);
    *section = (struct bytes){NULL, 0};
    if (!header || header->sh_type == SHT_NOBITS || !header->sh_size)
        return NULL;
    if (!can_be_read(memory, elf, header))
        return "a section of a debug image lies outside it";
    uint8_t *bytes = os_allocate(header->sh_size);
    if (!bytes)
        return "out of memory";
    if (!copy(memory, elf->image.address + header->sh_offset, bytes, header->sh_size)) {
        os_release(bytes);
        return "a section of a debug image cannot be read";
    }
    *section = (struct bytes){bytes, header->sh_size};
    return NULL;
}
