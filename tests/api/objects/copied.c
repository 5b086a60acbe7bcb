/* Code that has the address of the C library's data in 32 bits, as all code compiled with -fno-pic has. */
#include <stdio.h>

int copied(void);
int copied(void) {
    FILE **at;
    __asm__("movl $stdout, %k0" : "=r"(at));
    fputs("  linked code prints\n", *at);
    return 5;
}
