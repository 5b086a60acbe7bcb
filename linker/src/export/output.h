/* output: buffered writing to a file that appears whole or not at all.
 *
 * What is written goes to NAME.PID.partial, which takes NAME's place when it is complete; devices, pipes and
 * standard output are written directly.  A failure is kept and reported at the end, so that writers need not
 * look. */
#ifndef EXPORT_OUTPUT_H
#define EXPORT_OUTPUT_H

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct output {
    const char *path; /* borrowed; NULL for standard output */
    char *partial;    /* written instead of PATH; NULL when that is written directly */
    int fd;
    int failure; /* errno of the first write that failed, 0 for none */
    uint64_t written;
    uint32_t used;
    uint8_t *buffer;
};

/* PATH NULL is standard output.  Files are for their owner alone, as recordings are. */
struct jitscope_error *output_open(struct output *out, const char *path);
/* File NAME in FOLDER; *path is to be released (os_release) after OUT is closed. */
struct jitscope_error *output_open_in(struct output *out, const char *folder, const char *name, char **path);
void output_put(struct output *out, const void *data, size_t size);
void output_zeros(struct output *out, uint64_t size);
/* The text, which is then empty.  Errors: NO_MEMORY, when it has failed before. */
struct jitscope_error *output_text(struct output *out, struct text *text);
/* Ends the file: with ERROR, or a failure on the way, nothing of it stays. */
struct jitscope_error *output_close(struct output *out, struct jitscope_error *error);

#endif
