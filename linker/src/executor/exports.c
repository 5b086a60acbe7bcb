#include "executor/exports.h"

#include "base/bytes.h"
#include "base/os.h"
#include "executor/loaded_file.h"

#include <elf.h>
#include <string.h>

/* The file: headers, symbols, names; then, on pages of their own since they are written to, the dynamic
 * section and the hash table.  Offsets are addresses too. */
enum { PAGE = 4096, HEADERS = 4, DYNAMIC = 6 };

struct shape {
    const struct exported_symbol *symbols;
    uint32_t count, buckets;
    uint64_t hash, symbol_table, strings, strings_size, dynamic, end;
};

static struct jitscope_error *measure(struct shape *shape) {
    shape->buckets = shape->count + 1;
    shape->strings_size = 1;
    for (uint32_t i = 0; i < shape->count; i++)
        shape->strings_size += strlen(shape->symbols[i].name) + 1;
    if (shape->strings_size > INT32_MAX || shape->count > INT32_MAX / sizeof(Elf64_Sym))
        return error_create(JITSCOPE_ERROR_ADDRESS_SPACE, "more names than a shared library can have");
    shape->symbol_table = sizeof(Elf64_Ehdr) + HEADERS * sizeof(Elf64_Phdr);
    shape->strings = shape->symbol_table + (shape->count + UINT64_C(1)) * sizeof(Elf64_Sym);
    shape->dynamic = (shape->strings + shape->strings_size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    shape->hash = shape->dynamic + DYNAMIC * sizeof(Elf64_Dyn);
    shape->end = shape->hash + (2 + (uint64_t)shape->buckets + shape->count + 1) * 4;
    return NULL;
}

static void put_headers(const struct shape *shape, uint8_t *file) {
    uint64_t constant = shape->strings + shape->strings_size, writable = shape->end - shape->dynamic;
    uint64_t dynamic_size = DYNAMIC * sizeof(Elf64_Dyn);
    Elf64_Phdr segments[HEADERS] = {
        {PT_LOAD, PF_R, 0, 0, 0, constant, constant, PAGE},
        {PT_LOAD, PF_R | PF_W, shape->dynamic, shape->dynamic, shape->dynamic, writable, writable, PAGE},
        {PT_DYNAMIC, PF_R | PF_W, shape->dynamic, shape->dynamic, shape->dynamic, dynamic_size, dynamic_size,
         8},
        {PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16},
    };
    loaded_file_put_headers(file, segments, HEADERS);
}

static void put_dynamic(const struct shape *shape, uint8_t *file) {
    const Elf64_Dyn entries[DYNAMIC] = {
        {DT_HASH, {shape->hash}},      {DT_SYMTAB, {shape->symbol_table}}, {DT_SYMENT, {sizeof(Elf64_Sym)}},
        {DT_STRTAB, {shape->strings}}, {DT_STRSZ, {shape->strings_size}},
    };
    memcpy(file + shape->dynamic, entries, sizeof entries);
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

static void put_symbols(const struct shape *shape, uint8_t *file) {
    uint8_t *buckets = file + shape->hash + 8, *chains = buckets + 4 * (uint64_t)shape->buckets;
    uint64_t name = 1;
    store_u32(file + shape->hash, shape->buckets);
    store_u32(file + shape->hash + 4, shape->count + 1);
    for (uint32_t i = 0; i < shape->count; i++) {
        const struct exported_symbol *from = &shape->symbols[i];
        Elf64_Sym symbol = {.st_name = (uint32_t)name,
                            .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE),
                            .st_shndx = SHN_ABS,
                            .st_value = from->address};
        uint8_t *bucket = buckets + 4 * (uint64_t)(hash_of(from->name) % shape->buckets);
        size_t size = strlen(from->name) + 1;
        memcpy(file + shape->symbol_table + (i + UINT64_C(1)) * sizeof symbol, &symbol, sizeof symbol);
        memcpy(file + shape->strings + name, from->name, size);
        store_u32(chains + 4 * (i + UINT64_C(1)), load_u32(bucket));
        store_u32(bucket, i + 1);
        name += size;
    }
}

static struct jitscope_error *write_file(int fd, const struct shape *shape) {
    uint8_t *file = os_allocate_zeroed(shape->end);
    if (!file)
        return error_no_memory();
    put_headers(shape, file);
    put_symbols(shape, file);
    put_dynamic(shape, file);
    struct jitscope_error *error = loaded_file_write(fd, file, shape->end, 0);
    os_release(file);
    return error;
}

static struct jitscope_error *open_file(struct exports *exports, int fd, const struct shape *shape) {
    const char *text;
    TRY(write_file(fd, shape));
    exports->path = loaded_file_path(fd);
    if (!exports->path)
        return error_no_memory();
    exports->library = os_library_open(exports->path, &text);
    if (!exports->library)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED,
                            "the dynamic loader does not take the definitions: %s",
                            text ? text : "out of memory");
    os_library_hide(exports->library);
    exports->buckets = (uint8_t *)(uintptr_t)os_library_base(exports->library) + shape->hash + 8;
    exports->buckets_size = (size_t)shape->buckets * 4;
    return NULL;
}

struct jitscope_error *exports_open(struct exports *exports, uint32_t link,
                                    const struct exported_symbol *symbols, uint32_t count) {
    struct shape shape = {.symbols = symbols, .count = count};
    *exports = (struct exports){.link = link};
    TRY(measure(&shape));
    int fd = os_memory_file("jitscope-exports");
    if (fd < 0)
        return error_system("memfd_create", "definitions for shared libraries");
    struct jitscope_error *error = open_file(exports, fd, &shape);
    os_close(fd);
    if (error)
        exports_close(exports);
    return error;
}

void exports_close(struct exports *exports) {
    if (exports->library) {
        memset(exports->buckets, 0, exports->buckets_size);
        os_library_close(exports->library);
    }
    os_release(exports->path);
    *exports = (struct exports){0};
}
