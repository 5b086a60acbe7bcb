/* contestant: what every measured program is made of.
 *
 * A program is bench_main.c, bench_input.c and one file that defines bench_link().  Each contestant is a
 * program of its own, so that none disturbs another's memory figures; bench.py runs them in turn.
 *
 *     PROGRAM INPUT MODE FOLDER
 *
 * loads INPUT, calls bench_link() once under the clock, then calls the input's entry function and compares
 * what it returns: nothing can be left unlinked without being noticed.  One line of figures goes to stdout.
 * With BENCH_LINK_ONLY in the environment it ends before that call.
 */
#ifndef BENCH_CONTESTANT_H
#define BENCH_CONTESTANT_H

#include "bench_input.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_job {
    const struct bench_input *input;
    const char *mode;   /* a variant of the contestant, "" for its default */
    const char *folder; /* holds the objects as files, 00000.o upwards, for contestants that read files;
                           others may write there */
};

/* What a contestant needs beforehand, outside the measured time; optional. */
const char *bench_prepare(const struct bench_job *job) __attribute__((weak));
/* Links all objects of the input and finds its entry.  Returns NULL, or what went wrong (static, or never
 * freed). */
const char *bench_link(const struct bench_job *job, uint64_t *address);

#ifdef __cplusplus
}
#endif
#endif
