#define _GNU_SOURCE
#include "arguments.h"

#include "base/os.h"
#include "base/text.h"

#include <fcntl.h>
#include <string.h>

/* Files that name each other end somewhere, in depth and in number. */
enum { DEEPEST = 32, MOST_FILES = 1000, LARGEST_FILE = 64 << 20, READ_AT_ONCE = 64 << 10 };

/* --- files --- */

static struct jitscope_error *read_descriptor(int fd, const char *path, uint64_t limit, struct text *text) {
    static char buffer[READ_AT_ONCE];
    for (ssize_t got; (got = os_read(fd, buffer, sizeof buffer)) != 0;) {
        if (got < 0)
            return error_system("cannot read", path);
        text_append_bytes(text, buffer, (size_t)got);
        if (text->length > limit)
            return error_in_input(error_create(JITSCOPE_ERROR_UNSUPPORTED,
                                               "the file is larger than %llu bytes",
                                               (unsigned long long)limit),
                                  path);
    }
    return NULL;
}

struct jitscope_error *file_read(const char *path, uint64_t limit, char **data, size_t *size) {
    struct text text = {0};
    int fd = os_open(path, O_RDONLY, 0);
    if (fd < 0)
        return error_system("cannot open", path);
    struct jitscope_error *error = read_descriptor(fd, path, limit, &text);
    os_close(fd);
    if (error) {
        text_destroy(&text);
        return error;
    }
    *size = text.length;
    *data = text_take(&text);
    return *data ? NULL : error_no_memory();
}

/* --- words --- */

static struct jitscope_error *expand_word(struct words *words, const char *text, const char *origin,
                                          uint32_t depth);

static struct jitscope_error *add_word(struct words *words, const char *text, const char *origin) {
    return vec_push(&words->list, (struct word){text, origin});
}

static bool is_blank(char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* One word of a response file from *AT on, without quotes and backslashes.  It is written over the file's own
 * bytes, which it never outgrows. */
static struct jitscope_error *take_word(struct words *words, char *data, size_t size, size_t *at,
                                        const char **word) {
    char quote = 0, *begin = data + *at, *out = begin;
    for (; *at < size && (quote || !is_blank(data[*at])); ++*at) {
        char byte = data[*at];
        if (byte == '\\' && *at + 1 < size)
            *out++ = data[++*at];
        else if (quote ? byte == quote : byte == '\'' || byte == '"')
            quote = quote ? 0 : byte;
        else
            *out++ = byte;
    }
    if (quote)
        return error_create(JITSCOPE_ERROR_USAGE, "a quote (%c) does not end", quote);
    *word = arena_copy(&words->arena, begin, (size_t)(out - begin));
    return *word ? NULL : error_no_memory();
}

static struct jitscope_error *split(struct words *words, char *data, size_t size, const char *path,
                                    uint32_t depth) {
    for (size_t at = 0;;) {
        const char *word = NULL;
        while (at < size && is_blank(data[at]))
            at++;
        if (at == size)
            return NULL;
        TRY(error_in_input(take_word(words, data, size, &at, &word), path));
        TRY(expand_word(words, word, path, depth));
    }
}

static struct jitscope_error *expand_file(struct words *words, const char *path, uint32_t depth) {
    char *data;
    size_t size;
    if (depth >= DEEPEST || ++words->files > MOST_FILES)
        return error_create(JITSCOPE_ERROR_USAGE, "@%s: response files name each other without end", path);
    TRY(file_read(path, LARGEST_FILE, &data, &size));
    struct jitscope_error *error =
        memchr(data, 0, size)
            ? error_in_input(error_create(JITSCOPE_ERROR_USAGE, "no response file: it holds NUL bytes"), path)
            : split(words, data, size, path, depth + 1);
    os_release(data);
    return error;
}

static struct jitscope_error *expand_commas(struct words *words, const char *list, const char *origin,
                                            uint32_t depth) {
    for (const char *end; *list; list = end + (*end == ',')) {
        end = strchrnul(list, ',');
        if (end == list)
            continue;
        const char *word = arena_copy(&words->arena, list, (size_t)(end - list));
        if (!word)
            return error_no_memory();
        TRY(expand_word(words, word, origin, depth + 1));
    }
    return NULL;
}

static struct jitscope_error *expand_word(struct words *words, const char *text, const char *origin,
                                          uint32_t depth) {
    if (words->dashes)
        return add_word(words, text, origin);
    if (strcmp(text, "--") == 0) {
        words->dashes = true;
        words->options = words->list.count;
        return NULL;
    }
    if (text[0] == '@' && text[1])
        return expand_file(words, text + 1, depth);
    if (strncmp(text, "-Wl,", 4) == 0 && depth < DEEPEST)
        return expand_commas(words, text + 4, origin, depth);
    return add_word(words, text, origin);
}

static struct jitscope_error *plain_word(struct words *words, const char *text) {
    if (words->dashes || strcmp(text, "--") != 0)
        return add_word(words, text, NULL);
    words->dashes = true;
    words->options = words->list.count;
    return NULL;
}

struct jitscope_error *words_create(int count, char *const *arguments, bool expand, struct words *words) {
    *words = (struct words){0};
    for (int i = 0; i < count; i++)
        TRY(expand ? expand_word(words, arguments[i], NULL, 0) : plain_word(words, arguments[i]));
    if (!words->dashes)
        words->options = words->list.count;
    return NULL;
}

void words_destroy(struct words *words) {
    vec_destroy(&words->list);
    arena_destroy(&words->arena);
}
