/* A whole session, again and again, in which call number 1, 2, 3, ... to the allocator or the system fails,
 * until none is left to fail.  Each time: one error that says something; the same session links afterwards;
 * and when it is gone no allocation and no mapping is left.  Run it under AddressSanitizer for the leaks of
 * others. */
#define _GNU_SOURCE
#include "base/os.h"
#include "export/export.h"
#include "jitscope/jitscope.h"
#include "mirror/show.h"
#include "record/recorded.h"
#include "record/redact.h"
#include "record/report.h"
#include "trace/packed.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { ANSWER = 1 + 11 + 22 + 2 };

/* What a session may be like. */
struct variant {
    bool simulate, record, default_libraries, callback, inspectable, lazy;
    enum jitscope_level level;
    enum jitscope_debug debug;
};

/* A scenario in progress: what there is by now. */
struct scene {
    const struct variant *variant;
    char recording[64];
    struct jitscope_session *session;
    struct jitscope_link *first, *second;
    size_t event_bytes;
};

/* Lines of /proc/self/maps.  A sanitizer maps and unmaps at will: there, only code without a file counts. */
static unsigned count_mappings(void) {
    static char text[1 << 20];
    size_t size = 0;
    unsigned count = 0;
    int fd = open("/proc/self/maps", O_RDONLY);
    for (ssize_t got; (got = read(fd, text + size, sizeof text - 1 - size)) > 0;)
        size += (size_t)got;
    close(fd);
    text[size] = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        count += !SANITIZED || (strstr(line, "xp ") && !strpbrk(line, "/["));
    }
    return count;
}

static unsigned count_descriptors(void) {
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* --- the scenario --- */

static void take_event(void *context, const struct jitscope_event *event) {
    struct scene *scene = context;
    scene->event_bytes += strlen(jitscope_event_text(event));
}

/* A lazy call that fails comes out of the call. */
static jmp_buf out_of_call;
static char lazy_message[256];

static void leave_call(void *context, const char *function, const char *message) {
    (void)context, (void)function;
    snprintf(lazy_message, sizeof lazy_message, "%s", message);
    longjmp(out_of_call, 1);
}

static struct jitscope_error *create(struct scene *scene) {
    const struct variant *variant = scene->variant;
    struct jitscope_session_options options = {.size = sizeof options,
                                               .simulate = variant->simulate,
                                               .base = variant->simulate ? 0x10000000 : 0,
                                               .phony_externals = variant->simulate,
                                               .record_path = variant->record ? scene->recording : NULL,
                                               .no_default_libraries = !variant->default_libraries,
                                               .level = variant->level,
                                               .debug = variant->debug,
                                               .inspectable = variant->inspectable};
    TRY(jitscope_session_create(&options, &scene->session));
    if (variant->lazy) {
        TRY(jitscope_session_set_lazy(scene->session, true));
        TRY(jitscope_session_set_replaceable(scene->session, true));
        TRY(jitscope_session_set_lazy_failure(scene->session, leave_call, NULL));
    }
    return variant->callback
               ? jitscope_session_set_event_callback(scene->session, JITSCOPE_LEVEL_EDGES, take_event, scene)
               : NULL;
}

static struct jitscope_error *link_first(struct scene *scene) {
    const char *first = scene->variant->lazy ? INPUTS "LAZY.o" : INPUTS "MAIN.o";
    TRY(jitscope_session_add_file(scene->session, first));
    TRY(jitscope_session_add_file(scene->session, INPUTS "libmember.a"));
    TRY(jitscope_session_add_file(scene->session, INPUTS "libshared.so"));
    if (!scene->variant->default_libraries)
        TRY(jitscope_session_add_library(scene->session, ":libc.so.6"));
    return jitscope_session_link(scene->session, &scene->first);
}

static struct jitscope_error *link_second(struct scene *scene) {
    TRY(jitscope_session_add_file(scene->session, INPUTS "USER.o"));
    return jitscope_session_link(scene->session, &scene->second);
}

static struct jitscope_error *call(struct scene *scene, const char *name, int expected) {
    uint64_t address;
    TRY(jitscope_session_lookup(scene->session, name, &address));
    if (scene->variant->simulate)
        return NULL;
    if (setjmp(out_of_call))
        return jitscope_error_create(JITSCOPE_ERROR_SYSTEM, lazy_message);
    assert_int_equal(((int (*)(void))(uintptr_t)address)(), expected);
    return NULL;
}

/* What is refused anyway; there may be no memory to say so. */
static void expect_refusal(struct jitscope_error *error, enum jitscope_error_code code) {
    if (jitscope_error_code(error) != JITSCOPE_ERROR_NO_MEMORY)
        assert_int_equal(jitscope_error_code(error), code);
    jitscope_error_destroy(error);
}

/* A link that cannot work, whatever else fails. */
static struct jitscope_error *link_broken(struct scene *scene) {
    struct jitscope_link *link;
    uint64_t address;
    TRY(jitscope_session_add_file(scene->session, INPUTS "BROKEN.o"));
    struct jitscope_error *error = jitscope_session_link(scene->session, &link);
    if (scene->variant->simulate)
        return error;
    assert_non_null(error);
    if (jitscope_error_code(error) != JITSCOPE_ERROR_ACTION_FAILED)
        return error;
    jitscope_error_destroy(error);
    error = jitscope_session_lookup(scene->session, "never", &address);
    expect_refusal(error, JITSCOPE_ERROR_NOT_FOUND); /* nothing is half linked */
    return NULL;
}

static struct jitscope_error *unload(struct scene *scene) {
    struct jitscope_error *error = jitscope_session_unload(scene->session, scene->first);
    expect_refusal(error, JITSCOPE_ERROR_IN_USE);
    struct jitscope_link *first = scene->first, *second = scene->second;
    scene->first = scene->second = NULL; /* gone, whatever happens */
    error = jitscope_session_unload(scene->session, second);
    struct jitscope_error *other = jitscope_session_unload(scene->session, first);
    if (error)
        jitscope_error_destroy(other);
    return error ? error : other;
}

static struct jitscope_error *play(struct scene *scene) {
    TRY(create(scene));
    TRY(link_first(scene));
    TRY(call(scene, "answer", ANSWER));
    TRY(link_second(scene));
    TRY(call(scene, "twice", 2 * ANSWER));
    TRY(link_broken(scene));
    return unload(scene);
}

/* --- what must hold after a failure --- */

static void check_error(const struct jitscope_error *error, uint64_t n) {
    const char *message = jitscope_error_message(error);
    enum jitscope_error_code code = jitscope_error_code(error);
    bool expected = code == JITSCOPE_ERROR_NO_MEMORY || code == JITSCOPE_ERROR_SYSTEM ||
                    code == JITSCOPE_ERROR_RECORDING || code == JITSCOPE_ERROR_ADDRESS_SPACE ||
                    code == JITSCOPE_ERROR_NOT_FOUND || code == JITSCOPE_ERROR_ACTION_FAILED;
    if (!expected || !message[0])
        fail_msg("call %llu failed, and the error is %s: %s", (unsigned long long)n,
                 jitscope_error_code_name(code), message);
}

static void must(struct jitscope_error *error, uint64_t n) {
    if (error)
        fail_msg("after the failure of call %llu: %s", (unsigned long long)n, jitscope_error_message(error));
}

/* What was added before the failure waits for a link, which may work or not. */
static void empty_queue(struct scene *scene) {
    struct jitscope_link *rest;
    struct jitscope_error *error = jitscope_session_link(scene->session, &rest);
    if (!error)
        error = jitscope_session_unload(scene->session, rest);
    jitscope_error_destroy(error);
}

/* The session that met a failure does all of its work now. */
static void go_on(struct scene *scene, uint64_t n) {
    empty_queue(scene);
    if (scene->first && !scene->second)
        must(link_second(scene), n);
    if (scene->second)
        must(unload(scene), n);
    must(link_first(scene), n);
    must(call(scene, "answer", ANSWER), n);
    must(link_second(scene), n);
    must(call(scene, "twice", 2 * ANSWER), n);
}

/* False when fewer than N calls were made: nothing failed. */
static bool play_with_failure(const struct variant *variant, const char *recording, uint64_t n, bool sticky) {
    struct scene scene = {.variant = variant};
    snprintf(scene.recording, sizeof scene.recording, "%s", recording);
    os_fail_after(n, sticky);
    struct jitscope_error *error = play(&scene);
    bool failed = os_call_count() >= n;
    os_fail_after(0, false);
    if (error)
        check_error(error, n);
    assert_true(failed || !error);
    jitscope_error_destroy(error);
    if (scene.session && failed)
        go_on(&scene, n);
    jitscope_session_destroy(scene.session);
    return failed;
}

static void rehearse(const struct variant *variant, bool sticky) {
    char recording[] = "/tmp/jitscope-fault-XXXXXX";
    int fd = mkstemp(recording);
    assert_true(fd >= 0);
    close(fd);
    os_fail_after(0, false);
    assert_false(play_with_failure(variant, recording, UINT64_MAX, false)); /* opens what stays open */
    int64_t allocations = os_live_allocations();
    unsigned mappings = count_mappings(), descriptors = count_descriptors();
    uint64_t n = 1;
    while (play_with_failure(variant, recording, n, sticky)) {
        if (os_live_allocations() != allocations || count_mappings() != mappings)
            fail_msg("after the failure of call %llu: %lld allocations and %d mappings too many",
                     (unsigned long long)n, (long long)(os_live_allocations() - allocations),
                     (int)count_mappings() - (int)mappings);
        assert_int_equal(count_descriptors(), descriptors);
        n++;
    }
    unlink(recording);
    assert_true(n > 100); /* or it rehearsed nothing */
    print_message("%llu calls failed\n", (unsigned long long)n - 1);
}

static const struct variant in_process = {.default_libraries = true, .level = JITSCOPE_LEVEL_OFF};
static const struct variant recorded = {.record = true, .level = JITSCOPE_LEVEL_EDGES};
static const struct variant watched = {.callback = true, .level = JITSCOPE_LEVEL_OFF};
static const struct variant simulated = {.simulate = true, .record = true, .callback = true};

static const struct variant debugged = {.level = JITSCOPE_LEVEL_OFF, .debug = JITSCOPE_DEBUG_EAGER};

static void test_debugged(void **state) {
    (void)state;
    rehearse(&debugged, false);
}

static const struct variant inspectable = {.level = JITSCOPE_LEVEL_EDGES, .inspectable = true};

/* With its folder, which is made in the first round, and without. */
static void test_inspectable(void **state) {
    (void)state;
    char folder[] = "/tmp/jitscope-fault-XXXXXX", place[64];
    assert_non_null(mkdtemp(folder));
    setenv("XDG_RUNTIME_DIR", folder, 1);
    rehearse(&inspectable, false);
    rehearse(&inspectable, true);
    snprintf(place, sizeof place, "%s/jitscope", folder);
    assert_int_equal(rmdir(place), 0); /* no socket was left behind */
    rmdir(folder);
}

static const struct variant lazy = {.record = true, .lazy = true, .level = JITSCOPE_LEVEL_EDGES};

static void test_lazy(void **state) {
    (void)state;
    rehearse(&lazy, false);
    rehearse(&lazy, true);
}

static void test_in_process(void **state) {
    (void)state;
    rehearse(&in_process, false);
}

static void test_everything_fails_from_there(void **state) {
    (void)state;
    rehearse(&recorded, true);
}

static void test_recorded(void **state) {
    (void)state;
    rehearse(&recorded, false);
}

static void test_watched(void **state) {
    (void)state;
    rehearse(&watched, false);
}

static void test_simulated(void **state) {
    (void)state;
    rehearse(&simulated, false);
}

/* --- what fails halfway without any help --- */

static void expect_nothing_queued(struct jitscope_session *session, struct jitscope_error *error) {
    uint64_t address;
    assert_non_null(error);
    jitscope_error_destroy(error);
    must(jitscope_session_link(session, NULL), 0);
    error = jitscope_session_lookup(session, "member", &address);
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_NOT_FOUND);
    jitscope_error_destroy(error);
}

/* A script or archive that cannot be taken whole is not taken at all. */
static void test_nothing_is_half_queued(void **state) {
    (void)state;
    static const char script[] = "INPUT ( " INPUTS "MEMBER.o /nowhere/at/all.o )\n";
    struct jitscope_session_options options = {.size = sizeof options, .simulate = true};
    struct jitscope_session *session;
    must(jitscope_session_create(&options, &session), 0);
    expect_nothing_queued(session, jitscope_session_add_memory(session, "x.ld", script, sizeof script - 1));
    FILE *file = fopen(INPUTS "libmember.a", "rb");
    static char archive[1 << 16];
    assert_non_null(file);
    size_t size = fread(archive, 1, sizeof archive - 100, file);
    fclose(file);
    memset(archive + size, 'x', 100); /* no header behind the first member */
    must(jitscope_session_set_whole_archive(session, true), 0);
    expect_nothing_queued(session, jitscope_session_add_memory(session, "x.a", archive, size + 100));
    jitscope_session_destroy(session);
}

/* --- readers of recordings --- */

static struct jitscope_error *show_all(const char *path, FILE *sink) {
    struct recording_file file;
    struct jitscope_error *error = NULL;
    TRY(recording_open(path, &file));
    for (uint32_t i = 0; i < view_count && !error; i++) {
        struct show_options options = {.at = UINT64_MAX, .json = i % 2};
        error = show_print(sink, views[i].name, &file, &options);
    }
    recording_close(&file);
    return error;
}

static bool read_zeros(void *context, uint64_t address, void *buffer, size_t size) {
    (void)context, (void)address;
    memset(buffer, 0, size);
    return true;
}

static struct jitscope_error *export_one(const struct export_format *format, const char *from,
                                         const char *to) {
    struct recording_file file;
    struct mirror mirror;
    TRY(recording_open(from, &file));
    struct jitscope_error *error = mirror_load(&mirror, &file, UINT64_MAX);
    if (!error) {
        struct export_source source = {.file = &file, .mirror = &mirror, .read = read_zeros};
        error = export_write(format, &source, to);
        mirror_destroy(&mirror);
    }
    recording_close(&file);
    return error;
}

/* What is at PATH, as far as it goes; nothing when there is no file. */
static size_t content_of(const char *path, uint8_t *content, size_t room) {
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(content, 1, room, file) : 0;
    if (file)
        fclose(file);
    return size;
}

enum { ROOM = 1 << 24 };

/* Either it fails and nothing is there, or all of it is. */
static void rehearse_export(const struct export_format *format, const char *recording, const char *folder) {
    static uint8_t whole[ROOM], now[ROOM];
    char path[128], result[160];
    bool is_folder = format->output == EXPORT_FOLDER;
    snprintf(path, sizeof path, "%s/out", folder);
    snprintf(result, sizeof result, "%s%s", path, is_folder ? "/metadata" : "");
    must(export_one(format, recording, path), 0);
    size_t size = content_of(result, whole, ROOM);
    assert_true(size > 20 && size < ROOM);
    int64_t allocations = os_live_allocations();
    uint64_t n = 1;
    for (bool failed = true; failed; n++) {
        unlink(result);
        os_fail_after(n, false);
        struct jitscope_error *error = export_one(format, recording, path);
        failed = os_call_count() >= n;
        os_fail_after(0, false);
        size_t there = content_of(result, now, ROOM);
        assert_true(error ? !there : there == size && !memcmp(whole, now, size));
        if (error)
            check_error(error, n);
        jitscope_error_destroy(error);
        assert_int_equal(os_live_allocations(), allocations);
    }
    assert_true(n > 20);
    unlink(result);
    snprintf(result, sizeof result, "%s/stream", path);
    unlink(result);
    rmdir(path);
}

/* A session whose link is there until the end. */
static void record_one(const char *path) {
    struct jitscope_session_options options = {.size = sizeof options,
                                               .simulate = true,
                                               .base = 0x10000000,
                                               .phony_externals = true,
                                               .record_path = path,
                                               .level = JITSCOPE_LEVEL_EDGES};
    struct jitscope_session *session;
    must(jitscope_session_create(&options, &session), 0);
    must(jitscope_session_add_file(session, INPUTS "MAIN.o"), 0);
    must(jitscope_session_link(session, NULL), 0);
    jitscope_session_destroy(session);
}

/* Inputs in a recording: one that fills chunks, one that is there twice, a small one. */
static bool record_contents(const char *path, uint64_t n) {
    static uint8_t large[600000];
    struct jitscope_session_options options = {.size = sizeof options, .simulate = true, .record_path = path};
    struct jitscope_session *session;
    must(jitscope_session_create(&options, &session), 0);
    os_fail_after(n, false);
    for (uint32_t i = 0; i < 4; i++)
        jitscope_error_destroy(
            jitscope_session_add_borrowed(session, "input", large + i / 2, i % 2 ? 100 : sizeof large - 2));
    bool failed = os_call_count() >= n;
    os_fail_after(0, false);
    must(jitscope_session_add_borrowed(session, "last", "last", 4), 0);
    jitscope_session_destroy(session);
    return failed;
}

/* Numbers of contents have no gaps, even when there was no memory for one of them. */
static void test_recording_contents(void **state) {
    (void)state;
    char path[] = "/tmp/jitscope-fault-XXXXXX";
    int fd = mkstemp(path);
    uint64_t n = 1;
    assert_true(fd >= 0);
    close(fd);
    for (bool failed = true; failed; n++) {
        struct recording_file file;
        struct recorded recorded;
        failed = record_contents(path, n);
        must(recording_open(path, &file), n);
        must(recorded_open(&recorded, &file), n);
        recorded_close(&recorded);
        recording_close(&file);
    }
    assert_true(n > 10);
    unlink(path);
}

static void test_exporting_a_recording(void **state) {
    (void)state;
    char folder[] = "/tmp/jitscope-fault-XXXXXX", recording[64];
    assert_non_null(mkdtemp(folder));
    snprintf(recording, sizeof recording, "%s/r.jsr", folder);
    record_one(recording);
    for (size_t i = 0; i < export_format_count; i++)
        rehearse_export(&export_formats[i], recording, folder);
    unlink(recording);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left behind */
}

/* Packs a recording in memory, and makes it the file. */
static void gather(void *text, const void *data, size_t size) {
    text_append_bytes(text, data, size);
}

static struct jitscope_error *pack(const char *path, struct text *packed) {
    struct recording_file file;
    TRY(recording_open(path, &file));
    struct jitscope_error *error = packed_write(&file, gather, packed);
    recording_close(&file);
    return error || !packed->failed ? error : error_no_memory();
}

static void pack_file(const char *path) {
    struct text packed = {0};
    must(pack(path, &packed), 0);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(packed.data, 1, packed.length, file), packed.length);
    fclose(file);
    text_destroy(&packed);
}

static void read_a_recording(bool packed) {
    char path[] = "/tmp/jitscope-fault-XXXXXX";
    int fd = mkstemp(path);
    FILE *sink = fopen("/dev/null", "w");
    assert_true(fd >= 0 && sink);
    close(fd);
    play_with_failure(&simulated, path, UINT64_MAX, false);
    if (packed)
        pack_file(path);
    must(show_all(path, sink), 0);
    int64_t allocations = os_live_allocations();
    unsigned mappings = count_mappings();
    uint64_t n = 1;
    for (bool failed = true; failed; n++) {
        os_fail_after(n, false);
        struct jitscope_error *error = show_all(path, sink);
        failed = os_call_count() >= n;
        os_fail_after(0, false);
        if (error)
            check_error(error, n);
        jitscope_error_destroy(error);
        assert_int_equal(os_live_allocations(), allocations);
        assert_int_equal(count_mappings(), mappings);
    }
    assert_true(n > 100);
    unlink(path);
    fclose(sink);
}

static void test_reading_a_recording(void **state) {
    (void)state;
    read_a_recording(false);
}

static void test_reading_a_packed_recording(void **state) {
    (void)state;
    read_a_recording(true);
}

static struct jitscope_error *redact(const char *path) {
    struct recording_file file;
    struct text image = {0}, about = {0};
    struct redact_options options = {.paths = true, .names = true};
    TRY(recording_open(path, &file));
    struct jitscope_error *error = redact_recording(&file, &options, &image, &about);
    text_destroy(&image);
    text_destroy(&about);
    recording_close(&file);
    return error;
}

static struct jitscope_error *report(const char *path) {
    struct recording_file file;
    struct text image = {0}, manifest = {0};
    TRY(recording_open(path, &file));
    struct jitscope_error *error = report_describe(&manifest, &file);
    if (!error)
        error = report_append(&file, &manifest, &image);
    text_destroy(&image);
    text_destroy(&manifest);
    recording_close(&file);
    return error;
}

static void rehearse_reading(struct jitscope_error *(*function)(const char *path)) {
    char path[] = "/tmp/jitscope-fault-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    play_with_failure(&simulated, path, UINT64_MAX, false);
    must(function(path), 0);
    int64_t allocations = os_live_allocations();
    uint64_t n = 1;
    for (bool failed = true; failed; n++) {
        os_fail_after(n, false);
        struct jitscope_error *error = function(path);
        failed = os_call_count() >= n;
        os_fail_after(0, false);
        assert_int_equal(failed, error != NULL);
        jitscope_error_destroy(error);
        assert_int_equal(os_live_allocations(), allocations);
    }
    assert_true(n > 50);
    unlink(path);
}

static void test_redacting(void **state) {
    (void)state;
    rehearse_reading(redact);
}

static void test_reporting(void **state) {
    (void)state;
    rehearse_reading(report);
}

static void test_packing(void **state) {
    (void)state;
    char path[] = "/tmp/jitscope-fault-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    play_with_failure(&simulated, path, UINT64_MAX, false);
    int64_t allocations = os_live_allocations();
    uint64_t n = 1;
    for (bool failed = true; failed; n++) {
        struct text packed = {0};
        os_fail_after(n, false);
        struct jitscope_error *error = pack(path, &packed);
        failed = os_call_count() >= n;
        os_fail_after(0, false);
        assert_int_equal(failed, error != NULL);
        text_destroy(&packed);
        jitscope_error_destroy(error);
        assert_int_equal(os_live_allocations(), allocations);
    }
    assert_true(n > 10);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_process),
        cmocka_unit_test(test_debugged),
        cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_inspectable),
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_everything_fails_from_there),
        cmocka_unit_test(test_watched),
        cmocka_unit_test(test_simulated),
        cmocka_unit_test(test_nothing_is_half_queued),
        cmocka_unit_test(test_reading_a_recording),
        cmocka_unit_test(test_recording_contents),
        cmocka_unit_test(test_exporting_a_recording),
        cmocka_unit_test(test_reading_a_packed_recording),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_redacting),
        cmocka_unit_test(test_reporting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
