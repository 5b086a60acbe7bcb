/* Many functions, and more data than small batches share pages for. */
#include <stdlib.h>

static char soak_pages[1 << 20];
static const char constants[100000] = {1, 2, 3};

#define ONE(n)                                                                                               \
    __attribute__((noinline)) int soak_big_##n(int x) {                                                      \
        return x % (n##1 + 1) + abs(x);                                                                      \
    }
#define TEN(n)                                                                                               \
    ONE(n##0) ONE(n##1) ONE(n##2) ONE(n##3) ONE(n##4) ONE(n##5) ONE(n##6) ONE(n##7) ONE(n##8) ONE(n##9)
#define HUNDRED(n)                                                                                           \
    TEN(n##0) TEN(n##1) TEN(n##2) TEN(n##3) TEN(n##4) TEN(n##5) TEN(n##6) TEN(n##7) TEN(n##8) TEN(n##9)
HUNDRED(1)
HUNDRED(2)
HUNDRED(3)

int check_big(int x);

int check_big(int x) {
    soak_pages[(x * 4096) & 0xfffff] = 1;
    return soak_big_100(x) + soak_big_399(x) + constants[x % 3 + 0] + soak_pages[(x * 4096) & 0xfffff];
}
