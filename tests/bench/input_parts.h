/* input_parts: what the makers of inputs share; private to bench_input.c and composed_object.c. */
#ifndef INPUT_PARTS_H
#define INPUT_PARTS_H

#include "bench_input.h"

#include <elf.h>

enum { CHILDREN = 3, VALUE_SIZE = 8 };

extern const uint8_t bench_value_bytes[VALUE_SIZE]; /* the value in one_function.c's node */

_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Never NULL. */
void *allocate(size_t size);
void *reallocate(void *memory, size_t size);
uint8_t *read_file(const char *path, size_t *size);
char *name_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Which object stands in ROLE, the last digit in one_function.c, for object NUMBER: itself, its children in a
 * tree that reaches everybody, and two nodes somewhere. */
size_t partner(size_t number, unsigned role, size_t count);
uint64_t value_of(size_t number);

/* How the functions of a composed object lie in it. */
enum composition {
    ONE_SECTION,   /* one .text, one .data.rel */
    OWN_SECTIONS,  /* each function and each node has a section of its own, as with -ffunction-sections */
    GROUPS,        /* and these two are a COMDAT group */
    COMMONS,       /* one section, and a common symbol for each function */
    LONG_PREFIXES, /* one section, and all names begin with the same 200 characters */
};

/* COUNT copies of one_function.c's function and node in one object. */
struct bench_object compose_object(const char *path, enum composition composition, size_t count);
/* What function NUMBER is called there; the caller's, to be freed. */
char *composed_function(enum composition composition, size_t number);

#endif
