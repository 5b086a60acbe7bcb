/* Its finaliser ends the process. */
#include <signal.h>
__attribute__((destructor)) static void end(void) {
    raise(SIGKILL);
}
