#define _GNU_SOURCE
#include "parts.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static jmp_buf place;
static sigjmp_buf signal_place;

static int jump(void *context) {
    longjmp(*(jmp_buf *)context, 3);
}

void jumps(void) {
    volatile int rounds = 0;
    int value = setjmp(place);
    rounds++;
    if (rounds < 4)
        depth(5, jump, &place);
    SAY("after %d rounds: %d", rounds, value);
    switch (_setjmp(place)) {
    case 0:
        longjmp(place, 0); /* becomes 1 */
    case 1:
        SAY("zero became one");
    }
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    for (int saved = 0; saved < 2; saved++) {
        sigset_t now;
        sigprocmask(SIG_UNBLOCK, &blocked, NULL);
        if (!sigsetjmp(signal_place, saved)) {
            sigprocmask(SIG_BLOCK, &blocked, NULL);
            siglongjmp(signal_place, 1);
        }
        sigprocmask(SIG_SETMASK, NULL, &now);
        SAY("saved %d, blocked %d", saved, sigismember(&now, SIGUSR1));
    }
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    void *buffer[5];
    volatile int again = 0;
    if (__builtin_setjmp(buffer))
        SAY("built in, %d", again);
    else {
        again = 1;
        if (rounds)
            __builtin_longjmp(buffer, 1);
    }
}

static char *page;
static volatile int faulted;
static char alternate[1 << 16];

static void on_fault(int number, siginfo_t *info, void *context) {
    char here;
    int on_alternate = &here >= alternate && &here < alternate + sizeof(alternate);
    ucontext_t *user = context;
    faulted++;
    SAY("signal %d, code %d, at page %+ld, alternate stack %d, error %lld", number, info->si_code,
        (long)((char *)info->si_addr - page), on_alternate, user->uc_mcontext.gregs[REG_ERR] & 6);
    if (faulted == 1)
        mprotect(page, 4096, PROT_READ | PROT_WRITE);
    else
        siglongjmp(signal_place, 9);
}

static void on_division(int number, siginfo_t *info, void *context) {
    (void)context;
    SAY("signal %d, code %d", number, info->si_code);
    siglongjmp(signal_place, 8);
}

/* Handlers that repair, and handlers that jump away. */
void faults(void) {
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)}, old_stack;
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK}, old,
                     old_division;
    page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&stack, &old_stack);
    sigaction(SIGSEGV, &action, &old);
    page[17] = 'x';
    SAY("repaired: %c", page[17]);
    mprotect(page, 4096, PROT_READ);
    int value = sigsetjmp(signal_place, 1);
    if (!value)
        page[18] = 'y';
    SAY("left with %d", value);
    struct sigaction division = {.sa_sigaction = on_division, .sa_flags = SA_SIGINFO};
    sigaction(SIGFPE, &division, &old_division);
    volatile int zero = 0, one = 1;
    value = sigsetjmp(signal_place, 1);
    if (!value)
        one /= zero;
    SAY("left with %d", value);
    sigaction(SIGSEGV, &old, NULL);
    sigaction(SIGFPE, &old_division, NULL);
    sigaltstack(&old_stack, NULL);
    munmap(page, 4096);
}

static volatile sig_atomic_t rings, queued, ignored;
static int wake[2];

static void on_alarm(int number) {
    (void)number;
    rings++;
}

static void on_alarm_wake(int number) {
    (void)number;
    ignored += write(wake[1], "r", 1) != 1;
}

static void on_queued(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    queued += info->si_value.sival_int;
}

/* Again and again: one alarm could come before the call that it is to interrupt. */
static void set_timer(long interval) {
    struct itimerval timer = {{0, interval}, {0, interval}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* System calls that are interrupted, and those that begin again. */
void alarms(void) {
    struct sigaction action = {.sa_handler = on_alarm}, old;
    char byte = 0;
    rings = 0;
    if (pipe(wake))
        return;
    sigaction(SIGALRM, &action, &old);
    set_timer(2000);
    ssize_t got = read(wake[0], &byte, 1);
    set_timer(0);
    SAY("interrupted %d %d", got == -1 && errno == EINTR, rings > 0);
    action.sa_handler = on_alarm_wake;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    set_timer(2000);
    got = read(wake[0], &byte, 1);
    set_timer(0);
    SAY("begun again %d %c", (int)got, byte);
    rings = 0;
    action.sa_handler = SIG_IGN;
    sigaction(SIGALRM, &action, NULL);
    raise(SIGALRM);
    SAY("ignored %d", rings + ignored == 0);
    struct sigaction queue = {.sa_sigaction = on_queued, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN, &queue, NULL);
    for (int i = 1; i < 4; i++)
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    SAY("queued %d", queued);
    sigaction(SIGALRM, &old, NULL);
    close(wake[0]);
    close(wake[1]);
}
