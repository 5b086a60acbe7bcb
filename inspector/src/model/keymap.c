#include "model/keymap.h"

#include "model/commands.h"
#include "screens/screens.h"

#include <ctype.h>
#include <string.h>

struct built_in {
    const char *key, *command;
};

static const struct built_in built_in[] = {
#define KEY(key, command) {key, command},
#include "model/keys.def"
#undef KEY
#define SCREEN(NAME, name, key, kind, view, ENTER, header, meaning) {key, name},
#include "screens/screens.def"
#undef SCREEN
};

struct jitscope_error *keymap_create(struct keymap *keymap) {
    *keymap = (struct keymap){0};
    for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
        uint32_t key = key_parse(built_in[i].key, strlen(built_in[i].key));
        if (key)
            TRY(vec_push(&keymap->bindings, (struct binding){key, built_in[i].command}));
    }
    return NULL;
}

void keymap_destroy(struct keymap *keymap) {
    vec_destroy(&keymap->bindings);
    arena_destroy(&keymap->texts);
}

static struct jitscope_error *read_line(struct keymap *keymap, const char *line, size_t length,
                                        const char *file, uint32_t number) {
    size_t end = 0;
    while (length && isspace((unsigned char)*line))
        line++, length--;
    if (!length || *line == '#')
        return NULL;
    while (end < length && !isspace((unsigned char)line[end]))
        end++;
    uint32_t key = key_parse(line, end);
    if (!key)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "%s:%u: no key is called '%.*s'", file,
                                            number, (int)end, line),
                               "keys are written as in the help: x, ^D, PgDn, Tab, F1");
    while (end < length && isspace((unsigned char)line[end]))
        end++;
    while (length > end && isspace((unsigned char)line[length - 1]))
        length--;
    if (length > end && !command_is_known(line + end, length - end))
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "%s:%u: no command is called '%.*s'", file,
                                            number, (int)(length - end), line + end),
                               "the help (?) lists all commands");
    const char *command = arena_copy(&keymap->texts, line + end, length - end);
    return command ? vec_push(&keymap->bindings, (struct binding){key, command}) : error_no_memory();
}

struct jitscope_error *keymap_read(struct keymap *keymap, const char *text, size_t length, const char *file) {
    uint32_t number = 0;
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t size = end ? (size_t)(end - text) - at : length - at;
        TRY(read_line(keymap, text + at, size, file, ++number));
        at += size + 1;
    }
    return NULL;
}

const char *keymap_find(const struct keymap *keymap, uint32_t key) {
    for (uint32_t i = keymap->bindings.count; i-- > 0;)
        if (keymap->bindings.data[i].key == key)
            return *keymap->bindings.data[i].command ? keymap->bindings.data[i].command : NULL;
    return NULL;
}
