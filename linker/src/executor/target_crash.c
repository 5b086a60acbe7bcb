/* target_crash: a program that is about to die is looked at first.
 *
 * The linker's side knows names and lines, and can walk stacks from outside; so the thread that got the
 * signal says so, in its handler, waits until the linker has looked, and dies then as it would have without.
 * Programs that handle the signal themselves replace this handler, or call it when the signal is not theirs.
 *
 * A linker elsewhere cannot look: it is told where the thread was (target_frames.c).
 *
 * In a handler little is allowed: the message is made of fixed bytes, and waiting is sleeping.  Another
 * thread may be sending at that moment, and messages must keep their order: its end is waited for, but not
 * for ever, since it may be this thread that was.  Then the linker does without the stack. */
#define _GNU_SOURCE
#include "base/os.h"
#include "executor/target.h"

#include <signal.h>
#include <sys/uio.h>

static struct jitscope_target *watched;

static const int deadly[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

static bool has_address(int signal) {
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
}

static bool may_send(struct jitscope_target *target) {
    enum { STEP = 5, PATIENCE = 500 /* milliseconds */ };
    for (int waited = 0; waited < PATIENCE; waited += STEP) {
        if (!pthread_mutex_trylock(&target->send_lock))
            return true;
        os_wait_readable(-1, STEP);
    }
    return false;
}

static void send_bytes(int fd, uint8_t *bytes, size_t size) {
    struct iovec piece = {bytes, size};
    while (piece.iov_len) {
        ssize_t sent = os_stream_send(fd, &piece, 1, -1);
        if (sent < 0)
            return;
        piece.iov_base = (uint8_t *)piece.iov_base + sent;
        piece.iov_len -= (size_t)sent;
    }
}

static void send_crash(struct jitscope_target *target, int signal, uint64_t address) {
    enum { FIXED = 4 + 4 + 8 };
    static uint8_t bytes[BRIDGE_HEADER + FIXED + TARGET_FRAMES_SIZE];
    uint32_t size = FIXED + target_frames_put(bytes + BRIDGE_HEADER + FIXED);
    store_u32(bytes, size);
    store_u16(bytes + 4, BRIDGE_VERSION);
    store_u16(bytes + 6, MESSAGE_CRASHED);
    store_u64(bytes + 8, ++target->wire.sent);
    store_u32(bytes + BRIDGE_HEADER, (uint32_t)signal);
    store_u32(bytes + BRIDGE_HEADER + 4, (uint32_t)os_thread_id());
    store_u64(bytes + BRIDGE_HEADER + 8, address);
    send_bytes(target->wire.out, bytes, BRIDGE_HEADER + size);
}

static void tell(struct jitscope_target *target, int signal, uint64_t address) {
    if (may_send(target)) {
        send_crash(target, signal, address);
        pthread_mutex_unlock(&target->send_lock);
    } else {
        __atomic_store_n(&target->crashed, 2, __ATOMIC_RELEASE);
    }
}

static void wait_to_be_seen(struct jitscope_target *target) {
    enum { STEP = 5, PATIENCE = 20000 /* milliseconds */ };
    for (int waited = 0; waited < PATIENCE && !target_is_over(target); waited += STEP) {
        if (__atomic_load_n(&target->crashed, __ATOMIC_ACQUIRE) == 2)
            return;
        os_wait_readable(-1, STEP);
    }
}

static void on_deadly_signal(int signal, siginfo_t *info, void *context);

/* What comes of looking comes here, too, whatever the program has put in between. */
static void find_frames(int signal, const siginfo_t *info, const void *context) {
    const struct sigaction again = {.sa_sigaction = on_deadly_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct crash_place where;
    if (!os_interrupted_at(context, &where.address, &where.stack))
        return;
    where.is_no_code =
        signal == SIGSEGV && info->si_code > 0 && (uint64_t)(uintptr_t)info->si_addr == where.address;
    os_signal_action(signal, &again, NULL);
    target_frames_find(signal, &where);
}

static void on_deadly_signal(int signal, siginfo_t *info, void *context) {
    struct jitscope_target *target = watched;
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    int nobody = 0;
    target_frames_leave();
    bool here = target && target->process == os_process_id(); /* and not in a child of fork(2) */
    if (here && target_is_connected(target) &&
        __atomic_compare_exchange_n(&target->crashed, &nobody, 1, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED)) {
        if (target->tells_frames)
            find_frames(signal, info, context);
        tell(target, signal,
             info->si_code > 0 && has_address(signal) ? (uint64_t)(uintptr_t)info->si_addr : 0);
    }
    if (here && __atomic_load_n(&target->crashed, __ATOMIC_RELAXED))
        wait_to_be_seen(target);
    os_signal_action(signal, &by_default, NULL);
    if (info->si_code <= 0 || signal == SIGSYS) /* a fault comes again by itself; a system call does not */
        os_raise(signal);
}

/* A stack that has overflown has no room for a handler: the thread that serves has another for that. */
static void give_stack(void) {
    static uint8_t stack[64 << 10];
    os_signal_stack(stack, sizeof stack);
}

void target_let_faults_come(void) {
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        os_unblock_signal(deadly[i]);
}

/* A debugger sees the signal before any handler does, and its thread where it was.  When it lets the signal
 * through, that is to be the end: a handler that goes back to the fault would have it stop there twice. */
void target_watch_crashes(struct jitscope_target *target, bool with_frames) {
    struct sigaction present,
        action = {.sa_sigaction = on_deadly_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (watched || os_tracer(target->process))
        return;
    watched = target;
    target->tells_frames = with_frames;
    if (with_frames)
        target_frames_prepare();
    sigemptyset(&action.sa_mask);
    give_stack();
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        if (!os_signal_action(deadly[i], NULL, &present) && present.sa_handler == SIG_DFL)
            os_signal_action(deadly[i], &action, NULL);
}
