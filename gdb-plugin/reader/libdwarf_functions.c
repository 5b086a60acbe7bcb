#define _GNU_SOURCE /* RTLD_DEEPBIND */
#include "libdwarf_functions.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* The interface of libdwarf 20210528; later ones have another number, and other arguments. */
#define LIBDWARF "libdwarf.so.1"

static bool complain(void) {
    static bool was_said;
    if (!was_said)
        fprintf(stderr, "jitscope-reader: JIT frames have no lines: %s\n", dlerror());
    was_said = true;
    return false;
}

static bool find(struct libdwarf *libdwarf, const char *name, void *function, size_t size) {
    void *symbol = dlsym(libdwarf->library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

bool libdwarf_open(struct libdwarf *libdwarf) {
    libdwarf->library = dlopen(LIBDWARF, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (!libdwarf->library)
        return complain();
#define FUNCTION(name) find(libdwarf, "dwarf_" #name, &libdwarf->name, sizeof libdwarf->name) &&
    bool has_all =
#include "libdwarf_functions.def"
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
