/* x86_64: the edge kinds of x86-64 by name, for the object readers' relocation maps. */
#ifndef ARCH_X86_64_H
#define ARCH_X86_64_H

enum {
#define EDGE(NAME, name, width, value, check, text)                         EDGE_X86_64_##NAME,
#define REQUEST(NAME, name, width, becomes, text)                           EDGE_X86_64_##NAME,
#define REWRITE(NAME, name, width, value, check, before, behind, how, text) EDGE_X86_64_##NAME,
#include "arch/x86_64.def"
#undef EDGE
#undef REQUEST
#undef REWRITE
    EDGE_X86_64_COUNT
};

#endif
