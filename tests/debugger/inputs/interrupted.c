/* A signal at the first instruction of a function, which has another right before it. */
#include <signal.h>
#include <stdlib.h>

int trap(void);
__asm__(".text\n"
        ".p2align 4\n"
        ".type before, @function\n"
        "before: .fill 16, 1, 0x90\n"
        ".size before, . - before\n"
        ".globl trap\n"
        ".type trap, @function\n"
        "trap: .cfi_startproc\n"
        "ud2\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size trap, . - trap\n");

static void handler(int number) {
    (void)number;
    exit(rand() & 0);
}

__attribute__((noinline)) int outer(int x) {
    return trap() + x; /* LINE: trap */
}

int main(void) {
    signal(SIGILL, handler);
    return outer(1) - 1;
}
