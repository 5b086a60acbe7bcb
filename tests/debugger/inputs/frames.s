# Functions whose call frame information is right, or wrong at one instruction.
        .text
        .globl  good, bad_cfa, bad_register, main
        .type   good, @function
good:
        .cfi_startproc
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_offset %rbx, -16
        movl    $7, %ebx
        subq    $16, %rsp
        .cfi_adjust_cfa_offset 16
        call    leaf
        addq    $16, %rsp
        .cfi_adjust_cfa_offset -16
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        ret
        .cfi_endproc
        .size   good, . - good

        .type   leaf, @function
leaf:
        .cfi_startproc
        movl    $3, %eax
        ret
        .cfi_endproc
        .size   leaf, . - leaf

# Between the push and the pop the CFA is 8 bytes off.
        .type   bad_cfa, @function
bad_cfa:
        .cfi_startproc
        nop
        pushq   %rax
        nop
        popq    %rax
        ret
        .cfi_endproc
        .size   bad_cfa, . - bad_cfa

# The CFA is right, but nobody says that rbx is saved.
        .type   bad_register, @function
bad_register:
        .cfi_startproc
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        xorl    %ebx, %ebx
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        ret
        .cfi_endproc
        .size   bad_register, . - bad_register

        .type   main, @function
main:
        .cfi_startproc
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_offset %rbx, -16
        movl    $99, %ebx
        call    good
        call    bad_cfa
        call    bad_register
        call    good
        xorl    %eax, %eax
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        ret
        .cfi_endproc
        .size   main, . - main
        .section .note.GNU-stack, "", @progbits
