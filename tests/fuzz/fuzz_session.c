/* A recording, replayed: its calls, inputs and answers are the file's, and so is all that the session is
 * compared with. An input is the records alone, of all chunks: header and schema are fuzz_recording's.  Half
 * of them keep their memory, as exporters have it. */
#include "fuzz_common.h"

#include "record/replay.h"

/* What was placed somewhere can be read there. */
static void read_debug_images(const struct replay *replay) {
    struct bytes image;
    unsigned sum = 0;
    for (uint32_t link = 1; link < 4; link++)
        if (replay_debug_image(replay, link, &image))
            for (size_t i = 0; i < image.size; i++)
                sum += image.data[i];
    FUZZ_HOLDS(sum < UINT32_MAX);
}

static void replay_file(const struct recording_file *file, bool keep_memory) {
    const struct replay_options options = {.keep_memory = keep_memory};
    struct replay *replay = NULL;
    struct jitscope_error *error = replay_run(file, &options, &replay);
    if (!error) {
        FUZZ_HOLDS(replay_verdict(replay) == REPLAY_IDENTICAL || replay_report(replay)[0]);
        read_debug_images(replay);
        replay_destroy(replay);
    }
    fuzz_expect_message(error);
}

/* A file with one open chunk; the records that make no sense are where its writer stopped. */
static uint8_t *make_recording(const uint8_t *records, size_t size, size_t *whole) {
    size_t length;
    const char *schema = schema_text(&length);
    size_t first = (RECORDING_PAGE + length + 7) & ~(size_t)7;
    const struct chunk_header chunk = {.magic = CHUNK_MAGIC};
    struct recording_header header = {.version = RECORDING_VERSION,
                                      .chunk_size = (uint32_t)((sizeof chunk + size + 256) & ~(size_t)7),
                                      .schema_offset = RECORDING_PAGE,
                                      .schema_size = length,
                                      .first_chunk = first};
    memcpy(header.magic, RECORDING_MAGIC, sizeof header.magic);
    header.digest = recording_header_digest(header, schema);
    *whole = first + sizeof chunk + size;
    uint8_t *file = calloc(1, *whole);
    if (!file)
        abort();
    memcpy(file, &header, sizeof header);
    memcpy(file + RECORDING_PAGE, schema, length);
    memcpy(file + first, &chunk, sizeof chunk);
    if (size)
        memcpy(file + first + sizeof chunk, records, size);
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct recording_file file;
    size_t whole;
    uint8_t *copy = make_recording(data, size, &whole);
    struct jitscope_error *error = recording_open_memory((struct bytes){copy, whole}, &file);
    if (!error) {
        replay_file(&file, size % 2);
        recording_close(&file);
    }
    fuzz_expect_message(error);
    free(copy);
    return 0;
}
