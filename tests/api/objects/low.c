/* Holds its own address in 32 bits. */
__asm__(".data\n"
        ".globl itself\n"
        "itself: .long itself\n"
        ".text\n");
