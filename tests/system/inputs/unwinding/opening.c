/* Opens a library and runs its main, as jitscope runs what it has linked. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **words) {
    int (*function)(int, char **);
    void *library = dlopen(words[1], RTLD_NOW), *symbol = library ? dlsym(library, "main") : NULL;
    if (!symbol) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    memcpy(&function, &symbol, sizeof function);
    return function(count - 1, words + 1);
}
