/* Compiled with -fno-pie: 32-bit absolute addresses of code and data. */
#include <string.h>
#include <unistd.h>

static const char *const words[] = {"plain ", "code ", "below ", "2 GiB\n"};
static int numbers[100];

static int pick(int i) {
    return numbers[i];
}

int main(void) {
    int (*function)(int) = pick;
    for (int i = 0; i < 100; i++)
        numbers[i] = i;
    for (int i = 0; i < 4; i++)
        if (write(1, words[i], strlen(words[i])) < 0)
            return 1;
    return function(17);
}
