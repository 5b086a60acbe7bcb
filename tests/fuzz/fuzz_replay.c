/* Runs a fuzz target over the files and folders (one deep) that it is given: what once crashed must not
 * crash again, whatever compiler and sanitizer built this. */
#include "fuzz_common.h"

#include <dirent.h>
#include <errno.h>

static unsigned files;

static void run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    /* Exactly as many bytes as there are, so that a sanitizer sees a read behind them. */
    if (size >= 0)
        data = malloc(size ? (size_t)size : 1);
    if (!data || fseek(file, 0, SEEK_SET) != 0 || fread(data, 1, (size_t)size, file) != (size_t)size) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    files++;
}

static void run_path(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) {
        if (errno != ENOENT)
            run_file(path);
        return; /* most targets have no crashers: a folder that is not there holds none */
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        run_file(name);
    }
    closedir(folder);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("%u inputs\n", files);
    return files ? 0 : 1; /* a replay of nothing proves nothing */
}
