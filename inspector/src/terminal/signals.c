#include "terminal/signals.h"

#include "base/os.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <termios.h>

enum role { TELL, STOP, END, FAULT, DIE };

static const struct {
    int signal;
    enum role role;
} signals[] = {
#define TERMINAL_SIGNAL(signal, role) {signal, role},
#include "terminal/signals.def"
#undef TERMINAL_SIGNAL
};
enum { SIGNAL_COUNT = sizeof signals / sizeof *signals, STACK_SIZE = 64 << 10 };

/* Two, so that a handler never finds one half written. */
struct rescue {
    char bytes[SIGNALS_MOST_RESCUE];
    size_t length;
    struct termios mode;
};
static struct rescue rescues[2];
static _Atomic(const struct rescue *) rescue;

static int terminal_fd = -1, pipe_ends[2] = {-1, -1};
static atomic_int resized, continued, stop, ended;
static struct sigaction previous[SIGNAL_COUNT];
static bool taken[SIGNAL_COUNT];
static void *stack;

/* --- handlers --- */

static void wake(void) {
    (void)os_write(pipe_ends[1], "", 1);
}

static void give_terminal_back(void) {
    const struct rescue *now = atomic_exchange(&rescue, NULL);
    if (!now)
        return;
    (void)os_write(terminal_fd, now->bytes, now->length);
    (void)os_set_terminal_mode(terminal_fd, &now->mode, true);
}

static int find(int signal) {
    int i = 0;
    while (i < (int)SIGNAL_COUNT - 1 && signals[i].signal != signal)
        i++;
    return i;
}

/* A fault happens again when the handler returns, now with what handled it before: the core, or a sanitizer's
 * report, is about the instruction that did it.  What was sent is sent again; it comes as soon as the handler
 * is left. */
static void die(int signal, const siginfo_t *info) {
    int i = find(signal);
    bool fault = signals[i].role == FAULT && signal != SIGABRT && info->si_code > 0;
    struct sigaction plain = {.sa_handler = SIG_DFL};
    give_terminal_back();
    os_signal_action(signal, signals[i].role == FAULT ? &previous[i] : &plain, NULL);
    if (!fault)
        os_raise(signal);
}

static void handle(int signal, siginfo_t *info, void *context) {
    (void)context;
    int error = errno;
    switch (signals[find(signal)].role) {
    case TELL:
        atomic_store(signal == SIGWINCH ? &resized : &continued, 1);
        wake();
        break;
    case STOP:
        atomic_store(&stop, 1);
        wake();
        break;
    case END:
        if (atomic_exchange(&ended, signal))
            die(signal, info);
        wake();
        break;
    case FAULT:
    case DIE:
        die(signal, info);
        break;
    }
    errno = error;
}

/* --- taking and releasing --- */

/* Whether the signal is ours: who asked for it to be ignored, or handles it, keeps that. */
static bool is_free(enum role role, const struct sigaction *before) {
    bool handled = (before->sa_flags & SA_SIGINFO) || before->sa_handler != SIG_DFL;
    bool ignored = !(before->sa_flags & SA_SIGINFO) && before->sa_handler == SIG_IGN;
    return role == TELL || (role == DIE ? !handled : !ignored);
}

static void install(size_t i) {
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    /* A fault inside a handler, or of another thread, still kills. */
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
    for (size_t j = 0; j < sizeof faults / sizeof *faults; j++)
        sigdelset(&action.sa_mask, faults[j]);
    os_signal_action(signals[i].signal, NULL, &previous[i]);
    taken[i] = is_free(signals[i].role, &previous[i]);
    if (taken[i])
        os_signal_action(signals[i].signal, &action, NULL);
}

static void release_stack(void) {
    if (stack)
        os_signal_stack(NULL, 0);
    os_release(stack);
    stack = NULL;
}

/* So that handlers run when the stack is what ran out. */
static struct jitscope_error *take_stack(void) {
    stack = os_allocate(STACK_SIZE);
    if (!stack)
        return error_no_memory();
    int result = os_signal_stack(stack, STACK_SIZE);
    if (result != 0) {
        os_release(stack);
        stack = NULL;
    }
    return result < 0 ? error_system("sigaltstack", NULL) : NULL;
}

struct jitscope_error *signals_take(int fd, const struct termios *mode) {
    TRY(take_stack());
    if (os_pipe(pipe_ends) < 0) {
        struct jitscope_error *error = error_system("pipe2", NULL);
        release_stack();
        return error;
    }
    terminal_fd = fd;
    signals_look();
    signals_set_rescue("", 0, mode);
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        install(i);
    return NULL;
}

void signals_release(void) {
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        if (taken[i])
            os_signal_action(signals[i].signal, &previous[i], NULL);
    atomic_store(&rescue, NULL);
    release_stack();
    os_close(pipe_ends[0]);
    os_close(pipe_ends[1]);
}

int signals_descriptor(void) {
    return pipe_ends[0];
}

struct signals_seen signals_look(void) {
    char bytes[64];
    while (os_read(pipe_ends[0], bytes, sizeof bytes) == (ssize_t)sizeof bytes) {
    }
    return (struct signals_seen){.resized = atomic_exchange(&resized, 0),
                                 .continued = atomic_exchange(&continued, 0),
                                 .stop = atomic_exchange(&stop, 0),
                                 .end = atomic_exchange(&ended, 0)};
}

void signals_set_rescue(const char *bytes, size_t length, const struct termios *mode) {
    const struct rescue *now = atomic_load(&rescue);
    struct rescue *next = &rescues[now == &rescues[0]];
    if (!bytes) {
        atomic_store(&rescue, NULL);
        return;
    }
    next->length = length < sizeof next->bytes ? length : sizeof next->bytes;
    memcpy(next->bytes, bytes, next->length);
    next->mode = *mode;
    atomic_store(&rescue, next);
}

void signals_stop(bool group) {
    static const struct sigaction plain = {.sa_handler = SIG_DFL};
    struct sigaction ours;
    os_signal_action(SIGTSTP, NULL, &ours);
    if (!(ours.sa_flags & SA_SIGINFO) && ours.sa_handler == SIG_IGN)
        return;
    os_signal_action(SIGTSTP, &plain, NULL);
    if (group)
        os_kill(0, SIGTSTP);
    else
        os_raise(SIGTSTP);
    os_signal_action(SIGTSTP, &ours, NULL);
}
