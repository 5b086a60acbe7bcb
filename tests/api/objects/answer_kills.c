#include <signal.h>
__attribute__((constructor)) static void begin(void) {
    raise(SIGKILL);
}
int answer(void) {
    return 1;
}
