/* zstd_memory: zstd with its allocations behind the same door as everybody else's (os.h). */
#ifndef TRACE_ZSTD_MEMORY_H
#define TRACE_ZSTD_MEMORY_H

#include <stddef.h>

struct ZSTD_DCtx_s;
struct ZSTD_CCtx_s;

/* NULL without memory; to be freed with zstd's own functions. */
struct ZSTD_DCtx_s *zstd_reader_create(void);
struct ZSTD_CCtx_s *zstd_writer_create(void);

#endif
