/* dwarf_lines: lines and functions of an image, read by libdwarf.
 *
 * libdwarf gets copies of the image's sections, whose places were checked; what is in them it judges itself.
 * A unit that it cannot read is left out. */
#ifndef DWARF_DWARF_LINES_H
#define DWARF_DWARF_LINES_H

#include "base/vec.h"
#include "executor/debuggee_view.h"

enum { NO_FILE = 0 };

struct line_row {
    uint64_t address;
    uint32_t line;
    uint32_t file;     /* index in FILES */
    uint32_t order;    /* among the rows as they were read */
    bool is_end;       /* of a sequence: first address behind it */
    bool is_statement; /* a place to stop at */
};

struct dwarf_function {
    uint64_t start, end;
    char *name;
};

struct dwarf_lines {
    VEC(struct line_row) rows; /* sorted by address; an end comes before what begins there */
    VEC(char *) files;         /* whole paths; the first is no file */
    VEC(struct dwarf_function) functions;
};

/* Errors: NO_MEMORY.  Damage costs what it damages, not more. */
struct jitscope_error *dwarf_lines_read(const struct debuggee_memory *memory, const struct debuggee_elf *elf,
                                        struct dwarf_lines *lines);
void dwarf_lines_destroy(struct dwarf_lines *lines);

#endif
