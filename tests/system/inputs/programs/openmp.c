#include <omp.h>
#include <stdio.h>

static int own;
#pragma omp threadprivate(own)

int main(void) {
    long sum = 0, critical = 0;
    int order = 0, tasks = 0;
    omp_set_num_threads(4);
#pragma omp parallel for reduction(+ : sum) schedule(dynamic, 7)
    for (int i = 0; i < 1000; i++)
        sum += i * (long)i;
#pragma omp parallel
    {
        own = omp_get_thread_num();
#pragma omp critical
        critical += own + 1;
#pragma omp barrier
#pragma omp single
        {
            for (int i = 0; i < 10; i++)
#pragma omp task firstprivate(i)
            {
#pragma omp atomic
                tasks += i;
            }
#pragma omp taskwait
        }
#pragma omp for ordered
        for (int i = 0; i < 8; i++)
#pragma omp ordered
            order = order * 3 + i;
    }
    printf("%ld %ld %d %d %d\n", sum, critical, order, tasks, own);
    return omp_get_max_threads();
}
