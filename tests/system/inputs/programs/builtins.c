/* What compilers leave to their libraries without being asked: half precision, wide atomics. */
#include <stdatomic.h>
#include <stdio.h>

struct pair {
    long first, second;
};
struct triple {
    int numbers[3];
};
static _Atomic(struct pair) pair;
static _Atomic(struct triple) triple;
static _Atomic(__int128) wide;

#ifdef HALF
static volatile _Float16 half = 0.333f16;
static _Float16 halves[] = {1.5f16, -65504.0f16, 1e-7f16};
#endif

int main(void) {
    struct pair expected = {3, 4}, next = {5, 6}, now;
    struct triple three = {{1, 2, 3}}, last = {{7, 8, 9}};
    atomic_store(&pair, expected);
    int done = atomic_compare_exchange_strong(&pair, &expected, next);
    now = atomic_load(&pair);
    atomic_store(&triple, three);
    three = atomic_exchange(&triple, last);
    last = atomic_load(&triple);
    atomic_fetch_add(&wide, ((__int128)1 << 70) + 5);
    atomic_fetch_xor(&wide, 3);
    __int128 sum_of_all = atomic_load(&wide);
    printf("%d %ld %ld %d %d %d\n", done, now.first, now.second, three.numbers[2], last.numbers[1],
           (int)(sum_of_all >> 69) + (int)sum_of_all);
#ifdef HALF
    _Float16 sum = 0;
    for (int i = 0; i < 3; i++)
        sum += halves[i] * half;
    printf("%g %g %d\n", (double)sum, (double)(float)(half * half), (int)(sum * 2));
    long double more = half;
    printf("%Lg %g\n", more, (double)(_Float16)(more * 3));
#endif
    return 0;
}
