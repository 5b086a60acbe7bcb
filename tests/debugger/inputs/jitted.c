/* One function of many; its number is written over by the program that links it. */
int jitted_000000(int x) {
    int twice = 2 * x;
    return twice + 1;
}
