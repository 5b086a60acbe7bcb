/* libtcc's linker.  It takes files only, so reading them is in the measured time. */
#include "contestant.h"

#include <libtcc.h>
#include <stdio.h>

static const char *link_files(TCCState *state, const struct bench_job *job, uint64_t *address) {
    char path[4096];
    tcc_set_output_type(state, TCC_OUTPUT_MEMORY);
    for (size_t i = 0; i < job->input->count; i++) {
        snprintf(path, sizeof path, "%s/%05zu.o", job->folder, i);
        if (tcc_add_file(state, path) < 0)
            return "libtcc does not take the objects";
    }
    if (tcc_relocate(state, TCC_RELOCATE_AUTO) < 0)
        return "libtcc cannot relocate";
    void *entry = tcc_get_symbol(state, job->input->entry);
    *address = (uint64_t)(uintptr_t)entry;
    return entry ? NULL : "libtcc does not find the entry";
}

const char *bench_link(const struct bench_job *job, uint64_t *address) {
    TCCState *state = tcc_new();
    return state ? link_files(state, job, address) : "libtcc does not start";
}
