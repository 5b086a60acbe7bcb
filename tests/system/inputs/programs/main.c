/* Runs all parts, or those that are named. */
#include "parts.h"
#include <string.h>

#define PARTS                                                                                                \
    PART(threads)                                                                                            \
    PART(keys)                                                                                               \
    PART(jumps)                                                                                              \
    PART(faults)                                                                                             \
    PART(alarms)                                                                                             \
    PART(contexts)                                                                                           \
    PART(gotos)                                                                                              \
    PART(switches)                                                                                           \
    PART(arguments)                                                                                          \
    PART(stacks)                                                                                             \
    PART(long_doubles)                                                                                       \
    PART(complexes)                                                                                          \
    PART(int128)                                                                                             \
    PART(vectors)                                                                                            \
    PART(processor)                                                                                          \
    PART(assembled)                                                                                          \
    PART(attributes)                                                                                         \
    PART(initialised)

#define PART(name) void name(void);
PARTS
#undef PART

static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {
#define PART(name) {#name, name},
    PARTS
#undef PART
};

int main(int count, char **names) {
    int done = 0;
    for (unsigned i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        int asked = count == 1;
        for (int k = 1; k < count; k++)
            asked |= !strcmp(names[k], parts[i].name);
        if (!asked)
            continue;
        parts[i].run();
        fflush(NULL) /* that variable is a library's: code without -fPIE would not reach it */;
        done++;
    }
    return done;
}
