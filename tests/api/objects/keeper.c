/* A hidden function behind a default one; and what it leaves for the end, said when it happens. */
#include <stdlib.h>

extern int host_say(const char *text);

__attribute__((visibility("hidden"))) int secret(void) {
    return 42;
}

int open_door(void) {
    return secret();
}

static void registered(void) {
    host_say("atexit function");
}

__attribute__((constructor)) static void begin(void) {
    atexit(registered);
}

__attribute__((destructor)) static void end(void) {
    host_say("finaliser");
}
