/* Writing a .jsr file.  Chunks come out of extents that grow with the file, so that a short recording stays
 * small and a long one makes few system calls; each extent is allocated and faulted in before its first
 * record, because the first touch of a page costs fifty times as much as an append. */
#include "trace/recording.h"

#include "base/digest.h"
#include "base/os.h"
#include "trace/shared_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { LARGEST_EXTENT = 16 }; /* chunks */

struct extent {
    uint8_t *memory;
    uint64_t offset;
    uint32_t chunks;
    int guard;
};

struct recording {
    int fd;
    bool has_name; /* it had one when it was opened: no memfd */
    struct recording_header header;
    uint64_t size;
    uint32_t used;   /* chunks of the last extent */
    uint32_t mapped; /* chunks of all extents */
    VEC(struct extent) extents;
    struct chunk_header *last; /* the mapped chunk that lies last in the file */
    uint64_t appended;         /* end of the chunk that was appended last; 0: none */
};

uint64_t recording_header_digest(struct recording_header header, const void *schema) {
    header.digest = 0;
    return digest_64_seeded(schema, header.schema_size, digest_64(&header, sizeof header));
}

uint64_t recording_chunk_digest(struct chunk_header header, const void *records) {
    header.digest = 0;
    return digest_64_seeded(records, header.bytes, digest_64(&header, sizeof header));
}

static struct jitscope_error *write_all(int fd, const void *data, size_t size) {
    for (const uint8_t *at = data; size;) {
        ssize_t put = os_write(fd, at, size);
        if (put <= 0)
            return error_system("write", NULL);
        at += put;
        size -= (size_t)put;
    }
    return NULL;
}

static uint64_t round_up(uint64_t value, uint64_t to) {
    return (value + to - 1) / to * to;
}

static struct jitscope_error *write_header(struct recording *recording) {
    size_t length;
    const char *schema = schema_text(&length);
    uint8_t page[RECORDING_PAGE] = {0};
    struct recording_header header = {.version = RECORDING_VERSION,
                                      .chunk_size = RECORDING_CHUNK_SIZE,
                                      .schema_offset = RECORDING_PAGE,
                                      .schema_size = length,
                                      .first_chunk = round_up(RECORDING_PAGE + length, RECORDING_PAGE)};
    memcpy(header.magic, RECORDING_MAGIC, sizeof header.magic);
    header.digest = recording_header_digest(header, schema);
    memcpy(page, &header, sizeof header);
    recording->header = header;
    if (os_may_grow(header.first_chunk) < 0)
        return error_system("write", NULL);
    TRY(write_all(recording->fd, page, sizeof page));
    TRY(write_all(recording->fd, schema, length));
    recording->size = header.first_chunk;
    return os_resize(recording->fd, recording->size) < 0 ? error_system("ftruncate", NULL) : NULL;
}

static struct jitscope_error *recording_failed(struct jitscope_error *error, const char *path) {
    struct coordinates where = {.input = path, .offset = NO_OFFSET};
    struct jitscope_error *named =
        error_at(JITSCOPE_ERROR_RECORDING, &where, "cannot record: %s", jitscope_error_message(error));
    jitscope_error_destroy(error);
    return error_with_help(named,
                           "choose a file in a folder that exists, that you may write and that has room");
}

/* A file that is there is replaced: another process may be writing it, and a reader reading it.  What is no
 * plain file, or stands in a folder that may not be changed, is written over. */
static int open_file(const char *path) {
    int fd = os_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0 && errno == EEXIST && os_is_plain_file(path) && !os_remove(path))
        fd = os_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    return fd < 0 && errno == EEXIST ? os_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600) : fd;
}

/* For its owner alone, whatever the umask and the file before it were; but no device changes its mode. */
static struct jitscope_error *take_file(struct recording *recording) {
    uint64_t size, names;
    bool regular;
    if (os_file_size(recording->fd, &size, &regular) < 0 || os_count_names(recording->fd, &names) < 0)
        return error_system("fstat", NULL);
    recording->has_name = names;
    if (regular && os_set_mode(recording->fd, 0600) < 0)
        return error_system("fchmod", NULL);
    return write_header(recording);
}

/* PATH is NULL for a file in memory.  Others that have that one open have it for reading: their user, who
 * owns it, must not write into it by mistake. */
static struct jitscope_error *create_file(struct recording *recording, const char *path) {
    recording->fd = path ? open_file(path) : os_memory_file("jitscope-recording");
    if (recording->fd < 0)
        return error_system(path ? "open" : "memfd_create", NULL);
    TRY(take_file(recording));
    return !path && os_set_mode(recording->fd, 0400) < 0 ? error_system("fchmod", NULL) : NULL;
}

static struct jitscope_error *create(const char *path, struct recording **out) {
    struct recording *recording = os_allocate_zeroed(sizeof *recording);
    if (!recording)
        return error_no_memory();
    struct jitscope_error *error = create_file(recording, path);
    if (error)
        recording_destroy(recording);
    else
        *out = recording;
    return error;
}

struct jitscope_error *recording_create(const char *path, struct recording **out) {
    struct jitscope_error *error = create(path, out);
    return error == error_no_memory() || !error ? error : recording_failed(error, path);
}

struct jitscope_error *recording_create_in_memory(struct recording **out) {
    return create(NULL, out);
}

int recording_open_again(const struct recording *recording) {
    uint64_t size;
    bool regular;
    if (os_file_size(recording->fd, &size, &regular) < 0 || !regular)
        return -1;
    return os_reopen(recording->fd, O_RDONLY);
}

static struct jitscope_error *add_extent(struct recording *recording) {
    struct extent extent = {.offset = recording->size, .chunks = 1 + recording->mapped / 2};
    if (extent.chunks > LARGEST_EXTENT)
        extent.chunks = LARGEST_EXTENT;
    uint64_t bytes = (uint64_t)extent.chunks * RECORDING_CHUNK_SIZE;
    TRY(vec_reserve(&recording->extents, 1));
    /* Without blocks behind it a mapped page ends in SIGBUS when the disk is full. */
    if (os_may_grow(extent.offset + bytes) < 0 || os_preallocate(recording->fd, extent.offset, bytes) < 0)
        return error_system("posix_fallocate", NULL);
    extent.memory =
        os_map(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, recording->fd, (off_t)extent.offset);
    if (!extent.memory)
        return error_system("mmap", NULL);
    os_advise(extent.memory, bytes, MADV_POPULATE_WRITE);
    extent.guard = shared_pages_guard(extent.memory, bytes);
    vec_put(&recording->extents, extent);
    recording->size += bytes;
    recording->mapped += extent.chunks;
    recording->used = 0;
    return NULL;
}

static bool is_overwritten(const struct recording *recording) {
    struct recording_header header;
    return os_read_at(recording->fd, &header, sizeof header, 0) != (ssize_t)sizeof header ||
           memcmp(&header, &recording->header, sizeof header) != 0;
}

static bool has_lost_pages(const struct recording *recording) {
    for (uint32_t i = 0; i < recording->extents.count; i++)
        if (shared_pages_are_lost(recording->extents.data[i].guard))
            return true;
    return false;
}

struct jitscope_error *recording_check(const struct recording *recording) {
    uint64_t size, names;
    bool regular;
    if (os_file_size(recording->fd, &size, &regular) < 0 || os_count_names(recording->fd, &names) < 0)
        return error_system("fstat", NULL);
    if (size < recording->size)
        return error_create(JITSCOPE_ERROR_RECORDING, "somebody else has cut the file");
    if (is_overwritten(recording))
        return error_create(JITSCOPE_ERROR_RECORDING, "somebody else has written into the file");
    if (recording->has_name && !names)
        return error_create(JITSCOPE_ERROR_RECORDING, "somebody else has removed or replaced the file");
    return has_lost_pages(recording)
               ? error_create(JITSCOPE_ERROR_RECORDING, "a part of the file cannot be written any more")
               : NULL;
}

struct jitscope_error *recording_next_chunk(struct recording *recording, uint32_t thread,
                                            struct chunk_header **out) {
    TRY(recording_check(recording));
    if (!recording->extents.count ||
        recording->used == recording->extents.data[recording->extents.count - 1].chunks)
        TRY(add_extent(recording));
    const struct extent *extent = &recording->extents.data[recording->extents.count - 1];
    struct chunk_header *chunk =
        (struct chunk_header *)(void *)(extent->memory + (size_t)recording->used++ * RECORDING_CHUNK_SIZE);
    chunk->thread = thread;
    __atomic_store_n(&chunk->magic, CHUNK_MAGIC, __ATOMIC_RELEASE);
    recording->last = chunk;
    *out = chunk;
    return NULL;
}

static struct jitscope_error *write_at(int fd, const uint8_t *data, size_t size, uint64_t offset) {
    while (size) {
        ssize_t put = os_write_at(fd, data, size, offset);
        if (put <= 0)
            return error_system("write", NULL);
        data += put;
        size -= (size_t)put;
        offset += (uint64_t)put;
    }
    return NULL;
}

struct jitscope_error *recording_append_chunk(struct recording *recording, const struct chunk_header *chunk) {
    TRY(recording_check(recording));
    if (os_may_grow(recording->size + RECORDING_CHUNK_SIZE) < 0)
        return error_system("write", NULL);
    TRY(write_at(recording->fd, (const uint8_t *)chunk, RECORDING_CHUNK_SIZE, recording->size));
    recording->size += RECORDING_CHUNK_SIZE;
    recording->appended = recording->size;
    return NULL;
}

void recording_seal_chunk(struct chunk_header *chunk, const uint8_t *end, uint64_t end_sequence,
                          uint32_t count) {
    const uint8_t *records = (const uint8_t *)(chunk + 1);
    chunk->bytes = (uint64_t)(end - records);
    chunk->end_sequence = end_sequence;
    chunk->count = count;
    struct chunk_header sealed = *chunk;
    sealed.sealed = 1;
    chunk->digest = recording_chunk_digest(sealed, records);
    __atomic_store_n(&chunk->sealed, 1, __ATOMIC_RELEASE);
}

static void cut_unused(const struct recording *recording) {
    const struct chunk_header *chunk = recording->last;
    struct jitscope_error *error = recording->fd < 0 ? NULL : recording_check(recording);
    bool sound = !error;
    jitscope_error_destroy(error);
    if (!sound || !chunk || !chunk->sealed)
        return;
    const struct extent *last = &recording->extents.data[recording->extents.count - 1];
    uint64_t end =
        last->offset + (uint64_t)((const uint8_t *)chunk - last->memory) + sizeof *chunk + chunk->bytes;
    end = end > recording->appended ? end : recording->appended;
    if (os_resize(recording->fd, end) < 0)
        errno = 0; /* the file keeps its unused tail, which readers skip */
}

void recording_abandon(struct recording *recording) {
    if (!recording)
        return;
    for (uint32_t i = 0; i < recording->extents.count; i++) {
        const struct extent *extent = &recording->extents.data[i];
        shared_pages_release(extent->guard);
        os_unmap(extent->memory, (size_t)extent->chunks * RECORDING_CHUNK_SIZE);
    }
    vec_destroy(&recording->extents);
    if (recording->fd >= 0)
        os_close(recording->fd);
    os_release(recording);
}

void recording_destroy(struct recording *recording) {
    if (recording)
        cut_unused(recording);
    recording_abandon(recording);
}
