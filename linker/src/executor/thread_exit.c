#include "executor/thread_exit.h"

#include "base/os.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* The last three arguments of __cxa_thread_atexit, and whose thread it was. */
struct record {
    void (*destroy)(void *);
    void *object;
    void *dso;
    pthread_t thread;
    bool is_done; /* or must not be done any more */
    struct record *next, *previous;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct record *records; /* latest first */

extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *) __attribute__((weak));

/* What is left to be done for RECORD, from now on nobody else's. */
static bool take(struct record *record) {
    bool mine = !record->is_done;
    record->is_done = true;
    return mine;
}

/* The thread ends: it is the only one that frees its records, since the C library has their addresses. */
static void end_of_thread(void *argument) {
    struct record *record = argument;
    pthread_mutex_lock(&lock);
    bool mine = take(record);
    if (record->next)
        record->next->previous = record->previous;
    if (record->previous)
        record->previous->next = record->next;
    else
        records = record->next;
    pthread_mutex_unlock(&lock);
    if (mine)
        record->destroy(record->object);
    os_release(record);
}

static int thread_atexit(void (*destroy)(void *), void *object, void *dso) {
    if (!__cxa_thread_atexit_impl)
        return -1;
    struct record *record = os_allocate(sizeof *record);
    if (!record)
        return -1;
    *record = (struct record){.destroy = destroy, .object = object, .dso = dso, .thread = pthread_self()};
    pthread_mutex_lock(&lock);
    record->next = records;
    if (records)
        records->previous = record;
    records = record;
    pthread_mutex_unlock(&lock);
    /* It fails without memory only, and then for good: the record stays, for thread_exit_end(). */
    return __cxa_thread_atexit_impl(end_of_thread, record, &records);
}

void *thread_exit_function(const char *name) {
    static const char prefix[] = "__cxa_thread_atexit";
    if (name[0] != '_' || strncmp(name, prefix, sizeof prefix - 1))
        return NULL;
    const char *rest = name + sizeof prefix - 1;
    void *function = NULL;
    int (*pointer)(void (*)(void *), void *, void *) = thread_atexit;
    if (!*rest || !strcmp(rest, "_impl"))
        memcpy(&function, &pointer, sizeof function);
    return function;
}

/* The latest of DSO's that this thread is to run; the others are done for. */
static struct record *next_of(void *dso) {
    struct record *found = NULL;
    for (struct record *record = records; record; record = record->next) {
        if (record->dso != dso)
            continue;
        if (!pthread_equal(record->thread, pthread_self()))
            record->is_done = true;
        else if (!found && take(record))
            found = record;
    }
    return found;
}

/* A destructor may register more. */
void thread_exit_end(void *dso) {
    for (;;) {
        pthread_mutex_lock(&lock);
        struct record *record = next_of(dso);
        pthread_mutex_unlock(&lock);
        if (!record)
            return;
        record->destroy(record->object);
    }
}
