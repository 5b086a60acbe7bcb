/* Common symbols, weak definitions, weak references to what nobody has. */
int soak_common[1000];
extern int soak_nobody(int) __attribute__((weak));

__attribute__((weak)) int soak_weak(int x) {
    return x + 3;
}

int check_common(int x);

int check_common(int x) {
    int before = soak_common[x & 511];
    soak_common[x & 511] = x;
    return before ? -1 : (soak_nobody ? -2 : soak_weak(soak_common[x & 511]));
}
