/* Calls into a shared library. */
extern int fib(int n);

int sum(void) {
    return fib(8) + fib(9);
}
