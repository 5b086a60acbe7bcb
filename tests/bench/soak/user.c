/* Refers to an earlier batch, which cannot go while this one is there. */
extern int soak_base(int x);

int check_user(int x);

int check_user(int x) {
    return soak_base(x) + 1;
}
