#include "object/relocations.h"

#include "arch/arch.h"
#include "arch/x86_64.h"
#include "object/elf_object.h"

#include <stddef.h>

enum {
#define EDGE(NAME, name, width, value, check, text)                         WIDTH_##NAME = (width),
#define REQUEST(NAME, name, width, becomes, text)                           WIDTH_##NAME = (width),
#define REWRITE(NAME, name, width, value, check, before, behind, how, text) WIDTH_##NAME = (width),
#include "arch/x86_64.def"
#undef EDGE
#undef REQUEST
#undef REWRITE
};

const struct relocation_info relocations_x86_64[RELOCATION_X86_64_LIMIT] = {
#define RELOCATION(number, name, kind)                                                                       \
    [number] = {"R_X86_64_" #name, NULL, RELOCATION_KNOWN, EDGE_X86_64_##kind, WIDTH_##kind},
#define UNSUPPORTED(number, name, why) [number] = {"R_X86_64_" #name, why, RELOCATION_UNSUPPORTED, 0, 0},
#define DYNAMIC(number, name)          [number] = {"R_X86_64_" #name, NULL, RELOCATION_DYNAMIC, 0, 0},
#include "object/relocations_x86_64.def"
#undef RELOCATION
#undef UNSUPPORTED
#undef DYNAMIC
};

const struct relocation_field relocation_fields_x86_64[RELOCATION_X86_64_LIMIT] = {
#define RELOCATION(number, name, kind)                                                                       \
    [number] = {{0, 0, {0}, EDGE_X86_64_##kind, (number), false}, WIDTH_##kind},
#define UNSUPPORTED(number, name, why) [number] = {{0}, 0},
#define DYNAMIC(number, name)          [number] = {{0}, 0},
#include "object/relocations_x86_64.def"
#undef RELOCATION
#undef UNSUPPORTED
#undef DYNAMIC
};

const char *elf_x86_64_relocation_name(uint32_t type) {
    return type < RELOCATION_X86_64_LIMIT ? relocations_x86_64[type].name : NULL;
}
