#define _GNU_SOURCE
/* jitscope-executor: the process that linked code runs in (executor/bridge.h).
 *
 * Started by the linker, with one end of a socket pair; or by whoever has a stream to a linker: --stdio is
 * for channels like ssh, whose other end talks with standard input and output. */
#include "jitscope/executor.h"

#include "base/os.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(void) {
    fputs("usage: jitscope-executor --fd N\n"
          "\n"
          "Runs what a jitscope linker links, which is connected with descriptor N; `jitscope run` starts it "
          "by itself.\n",
          stderr);
    return 2;
}

static int fail(struct jitscope_error *error) {
    fprintf(stderr, "jitscope-executor: %s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    return 1;
}

/* By this name a program finds it in jitscope-executor.so that is made for one link (executor/launcher.h). */
__attribute__((visibility("default"))) int jitscope_executor_main(int argc, char **argv);

int jitscope_executor_main(int argc, char **argv) {
    struct jitscope_target *target;
    if (argc != 3 || strcmp(argv[1], "--fd") != 0)
        return usage();
    char *end;
    os_name_process("jitscope-executor"); /* a program in memory would go by its descriptor's number */
    errno = 0;
    long fd = strtol(argv[2], &end, 10);
    if (errno || *end || end == argv[2] || fd < 0 || fd > 1 << 20)
        return usage();
    struct jitscope_error *error = jitscope_target_create((int)fd, &target);
    if (!error)
        error = jitscope_target_serve(target);
    return error ? fail(error) : 0;
}

int main(int argc, char **argv) {
    return jitscope_executor_main(argc, argv);
}
