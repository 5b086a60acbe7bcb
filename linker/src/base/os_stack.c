/* The stack of the calling thread, as the C library sees it; and a limit to how long that may take. */
#define _GNU_SOURCE
#include "base/os.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

int os_walk_stack(void **addresses, int most) {
    return backtrace(addresses, most);
}

bool os_describe_address(uint64_t address, struct os_place *place) {
    Dl_info info;
    *place = (struct os_place){0};
    if (!dladdr((const void *)(uintptr_t)address, &info))
        return false;
    *place =
        (struct os_place){.library = info.dli_fname,
                          .function = info.dli_sname,
                          .start = (uint64_t)(uintptr_t)(info.dli_sname ? info.dli_saddr : info.dli_fbase)};
    return true;
}

bool os_interrupted_at(const void *context, uint64_t *address, uint64_t *stack) {
#if defined(__x86_64__)
    const ucontext_t *interrupted = context;
    *address = (uint64_t)interrupted->uc_mcontext.gregs[REG_RIP];
    *stack = (uint64_t)interrupted->uc_mcontext.gregs[REG_RSP];
    return true;
#else
    (void)context, (void)address, (void)stack;
    return false;
#endif
}

/* Without the C library's functions of that name, which need not be safe in handlers. */
int os_alarm_begin(int signal, uint32_t milliseconds, int *timer) {
    const struct itimerspec time = {
        .it_value = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L}};
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal;
    event._sigev_un._tid = os_thread_id();
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, timer) < 0)
        return -1;
    return syscall(SYS_timer_settime, *timer, 0, &time, NULL) < 0 ? -1 : 0;
}

void os_alarm_end(int timer) {
    (void)syscall(SYS_timer_delete, timer);
}
