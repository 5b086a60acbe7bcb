/* The inspector's side, a word at a time:
 *
 *     inspecting list                     a line for each session: process, session, program, command
 *     inspecting attach PID SESSION FILE  prints the header, copies the recording to FILE, tries to write to
 * it inspecting many PID COUNT           attaches so often; prints how many descriptors that has left open
 *     inspecting knock PATH               connects to a socket; prints how many bytes are said there */
#define _GNU_SOURCE
#include "live/attach.h"
#include "live/list.h"

#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void must(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    exit(1);
}

static void list(void) {
    struct live_sessions sessions;
    must(live_list(&sessions));
    for (uint32_t i = 0; i < sessions.list.count; i++) {
        const struct live_session *session = &sessions.list.data[i];
        printf("%" PRIu32 " %" PRIu32 " %s %s\n", session->process, session->session, session->program,
               session->command);
        fprintf(stderr, "%" PRIu64 " %" PRIu64 "\n", session->started, session->age);
    }
    live_sessions_destroy(&sessions);
}

static void print_header(const struct inspect_header *header) {
    printf("library %s\nprogram %s\nprocess %" PRIu32 "\nsession %" PRIu32 "\nexecutor %" PRIu32 "\n",
           header->library, header->program, header->process, header->session, header->executor);
    printf("memory %d\nstarted %" PRIu64 "\nage %" PRIu64 "\ndebuggee %" PRIu64 "\n",
           (header->flags & INSPECT_IN_MEMORY) != 0, header->process_started,
           os_time_ns() - header->session_began, header->debuggee);
}

static void copy(int fd, const char *path) {
    char buffer[65536];
    uint64_t at = 0;
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (ssize_t got; (got = pread(fd, buffer, sizeof buffer, (off_t)at)) > 0; at += (uint64_t)got)
        if (write(to, buffer, (size_t)got) != got)
            abort();
    close(to);
}

static void print_try(const char *what, bool done) {
    printf("%s %s\n", what, done ? "done" : strerrorname_np(errno));
}

/* What can be done to the recording with the descriptor. */
static void try_to_write(int fd) {
    print_try("write", pwrite(fd, "x", 1, 0) == 1);
    print_try("truncate", !ftruncate(fd, 0));
    print_try("map", mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
    print_try("seal", !fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    print_try("allocate", !fallocate(fd, 0, 0, 1 << 20));
    print_try("reopen", os_reopen(fd, O_RDWR) >= 0);
}

static void attach(char **words) {
    struct live_attached attached;
    must(live_attach((uint32_t)atoi(words[0]), (uint32_t)atoi(words[1]), &attached));
    print_header(&attached.header);
    copy(attached.recording, words[2]);
    try_to_write(attached.recording);
    live_detach(&attached);
}

static int open_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void attach_often(char **words) {
    int before = open_descriptors();
    for (int i = atoi(words[1]); i > 0; i--) {
        struct live_attached attached;
        must(live_attach((uint32_t)atoi(words[0]), 0, &attached));
        live_detach(&attached);
    }
    printf("%d\n", open_descriptors() - before);
}

static void knock(const char *path) {
    char buffer[4096];
    size_t size = sizeof buffer;
    int descriptor, fd = os_socket();
    if (os_connect(fd, path) < 0 || os_receive(fd, buffer, &size, &descriptor) < 0)
        printf("%s\n", strerrorname_np(errno));
    else
        printf("%zu %s\n", size, descriptor < 0 ? "nothing" : "a descriptor");
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "list"))
        list();
    else if (!strcmp(what, "attach") && argc == 5)
        attach(argv + 2);
    else if (!strcmp(what, "many") && argc == 4)
        attach_often(argv + 2);
    else if (!strcmp(what, "knock") && argc == 3)
        knock(argv[2]);
    else
        return 2;
    return 0;
}
