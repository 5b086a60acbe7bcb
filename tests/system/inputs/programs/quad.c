/* Numbers that a library computes with: libgcc's part is found by itself, libquadmath is asked for. */
#include <quadmath.h>
#include <stdio.h>

static volatile __float128 third = 3;
static const __float128 table[] = {1.0Q, 0.1Q, -2.5e4000Q};

int main(void) {
    char text[80];
    for (int i = 0; i < 3; i++) {
        __float128 value = table[i] / third + (__float128)(i * 7);
        quadmath_snprintf(text, sizeof(text), "%.33Qg", sqrtq(fabsq(value)));
        printf("%s %d %.15Lg %lld\n", text, value > third, (long double)value,
               i < 2 ? (long long)(value * 1e15Q) : 0);
    }
    __complex128 both = 1 + 2.0Qi;
    both = both / (both * both);
    quadmath_snprintf(text, sizeof(text), "%.30Qg", cimagq(both));
    puts(text);
    return (double)third == 3.0;
}
