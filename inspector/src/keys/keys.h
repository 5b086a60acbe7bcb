/* keys: what a user presses, as numbers that mean the same for terminals, scripts, key tables and help.
 *
 * A key is a Unicode character, a control character (1 to 31, 127), or one of enum key. */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include "base/text.h"

#include <stdint.h>

enum key {
    KEY_BASE = 0x110000, /* behind all characters */
#define KEY_NAMED(NAME, name) KEY_NAMED_##NAME,
#include "keys/key_names.def"
#undef KEY_NAMED
};

/* Characters that have names of their own: "Tab", "Enter", "Esc", "Space", "Backspace". */
enum { KEY_TAB = 9, KEY_RETURN = 13, KEY_ESCAPE = 27, KEY_SPACE = 32, KEY_RUBOUT = 127 };
#define KEY_CONTROL(letter) ((letter)&31)

/* "PgDn", "^D", "Tab", "Space", "x", "é".  KEY must be one. */
void key_print(struct text *out, uint32_t key);
/* The key that LENGTH bytes at NAME name, as key_print() writes them; 0 when none. */
uint32_t key_parse(const char *name, size_t length);

#endif
