#define _GNU_SOURCE
#include "parts.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>

enum { THREADS = 24, ROUNDS = 200 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_barrier_t barrier;
static sem_t semaphore;
static long total;
static int waiting, begun;
static __thread long own = 5;
static _Atomic int counted;

static void initialise(void) {
    begun++;
}

static void *work(void *argument) {
    long number = (long)(intptr_t)argument;
    pthread_once(&once, initialise);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        total += number;
        pthread_mutex_unlock(&mutex);
        own += number;
        counted++;
    }
    pthread_rwlock_rdlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
    sem_post(&semaphore);
    pthread_mutex_lock(&mutex);
    if (++waiting == THREADS)
        pthread_cond_broadcast(&arrived);
    while (waiting < THREADS)
        pthread_cond_wait(&arrived, &mutex);
    pthread_mutex_unlock(&mutex);
    return (void *)(intptr_t)own;
}

void threads(void) {
    pthread_t ids[THREADS];
    long sum = 0;
    pthread_barrier_init(&barrier, NULL, THREADS);
    sem_init(&semaphore, 0, 0);
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&ids[i], NULL, work, (void *)(intptr_t)i))
            SAY("thread %ld was not created", i);
    for (int i = 0; i < THREADS; i++)
        sem_wait(&semaphore);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(ids[i], &result);
        sum += (long)(intptr_t)result;
    }
    SAY("total %ld, own %ld, mine %ld, counted %d, once %d", total, sum, own, counted, begun);
    pthread_barrier_destroy(&barrier);
}

static pthread_key_t key;
static int destroyed, cleaned;

static void destroy(void *value) {
    pthread_mutex_lock(&mutex);
    destroyed += (int)(intptr_t)value;
    pthread_mutex_unlock(&mutex);
}

static void clean(void *value) {
    __atomic_fetch_add(&cleaned, (int)(intptr_t)value, __ATOMIC_RELAXED); /* both at once */
}

static void leave(int levels) {
    if (!levels)
        pthread_exit((void *)7);
    if (levels > 0)
        leave(levels - 1);
    cleaned += 100; /* no tail call */
}

static void *leaver(void *argument) {
    pthread_setspecific(key, argument);
    pthread_cleanup_push(clean, (void *)1);
    leave(5);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *cancelled(void *argument) {
    pthread_setspecific(key, argument);
    pthread_cleanup_push(clean, (void *)10);
    for (;;)
        sem_wait(&semaphore);
    pthread_cleanup_pop(0);
    return NULL;
}

/* Thread-specific data, and threads that leave from the middle. */
void keys(void) {
    pthread_t first, second;
    void *result[2];
    sem_init(&semaphore, 0, 0);
    pthread_key_create(&key, destroy);
    pthread_create(&first, NULL, leaver, (void *)2);
    pthread_create(&second, NULL, cancelled, (void *)40);
    pthread_cancel(second);
    pthread_join(first, &result[0]);
    pthread_join(second, &result[1]);
    SAY("destroyed %d, cleaned %d or less, %ld, %d", destroyed, cleaned | 10, (long)(intptr_t)result[0],
        result[1] == PTHREAD_CANCELED);
    pthread_key_delete(key);
}
