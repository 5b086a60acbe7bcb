#include "trace/recording_copy.h"

#include "base/os.h"
#include "trace/recording_follow.h"
#include "trace/recording_walk.h"

struct copying {
    const struct recording_file *file;
    int to;
    uint8_t *buffer;
    uint64_t *ends; /* of what is told, per chunk; 0: nothing */
};

static struct jitscope_error *put(int to, const uint8_t *bytes, uint64_t size, uint64_t offset) {
    while (size) {
        ssize_t written = os_write_at(to, bytes, size, offset);
        if (written <= 0)
            return error_system("cannot write", NULL);
        bytes += written, offset += (uint64_t)written, size -= (uint64_t)written;
    }
    return NULL;
}

static struct jitscope_error *copy_range(const struct copying *copying, uint64_t from, uint64_t end) {
    while (from < end) {
        uint64_t left = end - from, got;
        uint64_t piece = left < RECORDING_CHUNK_SIZE ? left : RECORDING_CHUNK_SIZE;
        TRY(recording_read_at(copying->file->chunks, from, copying->buffer, piece, &got));
        if (got < piece)
            return recording_is_bad(from + got, "it was cut while it was copied");
        TRY(put(copying->to, copying->buffer, piece, from));
        from += piece;
    }
    return NULL;
}

/* --- what is told of each chunk */

static void note_end(const struct copying *copying, uint64_t offset, uint64_t end) {
    const struct recording_chunks *chunks = copying->file->chunks;
    uint64_t *known = &copying->ends[(offset - chunks->first) / chunks->size];
    *known = *known > end ? *known : end;
}

static void note_ends(const struct copying *copying) {
    const struct recording_file *file = copying->file;
    const struct recording_chunks *chunks = file->chunks;
    for (uint32_t i = 0; i < file->runs.count; i++)
        note_end(copying, file->runs.data[i].offset, file->runs.data[i].offset + file->runs.data[i].bytes);
    for (uint32_t i = 0; i < chunks->seals.count; i++)
        if (chunks->seals.data[i].bytes && !recording_waits_in(file, i))
            copying->ends[i] = chunks->first + (uint64_t)i * chunks->size + sizeof(struct chunk_header) +
                               chunks->seals.data[i].bytes;
}

static struct jitscope_error *copy_chunk(const struct copying *copying, uint32_t index) {
    const struct recording_chunks *chunks = copying->file->chunks;
    uint64_t start = chunks->first + (uint64_t)index * chunks->size, end = copying->ends[index], got;
    struct chunk_header header;
    if (!end)
        return NULL;
    TRY(recording_read_at(chunks, start, (uint8_t *)&header, sizeof header, &got));
    if (got < sizeof header)
        return recording_is_bad(start + got, "it was cut while it was copied");
    if (!chunks->seals.data[index].bytes || recording_waits_in(copying->file, index))
        header = (struct chunk_header){.magic = header.magic, .thread = header.thread};
    TRY(put(copying->to, (const uint8_t *)&header, sizeof header, start));
    return copy_range(copying, start + sizeof header, end);
}

static struct jitscope_error *copy_told(struct copying *copying) {
    const struct recording_chunks *chunks = copying->file->chunks;
    struct jitscope_error *error = NULL;
    copying->ends = os_allocate_zeroed((chunks->seals.count + 1) * sizeof *copying->ends);
    if (!copying->ends)
        return error_no_memory();
    note_ends(copying);
    error = copy_range(copying, 0, chunks->first);
    for (uint32_t i = 0; i < chunks->seals.count && !error; i++)
        error = copy_chunk(copying, i);
    os_release(copying->ends);
    return error;
}

struct jitscope_error *recording_copy(const struct recording_file *file, int to) {
    struct copying copying = {.file = file, .to = to};
    if (!file->chunks)
        return put(to, file->bytes.data, file->bytes.size, 0);
    copying.buffer = os_allocate(RECORDING_CHUNK_SIZE);
    if (!copying.buffer)
        return error_no_memory();
    struct jitscope_error *error =
        file->follow ? copy_told(&copying) : copy_range(&copying, 0, file->chunks->file_size);
    os_release(copying.buffer);
    return error;
}
