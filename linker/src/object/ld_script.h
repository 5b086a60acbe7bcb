/* ld_script: the part of the GNU ld script language that stands in for a library: INPUT, GROUP, AS_NEEDED,
 * SEARCH_DIR, OUTPUT_FORMAT, EXTERN and comments (ld manual, "Commands Dealing with Files").  Anything else
 * is UNSUPPORTED. */
#ifndef OBJECT_LD_SCRIPT_H
#define OBJECT_LD_SCRIPT_H

#include "base/bytes.h"
#include "base/vec.h"

struct ld_script_item {
    const char *text;  /* NUL-terminated, in the script's own memory */
    bool is_library;   /* "-lNAME": text is NAME */
    bool is_directory; /* SEARCH_DIR: text is a folder */
    bool is_symbol;    /* EXTERN: text is a symbol to refer to */
    bool as_needed;
};

struct ld_script {
    VEC(struct ld_script_item) items; /* in order */
    char *memory;
};

/* Whether FILE looks like a script at all: text, and one of the commands. */
bool ld_script_is(struct bytes file);
/* Errors: FORMAT, UNSUPPORTED, with the offset. */
struct jitscope_error *ld_script_parse(struct bytes file, struct ld_script *script);
void ld_script_destroy(struct ld_script *script);

#endif
