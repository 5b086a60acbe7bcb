#include "model/demangle.h"

#include <stdlib.h>
#include <string.h>

/* From libstdc++ (Itanium C++ ABI, section 3.4): the result is malloc'd. */
extern char *__cxa_demangle(const char *mangled, char *buffer, size_t *length, int *status);

enum { LONGEST = 1 << 16 };

static bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '$';
}

/* Where a mangled name begins in TEXT, from AT on; LENGTH when there is none. */
static uint32_t find_mangled(const char *text, uint32_t length, uint32_t at) {
    for (; at + 2 < length; at++)
        if (text[at] == '_' && text[at + 1] == 'Z' && (!at || !is_name_character(text[at - 1])))
            return at;
    return length;
}

static void append_name(struct text *out, const char *name, uint32_t length, struct arena *arena) {
    char *copy = arena_copy(arena, name, length);
    int status;
    char *plain = copy ? __cxa_demangle(copy, NULL, NULL, &status) : NULL;
    if (plain)
        text_append(out, plain);
    else
        text_append_bytes(out, name, length);
    free(plain);
}

void demangle_cell(struct cell *cell, struct arena *arena) {
    uint32_t at = find_mangled(cell->text, cell->length, 0), done = 0;
    struct text text = {0};
    if (at == cell->length || cell->length > LONGEST)
        return;
    while (at < cell->length) {
        uint32_t end = at;
        while (end < cell->length && is_name_character(cell->text[end]))
            end++;
        text_append_bytes(&text, cell->text + done, at - done);
        append_name(&text, cell->text + at, end - at, arena);
        done = end;
        at = find_mangled(cell->text, cell->length, end);
    }
    text_append_bytes(&text, cell->text + done, cell->length - done);
    char *copy = text.failed || !text.data ? NULL : arena_copy(arena, text.data, text.length);
    if (copy) {
        cell->text = copy;
        cell->length = (uint32_t)text.length;
    }
    text_destroy(&text);
}
