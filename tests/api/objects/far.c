/* Holds an address in 32 bits. */
__asm__(".section .fields, \"aw\"\n"
        ".globl field\n"
        "field: .long 0\n"
        "       .long far\n"
        ".text\n");
