#define _GNU_SOURCE
#include "parts.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Sections that inline assembly fills, one entry from each place that it is expanded at. */
#define MARK(text)                                                                                           \
    __asm__ volatile("771: nop\n"                                                                            \
                     ".pushsection marks,\"a\",@progbits\n"                                                  \
                     ".long 771b - ., 772f - .\n"                                                            \
                     ".pushsection .rodata.marks,\"aMS\",@progbits,1\n"                                      \
                     "772: .asciz \"" text "\"\n"                                                            \
                     ".popsection\n"                                                                         \
                     ".popsection")

struct mark {
    int where, text;
};
extern const struct mark __start_marks[], __stop_marks[];

static __attribute__((noinline)) int jump_if(int value) {
    __asm__ goto("test %0, %0\n\tjz %l[zero]\n\tjs %l[less]" : : "r"(value) : "cc" : zero, less);
    MARK("more");
    return 1;
zero:
    MARK("zero");
    return 0;
less:
    MARK("less");
    return -1;
}

__asm__(".pushsection .text.by_hand,\"ax\",@progbits\n"
        ".globl by_hand\n"
        ".type by_hand,@function\n"
        "by_hand:\n"
        "    .cfi_startproc\n"
        "    lea 1f(%rip), %rax\n"
        "    mov (%rax,%rdi,4), %eax\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size by_hand, .-by_hand\n"
        ".section .rodata.by_hand,\"a\",@progbits\n"
        "1: .long 11, 22, 33\n"
        ".popsection");
extern int by_hand(long);

void assembled(void) {
    SAY("%d %d %d %d", jump_if(4), jump_if(0), jump_if(-4), by_hand(1) + by_hand(2));
    int named = 0, inside = 0;
    for (const struct mark *mark = __start_marks; mark < __stop_marks; mark++) {
        const char *text = (const char *)&mark->text + mark->text;
        const unsigned char *where = (const unsigned char *)&mark->where + mark->where;
        named += !strcmp(text, "more") + !strcmp(text, "zero") * 10 + !strcmp(text, "less") * 100;
        inside += *where == 0x90;
    }
    SAY("%d %d", named, inside);
}

static int order, orders[8];
#define NOTE(number) orders[order++ & 7] = number
__attribute__((constructor(300))) static void third_(void) {
    NOTE(3);
}
__attribute__((constructor(200))) static void second_(void) {
    NOTE(2);
}
__attribute__((constructor)) static void last_(void) {
    NOTE(4);
}
__attribute__((constructor(101))) static void first_(void) {
    NOTE(1);
}
__attribute__((destructor(101))) static void ends_last(void) {
    puts("destructor 101");
}
__attribute__((destructor)) static void ends_first(void) {
    puts("destructor");
}

__attribute__((visibility("hidden"))) int hidden_function(int value) {
    return value + 1;
}
int alias_of_hidden(int) __attribute__((alias("hidden_function")));
__attribute__((weak)) int weak_elsewhere(void) {
    return 1;
}
static int referred(int) __attribute__((weakref("alias_of_hidden")));
static int missing(void) __attribute__((weakref("nobody_defines_this")));
__attribute__((visibility("protected"))) int protected_number = 40;
__attribute__((visibility("internal"))) int internal_number = 2;
int common_numbers[20];
__attribute__((section("special"), used)) static int of_section = 77;
extern int __start_special[];

static int slow(int value) {
    return value + 100;
}
__attribute__((no_instrument_function)) static void *choose(void) {
    return (void *)slow;
}
int chosen(int) __attribute__((ifunc("choose")));
static int (*const chosen_pointer)(int) = chosen;

static void forget(int *value) {
    *value = -1;
    order += 10;
}

void attributes(void) {
    SAY("%d%d%d%d", orders[0], orders[1], orders[2], orders[3]);
    SAY("%d %d %d %d", alias_of_hidden(1), referred(2), missing ? 1 : 0, weak_elsewhere());
    SAY("%d %d", weak_here ? weak_here() : -1, protected_number + internal_number);
    common_numbers[19] = 4;
    SAY("%d %d %d", common_numbers[19], __start_special[0], of_section);
    SAY("%d %d %d", chosen(5), chosen_pointer(6), chosen_pointer == chosen);
    {
        __attribute__((cleanup(forget))) int value = 3;
        order = value;
    }
    SAY("%d", order);
}

/* One of each kind of initial value. */
struct tree {
    const struct tree *left, *right;
    const char *text;
    int (*function)(int);
    ptrdiff_t number;
};
static const struct tree leaf = {NULL, NULL, "leaf" + 1, hidden_function, -5};
static struct tree writable = {&leaf, &writable, "writable", alias_of_hidden, 1L << 40};
const struct tree root = {&writable, &leaf, "root", chosen, 7};
static const char *const texts[] = {"a",
                                    "b"
                                    "c",
                                    "leaf", &"abcdef"[3]};
static int *const middle = &common_numbers[10], *const end = common_numbers + 20;
static const struct {
    unsigned low : 3, high : 5;
    char rest[3];
    short half;
} bits = {5, 17, "xy", -2};
static union {
    float number;
    uint32_t word;
} both = {.word = 0x3f800000};
static char zeros[4096], one_at_end[300] = {[299] = 1};
static wchar_t wide_text[] = L"wide";
static _Bool flags[3] = {1, 0, 1};
static int (*const *const pointer_to_pointer)(int) = &root.function;
static const uintptr_t address = (uintptr_t)&writable.number;
static const double doubles[] = {1.5, -0.0, 1e308 * 10, 3.25};

void initialised(void) {
    SAY("%s %s %s %d %d", root.text, root.left->text, root.right->text, root.function(1),
        root.left->function(1));
    SAY("%d %ld %d", root.left->right == root.left, (long)root.left->number, leaf.function(4));
    SAY("%s %s %s %s", texts[0], texts[1], texts[2], texts[3]);
    SAY("%ld %d %d %d %d", (long)(end - middle), bits.low, bits.high, bits.half, bits.rest[1]);
    SAY("%g %d %d %d", (double)both.number, zeros[4095], one_at_end[299], (int)wide_text[3]);
    SAY("%d %d %ld %d", flags[0] + flags[2] * 2, (*pointer_to_pointer)(8), (long)*(ptrdiff_t *)address >> 38,
        doubles[2] > 1e308);
}
