/* libgomp.a: a team of threads, with its thread-local storage, reductions, tasks, locks and ordered output.
 */
#include <omp.h>
#include <stdio.h>

static int counter;
#pragma omp threadprivate(counter)

static long fibonacci(int n) {
    long a, b;
    if (n < 2)
        return n;
#pragma omp task shared(a) if (n > 10)
    a = fibonacci(n - 1);
#pragma omp task shared(b) if (n > 10)
    b = fibonacci(n - 2);
#pragma omp taskwait
    return a + b;
}

int main(void) {
    double sum = 0;
    long tasks = 0;
    int total = 0;
    omp_set_dynamic(0);
    omp_set_num_threads(4);
#pragma omp parallel for reduction(+ : sum) schedule(dynamic, 7)
    for (int i = 0; i < 10000; i++)
        sum += i;
#pragma omp parallel
#pragma omp single
    tasks = fibonacci(16);
#pragma omp parallel reduction(+ : total)
    {
        counter = omp_get_thread_num() + 1;
#pragma omp barrier
        total += counter;
#pragma omp critical
        total += 100;
    }
#pragma omp parallel for ordered
    for (int i = 0; i < 8; i++) {
#pragma omp ordered
        printf("%d\n", i);
    }
    printf("%.0f %ld %d %d\n", sum, tasks, total, omp_get_max_threads());
    return 3;
}
