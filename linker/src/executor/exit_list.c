#include "executor/exit_list.h"

#include "base/os.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { FEW_MARKS = 64 };

/* The arguments of __cxa_atexit and __cxa_thread_atexit. */
struct record {
    void (*function)(void *);
    void *argument;
    void *dso;
    uint64_t number; /* in its list; numbers rise */
    struct record *older, *newer;
};

/* What the C library calls a list's functions by, from NUMBER on. */
struct mark {
    struct exit_list *list;
    uint64_t number;
    struct mark *older;
    bool useless; /* and out of the list: there is nothing to be done */
};

/* Of the program, or of one thread that has, or had, something to be done. */
struct exit_list {
    struct record *latest;
    struct mark *newest;
    uint64_t last_number;
    uint32_t count, marks;
    struct exit_list *next, *previous; /* among all threads' */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct exit_list of_program;
static struct exit_list *of_threads;
static _Thread_local struct exit_list *of_this_thread;

extern int __cxa_atexit(void (*)(void *), void *, void *);
extern void __cxa_finalize(void *);
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *) __attribute__((weak));

/* --- lists; all under the lock */

static void append(struct exit_list *list, struct record *record) {
    record->number = ++list->last_number;
    record->older = list->latest;
    record->newer = NULL;
    if (list->latest)
        list->latest->newer = record;
    list->latest = record;
    list->count++;
}

static void take_out(struct exit_list *list, struct record *record) {
    if (record->older)
        record->older->newer = record->newer;
    if (record->newer)
        record->newer->older = record->older;
    else
        list->latest = record->older;
    list->count--;
}

static void push_mark(struct exit_list *list, struct mark *mark) {
    mark->older = list->newest;
    list->newest = mark;
    list->marks++;
}

static void take_out_mark(struct exit_list *list, const struct mark *mark) {
    struct mark **at = &list->newest;
    while (*at && *at != mark)
        at = &(*at)->older;
    if (!*at)
        return;
    *at = mark->older;
    list->marks--;
}

/* The thread is about to be gone, and the C library with its marks. */
static void forget_thread(struct exit_list *list) {
    if (list->next)
        list->next->previous = list->previous;
    if (list->previous)
        list->previous->next = list->next;
    else
        of_threads = list->next;
    of_this_thread = NULL;
    os_release(list);
}

/* --- calling */

static void call(struct record *record) {
    struct record one = *record;
    os_release(record);
    one.function(one.argument);
}

/* One at a time: a function may register more, or end a batch. */
static struct record *take_from(const struct mark *mark) {
    struct exit_list *list = mark->list;
    pthread_mutex_lock(&lock);
    struct record *record = mark->useless ? NULL : list->latest;
    if (record && record->number < mark->number)
        record = NULL;
    if (record)
        take_out(list, record);
    pthread_mutex_unlock(&lock);
    return record;
}

static void reach_mark(void *argument) {
    struct mark *mark = argument;
    struct exit_list *list = mark->list;
    struct record *record;
    while ((record = take_from(mark)))
        call(record);
    pthread_mutex_lock(&lock);
    if (!mark->useless) {
        take_out_mark(list, mark);
        if (!list->marks && list != &of_program)
            forget_thread(list);
    }
    pthread_mutex_unlock(&lock);
    os_release(mark);
}

/* --- registering */

typedef int registrar(void (*)(void *), void *, void *);

static bool wants_mark(const struct exit_list *list) {
    return !list->marks || list->marks < FEW_MARKS + 2 * (uint64_t)list->count;
}

/* The C library has no memory for MARK: another one will do for the record of its number, if there is one.
 * Another thread may have called that already. */
static int do_without(struct exit_list *list, struct mark *mark) {
    pthread_mutex_lock(&lock);
    take_out_mark(list, mark);
    struct record *record = list->marks ? NULL : list->latest;
    while (record && record->number != mark->number)
        record = record->older;
    if (record)
        take_out(list, record);
    pthread_mutex_unlock(&lock);
    os_release(mark);
    os_release(record);
    return record ? -1 : 0;
}

/* A mark is its own __dso_handle, by which the C library can be told to forget it. */
static int add(struct exit_list *list, registrar *with, struct record wanted) {
    struct record *record = os_allocate(sizeof *record);
    struct mark *mark = os_allocate_zeroed(sizeof *mark);
    if (!record || !mark) {
        os_release(record);
        os_release(mark);
        return -1;
    }
    *record = wanted;
    pthread_mutex_lock(&lock);
    append(list, record);
    bool marked = wants_mark(list);
    *mark = (struct mark){.list = list, .number = record->number};
    if (marked)
        push_mark(list, mark);
    pthread_mutex_unlock(&lock);
    if (!marked)
        os_release(mark);
    else if (with(reach_mark, mark, list == &of_program ? (void *)mark : (void *)&of_program))
        return do_without(list, mark);
    return 0;
}

static int program_atexit(void (*function)(void *), void *argument, void *dso) {
    return add(&of_program, __cxa_atexit,
               (struct record){.function = function, .argument = argument, .dso = dso});
}

static struct exit_list *list_of_this_thread(void) {
    if (of_this_thread)
        return of_this_thread;
    struct exit_list *list = os_allocate_zeroed(sizeof *list);
    if (!list)
        return NULL;
    pthread_mutex_lock(&lock);
    list->next = of_threads;
    if (of_threads)
        of_threads->previous = list;
    of_threads = of_this_thread = list;
    pthread_mutex_unlock(&lock);
    return list;
}

static int thread_atexit(void (*function)(void *), void *argument, void *dso) {
    struct exit_list *list = __cxa_thread_atexit_impl ? list_of_this_thread() : NULL;
    if (!list)
        return -1;
    int failed = add(list, __cxa_thread_atexit_impl,
                     (struct record){.function = function, .argument = argument, .dso = dso});
    if (!failed || list->marks)
        return failed;
    pthread_mutex_lock(&lock);
    forget_thread(list); /* nobody else would */
    pthread_mutex_unlock(&lock);
    return failed;
}

void *exit_list_function(const char *name) {
    registrar *pointer = NULL;
    void *function = NULL;
    if (name[0] != '_' || strncmp(name, "__cxa_", 6))
        return NULL;
    if (!strcmp(name + 6, "atexit"))
        pointer = program_atexit;
    else if (!strcmp(name + 6, "thread_atexit") || !strcmp(name + 6, "thread_atexit_impl"))
        pointer = thread_atexit;
    memcpy(&function, &pointer, sizeof function);
    return function;
}

/* --- a batch goes */

static struct record *find_latest(const struct exit_list *list, const void *dso) {
    struct record *record = list->latest;
    while (record && record->dso != dso)
        record = record->older;
    return record;
}

/* Functions may register more. */
static void end_in(struct exit_list *list, const void *dso) {
    for (;;) {
        pthread_mutex_lock(&lock);
        struct record *record = list ? find_latest(list, dso) : NULL;
        if (record)
            take_out(list, record);
        pthread_mutex_unlock(&lock);
        if (!record)
            return;
        call(record);
    }
}

static void drop_other_threads(const void *dso) {
    pthread_mutex_lock(&lock);
    for (struct exit_list *list = of_threads; list; list = list->next) {
        struct record *record;
        while (list != of_this_thread && (record = find_latest(list, dso))) {
            take_out(list, record);
            os_release(record);
        }
    }
    pthread_mutex_unlock(&lock);
}

/* Marks behind all that is to be done; useless from now on. */
static struct mark *take_useless_marks(struct exit_list *list) {
    pthread_mutex_lock(&lock);
    uint64_t last = list->latest ? list->latest->number : 0;
    struct mark *first = list->newest, **end = &first;
    while (*end && (*end)->number > last) {
        (*end)->useless = true;
        list->marks--;
        end = &(*end)->older;
    }
    list->newest = *end;
    *end = NULL;
    pthread_mutex_unlock(&lock);
    return first;
}

void exit_list_end(void *dso) {
    drop_other_threads(dso);
    end_in(of_this_thread, dso);
    end_in(&of_program, dso);
    for (struct mark *mark = take_useless_marks(&of_program), *next; mark; mark = next) {
        next = mark->older;
        __cxa_finalize(mark); /* comes to reach_mark() */
    }
}
