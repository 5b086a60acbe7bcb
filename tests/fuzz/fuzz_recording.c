/* A recording, through every view.  Digests are made right first: behind them is what wants testing. */
#include "fuzz_mend.h"

#include "mirror/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct recording_file file;
    static FILE *sink;
    sink = sink ? sink : fopen("/dev/null", "w");
    uint8_t *copy = mended_copy(data, size);
    if (!sink)
        abort();
    struct jitscope_error *error = recording_open_memory((struct bytes){copy, size}, &file);
    if (!error) {
        for (uint32_t i = 0; i < view_count; i++) {
            struct show_options options = {.at = UINT64_MAX, .json = i % 2};
            fuzz_expect_message(show_print(sink, views[i].name, &file, &options));
        }
        recording_close(&file);
    }
    fuzz_expect_message(error);
    free(copy);
    return 0;
}
