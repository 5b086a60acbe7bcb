/* The same with other data. */
#include <stdio.h>

int copied_later(void);
int copied_later(void) {
    FILE **at;
    __asm__("movl $stderr, %k0" : "=r"(at));
    return fputs("  linked code complains\n", *at);
}
