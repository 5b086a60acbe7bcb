/* The floor: the least that a linker must do.  It reads the objects' headers, gives each section with content
 * a place, hashes global names, copies, patches every relocation; one mapping, two changes of protection.  It
 * believes its input, tells nothing, keeps nothing and cannot say what went wrong.
 *
 * Thread-local variables get GOT entries of the right size that say nothing: they cannot be used.
 *
 * GOT loads of symbols in the batch become address computations, as linkers relax them; other GOT entries and
 * calls to the C library get a slot, and a jump, on demand. */
#include "contestant.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { PAGE = 4096, STUB_SIZE = 8, SPARE_SLOTS = 4096 };
enum segment { CODE, CONSTANTS, DATA, ZEROES, SEGMENTS, NOWHERE = SEGMENTS };

struct global {
    const char *name;
    uint64_t address; /* once known; before, the value in its section */
    uint32_t hash, length;
    uint32_t section; /* number among all sections; 0: undefined */
    uint32_t slot;    /* 1 + number of its GOT slot, which is that of its stub too */
    bool weak;
};

struct object {
    const uint8_t *data;
    const Elf64_Shdr *sections;
    const Elf64_Sym *symbols;
    const char *names;
    const uint32_t *extended; /* section numbers that 16 bits do not hold */
    uint32_t section_count, symbol_count, first_global;
    uint32_t first_section; /* number of its section 0 among all sections */
    uint32_t *globals;      /* number of each symbol from first_global on */
};

struct floor {
    struct object *objects;
    size_t object_count;
    struct global *globals;
    uint32_t *slots; /* hash table of globals' numbers; 0 is free */
    uint32_t *numbers;
    uint64_t *addresses; /* of sections; before the mapping, offsets in their segment */
    uint8_t *segments_of;
    uint32_t global_count, section_count, symbol_count, mask, got_count, thread_local_count;
    uint64_t sizes[SEGMENTS];
    uint8_t *starts[SEGMENTS];
    uint64_t *got;
    uint8_t *stubs;
};

/* --- reading */

static void read_header(struct object *object, const struct bench_object *file) {
    const Elf64_Ehdr *header = (const void *)file->data;
    object->data = file->data;
    object->sections = (const void *)(file->data + header->e_shoff);
    object->section_count = header->e_shnum ? header->e_shnum : (uint32_t)object->sections->sh_size;
    for (uint32_t i = 1; i < object->section_count; i++) {
        const Elf64_Shdr *section = &object->sections[i];
        if (section->sh_type == SHT_SYMTAB_SHNDX)
            object->extended = (const void *)(file->data + section->sh_offset);
        if (section->sh_type != SHT_SYMTAB)
            continue;
        object->symbols = (const void *)(file->data + section->sh_offset);
        object->symbol_count = (uint32_t)(section->sh_size / sizeof(Elf64_Sym));
        object->first_global = section->sh_info;
        object->names = (const char *)(file->data + object->sections[section->sh_link].sh_offset);
    }
}

static bool read_headers(struct floor *floor, const struct bench_input *input) {
    floor->object_count = input->count;
    floor->objects = calloc(input->count, sizeof *floor->objects);
    floor->section_count = floor->symbol_count = floor->global_count = 1;
    for (size_t i = 0; i < input->count && floor->objects; i++) {
        struct object *object = &floor->objects[i];
        read_header(object, &input->objects[i]);
        object->first_section = floor->section_count;
        floor->section_count += object->section_count;
        floor->symbol_count += object->symbol_count - object->first_global;
    }
    for (floor->mask = 1023; floor->mask < floor->symbol_count; floor->mask = floor->mask * 2 + 1)
        ;
    floor->addresses = malloc(floor->section_count * sizeof *floor->addresses);
    floor->segments_of = malloc(floor->section_count);
    floor->globals = malloc(floor->symbol_count * sizeof *floor->globals);
    floor->numbers = malloc(floor->symbol_count * sizeof *floor->numbers);
    floor->slots = calloc((size_t)floor->mask + 1, sizeof *floor->slots);
    return floor->objects && floor->addresses && floor->segments_of && floor->globals && floor->numbers &&
           floor->slots;
}

static enum segment segment_of(const Elf64_Shdr *section) {
    return !(section->sh_flags & SHF_ALLOC)      ? NOWHERE
           : section->sh_type == SHT_NOBITS      ? ZEROES
           : (section->sh_flags & SHF_EXECINSTR) ? CODE
           : (section->sh_flags & SHF_WRITE)     ? DATA
                                                 : CONSTANTS;
}

static void place_sections(struct floor *floor, const struct object *object) {
    for (uint32_t i = 0; i < object->section_count; i++) {
        const Elf64_Shdr *section = &object->sections[i];
        uint32_t number = object->first_section + i;
        enum segment segment = segment_of(section);
        floor->segments_of[number] = (uint8_t)segment;
        if (segment == NOWHERE)
            continue;
        uint64_t mask = section->sh_addralign ? section->sh_addralign - 1 : 0;
        uint64_t offset = (floor->sizes[segment] + mask) & ~mask;
        floor->addresses[number] = offset;
        floor->sizes[segment] = offset + section->sh_size;
    }
}

static uint32_t find_global(struct floor *floor, const char *name) {
    uint32_t length = (uint32_t)strlen(name), hash = (uint32_t)XXH3_64bits(name, length),
             at = hash & floor->mask;
    for (; floor->slots[at]; at = (at + 1) & floor->mask) {
        const struct global *global = &floor->globals[floor->slots[at]];
        if (global->hash == hash && global->length == length && !memcmp(global->name, name, length))
            return floor->slots[at];
    }
    floor->globals[floor->global_count] = (struct global){.name = name, .hash = hash, .length = length};
    return floor->slots[at] = floor->global_count++;
}

static uint32_t section_of(const struct object *object, uint32_t symbol) {
    uint32_t section = object->symbols[symbol].st_shndx;
    return section == SHN_XINDEX ? object->extended[symbol] : section;
}

static void define(struct floor *floor, struct global *global, const Elf64_Sym *symbol, uint32_t section) {
    bool weak = ELF64_ST_BIND(symbol->st_info) == STB_WEAK;
    if (symbol->st_shndx == SHN_UNDEF || (global->section && (weak || !global->weak)))
        return;
    global->weak = weak;
    global->address = symbol->st_value;
    global->section = section;
    if (symbol->st_shndx != SHN_COMMON)
        return;
    global->address = (floor->sizes[ZEROES] + symbol->st_value - 1) & ~(symbol->st_value - 1);
    global->section = UINT32_MAX;
    floor->sizes[ZEROES] = global->address + symbol->st_size;
}

static void read_globals(struct floor *floor, struct object *object, uint32_t *numbers) {
    object->globals = numbers;
    for (uint32_t i = object->first_global; i < object->symbol_count; i++) {
        uint32_t number = find_global(floor, object->names + object->symbols[i].st_name);
        object->globals[i - object->first_global] = number;
        define(floor, &floor->globals[number], &object->symbols[i],
               object->first_section + section_of(object, i));
    }
}

/* --- placing */

static uint64_t pages(uint64_t size) {
    return (size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/* Stubs end the code, the GOT the data; pages that nobody touches cost nothing. */
static bool map_segments(struct floor *floor) {
    uint64_t stubs = floor->sizes[CODE] = (floor->sizes[CODE] + STUB_SIZE - 1) & ~(uint64_t)(STUB_SIZE - 1);
    uint64_t got = floor->sizes[DATA] = (floor->sizes[DATA] + 7) & ~UINT64_C(7), total = 0;
    floor->sizes[CODE] += (uint64_t)floor->global_count * STUB_SIZE;
    floor->sizes[DATA] += (floor->global_count + SPARE_SLOTS) * sizeof *floor->got;
    for (enum segment i = CODE; i < SEGMENTS; i++)
        total += pages(floor->sizes[i]);
    uint8_t *start = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return false;
    for (enum segment i = CODE; i < SEGMENTS; start += pages(floor->sizes[i++]))
        floor->starts[i] = start;
    floor->stubs = floor->starts[CODE] + stubs;
    floor->got = (uint64_t *)(void *)(floor->starts[DATA] + got);
    return true;
}

static void copy_sections(struct floor *floor, const struct object *object) {
    for (uint32_t i = 0; i < object->section_count; i++) {
        uint32_t number = object->first_section + i;
        enum segment segment = floor->segments_of[number];
        if (segment == NOWHERE)
            continue;
        uint8_t *to = floor->starts[segment] + floor->addresses[number];
        floor->addresses[number] = (uint64_t)(uintptr_t)to;
        if (segment != ZEROES)
            memcpy(to, object->data + object->sections[i].sh_offset, object->sections[i].sh_size);
    }
}

static void resolve_globals(struct floor *floor) {
    for (uint32_t i = 1; i < floor->global_count; i++) {
        struct global *global = &floor->globals[i];
        if (global->section == UINT32_MAX)
            global->address += (uint64_t)(uintptr_t)floor->starts[ZEROES];
        else if (global->section)
            global->address += floor->addresses[global->section];
        else
            global->address = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, global->name);
    }
}

/* --- patching */

static uint64_t got_slot(struct floor *floor, struct global *global) {
    if (!global->slot)
        global->slot = ++floor->got_count;
    floor->got[global->slot - 1] = global->address;
    return (uint64_t)(uintptr_t)&floor->got[global->slot - 1];
}

/* jmp *slot(%rip) */
static uint64_t stub(struct floor *floor, struct global *global) {
    uint64_t slot = got_slot(floor, global);
    uint8_t *at = floor->stubs + (size_t)(global->slot - 1) * STUB_SIZE;
    int32_t distance = (int32_t)(slot - (uint64_t)(uintptr_t)at - 6);
    memcpy(at, (uint8_t[]){0xff, 0x25}, 2);
    memcpy(at + 2, &distance, sizeof distance);
    return (uint64_t)(uintptr_t)at;
}

static void put32(uint8_t *at, uint64_t value) {
    uint32_t low = (uint32_t)value;
    memcpy(at, &low, sizeof low);
}

static bool is_far(const struct global *global) {
    return global && !global->section;
}

/* mov sym@GOTPCREL(%rip), %reg becomes lea sym(%rip), %reg */
static bool is_relaxable(const uint8_t *at, uint32_t type, const struct global *global) {
    return type != R_X86_64_GOTPCREL && at[-2] == 0x8b && !is_far(global);
}

static bool patch(struct floor *floor, uint8_t *at, const Elf64_Rela *relocation, uint64_t target,
                  struct global *global) {
    uint64_t addend = (uint64_t)relocation->r_addend, here = (uint64_t)(uintptr_t)at;
    uint32_t type = ELF64_R_TYPE(relocation->r_info);
    switch (type) {
    case R_X86_64_64:
        target += addend;
        memcpy(at, &target, sizeof target);
        return true;
    case R_X86_64_PLT32:
        put32(at, (is_far(global) ? stub(floor, global) : target) + addend - here);
        return true;
    case R_X86_64_PC32:
        put32(at, target + addend - here);
        return true;
    case R_X86_64_PC64:
        target += addend - here;
        memcpy(at, &target, sizeof target);
        return true;
    case R_X86_64_GOTPCREL:
    case R_X86_64_GOTPCRELX:
    case R_X86_64_REX_GOTPCRELX:
        if (is_relaxable(at, type, global))
            at[-2] = 0x8d;
        else if (global)
            target = got_slot(floor, global);
        else
            return false;
        put32(at, target + addend - here);
        return true;
    case R_X86_64_TLSGD:
    case R_X86_64_TLSLD:
        put32(at, (uint64_t)(uintptr_t)&floor->got[floor->got_count] + addend - here);
        floor->got_count += 2;
        return (floor->thread_local_count += 2) <= SPARE_SLOTS;
    case R_X86_64_DTPOFF32:
        return true;
    default:
        return false;
    }
}

static bool patch_section(struct floor *floor, const struct object *object, const Elf64_Shdr *section) {
    const Elf64_Rela *relocations = (const void *)(object->data + section->sh_offset);
    uint32_t number = object->first_section + section->sh_info;
    size_t count = section->sh_size / sizeof *relocations;
    if (floor->segments_of[number] == NOWHERE)
        return true;
    uint8_t *content = (uint8_t *)(uintptr_t)floor->addresses[number];
    for (size_t i = 0; i < count; i++) {
        uint32_t symbol = (uint32_t)ELF64_R_SYM(relocations[i].r_info);
        struct global *global = NULL;
        uint64_t target;
        if (symbol >= object->first_global) {
            global = &floor->globals[object->globals[symbol - object->first_global]];
            target = global->address;
        } else {
            const Elf64_Sym *local = &object->symbols[symbol];
            target = floor->addresses[object->first_section + section_of(object, symbol)] + local->st_value;
        }
        if (!patch(floor, content + relocations[i].r_offset, &relocations[i], target, global))
            return false;
    }
    return true;
}

static bool patch_object(struct floor *floor, const struct object *object) {
    for (uint32_t i = 1; i < object->section_count; i++)
        if (object->sections[i].sh_type == SHT_RELA && !patch_section(floor, object, &object->sections[i]))
            return false;
    return true;
}

static bool protect(const struct floor *floor) {
    return !mprotect(floor->starts[CODE], pages(floor->sizes[CODE]), PROT_READ | PROT_EXEC) &&
           !mprotect(floor->starts[CONSTANTS], pages(floor->sizes[CONSTANTS]), PROT_READ);
}

/* --- all of it */

const char *bench_link(const struct bench_job *job, uint64_t *address) {
    static struct floor floor;
    if (!read_headers(&floor, job->input))
        return "no memory";
    uint32_t *numbers = floor.numbers;
    for (size_t i = 0; i < floor.object_count; i++) {
        struct object *object = &floor.objects[i];
        place_sections(&floor, object);
        read_globals(&floor, object, numbers);
        numbers += object->symbol_count - object->first_global;
    }
    if (!map_segments(&floor))
        return "no address space";
    for (size_t i = 0; i < floor.object_count; i++)
        copy_sections(&floor, &floor.objects[i]);
    resolve_globals(&floor);
    for (size_t i = 0; i < floor.object_count; i++)
        if (!patch_object(&floor, &floor.objects[i]))
            return "a relocation that the floor does not know";
    if (!protect(&floor))
        return "mprotect failed";
    *address = floor.globals[find_global(&floor, job->input->entry)].address;
    return NULL;
}
