/* exit(3) takes functions without arguments and forgets none: one function for the whole process walks the
 * executors that asked, and an executor that goes away leaves the list. */
#include "executor/executor_state.h"

#include <pthread.h>

static pthread_mutex_t exit_lock = PTHREAD_MUTEX_INITIALIZER;
static struct executor *exit_list;
static bool exit_installed;

/* Callbacks run without the lock: what they undo may create or destroy executors. */
static void run_exit_callbacks(void) {
    for (;;) {
        pthread_mutex_lock(&exit_lock);
        struct executor *executor = exit_list;
        exit_list = executor ? executor->exit_next : NULL;
        pthread_mutex_unlock(&exit_lock);
        if (!executor)
            return;
        executor->exit_callback(executor->exit_context);
    }
}

struct jitscope_error *executor_at_exit(struct executor *executor, void (*callback)(void *), void *context) {
    if (executor->exit_callback)
        return error_create(JITSCOPE_ERROR_USAGE, "an executor has one exit callback, and it is set");
    pthread_mutex_lock(&exit_lock);
    if (!exit_installed && os_at_exit(run_exit_callbacks)) {
        pthread_mutex_unlock(&exit_lock);
        return error_system("atexit", NULL);
    }
    exit_installed = true;
    executor->exit_callback = callback;
    executor->exit_context = context;
    executor->exit_next = exit_list;
    exit_list = executor;
    pthread_mutex_unlock(&exit_lock);
    return NULL;
}

void executor_leave_exit(struct executor *executor) {
    pthread_mutex_lock(&exit_lock);
    struct executor **link = &exit_list;
    while (*link && *link != executor)
        link = &(*link)->exit_next;
    if (*link)
        *link = executor->exit_next;
    pthread_mutex_unlock(&exit_lock);
}
