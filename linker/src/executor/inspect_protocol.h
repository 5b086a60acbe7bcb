/* inspect_protocol: how an inspector gets hold of a session that runs.
 *
 * A session that may be inspected is recorded, into its file or into memory, and has a Unix socket
 * (SOCK_SEQPACKET) of its own:
 *
 *     FOLDER/PROCESS-SESSION.sock      mode 0600
 *
 * in a folder of the user's (mode 0700): $XDG_RUNTIME_DIR/jitscope, or /tmp/jitscope-USER where there is no
 * such variable.  Whoever connects is sent one message, struct inspect_header, with a descriptor of the
 * recording, open for reading only (SCM_RIGHTS), and the connection is closed.  That is all: nothing is ever
 * read from the other side, and nobody is waited for.  From then on the recording is the stream; its
 * format (trace/recording.h) was made for readers that follow while it grows.
 *
 * Both sides ask the kernel who the other one is (SO_PEERCRED): the process serves its own effective user and
 * root; the inspector wants the process that the socket's name says, of the user whose folder it is.  The
 * header is untrusted all the same: a process can say anything of itself.
 *
 * The process is the one that links.  Code may run in another one (bridge.h): then the header names that, and
 * its memory is what inspectors read, of the same user only.  That one has no session: inspectors that are
 * given its number look for whose header names it.
 *
 * The first five fields are the same in every version; inspectors refuse versions that they do not know.
 * Integers are little-endian.  Each descriptor is open anew, so that inspectors do not share an offset. */
#ifndef EXECUTOR_INSPECT_PROTOCOL_H
#define EXECUTOR_INSPECT_PROTOCOL_H

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define INSPECT_MAGIC   "JSINSPC"
#define INSPECT_VERSION 2u

enum inspect_flags {
    INSPECT_HAS_RECORDING = 1, /* a descriptor comes along */
    INSPECT_IN_MEMORY = 2,     /* it is of a file without a name, which goes with its readers */
};

struct inspect_header {
    char magic[8];
    uint32_t version;
    uint32_t size;            /* of this struct, in bytes */
    char library[32];         /* version of jitscope, as text */
    char program[64];         /* the last part of its argv[0], cut when longer; both end with a NUL */
    uint32_t process;         /* number in the process's own namespace */
    uint32_t session;         /* number among the process's inspectable sessions, from 1: the socket's */
    uint32_t executor;        /* number in the records of debuggee.h; 0 for a simulated session */
    uint32_t flags;           /* enum inspect_flags */
    uint64_t process_started; /* clock ticks since the machine was: proc(5), stat, field 22 */
    uint64_t session_began;   /* CLOCK_MONOTONIC in nanoseconds; times in the recording count from here */
    uint64_t debuggee;        /* address of struct debuggee (debuggee.h) in the process; 0: not known, in
                                 another one */
    uint32_t code_process;    /* where the code runs: the same, or another one */
    uint32_t spare;
    uint64_t code_started; /* when that was started */
};

enum inspect_place {
    INSPECT_RUNTIME_FOLDER, /* $XDG_RUNTIME_DIR/jitscope */
    INSPECT_LOGIN_FOLDER,   /* /run/user/USER/jitscope: where the former usually is */
    INSPECT_COMMON_FOLDER,  /* /tmp/jitscope-USER */
    INSPECT_PLACES
};

/* Appends the folder's path; false when there is no such place. */
bool inspect_folder_path(enum inspect_place place, uint32_t user, struct text *path);
/* *fd gets the folder, to be named through /proc/self/fd, which holds whatever happens to its path.  Errors:
 * SYSTEM, NOT_FOUND, USAGE (it is a link or no folder, somebody else's, or open to others). */
struct jitscope_error *inspect_folder_open(const char *path, uint32_t user, int *fd);
/* Room for "/proc/self/fd/N/PROCESS-SESSION.sock". */
enum { INSPECT_SOCKET_PATH = 80 };
void inspect_socket_path(char path[INSPECT_SOCKET_PATH], int folder, uint32_t process, uint32_t session);
/* Whether NAME, a folder's entry, is one that inspect_socket_path() makes. */
bool inspect_socket_parse(const char *name, uint32_t *process, uint32_t *session);

#endif
