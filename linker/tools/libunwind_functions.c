#define _GNU_SOURCE /* RTLD_DEFAULT */
#include "libunwind_functions.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* libunwind-ptrace uses the other two without naming them as needed: they are there first, for all to see. */
static const char *const libraries[LIBUNWIND_LIBRARIES] = {"liblzma.so.5", "libunwind-x86_64.so.8",
                                                           "libunwind-ptrace.so.0"};

#define SPELL(symbol)          SPELL_EXPANDED(symbol)
#define SPELL_EXPANDED(symbol) #symbol

static bool find(const char *name, void *function, size_t size) {
    void *symbol = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

static bool open_all(struct libunwind *libunwind) {
    for (int i = 0; i < LIBUNWIND_LIBRARIES; i++) {
        libunwind->libraries[i] = dlopen(libraries[i], RTLD_NOW | RTLD_GLOBAL);
        if (!libunwind->libraries[i])
            return false;
    }
#define FUNCTION(name, symbol)                                                                               \
    if (!find(SPELL(symbol), &libunwind->name, sizeof libunwind->name))                                      \
        return false;
#include "libunwind_functions.def"
#undef FUNCTION
    return find("_UPT_accessors", &libunwind->ptrace_accessors, sizeof libunwind->ptrace_accessors);
}

struct jitscope_error *libunwind_open(struct libunwind *libunwind) {
    if (open_all(libunwind))
        return NULL;
    const char *text = dlerror();
    struct jitscope_error *error =
        error_create(JITSCOPE_ERROR_NOT_FOUND, "stacks are walked by nongnu libunwind, which is not here: %s",
                     text ? text : "a function is missing");
    libunwind_close(libunwind);
    return error_with_help(error, "install libunwind8");
}

void libunwind_close(struct libunwind *libunwind) {
    for (int i = LIBUNWIND_LIBRARIES; i-- > 0;)
        if (libunwind->libraries[i])
            dlclose(libunwind->libraries[i]);
    *libunwind = (struct libunwind){0};
}
