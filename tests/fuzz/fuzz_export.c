/* A recording, in every format that it can be exported to.  Memory reads as bytes made of its addresses, as
 * far as a replay could have had so much of it. */
#include "fuzz_mend.h"

#include "base/os.h"
#include "export/export.h"

enum { MOST_MEMORY = 1 << 22 };

static bool read_memory(void *context, uint64_t address, void *buffer, size_t size) {
    uint64_t *left = context;
    if (size > *left)
        return false;
    *left -= size;
    memset(buffer, (int)(address & 0xff), size);
    return true;
}

static struct jitscope_error *export_all(const struct recording_file *file, const char *folder) {
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

/* Made once a process, and left: libFuzzer says nothing at its end. */
static const char *sink_folder(void) {
    static char folder[] = "/tmp/jitscope-fuzz-XXXXXX";
    static bool made;
    if (!made && !mkdtemp(folder))
        abort();
    made = true;
    return folder;
}

static void empty_folder(const char *folder) {
    char path[64];
    static const char *const names[] = {"metadata", "stream"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct recording_file file;
    uint8_t *copy = mended_copy(data, size);
    struct jitscope_error *error = recording_open_memory((struct bytes){copy, size}, &file);
    if (!error) {
        error = export_all(&file, sink_folder());
        empty_folder(sink_folder());
        recording_close(&file);
    }
    fuzz_expect_message(error);
    free(copy);
    return 0;
}
