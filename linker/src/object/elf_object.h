/* elf_object: ET_REL files -> graph. */
#ifndef OBJECT_ELF_OBJECT_H
#define OBJECT_ELF_OBJECT_H

#include "base/bytes.h"
#include "graph/graph.h"

struct elf_read_options {
    bool keep_no_alloc; /* debug sections enter the graph (lifetime no-alloc) */
    bool note_debug;    /* otherwise: objects that have some are noted in graph->debug_inputs */
    /* Whether there is an object called NAME already, which a definition that is to be the only one in the
     * process (STB_GNU_UNIQUE) stands back for; NULL: there never is. */
    bool (*is_elsewhere)(const void *context, uint32_t name);
    const void *context;
};

/* Buffers reused from object to object, so that reading a small object allocates nothing (those of a large
 * one go when it is read); zero-initialised is empty. */
struct elf_scratch {
    VEC(uint32_t) block_of_section; /* NO_BLOCK, or a block */
    VEC(uint32_t) symbol_of_index;  /* graph symbol of a symbol-table index, NO_SYMBOL until needed */
    VEC(uint8_t) section_state;
};
void elf_scratch_destroy(struct elf_scratch *scratch);

/* Reads FILE (which must live as long as the graph; contents are borrowed) into GRAPH as number INPUT:
 * sections, blocks, symbols resolved against what the batch has (graph_define, graph_refer), edges.  COMDAT
 * groups already present are dropped.  .eh_frame stays one block per object here; pass/eh_frame.c splits it.
 * Errors carry section, offset and symbol, not the input's name.  After an error the graph must be destroyed.
 */
struct jitscope_error *elf_read_object(struct graph *graph, struct bytes file, uint32_t input,
                                       const struct elf_read_options *options, struct elf_scratch *scratch);

/* Calls FUNCTION for each non-local definition of an ET_REL file, when an archive's index is missing or says
 * too little, or the object waits to be linked.  TRAITS are ELF_* bits.  A non-NULL return ends the walk and
 * is passed up. */
enum {
    ELF_DATA = 1,   /* a strong definition of data, one that beats a common symbol */
    ELF_STRONG = 2, /* neither weak, unique nor common */
};
typedef struct jitscope_error *(*elf_symbol_function)(void *context, const char *name, size_t length,
                                                      unsigned traits);
struct jitscope_error *elf_each_definition(struct bytes file, elf_symbol_function function, void *context);

/* Calls FUNCTION for each relocation in memory by which code wants the place of what the object does not
 * define itself, not a table entry for it: the name of that; TRAITS is the relocation's type.  As above. */
struct jitscope_error *elf_each_direct_reference(struct bytes file, elf_symbol_function function,
                                                 void *context);

/* What can be told of an object without reading it; nothing of what is none. */
struct elf_outline {
    bool has_initialisers; /* arrays of functions to run before main */
    bool wants_low_memory; /* relocations for addresses of 32 bits */
};
struct elf_outline elf_outline(struct bytes file);

/* For messages: name of a section of an ET_REL file, NULL when there is none. */
const char *elf_section_name(struct bytes file, uint32_t index);
/* "R_X86_64_PC32", or NULL for a number the psABI does not know. */
const char *elf_x86_64_relocation_name(uint32_t type);

#endif
