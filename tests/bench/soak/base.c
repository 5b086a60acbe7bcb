/* What other batches refer to. */
int soak_base(int x);

int soak_base(int x) {
    return 2 * x;
}

int check_base(int x);

int check_base(int x) {
    return soak_base(x);
}
