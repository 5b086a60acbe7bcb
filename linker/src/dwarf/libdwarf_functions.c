#define _GNU_SOURCE /* RTLD_DEEPBIND */
#include "dwarf/libdwarf_functions.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* The interface of libdwarf 20210528; later ones have another number, and other arguments. */
#define LIBDWARF "libdwarf.so.1"

/* Inside gdb the library must not find gdb's symbols in front of its own; AddressSanitizer refuses that. */
#if defined __SANITIZE_ADDRESS__
#define OWN_SYMBOLS 0
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define OWN_SYMBOLS 0
#endif
#endif
#ifndef OWN_SYMBOLS
#define OWN_SYMBOLS RTLD_DEEPBIND
#endif

static bool complain(void) {
    static bool was_said;
    if (!was_said)
        fprintf(stderr, "jitscope: JIT frames have no lines: %s\n", dlerror());
    was_said = true;
    return false;
}

static bool find(struct libdwarf *libdwarf, const char *name, void *function, size_t size) {
    void *symbol = dlsym(libdwarf->library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

bool libdwarf_open(struct libdwarf *libdwarf) {
    libdwarf->library = dlopen(LIBDWARF, RTLD_NOW | RTLD_LOCAL | OWN_SYMBOLS);
    if (!libdwarf->library)
        return complain();
#define FUNCTION(name) find(libdwarf, "dwarf_" #name, &libdwarf->name, sizeof libdwarf->name) &&
    bool has_all =
#include "dwarf/libdwarf_functions.def"
        true;
#undef FUNCTION
    if (has_all)
        return true;
    complain();
    libdwarf_close(libdwarf);
    return false;
}

void libdwarf_close(struct libdwarf *libdwarf) {
    dlclose(libdwarf->library);
}
