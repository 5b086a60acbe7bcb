/* Both are known by their names, as proc(5), comm, has them: that of an executor in memory is set.  A child
 * of the program's has the same name while it executes nothing else; the executor is the one next to the
 * linker below it, and the last above it, where it stands behind the process that waits for its linker. */
#include "partner.h"

#include "base/os.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_GENERATIONS = 3 }; /* a command's shell may stand between them */

static bool is_named(pid_t process, const char *name) {
    char text[32];
    return os_read_about(process, "comm", text, sizeof text) > 0 && !strcmp(text, name);
}

static bool is_executor(pid_t process) {
    return is_named(process, "jitscope-execut\n"); /* the kernel keeps 15 characters */
}

/* 0: there is none that can be seen. */
static pid_t parent_of(pid_t process) {
    char text[512];
    int parent;
    const char *behind = os_read_about(process, "stat", text, sizeof text) > 0 ? strrchr(text, ')') : NULL;
    return behind && sscanf(behind, ") %*c %d", &parent) == 1 ? parent : 0;
}

static pid_t above(pid_t process) {
    pid_t found = 0;
    for (pid_t at = parent_of(process); at > 1 && is_executor(at); at = parent_of(at))
        found = at;
    return found;
}

struct search {
    pid_t linker, found;
    int distance;
};

static void look(void *context, const char *name) {
    struct search *search = context;
    pid_t process = (pid_t)strtol(name, NULL, 10), at = process;
    int distance = 0;
    if (process <= 1 || !is_executor(process))
        return;
    while (at > 1 && at != search->linker && distance <= MOST_GENERATIONS) {
        at = parent_of(at);
        distance++;
    }
    if (at != search->linker || (search->found && search->distance <= distance))
        return;
    search->found = process;
    search->distance = distance;
}

pid_t partner_of_linker(pid_t process) {
    struct search search = {.linker = process};
    if (!is_named(process, "jitscope\n"))
        return 0;
    os_each_entry("/proc", look, &search);
    return search.found ? search.found : above(process);
}
