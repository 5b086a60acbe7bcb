#include "model/demangle.h"

#include <setjmp.h>
#include <string.h>

/* From libstdc++'s archive: __cxa_demangle (Itanium C++ ABI, section 3.4), told in pieces as it is made.  A
 * name of 300 bytes can stand for gigabytes, each substitution doubling what was there: whoever is told can
 * jump out, for nothing is allocated on the way. */
extern int __gcclibcxx_demangle_callback(const char *mangled,
                                         void (*tell)(const char *piece, size_t length, void *context),
                                         void *context);

enum { LONGEST = 1 << 16 };

struct plain_name {
    struct text text;
    jmp_buf too_long;
};

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

static void add_piece(const char *piece, size_t length, void *context) {
    struct plain_name *plain = context;
    text_append_bytes(&plain->text, piece, length);
    if (plain->text.length > LONGEST || plain->text.failed)
        longjmp(plain->too_long, 1);
}

/* False for what is no mangled name, or one of too much. */
static bool demangle(const char *name, struct plain_name *plain) {
    if (setjmp(plain->too_long))
        return false;
    return !__gcclibcxx_demangle_callback(name, add_piece, plain);
}

static void append_name(struct text *out, const char *name, uint32_t length, struct arena *arena) {
    char *copy = arena_copy(arena, name, length);
    struct plain_name plain = {0};
    if (copy && demangle(copy, &plain))
        text_append_bytes(out, plain.text.data ? plain.text.data : "", plain.text.length);
    else
        text_append_bytes(out, name, length);
    text_destroy(&plain.text);
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
