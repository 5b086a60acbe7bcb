/* A function of every day: constants, data, calls to the C library. */
#include <stdio.h>
#include <string.h>

static int calls;
static const char *const names[] = {"zero", "one", "two", "three"};

int check_plain(int x);

int check_plain(int x) {
    char text[32];
    calls++;
    snprintf(text, sizeof text, "%s", names[x & 3]);
    return (int)strlen(text) * 1000 + calls;
}
