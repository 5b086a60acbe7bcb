# Functions whose call frame information is written by hand, with absolute addresses, and of which one has no size.
        .text
        .globl  through, sizeless
        .type   through, @function
through:
        subq    $0x108, %rsp
        call    sizeless
        addq    $0x108, %rsp
        ret
.Lthrough_end:
        .size   through, . - through

        .type   sizeless, @function
sizeless:
        subq    $0x28, %rsp
        call    stay
        addq    $0x28, %rsp
        ret
.Lsizeless_end:

        .section .eh_frame, "a", @progbits
.Lcie:
        .long   .Lcie_end - .Lcie_id
.Lcie_id:
        .long   0
        .byte   1, 0            # version, no augmentation: addresses of 8 bytes
        .byte   1, 0x78, 16     # code factor, data factor -8, return address
        .byte   0x0c, 7, 8      # DW_CFA_def_cfa rsp + 8
        .byte   0x90, 1         # DW_CFA_offset rip, CFA - 8
        .balign 8, 0
.Lcie_end:

.macro  fde     start, end, size
        .long   3f - 2f
2:      .long   2b - .Lcie
        .quad   \start
        .quad   \end - \start
        .byte   0x44            # DW_CFA_advance_loc: behind the subtraction
        .byte   0x0e            # DW_CFA_def_cfa_offset
        .uleb128 \size + 8
        .balign 8, 0
3:
.endm
        fde     through, .Lthrough_end, 0x108
        fde     sizeless, .Lsizeless_end, 0x28
        .section .note.GNU-stack, "", @progbits
