#define _GNU_SOURCE
#include "parts.h"
#include <alloca.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static ucontext_t caller, generators[3];
static int yielded;

static void generate(int number, int count) {
    for (int i = 0; i < count; i++) {
        yielded = number * 100 + i;
        swapcontext(&generators[number], &caller);
    }
    yielded = -number;
}

void contexts(void) {
    enum { SIZE = 1 << 16 };
    char *memory = malloc(3 * SIZE);
    for (int i = 0; i < 3; i++) {
        getcontext(&generators[i]);
        generators[i].uc_stack.ss_sp = memory + i * SIZE;
        generators[i].uc_stack.ss_size = SIZE;
        generators[i].uc_link = &caller;
        makecontext(&generators[i], (void (*)(void))generate, 2, i, 2);
    }
    for (int i = 0; i < 9; i++) {
        swapcontext(&caller, &generators[i % 3]);
        SAY("%d", yielded);
    }
    free(memory);
}

/* A small machine, with addresses and with distances of labels. */
static int interpret(const unsigned char *code, int value) {
    static const void *const places[] = {&&add, &&twice, &&stop, &&less};
    static const int distances[] = {&&add - &&add, &&twice - &&add, &&stop - &&add, &&less - &&add};
    goto *places[*code++];
add:
    value += *code++;
    goto *places[*code++];
twice:
    value *= 2;
    goto *(&&add + distances[*code++]);
less:
    value--;
    goto *(&&add + distances[*code++]);
stop:
    return value;
}

void gotos(void) {
    static const unsigned char code[] = {0, 5, 1, 3, 1, 0, 7, 3, 3, 2};
    SAY("%d", interpret(code, 2));
}

static __attribute__((noinline)) const char *name_of(int number) {
    switch (number) {
    case 0:
        return "zero";
    case 1:
        return "one";
    case 2:
        return "two";
    case 3:
        return "three";
    case 4:
        return "four";
    case 7:
        return "seven";
    case 8:
        return "eight";
    case 9:
        return "nine";
    default:
        return "many";
    }
}

static __attribute__((noinline)) int step(int number, int *state) {
    switch (number) {
    case -3:
        *state += 1;
        return 2;
    case -2:
        *state *= 3; /* falls through */
    case -1:
        *state -= 4;
        return 1;
    case 0:
        return puts("nothing") > 0;
    case 1:
        *state ^= 0x55;
        return number;
    case 2:
        return depth(2, NULL, NULL);
    case 3:
        *state = sum_of("ii", *state, number);
        return 3;
    case 5:
        return *state;
    default:
        *state = 0;
        return -1;
    }
}

void switches(void) {
    int state = 1;
    for (int i = -5; i < 12; i++) {
        int result = step(i, &state);
        SAY("%s %d %d", name_of(i), result, state);
    }
}

static int call_twice(void *context, int argument) {
    int *calls = context;
    ++*calls;
    return argument * 2;
}

void arguments(void) {
    int calls = 0;
    SAY("%d", sum_of("iildsLp", 1, -2, 3L, 4.5, "12345", 6.25L, (void *)&calls));
    SAY("%d", sum_of("dddddddddddd", 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12.));
    SAY("%d %d", apply(call_twice, &calls, 21), calls);
    for (int i = 0; shapes[i]; i++)
        SAY("%s %d", shapes[i]->name, shapes[i]->area(shapes[i]));
}

static __attribute__((noinline)) int fill(int size) {
    int numbers[size], sum = 0;
    char *more = alloca((size_t)size * 3 + 1);
    memset(more, 1, (size_t)size * 3 + 1);
    for (int i = 0; i < size; i++)
        numbers[i] = i;
    for (int i = 0; i < size; i++)
        sum += numbers[i] + more[i * 3];
    return sum + (int)((uintptr_t)more % 16) + (int)((uintptr_t)numbers % 4);
}

void stacks(void) {
    char large[70000] __attribute__((aligned(128)));
    memset(large, 2, sizeof(large));
    SAY("%d %d %d %d", fill(1), fill(1000), fill(50000), large[69999] + (int)((uintptr_t)large % 128));
}
