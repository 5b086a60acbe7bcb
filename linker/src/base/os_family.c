/* Processes by who has started whom, as far as /proc tells. */
#define _GNU_SOURCE
#include "base/os.h"
#include "base/vec.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int os_parent_of(int process) {
    char text[512];
    int parent;
    const char *behind = os_read_about(process, "stat", text, sizeof text) > 0 ? strrchr(text, ')') : NULL;
    return behind && sscanf(behind, ") %*c %d", &parent) == 1 ? parent : 0;
}

bool os_descends(int process, int ancestor) {
    enum { MOST_GENERATIONS = 16 };
    for (int i = 0; i < MOST_GENERATIONS && process > 1 && process != ancestor; i++)
        process = os_parent_of(process);
    return process == ancestor;
}

struct family {
    int head;
    VEC(int) members;
};

static void add_member(void *context, const char *name) {
    struct family *family = context;
    int process = (int)strtol(name, NULL, 10);
    if (process > 1 && process != family->head && os_descends(process, family->head))
        jitscope_error_destroy(vec_push(&family->members, process));
}

/* All are looked for before the first hears: who has lost its parent has no place any more. */
void os_signal_family(int process, int signal) {
    struct family family = {.head = process};
    (void)os_each_entry("/proc", add_member, &family);
    os_kill(process, signal);
    for (uint32_t i = 0; i < family.members.count; i++)
        os_kill(family.members.data[i], signal);
    vec_destroy(&family.members);
}
