/* Waits until somebody calls it; what it calls in turn nobody has. */
int nowhere(void);
int called(int n) {
    return n < 0 ? nowhere() : n + 1;
}
