/* Thread-local variables by the dynamic models. */
__thread int soak_level = 40;
static __thread char soak_block[3000];

int check_locals(int x);

int check_locals(int x) {
    soak_block[x & 1023] = 1;
    soak_level++;
    return soak_level > 40 && soak_block[x & 1023] == 1 && !soak_block[2999] ? x : -1;
}
