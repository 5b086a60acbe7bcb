/* protobuf: appending fields of a protocol buffer message (protobuf.dev, "Encoding").
 *
 * A message is built in a text; one inside another in a text of its own, since its length comes first. */
#ifndef EXPORT_PROTOBUF_H
#define EXPORT_PROTOBUF_H

#include "base/text.h"

#include <stdint.h>

void protobuf_number(struct text *message, unsigned field, uint64_t value);
void protobuf_bytes(struct text *message, unsigned field, const char *bytes, size_t size);
/* A string field must be UTF-8: escaped text is. */
void protobuf_text(struct text *message, unsigned field, const char *text);
/* INNER is empty afterwards. */
void protobuf_message(struct text *message, unsigned field, struct text *inner);

#endif
