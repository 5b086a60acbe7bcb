/* text: a growing string.  Allocation failure turns it into the empty text (text_take returns NULL); callers
 * that compose messages need no checks on the way. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data; /* NUL-terminated when not NULL */
    size_t length;
    size_t capacity;
    bool failed;
};

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t size);
/* Control bytes, backslashes, bytes over 0x7e that are not valid UTF-8 as \xNN: names are input and may hold
 * terminal escape sequences. */
void text_append_escaped(struct text *text, const char *bytes, size_t size);
/* The inside of a JSON string (RFC 8259 section 7); invalid UTF-8 bytes become U+FFFD. */
void text_append_json(struct text *text, const char *bytes, size_t size);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprint(struct text *text, const char *format, va_list arguments);
/* Hands the string over (os_release it); NULL after a failure, "" never written becomes "". */
char *text_take(struct text *text);
void text_clear(struct text *text);
void text_destroy(struct text *text);
/* Length in bytes of the valid UTF-8 sequence at BYTES (at most SIZE), 0 when invalid. */
size_t text_utf8_length(const unsigned char *bytes, size_t size);
/* The same, and the character; *CHARACTER is the first byte when invalid. */
size_t text_utf8_decode(const unsigned char *bytes, size_t size, uint32_t *character);
/* CHARACTER as UTF-8; U+FFFD for what is none. */
void text_append_character(struct text *text, uint32_t character);

#endif
