#define _GNU_SOURCE
#include "base/os.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t calls;
static _Atomic int64_t live_allocations;
static _Atomic uint64_t fail_at; /* relaxed, these three: threads of the library's own read them too */
static _Atomic bool fail_sticky;
static _Atomic bool injecting;

void os_fail_after(uint64_t n, bool sticky) {
    atomic_store(&calls, 0);
    atomic_store_explicit(&fail_at, n, memory_order_relaxed);
    atomic_store_explicit(&fail_sticky, sticky, memory_order_relaxed);
    atomic_store_explicit(&injecting, true, memory_order_relaxed);
}

uint64_t os_call_count(void) {
    return atomic_load(&calls);
}

int64_t os_live_allocations(void) {
    return atomic_load(&live_allocations);
}

static inline bool is_injecting(void) {
    return __builtin_expect(atomic_load_explicit(&injecting, memory_order_relaxed), 0);
}

/* Counting is off until the first os_fail_after(): a shared counter would cost every thread a cache line. */
static inline bool must_fail(int error) {
    if (!is_injecting())
        return false;
    uint64_t number = atomic_fetch_add(&calls, 1) + 1;
    uint64_t first = atomic_load_explicit(&fail_at, memory_order_relaxed);
    bool sticky = atomic_load_explicit(&fail_sticky, memory_order_relaxed);
    if (!first || (sticky ? number < first : number != first))
        return false;
    errno = error;
    return true;
}

static inline void *counted(void *memory) {
    if (is_injecting() && memory)
        atomic_fetch_add(&live_allocations, 1);
    return memory;
}

void *os_allocate(size_t size) {
    return must_fail(ENOMEM) ? NULL : counted(malloc(size ? size : 1));
}

void *os_allocate_zeroed(size_t size) {
    return must_fail(ENOMEM) ? NULL : counted(calloc(1, size ? size : 1));
}

void *os_reallocate(void *memory, size_t size) {
    if (must_fail(ENOMEM))
        return NULL;
    void *grown = realloc(memory, size ? size : 1);
    return memory ? grown : counted(grown);
}

void os_release(void *memory) {
    if (is_injecting() && memory)
        atomic_fetch_sub(&live_allocations, 1);
    free(memory);
}

/* --- tables --- */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Below the first limit tables are malloc's; below the second, mappings faulted in at one go; above, huge
 * pages. */
enum { TABLE_MAPPED_FROM = 128 << 10, TABLE_HUGE_FROM = 1 << 20, HUGE_PAGE = 2 << 20, SMALL_PAGE = 4096 };

static size_t mapped_size(size_t size) {
    size_t page = size < TABLE_HUGE_FROM ? SMALL_PAGE : HUGE_PAGE;
    return (size + page - 1) & ~(page - 1);
}

static void *map_pages(size_t size) {
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Aligned so that huge pages fit: maps more and gives the ends back. */
static void *map_huge(size_t size) {
    size_t whole = size + HUGE_PAGE;
    uint8_t *start = map_pages(whole);
    if (!start)
        return NULL;
    uint8_t *table = start + (-(uintptr_t)start & (HUGE_PAGE - 1));
    if (table > start)
        munmap(start, (size_t)(table - start));
    munmap(table + size, (size_t)(start + whole - table - size));
    os_advise(table, size, MADV_HUGEPAGE);
    return table;
}

static void *map_table(size_t size) {
    if (size >= TABLE_HUGE_FROM)
        return map_huge(mapped_size(size));
    void *table = map_pages(mapped_size(size));
    if (table)
        os_advise(table, mapped_size(size), MADV_POPULATE_WRITE);
    return table;
}

static void unmap_table(void *table, size_t size) {
    if (size >= TABLE_MAPPED_FROM && table)
        munmap(table, mapped_size(size));
    else
        free(table);
}

static void *grow_pages(void *old, size_t old_size, size_t new_size) {
    size_t had = mapped_size(old_size), wanted = mapped_size(new_size);
    uint8_t *table = mremap(old, had, wanted, MREMAP_MAYMOVE);
    if (table == MAP_FAILED)
        return NULL;
    if (wanted > had)
        os_advise(table + had, wanted - had, MADV_POPULATE_WRITE);
    return table;
}

/* What is mapped moves pages, not bytes; only into its first huge page is a table copied. */
static void *grow_mapped(void *old, size_t old_size, size_t new_size) {
    if (old_size >= TABLE_MAPPED_FROM && new_size < TABLE_HUGE_FROM)
        return grow_pages(old, old_size, new_size);
    void *table = map_table(new_size);
    if (!table || !old)
        return table;
    if (old_size < TABLE_HUGE_FROM) {
        memcpy(table, old, old_size);
        unmap_table(old, old_size);
        return table;
    }
    size_t moved = mapped_size(old_size);
    if (mremap(old, moved, moved, MREMAP_MAYMOVE | MREMAP_FIXED, table) == MAP_FAILED) {
        unmap_table(table, new_size);
        return NULL;
    }
    return table;
}

void *os_resize_table(void *old, size_t old_size, size_t new_size) {
    if (must_fail(ENOMEM) || new_size > SIZE_MAX / 2)
        return NULL;
    void *table = new_size < TABLE_MAPPED_FROM ? realloc(old, new_size ? new_size : 1)
                                               : grow_mapped(old, old_size, new_size);
    return old ? table : counted(table);
}

void os_release_table(void *table, size_t size) {
    if (is_injecting() && table)
        atomic_fetch_sub(&live_allocations, 1);
    unmap_table(table, size);
}

int os_open(const char *path, int flags, mode_t mode) {
    return must_fail(EIO) ? -1 : open(path, flags | O_CLOEXEC, mode);
}

ssize_t os_read_link(const char *path, char *buffer, size_t size) {
    return must_fail(EIO) ? -1 : readlink(path, buffer, size);
}

int os_execute(char *const *words) {
    return must_fail(ENOMEM) ? -1 : execvp(words[0], words);
}

int os_memory_file(const char *name) {
    return must_fail(EMFILE) ? -1 : memfd_create(name, MFD_CLOEXEC);
}

int os_close(int fd) {
    return close(fd);
}

ssize_t os_read(int fd, void *buffer, size_t size) {
    ssize_t got;
    if (must_fail(EIO))
        return -1;
    do
        got = read(fd, buffer, size);
    while (got < 0 && errno == EINTR);
    return got;
}

ssize_t os_read_at(int fd, void *buffer, size_t size, uint64_t offset) {
    ssize_t got;
    if (must_fail(EIO))
        return -1;
    do
        got = pread(fd, buffer, size, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

ssize_t os_write(int fd, const void *buffer, size_t size) {
    ssize_t put;
    if (must_fail(EIO))
        return -1;
    do
        put = write(fd, buffer, size);
    while (put < 0 && errno == EINTR);
    return put;
}

ssize_t os_write_at(int fd, const void *buffer, size_t size, uint64_t offset) {
    ssize_t put;
    if (must_fail(EIO))
        return -1;
    do
        put = pwrite(fd, buffer, size, (off_t)offset);
    while (put < 0 && errno == EINTR);
    return put;
}

int os_file_size(int fd, uint64_t *size, bool *regular) {
    struct stat status;
    if (must_fail(EIO) || fstat(fd, &status) < 0)
        return -1;
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    *size = (uint64_t)status.st_size;
    *regular = S_ISREG(status.st_mode);
    return 0;
}

int os_resize(int fd, uint64_t size) {
    return must_fail(EIO) ? -1 : ftruncate(fd, (off_t)size);
}

int os_empty(int fd) {
    return must_fail(EIO) || ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 ? -1 : 0;
}

int os_preallocate(int fd, uint64_t offset, uint64_t size) {
    if (must_fail(ENOSPC))
        return -1;
    errno = posix_fallocate(fd, (off_t)offset, (off_t)size);
    return errno ? -1 : 0;
}

int os_may_grow(uint64_t size) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur)
        return 0;
    errno = EFBIG;
    return -1;
}

int os_reopen(int fd, int flags) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return os_open(path, flags, 0);
}

int os_duplicate(int fd) {
    return must_fail(EMFILE) ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

int os_owner(int fd, uint32_t *user, uint32_t *mode) {
    struct stat status;
    if (must_fail(EIO) || fstat(fd, &status) < 0)
        return -1;
    *user = status.st_uid;
    *mode = status.st_mode & 07777;
    return 0;
}

int os_time_written(const char *path, uint64_t *time) {
    struct stat status;
    if (must_fail(EIO) || lstat(path, &status) < 0)
        return -1;
    *time = (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
    return 0;
}

int os_set_mode(int fd, mode_t mode) {
    return must_fail(EPERM) ? -1 : fchmod(fd, mode);
}

bool os_is_plain_file(const char *path) {
    struct stat status;
    return !lstat(path, &status) && S_ISREG(status.st_mode);
}

int os_count_names(int fd, uint64_t *count) {
    struct stat status;
    if (must_fail(EIO) || fstat(fd, &status) < 0)
        return -1;
    *count = status.st_nlink;
    return 0;
}

int os_rename(const char *from, const char *to) {
    return must_fail(EIO) ? -1 : rename(from, to);
}

int os_remove(const char *path) {
    return unlink(path);
}

int os_make_folder(const char *path, mode_t mode) {
    return must_fail(EIO) ? -1 : mkdir(path, mode);
}

bool os_is_terminal(int fd) {
    return isatty(fd) == 1;
}

int os_each_entry(const char *folder, void (*function)(void *context, const char *name), void *context) {
    DIR *entries = must_fail(EIO) ? NULL : opendir(folder);
    if (!entries)
        return -1;
    for (struct dirent *entry; (entry = readdir(entries));)
        function(context, entry->d_name);
    closedir(entries);
    return 0;
}

void *os_map(void *address, size_t size, int prot, int flags, int fd, off_t offset) {
    if (must_fail(ENOMEM))
        return NULL;
    void *memory = mmap(address, size, prot, flags, fd, offset);
    return memory == MAP_FAILED ? NULL : memory;
}

int os_unmap(void *address, size_t size) {
    return munmap(address, size);
}

int os_protect(void *address, size_t size, int prot) {
    return must_fail(ENOMEM) ? -1 : mprotect(address, size, prot);
}

void os_advise(void *address, size_t size, int advice) {
    int saved = errno;
    (void)madvise(address, size, advice);
    errno = saved;
}

int os_discard(void *address, size_t size) {
    return must_fail(EINVAL) ? -1 : madvise(address, size, MADV_DONTNEED);
}

size_t os_page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t os_time_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t os_wall_time_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const char *os_environment(const char *name) {
    return secure_getenv(name);
}

int os_process_id(void) {
    return (int)getpid();
}

/* --- processes --- */

uint32_t os_effective_user(void) {
    return geteuid();
}

bool os_has_more_rights(void) {
    return getauxval(AT_SECURE) != 0;
}

const char *os_program_name(void) {
    return program_invocation_short_name;
}

ssize_t os_read_about(int process, const char *file, char *text, size_t size) {
    char path[48];
    size_t length = 0;
    ssize_t got = 1;
    snprintf(path, sizeof path, "/proc/%d/%s", process, file);
    int fd = os_open(path, O_RDONLY, 0);
    if (fd < 0)
        return -1;
    while (got > 0 && length < size - 1) {
        got = os_read(fd, text + length, size - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    int failure = errno == ESRCH ? ENOENT : errno; /* it has ended meanwhile */
    close(fd);
    text[length] = '\0';
    errno = failure;
    return got < 0 ? -1 : (ssize_t)length;
}

/* Field 22 of proc(5), stat; names in field 2 may hold blanks and parentheses. */
int os_process_started(int process, uint64_t *ticks) {
    enum { FIELDS_BETWEEN = 20 };
    char text[2048];
    if (os_read_about(process, "stat", text, sizeof text) < 0)
        return -1;
    const char *at = strrchr(text, ')');
    for (int i = 0; at && i < FIELDS_BETWEEN; i++)
        at = strchr(at + 1, ' ');
    *ticks = at ? strtoull(at, NULL, 10) : 0;
    errno = EINVAL;
    return at ? 0 : -1;
}

int os_process_user(int process, uint32_t *user) {
    char text[2048];
    unsigned long real, effective;
    if (os_read_about(process, "status", text, sizeof text) < 0)
        return -1;
    const char *at = strstr(text, "\nUid:");
    errno = EINVAL;
    if (!at || sscanf(at, "\nUid: %lu %lu", &real, &effective) != 2)
        return -1;
    *user = (uint32_t)effective;
    return 0;
}

int os_open_process(int process) {
    return must_fail(ENOSYS) ? -1 : (int)syscall(SYS_pidfd_open, process, 0);
}

ssize_t os_read_memory(int process, const struct iovec *to, size_t to_count, const struct iovec *from,
                       size_t from_count) {
    return must_fail(EPERM) ? -1 : process_vm_readv(process, to, to_count, from, from_count, 0);
}

/* --- sockets --- */

int os_socket(void) {
    return must_fail(EMFILE) ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static int name_socket(const char *path, struct sockaddr_un *name) {
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof name->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name->sun_path, path, length);
    return 0;
}

int os_bind(int fd, const char *path) {
    struct sockaddr_un name;
    return must_fail(EACCES) || name_socket(path, &name) < 0
               ? -1
               : bind(fd, (struct sockaddr *)&name, sizeof name);
}

int os_listen(int fd) {
    enum { WAITING = 16 };
    return must_fail(EIO) ? -1 : listen(fd, WAITING);
}

/* Counted when there is somebody: a thread that only waits does not change which call is number N. */
int os_accept(int fd) {
    int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (connection >= 0 && must_fail(EMFILE)) {
        close(connection);
        return -1;
    }
    return connection;
}

int os_connect(int fd, const char *path) {
    struct sockaddr_un name;
    return must_fail(EIO) || name_socket(path, &name) < 0
               ? -1
               : connect(fd, (struct sockaddr *)&name, sizeof name);
}

int os_peer(int fd, int *process, uint32_t *user) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (must_fail(EIO) || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -1;
    *process = peer.pid;
    *user = peer.uid;
    return 0;
}

int os_limit_waiting(int fd, uint32_t milliseconds) {
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};
    if (must_fail(EIO) || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
        return -1;
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

void os_shut_down(int fd) {
    (void)shutdown(fd, SHUT_RDWR);
}

void os_await_shutdown(int fd, uint32_t milliseconds) {
    struct pollfd wait = {.fd = fd}; /* POLLHUP alone */
    (void)poll(&wait, 1, (int)milliseconds);
}

/* Room for one descriptor beside a message, aligned as the kernel wants it. */
union ancillary {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

int os_send(int fd, const void *message, size_t size, int descriptor) {
    union ancillary with = {0};
    struct iovec content = {(void *)(uintptr_t)message, size};
    struct msghdr whole = {.msg_iov = &content, .msg_iovlen = 1};
    if (must_fail(EPIPE))
        return -1;
    if (descriptor >= 0) {
        with.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&with.header), &descriptor, sizeof descriptor);
        whole.msg_control = with.bytes;
        whole.msg_controllen = sizeof with.bytes;
    }
    return sendmsg(fd, &whole, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* The first one; there is room for two, and who sends more than is asked for leaves nothing open here. */
static int take_descriptor(struct msghdr *message) {
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    int first = -1, descriptor;
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return -1;
    for (size_t i = 0; CMSG_LEN((i + 1) * sizeof descriptor) <= header->cmsg_len; i++) {
        memcpy(&descriptor, CMSG_DATA(header) + i * sizeof descriptor, sizeof descriptor);
        if (i)
            close(descriptor);
        else
            first = descriptor;
    }
    return first;
}

int os_receive(int fd, void *buffer, size_t *size, int *descriptor) {
    union ancillary with = {0};
    struct iovec content = {buffer, *size};
    struct msghdr whole = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = with.bytes, .msg_controllen = sizeof with.bytes};
    ssize_t got;
    *descriptor = -1;
    if (must_fail(EIO))
        return -1;
    do
        got = recvmsg(fd, &whole, MSG_CMSG_CLOEXEC | MSG_TRUNC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -1;
    *descriptor = take_descriptor(&whole);
    *size = (size_t)got;
    return 0;
}

/* --- threads --- */

static int create_thread(void *(*function)(void *), void *context, size_t stack, pthread_t *thread) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stack)
        pthread_attr_setstacksize(&attributes, stack);
    int failure = pthread_create(thread, &attributes, function, context);
    pthread_attr_destroy(&attributes);
    return failure;
}

/* A thread's stack holds the program's thread-local variables too: when these are many the default is
 * needed. */
int os_start_thread(void *(*function)(void *), void *context, const char *name, struct os_thread *out) {
    enum { STACK = 128 << 10 };
    sigset_t all, before;
    pthread_t thread;
    if (must_fail(EAGAIN))
        return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = create_thread(function, context, STACK, &thread);
    failure = failure == EINVAL ? create_thread(function, context, 0, &thread) : failure;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failure;
    if (failure)
        return -1;
    pthread_setname_np(thread, name);
    out->handle = thread;
    return 0;
}

void os_join_thread(struct os_thread thread) {
    pthread_join(thread.handle, NULL);
}

/* --- libraries --- */

static void *open_library(const char *path, int flags, const char **text) {
    *text = "injected failure";
    if (must_fail(ENOMEM))
        return NULL;
    void *library = dlopen(path, flags);
    *text = library ? NULL : dlerror();
    return library;
}

void *os_library_open(const char *path, const char **text) {
    return open_library(path, RTLD_NOW | RTLD_GLOBAL, text);
}

void *os_library_open_alone(const char *path, const char **text) {
    return open_library(path, RTLD_NOW | RTLD_LOCAL, text);
}

static struct link_map *link_map_of(void *library) {
    struct link_map *map;
    return dlinfo(library, RTLD_DI_LINKMAP, &map) ? NULL : map;
}

const void *os_library_base(void *library) {
    const struct link_map *map = link_map_of(library);
    return map ? (const void *)map->l_addr : NULL;
}

void os_library_hide(void *library) {
    struct link_map *map = link_map_of(library);
    if (map && map->l_name)
        map->l_name[0] = '\0';
}

/* True when ADDRESS is an object defined by the main program itself. */
static bool is_program_object(void *address) {
    Dl_info info, program;
    const ElfW(Sym) *symbol = NULL;
    if (!dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol ||
        ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT)
        return false;
    void *entry = (void *)(uintptr_t)getauxval(AT_ENTRY);
    return dladdr(entry, &program) && program.dli_fbase == info.dli_fbase;
}

void *os_library_symbol(void *library, const char *name) {
    void *address = dlsym(library, name);
    void *first = address ? dlsym(RTLD_DEFAULT, name) : NULL;
    return first && first != address && is_program_object(first) ? first : address;
}

void os_library_close(void *library) {
    dlclose(library);
}

void *os_library_find(const char *path) {
    return dlopen(path, RTLD_NOW | RTLD_NOLOAD);
}

int os_at_exit(void (*function)(void)) {
    return must_fail(ENOMEM) ? -1 : atexit(function);
}

int os_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void)) {
    if (must_fail(ENOMEM))
        return -1;
    errno = pthread_atfork(before, in_parent, in_child);
    return errno ? -1 : 0;
}

int os_fork(void) {
    return must_fail(ENOMEM) ? -1 : fork();
}

int os_wait_for_child(int process, bool block, int *status) {
    int found;
    do
        found = waitpid(process, status, block ? 0 : WNOHANG);
    while (found < 0 && errno == EINTR);
    return found;
}

int os_kill(int process, int signal) {
    return kill(process, signal);
}

void os_exit_child(int status) {
    _exit(status);
}

void os_become_worker(void) {
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    enum { LOW_PRIORITY = 10 };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int signal = 1; signal < NSIG; signal++)
        sigaction(signal, &by_default, NULL);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int stream = 0; nothing >= 0 && stream < 3; stream++)
        dup2(nothing, stream);
    setpriority(PRIO_PROCESS, 0, LOW_PRIORITY);
}

int os_pipe(int ends[2]) {
    return must_fail(EIO) ? -1 : pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}

bool os_wait_readable(int fd, int timeout) {
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    int found;
    do
        found = poll(&wanted, 1, timeout);
    while (found < 0 && errno == EINTR);
    return found > 0;
}

int os_signal_action(int signal, const struct sigaction *action, struct sigaction *previous) {
    return sigaction(signal, action, previous);
}

int os_raise(int signal) {
    return raise(signal);
}

/* --- terminals --- */

int os_poll(struct pollfd *entries, size_t count, int timeout) {
    return poll(entries, (nfds_t)count, timeout);
}

int os_terminal_mode(int fd, struct termios *mode) {
    return must_fail(EIO) ? -1 : tcgetattr(fd, mode);
}

int os_set_terminal_mode(int fd, const struct termios *mode, bool drop_input) {
    int result;
    do
        result = tcsetattr(fd, TCSANOW, mode);
    while (result < 0 && errno == EINTR);
    if (drop_input)
        tcflush(fd, TCIFLUSH);
    return result;
}

int os_terminal_size(int fd, uint16_t *rows, uint16_t *columns) {
    struct winsize size;
    if (must_fail(EIO) || ioctl(fd, TIOCGWINSZ, &size) < 0)
        return -1;
    *rows = size.ws_row;
    *columns = size.ws_col;
    return 0;
}

int os_signal_stack(void *memory, size_t size) {
    stack_t present = {0}, stack = {.ss_sp = memory, .ss_size = size, .ss_flags = memory ? 0 : SS_DISABLE};
    if (memory && (must_fail(ENOMEM) || sigaltstack(NULL, &present) < 0))
        return -1;
    return memory && !(present.ss_flags & SS_DISABLE) ? 1 : sigaltstack(&stack, NULL);
}

int os_run(char *const *words, int input) {
    posix_spawn_file_actions_t actions;
    if (must_fail(ENOMEM) || posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    pid_t child;
    int status = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO && !status; fd++)
        status = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_WRONLY, 0);
    if (!status)
        status = posix_spawnp(&child, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (status)
        return -1;
    pid_t ended;
    do
        ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    return ended == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
