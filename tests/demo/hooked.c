/* Puts a function of its own into strlen's slot of the global offset table when it reads a line, as tracers
 * and hot patchers do; another line ends it.  README shows how that looks in the inspector. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

typedef size_t measure(const char *text);

static size_t always_42(const char *text) {
    (void)text;
    return 42;
}

static void wait_for_a_line(void) {
    for (int c = 0; c != '\n' && c != EOF; c = getchar())
        continue;
}

int main(void) {
    measure **slot;
    __asm__("leaq strlen@GOTPCREL(%%rip), %0" : "=r"(slot));
    printf("hello has %zu letters\n", (*slot)("hello"));
    fflush(stdout);
    wait_for_a_line();
    mprotect((void *)((uintptr_t)slot & -PAGE), PAGE, PROT_READ | PROT_WRITE);
    *slot = always_42;
    printf("hello has %zu letters\n", (*slot)("hello"));
    fflush(stdout);
    wait_for_a_line();
    return 0;
}
