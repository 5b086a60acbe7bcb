#include "keys/keys.h"

#include <string.h>

static const struct {
    uint32_t key;
    const char *name;
} names[] = {
    {KEY_TAB, "Tab"},     {KEY_RETURN, "Enter"},     {KEY_ESCAPE, "Esc"},
    {KEY_SPACE, "Space"}, {KEY_RUBOUT, "Backspace"},
#define KEY_NAMED(NAME, name) {KEY_NAMED_##NAME, name},
#include "keys/key_names.def"
#undef KEY_NAMED
};
enum { NAME_COUNT = sizeof names / sizeof *names };

void key_print(struct text *out, uint32_t key) {
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (names[i].key == key) {
            text_append(out, names[i].name);
            return;
        }
    }
    if (key < 32)
        text_print(out, "^%c", (char)(key | 64));
    else
        text_append_character(out, key);
}

uint32_t key_parse(const char *name, size_t length) {
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (length == strlen(names[i].name) && memcmp(name, names[i].name, length) == 0)
            return names[i].key;
    if (length == 2 && name[0] == '^' && name[1] > '@' && name[1] <= '_')
        return KEY_CONTROL(name[1]);
    uint32_t character = 0;
    if (!length || text_utf8_decode((const unsigned char *)name, length, &character) != length)
        return 0;
    return character > KEY_SPACE && (character < KEY_RUBOUT || character >= 0xa0) ? character : 0;
}
