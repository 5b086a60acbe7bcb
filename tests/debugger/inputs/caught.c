/* Stands in the handler of a signal that came at the first instruction of a function, deep in a recursion.
 * Right before that function there is another. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}

__attribute__((noinline)) int deep(int left) {
    return left ? deep(left - 1) + 1 : trap() + 1;
}

int main(int count, char **words) {
    signal(SIGILL, handler);
    return deep(count > 1 ? atoi(words[1]) : 3);
}
