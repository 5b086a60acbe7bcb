#define _GNU_SOURCE
/* stand_in: who started jitscope waits for it, stops it, sends it signals, and means the program.
 *
 * Both processes are in one process group, so what the terminal sends to that (Ctrl-C, Ctrl-Z, Ctrl-\\, a
 * new size, a hangup) reaches the program by itself, and does nothing here.  What is sent to this process
 * alone is handed on.  Of what somebody sends to the whole group the program gets two: nothing in a signal
 * says whom else it was sent to.
 *
 * A program in an executor that was there before is in no group with this process: all is handed on, but
 * stops.
 *
 * This process stops when the program has, by the same signal, and not before: a program can catch Ctrl-Z,
 * to put the terminal in order first.  What continues this process continues the program.
 *
 * A shell that runs a script looks whether Ctrl-C has ended what it waits for: then it ends too.  So this
 * process dies of that signal as well, when its recording is complete. */
#include "stand_in.h"

#include "base/os.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t program, handle = -1; /* its number, and what no other process can have */
static volatile sig_atomic_t is_stopped, is_together;
static int dies_of;

static void do_as_by_default(int signal) {
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    struct sigaction present;
    os_signal_action(signal, &by_default, &present);
    os_raise(signal);
    os_signal_action(signal, &present, NULL);
}

/* The number may be another's by now, when the program has ended and nobody has heard of it yet. */
static void tell_program(int signal) {
    if (handle >= 0)
        os_signal_process(handle, signal);
    else
        os_kill(program, signal);
}

/* A handler's errno is that of what it came in between of. */
static void hand_on(int signal, siginfo_t *info, void *context) {
    int before = errno;
    (void)context;
    if (!program)
        do_as_by_default(signal);
    else if (!is_together || (info->si_code != SI_KERNEL && info->si_pid != program))
        tell_program(signal);
    errno = before;
}

/* What continued the group has reached the program before it comes here. */
static void go_on(int signal, siginfo_t *info, void *context) {
    if (program && is_stopped && !os_child_stopped_by(program))
        return;
    hand_on(signal, info, context);
}

static void stop_too(int signal) {
    int before = errno, stopped_by = program ? os_child_stopped_by(program) : 0;
    (void)signal;
    is_stopped = stopped_by;
    if (stopped_by)
        do_as_by_default(stopped_by);
    is_stopped = 0;
    errno = before;
}

/* Those from SIGTSTP on only of a program that stops with this process. */
static const int sent[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,  SIGUSR1, SIGUSR2, SIGALRM,
                           SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH, SIGURG,  SIGCHLD, SIGCONT};
enum { SENT = sizeof sent / sizeof *sent };
static struct sigaction before[SENT];
static size_t followed;

/* One that has ended already is stood in for no more. */
static void take_handle(int process) {
    if (handle >= 0)
        os_close(handle);
    handle = os_open_process(process);
    program = handle >= 0 || errno != ESRCH ? process : 0;
}

void stand_in_for(int process, bool together) {
    enum { FLAGS = SA_RESTART | SA_SIGINFO | SA_NODEFER };
    const struct sigaction forward = {.sa_sigaction = hand_on, .sa_flags = FLAGS},
                           stop = {.sa_handler = stop_too, .sa_flags = SA_RESTART},
                           resume = {.sa_sigaction = go_on, .sa_flags = FLAGS};
    take_handle(process);
    is_together = together;
    for (followed = 0; followed < SENT && (together || sent[followed] != SIGTSTP); followed++)
        os_signal_action(sent[followed],
                         sent[followed] == SIGCHLD   ? &stop
                         : sent[followed] == SIGCONT ? &resume
                                                     : &forward,
                         &before[followed]);
}

void stand_in_no_more(void) {
    stand_in_is_over();
    for (size_t i = 0; i < followed; i++)
        os_signal_action(sent[i], &before[i], NULL);
    followed = 0;
}

void stand_in_leave_descriptors(void) {
    os_drop_inherited();
}

void stand_in_is_over(void) {
    program = 0;
}

void stand_in_end(int signal) {
    enum { SIGNAL_STATUS = 128 };
    stand_in_is_over();
    if (signal == SIGINT)
        dies_of = signal;
    else if (signal != SIGPIPE)
        fprintf(stderr, "jitscope: the program was killed by signal %d (%s)\n", signal, strsignal(signal));
    exit(SIGNAL_STATUS + signal);
}

void stand_in_at_exit(void) {
    if (dies_of)
        do_as_by_default(dies_of);
}
