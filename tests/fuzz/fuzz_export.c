/* A recording, in every format that it can be exported to.  Memory reads as bytes made of its addresses, as
 * far as a replay could have had so much of it. */
#include "fuzz_mend.h"

#include "export/export.h"

#include <unistd.h>

static char folder[] = "/tmp/jitscope-fuzz-XXXXXX"; /* of formats that are one */

enum { MOST_MEMORY = 1 << 22 };

static bool read_memory(void *context, uint64_t address, void *buffer, size_t size) {
    uint64_t *left = context;
    if (size > *left)
        return false;
    *left -= size;
    memset(buffer, (int)(address & 0xff), size);
    return true;
}

static struct jitscope_error *export_all(const struct recording_file *file) {
    struct mirror mirror;
    uint64_t left = MOST_MEMORY;
    TRY(mirror_load(&mirror, file, UINT64_MAX));
    struct export_source source = {.file = file, .mirror = &mirror, .read = read_memory, .context = &left};
    for (size_t i = 0; i < export_format_count; i++) {
        bool is_folder = export_formats[i].output == EXPORT_FOLDER;
        fuzz_expect_message(export_write(&export_formats[i], &source, is_folder ? folder : "/dev/null"));
    }
    mirror_destroy(&mirror);
    return NULL;
}

static void empty_folder(void) {
    static const char *const names[] = {"metadata", "stream"};
    char path[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
}

static void remove_folder(void) {
    rmdir(folder);
}

/* Once a process. */
static void make_folder(void) {
    static bool made;
    if (!made && (!mkdtemp(folder) || atexit(remove_folder)))
        abort();
    made = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct recording_file file;
    uint8_t *copy = mended_copy(data, size);
    struct jitscope_error *error = recording_open_memory((struct bytes){copy, size}, &file);
    if (!error) {
        make_folder();
        error = export_all(&file);
        empty_folder();
        recording_close(&file);
    }
    fuzz_expect_message(error);
    free(copy);
    return 0;
}
