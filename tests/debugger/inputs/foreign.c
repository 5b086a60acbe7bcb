/* A program with another JIT: registers an ELF file of which nothing is jitscope's.
 *
 *     foreign FILE ADDRESS SIZE
 *
 * FILE is linked to run at ADDRESS, where its code of SIZE bytes, from the file's first page on, is put. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct jit_code_entry {
    struct jit_code_entry *next, *previous;
    const char *symfile;
    uint64_t size;
};

struct jit_descriptor {
    uint32_t version, action;
    struct jit_code_entry *relevant, *first;
};

struct jit_descriptor __jit_debug_descriptor = {1, 0, NULL, NULL};

__attribute__((noinline)) void __jit_debug_register_code(void);
void __jit_debug_register_code(void) {
    __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv) {
    FILE *file = fopen(argc > 3 ? argv[1] : "", "rb");
    if (!file)
        return 2;
    char *content = malloc(1 << 20);
    size_t size = fread(content, 1, 1 << 20, file);
    fclose(file);
    void *address = (void *)(uintptr_t)strtoull(argv[2], NULL, 0);
    size_t code = strtoull(argv[3], NULL, 0);
    FILE *again = fopen(argv[1], "rb");
    if (mmap(address, code, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fileno(again), 4096) != address)
        return 3;
    struct jit_code_entry entry = {NULL, NULL, content, size};
    __jit_debug_descriptor.first = __jit_debug_descriptor.relevant = &entry;
    __jit_debug_descriptor.action = 1;
    __jit_debug_register_code();
    int (*function)(int) = (int (*)(int))(uintptr_t)address;
    return function(20) - 41;
}
