#include "live/process_memory.h"

#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/uio.h>

/* --- which process */

static struct jitscope_error *has_ended(uint32_t number) {
    return error_create(JITSCOPE_ERROR_NOT_FOUND, "process %" PRIu32 " has ended", number);
}

/* The number is looked at while the descriptor is held: if the process lives after that, both are of it. */
static struct jitscope_error *identify(struct live_process *process, uint64_t started) {
    if (os_process_started((int)process->number, &process->started) < 0)
        return errno == ENOENT ? has_ended(process->number) : error_system("cannot read", "/proc");
    if (started && process->started != started)
        return has_ended(process->number);
    return live_process_is_alive(process) ? NULL : has_ended(process->number);
}

struct jitscope_error *live_process_open(uint32_t number, uint64_t started, struct live_process *out) {
    struct live_process process = {.number = number};
    process.descriptor = os_open_process((int)number);
    if (process.descriptor < 0 && errno == ESRCH)
        return has_ended(number);
    struct jitscope_error *error = identify(&process, started);
    if (error)
        live_process_close(&process);
    else
        *out = process;
    return error;
}

void live_process_close(struct live_process *process) {
    if (process->descriptor >= 0)
        os_close(process->descriptor);
    process->descriptor = -1;
}

/* Field 3 of proc(5), stat, behind the name in parentheses: Z or X when only its parent has not asked yet. */
static bool is_zombie(uint32_t number) {
    char text[2048];
    if (os_read_about((int)number, "stat", text, sizeof text) < 0)
        return true;
    const char *at = strrchr(text, ')');
    return !at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X';
}

bool live_process_is_alive(const struct live_process *process) {
    uint64_t started;
    if (process->descriptor >= 0)
        return !os_wait_readable(process->descriptor, 0);
    return !os_process_started((int)process->number, &started) && started == process->started &&
           !is_zombie(process->number);
}

/* --- why it cannot be read */

static const char *why_forbidden(uint32_t number) {
    uint32_t user, own = os_effective_user();
    char scope = '0';
    if (!os_process_user((int)number, &user) && user != own && own)
        return "it is another user's: inspect it as that user, or as root";
    int fd = os_open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY, 0);
    if (fd >= 0) {
        if (os_read(fd, &scope, 1) != 1)
            scope = '0';
        os_close(fd);
    }
    if (scope == '1')
        return "this system lets a process be read by those that started it only: as root do `sysctl "
               "kernel.yama.ptrace_scope=0`, or inspect it as root";
    if (scope == '2')
        return "this system lets root alone read processes (kernel.yama.ptrace_scope is 2)";
    if (scope == '3')
        return "this system lets nobody read processes (kernel.yama.ptrace_scope is 3)";
    return "it has rights of its own (set-uid, capabilities), or this container forbids process_vm_readv(2): "
           "inspect it as root, outside";
}

static struct jitscope_error *cannot_read(uint32_t number) {
    if (errno == ESRCH)
        return has_ended(number);
    if (errno == EPERM)
        return error_with_help(
            error_create(JITSCOPE_ERROR_USAGE, "the memory of process %" PRIu32 " may not be read", number),
            "%s", why_forbidden(number));
    if (errno == ENOSYS)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED,
                            "this kernel cannot read other processes' memory (process_vm_readv)");
    return error_system("process_vm_readv", NULL);
}

/* --- reading */

/* Of one range or more. */
static uint32_t gather(const struct memory_range *ranges, uint32_t count, struct iovec *to,
                       struct iovec *from) {
    uint32_t i = 0;
    do {
        to[i] = (struct iovec){ranges[i].bytes, ranges[i].size};
        from[i] = (struct iovec){(void *)(uintptr_t)ranges[i].address, ranges[i].size};
    } while (++i < count && i < OS_MOST_RANGES);
    return i;
}

/* The ranges that GOT bytes fill. */
static uint32_t count_read(struct memory_range *ranges, uint32_t count, uint64_t got) {
    uint32_t i = 0;
    for (; i < count && ranges[i].size <= got; i++) {
        got -= ranges[i].size;
        ranges[i].is_read = true;
    }
    return i;
}

static bool lies_in(const struct memory_range *range, uint64_t page, uint64_t page_size) {
    return range->size && range->address / page_size == page &&
           (range->address + (range->size - 1)) / page_size == page;
}

/* The first range cannot be read.  If it lies in one page, neither can others of this page that follow. */
static uint32_t count_lost(const struct memory_range *ranges, uint32_t count) {
    uint64_t page_size = os_page_size(), page = ranges->address / page_size;
    uint32_t lost = 1;
    if (lies_in(ranges, page, page_size))
        while (lost < count && lies_in(&ranges[lost], page, page_size))
            lost++;
    return lost;
}

/* One system call; *DONE ranges are settled. */
static struct jitscope_error *read_some(const struct live_process *process, struct memory_range *ranges,
                                        uint32_t count, uint32_t *done) {
    struct iovec to[OS_MOST_RANGES], from[OS_MOST_RANGES];
    uint32_t taken = gather(ranges, count, to, from);
    ssize_t got = os_read_memory((int)process->number, to, taken, from, taken);
    if (got < 0 && errno != EFAULT)
        return cannot_read(process->number);
    *done = count_read(ranges, taken, got < 0 ? 0 : (uint64_t)got);
    if (*done < taken)
        *done += count_lost(ranges + *done, taken - *done);
    return NULL;
}

struct jitscope_error *live_read(const struct live_process *process, struct memory_range *ranges,
                                 uint32_t count) {
    struct jitscope_error *error = NULL;
    uint32_t done = 0;
    for (uint32_t i = 0; i < count; i++)
        ranges[i].is_read = false;
    for (uint32_t i = 0; !error && i < count; i += done)
        error = read_some(process, ranges + i, count - i, &done);
    if (!error && count && !live_process_is_alive(process)) /* else it may have been another one's */
        error = has_ended(process->number);
    for (uint32_t i = 0; error && i < count; i++)
        ranges[i].is_read = false;
    return error;
}
