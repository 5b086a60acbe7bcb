/* Who wants an answer ends the process. */
#include <stdlib.h>
__attribute__((constructor)) static void begin(void) {
    exit(5);
}
int answer(void) {
    return 1;
}
