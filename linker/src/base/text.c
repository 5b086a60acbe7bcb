#include "base/text.h"

#include "base/os.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool reserve(struct text *text, size_t more) {
    if (text->failed)
        return false;
    if (more < text->capacity - text->length)
        return true;
    size_t capacity = (text->length + more + 1) * 2;
    char *data = capacity > text->length ? os_reallocate(text->data, capacity) : NULL;
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_append_bytes(struct text *text, const char *bytes, size_t size) {
    if (!reserve(text, size))
        return;
    memcpy(text->data + text->length, bytes, size);
    text->length += size;
    text->data[text->length] = 0;
}

void text_append(struct text *text, const char *string) {
    text_append_bytes(text, string, strlen(string));
}

size_t text_utf8_length(const unsigned char *bytes, size_t size) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = bytes[0];
    size_t length = first < 0x80   ? 1
                    : first < 0xc2 ? 0
                    : first < 0xe0 ? 2
                    : first < 0xf0 ? 3
                    : first < 0xf5 ? 4
                                   : 0;
    if (length < 2)
        return length;
    if (length > size)
        return 0;
    uint32_t code = first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < least[length] || code > 0x10ffff || surrogate ? 0 : length;
}

size_t text_utf8_decode(const unsigned char *bytes, size_t size, uint32_t *character) {
    size_t length = text_utf8_length(bytes, size);
    *character = length > 1 ? bytes[0] & (0x7fu >> length) : bytes[0];
    for (size_t i = 1; i < length; i++)
        *character = *character << 6 | (bytes[i] & 0x3f);
    return length;
}

void text_append_character(struct text *text, uint32_t character) {
    if (character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
        character = 0xfffd;
    char bytes[4];
    size_t length = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; character >>= 6)
        bytes[i] = (char)(0x80 | (character & 0x3f));
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    bytes[0] = (char)(lead[length] | character);
    text_append_bytes(text, bytes, length);
}

/* C1 controls (U+0080..U+009F), marks and overrides of direction steer terminals too. */
static bool is_harmless(const unsigned char *bytes, size_t length) {
    if (length == 1)
        return bytes[0] >= 0x20 && bytes[0] != 0x7f;
    if (length == 2)
        return !(bytes[0] == 0xc2 && bytes[1] < 0xa0) && !(bytes[0] == 0xd8 && bytes[1] == 0x9c);
    if (length == 3 && bytes[0] == 0xe2 && (bytes[1] == 0x80 || bytes[1] == 0x81))
        return !((bytes[1] == 0x80 && bytes[2] >= 0xa8 && bytes[2] <= 0xae) ||
                 (bytes[1] == 0x80 && (bytes[2] == 0x8e || bytes[2] == 0x8f)) ||
                 (bytes[1] == 0x81 && bytes[2] >= 0xa6 && bytes[2] <= 0xa9));
    return true;
}

void text_append_escaped(struct text *text, const char *bytes, size_t size) {
    const unsigned char *at = (const unsigned char *)bytes;
    for (size_t i = 0; i < size;) {
        size_t length = text_utf8_length(at + i, size - i);
        if (length && is_harmless(at + i, length)) {
            text_append_bytes(text, bytes + i, length);
            i += length;
            continue;
        }
        length = length ? length : 1;
        for (size_t end = i + length; i < end; i++)
            text_print(text, "\\x%02x", at[i]);
    }
}

void text_append_json(struct text *text, const char *bytes, size_t size) {
    const unsigned char *at = (const unsigned char *)bytes;
    for (size_t i = 0; i < size;) {
        uint32_t character;
        size_t length = text_utf8_decode(at + i, size - i, &character);
        if (!length)
            text_append(text, "\\ufffd");
        else if (at[i] == '"' || at[i] == '\\')
            text_print(text, "\\%c", at[i]);
        else if (!is_harmless(at + i, length)) /* none beyond U+FFFF is not */
            text_print(text, "\\u%04x", character);
        else
            text_append_bytes(text, bytes + i, length);
        i += length ? length : 1;
    }
}

void text_vprint(struct text *text, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length >= 0 && reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void text_print(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    text_vprint(text, format, arguments);
    va_end(arguments);
}

char *text_take(struct text *text) {
    if (!text->data)
        text_append(text, "");
    char *data = text->failed ? NULL : text->data;
    if (text->failed)
        os_release(text->data);
    *text = (struct text){0};
    return data;
}

void text_clear(struct text *text) {
    text->length = 0;
    text->failed = false;
    if (text->data)
        text->data[0] = 0;
}

void text_destroy(struct text *text) {
    os_release(text->data);
    *text = (struct text){0};
}
