/* The object that the debugger benchmark links copies of: a function with a type, parameters and variables to
 * look at.  Each copy gets its own number in place of the digits, wherever they stand. */
struct pair {
    int first, second;
};

int function_000000(int x);

int function_000000(int x) {
    struct pair pair = {x, 2 * x};
    return pair.first + pair.second + 1;
}
