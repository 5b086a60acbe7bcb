/* LLVM's linker as a process: files in, a shared library out, opened with dlopen.  Files are read in the
 * measured time, and mappings are those of the library. */
#include "contestant.h"

#include <dlfcn.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

/* Object names go through a response file: 50,000 are too many for a command line. */
static const char *write_response(const struct bench_job *job, const char *path) {
    FILE *file = fopen(path, "w");
    if (!file)
        return "cannot write the response file";
    for (size_t i = 0; i < job->input->count; i++)
        fprintf(file, "%s/%05zu.o\n", job->folder, i);
    return fclose(file) ? "cannot write the response file" : NULL;
}

static const char *run(char *const *arguments) {
    pid_t child;
    int status;
    if (posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ))
        return "ld.lld does not start";
    return waitpid(child, &status, 0) < 0 || status ? "ld.lld failed" : NULL;
}

const char *bench_link(const struct bench_job *job, uint64_t *address) {
    char library[4096], response[4096], at_response[4100];
    snprintf(library, sizeof library, "%s/lld.so", job->folder);
    snprintf(response, sizeof response, "%s/lld.rsp", job->folder);
    snprintf(at_response, sizeof at_response, "@%s", response);
    /* With the C library, so that names get the versions that programs get, not the oldest. */
    char *arguments[] = {LLD_PROGRAM, "-shared", "-Bsymbolic", "-o", library,
                         at_response, LIBC_FILE, LIBM_FILE,    NULL};
    const char *error = write_response(job, response);
    if (!error)
        error = run(arguments);
    if (error)
        return error;
    void *handle = dlopen(library, RTLD_NOW);
    void *entry = handle ? dlsym(handle, job->input->entry) : NULL;
    *address = (uint64_t)(uintptr_t)entry;
    return entry ? NULL : dlerror();
}
