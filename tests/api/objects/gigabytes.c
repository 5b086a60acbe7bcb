int count;

__attribute__((noplt)) int step(void);

int step(void) {
    return ++count;
}

/* Where the linker puts no entries for these: it is written to, and lies with what is. */
__asm__(".pushsection .got, \"aw\", @progbits\n"
        "  .quad 7\n"
        ".popsection");

/* A jump, and a load and calls, each through the GOT. */
int leap(void);
__asm__(".text\n"
        ".globl leap\n"
        "leap: jmp *step@GOTPCREL(%rip)");

int bump(void) {
    count = 5;
    step();
    return step();
}
