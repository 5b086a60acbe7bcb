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

/* --- mutations that know what records are: fields, whole records, their order */

#ifdef JITSCOPE_FUZZING
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

enum { MOST_RECORDS = 4096 };
struct records {
    size_t at[MOST_RECORDS + 1]; /* ends with where the last one ends */
    unsigned count;
};

static uint32_t load(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void find_records(const uint8_t *data, size_t size, struct records *records) {
    size_t at = 0;
    records->count = 0;
    while (size - at >= 4 && records->count < MOST_RECORDS) {
        size_t length = EVENT_HEADER_SIZE(load(data + at));
        if (length < 4 || length > size - at)
            break;
        records->at[records->count++] = at;
        at += length;
    }
    records->at[records->count] = at;
}

static unsigned next(unsigned *state) {
    return *state = *state * 1103515245 + 12345, *state >> 8;
}

/* Numbers of things that are there, or nearly; sizes that overflow. */
static uint32_t interesting(unsigned *state, uint32_t old) {
    static const uint32_t values[] = {0,          1,          2,          3,          4,
                                      7,          8,          4095,       4096,       0x7fffffff,
                                      0x80000000, 0xffffffff, 0xfffffffe, 0xfffff000, 0x00ffffff,
                                      1u << 24,   0x10000,    0xfff0,     0x3fffffff};
    unsigned choice = next(state) % 4;
    return choice == 0   ? old + 1
           : choice == 1 ? old - 1
           : choice == 2 ? old ^ 1u << next(state) % 32
                         : values[next(state) % (sizeof values / sizeof *values)];
}

static void mutate_field(uint8_t *record, size_t length, unsigned *state) {
    size_t fields = length / 4 < 20 ? length / 4 : 20; /* of contents, the beginning */
    if (fields < 2)
        return;
    uint8_t *field = record + 4 * (1 + next(state) % (fields - 1));
    uint32_t value = interesting(state, load(field));
    memcpy(field, &value, sizeof value);
}

/* One record again somewhere else, perhaps with another in its place. */
static size_t copy_record(uint8_t *data, size_t size, size_t most, const struct records *records,
                          unsigned *state) {
    unsigned from = next(state) % records->count, to = next(state) % records->count;
    size_t length = records->at[from + 1] - records->at[from], place = records->at[to];
    uint8_t *copy = size + length <= most ? malloc(length) : NULL;
    if (!copy)
        return size;
    memcpy(copy, data + records->at[from], length);
    memmove(data + place + length, data + place, size - place);
    memcpy(data + place, copy, length);
    free(copy);
    return size + length;
}

static size_t drop_record(uint8_t *data, size_t size, const struct records *records, unsigned *state) {
    unsigned which = next(state) % records->count;
    memmove(data + records->at[which], data + records->at[which + 1], size - records->at[which + 1]);
    return size - (records->at[which + 1] - records->at[which]);
}

/* Bytes inside one content: the input itself. */
static void mutate_content(uint8_t *data, const struct records *records, unsigned *state) {
    for (unsigned tries = 0; tries < 64; tries++) {
        unsigned which = next(state) % records->count;
        uint8_t *record = data + records->at[which];
        size_t length = records->at[which + 1] - records->at[which];
        if (EVENT_HEADER_ID(load(record)) != EVENT_ID_content || length <= sizeof(struct event_content))
            continue;
        uint8_t *bytes = record + sizeof(struct event_content);
        size_t count = length - sizeof(struct event_content);
        size_t part = next(state) % count, most = count - part < 64 ? count - part : 64;
        LLVMFuzzerMutate(bytes + part, most, most);
        return;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed) {
    static struct records records;
    unsigned state = seed;
    for (unsigned rounds = 1 + next(&state) % 3; rounds--;) {
        find_records(data, size, &records);
        unsigned choice = records.count ? next(&state) % 16 : 15, which;
        if (choice < 8) {
            which = next(&state) % records.count;
            mutate_field(data + records.at[which], records.at[which + 1] - records.at[which], &state);
        } else if (choice < 10) {
            size = copy_record(data, size, most, &records, &state);
        } else if (choice < 12) {
            size = drop_record(data, size, &records, &state);
        } else if (choice < 15) {
            mutate_content(data, &records, &state);
        } else {
            size = LLVMFuzzerMutate(data, size, most);
        }
    }
    return size;
}
#endif

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
