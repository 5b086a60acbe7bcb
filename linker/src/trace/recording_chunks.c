#include "trace/recording_chunks.h"

#include "base/os.h"

#include <string.h>
#include <sys/mman.h>

enum { PIECE = RECORDING_CHUNK_SIZE, SMALLEST_ON_DEMAND = 1 << 12, LARGEST_ON_DEMAND = 1 << 20 };

struct jitscope_error *recording_chunks_create(int fd, struct recording_file *file) {
    struct recording_chunks *chunks = os_allocate_zeroed(sizeof *chunks);
    bool regular;
    if (!chunks) {
        os_close(fd);
        return error_no_memory();
    }
    file->chunks = chunks;
    chunks->fd = fd;
    if (os_file_size(fd, &chunks->file_size, &regular) < 0)
        return error_system("cannot read", NULL);
    if (!chunks->file_size || !regular)
        return error_at(JITSCOPE_ERROR_RECORDING, &(struct coordinates){.offset = 0},
                        "not a readable recording: an empty or special file");
    chunks->room = chunks->file_size;
    chunks->memory = os_map(NULL, chunks->room, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!chunks->memory)
        return error_no_memory();
    file->bytes.data = chunks->memory;
    return NULL;
}

void recording_chunks_destroy(struct recording_chunks *chunks) {
    if (!chunks)
        return;
    if (chunks->memory)
        os_unmap(chunks->memory, chunks->room);
    for (uint32_t i = 0; i < chunks->seals.count; i++)
        os_release(chunks->seals.data[i].memory);
    os_release(chunks->buffer);
    vec_destroy(&chunks->seals);
    arena_destroy(&chunks->texts);
    os_close(chunks->fd);
    os_release(chunks);
}

/* --- opening */

struct jitscope_error *recording_read_at(const struct recording_chunks *chunks, uint64_t offset,
                                         uint8_t *buffer, uint64_t size, uint64_t *got) {
    for (*got = 0; *got < size;) {
        ssize_t count = os_read_at(chunks->fd, buffer + *got, size - *got, offset + *got);
        if (count < 0)
            return error_system("read", NULL);
        if (!count)
            break;
        *got += (uint64_t)count;
    }
    return NULL;
}

/* In pieces, so that what comes in is checked while the processor's caches hold it. */
struct jitscope_error *recording_fill(struct recording_file *file, uint64_t end) {
    struct recording_chunks *chunks = file->chunks;
    while (chunks && file->bytes.size < end && !chunks->has_ended) {
        uint64_t at = file->bytes.size, left = chunks->file_size - at, got;
        uint64_t piece = end - at < PIECE ? PIECE : end - at;
        piece = piece < left ? piece : left;
        TRY(recording_read_at(chunks, at, chunks->memory + at, piece, &got));
        chunks->has_ended = got < piece || piece == left;
        file->bytes.size += got;
    }
    return NULL;
}

struct jitscope_error *recording_read_on_demand(struct recording_file *file,
                                                const struct recording_header *header, uint64_t whole) {
    struct recording_chunks *chunks = file->chunks;
    if (!chunks || chunks->file_size <= whole || header->chunk_size < SMALLEST_ON_DEMAND ||
        header->chunk_size > LARGEST_ON_DEMAND)
        return NULL;
    chunks->buffer = os_allocate(header->chunk_size);
    chunks->first = header->first_chunk;
    chunks->size = header->chunk_size;
    chunks->on_demand = true;
    return chunks->buffer ? NULL : error_no_memory();
}

struct jitscope_error *recording_peek(struct recording_file *file, uint64_t offset, uint64_t size,
                                      const uint8_t **bytes, uint64_t *got) {
    struct recording_chunks *chunks = file->chunks;
    if (!chunks || !chunks->on_demand) {
        TRY(recording_fill(file, offset + size));
        *got = file->bytes.size > offset ? file->bytes.size - offset : 0;
        *got = *got < size ? *got : size;
        *bytes = file->bytes.data + offset;
        return NULL;
    }
    TRY(recording_read_at(chunks, offset, chunks->buffer, size, got));
    file->bytes.size = *got ? offset + *got : file->bytes.size;
    *bytes = chunks->buffer;
    return NULL;
}

const uint8_t *recording_keep(struct recording_file *file, uint64_t offset, uint64_t size) {
    struct recording_chunks *chunks = file->chunks;
    if (!chunks || !chunks->on_demand)
        return file->bytes.data + offset;
    uint8_t *memory = os_allocate(chunks->size);
    if (memory)
        memcpy(memory, chunks->buffer, size);
    chunks->seals.data[(offset - chunks->first) / chunks->size].memory = memory;
    return memory;
}

/* --- reading again */

static bool load(struct recording_chunks *chunks, uint32_t index, uint8_t *memory) {
    const struct chunk_seal *seal = &chunks->seals.data[index];
    uint64_t offset = chunks->first + (uint64_t)index * chunks->size, got;
    struct chunk_header header;
    struct jitscope_error *error =
        recording_read_at(chunks, offset, memory, sizeof header + seal->bytes, &got);
    bool good = !error && got == sizeof header + seal->bytes;
    jitscope_error_destroy(error);
    if (good) {
        memcpy(&header, memory, sizeof header);
        good = header.digest == seal->digest && header.bytes == seal->bytes &&
               recording_chunk_digest(header, memory + sizeof header) == seal->digest;
    }
    if (!good)
        chunks->lost_at = offset;
    return good;
}

static uint8_t *load_to_stay(struct recording_chunks *chunks, uint32_t index) {
    uint8_t *memory = os_allocate(chunks->size);
    if (!memory || !load(chunks, index, memory)) {
        chunks->lost_at = chunks->first + (uint64_t)index * chunks->size;
        os_release(memory);
        return NULL;
    }
    return chunks->seals.data[index].memory = memory;
}

/* Chunks take turns in the slots; slots without memory are empty. */
static uint8_t *load_in_window(struct recording_chunks *chunks, struct event_window *window, uint32_t index) {
    for (uint32_t i = 0; i < WINDOW_CHUNKS; i++)
        if (window->slots[i].memory && window->slots[i].chunk == index)
            return window->slots[i].memory;
    uint32_t slot = window->next++ % WINDOW_CHUNKS;
    uint8_t *memory = window->slots[slot].memory;
    window->slots[slot].memory = NULL;
    memory = memory ? memory : os_allocate(chunks->size);
    if (!memory || !load(chunks, index, memory)) {
        chunks->lost_at = chunks->first + (uint64_t)index * chunks->size;
        os_release(memory);
        return NULL;
    }
    window->slots[slot].memory = memory;
    window->slots[slot].chunk = index;
    window->loads++;
    return memory;
}

/* Many threads that take short turns would read each chunk again for each turn: then chunks stay. */
static bool is_worth_while(const struct recording_chunks *chunks, const struct event_window *window) {
    return window && window->loads / 8 <= chunks->seals.count;
}

const uint8_t *recording_bytes(const struct recording_file *file, struct event_window *window,
                               uint64_t offset) {
    struct recording_chunks *chunks = file->chunks;
    if (!chunks || !chunks->on_demand)
        return file->bytes.data + offset;
    uint32_t index = (uint32_t)((offset - chunks->first) / chunks->size);
    uint64_t start = chunks->first + (uint64_t)index * chunks->size;
    struct chunk_seal *seal = &chunks->seals.data[index];
    bool stays = !is_worth_while(chunks, window);
    seal->stays |= stays;
    if (seal->memory)
        return seal->memory + (offset - start);
    if (chunks->lost_at)
        return NULL;
    const uint8_t *memory = stays ? load_to_stay(chunks, index) : load_in_window(chunks, window, index);
    return memory ? memory + (offset - start) : NULL;
}

void event_window_destroy(struct event_window *window) {
    for (uint32_t i = 0; i < WINDOW_CHUNKS; i++)
        os_release(window->slots[i].memory);
    *window = (struct event_window){0};
}

struct jitscope_error *recording_failure(const struct recording_file *file) {
    if (!file->chunks || !file->chunks->lost_at)
        return NULL;
    struct coordinates where = {.offset = file->chunks->lost_at};
    return error_with_help(error_at(JITSCOPE_ERROR_RECORDING, &where,
                                    "the recording was changed, or cannot be read any more, since it was "
                                    "opened"),
                           "leave the file alone while it is shown, or show a copy");
}
