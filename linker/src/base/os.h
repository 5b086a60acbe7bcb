/* os: the one door to the operating system.
 *
 * Every allocation and every system call of the library goes through here, so that a test can make the nth
 * one fail (os_fail_after) and watch that nothing leaks and nothing stays half done.  The functions behave as
 * their C library namesakes: NULL or -1 with errno set on failure.  Thread-safe. */
#ifndef BASE_OS_H
#define BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

void *os_allocate(size_t size);
void *os_allocate_zeroed(size_t size);
void *os_reallocate(void *memory, size_t size);
void os_release(void *memory);

/* Memory of tables that grow to megabytes, in huge pages where the system has them: see os_tables.c.  Tables
 * only grow; NULL on failure, with OLD untouched.  OLD_SIZE must be what OLD was made with (NULL: 0).  What
 * is in what is new cannot be said; a zeroed table is all zeros, without touching what the system has
 * cleared. */
void *os_resize_table(void *old, size_t old_size, size_t new_size);
void *os_zeroed_table(size_t size);
void os_release_table(void *table, size_t size);
/* The size, SIZE or larger, that is as cheap as SIZE. */
size_t os_table_room(size_t size);

int os_open(const char *path, int flags, mode_t mode);
/* memfd_create(2): a file without a name in any folder. */
int os_memory_file(const char *name);
int os_close(int fd);
bool os_is_open(int fd);
/* Which file, pipe or socket a descriptor leads to: fstat(2). */
struct os_identity {
    uint64_t device, number;
};
int os_identify(int fd, struct os_identity *identity);
bool os_leads_to(int fd, const struct os_identity *identity);
/* FD_CLOEXEC, for descriptors that were inherited. */
void os_close_on_exec(int fd);
ssize_t os_read(int fd, void *buffer, size_t size);
/* pread(2). */
ssize_t os_read_at(int fd, void *buffer, size_t size, uint64_t offset);
ssize_t os_write(int fd, const void *buffer, size_t size);
/* pwrite(2). */
ssize_t os_write_at(int fd, const void *buffer, size_t size, uint64_t offset);
int os_file_size(int fd, uint64_t *size, bool *regular);
int os_resize(int fd, uint64_t size);
/* ftruncate(2) to nothing; what is written next is the beginning. */
int os_empty(int fd);
int os_preallocate(int fd, uint64_t offset, uint64_t size);
/* -1 with EFBIG when a file of SIZE bytes would be beyond RLIMIT_FSIZE: trying ends the process (SIGXFSZ). */
int os_may_grow(uint64_t size);
/* One more description of an open file, with flags of its own (through /proc); dup(2). */
int os_reopen(int fd, int flags);
int os_duplicate(int fd);
/* Whose an open file or folder is, and its permission bits. */
int os_owner(int fd, uint32_t *user, uint32_t *mode);
/* When the file was last written, CLOCK_REALTIME in nanoseconds. */
int os_time_written(const char *path, uint64_t *time);
/* fchmod(2); of a path, whether it is a regular file and no link to one, and whether it is there, but not a
 * regular file; how many names an open file has. */
int os_set_mode(int fd, mode_t mode);
bool os_is_plain_file(const char *path);
bool os_is_special(const char *path);
int os_count_names(int fd, uint64_t *count);
/* rename(2), unlink(2), mkdir(2). */
int os_rename(const char *from, const char *to);
int os_remove(const char *path);
int os_make_folder(const char *path, mode_t mode);
bool os_is_terminal(int fd);

/* Calls FUNCTION for each name in a folder, in no order; -1 when it cannot be read. */
int os_each_entry(const char *folder, void (*function)(void *context, const char *name), void *context);

/* PROT and FLAGS as in mmap(2); NULL (not MAP_FAILED) on failure. */
void *os_map(void *address, size_t size, int prot, int flags, int fd, off_t offset);
int os_unmap(void *address, size_t size);
int os_protect(void *address, size_t size, int prot);
/* Advice only: a kernel that does not know it costs speed, nothing else; failures are ignored. */
void os_advise(void *address, size_t size, int advice);
/* Forgets the content of [address, size): reads as zero afterwards. */
int os_discard(void *address, size_t size);

size_t os_page_size(void);
/* CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds. */
uint64_t os_time_ns(void);
uint64_t os_wall_time_ns(void);
int os_process_id(void);
int os_thread_id(void);
uint32_t os_effective_user(void);
/* The program was given more rights than its caller has (set-uid, set-gid, file capabilities). */
bool os_has_more_rights(void);
/* The last part of argv[0]. */
const char *os_program_name(void);
/* What is in a file of /proc/PROCESS, up to SIZE - 1 bytes, with a NUL behind; how many, -1 when it cannot be
 * read: ENOENT when there is no such process. */
ssize_t os_read_about(int process, const char *file, char *text, size_t size);
/* When a process was started, in clock ticks since the machine was: with its number this names it for ever.
 * And its effective user. */
int os_process_started(int process, uint64_t *ticks);
int os_process_user(int process, uint32_t *user);
/* The process that traces it, as debuggers do; 0: none, or it cannot be said. */
int os_tracer(int process);
/* pidfd_open(2): a descriptor that can be read when the process has ended, whoever gets its number then. */
int os_open_process(int process);
/* process_vm_readv(2): up to 1024 ranges each, FROM there TO here; how many bytes, up to the first that
 * cannot be read. */
struct iovec;
enum { OS_MOST_RANGES = 1024 };
ssize_t os_read_memory(int process, const struct iovec *to, size_t to_count, const struct iovec *from,
                       size_t from_count);
/* secure_getenv(3): NULL also in programs with more rights than their caller. */
const char *os_environment(const char *name);
/* readlink(2), and execvp(3), which comes back only with a failure. */
ssize_t os_read_link(const char *path, char *buffer, size_t size);
int os_execute(char *const *words);

/* dlopen(RTLD_NOW | RTLD_GLOBAL) / dlsym / dlclose, each able to fail as the others here.  *text gets
 * dlerror(). */
void *os_library_open(const char *path, const char **text);
/* The same with RTLD_LOCAL: nobody else finds its symbols. */
void *os_library_open_alone(const char *path, const char **text);
/* Where a library lies: what its own addresses are relative to. */
const void *os_library_base(void *library);
/* Takes the name that debuggers would look for its file by: what has none they pass over. */
void os_library_hide(void *library);
/* The library's symbol; but data that the main program has copied out of a library (R_X86_64_COPY: stdout,
 * environ), or a function that it defines itself in the library's place (its own malloc), is the program's,
 * as for everybody else in the process; and what a library defines that the program needs (DT_NEEDED: a
 * malloc, a sanitizer's runtime) is that one's, when the program needs LIBRARY, too, and names it later. */
void *os_library_symbol(void *library, const char *name);
/* dlsym(3) as it is. */
void *os_library_symbol_alone(void *library, const char *name);
/* The same, of the library itself: NULL when one that it needs would have been the answer. */
void *os_library_own_symbol(void *library, const char *name);
void os_library_close(void *library);
/* How many libraries have come into this process, and gone. */
void os_count_libraries(uint64_t *come, uint64_t *gone);
/* Calls FUNCTION with the name of each library in this process, those that came last last; the program's own
 * is "".  FUNCTION must not open or close any. */
void os_each_library(void (*function)(void *context, const char *name), void *context);
/* ADDRESS is in the same library, or program, as the caller's own code. */
bool os_is_own_address(const void *address);
/* Calls FUNCTION with the path of each library that was put before all others when the process was started
 * (LD_PRELOAD, /etc/ld.so.preload), in the order in which names are looked for in them.  -1 with errno when
 * that cannot be found out. */
int os_each_preloaded(void (*function)(void *context, const char *path), void *context);
struct link_map;
/* The loader's entry for a library that was opened, while it is; NULL for none. */
struct link_map *os_link_map(void *library);
/* True when the program needs both libraries (DT_NEEDED) and the loader looks for names in FIRST before. */
bool os_library_is_needed_before(const struct link_map *first, const struct link_map *second);
/* The handle of a library that is already in the process, to be closed; NULL when it is not. */
void *os_library_find(const char *path);
/* atexit(3), pthread_atfork(3), sigaction(2). */
int os_at_exit(void (*function)(void));
int os_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));
struct sigaction;
int os_signal_action(int signal, const struct sigaction *action, struct sigaction *previous);

/* fork(2); waitpid(2) for one child, with BLOCK until it has ended: its number, 0 when it has not; kill(2);
 * _exit(2). */
int os_fork(void);
int os_wait_for_child(int process, bool block, int *status);
int os_kill(int process, int signal);
/* Who has started it; 0: nobody that can be seen. */
int os_parent_of(int process);
/* It is ANCESTOR, was started by it, or by one that was. */
bool os_descends(int process, int ancestor);
/* kill(2) of PROCESS, a child, and of all that it has started, as far as /proc tells. */
void os_signal_family(int process, int signal);
/* To the process that os_open_process() gave DESCRIPTOR for, and to no other that has its number now.  Also
 * from a signal's handler. */
int os_signal_process(int descriptor, int signal);
/* waitid(2) without waiting: the signal that a child is stopped by, 0 when it is not. */
int os_child_stopped_by(int process);
/* A descriptor that a program is not to run into: at a number that it gives to none of its own soon, and
 * closed on exec.  The number that it has now; FD itself when it is aside already, or there is no other. */
int os_put_aside(int fd);
/* Of the descriptors that came with this process standard input and output are nothing from now on, and
 * those after standard error closed.  They are told by what this process opens itself being closed on exec.
 */
void os_drop_inherited(void);
_Noreturn void os_exit_child(int status);
/* In a child of fork(2) that works for its parent alone: signals do what they do by default, standard streams
 * are nothing, its priority is low, and it dies with the parent. */
void os_become_worker(void);
/* pipe2(2): closed on exec, and neither end blocks.  poll(2) until there is something to be read, or the
 * other end is gone: false after TIMEOUT milliseconds (-1: never). */
int os_pipe(int ends[2]);
bool os_wait_readable(int fd, int timeout);
/* Sockets between processes of this machine: AF_UNIX, SOCK_SEQPACKET, closed on exec.  As bind(2), listen(2),
 * accept(2), connect(2); a path is ENAMETOOLONG from 108 bytes on. */
int os_socket(void);
int os_bind(int fd, const char *path);
int os_listen(int fd);
int os_accept(int fd);
int os_connect(int fd, const char *path);
/* Who is at the other end (SO_PEERCRED): the process, 0 when it has no number here, and its effective user.
 */
int os_peer(int fd, int *process, uint32_t *user);
/* By whom sockets of this machine are held (os_peers.c), all named by their inodes, 0: none, or not known. */
uint64_t os_socket_inode(int fd);
/* The one at the other end, of Unix sockets and of TCP (IPv4) on this machine. */
uint64_t os_socket_peer(uint64_t inode);
/* Of processes whose descriptors this one may see. */
void os_each_socket(int process, void (*function)(void *context, uint64_t inode), void *context);
bool os_has_socket(int process, uint64_t inode);
/* No call waits for the other end longer than so. */
int os_limit_waiting(int fd, uint32_t milliseconds);
/* Ends the use of a socket: who waits in accept(2) is woken, and every later call fails. */
void os_shut_down(int fd);
/* The other end reads what was sent, and then the end; it can still be heard. */
void os_shut_down_sending(int fd);
/* Waits until a listening socket is shut down, but no longer than so. */
void os_await_shutdown(int fd, uint32_t milliseconds);
/* One message, and a descriptor with it (-1: none).  Sending never waits, and raises no signal.  Of a message
 * that is received *SIZE is how long it was, which may be more than the buffer's. */
int os_send(int fd, const void *message, size_t size, int descriptor);
int os_receive(int fd, void *buffer, size_t *size, int *descriptor);

/* socketpair(2) of AF_UNIX, SOCK_STREAM, closed on exec.  Sending COUNT pieces, by a socket or any other
 * stream, with a descriptor (-1: none; sockets only); who has gone is EPIPE, never a signal.  How many bytes
 * went, as writev(2).  Receiving up to SIZE bytes: 0 at the end; *DESCRIPTOR (-1: none) is the caller's then.
 */
struct iovec;
int os_socket_pair(int ends[2]);
ssize_t os_stream_send(int fd, const struct iovec *pieces, size_t count, int descriptor);
ssize_t os_stream_receive(int fd, void *buffer, size_t size, int *descriptor);
/* AF_UNIX, SOCK_STREAM, closed on exec; the rest as above. */
int os_stream_socket(void);
/* TCP on 127.0.0.1 alone, closed on exec.  *PORT 0 becomes one that is free.  At once: what is written is
 * sent without waiting for more of it. */
int os_tcp_socket(void);
int os_tcp_bind(int fd, uint16_t *port);
int os_tcp_connect(int fd, uint16_t port);
int os_tcp_at_once(int fd);
/* getrandom(2): SIZE bytes, at most 256, that nobody can guess. */
int os_random(void *buffer, size_t size);
/* fcntl(2), F_ADD_SEALS: a memfd (os_sealable_file) that nobody can make smaller any more. */
int os_sealable_file(const char *name);
int os_seal_against_shrinking(int fd);
/* Gives the pages of a shared mapping back: they read as zero. */
int os_punch(void *address, size_t size);

/* A thread with all signals blocked and a small stack; NAME has up to 15 bytes.  To be joined. */
struct os_thread {
    unsigned long handle; /* pthread_t */
};
int os_start_thread(void *(*function)(void *), void *context, const char *name, struct os_thread *thread);
/* The same with a stack as big as threads have by default, for whatever code. */
int os_start_roomy_thread(void *(*function)(void *), void *context, const char *name,
                          struct os_thread *thread);
void os_join_thread(struct os_thread thread);
/* The threads that the C library counts, with the last of which it ends the process; 0: it does not tell. */
uint32_t os_counted_threads(void);
/* raise(3). */
int os_raise(int signal);
/* In this thread. */
void os_unblock_signal(int signal);
/* Return addresses of the calling thread's frames, the innermost first; how many (backtrace(3)).  The first
 * call loads what that needs.  In a signal's handler it can wait for locks, and fault. */
int os_walk_stack(void **addresses, int most);
/* What ADDRESS is part of, of what the loader has loaded (dladdr(3)); false: nothing.  The same counts. */
struct os_place {
    const char *library, *function; /* NULL: not known */
    uint64_t start;                 /* of the function; of the library without one */
};
bool os_describe_address(uint64_t address, struct os_place *place);
/* Where a signal came in between, of its handler's third argument: the next instruction, and the stack's
 * pointer; false: not known of this kind of machine. */
bool os_interrupted_at(const void *context, uint64_t *address, uint64_t *stack);
/* SIGNAL comes to this thread in so many milliseconds, but once.  In a signal's handler, too. */
int os_alarm_begin(int signal, uint32_t milliseconds, int *timer);
void os_alarm_end(int timer);
/* poll(2), also when a signal comes: -1 with EINTR. */
struct pollfd;
int os_poll(struct pollfd *entries, size_t count, int timeout);
/* tcgetattr(3); tcsetattr(3) at once, input that was not read yet dropped when asked for; TIOCGWINSZ.  Those
 * that set are safe in handlers of signals. */
struct termios;
int os_terminal_mode(int fd, struct termios *mode);
int os_set_terminal_mode(int fd, const struct termios *mode, bool drop_input);
int os_terminal_size(int fd, uint16_t *rows, uint16_t *columns);
/* A stack of SIZE bytes at MEMORY for handlers of signals, in this thread; 1, and nothing happens, when it
 * has one.  NULL takes it away again. */
int os_signal_stack(void *memory, size_t size);
/* on_exit(3): FUNCTION gets the status that exit(3) was called with. */
int os_on_exit(void (*function)(int status, void *context), void *context);
/* posix_spawnp(3): PROGRAM with the arguments WORDS, this process's environment and standard streams, and FD
 * (-1: none) open as it is here.  Signals that are ignored here are ignored there. */
int os_spawn(const char *program, char *const *words, int fd, int *process);
/* The same for the program that is the first of WORDS, with one more VARIABLE, "NAME=VALUE", in its
 * environment, and without FD here: OTHER, which this process keeps, is closed there.  Nobody who looks at
 * this process's children finds it: wait(2) of a program that runs here does not wait for it, there is no
 * SIGCHLD, a debugger does not follow into it, and the terminal's signals do not reach it.  That takes a
 * process between the two, *KEEPER, which waits for it: os_wait_apart() is its exit status, OS_NOT_STARTED
 * when there is no such program, OS_SIGNALLED and more when a signal ended it, -1 when that cannot be said.
 * To be called while there is one thread. */
enum { OS_NOT_STARTED = 127, OS_SIGNALLED = 128 };
int os_spawn_apart(char *const *words, int fd, int other, const char *variable, int *keeper);
int os_wait_apart(int keeper);
/* PR_SET_PTRACER: PROCESS and its children may look at this process, also where the kernel's Yama allows that
 * to parents only. */
void os_allow_tracing_by(int process);
/* The same for the program that is the first of WORDS, with FD as its standard input and output. */
int os_spawn_on(char *const *words, int fd, int *process);
/* Standard input and output become *IN and *OUT, closed on exec, and the caller's; in their places are
 * /dev/null and standard error. */
int os_take_standard_streams(int *in, int *out);
/* What ps(1) and debuggers call this process, of which up to 15 bytes count: prctl(2), PR_SET_NAME. */
void os_name_process(const char *name);
/* Runs a program with INPUT as its standard input and no output, to its end; its exit status, or -1. */
int os_run(char *const *words, int input);

/* Fault injection: the call number N from now (1 is the next), and every later one when STICKY, fails with
 * ENOMEM/EIO.  0 turns it off.  Not for concurrent use with other settings. */
void os_fail_after(uint64_t n, bool sticky);
/* How many calls that can fail were made since the last os_fail_after(). */
uint64_t os_call_count(void);
/* Allocations made and not yet released. */
int64_t os_live_allocations(void);

#endif
