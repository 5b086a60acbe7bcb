/* The object that the benchmark's generated inputs are copies of: a function that calls three others and
 * reads two globals through the GOT, a node of data, unwind information.  bench_input.c gives each copy its
 * own numbers in place of the last digits here, and its own value. */
struct node {
    unsigned long value;
    unsigned long (*function)(unsigned long);
};

extern struct node node_00000004, node_00000005;
unsigned long function_00000000(unsigned long depth);
unsigned long function_00000001(unsigned long depth);
unsigned long function_00000002(unsigned long depth);
unsigned long function_00000003(unsigned long depth);

struct node node_00000000 = {0x5e1f5e1f5e1f5e1f, function_00000000};

unsigned long function_00000000(unsigned long depth) {
    if (!depth)
        return node_00000004.value ^ node_00000005.value;
    unsigned long sum =
        function_00000001(depth - 1) + function_00000002(depth - 1) + function_00000003(depth - 1);
    return sum + node_00000004.value + node_00000005.value;
}
