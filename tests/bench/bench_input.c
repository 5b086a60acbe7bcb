#include "input_parts.h"

#include <ar.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void give_up(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\n", stderr);
    exit(1);
}

void *allocate(size_t size) {
    void *memory = malloc(size ? size : 1);
    if (!memory)
        give_up("no memory for the input");
    return memory;
}

void *reallocate(void *memory, size_t size) {
    memory = realloc(memory, size);
    if (!memory)
        give_up("no memory for the input");
    return memory;
}

uint8_t *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        give_up("cannot read %s", path);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = allocate(*size);
    if (fread(data, 1, *size, file) != *size)
        give_up("cannot read %s", path);
    fclose(file);
    return data;
}

char *name_of(const char *format, ...) {
    char name[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    char *copy = allocate(strlen(name) + 1);
    return strcpy(copy, name);
}

/* --- generated */

enum { DIGITS = 8, MOST_PLACES = 16 };

const uint8_t bench_value_bytes[VALUE_SIZE] = {0x1f, 0x5e, 0x1f, 0x5e, 0x1f, 0x5e, 0x1f, 0x5e};

/* Where the pattern's bytes are replaced: digits of names in its string table, and the value. */
struct pattern {
    uint8_t *data;
    size_t size;
    size_t value;
    size_t place_count;
    struct {
        size_t offset;
        unsigned role; /* the last digit in one_function.c */
    } places[MOST_PLACES];
};

static void find_names(struct pattern *pattern, const char *prefix) {
    size_t length = strlen(prefix);
    for (size_t at = 1; at + length + DIGITS < pattern->size; at++) {
        const uint8_t *name = pattern->data + at;
        if (name[-1] || memcmp(name, prefix, length) || name[length + DIGITS] ||
            pattern->place_count == MOST_PLACES)
            continue;
        pattern->places[pattern->place_count].offset = at + length;
        pattern->places[pattern->place_count++].role = name[length + DIGITS - 1] - '0';
    }
}

static struct pattern read_pattern(void) {
    struct pattern pattern = {0};
    pattern.data = read_file(PATTERN_OBJECT, &pattern.size);
    find_names(&pattern, "function_");
    find_names(&pattern, "node_");
    uint8_t *value = memmem(pattern.data, pattern.size, bench_value_bytes, VALUE_SIZE);
    if (pattern.place_count != 7 || !value)
        give_up("%s does not look like one_function.c", PATTERN_OBJECT);
    pattern.value = (size_t)(value - pattern.data);
    return pattern;
}

size_t partner(size_t number, unsigned role, size_t count) {
    switch (role) {
    case 0:
        return number;
    case 4:
        return (number * 7 + 1) % count;
    case 5:
        return (number * 11 + 3) % count;
    default:
        return (number * CHILDREN + role) % count;
    }
}

uint64_t value_of(size_t number) {
    return number * 2654435761u + 1;
}

static struct bench_object generate(const struct pattern *pattern, size_t number, size_t count) {
    struct bench_object object = {name_of("generated-%zu.o", number), allocate(pattern->size), pattern->size};
    memcpy(object.data, pattern->data, pattern->size);
    uint64_t value = value_of(number);
    memcpy(object.data + pattern->value, &value, sizeof value);
    for (size_t i = 0; i < pattern->place_count; i++) {
        char digits[24];
        snprintf(digits, sizeof digits, "%08zu", partner(number, pattern->places[i].role, count));
        memcpy(object.data + pattern->places[i].offset, digits, DIGITS);
    }
    return object;
}

/* What one_function.c computes. */
static uint64_t result_of(size_t number, size_t count, unsigned depth) {
    uint64_t first = value_of(partner(number, 4, count)), second = value_of(partner(number, 5, count));
    if (!depth)
        return first ^ second;
    uint64_t sum = first + second;
    for (unsigned role = 1; role <= CHILDREN; role++)
        sum += result_of(partner(number, role, count), count, depth - 1);
    return sum;
}

/* COUNT functions that call each other, in OBJECTS objects that are still to be made. */
static struct bench_input start_tree(size_t count, size_t objects, char *entry) {
    if (count < 1 || count > 99999999)
        give_up("between 1 and 99999999 functions, please");
    struct bench_input input = {
        .objects = allocate(objects * sizeof *input.objects), .count = objects, .entry = entry};
    for (size_t reached = 1, level = 1; reached < count; reached += level *= CHILDREN)
        input.argument++;
    input.expected = result_of(0, count, (unsigned)input.argument);
    return input;
}

static struct bench_input load_generated(size_t count) {
    struct pattern pattern = read_pattern();
    struct bench_input input = start_tree(count, count, name_of("function_%08d", 0));
    for (size_t i = 0; i < count; i++)
        input.objects[i] = generate(&pattern, i, count);
    free(pattern.data);
    return input;
}

/* OBJECTS objects alike, each with all functions. */
static struct bench_input load_composed(enum composition composition, size_t objects, size_t count) {
    struct bench_input input = start_tree(count, objects, composed_function(composition, 0));
    for (size_t i = 0; i < objects; i++) {
        char path[32];
        snprintf(path, sizeof path, "composed-%zu.o", i);
        input.objects[i] = compose_object(path, composition, count);
    }
    return input;
}

/* --- archives */

static void add_object(struct bench_input *input, char *name, const uint8_t *data, size_t size) {
    input->objects = reallocate(input->objects, (input->count + 1) * sizeof *input->objects);
    struct bench_object object = {name, allocate(size), size};
    memcpy(object.data, data, size);
    input->objects[input->count++] = object;
}

/* Whether an object has local-dynamic references to thread-local variables, which LLJIT does not know. */
static bool is_local_dynamic(const uint8_t *object) {
    Elf64_Ehdr header;
    memcpy(&header, object, sizeof header);
    for (unsigned i = 0; i < header.e_shnum; i++) {
        Elf64_Shdr section;
        memcpy(&section, object + header.e_shoff + i * sizeof section, sizeof section);
        for (uint64_t at = 0; section.sh_type == SHT_RELA && at < section.sh_size; at += sizeof(Elf64_Rela)) {
            Elf64_Rela relocation;
            memcpy(&relocation, object + section.sh_offset + at, sizeof relocation);
            if (ELF64_R_TYPE(relocation.r_info) == R_X86_64_TLSLD)
                return true;
        }
    }
    return false;
}

/* Every member that is an object all contestants could take; trusted, as Debian's archives are. */
static void add_members(struct bench_input *input, const char *path) {
    size_t size, at = SARMAG;
    uint8_t *archive = read_file(path, &size);
    while (at + sizeof(struct ar_hdr) <= size) {
        const struct ar_hdr *header = (const void *)(archive + at);
        size_t length = strtoul(header->ar_size, NULL, 10);
        at += sizeof *header;
        if (at + length <= size && length > 4 && !memcmp(archive + at, ELFMAG, SELFMAG) &&
            !is_local_dynamic(archive + at))
            add_object(input, name_of("%s(%zu)", path, at), archive + at, length);
        at += length + (length & 1);
    }
    free(archive);
}

static void add_file(struct bench_input *input, const char *path) {
    size_t size;
    uint8_t *data = read_file(path, &size);
    add_object(input, name_of("%s", path), data, size);
    free(data);
}

/* What an archive's objects are linked with, and what they do then. */
static struct bench_input start_archive(const char *check, const char *entry, uint64_t argument,
                                        uint64_t expected) {
    struct bench_input input = {.entry = name_of("%s", entry), .argument = argument, .expected = expected};
    add_file(&input, check);
    return input;
}

static struct bench_input load_sqlite(size_t unused) {
    (void)unused;
    struct bench_input input = start_archive(CHECK_SQLITE, "check_sqlite", 1000, 500500);
    add_members(&input, SQLITE_ARCHIVE);
    return input;
}

/* The digest is that of FIPS 180-2, appendix B.3: one million times 'a'. */
static struct bench_input load_crypto(size_t unused) {
    (void)unused;
    struct bench_input input =
        start_archive(CHECK_CRYPTO, "check_crypto", 1000000, UINT64_C(0xcdc76e5c9914fb92));
    add_members(&input, SSL_ARCHIVE);
    add_members(&input, CRYPTO_ARCHIVE);
    return input;
}

static struct bench_input load_python(size_t unused) {
    (void)unused;
#ifdef CHECK_PYTHON
    struct bench_input input = start_archive(CHECK_PYTHON, "check_python", 1000, 500500);
    add_members(&input, PYTHON_ARCHIVE);
    input.libraries[0] = "libexpat.so.1";
    input.libraries[1] = "libz.so.1";
    return input;
#else
    give_up("libpython3.11-dev is not installed");
#endif
}

static struct bench_input load_llvm(size_t unused) {
    (void)unused;
#ifdef CHECK_LLVM
    struct bench_input input = start_archive(CHECK_LLVM, "check_llvm", 1000, 500500);
    static const char *const archives[] = {"X86CodeGen", "X86Desc", "X86Info", "Core", "Support"};
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
        char path[512];
        snprintf(path, sizeof path, LLVM_FOLDER "/libLLVM%s.a", archives[i]);
        add_members(&input, path);
    }
    static const char *const libraries[] = {LLVM_LIBRARY,   "libstdc++.so.6", "libz.so.1",
                                            "libzstd.so.1", "libtinfo.so.6",  "libz3.so.4"};
    memcpy(input.libraries, libraries, sizeof libraries);
    return input;
#else
    give_up("llvm-19-dev is not installed");
#endif
}

/* --- all of them */

static struct bench_input load_functions(size_t count) {
    return load_composed(ONE_SECTION, 1, count);
}

static struct bench_input load_sections(size_t count) {
    return load_composed(OWN_SECTIONS, 1, count / 4);
}

static struct bench_input load_comdats(size_t count) {
    return load_composed(GROUPS, 2, count);
}

static struct bench_input load_commons(size_t count) {
    return load_composed(COMMONS, 1, count);
}

static struct bench_input load_prefixes(size_t count) {
    return load_composed(LONG_PREFIXES, 1, count);
}

static const struct {
    const char *name;
    bool counted;
    struct bench_input (*load)(size_t count);
} makers[] = {
    {"generated", true, load_generated}, {"functions", true, load_functions},
    {"sections", true, load_sections},   {"comdats", true, load_comdats},
    {"commons", true, load_commons},     {"prefixes", true, load_prefixes},
    {"sqlite", false, load_sqlite},      {"crypto", false, load_crypto},
    {"python", false, load_python},      {"llvm", false, load_llvm},
};

struct bench_input bench_input_load(const char *name) {
    size_t length = strcspn(name, ":");
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
        if (strlen(makers[i].name) == length && !strncmp(name, makers[i].name, length) &&
            makers[i].counted == (name[length] == ':'))
            return makers[i].load(makers[i].counted ? strtoul(name + length + 1, NULL, 10) : 0);
    give_up("there is no input '%s'", name);
}

void bench_input_destroy(struct bench_input *input) {
    for (size_t i = 0; i < input->count; i++) {
        free(input->objects[i].name);
        free(input->objects[i].data);
    }
    free(input->objects);
    free(input->entry);
    *input = (struct bench_input){0};
}
