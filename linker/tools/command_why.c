/* jitscope why: the causal chain behind a byte, a symbol, a table entry, or something that is missing. */
#include "commands.h"

#include "base/text.h"
#include "mirror/why.h"
#include "object/archive.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static struct jitscope_error *missing(const struct options *options) {
    const char *what =
        options->items.count ? "what to ask for is missing" : "the recording's name is missing";
    if (options->items.count > 2)
        what = "one question to one recording at a time";
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "%s", what),
                           "jitscope why FILE.jsr ADDRESS|[got:|plt:|discard:]NAME");
}

/* The recording to ask: one with relocations and fixups, where there is a way to have it. */
static struct jitscope_error *detailed(const char *path, struct recording_file *file) {
    return recording_open(path, file);
}

/* --- archives, as they are now */

struct wanted_member {
    const char *name;
    size_t length;
    uint64_t header;
    bool found;
};

static struct jitscope_error *compare_symbol(void *context, const char *name, size_t length,
                                             uint64_t member) {
    struct wanted_member *wanted = context;
    if (!wanted->found && length == wanted->length && !memcmp(name, wanted->name, length)) {
        wanted->found = true;
        wanted->header = member;
    }
    return NULL;
}

static struct jitscope_error *find_member(struct bytes bytes, struct wanted_member *wanted,
                                          struct text *member) {
    struct archive archive;
    struct archive_member found;
    TRY(archive_open(bytes, &archive));
    TRY(archive_each_symbol(&archive, compare_symbol, wanted));
    if (!wanted->found)
        return NULL;
    TRY(archive_member_at(&archive, wanted->header, &found));
    text_append_bytes(member, found.name, found.name_length);
    return NULL;
}

static bool read_all(int fd, uint8_t *data, uint64_t size) {
    for (uint64_t got = 0; got < size;) {
        ssize_t count = os_read(fd, data + got, size - got);
        if (count <= 0)
            return false;
        got += (uint64_t)count;
    }
    return true;
}

/* The path is the recording's word: pipes and devices, that could keep us waiting, are no archives.  NULL
 * when there is nothing to read. */
static uint8_t *read_archive(const char *path, uint64_t *size) {
    enum { LARGEST_ARCHIVE = 1 << 30 };
    bool regular;
    uint8_t *data = NULL;
    int fd = os_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return NULL;
    if (os_file_size(fd, size, &regular) == 0 && regular && *size <= LARGEST_ARCHIVE)
        data = os_allocate(*size);
    if (data && !read_all(fd, data, *size)) {
        os_release(data);
        data = NULL;
    }
    os_close(fd);
    return data;
}

/* An archive that is gone or damaged since has nothing to say. */
static bool archive_defines(void *context, const char *path, const char *name, size_t length,
                            struct text *member) {
    struct wanted_member wanted = {.name = name, .length = length};
    uint64_t size;
    uint8_t *data = read_archive(path, &size);
    (void)context;
    if (!data)
        return false;
    struct jitscope_error *error = find_member((struct bytes){data, size}, &wanted, member);
    os_release(data);
    bool good = !error && wanted.found;
    jitscope_error_destroy(error);
    return good;
}

static struct jitscope_error *print(const struct why_answer *answer, bool json) {
    struct text out = {0};
    if (json)
        why_print_json(&out, answer);
    else
        why_print_text(&out, answer);
    bool failed = out.failed;
    if (!failed)
        fwrite(out.data ? out.data : "", 1, out.length, stdout);
    text_destroy(&out);
    return failed ? error_no_memory() : NULL;
}

static struct jitscope_error *ask(const struct mirror *mirror, const struct options *options) {
    static const struct why_archives archives = {.defines = archive_defines};
    struct why_answer answer;
    TRY(why_ask(mirror, options->items.data[1].text, &archives, &answer));
    struct jitscope_error *error = print(&answer, options->json);
    why_destroy(&answer);
    return error;
}

struct jitscope_error *command_why(const struct options *options) {
    struct recording_file file;
    struct mirror *mirror;
    if (options->items.count != 2)
        return missing(options);
    TRY(detailed(options->items.data[0].text, &file));
    mirror = os_allocate_zeroed(sizeof *mirror);
    struct jitscope_error *error =
        mirror ? mirror_load(mirror, &file, options->at.given ? options->at.value : UINT64_MAX)
               : error_no_memory();
    if (!error) {
        error = ask(mirror, options);
        mirror_destroy(mirror);
    }
    os_release(mirror);
    recording_close(&file);
    return error;
}
