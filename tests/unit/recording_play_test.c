/* Recordings that are read while they are written by a writer played here, who publishes in any order, and by
 * others who had better left the file alone. */
#include "followed.h"

#include "trace/packed.h"
#include "trace/recording_chunks.h"
#include "trace/recording_copy.h"

#include <fcntl.h>

/* --- the writer */

struct played {
    struct made made;
    struct schema schema;
    bool *published; /* by sequence number */
    struct {
        uint64_t at;       /* offset up to which it is published */
        uint64_t sequence; /* of the record there */
        bool started, sealed;
    } * chunks;
    uint32_t count;        /* of chunks */
    uint64_t events, size; /* SIZE: of the file */
    int fd;
};

static const struct chunk_header *header_of(const struct played *played, uint32_t index) {
    return (const void *)(played->made.bytes + played->made.first + (uint64_t)index * CHUNK);
}

static void put(const struct played *played, uint64_t offset, uint64_t size) {
    if (size)
        assert_int_equal(pwrite(played->fd, played->made.bytes + offset, size, (off_t)offset), size);
}

static void begin_playing(struct played *played, uint32_t events) {
    size_t length;
    const char *text = schema_text(&length);
    struct recording_file file;
    memset(played, 0, sizeof *played);
    expect_good(schema_parse((struct bytes){(const uint8_t *)text, length}, &played->schema));
    make_random(&played->made, &played->schema, events, false, false);
    expect_good(made_open(&played->made, &file));
    played->events = file.events;
    recording_close(&file);
    played->count = (uint32_t)((played->made.size - played->made.first) / CHUNK);
    played->published = calloc(played->events + 1, 1);
    played->chunks = calloc(played->count, sizeof *played->chunks);
    played->fd = open(path, O_RDWR | O_TRUNC);
    assert_true(played->published && played->chunks && played->fd >= 0);
    put(played, 0, played->made.first);
    played->size = played->made.first;
}

static void end_playing(struct played *played) {
    close(played->fd);
    free(played->published);
    free(played->chunks);
    schema_destroy(&played->schema);
    made_destroy(&played->made);
}

static void set_size(struct played *played, uint64_t size) {
    assert_int_equal(ftruncate(played->fd, (off_t)size), 0);
    played->size = size;
}

/* The next record of a chunk, its header last; false when there is none. */
static bool publish(struct played *played, uint32_t index) {
    const struct chunk_header *header = header_of(played, index);
    uint64_t first = (uint64_t)((const uint8_t *)(header + 1) - played->made.bytes);
    uint64_t *at = &played->chunks[index].at;
    *at = *at ? *at : first;
    if (*at == first + header->bytes)
        return false;
    const uint8_t *record = played->made.bytes + *at;
    uint32_t size = EVENT_HEADER_SIZE(load_u32(record));
    put(played, *at + 4, size - 4);
    put(played, *at, 4);
    *at += size;
    if (EVENT_HEADER_ID(load_u32(record)) == EVENT_ID_run)
        played->chunks[index].sequence = load_u64(record + 4);
    else
        played->published[played->chunks[index].sequence++] = true;
    return true;
}

static void seal(struct played *played, uint32_t index) {
    uint64_t start = (uint64_t)((const uint8_t *)header_of(played, index) - played->made.bytes);
    while (publish(played, index))
        ;
    put(played, start + 12, sizeof(struct chunk_header) - 12);
    put(played, start + 8, 4);
    played->chunks[index].sealed = true;
}

/* Takes the next chunk of those that are allocated. */
static void start_chunk(struct played *played) {
    uint32_t index = 0;
    while (index < played->count && played->chunks[index].started)
        index++;
    if (index == played->count)
        return;
    uint64_t start = played->made.first + (uint64_t)index * CHUNK;
    if (played->size <= start)
        set_size(played, start + CHUNK * (1 + chance(6)));
    put(played, start, 8);
    played->chunks[index].started = true;
}

/* A sealed one, behind all that are allocated; it grows before the reader's eyes. */
static void append_chunk(struct played *played, struct reader *reader) {
    uint32_t index = (uint32_t)((played->size - played->made.first) / CHUNK), torn = chance(CHUNK);
    uint64_t start = played->size;
    bool more;
    if (index >= played->count)
        return;
    put(played, start, torn);
    if (chance(2))
        expect_good(recording_refresh(&reader->file, &more));
    put(played, start + torn, CHUNK - torn);
    played->size = start + CHUNK;
    played->chunks[index].started = true;
    seal(played, index);
}

static void play(struct played *played, struct reader *reader) {
    uint32_t index = chance(played->count);
    if (!chance(20))
        append_chunk(played, reader);
    else if (!played->chunks[index].started)
        start_chunk(played);
    else if (!played->chunks[index].sealed) {
        uint32_t count = chance(40);
        while (count && publish(played, index))
            count--;
        if (count)
            seal(played, index);
    }
}

static uint64_t first_gap(const struct played *played) {
    uint64_t at = 0;
    while (played->published[at])
        at++;
    return at;
}

static uint64_t count_published(const struct played *played) {
    uint64_t count = 0;
    for (uint64_t i = 0; i < played->events; i++)
        count += played->published[i];
    return count;
}

static bool is_played(const struct played *played) {
    for (uint32_t i = 0; i < played->count; i++)
        if (!played->chunks[i].sealed)
            return false;
    return true;
}

/* The oldest chunk must get on, or nothing ever settles. */
static void get_on(struct played *played) {
    for (uint32_t i = 0; i < played->count; i++)
        if (played->chunks[i].started && !played->chunks[i].sealed) {
            seal(played, i);
            return;
        }
}

/* A copy holds what READER was told, and nothing that waits. */
static void expect_copied(const struct reader *reader) {
    struct recording_file copy;
    int fd = os_memory_file("copy");
    assert_true(fd >= 0);
    expect_good(recording_copy(&reader->file, fd));
    expect_good(recording_open_descriptor(fd, &copy));
    assert_int_equal(recording_waiting(&copy), 0);
    assert_int_equal(recording_settled(&copy), recording_settled(&reader->file));
    expect_told(reader, &copy);
    recording_close(&copy);
}

static void follow_played(bool with_window) {
    struct played played;
    struct reader reader;
    uint32_t held = 0, chunks_in_memory;
    begin_playing(&played, 4000);
    begin_reading(&reader, -1, with_window);
    for (uint32_t i = 0; !is_played(&played); i++) {
        play(&played, &reader);
        if (i % 8 == 7)
            get_on(&played);
        if (!chance(3))
            continue;
        while (refresh(&reader))
            ;
        assert_int_equal(recording_settled(&reader.file), first_gap(&played));
        assert_int_equal(recording_settled(&reader.file) + recording_waiting(&reader.file),
                         count_published(&played));
        held += recording_waiting(&reader.file) != 0;
        if (!chance(4))
            expect_copied(&reader);
        const struct recording_chunks *chunks = reader.file.chunks;
        chunks_in_memory = 0;
        for (uint32_t k = 0; k < chunks->seals.count; k++)
            chunks_in_memory += chunks->seals.data[k].memory && !chunks->seals.data[k].stays;
        assert_true(chunks_in_memory <= reader.file.open_chunks);
    }
    assert_true(held > 0);
    const struct chunk_header *last = header_of(&played, played.count - 1);
    set_size(&played, (uint64_t)((const uint8_t *)(last + 1) - played.made.bytes) + last->bytes);
    refresh_to_end(&reader);
    assert_int_equal(recording_settled(&reader.file), played.events);
    expect_as_opened(&reader, path);
    expect_copied(&reader);
    end_reading(&reader);
    end_playing(&played);
}

static void test_any_order(void **state) {
    (void)state;
    for (seed = 1; seed < 30; seed++)
        follow_played(seed % 2);
}

/* Records that were told to a reader without window, and texts, stay while all else moves. */
static void test_records_stay(void **state) {
    struct played played;
    struct reader reader;
    struct event_view view;
    VEC(struct event_view) views = {0};
    VEC(struct recorded_string) texts = {0};
    (void)state;
    seed = 77;
    begin_playing(&played, 3000);
    begin_reading(&reader, -1, false);
    struct event_cursor cursor = {.file = &reader.file};
    for (uint32_t i = 0; !is_played(&played); i++) {
        play(&played, &reader);
        if (i % 8 == 7)
            get_on(&played);
        refresh(&reader);
        while (event_next(&cursor, &view)) {
            expect_good(vec_push(&views, view));
            if (view.type->id == EVENT_ID_string)
                expect_good(vec_push(&texts, event_trailing_text(&view)));
        }
    }
    struct event_cursor again = {.file = &reader.file};
    assert_true(views.count > 2000 && texts.count > 0);
    for (uint32_t i = 0, text = 0; i < views.count; i++) {
        assert_true(event_next(&again, &view));
        assert_ptr_equal(view.record, views.data[i].record);
        assert_memory_equal(view.record, played.made.bytes + view.offset, view.size);
        if (view.type->id == EVENT_ID_string) {
            struct recorded_string now = event_trailing_text(&view);
            assert_memory_equal(now.bytes, texts.data[text++].bytes, now.length);
        }
    }
    vec_destroy(&views);
    vec_destroy(&texts);
    end_reading(&reader);
    end_playing(&played);
}

/* Who does not read to the end before each refresh, and keeps few chunks, has what was written all the same.
 * A session's end among the random events is the recording's: nothing is looked for behind it. */
static void test_slow_reader(void **state) {
    struct played played;
    struct reader reader;
    struct event_view view;
    (void)state;
    for (seed = 1; seed < 10; seed++) {
        uint64_t count = 0;
        bool more;
        begin_playing(&played, 3000);
        begin_reading(&reader, -1, true);
        struct event_cursor cursor = {.file = &reader.file, .window = &reader.window};
        while (count < played.events && !recording_has_ended(&reader.file)) {
            play(&played, &reader);
            if (!chance(4))
                get_on(&played);
            expect_good(recording_refresh(&reader.file, &more));
            for (uint32_t k = chance(12); k && event_next(&cursor, &view); k--, count++)
                assert_memory_equal(view.record, played.made.bytes + view.offset, view.size);
        }
        for (; event_next(&cursor, &view); count++)
            assert_memory_equal(view.record, played.made.bytes + view.offset, view.size);
        assert_int_equal(count, reader.file.events);
        assert_true(count == played.events || reader.file.has_session_end);
        end_reading(&reader);
        end_playing(&played);
    }
}

/* A chunk is sealed, and let go of, under a reader who is in the middle of it. */
static void seal_while_read(uint64_t with_seed) {
    struct played played;
    struct reader reader;
    struct event_view view;
    bool more;
    seed = with_seed;
    begin_playing(&played, 500);
    set_size(&played, played.made.first + CHUNK);
    start_chunk(&played);
    while (publish(&played, 0))
        ;
    memset(&reader, 0, sizeof reader);
    expect_good(recording_open_followed(path, &reader.file));
    struct event_cursor cursor = {.file = &reader.file, .window = &reader.window};
    assert_true(event_next(&cursor, &view));
    seal(&played, 0);
    expect_good(recording_refresh(&reader.file, &more));
    assert_true(!more || reader.file.has_session_end); /* which ends the wait for other chunks */
    assert_int_equal(reader.file.open_chunks, 0);
    assert_true(event_next(&cursor, &view));
    assert_int_equal(reader.window.loads, 1);
    while (event_next(&cursor, &view))
        assert_memory_equal(view.record, played.made.bytes + view.offset, view.size);
    assert_int_equal(view.sequence + 1, recording_settled(&reader.file));
    assert_int_equal(reader.window.loads, 1);
    end_reading(&reader);
    end_playing(&played);
}

static void test_sealed_while_read(void **state) {
    (void)state;
    for (uint64_t i = 1; i < 8; i++)
        seal_while_read(i);
}

/* --- gaps that stay, and files that nobody writes */

static void make_gap(struct made *made) {
    const uint32_t block[] = {EVENT_HEADER(EVENT_ID_lost, sizeof(struct event_lost)), 0};
    made_begin(made, 1 << 16, CHUNK, "");
    made_switch(made, 0, 0, 0);
    made_add(made, block, 2);
    made_switch(made, 1, 0, 5);
    made_add(made, block, 2);
    made_switch(made, 0, 0, 3); /* twice, and late */
    made_add(made, block, 2);
}

static void write_made(const struct made *made) {
    int fd = open(path, O_RDWR | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, made->bytes, made->size), made->size);
    close(fd);
}

static void test_gap_that_stays(void **state) {
    struct made made;
    struct reader reader;
    (void)state;
    make_gap(&made);
    write_made(&made);
    begin_reading(&reader, -1, true);
    assert_false(refresh(&reader));
    assert_int_equal(recording_settled(&reader.file), 1);
    assert_int_equal(recording_waiting(&reader.file), 2);
    assert_false(recording_has_ended(&reader.file));
    recording_writer_is_gone(&reader.file);
    refresh_to_end(&reader);
    assert_int_equal(recording_settled(&reader.file), 6);
    expect_as_opened(&reader, path);
    end_reading(&reader);
    made_destroy(&made);
}

static void test_ended_file(void **state) {
    struct made made;
    struct recording_file file;
    struct reader reader;
    (void)state;
    make_gap(&made);
    expect_good(made_open(&made, &file));
    recording_close(&file);
    const struct chunk_header *last = (const void *)(made.bytes + made.size - CHUNK);
    made.size -= CHUNK - sizeof *last - last->bytes;
    write_made(&made);
    begin_reading(&reader, -1, true);
    assert_true(recording_has_ended(&reader.file));
    assert_false(refresh(&reader));
    expect_as_opened(&reader, path);
    end_reading(&reader);
    made_destroy(&made);
}

static void append(void *context, const void *data, size_t size) {
    assert_int_equal(write(*(int *)context, data, size), size);
}

/* What cannot grow is read, and has ended. */
static void test_no_writer(void **state) {
    struct made made;
    struct recording_file file;
    struct reader reader;
    (void)state;
    make_gap(&made);
    expect_good(made_open(&made, &file));
    int fd = open(path, O_RDWR | O_TRUNC);
    expect_good(packed_write(&file, append, &fd));
    close(fd);
    recording_close(&file);
    made_destroy(&made);
    begin_reading(&reader, -1, true);
    refresh_to_end(&reader);
    expect_as_opened(&reader, path);
    end_reading(&reader);

    made_begin(&made, 1 << 16, 256, ""); /* no writer's size of chunks */
    made_switch(&made, 0, 0, 0);
    MADE_ADD(&made, EVENT_HEADER(EVENT_ID_lost, 8), 0);
    write_made(&made);
    begin_reading(&reader, -1, true);
    refresh_to_end(&reader);
    expect_as_opened(&reader, path);
    end_reading(&reader);
    made_destroy(&made);
}

/* --- somebody else writes */

static void overwrite(const struct played *played, uint64_t offset, const void *bytes, size_t size) {
    assert_int_equal(pwrite(played->fd, bytes, size, (off_t)offset), size);
}

/* Told so far stays told, and nothing comes any more. */
static void expect_failure(struct reader *reader, const char *why) {
    bool more;
    uint64_t settled = recording_settled(&reader->file);
    struct jitscope_error *error = recording_refresh(&reader->file, &more);
    assert_non_null(error);
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_RECORDING);
    assert_non_null(strstr(jitscope_error_message(error), why));
    jitscope_error_destroy(error);
    assert_true(recording_has_ended(&reader->file));
    assert_true(recording_settled(&reader->file) >= settled);
    expect_good(recording_refresh(&reader->file, &more));
    assert_false(more);
}

static void begin_damage(struct played *played, struct reader *reader) {
    seed = 5;
    begin_playing(played, 2000);
    set_size(played, played->made.first + 4 * CHUNK);
    for (uint32_t i = 0; i < 3; i++) {
        start_chunk(played);
        for (uint32_t k = 0; k < 20; k++)
            publish(played, i);
    }
    begin_reading(reader, -1, true);
    assert_true(reader->told.count > 10);
}

static void end_damage(struct played *played, struct reader *reader) {
    end_reading(reader);
    end_playing(played);
}

static void test_damage(void **state) {
    struct played played;
    struct reader reader;
    (void)state;
    begin_damage(&played, &reader);
    set_size(&played, played.made.first + 2 * CHUNK);
    expect_failure(&reader, "cut");
    end_damage(&played, &reader);

    begin_damage(&played, &reader);
    set_size(&played, played.chunks[2].at - 4);
    expect_failure(&reader, "cut");
    end_damage(&played, &reader);

    begin_damage(&played, &reader);
    set_size(&played, 10);
    expect_failure(&reader, "cut");
    end_damage(&played, &reader);

    begin_damage(&played, &reader);
    overwrite(&played, played.made.first + CHUNK, "garbage!", 8);
    expect_failure(&reader, "no chunk where one should be");
    end_damage(&played, &reader);

    begin_damage(&played, &reader);
    overwrite(&played, played.made.first + CHUNK + 8, "\2", 1);
    expect_failure(&reader, "neither open nor sealed");
    end_damage(&played, &reader);

    begin_damage(&played, &reader); /* it is sealed with other bytes than those that were told */
    struct chunk_header header = *header_of(&played, 0);
    played.made.bytes[played.made.first + sizeof header + 30] ^= 1;
    header.digest = recording_chunk_digest(header, header_of(&played, 0) + 1);
    memcpy(played.made.bytes + played.made.first, &header, sizeof header);
    put(&played, played.made.first, CHUNK);
    expect_failure(&reader, "digest");
    end_damage(&played, &reader);

    begin_damage(&played, &reader); /* it is sealed behind what was told */
    header = *header_of(&played, 0);
    header.bytes = 40;
    header.digest = recording_chunk_digest(header, header_of(&played, 0) + 1);
    overwrite(&played, played.made.first, &header, sizeof header);
    expect_failure(&reader, "digest");
    end_damage(&played, &reader);

    begin_damage(&played, &reader);
    header.bytes = CHUNK;
    overwrite(&played, played.made.first, &header, sizeof header);
    expect_failure(&reader, "longer");
    end_damage(&played, &reader);
}

/* Garbage in an open chunk is where its writer stopped; the others go on. */
static void test_garbage_in_open_chunk(void **state) {
    struct played played;
    struct reader reader;
    (void)state;
    begin_damage(&played, &reader);
    while (refresh(&reader))
        ;
    overwrite(&played, played.chunks[1].at, "\377\377\377\377garbage", 11);
    assert_false(refresh(&reader));
    publish(&played, 2);
    assert_true(refresh(&reader));
    assert_false(recording_has_ended(&reader.file));
    end_damage(&played, &reader);
}

/* Every call fails once: what was told stays, and nothing is lost of memory. */
static void follow_with_failures(uint64_t n, bool *done) {
    struct played played;
    struct recording_file file;
    bool more;
    seed = 9;
    begin_playing(&played, 600);
    for (uint32_t i = 0; i < 4; i++)
        start_chunk(&played);
    os_fail_after(n, n % 2);
    struct jitscope_error *error = recording_open_followed(path, &file);
    bool opened = !error;
    while (!is_played(&played)) {
        start_chunk(&played);
        publish(&played, 3);
        get_on(&played);
        if (!error)
            error = recording_refresh(&file, &more);
        assert_true(!error || !opened || recording_has_ended(&file));
    }
    *done = os_call_count() < n;
    os_fail_after(0, false);
    assert_int_equal(!error, *done);
    jitscope_error_destroy(error);
    struct event_cursor cursor = {.file = &file};
    struct event_view view;
    for (uint64_t next = 0; opened && event_next(&cursor, &view); next++)
        assert_int_equal(view.sequence, next);
    if (opened)
        recording_close(&file);
    end_playing(&played);
}

static void test_failing_calls(void **state) {
    bool done = false;
    (void)state;
    os_fail_after(0, false);
    int64_t before = os_live_allocations();
    for (uint64_t n = 1; !done; n++) {
        follow_with_failures(n, &done);
        assert_int_equal(os_live_allocations(), before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_records_stay),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_sealed_while_read),
        cmocka_unit_test(test_gap_that_stays),
        cmocka_unit_test(test_ended_file),
        cmocka_unit_test(test_no_writer),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_garbage_in_open_chunk),
        cmocka_unit_test(test_failing_calls),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
