/* How many mappings this process has, by proc(5). */
#ifndef MAPPINGS_H
#define MAPPINGS_H

#include <stdio.h>

static inline long count_mappings(void) {
    long count = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    for (int byte; file && (byte = getc(file)) != EOF;)
        count += byte == '\n';
    if (file)
        fclose(file);
    return count;
}

#endif
