#include "executor/debug_store.h"

#include "base/os.h"

#include <string.h>
#include <sys/mman.h>

enum { LARGE_IMAGE = 1 << 20 };

static Elf64_Ehdr *elf_header(const struct store_image *store) {
    return (Elf64_Ehdr *)(uintptr_t)store->public.address;
}

static uint8_t *part(const struct store_image *store, unsigned number) {
    return (uint8_t *)(uintptr_t)store->public.address + store->place[number];
}

static Elf64_Shdr *elf_sections(const struct store_image *store) {
    return (Elf64_Shdr *)(void *)part(store, PART_SECTIONS);
}

/* --- what images need */

void store_share_measure(const struct debug_image *image, struct store_share *share) {
    const struct debug_image_header *header = image->header;
    share->size[PART_SECTIONS] = header->elf_sections * (uint32_t)sizeof(Elf64_Shdr);
    share->size[PART_SYMBOLS] = header->symbols.count * (uint32_t)sizeof(Elf64_Sym);
    share->size[PART_STRINGS] = debug_image_texts(header);
    memset(share->first, 0, sizeof share->first);
    share->present = 1u << PART_SECTIONS | 1u << PART_SYMBOLS | 1u << PART_STRINGS;
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++) {
        share->size[PART_DWARF + i] = header->dwarf[i].count;
        share->present |= (uint32_t)(header->dwarf[i].count != 0) << (PART_DWARF + i);
    }
}

_Static_assert(PART_COUNT <= 32, "a bit for each part");

/* Takes the lowest part out of a set. */
static unsigned next_part(uint32_t *parts) {
    unsigned part = (unsigned)__builtin_ctz(*parts);
    *parts &= *parts - 1;
    return part;
}

static void add_needs(uint64_t needs[PART_COUNT], const struct debug_image *image, uint32_t times) {
    struct store_share share;
    store_share_measure(image, &share);
    for (int i = 0; i < PART_COUNT; i++)
        needs[i] += (uint64_t)share.size[i] * times;
}

bool store_image_fits(const struct store_image *store, const struct store_share *share) {
    for (uint32_t parts = share->present; parts;) {
        unsigned i = next_part(&parts);
        if (share->size[i] > store->room[i] - store->used[i])
            return false;
    }
    return true;
}

/* --- creation */

static unsigned part_of_section(unsigned section) {
    return section == ELF_SYMBOLS ? PART_SYMBOLS
           : section < ELF_DWARF  ? PART_STRINGS
                                  : PART_DWARF + section - ELF_DWARF;
}

/* Batches' sections have their names behind the fixed ones, in .strtab, which is both tables at once. */
static void write_fixed_sections(struct store_image *store) {
    Elf64_Shdr *sections = elf_sections(store);
    sections[ELF_NULL] = (Elf64_Shdr){0};
    for (unsigned i = 1, name = 1; i < ELF_FIXED; i++) {
        if (i >= ELF_DWARF)
            store->names[i - ELF_DWARF] = name;
        sections[i] = (Elf64_Shdr){.sh_name = i < ELF_DWARF ? name : 0,
                                   .sh_type = i < ELF_SYMBOLS    ? SHT_STRTAB
                                              : i == ELF_SYMBOLS ? SHT_SYMTAB
                                                                 : SHT_NULL,
                                   .sh_offset = store->place[part_of_section(i)],
                                   .sh_addralign = 1};
        name += (uint32_t)strlen(debug_image_fixed_names + name) + 1;
    }
    for (int i = DEBUG_SECTION_STR; i <= DEBUG_SECTION_LINE_STR; i++) {
        sections[ELF_DWARF + i].sh_flags = SHF_MERGE | SHF_STRINGS;
        sections[ELF_DWARF + i].sh_entsize = 1;
    }
    sections[ELF_SYMBOLS].sh_entsize = sizeof(Elf64_Sym);
    sections[ELF_SYMBOLS].sh_link = ELF_STRINGS;
    sections[ELF_SYMBOLS].sh_addralign = 8;
    store->used[PART_SYMBOLS] = sizeof(Elf64_Sym);
    store->used[PART_SECTIONS] = ELF_FIXED * sizeof(Elf64_Shdr);
}

static void write_header(struct store_image *store) {
    *elf_header(store) = (Elf64_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_shoff = store->place[PART_SECTIONS],
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shstrndx = ELF_NAMES,
    };
}

/* Sizes of what became visible in PARTS, in an order in which nothing refers to what is not there yet. */
static void publish(struct store_image *store, uint32_t parts) {
    Elf64_Shdr *sections = elf_sections(store);
    __atomic_store_n(&sections[ELF_NAMES].sh_size, store->used[PART_STRINGS], __ATOMIC_RELEASE);
    __atomic_store_n(&sections[ELF_STRINGS].sh_size, store->used[PART_STRINGS], __ATOMIC_RELEASE);
    for (parts = parts >> PART_DWARF << PART_DWARF; parts;) {
        unsigned i = next_part(&parts);
        Elf64_Shdr *section = &sections[ELF_DWARF + i - PART_DWARF];
        section->sh_name = store->names[i - PART_DWARF];
        section->sh_type = SHT_PROGBITS; /* to readers, a section that is there and empty is an error */
        __atomic_store_n(&section->sh_size, store->used[i], __ATOMIC_RELEASE);
    }
    __atomic_store_n(&elf_header(store)->e_shnum, (uint16_t)(store->used[PART_SECTIONS] / sizeof(Elf64_Shdr)),
                     __ATOMIC_RELEASE);
    /* No local symbol behind these: batches follow each other, so that the last one can be anywhere. */
    sections[ELF_SYMBOLS].sh_info = (Elf64_Word)(store->used[PART_SYMBOLS] / sizeof(Elf64_Sym));
    __atomic_store_n(&sections[ELF_SYMBOLS].sh_size, store->used[PART_SYMBOLS], __ATOMIC_RELEASE);
    store->public.change++;
}

static bool reserve_parts(struct store_image *store, const uint64_t needs[PART_COUNT], uint64_t *size) {
    uint64_t at = sizeof(Elf64_Ehdr);
    for (int i = 0; i < PART_COUNT; i++) {
        store->place[i] = at;
        store->room[i] = needs[i];
        if (__builtin_add_overflow(at, needs[i], &at) || !align_up(at, 64, &at))
            return false;
    }
    if (store->room[PART_SECTIONS] / sizeof(Elf64_Shdr) > MOST_SECTIONS)
        store->room[PART_SECTIONS] = MOST_SECTIONS * sizeof(Elf64_Shdr);
    return align_up(at, os_page_size(), size);
}

static void *map_store(const struct store_image *store) {
    if (store->is_table)
        return os_zeroed_table(store->public.size);
    return os_map(NULL, store->public.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void unmap_store(const struct store_image *store) {
    void *memory = (void *)(uintptr_t)store->public.address;
    if (store->is_table)
        os_release_table(memory, store->public.size);
    else
        os_unmap(memory, store->public.size);
}

/* FILLED: all of the room is about to be used, so that huge pages save faults and waste nothing. */
static struct jitscope_error *create(uint64_t needs[PART_COUNT], bool filled, uint32_t number,
                                     struct store_image **out) {
    struct store_image *store = os_allocate_zeroed(sizeof *store);
    if (!store)
        return error_no_memory();
    needs[PART_SECTIONS] += ELF_FIXED * sizeof(Elf64_Shdr);
    needs[PART_SYMBOLS] += sizeof(Elf64_Sym);
    needs[PART_STRINGS] += debug_image_fixed_names_size;
    void *memory = NULL;
    if (reserve_parts(store, needs, &store->public.size)) {
        store->is_table = filled && store->public.size >= LARGE_IMAGE;
        memory = map_store(store);
    }
    if (!memory) {
        os_release(store);
        return error_no_memory();
    }
    store->public.address = (uint64_t)(uintptr_t)memory;
    store->public.number = number;
    write_header(store);
    write_fixed_sections(store);
    memcpy(part(store, PART_STRINGS), debug_image_fixed_names, debug_image_fixed_names_size);
    store->used[PART_STRINGS] = debug_image_fixed_names_size;
    publish(store, 0);
    *out = store;
    return NULL;
}

struct jitscope_error *store_image_create(const struct debug_image *image, uint32_t copies, uint32_t number,
                                          struct store_image **out) {
    uint64_t needs[PART_COUNT] = {0};
    add_needs(needs, image, copies);
    return create(needs, copies == 1, number, out);
}

struct jitscope_error *store_image_create_for(const struct debug_image *images, uint32_t count,
                                              uint32_t number, struct store_image **out) {
    uint64_t needs[PART_COUNT] = {0};
    for (uint32_t i = 0; i < count; i++)
        add_needs(needs, &images[i], 1);
    return create(needs, true, number, out);
}

void store_image_destroy(struct store_image *store) {
    if (!store)
        return;
    if (!store->borrowed)
        unmap_store(store);
    os_release(store);
}

/* --- joining */

static void add_sections(struct store_image *store, const struct debug_image *image,
                         const struct store_share *share) {
    const struct debuggee_section *from = debug_image_table(image, image->header->sections);
    Elf64_Shdr *to = elf_sections(store) + share->first[PART_SECTIONS] / sizeof *to;
    for (uint32_t i = 0, count = store_share_sections(share); i < count; i++)
        to[i] = (Elf64_Shdr){.sh_name = share->first[PART_STRINGS] + from[i].name,
                             .sh_type = SHT_NOBITS,
                             .sh_flags = SHF_ALLOC | (from[i].prot & 2 ? SHF_WRITE : 0) |
                                         (from[i].prot & 4 ? SHF_EXECINSTR : 0),
                             .sh_addr = from[i].address,
                             .sh_offset = sizeof(Elf64_Ehdr),
                             .sh_size = from[i].size,
                             .sh_addralign = 1};
}

static void add_symbols(struct store_image *store, const struct debug_image *image,
                        const struct store_share *share) {
    const struct debug_image_header *header = image->header;
    const Elf64_Sym *from = debug_image_table(image, header->symbols);
    Elf64_Sym *to = (Elf64_Sym *)(void *)(part(store, PART_SYMBOLS) + share->first[PART_SYMBOLS]);
    uint32_t moved = (uint32_t)(share->first[PART_SECTIONS] / sizeof(Elf64_Shdr)) - ELF_FIXED;
    for (uint32_t i = 0; i < header->symbols.count; i++) {
        to[i] = from[i];
        to[i].st_name += share->first[PART_STRINGS];
        if (to[i].st_shndx != SHN_ABS)
            to[i].st_shndx = (uint16_t)(to[i].st_shndx + moved);
    }
}

/* Bytes of the record of .debug_frame at AT, its length field included; 0: there is none that is whole and
 * has an id. */
static uint64_t frame_record(const uint8_t *frames, uint64_t at, uint64_t size) {
    uint64_t length = size - at >= 8 ? load_u32(frames + at) : 0;
    return length >= 4 && length < UINT32_MAX && length <= size - at - 4 ? 4 + length : 0;
}

static bool is_cie(const uint8_t *record) {
    return load_u32(record + 4) == UINT32_MAX;
}

/* FDEs name their CIE by its offset. */
static void move_frames(uint8_t *frames, uint64_t size, uint32_t moved) {
    uint64_t length;
    for (uint64_t at = 0; moved && (length = frame_record(frames, at, size)); at += length)
        if (!is_cie(frames + at))
            store_u32(frames + at + 4, load_u32(frames + at + 4) + moved);
}

/* References are only from sections that are there; to one that is not, an offset may be, of 0. */
static void add_dwarf(struct store_image *store, const struct debug_image *image,
                      const struct store_share *share) {
    const struct debug_image_header *header = image->header;
    uint8_t *sections[PART_COUNT];
    for (uint32_t parts = share->present >> PART_DWARF << PART_DWARF; parts;) {
        unsigned i = next_part(&parts);
        const struct debug_table *table = &header->dwarf[i - PART_DWARF];
        sections[i] = part(store, i) + share->first[i];
        memcpy(sections[i], debug_image_table(image, *table), table->count);
    }
    const struct debug_reference *references = debug_image_table(image, header->references);
    for (uint32_t i = 0, count = header->references.count; i < count; i++) {
        const struct debug_reference *at = &references[i];
        uint8_t *field = sections[PART_DWARF + at->section] + at->offset;
        uint64_t base = store->used[PART_DWARF + at->target];
        if (at->width == 4)
            store_u32(field, load_u32(field) + (uint32_t)base);
        else
            store_u64(field, load_u64(field) + base);
    }
    const unsigned frame = PART_DWARF + DEBUG_SECTION_FRAME;
    if (share->size[frame])
        move_frames(sections[frame], share->size[frame], share->first[frame]);
}

/* Pages are brought in ahead of the second batch and later ones, as much again as there is: a page fault for
 * each costs more.  Most processes have one batch, for which what it needs is enough. */
static void populate(struct store_image *store, unsigned number, uint64_t end) {
    enum { LEAST_AHEAD = 16 << 10, MOST_AHEAD = 256 << 10 };
    uint64_t mask = os_page_size() - 1, start = store->place[number] + store->populated[number];
    uint64_t ahead = end < LEAST_AHEAD ? LEAST_AHEAD : end < MOST_AHEAD ? end : MOST_AHEAD;
    if (!store->public.batches)
        ahead = 0;
    if (ahead > store->room[number] - end)
        ahead = store->room[number] - end;
    store->populated[number] = end + ahead;
    start = (start + mask) & ~mask;
    end = (store->place[number] + store->populated[number]) & ~mask;
    if (start < end)
        os_advise((uint8_t *)(uintptr_t)store->public.address + start, end - start, MADV_POPULATE_WRITE);
}

void store_image_add(struct store_image *store, const struct debug_image *image, struct store_share *share) {
    for (uint32_t parts = share->present; parts;) {
        unsigned i = next_part(&parts);
        share->first[i] = (uint32_t)store->used[i];
        if (!store->is_table && store->used[i] + share->size[i] > store->populated[i])
            populate(store, i, store->used[i] + share->size[i]);
    }
    memcpy(part(store, PART_STRINGS) + store->used[PART_STRINGS],
           debug_image_table(image, image->header->strings), share->size[PART_STRINGS]);
    add_sections(store, image, share);
    add_symbols(store, image, share);
    add_dwarf(store, image, share);
    for (uint32_t parts = share->present; parts;) {
        unsigned i = next_part(&parts);
        store->used[i] += share->size[i];
    }
    store->public.batches++;
    publish(store, share->present);
}

/* --- by itself */

/* Parts are where the image has them, seen from the ELF header on. */
static void place_parts(struct store_image *store, const struct debug_image *image,
                        const struct store_share *share) {
    const struct debug_image_header *header = image->header;
    uint32_t elf = header->elf.offset;
    store->place[PART_SECTIONS] = sizeof(Elf64_Ehdr);
    store->place[PART_SYMBOLS] = header->symbols.offset - elf - sizeof(Elf64_Sym);
    store->place[PART_STRINGS] = header->strings.offset - elf;
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++)
        store->place[PART_DWARF + i] = header->dwarf[i].offset - elf;
    for (int i = 0; i < PART_COUNT; i++)
        store->used[i] = store->room[i] = share->first[i] + share->size[i];
}

struct jitscope_error *store_image_adopt(const struct debug_image *image, uint32_t number,
                                         struct store_share *share, struct store_image **out) {
    struct store_image *store = os_allocate_zeroed(sizeof *store);
    if (!store)
        return error_no_memory();
    store->public.address = (uint64_t)(uintptr_t)image->bytes.data + image->header->elf.offset;
    store->public.size = image->bytes.size - image->header->elf.offset;
    store->public.number = number;
    store->public.batches = 1;
    store->borrowed = true;
    store_share_measure(image, share);
    share->first[PART_SECTIONS] = ELF_FIXED * (uint32_t)sizeof(Elf64_Shdr);
    share->first[PART_SYMBOLS] = sizeof(Elf64_Sym);
    place_parts(store, image, share);
    write_header(store);
    write_fixed_sections(store);
    memset(part(store, PART_SYMBOLS), 0, sizeof(Elf64_Sym));
    add_sections(store, image, share);
    for (int i = 0; i < PART_COUNT; i++)
        store->used[i] = store->room[i];
    publish(store, share->present);
    *out = store;
    return NULL;
}

/* --- leaving */

/* Bytes up to the first entry (DWARF 5 section 7.5.1); UNIT's length field takes HEADER of them. */
static uint64_t unit_header_size(const uint8_t *unit, uint64_t header, bool types) {
    enum { UT_TYPE = 2, UT_SKELETON = 4, UT_SPLIT_COMPILE = 5, UT_SPLIT_TYPE = 6 };
    uint64_t offset_size = header == 12 ? 8 : 4;
    uint16_t version = load_u16(unit + header);
    uint8_t kind = version >= 5 ? unit[header + 2] : types ? UT_TYPE : 0;
    uint64_t size = header + 2 + (version >= 5) + 1 + offset_size;
    if (kind == UT_SKELETON || kind == UT_SPLIT_COMPILE)
        return size + 8;                                                             /* the unit's id */
    return kind == UT_TYPE || kind == UT_SPLIT_TYPE ? size + 8 + offset_size : size; /* signature, offset */
}

/* A unit of zeros behind its length has abbreviation code 0 as its first entry: readers skip it.  The header
 * stays, for the version and address size that they check. */
static void blot_units(uint8_t *units, uint64_t size, bool types) {
    for (uint64_t at = 0; size - at >= 12;) {
        uint64_t length = load_u32(units + at), header = 4;
        if (length == UINT32_MAX) {
            length = load_u64(units + at + 4);
            header = 12;
        }
        if (length < 3 || length > size - at - header) /* version, kind */
            return;
        uint64_t fixed = unit_header_size(units + at, header, types);
        if (fixed < header + length)
            memset(units + at + fixed, 0, header + length - fixed);
        at += header + length;
    }
}

/* A frame without length describes no address. */
static void blot_frames(uint8_t *frames, uint64_t size) {
    uint64_t length;
    for (uint64_t at = 0; (length = frame_record(frames, at, size)); at += length)
        if (!is_cie(frames + at) && length >= 24)
            memset(frames + at + 8, 0, 16);
}

void store_image_blot(struct store_image *store, const struct store_share *share) {
    uint8_t *symbols = part(store, PART_SYMBOLS) + share->first[PART_SYMBOLS];
    memset(symbols, 0, share->size[PART_SYMBOLS]);
    Elf64_Shdr *sections = elf_sections(store) + share->first[PART_SECTIONS] / sizeof(Elf64_Shdr);
    for (uint32_t i = 0; i < share->size[PART_SECTIONS] / sizeof *sections; i++)
        sections[i] = (Elf64_Shdr){.sh_type = SHT_NULL};
    const unsigned info = PART_DWARF + DEBUG_SECTION_INFO, types = PART_DWARF + DEBUG_SECTION_TYPES,
                   frame = PART_DWARF + DEBUG_SECTION_FRAME;
    blot_units(part(store, info) + share->first[info], share->size[info], false);
    blot_units(part(store, types) + share->first[types], share->size[types], true);
    blot_frames(part(store, frame) + share->first[frame], share->size[frame]);
    store->public.batches--;
    store->public.change++;
}

const Elf64_Sym *store_image_symbols(const struct store_image *store, const struct store_share *share,
                                     uint32_t *count, const char **strings) {
    *count = share->size[PART_SYMBOLS] / sizeof(Elf64_Sym);
    *strings = (const char *)part(store, PART_STRINGS);
    return (const Elf64_Sym *)(const void *)(part(store, PART_SYMBOLS) + share->first[PART_SYMBOLS]);
}
