/* A shared library that is asked for names. */
#include "fuzz_common.h"

#include "object/elf_shared.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"",       "main",        "add", "shapes_count", "_init", "square",
                                        "add@V1", "add@@VERS_2", "@"};
    struct elf_shared library;
    struct elf_shared_symbol symbol;
    struct jitscope_error *error = elf_shared_open((struct bytes){data, size}, &library);
    for (size_t i = 0; !error && i < sizeof names / sizeof *names; i++)
        elf_shared_find(&library, names[i], &symbol);
    if (!error && library.soname)
        FUZZ_HOLDS(strlen(library.soname) < size);
    fuzz_expect_message(error);
    return 0;
}
