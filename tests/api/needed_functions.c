/* A host that needs a library which defines functions of the C library, as allocators and sanitizers do, and
 * names it before that one: everybody in the process calls these, code in memory, too.  (What the C library's
 * strdup returns comes from such an allocator, so that the C library's own free would end the program.) */
#include "rolls.h"

int main(void) {
    printf("rand() = %d\n", rand());
    print_rolls();
    return 0;
}
