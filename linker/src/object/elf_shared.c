/* Shared libraries, asked for single names (gABI chapter 5, "Hash Table"; the GNU hash table as binutils
 * writes it: a Bloom filter, buckets, chains whose last entry has its low bit set).
 *
 * What is peculiar: a name may be defined several times under different versions; only the default one counts
 * for a reference without version, and the others have the hidden bit (0x8000) in .gnu.version.  What the
 * numbers there mean says .gnu.version_d (LSB Core, "Symbol Versioning"). */
#include "object/elf_shared.h"

#include "trace/event.h"

#include <elf.h>

static struct jitscope_error *truncated(const char *what, uint64_t offset) {
    struct coordinates where = {.offset = offset};
    return error_at(JITSCOPE_ERROR_TRUNCATED, &where, "%s lies outside the shared library", what);
}

struct opening {
    struct elf_shared *library;
    Elf64_Ehdr header;
    struct bytes dynamic;
};

/* Empty when it does not lie in the file. */
static struct bytes table_entry(const struct opening *opening, uint64_t table, uint64_t index,
                                uint64_t size) {
    uint64_t offset;
    if (__builtin_add_overflow(table, index * size, &offset))
        return (struct bytes){NULL, 0};
    return bytes_slice(opening->library->file, offset, size);
}

static bool section_at(const struct opening *opening, uint32_t index, Elf64_Shdr *section) {
    struct bytes bytes = table_entry(opening, opening->header.e_shoff, index, sizeof *section);
    if (bytes.data)
        memcpy(section, bytes.data, sizeof *section);
    return bytes.data;
}

static struct jitscope_error *take(struct opening *opening, const Elf64_Shdr *section, const char *what,
                                   struct bytes *out) {
    *out = bytes_slice(opening->library->file, section->sh_offset, section->sh_size);
    return out->data ? NULL : truncated(what, section->sh_offset);
}

static struct jitscope_error *take_section(struct opening *opening, const Elf64_Shdr *section) {
    struct elf_shared *library = opening->library;
    Elf64_Shdr strings;
    switch (section->sh_type) {
    case SHT_DYNSYM:
        if (!section_at(opening, section->sh_link, &strings))
            return truncated("the section of dynamic strings", opening->header.e_shoff);
        TRY(take(opening, &strings, "the dynamic strings", &library->strings));
        return take(opening, section, "the dynamic symbols", &library->symbols);
    case SHT_GNU_versym:
        return take(opening, section, "the symbol versions", &library->versions);
    case SHT_GNU_verdef:
        return take(opening, section, "the names of versions", &library->version_names);
    case SHT_GNU_HASH:
        return take(opening, section, "the GNU hash table", &library->gnu_hash);
    case SHT_HASH:
        return take(opening, section, "the hash table", &library->sysv_hash);
    case SHT_DYNAMIC:
        return take(opening, section, "the dynamic section", &opening->dynamic);
    default:
        return NULL;
    }
}

static void find_soname(struct opening *opening) {
    size_t length;
    for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= opening->dynamic.size; at += sizeof(Elf64_Dyn))
        if (load_u64(opening->dynamic.data + at) == DT_SONAME)
            opening->library->soname =
                bytes_string(opening->library->strings, load_u64(opening->dynamic.data + at + 8), &length);
}

static struct jitscope_error *measure(struct opening *opening) {
    uint64_t end = 0;
    for (uint32_t i = 0; i < opening->header.e_phnum; i++) {
        Elf64_Phdr segment;
        uint64_t segment_end;
        struct bytes bytes = table_entry(opening, opening->header.e_phoff, i, sizeof segment);
        if (!bytes.data)
            return truncated("the program header table", opening->header.e_phoff);
        memcpy(&segment, bytes.data, sizeof segment);
        if (segment.p_type == PT_LOAD &&
            !__builtin_add_overflow(segment.p_vaddr, segment.p_memsz, &segment_end))
            end = segment_end > end ? segment_end : end;
    }
    opening->library->memory_size = end;
    return NULL;
}

struct jitscope_error *elf_shared_open(struct bytes file, struct elf_shared *library) {
    *library = (struct elf_shared){.file = file};
    struct opening opening = {.library = library};
    if (file.size < sizeof opening.header)
        return truncated("the ELF header", 0);
    memcpy(&opening.header, file.data, sizeof opening.header);
    if (opening.header.e_machine != EM_X86_64)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED,
                            "a shared library for ELF machine %u: only x86-64 (62) is supported",
                            opening.header.e_machine);
    if ((opening.header.e_shnum && opening.header.e_shentsize != sizeof(Elf64_Shdr)) ||
        (opening.header.e_phnum && opening.header.e_phentsize != sizeof(Elf64_Phdr)))
        return error_create(
            JITSCOPE_ERROR_FORMAT, "section headers of %u and program headers of %u bytes, not %zu and %zu",
            opening.header.e_shentsize, opening.header.e_phentsize, sizeof(Elf64_Shdr), sizeof(Elf64_Phdr));
    for (uint32_t i = 0; i < opening.header.e_shnum; i++) {
        Elf64_Shdr section;
        if (!section_at(&opening, i, &section))
            return truncated("the section table", opening.header.e_shoff);
        TRY(take_section(&opening, &section));
    }
    if (library->symbols.size > sizeof(Elf64_Sym) && !library->gnu_hash.size && !library->sysv_hash.size)
        return error_with_help(
            error_create(JITSCOPE_ERROR_UNSUPPORTED,
                         "a shared library with symbols and no hash table to find them by"),
            "the loader could not use it either: link it with --hash-style=gnu");
    find_soname(&opening);
    return measure(&opening);
}

/* --- look-up
 * ------------------------------------------------------------------------------------------------------- */

/* What is looked for: "name" or "name@version". */
struct wanted {
    struct elf_shared_name name;
    uint16_t version; /* its number in .gnu.version; 0: the default one */
    bool bound;       /* to a version of another library, which this one need not have: then one that has no
                         version will do, but no other */
    bool oldest; /* bound when there were no versions: the oldest one, hidden or not, if the name has it */
};

enum { VERSION_HIDDEN = 0x8000, FIRST_VERSION = 2 };

/* The number of the version called NAME; 0 when there is none.  Entries are chained by distance, forwards, so
 * that a walk ends. */
static uint16_t find_version(const struct elf_shared *library, const char *name) {
    uint64_t at = 0;
    Elf64_Verdef entry;
    do {
        struct bytes bytes = bytes_slice(library->version_names, at, sizeof entry), text;
        if (!bytes.data)
            return 0;
        memcpy(&entry, bytes.data, sizeof entry);
        text = bytes_slice(library->version_names, at + entry.vd_aux, sizeof(Elf64_Verdaux));
        size_t length;
        const char *called = text.data ? bytes_string(library->strings, load_u32(text.data), &length) : NULL;
        if (called && !strcmp(called, name))
            return entry.vd_ndx & (uint16_t)~VERSION_HIDDEN;
        at += entry.vd_next;
    } while (entry.vd_next);
    return 0;
}

/* What the number NDX of .gnu.version is called: NULL for none, and for the library's own name, which the
 * first entry has. */
static const char *version_called(const struct elf_shared *library, uint16_t number) {
    uint64_t at = 0;
    Elf64_Verdef entry;
    do {
        struct bytes bytes = bytes_slice(library->version_names, at, sizeof entry);
        if (!bytes.data)
            return NULL;
        memcpy(&entry, bytes.data, sizeof entry);
        struct bytes text = bytes_slice(library->version_names, at + entry.vd_aux, sizeof(Elf64_Verdaux));
        size_t length;
        if ((entry.vd_ndx & ~VERSION_HIDDEN) == number && !(entry.vd_flags & VER_FLG_BASE))
            return text.data ? bytes_string(library->strings, load_u32(text.data), &length) : NULL;
        at += entry.vd_next;
    } while (entry.vd_next);
    return NULL;
}

static uint16_t version_of(const struct elf_shared *library, uint64_t index) {
    return bytes_contain(library->versions, index * 2, 2) ? load_u16(library->versions.data + index * 2) : 0;
}

const char *elf_shared_version_at(const struct elf_shared *library, uint64_t index) {
    uint16_t version = version_of(library, index) & (uint16_t)~VERSION_HIDDEN;
    return version < FIRST_VERSION ? NULL : version_called(library, version);
}

static bool is_version(const struct elf_shared *library, uint64_t index, const struct wanted *wanted) {
    uint16_t version = version_of(library, index);
    if (wanted->version && (version & ~VERSION_HIDDEN) == wanted->version)
        return true;
    if (wanted->oldest)
        return (version & ~VERSION_HIDDEN) <= FIRST_VERSION;
    if (wanted->bound)
        return !(version & VERSION_HIDDEN) && !elf_shared_version_at(library, index);
    return !wanted->version && !(version & VERSION_HIDDEN);
}

/* Whether symbol INDEX is the definition that is wanted. */
static bool is_definition(const struct elf_shared *library, uint64_t index, const struct wanted *wanted,
                          struct elf_shared_symbol *out) {
    Elf64_Sym symbol;
    size_t length;
    if (!bytes_contain(library->symbols, index * sizeof symbol, sizeof symbol))
        return false;
    memcpy(&symbol, library->symbols.data + index * sizeof symbol, sizeof symbol);
    if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) == STB_LOCAL)
        return false;
    const char *text = bytes_string(library->strings, symbol.st_name, &length);
    if (!text || length != wanted->name.length || memcmp(text, wanted->name.text, length) != 0 ||
        !is_version(library, index, wanted))
        return false;
    unsigned type = ELF64_ST_TYPE(symbol.st_info);
    *out = (struct elf_shared_symbol){.value = symbol.st_value,
                                      .size = symbol.st_size,
                                      .index = (uint32_t)index,
                                      .hidden = version_of(library, index) & VERSION_HIDDEN,
                                      .kind = type == STT_FUNC        ? SYMBOL_KIND_FUNCTION
                                              : type == STT_OBJECT    ? SYMBOL_KIND_OBJECT
                                              : type == STT_TLS       ? SYMBOL_KIND_TLS
                                              : type == STT_GNU_IFUNC ? SYMBOL_KIND_IFUNC
                                                                      : SYMBOL_KIND_NONE,
                                      .weak = ELF64_ST_BIND(symbol.st_info) == STB_WEAK};
    return true;
}

static bool find_by_gnu_hash(const struct elf_shared *library, const struct wanted *wanted,
                             struct elf_shared_symbol *out) {
    struct bytes table = library->gnu_hash;
    uint32_t hash = wanted->name.hash;
    if (table.size < 16)
        return false;
    uint32_t bucket_count = load_u32(table.data), first = load_u32(table.data + 4);
    uint32_t bloom_words = load_u32(table.data + 8), shift = load_u32(table.data + 12);
    uint64_t buckets = 16 + (uint64_t)bloom_words * 8, chains = buckets + (uint64_t)bucket_count * 4;
    if (!bucket_count || !bloom_words || shift > 31 || chains > table.size)
        return false;
    uint64_t word = load_u64(table.data + 16 + hash / 64 % bloom_words * 8);
    if (!(word >> (hash & 63) & word >> (hash >> shift & 63) & 1))
        return false;
    uint32_t index = load_u32(table.data + buckets + hash % bucket_count * 4);
    for (; index >= first && bytes_contain(table, chains + (uint64_t)(index - first) * 4, 4); index++) {
        uint32_t entry = load_u32(table.data + chains + (uint64_t)(index - first) * 4);
        if ((entry | 1) == (hash | 1) && is_definition(library, index, wanted, out))
            return true;
        if (entry & 1)
            break;
    }
    return false;
}

static bool find_by_sysv_hash(const struct elf_shared *library, const struct wanted *wanted,
                              struct elf_shared_symbol *out) {
    struct bytes table = library->sysv_hash;
    uint32_t hash = 0;
    for (size_t i = 0; i < wanted->name.length; i++) {
        hash = (hash << 4) + (unsigned char)wanted->name.text[i];
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    if (table.size < 8)
        return false;
    uint64_t bucket_count = load_u32(table.data), chain_count = load_u32(table.data + 4);
    if (!bucket_count || (table.size - 8) / 4 < bucket_count + chain_count)
        return false;
    uint32_t index = load_u32(table.data + 8 + hash % bucket_count * 4);
    /* A chain cannot be longer than the table: a cycle ends the walk. */
    for (uint64_t steps = 0; index && index < chain_count && steps < chain_count; steps++) {
        if (is_definition(library, index, wanted, out))
            return true;
        index = load_u32(table.data + 8 + (bucket_count + index) * 4);
    }
    return false;
}

static bool find(const struct elf_shared *library, const struct wanted *wanted,
                 struct elf_shared_symbol *symbol) {
    return library->gnu_hash.size ? find_by_gnu_hash(library, wanted, symbol)
                                  : find_by_sysv_hash(library, wanted, symbol);
}

struct elf_shared_name elf_shared_name(const char *text) {
    struct elf_shared_name name = {text, 0, 5381};
    for (; text[name.length] && text[name.length] != '@'; name.length++)
        name.hash = name.hash * 33 + (unsigned char)text[name.length];
    return name;
}

bool elf_shared_find_name(const struct elf_shared *library, const struct elf_shared_name *name,
                          struct elf_shared_symbol *symbol) {
    const char *at = name->text + name->length;
    struct wanted wanted = {.name = *name};
    if (*at && !(wanted.version = find_version(library, at + strspn(at, "@"))))
        return false;
    return find(library, &wanted, symbol);
}

bool elf_shared_find(const struct elf_shared *library, const char *name, struct elf_shared_symbol *symbol) {
    const struct elf_shared_name prepared = elf_shared_name(name);
    return elf_shared_find_name(library, &prepared, symbol);
}

/* What the loader does (glibc's do_lookup_x), whose first version of a library is the one that all programs
 * were linked with which know of none. */
bool elf_shared_interposes(const struct elf_shared *library, const char *name, const char *version,
                           struct elf_shared_symbol *symbol) {
    struct wanted wanted = {.name = elf_shared_name(name),
                            .version = version ? find_version(library, version) : 0,
                            .bound = version != NULL,
                            .oldest = version == NULL};
    bool found = find(library, &wanted, symbol);
    if (found || version)
        return found;
    wanted.oldest = false;
    return find(library, &wanted, symbol);
}
