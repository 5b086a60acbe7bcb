/* elf_expand: compressed sections (gABI chapter 4, "Section Compression"; .zdebug of older GNU tools). */
#ifndef OBJECT_ELF_EXPAND_H
#define OBJECT_ELF_EXPAND_H

#include "base/bytes.h"

enum elf_compression { COMPRESSION_NONE, COMPRESSION_ZLIB, COMPRESSION_ZSTD };

/* How *content is compressed and how large it will be; *content becomes the compressed bytes alone.
 * COMPRESSED: SHF_COMPRESSED; OLD: the name begins with .z.  NULL, or what is wrong (a static text). */
const char *elf_expanded_size(struct bytes *content, bool compressed, bool old, enum elf_compression *how,
                              uint64_t *size);
/* Writes exactly SIZE bytes. */
const char *elf_expand(struct bytes content, enum elf_compression how, uint8_t *out, uint64_t size);

#endif
