/* libitm.a: transactions, one of them given up. */
#include <pthread.h>
#include <stdio.h>

static long accounts[2] = {100000, 0};

static void *move(void *unused) {
    for (int i = 0; i < 10000; i++)
        __transaction_atomic {
            accounts[0]--;
            accounts[1]++;
        }
    return unused;
}

int main(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, move, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    __transaction_atomic {
        accounts[0] = 0;
        if (accounts[1] != 0)
            __transaction_cancel;
    }
    printf("%ld %ld\n", accounts[0], accounts[1]);
    return 5;
}
