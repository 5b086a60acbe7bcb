/* bench_input: what is linked, as relocatable objects in memory.
 *
 * "generated:N" is N copies of one small object that the compiler made (one_function.c) under new names. The
 * same functions in one object are functions:N   in one section sections:N    in sections of their own, N all
 * together, relocation tables included comdats:N     in N COMDAT groups, and this twice: two objects, the
 * second of which brings nothing commons:N     in one section, with N common symbols prefixes:N    in one
 * section, with names that begin with the same 200 characters "sqlite", "crypto", "python" and "llvm" are all
 * members of Debian's archives and one object more, which uses them; "python" and "llvm" only where their
 * packages are. */
#ifndef BENCH_INPUT_H
#define BENCH_INPUT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_object {
    char *name;
    uint8_t *data;
    size_t size;
};

struct bench_input {
    struct bench_object *objects;
    size_t count;
    char *entry;              /* uint64_t entry(uint64_t) */
    uint64_t argument;        /* what it is called with */
    uint64_t expected;        /* and must return */
    const char *libraries[8]; /* shared ones it needs besides the C library's, by soname */
};

/* Ends the program with a message when the input cannot be had. */
struct bench_input bench_input_load(const char *name);
void bench_input_destroy(struct bench_input *input);

#ifdef __cplusplus
}
#endif
#endif
