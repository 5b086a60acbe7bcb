#include "export/protobuf.h"

#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_LENGTH = 2 };

static void put_varint(struct text *message, uint64_t value) {
    char bytes[10];
    size_t size = 0;
    for (; value > 0x7f; value >>= 7)
        bytes[size++] = (char)(value | 0x80);
    bytes[size++] = (char)value;
    text_append_bytes(message, bytes, size);
}

void protobuf_number(struct text *message, unsigned field, uint64_t value) {
    put_varint(message, (uint64_t)field << 3 | WIRE_VARINT);
    put_varint(message, value);
}

void protobuf_bytes(struct text *message, unsigned field, const char *bytes, size_t size) {
    put_varint(message, (uint64_t)field << 3 | WIRE_LENGTH);
    put_varint(message, size);
    text_append_bytes(message, bytes, size);
}

void protobuf_text(struct text *message, unsigned field, const char *text) {
    protobuf_bytes(message, field, text, strlen(text));
}

void protobuf_message(struct text *message, unsigned field, struct text *inner) {
    protobuf_bytes(message, field, inner->data ? inner->data : "", inner->length);
    message->failed |= inner->failed;
    text_clear(inner);
}
