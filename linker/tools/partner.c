/* Both are known by their names, as proc(5), comm, has them: that of an executor in memory is set.  A child
 * of the program's has the same name while it executes nothing else.
 *
 * The two have the ends of one connection, wherever they met: at a socket, at a port, or since the one has
 * started the other.  A command that talks on pipes may stand between them, or the program have closed what
 * it found open: then the executor is the one next to the linker below it, and the last above it, where it
 * stands behind the process that waits for its linker. */
#include "partner.h"

#include "base/os.h"
#include "base/vec.h"

#include <stdbool.h>
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

static pid_t above(pid_t process) {
    pid_t found = 0;
    for (pid_t at = os_parent_of(process); at > 1 && is_executor(at); at = os_parent_of(at))
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
        at = os_parent_of(at);
        distance++;
    }
    if (at != search->linker || (search->found && search->distance <= distance))
        return;
    search->found = process;
    search->distance = distance;
}

/* --- by kinship */

static pid_t find_relative(pid_t linker) {
    struct search search = {.linker = linker};
    os_each_entry("/proc", look, &search);
    return search.found ? search.found : above(linker);
}

/* --- by their connection */

struct ends {
    VEC(uint64_t) list; /* sockets at the other ends of the linker's */
    pid_t found;
    struct jitscope_error *error;
};

static void add_end(void *context, uint64_t socket) {
    struct ends *ends = context;
    uint64_t other = os_socket_peer(socket);
    if (other && !ends->error)
        ends->error = vec_push(&ends->list, other);
}

static void look_for_end(void *context, const char *name) {
    struct ends *ends = context;
    pid_t process = (pid_t)strtol(name, NULL, 10);
    if (process <= 1 || ends->found || !is_executor(process))
        return;
    for (uint32_t i = 0; i < ends->list.count && !ends->found; i++)
        if (os_has_socket(process, ends->list.data[i]))
            ends->found = process;
}

static struct jitscope_error *find_connected(pid_t linker, pid_t *found) {
    struct ends ends = {0};
    os_each_socket(linker, add_end, &ends);
    if (!ends.error && ends.list.count)
        os_each_entry("/proc", look_for_end, &ends);
    vec_destroy(&ends.list);
    *found = ends.found;
    return ends.error;
}

struct jitscope_error *partner_of_linker(pid_t process, pid_t *partner) {
    *partner = 0;
    if (!is_named(process, "jitscope\n"))
        return NULL;
    TRY(find_connected(process, partner));
    if (!*partner)
        *partner = find_relative(process);
    return NULL;
}
