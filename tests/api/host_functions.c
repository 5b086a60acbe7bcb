/* A host that defines a function of the C library itself: that is the one which everybody in the process
 * calls, code in memory, too.  (With malloc it is a matter of life: what the library's strdup returns comes
 * from the host's, so that the library's own free would end the program.) */
#include "rolls.h"

__attribute__((visibility("default"))) int rand(void) {
    return 42;
}

int main(void) {
    print_rolls();
    return 0;
}
