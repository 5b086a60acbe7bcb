/* What a program does that its shell notices, one thing for each word it can be started with. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t got[NSIG];

static void count(int number) {
    got[number]++;
}

static void say(const char *text) {
    puts(text);
    fflush(stdout);
}

static void catch_signal(int number, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler}; /* without SA_RESTART: pause() and read() come back */
    sigaction(number, &action, NULL);
}

static int wait_for(int number) {
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, number);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    catch_signal(number, count);
    say("ready");
    while (!got[number])
        sigsuspend(&before);
    printf("got %d times signal %d\n", (int)got[number], number);
    return 3;
}

/* Whoever is at the other end of a pipe makes the file when it sees that this end is closed. */
static int wait_for_file(const char *path) {
    for (int i = 0; i < 6000; i++, usleep(10000))
        if (!access(path, F_OK))
            return 0;
    return 1;
}

static int echo_lines(void) {
    char line[80];
    say("ready");
    while (fgets(line, sizeof line, stdin))
        printf("<%s>\n", strtok(line, "\n")), fflush(stdout);
    say("end of input");
    return 4;
}

/* Puts things in order first, as editors do with the terminal. */
static void stop_slowly(int number) {
    (void)number;
    usleep(300000);
    (void)!write(1, "in order\n", 9);
    raise(SIGSTOP);
    (void)!write(1, "back\n", 5);
}

static int size(void) {
    struct winsize size = {0};
    wait_for(SIGWINCH);
    ioctl(0, TIOCGWINSZ, &size);
    printf("%dx%d\n", size.ws_col, size.ws_row);
    return 0;
}

static int surroundings(void) {
    struct rlimit files, stack;
    struct sigaction action;
    char folder[4096];
    mode_t mask = umask(0);
    umask(mask);
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_STACK, &stack);
    printf("%s %03o %ld %ld %s\n", getcwd(folder, sizeof folder), mask, (long)files.rlim_cur,
           (long)stack.rlim_cur, getenv("SHELL_USER") ? getenv("SHELL_USER") : "-");
    for (int number = 1; number < NSIG; number++)
        if (!sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN)
            printf("ignores %d\n", number);
    for (int fd = 0; fd < 10; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("has %d\n", fd);
    printf("opens %d\n", open("/dev/null", O_RDONLY));
    dprintf(5, "to five\n");
    return 0;
}

/* The child goes on when its parent has ended; it is in a session of its own. */
static int leave(const char *path) {
    say("leaving");
    if (fork())
        _exit(6);
    setsid();
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    open("/dev/null", O_RDWR);
    usleep(200000);
    return rename("go", path) ? 1 : 0;
}

static int with_children(void) {
    int status, ended = 0;
    for (int i = 1; i < 4; i++)
        if (!fork()) {
            printf("child %d\n", i);
            exit(i);
        }
    while (wait(&status) > 0)
        ended += WEXITSTATUS(status);
    printf("%d, no more: %s\n", ended, errno == ECHILD ? "none" : "some");
    return system("exit 9") >> 8;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "", *more = argc > 2 ? argv[2] : "";
    if (!strcmp(what, "wait"))
        return wait_for(atoi(more));
    if (!strcmp(what, "lines"))
        return echo_lines();
    if (!strcmp(what, "stop")) {
        raise(atoi(more));
        return say("went on"), 5;
    }
    if (!strcmp(what, "slowly")) {
        sigset_t blocked, before;
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGTSTP);
        sigprocmask(SIG_BLOCK, &blocked, &before);
        catch_signal(SIGTSTP, stop_slowly);
        say("ready");
        sigsuspend(&before);
        return say("went on"), 5;
    }
    if (!strcmp(what, "ignore")) {
        signal(atoi(more), SIG_IGN);
        return echo_lines();
    }
    if (!strcmp(what, "hang")) {
        say("ready");
        for (;;)
            pause();
    }
    if (!strcmp(what, "die"))
        return raise(atoi(more));
    if (!strcmp(what, "size"))
        return size();
    if (!strcmp(what, "surroundings"))
        return surroundings();
    if (!strcmp(what, "yes")) {
        while (puts("yes") >= 0)
            ;
        return fprintf(stderr, "%s\n", strerror(errno)), 8;
    }
    if (!strcmp(what, "close")) {
        say("closing");
        close(atoi(more));
        return wait_for_file("go");
    }
    if (!strcmp(what, "exec"))
        return execvp(argv[2], argv + 2);
    if (!strcmp(what, "leave"))
        return leave(more);
    return with_children();
}
