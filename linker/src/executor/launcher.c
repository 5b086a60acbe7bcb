#include "executor/launcher.h"

#include "base/bytes.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#define BASE UINT64_C(0x400000)
enum { PAGE = 4096, SEGMENTS = 8, OURS = 3 /* symbols before those of copies: none, and two functions */ };

/* Sections, in the order in which they lie; those from TEXT and from DYNAMIC on begin pages. */
enum part {
    INTERP = 1,
    HASH,
    DYNSYM,
    DYNSTR,
    VERSYM,
    VERNEED,
    RELA,
    EH_FRAME,
    TEXT,
    DYNAMIC,
    GOT,
    CONSTANT, /* copies that are protected */
    COPIES,
    NAMES, /* of sections; not in memory */
    PARTS
};

struct part_info {
    const char *name;
    uint32_t type, link, info;
    uint64_t flags, alignment, entry_size;
};

static const struct part_info infos[PARTS] = {
    [INTERP] = {".interp", SHT_PROGBITS, .flags = SHF_ALLOC, .alignment = 1},
    [HASH] = {".hash", SHT_HASH, DYNSYM, .flags = SHF_ALLOC, .alignment = 8, .entry_size = 4},
    [DYNSYM] = {".dynsym", SHT_DYNSYM, DYNSTR, 1, SHF_ALLOC, 8, sizeof(Elf64_Sym)},
    [DYNSTR] = {".dynstr", SHT_STRTAB, .flags = SHF_ALLOC, .alignment = 1},
    [VERSYM] = {".gnu.version", SHT_GNU_versym, DYNSYM, .flags = SHF_ALLOC, .alignment = 2, .entry_size = 2},
    [VERNEED] = {".gnu.version_r", SHT_GNU_verneed, DYNSTR, .flags = SHF_ALLOC, .alignment = 8},
    [RELA] = {".rela.dyn", SHT_RELA, DYNSYM, 0, SHF_ALLOC, 8, sizeof(Elf64_Rela)},
    [EH_FRAME] = {".eh_frame", SHT_PROGBITS, .flags = SHF_ALLOC, .alignment = 8},
    [TEXT] = {".text", SHT_PROGBITS, .flags = SHF_ALLOC | SHF_EXECINSTR, .alignment = PAGE},
    [DYNAMIC] = {".dynamic", SHT_DYNAMIC, DYNSTR, 0, SHF_ALLOC | SHF_WRITE, PAGE, sizeof(Elf64_Dyn)},
    [GOT] = {".got", SHT_PROGBITS, .flags = SHF_ALLOC | SHF_WRITE, .alignment = 8, .entry_size = 8},
    [CONSTANT] = {".bss.rel.ro", SHT_NOBITS, .flags = SHF_ALLOC | SHF_WRITE, .alignment = PAGE},
    [COPIES] = {".bss", SHT_NOBITS, .flags = SHF_ALLOC | SHF_WRITE, .alignment = PAGE},
    [NAMES] = {".shstrtab", SHT_STRTAB, .alignment = 1},
};

static const char interpreter[] = "/lib64/ld-linux-x86-64.so.2"; /* psABI x86-64, section 5.2.1 */

/* As crt1.o: argc, argv and what the loader wants run at exit go to __libc_start_main(), with main. */
static const uint8_t first_instructions[] = {
    0x31, 0xed,                         /* xor %ebp, %ebp */
    0x49, 0x89, 0xd1,                   /* mov %rdx, %r9 */
    0x5e,                               /* pop %rsi */
    0x48, 0x89, 0xe2,                   /* mov %rsp, %rdx */
    0x48, 0x83, 0xe4, 0xf0,             /* and $-16, %rsp */
    0x50, 0x54,                         /* push %rax; push %rsp */
    0x45, 0x31, 0xc0,                   /* xor %r8d, %r8d */
    0x31, 0xc9,                         /* xor %ecx, %ecx */
    0x48, 0x8b, 0x3d, 0x00, 0x00, 0, 0, /* mov GOT[0](%rip), %rdi */
    0xff, 0x15, 0x00, 0x00, 0x00, 0,    /* call *GOT[1](%rip) */
    0xf4,                               /* hlt */
};
enum { ENTRY_AT = 23, START_AT = 29 }; /* the two distances */

/* Debuggers are told that nobody has called them (DWARF 5, section 6.4.1; LSB Core, section 10.6). */
static const uint8_t no_caller[] = {
    20,   0,  0, 0,    0,  0, 0, 0, 1, 'z', 'R', 0, 1,
    0x78, 16, 1, 0x1b,           /* CIE: rip is register 16; pcrel sdata4 */
    0x0c, 7,  8, 0x90, 1,  0, 0, /* DW_CFA_def_cfa, DW_CFA_offset */
    20,   0,  0, 0,    28, 0, 0, 0, 0, 0,   0,   0, sizeof first_instructions,
    0,    0,  0, 0,              /* FDE */
    7,    16, 0, 0,    0,  0, 0, /* DW_CFA_undefined rip */
    0,    0,  0, 0,
};
enum { BEGIN_AT = 32 }; /* where the FDE has the distance to the instructions */

struct writer {
    const struct launcher *launcher;
    VEC(uint8_t) bytes[PARTS]; /* of parts that are in the file */
    uint64_t size[PARTS], address[PARTS], offset[PARTS];
    uint64_t *places;         /* of objects, in CONSTANT or COPIES */
    uint16_t *versions;       /* of names */
    uint32_t needed_versions; /* libraries that have some */
    uint32_t last_need;       /* where what says so of the last of them lies in VERNEED */
    uint32_t *needed;         /* names of libraries in DYNSTR, the executor's last */
    uint32_t names[PARTS];    /* of sections in NAMES */
};

void launcher_destroy(struct launcher *launcher) {
    vec_destroy(&launcher->libraries);
    vec_destroy(&launcher->objects);
    vec_destroy(&launcher->names);
}

static struct jitscope_error *append(struct writer *writer, enum part part, const void *bytes, size_t size) {
    TRY(vec_reserve(&writer->bytes[part], size));
    memcpy(writer->bytes[part].data + writer->bytes[part].count, bytes, size);
    writer->bytes[part].count += (uint32_t)size;
    return NULL;
}

/* TEXT in PART, a table of strings; names of versions and libraries may come twice there. */
static struct jitscope_error *add_text(struct writer *writer, enum part part, const char *text,
                                       uint32_t *offset) {
    *offset = writer->bytes[part].count;
    return append(writer, part, text, strlen(text) + 1);
}

/* gABI chapter 5, "Hash Table". */
static uint32_t hash_of(const char *name) {
    uint32_t hash = 0;
    for (; *name; name++) {
        hash = (hash << 4) + (uint8_t)*name;
        hash ^= (hash >> 24) & 0xf0;
    }
    return hash & 0x0fffffff;
}

/* --- versions */

/* The names of LIBRARY's objects, from FIRST on, whose version is that of FIRST. */
static void give_version(struct writer *writer, uint32_t first, uint16_t version) {
    const struct launcher *launcher = writer->launcher;
    const struct launcher_name *model = &launcher->names.data[first];
    for (uint32_t i = first; i < launcher->names.count; i++) {
        const struct launcher_name *name = &launcher->names.data[i];
        if (name->version && !strcmp(name->version, model->version) &&
            launcher->objects.data[name->object].library == launcher->objects.data[model->object].library)
            writer->versions[i] = version;
    }
}

/* One Elf64_Vernaux each, behind an Elf64_Verneed that knows how many there are. */
static struct jitscope_error *add_versions_of(struct writer *writer, uint32_t library, uint32_t file,
                                              uint16_t *next) {
    const struct launcher *launcher = writer->launcher;
    uint32_t head = writer->bytes[VERNEED].count, last = 0;
    Elf64_Verneed need = {.vn_version = VER_NEED_CURRENT, .vn_file = file, .vn_aux = sizeof need};
    for (uint32_t i = 0; i < launcher->names.count; i++) {
        const struct launcher_name *name = &launcher->names.data[i];
        if (!name->version || writer->versions[i] || launcher->objects.data[name->object].library != library)
            continue;
        if (*next == UINT16_MAX >> 1)
            return error_create(JITSCOPE_ERROR_ADDRESS_SPACE, "too many versions of symbols are copied");
        Elf64_Vernaux entry = {
            .vna_hash = hash_of(name->version), .vna_other = *next, .vna_next = sizeof entry};
        if (!need.vn_cnt++)
            TRY(append(writer, VERNEED, &need, sizeof need));
        TRY(add_text(writer, DYNSTR, name->version, &entry.vna_name));
        last = writer->bytes[VERNEED].count;
        TRY(append(writer, VERNEED, &entry, sizeof entry));
        give_version(writer, i, (*next)++);
    }
    if (!need.vn_cnt)
        return NULL;
    need.vn_next = writer->bytes[VERNEED].count - head; /* of the last of all put right in write_parts() */
    writer->last_need = head;
    memcpy(writer->bytes[VERNEED].data + head, &need, sizeof need);
    store_u32(writer->bytes[VERNEED].data + last + offsetof(Elf64_Vernaux, vna_next), 0);
    writer->needed_versions++;
    return NULL;
}

/* --- symbols and relocations */

static struct jitscope_error *add_symbol(struct writer *writer, const char *name, Elf64_Sym symbol,
                                         uint16_t version) {
    TRY(add_text(writer, DYNSTR, name, &symbol.st_name));
    TRY(append(writer, VERSYM, &version, sizeof version));
    return append(writer, DYNSYM, &symbol, sizeof symbol);
}

static struct jitscope_error *add_relocation(struct writer *writer, uint64_t place, uint32_t type,
                                             uint32_t symbol) {
    const Elf64_Rela relocation = {.r_offset = place, .r_info = ELF64_R_INFO((uint64_t)symbol, type)};
    return append(writer, RELA, &relocation, sizeof relocation);
}

static enum part part_of(const struct launcher_object *object) {
    return object->read_only ? CONSTANT : COPIES;
}

static struct jitscope_error *place_objects(struct writer *writer) {
    const struct launcher *launcher = writer->launcher;
    for (uint32_t i = 0; i < launcher->objects.count; i++) {
        const struct launcher_object *object = &launcher->objects.data[i];
        uint64_t *size = &writer->size[part_of(object)];
        if (object->size > LAUNCHER_MOST || !align_up(*size, object->alignment, size) ||
            *size + object->size > LAUNCHER_MOST)
            return error_create(JITSCOPE_ERROR_ADDRESS_SPACE,
                                "copies of the data of libraries would have more than 256 MiB");
        writer->places[i] = *size;
        *size += object->size;
    }
    return NULL;
}

/* Values follow when it is known where the parts lie. */
static struct jitscope_error *add_symbols(struct writer *writer) {
    static const Elf64_Sym none, function = {.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC)};
    const struct launcher *launcher = writer->launcher;
    TRY(add_symbol(writer, "", none, VER_NDX_LOCAL));
    TRY(add_symbol(writer, LAUNCHER_ENTRY, function, VER_NDX_GLOBAL));
    TRY(add_symbol(writer, "__libc_start_main", function, VER_NDX_GLOBAL));
    for (uint32_t i = 0; i < launcher->names.count; i++) {
        const struct launcher_name *name = &launcher->names.data[i];
        const struct launcher_object *object = &launcher->objects.data[name->object];
        const Elf64_Sym symbol = {
            .st_info = ELF64_ST_INFO(name->weak ? STB_WEAK : STB_GLOBAL, STT_OBJECT),
            .st_shndx = (uint16_t)part_of(object),
            .st_size = object->size,
        };
        TRY(add_symbol(writer, name->name, symbol,
                       writer->versions[i] ? writer->versions[i] : VER_NDX_GLOBAL));
    }
    return NULL;
}

static struct jitscope_error *add_hash(struct writer *writer) {
    const struct launcher *launcher = writer->launcher;
    uint32_t symbols = OURS + launcher->names.count, buckets = symbols;
    uint64_t words = 2 + (uint64_t)buckets + symbols;
    if (words > UINT32_MAX / 4)
        return error_no_memory();
    TRY(vec_reserve(&writer->bytes[HASH], words * 4));
    uint8_t *table = writer->bytes[HASH].data, *chains = table + 4 * (2 + (uint64_t)buckets);
    memset(table, 0, words * 4);
    writer->bytes[HASH].count = (uint32_t)(words * 4);
    store_u32(table, buckets);
    store_u32(table + 4, symbols);
    for (uint32_t i = 0; i < launcher->names.count; i++) {
        uint8_t *bucket = table + 8 + 4 * (uint64_t)(hash_of(launcher->names.data[i].name) % buckets);
        store_u32(chains + 4 * (uint64_t)(OURS + i), load_u32(bucket));
        store_u32(bucket, OURS + i);
    }
    return NULL;
}

/* --- where everything lies */

enum { DYNAMIC_ENTRIES = 14 }; /* but for those that name libraries */

static struct jitscope_error *add_dynamic(struct writer *writer) {
    const Elf64_Dyn entries[DYNAMIC_ENTRIES] = {
        {DT_HASH, {writer->address[HASH]}},
        {DT_STRTAB, {writer->address[DYNSTR]}},
        {DT_STRSZ, {writer->size[DYNSTR]}},
        {DT_SYMTAB, {writer->address[DYNSYM]}},
        {DT_SYMENT, {sizeof(Elf64_Sym)}},
        {DT_RELA, {writer->address[RELA]}},
        {DT_RELASZ, {writer->size[RELA]}},
        {DT_RELAENT, {sizeof(Elf64_Rela)}},
        {DT_DEBUG, {0}}, /* the loader tells debuggers there where its list is */
        {DT_FLAGS, {DF_BIND_NOW}},
        /* The loader takes numbers of versions for indices of what DT_VERNEED names, even without that. */
        {writer->needed_versions ? DT_VERSYM : DT_NULL, {writer->address[VERSYM]}},
        {writer->needed_versions ? DT_VERNEED : DT_NULL, {writer->address[VERNEED]}},
        {writer->needed_versions ? DT_VERNEEDNUM : DT_NULL, {writer->needed_versions}},
        {DT_NULL, {0}},
    };
    for (uint32_t i = 0; i <= writer->launcher->libraries.count; i++) {
        const Elf64_Dyn entry = {DT_NEEDED, {writer->needed[i]}};
        TRY(append(writer, DYNAMIC, &entry, sizeof entry));
    }
    return append(writer, DYNAMIC, entries, sizeof entries);
}

static void place_parts(struct writer *writer) {
    uint64_t needed = writer->launcher->libraries.count + UINT64_C(1);
    uint64_t at = sizeof(Elf64_Ehdr) + SEGMENTS * sizeof(Elf64_Phdr);
    writer->size[RELA] = (2 + (uint64_t)writer->launcher->objects.count) * sizeof(Elf64_Rela);
    writer->size[EH_FRAME] = sizeof no_caller;
    writer->size[TEXT] = sizeof first_instructions;
    writer->size[DYNAMIC] = (needed + DYNAMIC_ENTRIES) * sizeof(Elf64_Dyn);
    writer->size[GOT] = 2 * sizeof(uint64_t);
    for (int part = 1; part < PARTS; part++) {
        bool in_file = infos[part].type != SHT_NOBITS;
        if (writer->bytes[part].count)
            writer->size[part] = writer->bytes[part].count;
        if (part == NAMES) /* behind what is in the file */
            at = writer->offset[GOT] + writer->size[GOT];
        at = (at + infos[part].alignment - 1) & ~(infos[part].alignment - 1);
        writer->offset[part] = in_file ? at : writer->offset[GOT] + writer->size[GOT];
        writer->address[part] = part == NAMES ? 0 : BASE + at;
        at += writer->size[part];
    }
}

/* What has addresses in it. */
static struct jitscope_error *add_places(struct writer *writer) {
    const struct launcher *launcher = writer->launcher;
    uint8_t code[sizeof first_instructions], frames[sizeof no_caller];
    uint64_t text = writer->address[TEXT], got = writer->address[GOT];
    memcpy(code, first_instructions, sizeof code);
    store_u32(code + ENTRY_AT, (uint32_t)(got - (text + ENTRY_AT + 4)));
    store_u32(code + START_AT, (uint32_t)(got + 8 - (text + START_AT + 4)));
    TRY(append(writer, TEXT, code, sizeof code));
    memcpy(frames, no_caller, sizeof frames);
    store_u32(frames + BEGIN_AT, (uint32_t)(text - (writer->address[EH_FRAME] + BEGIN_AT)));
    TRY(append(writer, EH_FRAME, frames, sizeof frames));
    TRY(append(writer, GOT, (const uint64_t[2]){0, 0}, 2 * sizeof(uint64_t)));
    TRY(add_relocation(writer, got, R_X86_64_GLOB_DAT, 1));
    TRY(add_relocation(writer, got + 8, R_X86_64_GLOB_DAT, 2));
    for (uint32_t i = 0; i < launcher->objects.count; i++) {
        const struct launcher_object *object = &launcher->objects.data[i];
        writer->places[i] += writer->address[part_of(object)];
        TRY(add_relocation(writer, writer->places[i], R_X86_64_COPY, OURS + object->first_name));
    }
    for (uint32_t i = 0; i < launcher->names.count; i++)
        store_u64(writer->bytes[DYNSYM].data + (OURS + (uint64_t)i) * sizeof(Elf64_Sym) +
                      offsetof(Elf64_Sym, st_value),
                  writer->places[launcher->names.data[i].object]);
    return NULL;
}

/* --- the file */

static void put_segments(const struct writer *writer, uint8_t *file) {
    const uint64_t *address = writer->address, *size = writer->size, *offset = writer->offset;
    uint64_t headers = SEGMENTS * sizeof(Elf64_Phdr), constant = address[EH_FRAME] + size[EH_FRAME] - BASE;
    uint64_t in_file = address[GOT] + size[GOT] - address[DYNAMIC];
    uint64_t in_memory = address[COPIES] + size[COPIES] - address[DYNAMIC];
    uint64_t protected = address[COPIES] - address[DYNAMIC], dynamic = address[DYNAMIC];
    const Elf64_Phdr segments[SEGMENTS] = {
        {PT_PHDR, PF_R, sizeof(Elf64_Ehdr), BASE + sizeof(Elf64_Ehdr), BASE + sizeof(Elf64_Ehdr), headers,
         headers, 8},
        {PT_INTERP, PF_R, offset[INTERP], address[INTERP], address[INTERP], size[INTERP], size[INTERP], 1},
        {PT_LOAD, PF_R, 0, BASE, BASE, constant, constant, PAGE},
        {PT_LOAD, PF_R | PF_X, offset[TEXT], address[TEXT], address[TEXT], size[TEXT], size[TEXT], PAGE},
        {PT_LOAD, PF_R | PF_W, offset[DYNAMIC], dynamic, dynamic, in_file, in_memory, PAGE},
        {PT_DYNAMIC, PF_R | PF_W, offset[DYNAMIC], dynamic, dynamic, size[DYNAMIC], size[DYNAMIC], 8},
        {PT_GNU_RELRO, PF_R, offset[DYNAMIC], dynamic, dynamic, in_file, protected, 1},
        {PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16},
    };
    memcpy(file + sizeof(Elf64_Ehdr), segments, sizeof segments);
}

static void put_sections(const struct writer *writer, uint8_t *table) {
    for (int part = 1; part < PARTS; part++) {
        const struct part_info *info = &infos[part];
        const Elf64_Shdr section = {
            .sh_name = writer->names[part],
            .sh_type = info->type,
            .sh_flags = info->flags,
            .sh_addr = writer->address[part],
            .sh_offset = writer->offset[part],
            .sh_size = writer->size[part],
            .sh_link = info->link,
            .sh_info = part == VERNEED ? writer->needed_versions : info->info,
            .sh_addralign = info->alignment,
            .sh_entsize = info->entry_size,
        };
        memcpy(table + (uint64_t)part * sizeof section, &section, sizeof section);
    }
}

static struct jitscope_error *assemble(const struct writer *writer, uint8_t **file, uint64_t *size) {
    uint64_t table = (writer->offset[NAMES] + writer->size[NAMES] + 7) & ~UINT64_C(7);
    const Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = writer->address[TEXT],
        .e_phoff = sizeof header,
        .e_shoff = table,
        .e_ehsize = sizeof header,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = SEGMENTS,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = PARTS,
        .e_shstrndx = NAMES,
    };
    *size = table + PARTS * sizeof(Elf64_Shdr);
    *file = os_allocate_zeroed(*size);
    if (!*file)
        return error_no_memory();
    memcpy(*file, &header, sizeof header);
    put_segments(writer, *file);
    for (int part = 1; part < PARTS; part++)
        if (writer->bytes[part].count)
            memcpy(*file + writer->offset[part], writer->bytes[part].data, writer->bytes[part].count);
    put_sections(writer, *file + table);
    return NULL;
}

/* What does not depend on where anything lies. */
static struct jitscope_error *write_texts(struct writer *writer, const char *entry_library) {
    const struct launcher *launcher = writer->launcher;
    uint32_t count = launcher->libraries.count;
    uint16_t version = VER_NDX_GLOBAL + 1;
    TRY(append(writer, INTERP, interpreter, sizeof interpreter));
    TRY(append(writer, DYNSTR, "", 1));
    TRY(append(writer, NAMES, "", 1));
    for (int part = 1; part < PARTS; part++)
        TRY(add_text(writer, NAMES, infos[part].name, &writer->names[part]));
    for (uint32_t i = 0; i < count; i++) {
        TRY(add_text(writer, DYNSTR, launcher->libraries.data[i], &writer->needed[i]));
        TRY(add_versions_of(writer, i, writer->needed[i], &version));
    }
    if (writer->needed_versions)
        store_u32(writer->bytes[VERNEED].data + writer->last_need + offsetof(Elf64_Verneed, vn_next), 0);
    return add_text(writer, DYNSTR, entry_library, &writer->needed[count]);
}

static struct jitscope_error *write_parts(struct writer *writer, const char *entry_library) {
    TRY(write_texts(writer, entry_library));
    TRY(place_objects(writer));
    TRY(add_symbols(writer));
    TRY(add_hash(writer));
    place_parts(writer);
    TRY(add_places(writer));
    return add_dynamic(writer);
}

static struct jitscope_error *make_tables(struct writer *writer) {
    const struct launcher *launcher = writer->launcher;
    writer->needed = os_allocate_zeroed((launcher->libraries.count + (size_t)1) * sizeof *writer->needed);
    writer->places = os_allocate_zeroed((launcher->objects.count + (size_t)1) * sizeof *writer->places);
    writer->versions = os_allocate_zeroed((launcher->names.count + (size_t)1) * sizeof *writer->versions);
    return writer->needed && writer->places && writer->versions ? NULL : error_no_memory();
}

struct jitscope_error *launcher_write(const struct launcher *launcher, const char *entry_library,
                                      uint8_t **file, uint64_t *size) {
    struct writer writer = {.launcher = launcher};
    struct jitscope_error *error = make_tables(&writer);
    if (!error)
        error = write_parts(&writer, entry_library);
    if (!error)
        error = assemble(&writer, file, size);
    for (int part = 1; part < PARTS; part++)
        vec_destroy(&writer.bytes[part]);
    os_release(writer.needed);
    os_release(writer.places);
    os_release(writer.versions);
    return error;
}
