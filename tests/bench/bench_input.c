#include "bench_input.h"

#include <ar.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void give_up(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\n", stderr);
    exit(1);
}

static void *allocate(size_t size) {
    void *memory = malloc(size ? size : 1);
    if (!memory)
        give_up("no memory for the input");
    return memory;
}

static uint8_t *read_file(const char *path, size_t *size) {
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

static char *name_of(const char *format, ...) {
    char name[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    char *copy = allocate(strlen(name) + 1);
    return strcpy(copy, name);
}

/* --- generated */

enum { DIGITS = 8, VALUE_SIZE = 8, MOST_PLACES = 16, CHILDREN = 3 };

static const uint8_t value_bytes[VALUE_SIZE] = {0x1f, 0x5e, 0x1f, 0x5e, 0x1f, 0x5e, 0x1f, 0x5e};

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
    uint8_t *value = memmem(pattern.data, pattern.size, value_bytes, VALUE_SIZE);
    if (pattern.place_count != 7 || !value)
        give_up("%s does not look like one_function.c", PATTERN_OBJECT);
    pattern.value = (size_t)(value - pattern.data);
    return pattern;
}

/* Which object stands in ROLE for object NUMBER: itself, its children in a tree that reaches everybody, and
 * two nodes somewhere. */
static size_t partner(size_t number, unsigned role, size_t count) {
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

static uint64_t value_of(size_t number) {
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

static struct bench_input load_generated(size_t count) {
    if (count < 1 || count > 99999999)
        give_up("between 1 and 99999999 objects, please");
    struct pattern pattern = read_pattern();
    struct bench_input input = {
        .objects = allocate(count * sizeof *input.objects), .count = count, .entry = "function_00000000"};
    for (size_t reached = 1, level = 1; reached < count; reached += level *= CHILDREN)
        input.argument++;
    for (size_t i = 0; i < count; i++)
        input.objects[i] = generate(&pattern, i, count);
    input.expected = result_of(0, count, (unsigned)input.argument);
    free(pattern.data);
    return input;
}

/* --- archives */

static void add_object(struct bench_input *input, char *name, const uint8_t *data, size_t size) {
    input->objects = realloc(input->objects, (input->count + 1) * sizeof *input->objects);
    if (!input->objects)
        give_up("no memory for the input");
    struct bench_object object = {name, allocate(size), size};
    memcpy(object.data, data, size);
    input->objects[input->count++] = object;
}

/* Every member that is an object; trusted, as Debian's archives are. */
static void add_members(struct bench_input *input, const char *path) {
    size_t size, at = SARMAG;
    uint8_t *archive = read_file(path, &size);
    while (at + sizeof(struct ar_hdr) <= size) {
        const struct ar_hdr *header = (const void *)(archive + at);
        size_t length = strtoul(header->ar_size, NULL, 10);
        at += sizeof *header;
        if (at + length <= size && length > 4 && !memcmp(archive + at, "\177ELF", 4))
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

static struct bench_input load_sqlite(void) {
    struct bench_input input = {.entry = "check_sqlite", .argument = 1000, .expected = 500500};
    add_file(&input, CHECK_SQLITE);
    add_members(&input, SQLITE_ARCHIVE);
    return input;
}

/* The digest is that of FIPS 180-2, appendix B.3: one million times 'a'. */
static struct bench_input load_crypto(void) {
    struct bench_input input = {
        .entry = "check_crypto", .argument = 1000000, .expected = UINT64_C(0xcdc76e5c9914fb92)};
    add_file(&input, CHECK_CRYPTO);
    add_members(&input, SSL_ARCHIVE);
    add_members(&input, CRYPTO_ARCHIVE);
    return input;
}

struct bench_input bench_input_load(const char *name) {
    if (!strncmp(name, "generated:", 10))
        return load_generated(strtoul(name + 10, NULL, 10));
    if (!strcmp(name, "sqlite"))
        return load_sqlite();
    if (!strcmp(name, "crypto"))
        return load_crypto();
    give_up("there is no input '%s'", name);
}

void bench_input_destroy(struct bench_input *input) {
    for (size_t i = 0; i < input->count; i++) {
        free(input->objects[i].name);
        free(input->objects[i].data);
    }
    free(input->objects);
    *input = (struct bench_input){0};
}
