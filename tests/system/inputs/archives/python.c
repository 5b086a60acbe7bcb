/* The interpreter of libpython3.11-pic.a, as Debian's python3.11 runs it. */
#include <Python.h>

int main(int argc, char **argv) {
    return Py_BytesMain(argc, argv);
}
