/* A shared library that is asked for names, as itself and in front of others, and for copies of what they
 * name. */
#include "fuzz_common.h"

#include "object/elf_copies.h"

static struct jitscope_error *take_name(void *context, const char *name, const char *version, bool weak) {
    const struct elf_shared *library = context;
    (void)weak;
    FUZZ_HOLDS(strlen(name) < library->file.size);
    FUZZ_HOLDS(!version || strlen(version) < library->file.size);
    return NULL;
}

static void copy(struct elf_shared *library, const char *name) {
    struct elf_copy copy;
    struct jitscope_error *error = elf_copy_find(library, name, &copy);
    if (!error) {
        FUZZ_HOLDS(copy.size && copy.alignment && !(copy.alignment & (copy.alignment - 1)));
        error = elf_copy_each_name(library, &copy, take_name, library);
    }
    fuzz_expect_message(error);
}

static void interpose(const struct elf_shared *library, const char *name) {
    static const char *const versions[] = {NULL, "V1", "VERS_2", ""};
    struct elf_shared_symbol symbol;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        if (!elf_shared_interposes(library, name, versions[i], &symbol))
            continue;
        const char *version = elf_shared_version_at(library, symbol.index);
        FUZZ_HOLDS(!version || strlen(version) < library->file.size);
        FUZZ_HOLDS(!versions[i] || !version || !strcmp(version, versions[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"",       "main",        "add", "shapes_count", "_init", "square",
                                        "add@V1", "add@@VERS_2", "@"};
    struct elf_shared library;
    struct elf_shared_symbol symbol;
    struct jitscope_error *error = elf_shared_open((struct bytes){data, size}, &library);
    for (size_t i = 0; !error && i < sizeof names / sizeof *names; i++) {
        if (elf_shared_find(&library, names[i], &symbol))
            copy(&library, names[i]);
        interpose(&library, names[i]);
    }
    if (!error && library.soname)
        FUZZ_HOLDS(strlen(library.soname) < size);
    fuzz_expect_message(error);
    return 0;
}
