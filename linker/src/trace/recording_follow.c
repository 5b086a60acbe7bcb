#include "trace/recording_follow.h"

#include "base/os.h"
#include "trace/recording_walk.h"

#include <fcntl.h>
#include <string.h>

enum {
    PER_REFRESH = 4 << 20, /* bytes */
    FIRST_PIECE = 512,     /* what is read to see how far records are published: mostly nothing is new */
    PIECE = 16 << 10,      /* and then */
    MOST_UNUSED = 4096,    /* chunks: no writer allocates so many before it uses them */
};

/* A chunk that is being written: read up to walk.at. */
struct open_chunk {
    struct walk walk;
    uint32_t index;
    bool is_sealed; /* and all of it is read */
};

struct recording_follow {
    VEC(struct open_chunk) open; /* by place in the file, nearly */
    VEC(uint32_t) unused;        /* chunks that nobody uses yet, by place */
    recording_runs found;        /* by this refresh */
    recording_runs waiting;      /* for runs before them; in order */
    uint64_t waiting_events;
    uint64_t settled;
    uint64_t budget; /* bytes that this refresh may still bring in */
    bool is_gone, has_ended;
};

void recording_follow_destroy(struct recording_follow *follow) {
    if (!follow)
        return;
    vec_destroy(&follow->open);
    vec_destroy(&follow->unused);
    vec_destroy(&follow->found);
    vec_destroy(&follow->waiting);
    os_release(follow);
}

static struct jitscope_error *was_cut(uint64_t offset) {
    struct coordinates where = {.offset = offset};
    return error_with_help(
        error_at(JITSCOPE_ERROR_RECORDING, &where, "somebody has cut the recording while it was followed"),
        "leave the file alone while it is shown");
}

/* --- bytes */

static uint64_t start_of(const struct recording_chunks *chunks, uint32_t index) {
    return chunks->first + (uint64_t)index * chunks->size;
}

/* Of a chunk, that the file has. */
static uint64_t bytes_of(const struct recording_chunks *chunks, uint64_t start) {
    uint64_t left = chunks->file_size > start ? chunks->file_size - start : 0;
    return left < chunks->size ? left : chunks->size;
}

/* Whatever the kernel copies in which order: the fields of a seal are read after it was seen. */
static struct jitscope_error *read_chunk_header(const struct recording_chunks *chunks, uint64_t start,
                                                struct chunk_header *header) {
    uint64_t got;
    *header = (struct chunk_header){0};
    TRY(recording_read_at(chunks, start, (uint8_t *)header, sizeof *header, &got));
    if (got == sizeof *header && header->sealed)
        TRY(recording_read_at(chunks, start, (uint8_t *)header, sizeof *header, &got));
    if (got < sizeof *header || !header->magic)
        *header = (struct chunk_header){0};
    if (header->magic && header->magic != CHUNK_MAGIC)
        return recording_is_bad(start, "no chunk where one should be");
    if (header->sealed > 1)
        return recording_is_bad(start, "a chunk that is neither open nor sealed");
    if (header->sealed && header->bytes > chunks->size - sizeof *header)
        return recording_is_bad(start, "a chunk that is longer than a chunk can be");
    return NULL;
}

/* From where the walk is to END, to its place in the chunk's MEMORY. */
static struct jitscope_error *read_on(struct recording_file *file, const struct walk *walk, uint8_t *memory,
                                      uint64_t end) {
    struct recording_follow *follow = file->follow;
    uint64_t size = end - walk->at, got;
    TRY(recording_read_at(file->chunks, walk->at, memory + (walk->at - walk->start), size, &got));
    follow->budget -= size < follow->budget ? size : follow->budget;
    return got < size ? was_cut(walk->at + got) : NULL;
}

/* --- open chunks */

/* How far records are published.  Their headers are looked at first, and all they say is read after that. */
static struct jitscope_error *find_published(struct recording_file *file, const struct walk *walk,
                                             uint8_t *memory, uint64_t *end) {
    bool stops = false;
    *end = walk->at;
    while (!stops && *end < walk->end) {
        uint64_t before = *end, left = walk->end - before, got;
        uint64_t piece = before == walk->at ? FIRST_PIECE : PIECE;
        TRY(recording_read_at(file->chunks, before, memory + (before - walk->start),
                              left < piece ? left : piece, &got));
        *end = walk_published(walk, before, before + got, &stops);
        stops |= *end == before;
    }
    return NULL;
}

static struct jitscope_error *take_published(struct recording_file *file, struct open_chunk *chunk) {
    struct walk *walk = &chunk->walk;
    uint8_t *memory = file->chunks->seals.data[chunk->index].memory;
    uint64_t end;
    walk->end = walk->start + bytes_of(file->chunks, walk->start);
    if (walk->end < walk->at)
        return was_cut(walk->end);
    TRY(find_published(file, walk, memory, &end));
    if (end == walk->at)
        return NULL;
    TRY(read_on(file, walk, memory, end));
    walk->end = end;
    return walk_records(walk, false);
}

/* What was given out of it stays only for those who may have kept pointers. */
static void close_chunk(struct recording_file *file, struct open_chunk *chunk,
                        const struct chunk_header *header) {
    struct chunk_seal *seal = &file->chunks->seals.data[chunk->index];
    seal->digest = header->digest;
    seal->bytes = header->bytes;
    chunk->is_sealed = true;
    if (seal->stays)
        return;
    os_release(seal->memory);
    seal->memory = NULL;
    file->refreshes++;
}

static struct jitscope_error *take_rest(struct recording_file *file, struct open_chunk *chunk,
                                        const struct chunk_header *header) {
    struct walk *walk = &chunk->walk;
    uint64_t end = walk->start + sizeof *header + header->bytes;
    if (end > walk->at)
        TRY(read_on(file, walk, file->chunks->seals.data[chunk->index].memory, end));
    walk->end = end > walk->at ? end : walk->at;
    TRY(walk_sealed(walk, header));
    close_chunk(file, chunk, header);
    return NULL;
}

static struct jitscope_error *go_on(struct recording_file *file, struct open_chunk *chunk) {
    struct chunk_header header;
    uint64_t start = chunk->walk.start, bytes = bytes_of(file->chunks, start);
    chunk->walk.file = file; /* whose owner may have moved it */
    TRY(read_chunk_header(file->chunks, start, &header));
    if (!header.magic || bytes < sizeof header)
        return was_cut(start);
    if (header.sealed && header.bytes <= bytes - sizeof header)
        return take_rest(file, chunk, &header);
    return take_published(file, chunk);
}

static struct jitscope_error *begin_open(struct recording_file *file, uint32_t index) {
    struct recording_follow *follow = file->follow;
    TRY(vec_reserve(&follow->open, 1));
    uint8_t *memory = os_allocate(file->chunks->size);
    if (!memory)
        return error_no_memory();
    file->chunks->seals.data[index].memory = memory;
    uint64_t start = start_of(file->chunks, index);
    vec_put(&follow->open,
            (struct open_chunk){walk_begin(file, &follow->found, start, start, memory), .index = index});
    return take_published(file, &follow->open.data[follow->open.count - 1]);
}

static struct jitscope_error *look_at_open(struct recording_file *file) {
    struct recording_follow *follow = file->follow;
    struct jitscope_error *error = NULL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < follow->open.count; i++) {
        if (!error && follow->budget)
            error = go_on(file, &follow->open.data[i]);
        if (!follow->open.data[i].is_sealed)
            follow->open.data[kept++] = follow->open.data[i];
    }
    follow->open.count = kept;
    return error;
}

/* --- chunks that come into use */

static struct jitscope_error *take_sealed(struct recording_file *file, uint32_t index,
                                          const struct chunk_header *header) {
    struct recording_chunks *chunks = file->chunks;
    uint64_t start = start_of(chunks, index);
    struct walk walk =
        walk_begin(file, &file->follow->found, start, start + sizeof *header + header->bytes, chunks->buffer);
    TRY(read_on(file, &walk, chunks->buffer, walk.end));
    TRY(walk_sealed(&walk, header));
    chunks->seals.data[index].digest = header->digest;
    chunks->seals.data[index].bytes = header->bytes;
    return NULL;
}

/* A sealed chunk that is not there as a whole is being appended, or what was left of one. */
static struct jitscope_error *look_at(struct recording_file *file, uint32_t index, bool *is_used) {
    struct chunk_header header;
    uint64_t start = start_of(file->chunks, index), bytes = bytes_of(file->chunks, start);
    *is_used = false;
    if (bytes < sizeof header)
        return NULL;
    TRY(read_chunk_header(file->chunks, start, &header));
    if (!header.magic)
        return NULL;
    *is_used = true;
    bool is_whole = header.sealed && header.bytes <= bytes - sizeof header;
    return is_whole ? take_sealed(file, index, &header) : begin_open(file, index);
}

/* A writer uses the chunks of an extent in order: behind one that is unused so are its neighbours. */
static struct jitscope_error *look_at_unused(struct recording_file *file) {
    struct recording_follow *follow = file->follow;
    struct jitscope_error *error = NULL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < follow->unused.count; i++) {
        uint32_t index = follow->unused.data[i];
        bool is_used = start_of(file->chunks, index) >= file->chunks->file_size; /* cut off, and forgotten */
        bool is_behind = kept && follow->unused.data[kept - 1] + 1 == index && !follow->is_gone;
        if (!error && !is_used && !is_behind && follow->budget)
            error = look_at(file, index, &is_used);
        if (!is_used)
            follow->unused.data[kept++] = index;
    }
    follow->unused.count = kept;
    return error;
}

/* Whether there is a chunk that was never looked at, with its header. */
static bool has_more_chunks(const struct recording_chunks *chunks) {
    return bytes_of(chunks, start_of(chunks, chunks->seals.count)) >= sizeof(struct chunk_header);
}

static struct jitscope_error *look_behind(struct recording_file *file) {
    struct recording_follow *follow = file->follow;
    struct recording_chunks *chunks = file->chunks;
    while (follow->budget && has_more_chunks(chunks) && chunks->seals.count < UINT32_MAX - 1 &&
           (follow->is_gone || follow->unused.count < MOST_UNUSED)) {
        uint32_t index = chunks->seals.count;
        bool is_used;
        TRY(vec_reserve(&follow->unused, 1));
        TRY(vec_push(&chunks->seals, (struct chunk_seal){0}));
        TRY(look_at(file, index, &is_used));
        if (!is_used)
            vec_put(&follow->unused, index);
    }
    return NULL;
}

/* --- order */

static bool is_before(const struct recording_run *x, const struct recording_run *y) {
    return x->sequence != y->sequence ? x->sequence < y->sequence : x->offset < y->offset;
}

/* What was found goes among what waits: from the end, so that nothing is moved twice. */
static struct jitscope_error *let_wait(struct recording_follow *follow) {
    recording_runs *found = &follow->found, *waiting = &follow->waiting;
    recording_order_runs(found);
    TRY(vec_reserve(waiting, found->count));
    uint32_t old = waiting->count, new = found->count;
    waiting->count += new;
    for (uint32_t to = waiting->count; new;) {
        bool is_old = old && is_before(&found->data[new - 1], &waiting->data[old - 1]);
        follow->waiting_events += is_old ? 0 : found->data[new - 1].count;
        waiting->data[--to] = is_old ? waiting->data[--old] : found->data[--new];
    }
    found->count = 0;
    return NULL;
}

static struct jitscope_error *tell(struct recording_file *file, bool all) {
    struct recording_follow *follow = file->follow;
    recording_runs *waiting = &follow->waiting;
    uint32_t told = 0;
    TRY(vec_reserve(&file->runs, waiting->count));
    for (; told < waiting->count; told++) {
        struct recording_run *run = &waiting->data[told];
        if (!all && run->sequence > follow->settled)
            break;
        recording_put_run(file, *run);
        follow->waiting_events -= run->count;
        uint64_t reach = file->runs.data[file->runs.count - 1].reach;
        follow->settled = reach < UINT64_MAX ? reach + 1 : reach;
    }
    waiting->count -= told;
    if (told && waiting->count)
        memmove(waiting->data, waiting->data + told, waiting->count * sizeof *waiting->data);
    return NULL;
}

/* --- refreshing */

static bool is_complete(const struct recording_file *file) {
    const struct recording_follow *follow = file->follow;
    const struct recording_chunks *chunks = file->chunks;
    if (follow->open.count || !chunks->seals.count || has_more_chunks(chunks))
        return false;
    bool is_cut = (chunks->file_size - chunks->first) % chunks->size != 0;
    return file->has_session_end || (is_cut && !follow->unused.count);
}

static struct jitscope_error *bring_in(struct recording_file *file) {
    bool regular;
    if (os_file_size(file->chunks->fd, &file->chunks->file_size, &regular) < 0)
        return error_system("cannot read", NULL);
    recording_expect_strings(file, file->chunks->file_size);
    TRY(look_at_open(file));
    TRY(look_at_unused(file));
    return look_behind(file);
}

static struct jitscope_error *refresh(struct recording_file *file, uint64_t budget, bool *more) {
    struct recording_follow *follow = file->follow;
    follow->budget = budget;
    struct jitscope_error *error = bring_in(file), *other = NULL;
    *more = follow->budget < budget;
    bool ended = !error && !*more && (follow->is_gone || is_complete(file));
    *more |= ended && follow->waiting.count;
    if (follow->found.count)
        other = let_wait(follow);
    if (!other)
        other = tell(file, ended);
    file->refreshes += *more;
    file->open_chunks = follow->open.count;
    follow->has_ended = ended || error || other;
    if (!error)
        return other;
    jitscope_error_destroy(other);
    return error;
}

struct jitscope_error *recording_refresh(struct recording_file *file, bool *more) {
    *more = false;
    return recording_has_ended(file) ? NULL : refresh(file, PER_REFRESH, more);
}

/* --- opening */

static struct jitscope_error *follow_from_start(struct recording_file *file) {
    struct recording_header header;
    bool more;
    TRY(recording_read_head(file, &header));
    TRY(recording_read_on_demand(file, &header, 0));
    if (!file->chunks->on_demand)
        return recording_read_chunks(file, &header);
    file->follow = os_allocate_zeroed(sizeof *file->follow);
    if (!file->follow)
        return error_no_memory();
    TRY(refresh(file, UINT64_MAX, &more));
    return recording_has_ended(file) ? NULL : refresh(file, UINT64_MAX, &more);
}

static struct jitscope_error *open_followed(int fd, struct recording_file *file) {
    struct jitscope_error *error = recording_begin(fd, file);
    if (!error)
        error = file->chunks ? follow_from_start(file) : recording_read_whole(file, UINT64_MAX);
    if (error)
        recording_close(file);
    return error;
}

struct jitscope_error *recording_open_descriptor(int fd, struct recording_file *file) {
    return error_with_usual_help(open_followed(fd, file));
}

struct jitscope_error *recording_open_followed(const char *path, struct recording_file *file) {
    *file = (struct recording_file){0};
    int fd = os_open(path, O_RDONLY, 0);
    if (fd < 0)
        return error_with_usual_help(error_system("cannot open", path));
    return error_with_usual_help(error_in_input(open_followed(fd, file), path));
}

/* --- asking */

uint64_t recording_settled(const struct recording_file *file) {
    if (file->follow)
        return file->follow->settled;
    uint64_t reach = file->runs.count ? file->runs.data[file->runs.count - 1].reach : 0;
    return file->runs.count && reach < UINT64_MAX ? reach + 1 : reach;
}

uint64_t recording_waiting(const struct recording_file *file) {
    return file->follow ? file->follow->waiting_events : 0;
}

bool recording_waits_in(const struct recording_file *file, uint32_t index) {
    const struct recording_follow *follow = file->follow;
    for (uint32_t i = 0; follow && i < follow->waiting.count; i++)
        if ((follow->waiting.data[i].offset - file->chunks->first) / file->chunks->size == index)
            return true;
    return false;
}

void recording_writer_is_gone(struct recording_file *file) {
    if (file->follow)
        file->follow->is_gone = true;
}

bool recording_has_ended(const struct recording_file *file) {
    return !file->follow || file->follow->has_ended || file->chunks->lost_at;
}
