/* Threads, or one, that call answer() until it is 0; how often it was what nobody has said. */
#include <pthread.h>
#include <stddef.h>

enum { THREADS = 3 };

int answer(void);

static void *work(void *context) {
    int got;
    while ((got = answer()))
        *(int *)context += got < 1 || got > 3;
    return NULL;
}

int spin(void) {
    pthread_t threads[THREADS];
    int wrong[THREADS] = {0}, sum = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, &wrong[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        sum += wrong[i];
    return sum;
}

int spin_alone(void) {
    int wrong = 0;
    work(&wrong);
    return wrong;
}
