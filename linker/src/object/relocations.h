/* relocations: from the numbers of the ELF psABIs to edge kinds. */
#ifndef OBJECT_RELOCATIONS_H
#define OBJECT_RELOCATIONS_H

#include "arch/arch.h"

#include <stdint.h>

enum relocation_state { RELOCATION_UNKNOWN, RELOCATION_KNOWN, RELOCATION_UNSUPPORTED, RELOCATION_DYNAMIC };

struct relocation_info {
    const char *name;
    const char *why; /* not supported: what is missing */
    uint8_t state;   /* enum relocation_state */
    uint8_t edge;    /* kind, when known */
    uint8_t width;   /* bytes of the field, when known */
};

enum { RELOCATION_X86_64_LIMIT = 64 };
_Static_assert(RELOCATION_X86_64_LIMIT <= 256, "an edge keeps the number in a byte");

/* By number; beyond the limit there is nothing. */
extern const struct relocation_info relocations_x86_64[RELOCATION_X86_64_LIMIT];

/* What counts for each relocation; of one that is not known all is 0. */
struct relocation_field {
    struct edge edge; /* without offset, target and addend */
    uint64_t width;
};
extern const struct relocation_field relocation_fields_x86_64[RELOCATION_X86_64_LIMIT];

#endif
