#include "export/output.h"

#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { BUFFER_SIZE = 1 << 16, STANDARD_OUTPUT = 1 };

/* Whether PATH is there and no regular file. */
static bool is_special(const char *path) {
    uint64_t size;
    bool regular;
    int fd = os_open(path, O_WRONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return errno == ENXIO; /* a pipe that nobody reads yet */
    bool special = os_file_size(fd, &size, &regular) == 0 && !regular;
    os_close(fd);
    return special;
}

static struct jitscope_error *open_file(struct output *out) {
    struct text name = {0};
    if (!is_special(out->path)) {
        text_print(&name, "%s.%d.partial", out->path, os_process_id());
        out->partial = text_take(&name);
        if (!out->partial)
            return error_no_memory();
    }
    /* Exclusive: in a folder like /tmp the name could be somebody else's link. */
    out->fd = out->partial ? os_open(out->partial, O_WRONLY | O_CREAT | O_EXCL, 0600)
                           : os_open(out->path, O_WRONLY, 0);
    if (out->fd >= 0)
        return NULL;
    struct jitscope_error *error = error_system("cannot write", out->path);
    os_release(out->partial);
    out->partial = NULL;
    return error;
}

struct jitscope_error *output_open(struct output *out, const char *path) {
    *out = (struct output){.path = path, .fd = STANDARD_OUTPUT, .buffer = os_allocate(BUFFER_SIZE)};
    struct jitscope_error *error = !out->buffer ? error_no_memory() : path ? open_file(out) : NULL;
    if (error)
        os_release(out->buffer);
    return error;
}

struct jitscope_error *output_open_in(struct output *out, const char *folder, const char *name, char **path) {
    struct text joined = {0};
    text_print(&joined, "%s/%s", folder, name);
    *path = text_take(&joined);
    struct jitscope_error *error = *path ? output_open(out, *path) : error_no_memory();
    if (error)
        os_release(*path);
    return error;
}

static void write_all(struct output *out, const uint8_t *data, size_t size) {
    while (size && !out->failure) {
        ssize_t put = os_write(out->fd, data, size);
        if (put < 0) {
            out->failure = errno;
            return;
        }
        data += put;
        size -= (size_t)put;
    }
}

static void flush(struct output *out) {
    write_all(out, out->buffer, out->used);
    out->used = 0;
}

void output_put(struct output *out, const void *data, size_t size) {
    out->written += size;
    if (size > BUFFER_SIZE - out->used)
        flush(out);
    if (size > BUFFER_SIZE) {
        write_all(out, data, size);
        return;
    }
    if (size)
        memcpy(out->buffer + out->used, data, size);
    out->used += (uint32_t)size;
}

void output_zeros(struct output *out, uint64_t size) {
    static const uint8_t zeros[4096];
    for (; size && !out->failure; size -= size < sizeof zeros ? size : sizeof zeros)
        output_put(out, zeros, size < sizeof zeros ? size : sizeof zeros);
}

struct jitscope_error *output_text(struct output *out, struct text *text) {
    if (text->failed)
        return error_no_memory();
    output_put(out, text->data ? text->data : "", text->length);
    text_clear(text);
    return NULL;
}

static struct jitscope_error *put_in_place(const struct output *out) {
    return os_rename(out->partial, out->path) < 0 ? error_system("cannot write", out->path) : NULL;
}

struct jitscope_error *output_close(struct output *out, struct jitscope_error *error) {
    flush(out);
    os_release(out->buffer);
    if (out->path && os_close(out->fd) < 0 && !out->failure)
        out->failure = errno; /* a network's disk may be full only now */
    if (!error && out->failure) {
        errno = out->failure;
        error = error_system("cannot write", out->path ? out->path : "standard output");
    }
    if (!error && out->partial)
        error = put_in_place(out);
    if (error && out->partial)
        os_remove(out->partial);
    os_release(out->partial);
    return error;
}
