/* write_objects INPUT FOLDER: the objects of an input as files 00000.o upwards, for linkers that read files;
 * prints the entry, its argument and what it must return. */
#include "bench_input.h"

#include <stdio.h>

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: %s INPUT FOLDER\n", arguments[0]);
        return 2;
    }
    struct bench_input input = bench_input_load(arguments[1]);
    for (size_t i = 0; i < input.count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%05zu.o", arguments[2], i);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(input.objects[i].data, 1, input.objects[i].size, file) != input.objects[i].size ||
            fclose(file)) {
            perror(path);
            return 1;
        }
    }
    printf("%s %llu %llu\n", input.entry, (unsigned long long)input.argument,
           (unsigned long long)input.expected);
    bench_input_destroy(&input);
    return 0;
}
