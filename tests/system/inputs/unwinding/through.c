/* A frame between others: calls the first of NEXT with the others. */
typedef int (*step_function)(const void *next);
int through(const step_function *next);

int through(const step_function *next) {
    return next[0](next + 1) + 1;
}
