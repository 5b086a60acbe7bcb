/* Files, folders, and the libraries that come out of them. */
#define _GNU_SOURCE
#include "base/os.h"
#include "base/os_failures.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int os_open(const char *path, int flags, mode_t mode) {
    return must_fail(EIO) ? -1 : open(path, flags | O_CLOEXEC, mode);
}

ssize_t os_read_link(const char *path, char *buffer, size_t size) {
    return must_fail(EIO) ? -1 : readlink(path, buffer, size);
}

int os_memory_file(const char *name) {
    return must_fail(EMFILE) ? -1 : memfd_create(name, MFD_CLOEXEC);
}

int os_sealable_file(const char *name) {
    return must_fail(EMFILE) ? -1 : memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

int os_seal_against_shrinking(int fd) {
    return must_fail(EPERM) ? -1 : fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL);
}

int os_close(int fd) {
    return close(fd);
}

int os_put_aside(int fd) {
    enum { ASIDE = 200, LEAST = 10 };
    int other = -1, least = must_fail(EMFILE) ? 0 : ASIDE;
    for (; other < 0 && least >= LEAST && fd < least; least /= 2)
        other = fcntl(fd, F_DUPFD_CLOEXEC, least); /* fewer may be allowed */
    if (other < 0) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        return fd;
    }
    close(fd);
    return other;
}

static bool is_inherited(int fd) {
    int flags = fcntl(fd, F_GETFD);
    return flags >= 0 && !(flags & FD_CLOEXEC);
}

static void drop_beyond_streams(void) {
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (fd > STDERR_FILENO && is_inherited(fd))
            close(fd);
    }
    if (folder)
        closedir(folder);
}

void os_drop_inherited(void) {
    int nothing = os_open("/dev/null", O_RDWR, 0);
    for (int stream = 0; nothing >= 0 && stream < STDERR_FILENO; stream++)
        if (is_inherited(stream))
            dup2(nothing, stream);
    if (nothing >= 0)
        close(nothing);
    drop_beyond_streams();
}

void os_close_on_exec(int fd) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

bool os_is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

int os_identify(int fd, struct os_identity *identity) {
    struct stat status;
    if (must_fail(EIO) || fstat(fd, &status) < 0)
        return -1;
    *identity = (struct os_identity){status.st_dev, status.st_ino};
    return 0;
}

bool os_leads_to(int fd, const struct os_identity *identity) {
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_dev == identity->device && status.st_ino == identity->number;
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

bool os_is_special(const char *path) {
    struct stat status;
    return !stat(path, &status) && !S_ISREG(status.st_mode);
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

/* By hand: opendir(3) takes 32 KiB for what are a few names here. */
int os_each_entry(const char *folder, void (*function)(void *context, const char *name), void *context) {
    union {
        struct dirent64 first;
        char bytes[2048];
    } entries;
    int fd = must_fail(EIO) ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    for (ssize_t size; (size = getdents64(fd, &entries, sizeof entries)) > 0;)
        for (ssize_t at = 0; at < size;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries.bytes + at);
            function(context, entry->d_name);
            at += entry->d_reclen;
        }
    close(fd);
    return 0;
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

struct link_map *os_link_map(void *library) {
    struct link_map *map;
    return !library || dlinfo(library, RTLD_DI_LINKMAP, &map) ? NULL : map;
}

const void *os_library_base(void *library) {
    const struct link_map *map = os_link_map(library);
    return map ? (const void *)map->l_addr : NULL;
}

static pthread_mutex_t names_lock =
    PTHREAD_MUTEX_INITIALIZER; /* behind the loader's own, which nobody can take */

void os_library_hide(void *library) {
    struct link_map *map = os_link_map(library);
    pthread_mutex_lock(&names_lock);
    if (map && map->l_name)
        map->l_name[0] = '\0';
    pthread_mutex_unlock(&names_lock);
}

/* True when ADDRESS is data or a function. */
static bool is_definition(void *address, Dl_info *info) {
    const ElfW(Sym) *symbol = NULL;
    return dladdr1(address, info, (void **)&symbol, RTLD_DL_SYMENT) && symbol &&
           (ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT || ELF64_ST_TYPE(symbol->st_info) == STT_FUNC);
}

/* True when ADDRESS is data or a function that the main program itself defines, or a library that it needs
 * and names before LIBRARY, which it needs as well. */
static bool is_in_place_of(void *address, void *library) {
    Dl_info info, program, unused;
    struct link_map *map;
    if (!is_definition(address, &info))
        return false;
    void *entry = (void *)(uintptr_t)getauxval(AT_ENTRY);
    return (dladdr(entry, &program) && program.dli_fbase == info.dli_fbase) ||
           (library && dladdr1(address, &unused, (void **)&map, RTLD_DL_LINKMAP) &&
            os_library_is_needed_before(map, os_link_map(library)));
}

/* The loader itself was never opened, so that glibc finds nothing by its handle. */
static bool is_loader(void *library) {
    const struct link_map *map = library ? os_link_map(library) : NULL;
    return map && (uintptr_t)map->l_addr == getauxval(AT_BASE);
}

/* "name@version" or "name@@version", whose version begins behind AT. */
static void *versioned_symbol(void *library, const char *name, const char *at) {
    size_t length = (size_t)(at - name);
    char *plain = os_allocate(length + 1);
    if (!plain)
        return NULL;
    memcpy(plain, name, length);
    plain[length] = '\0';
    void *address = dlvsym(library, plain, at + strspn(at, "@"));
    os_release(plain);
    return address;
}

void *os_library_symbol(void *library, const char *name) {
    const char *at = strchr(name, '@');
    if (at)
        return versioned_symbol(library, name, at);
    void *address = dlsym(library, name);
    if (!address && is_loader(library))
        return dlsym(RTLD_DEFAULT, name);
    void *first = address ? dlsym(RTLD_DEFAULT, name) : NULL;
    return first && first != address && is_in_place_of(first, library) ? first : address;
}

void *os_library_symbol_alone(void *library, const char *name) {
    return dlsym(library, name);
}

/* dladdr() looks for the symbol's name as well, through all that the library has. */
static struct link_map *link_map_around(void *address) {
#ifdef DLFO_STRUCT_HAS_EH_DBASE
    struct dl_find_object found;
    return _dl_find_object(address, &found) ? NULL : found.dlfo_link_map;
#else
    Dl_info info;
    struct link_map *map;
    return dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) ? map : NULL;
#endif
}

void *os_library_own_symbol(void *library, const char *name) {
    void *address = dlsym(library, name);
    const struct link_map *map = address ? link_map_around(address) : NULL;
    return map && map == os_link_map(library) ? address : NULL;
}

static int take_counts(struct dl_phdr_info *info, size_t size, void *context) {
    uint64_t *counts = context;
    (void)size;
    counts[0] = info->dlpi_adds;
    counts[1] = info->dlpi_subs;
    return 1; /* the first knows it */
}

void os_count_libraries(uint64_t *come, uint64_t *gone) {
    uint64_t counts[2] = {0, 0};
    dl_iterate_phdr(take_counts, counts);
    *come = counts[0];
    *gone = counts[1];
}

struct library_visit {
    void (*function)(void *context, const char *name);
    void *context;
};

static int visit_library(struct dl_phdr_info *info, size_t size, void *context) {
    const struct library_visit *visit = context;
    (void)size;
    pthread_mutex_lock(&names_lock);
    visit->function(visit->context, info->dlpi_name);
    pthread_mutex_unlock(&names_lock);
    return 0;
}

void os_each_library(void (*function)(void *context, const char *name), void *context) {
    struct library_visit visit = {function, context};
    dl_iterate_phdr(visit_library, &visit);
}

bool os_is_own_address(const void *address) {
    static const char here;
    Dl_info ours, theirs;
    return dladdr(&here, &ours) && dladdr(address, &theirs) && ours.dli_fbase == theirs.dli_fbase;
}

void os_library_close(void *library) {
    dlclose(library);
}

void *os_library_find(const char *path) {
    return dlopen(path, RTLD_NOW | RTLD_NOLOAD);
}
