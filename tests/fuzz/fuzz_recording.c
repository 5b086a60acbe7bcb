/* A recording, through every view.  Digests are made right first: behind them is what wants testing. */
#include "fuzz_common.h"

#include "mirror/show.h"

static void mend_chunk(uint8_t *at, uint64_t room) {
    struct chunk_header chunk;
    if (room < sizeof chunk)
        return;
    memcpy(&chunk, at, sizeof chunk);
    if (chunk.magic != CHUNK_MAGIC || chunk.sealed != 1 || chunk.bytes > room - sizeof chunk)
        return;
    chunk.digest = recording_chunk_digest(chunk, at + sizeof chunk);
    memcpy(at, &chunk, sizeof chunk);
}

static void mend_digests(uint8_t *data, size_t size) {
    struct recording_header header;
    if (size < sizeof header)
        return;
    memcpy(&header, data, sizeof header);
    if (!bytes_contain((struct bytes){data, size}, header.schema_offset, header.schema_size))
        return;
    header.digest = recording_header_digest(header, data + header.schema_offset);
    memcpy(data, &header, sizeof header);
    if (header.chunk_size < sizeof(struct chunk_header))
        return;
    for (uint64_t at = header.first_chunk; at < size; at += header.chunk_size)
        mend_chunk(data + at, size - at < header.chunk_size ? size - at : header.chunk_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct recording_file file;
    static FILE *sink;
    sink = sink ? sink : fopen("/dev/null", "w");
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy || !sink)
        abort();
    if (size)
        memcpy(copy, data, size);
    mend_digests(copy, size);
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
