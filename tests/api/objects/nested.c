/* A nested function whose address leaves the one around it: gcc puts a trampoline on the stack. */
int host_call(int (*function)(int), int argument);

int sum_to(int last) {
    int sum = 0;
    int add(int number) {
        return sum += number;
    }
    for (int i = 1; i <= last; i++)
        host_call(add, i);
    return sum;
}
