int count;

__attribute__((noplt)) int step(void);

int step(void) {
    return ++count;
}

/* A load, a call and a jump, each through the GOT. */
int bump(void) {
    count = 5;
    step();
    return step();
}
