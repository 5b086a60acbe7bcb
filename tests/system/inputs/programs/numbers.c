#define _GNU_SOURCE
#include "parts.h"
#include <complex.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static volatile long double third = 3.0L;
static const long double table[] = {1.0L, 0.1L, -2.5e300L, 1e-4000L};

void long_doubles(void) {
    long double value = 1.0L / third;
    for (int i = 0; i < 4; i++)
        SAY("%.20Lg %.20Lg %d", table[i] * value, sqrtl(fabsl(table[i])), (int)(table[i] > value));
    SAY("%lld %llu %.20Lg", (long long)(value * 1e18L), (unsigned long long)(value * 5e19L),
        (long double)(uint64_t)-1 * third);
    SAY("%La %Lf", value, fmodl(value * 1e10L, 7.0L));
}

static volatile double half = 0.5;

void complexes(void) {
    double complex a = half + 2 * I, b = 3 - half * I;
    float complex c = (float)half - 1.5F * I;
    long double complex d = third + 1.0L * I;
    a = a * b / (a + b);
    c = c * c / (c + 1);
    d = d / (d * d + 2);
    SAY("%.12g %.12g", creal(a), cimag(a));
    SAY("%.6g %.6g", (double)crealf(c), (double)cimagf(c));
    SAY("%.15Lg %.15Lg", creall(d), cimagl(d));
    SAY("%.10g %.10g", cabs(cexp(a)), carg(csqrt(b)));
}

static void show(char *text, unsigned __int128 value) {
    char digits[48];
    int count = 0;
    do
        digits[count++] = (char)('0' + (int)(value % 10));
    while (value /= 10);
    while (count)
        *text++ = digits[--count];
    *text = 0;
}

void int128(void) {
    volatile uint64_t seed = 0x123456789abcdef1;
    unsigned __int128 value = (unsigned __int128)seed * seed * 77 + 1;
    __int128 negative = -(__int128)value / (int64_t)(seed >> 40);
    char text[64];
    show(text, value);
    SAY("%s", text);
    show(text, value / ((unsigned __int128)seed << 20));
    SAY("%s %d", text, (int)(negative % 1000));
    SAY("%.15g %.8g %d", (double)value, (double)(float)negative, negative < 0);
    SAY("%d %d %d", __builtin_popcountll(seed), __builtin_clzll(seed),
        (int)(unsigned __int128)((double)seed * 1e10) & 0xff);
    int narrow;
    SAY("%d %d", __builtin_mul_overflow((__int128)seed, (__int128)1 << 80, &value),
        __builtin_add_overflow(0x7ffffff0, 15, &narrow));
}

typedef int four __attribute__((vector_size(16)));
typedef float eight __attribute__((vector_size(32)));
typedef unsigned char bytes __attribute__((vector_size(16)));

static const four constant = {1, -2, 3, -4};
four from_elsewhere(four a, four b);
four from_elsewhere(four a, four b) {
    return (a > b) & constant;
}

__attribute__((target("avx512f,avx512bw"), noinline)) static int wide(const int *numbers, int count) {
    int sum[16] = {0};
    typedef int sixteen __attribute__((vector_size(64)));
    sixteen all = {0};
    const sixteen step = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int i = 0; i + 16 <= count; i += 16) {
        sixteen next;
        memcpy(&next, numbers + i, sizeof(next));
        all += (next ^ step) * 3;
    }
    memcpy(sum, &all, sizeof(sum));
    for (int i = 1; i < 16; i++)
        sum[0] += sum[i];
    return sum[0];
}

__attribute__((target("avx2"), noinline)) static int less_wide(const float *numbers) {
    eight all;
    memcpy(&all, numbers, sizeof(all));
    all = all * all + (eight){1, 2, 3, 4, 5, 6, 7, 8};
    return (int)(all[0] + all[7]);
}

void vectors(void) {
    four a = {5, 6, 7, 8}, b = {8, 7, 6, 5};
    four c = from_elsewhere(a, b);
    bytes d = {0};
    for (int i = 0; i < 16; i++)
        d[i] = (unsigned char)(i * 17);
    d = (d << 1) + (d >> 7);
    SAY("%d %d %d %d %d", c[0], c[1], c[2], c[3], d[9]);
    static int numbers[64];
    static float floats[8];
    for (int i = 0; i < 64; i++)
        numbers[i] = i * i, floats[i % 8] = (float)i;
    __builtin_cpu_init();
    SAY("%d", __builtin_cpu_supports("avx512bw") ? wide(numbers, 64) : 0);
    SAY("%d", __builtin_cpu_supports("avx2") ? less_wide(floats) : 0);
}

void processor(void) {
    __builtin_cpu_init();
    SAY("%d %d %d %d", !!__builtin_cpu_supports("sse2"), !!__builtin_cpu_supports("avx2"),
        !!__builtin_cpu_supports("avx512f"), !!__builtin_cpu_is("intel"));
}
