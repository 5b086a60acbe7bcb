/* A program whose sessions can be inspected.  It reads commands, one a line, and answers each with one line:
 *
 *     create [inspectable] [off] [simulate] [apart] [FILE]
 *                         makes session 1, 2, ...; recorded to FILE, code in a jitscope-executor
 *     link N FILE         links FILE in session N          begin N FILE, end N    records on demand
 *     destroy N           failure N                        why it cannot be inspected
 *     threads N FILE      four threads link and unload FILE in session N, so often, or until the next command
 *     fork HOW            the child does HOW: exit, destroy (all sessions, then exit), wait (until killed)
 *     exec FILE           load FILE, unload                a plug-in with a session of its own
 *     exhaust, release    takes all descriptors, gives them back
 *     exit                leave                            _exit
 */
#include "jitscope/jitscope.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 16, WORKERS = 4, TURNS = 400, PAUSE_US = 2000, DESCRIPTORS = 4096 };

static struct jitscope_session *sessions[MOST];
static int count;

static void check(struct jitscope_error *error) {
    if (!error)
        return;
    printf("error: %s\n", jitscope_error_message(error));
    exit(1);
}

static void say_line(const char *text) {
    printf("%.*s\n", (int)strcspn(text, "\n"), text);
}

static void say(struct jitscope_error *error) {
    say_line(error ? jitscope_error_message(error) : "done");
    jitscope_error_destroy(error);
}

static void create(char *words) {
    struct jitscope_session_options options = {.size = sizeof options, .no_default_libraries = true};
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        if (!strcmp(word, "inspectable"))
            options.inspectable = true;
        else if (!strcmp(word, "off"))
            options.level = JITSCOPE_LEVEL_OFF;
        else if (!strcmp(word, "simulate"))
            options.simulate = true;
        else if (!strcmp(word, "apart"))
            check(jitscope_executor_spawn(NULL, &options.executor));
        else
            options.record_path = word;
    }
    say(jitscope_session_create(&options, &sessions[++count]));
}

/* --- threads */

static atomic_bool stop;
static pthread_t workers[WORKERS];
static bool work;
static struct {
    struct jitscope_session *session;
    char file[4096];
    pthread_mutex_t lock;
} task = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *link_and_unload(void *unused) {
    for (int i = 0; i < TURNS && !atomic_load(&stop); i++) {
        struct jitscope_link *link;
        pthread_mutex_lock(&task.lock);
        check(jitscope_session_add_file(task.session, task.file));
        check(jitscope_session_link(task.session, &link));
        pthread_mutex_unlock(&task.lock);
        check(jitscope_session_unload(task.session, link));
        usleep(PAUSE_US);
    }
    return unused;
}

static void start_threads(struct jitscope_session *session, const char *file) {
    task.session = session;
    snprintf(task.file, sizeof task.file, "%s", file);
    atomic_store(&stop, false);
    work = true;
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&workers[i], NULL, link_and_unload, NULL);
}

static void stop_threads(void) {
    atomic_store(&stop, true);
    for (int i = 0; i < WORKERS && work; i++)
        pthread_join(workers[i], NULL);
    work = false;
}

/* --- processes */

static void fork_child(const char *how) {
    fflush(stdout);
    pid_t child = fork();
    if (child) {
        if (strcmp(how, "wait") != 0)
            waitpid(child, NULL, 0);
        printf("%d\n", (int)child);
        return;
    }
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    if (!strcmp(how, "destroy"))
        for (int i = 1; i <= count; i++)
            jitscope_session_destroy(sessions[i]);
    if (!strcmp(how, "wait"))
        pause();
    exit(0);
}

static int taken[DESCRIPTORS], descriptors;

static void exhaust(void) {
    const struct rlimit few = {256, 256};
    setrlimit(RLIMIT_NOFILE, &few);
    while (descriptors < DESCRIPTORS && (taken[descriptors] = open("/dev/null", O_RDONLY)) >= 0)
        descriptors++;
}

static void release(void) {
    while (descriptors)
        close(taken[--descriptors]);
}

static void *plugin;

static void load(const char *path) {
    plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *(*start)(void) =
        plugin ? (const char *(*)(void))(uintptr_t)dlsym(plugin, "plugin_start") : NULL;
    printf("%s\n", start ? start() : dlerror());
}

/* --- commands */

static bool process_command(const char *command, const char *argument) {
    if (!strcmp(command, "fork"))
        return fork_child(argument), true;
    if (!strcmp(command, "exec"))
        return execlp(argument, argument, "1000", (char *)NULL), true;
    if (!strcmp(command, "exit"))
        exit(0);
    if (!strcmp(command, "leave"))
        _exit(0);
    if (!strcmp(command, "load"))
        return load(argument), true;
    if (!strcmp(command, "exhaust"))
        exhaust();
    else if (!strcmp(command, "release"))
        release();
    else if (!strcmp(command, "unload"))
        dlclose(plugin);
    else
        return false;
    return printf("done\n"), true;
}

static void session_command(const char *command, int number, const char *file) {
    struct jitscope_session *session = sessions[number];
    if (!strcmp(command, "link")) {
        check(jitscope_session_add_file(session, file));
        say(jitscope_session_link(session, NULL));
    } else if (!strcmp(command, "begin")) {
        say(jitscope_session_begin_recording(session, file, JITSCOPE_LEVEL_DEFAULT));
    } else if (!strcmp(command, "end")) {
        say(jitscope_session_end_recording(session));
    } else if (!strcmp(command, "failure")) {
        const char *failure = jitscope_session_inspection_failure(session);
        say_line(failure ? failure : "none");
    } else if (!strcmp(command, "threads")) {
        start_threads(session, file);
        say(NULL);
    } else {
        jitscope_session_destroy(session);
        sessions[number] = NULL;
        say(NULL);
    }
}

int main(void) {
    static char line[4096], command[64], file[4096];
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        int number = 0;
        line[strcspn(line, "\n")] = '\0';
        command[0] = file[0] = '\0';
        stop_threads();
        if (!strncmp(line, "create", 6))
            create(line + 6);
        else if (sscanf(line, "%63s %d %4095s", command, &number, file) >= 2 && number > 0 && number < MOST)
            session_command(command, number, file);
        else if (sscanf(line, "%63s %4095s", command, file) >= 1 && !process_command(command, file))
            printf("no such command\n");
    }
    stop_threads();
    return 0;
}
