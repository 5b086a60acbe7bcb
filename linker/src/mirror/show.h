/* show: prints a view of a recording, as text or JSON. */
#ifndef MIRROR_SHOW_H
#define MIRROR_SHOW_H

#include "mirror/views.h"

#include <stdio.h>

struct show_options {
    bool json;          /* an array of objects instead of a table */
    const char *filter; /* NULL: everything */
    uint64_t at;        /* state after the event with this sequence number; UINT64_MAX: the end */
};

/* Errors: USAGE (no such view, bad filter), RECORDING, NO_MEMORY, SYSTEM (OUT cannot be written). */
struct jitscope_error *show_print(FILE *out, const char *what, const struct recording_file *file,
                                  const struct show_options *options);

#endif
