/* zstd counts the functions that take an allocator as experimental; Debian's library exports them. */
#define ZSTD_STATIC_LINKING_ONLY
#include "trace/zstd_memory.h"

#include "base/os.h"

#include <zstd.h>

static void *allocate(void *unused, size_t size) {
    (void)unused;
    return os_allocate(size);
}

static void release(void *unused, void *memory) {
    (void)unused;
    os_release(memory);
}

static const ZSTD_customMem memory = {allocate, release, NULL};

struct ZSTD_DCtx_s *zstd_reader_create(void) {
    return ZSTD_createDCtx_advanced(memory);
}

struct ZSTD_CCtx_s *zstd_writer_create(void) {
    return ZSTD_createCCtx_advanced(memory);
}
