/* An indirect function: its resolver runs at each link. */
static int one(int x) {
    return x + 1;
}

static int other(int x) {
    return x + 2;
}

static volatile int choice = 1;

static int (*choose(void))(int) {
    return choice ? one : other;
}

__attribute__((ifunc("choose"))) int soak_chosen(int x);
int (*volatile soak_pointer)(int) = soak_chosen;

int check_ifunc(int x);

int check_ifunc(int x) {
    return soak_chosen(x) + soak_pointer(x);
}
