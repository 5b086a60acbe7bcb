/* Initialiser, finaliser, and functions for the end. */
#include <stdlib.h>

static int state;

__attribute__((constructor)) static void begin(void) {
    state = 1;
}

__attribute__((destructor)) static void end(void) {
    state = 0;
}

static void at_end(void) {
    state++;
}

int check_lifecycle(int x);

int check_lifecycle(int x) {
    atexit(at_end);
    atexit(at_end);
    return state == 1 ? x : -1;
}
