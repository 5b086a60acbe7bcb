#include "object/elf_expand.h"

#include "base/os.h"
#include "trace/zstd_memory.h"

#include <elf.h>
#include <zlib.h>
#include <zstd.h>

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

/* No input of these sizes is meant: more would be an attack on memory.  Deflate cannot do better than 1032:1.
 */
enum { MOST_DEFLATE_RATIO = 1040 };
#define MOST_EXPANDED ((uint64_t)1 << 30)

static const char *expanded_old(struct bytes *content, enum elf_compression *how, uint64_t *size) {
    if (content->size < 12 || memcmp(content->data, "ZLIB", 4) != 0)
        return "a .zdebug section that does not begin with ZLIB and a size";
    *size = __builtin_bswap64(load_u64(content->data + 4));
    *how = COMPRESSION_ZLIB;
    *content = bytes_slice(*content, 12, content->size - 12);
    return NULL;
}

static const char *expanded(struct bytes *content, enum elf_compression *how, uint64_t *size) {
    Elf64_Chdr header;
    if (content->size < sizeof header)
        return "a compressed section that ends inside its header";
    memcpy(&header, content->data, sizeof header);
    if (header.ch_type != ELFCOMPRESS_ZLIB && header.ch_type != ELFCOMPRESS_ZSTD)
        return "a compressed section of unknown kind: neither zlib nor zstd";
    *how = header.ch_type == ELFCOMPRESS_ZLIB ? COMPRESSION_ZLIB : COMPRESSION_ZSTD;
    *size = header.ch_size;
    *content = bytes_slice(*content, sizeof header, content->size - sizeof header);
    return NULL;
}

const char *elf_expanded_size(struct bytes *content, bool compressed, bool old, enum elf_compression *how,
                              uint64_t *size) {
    *how = COMPRESSION_NONE;
    *size = content->size;
    const char *failure = compressed ? expanded(content, how, size)
                          : old      ? expanded_old(content, how, size)
                                     : NULL;
    if (failure)
        return failure;
    if (*size > MOST_EXPANDED ||
        (*how == COMPRESSION_ZLIB && *size / MOST_DEFLATE_RATIO > content->size + 64))
        return "a compressed section that claims an impossible size";
    return NULL;
}

static void *allocate(void *unused, unsigned count, unsigned size) {
    (void)unused;
    return os_allocate((size_t)count * size);
}

static void release(void *unused, void *memory) {
    (void)unused;
    os_release(memory);
}

static const char *inflate_all(struct bytes content, uint8_t *out, uint64_t size) {
    z_stream stream = {.zalloc = allocate,
                       .zfree = release,
                       .next_in = (Bytef *)(uintptr_t)content.data,
                       .avail_in = (uInt)content.size,
                       .next_out = out,
                       .avail_out = (uInt)size};
    if (inflateInit(&stream) != Z_OK)
        return "out of memory to expand a section";
    bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && !stream.avail_out;
    inflateEnd(&stream);
    return whole ? NULL : "a compressed section that does not expand to its size";
}

static const char *unsqueeze_all(struct bytes content, uint8_t *out, uint64_t size) {
    ZSTD_DCtx *reader = zstd_reader_create();
    if (!reader)
        return "out of memory to expand a section";
    size_t got = ZSTD_decompressDCtx(reader, out, size, content.data, content.size);
    ZSTD_freeDCtx(reader);
    return !ZSTD_isError(got) && got == size ? NULL : "a compressed section that does not expand to its size";
}

const char *elf_expand(struct bytes content, enum elf_compression how, uint8_t *out, uint64_t size) {
    if (how == COMPRESSION_NONE) {
        if (size)
            memcpy(out, content.data, size);
        return NULL;
    }
    if (content.size > MOST_EXPANDED)
        return "a compressed section of impossible size";
    return how == COMPRESSION_ZLIB ? inflate_all(content, out, size) : unsqueeze_all(content, out, size);
}
