/* A thread-local variable, reached as position-independent code does. */
__thread int level = 40;
static __thread char block[3000];

int raise_level(void) {
    block[level]++;
    return ++level;
}
