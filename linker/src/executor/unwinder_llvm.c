/* What release of LLVM's libunwind it is, cannot be asked.  So it gets a section made for the question, with
 * records behind the terminator as well: a release that reads on, does so one CIE's length behind it.  Either
 * way reading ends soon: at a record that is neither CIE nor FDE. */
#include "executor/unwinder.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

/* Records as in the Linux Standard Base, Core, section 10.6.1; of the machine's byte order. */
struct probe_cie {
    uint32_t length, id;
    uint8_t version;
    char augmentation[3];
    uint8_t code_alignment, data_alignment, return_register, augmentation_size, encoding, padding[7];
};
struct probe_fde {
    uint32_t length, back;
    uint64_t start, size;
    uint8_t augmentation_size, padding[7];
};
struct probe {
    struct probe_cie cie;
    struct probe_fde before;
    uint32_t terminator;
    uint8_t gap[sizeof(struct probe_cie) - 4];
    struct probe_cie cie_behind;
    struct probe_fde behind;
    uint32_t last_length, last_id, end;
    char functions[2];
};

/* A whole record, but for its length. */
#define LENGTH_OF(type) ((uint32_t)sizeof(struct type) - 4)

static const struct probe_cie cie = {.length = LENGTH_OF(probe_cie),
                                     .version = 1,
                                     .augmentation = "zR",
                                     .code_alignment = 1,
                                     .data_alignment = 0x78, /* -8 */
                                     .return_register = 16,
                                     .augmentation_size = 1};

/* It lies right behind its CIE. */
static struct probe_fde make_fde(const char *function) {
    return (struct probe_fde){.length = LENGTH_OF(probe_fde),
                              .back = (uint32_t)(sizeof cie + offsetof(struct probe_fde, back)),
                              .start = (uintptr_t)function,
                              .size = 1};
}

bool unwinder_llvm_stops(void (*add)(uintptr_t), void (*remove)(uintptr_t),
                         const void *(*find)(const void *, void *)) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct probe probe; /* not on the stack: it is told of as if it were code */
    void *bases[3];
    pthread_mutex_lock(&lock);
    memset(&probe, 0, sizeof probe);
    probe.cie = probe.cie_behind = cie;
    probe.before = make_fde(&probe.functions[0]);
    probe.behind = make_fde(&probe.functions[1]);
    probe.last_length = 4;
    probe.last_id = (uint32_t)((char *)&probe.last_id - (char *)&probe.before); /* that is no CIE */
    add((uintptr_t)&probe);
    bool stops = find(&probe.functions[0], bases) == &probe.before && !find(&probe.functions[1], bases);
    remove((uintptr_t)&probe);
    pthread_mutex_unlock(&lock);
    return stops;
}
