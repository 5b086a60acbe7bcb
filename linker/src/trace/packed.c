#include "trace/packed.h"

#include "base/os.h"
#include "trace/zstd_memory.h"

#include <string.h>
#include <zstd.h>

enum { LEVEL = 9, OUT_SIZE = 1 << 17 };

/* zstd itself goes up to 30000:1, with a file of zeros.  Inputs are no such thing; the slack is for the
 * smallest of recordings. */
#define MOST_RATIO 1024u
#define SLACK      ((uint64_t)64 << 20)

static uint64_t most_unpacked(uint64_t packed) {
    return packed > (UINT64_MAX - SLACK) / MOST_RATIO ? UINT64_MAX : packed * MOST_RATIO + SLACK;
}

bool packed_is(struct bytes start) {
    return start.size >= 4 && load_u32(start.data) == ZSTD_MAGICNUMBER;
}

/* --- what belongs to a recording */

/* Calls FUNCTION with each part that counts, and the zeros behind it up to the next.  FILE has been read, so
 * its numbers are sound. */
typedef void (*part_function)(void *context, struct bytes part, uint64_t zeros);

static uint64_t used_of_chunk(struct bytes rest, uint64_t chunk_size) {
    struct chunk_header chunk;
    uint64_t room = rest.size < chunk_size ? rest.size : chunk_size;
    if (room < sizeof chunk)
        return 0;
    memcpy(&chunk, rest.data, sizeof chunk);
    return !chunk.magic ? 0 : chunk.sealed ? sizeof chunk + chunk.bytes : room;
}

static void each_part(const struct recording_file *file, part_function function, void *context) {
    struct recording_header header;
    memcpy(&header, file->bytes.data, sizeof header);
    uint64_t at = header.first_chunk < file->bytes.size ? header.first_chunk : file->bytes.size;
    struct bytes part = {file->bytes.data, at};
    uint64_t next = at;
    for (; at < file->bytes.size; at += header.chunk_size) {
        struct bytes rest = {file->bytes.data + at, file->bytes.size - at};
        uint64_t used = used_of_chunk(rest, header.chunk_size);
        if (used) {
            function(context, part, at - next);
            part = (struct bytes){rest.data, used};
            next = at + used;
        }
        if (rest.size <= header.chunk_size)
            break;
    }
    function(context, part, 0);
}

static void add_size(void *size, struct bytes part, uint64_t zeros) {
    *(uint64_t *)size += part.size + zeros;
}

/* --- unpacked */

struct sink {
    packed_put put;
    void *context;
};

static const uint8_t zero_bytes[4096];

static void put_part(void *context, struct bytes part, uint64_t zeros) {
    const struct sink *sink = context;
    sink->put(sink->context, part.data, part.size);
    for (uint64_t count; zeros; zeros -= count) {
        count = zeros < sizeof zero_bytes ? zeros : sizeof zero_bytes;
        sink->put(sink->context, zero_bytes, count);
    }
}

void packed_write_plain(const struct recording_file *file, packed_put put, void *context) {
    struct sink sink = {put, context};
    each_part(file, put_part, &sink);
}

/* --- packing */

struct packer {
    ZSTD_CCtx *writer;
    struct sink sink;
    uint8_t *out;
    uint64_t put;
    size_t failure; /* zstd's; it goes on as a no-op */
};

static void compress(struct packer *packer, const void *data, size_t size, ZSTD_EndDirective mode) {
    ZSTD_inBuffer in = {data, size, 0};
    size_t left = 1;
    while (!packer->failure && (in.pos < in.size || (mode == ZSTD_e_end && left))) {
        ZSTD_outBuffer out = {packer->out, OUT_SIZE, 0};
        left = ZSTD_compressStream2(packer->writer, &out, &in, mode);
        if (ZSTD_isError(left)) {
            packer->failure = left;
            return;
        }
        packer->sink.put(packer->sink.context, out.dst, out.pos);
        packer->put += out.pos;
    }
}

static void feed(void *packer, const void *data, size_t size) {
    compress(packer, data, size, ZSTD_e_continue);
}

static struct jitscope_error *pack_all(struct packer *packer, const struct recording_file *file) {
    uint64_t size = 0;
    each_part(file, add_size, &size);
    if (ZSTD_isError(ZSTD_CCtx_setParameter(packer->writer, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(packer->writer, ZSTD_c_checksumFlag, 1)) ||
        ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(packer->writer, size)))
        return error_no_memory();
    packed_write_plain(file, feed, packer);
    compress(packer, NULL, 0, ZSTD_e_end);
    if (packer->failure)
        return error_no_memory(); /* nothing else can go wrong with it */
    if (size > most_unpacked(packer->put))
        return error_create(JITSCOPE_ERROR_RECORDING,
                            "the recording is too regular to be packed: no reader would believe its size");
    return NULL;
}

struct jitscope_error *packed_write(const struct recording_file *file, packed_put put, void *context) {
    struct packer packer = {
        .writer = zstd_writer_create(), .sink = {put, context}, .out = os_allocate(OUT_SIZE)};
    struct jitscope_error *error = packer.writer && packer.out ? pack_all(&packer, file) : error_no_memory();
    ZSTD_freeCCtx(packer.writer);
    os_release(packer.out);
    return error;
}

/* --- unpacking */

struct unpacked {
    uint8_t *memory;
    uint64_t size, room;
    uint64_t most;
};

static struct jitscope_error *bad(const ZSTD_inBuffer *in, const char *what) {
    struct coordinates where = {.offset = in->pos};
    return error_at(JITSCOPE_ERROR_RECORDING, &where, "not a readable packed recording: %s", what);
}

static struct jitscope_error *grow(struct unpacked *unpacked, const ZSTD_inBuffer *in) {
    if (unpacked->size == unpacked->most)
        return bad(in, "it unpacks to more than a recording of its size can hold");
    uint64_t room = unpacked->room ? unpacked->room * 2 : (uint64_t)1 << 20;
    room = room < unpacked->most ? room : unpacked->most;
    uint8_t *grown = os_resize_table(unpacked->memory, unpacked->room, room);
    if (!grown)
        return error_no_memory();
    unpacked->memory = grown;
    unpacked->room = room;
    return NULL;
}

/* One step; *LEFT as ZSTD_decompressStream() gives it: 0 at the end of a frame. */
static struct jitscope_error *step(struct unpacked *unpacked, ZSTD_DCtx *reader, ZSTD_inBuffer *in,
                                   size_t *left) {
    if (unpacked->size == unpacked->room)
        TRY(grow(unpacked, in));
    ZSTD_outBuffer out = {unpacked->memory, unpacked->room, unpacked->size};
    size_t before = in->pos;
    *left = ZSTD_decompressStream(reader, &out, in);
    if (ZSTD_isError(*left))
        return bad(in, ZSTD_getErrorName(*left));
    if (*left && in->pos == before && out.pos == unpacked->size)
        return bad(in, "it ends early");
    bool began = unpacked->size < 8 && out.pos >= 8;
    unpacked->size = out.pos;
    if (began && memcmp(unpacked->memory, RECORDING_MAGIC, 8) != 0)
        return bad(in, "what is packed is no recording");
    return NULL;
}

static struct jitscope_error *unpack_all(struct unpacked *unpacked, ZSTD_DCtx *reader, struct bytes packed) {
    ZSTD_inBuffer in = {packed.data, packed.size, 0};
    unsigned long long announced = ZSTD_getFrameContentSize(packed.data, packed.size);
    unpacked->most = most_unpacked(packed.size);
    if (announced < ZSTD_CONTENTSIZE_ERROR && announced > unpacked->most)
        return bad(&in, "it claims an impossible size");
    size_t left = 1;
    while (left || in.pos < in.size)
        TRY(step(unpacked, reader, &in, &left));
    return NULL;
}

struct jitscope_error *packed_read(struct bytes packed, uint8_t **memory, uint64_t *size, uint64_t *room) {
    struct unpacked unpacked = {0};
    ZSTD_DCtx *reader = zstd_reader_create();
    struct jitscope_error *error = reader ? unpack_all(&unpacked, reader, packed) : error_no_memory();
    ZSTD_freeDCtx(reader);
    if (error) {
        os_release_table(unpacked.memory, unpacked.room);
        return error;
    }
    *memory = unpacked.memory;
    *size = unpacked.size;
    *room = unpacked.room;
    return NULL;
}
