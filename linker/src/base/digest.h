/* digest: XXH3 of bytes, as fast as the processor allows.
 *
 * libxxhash's header is compiled for what every x86-64 has; where there is AVX2 long inputs go through a
 * second compilation of it.  Both give the same digests, as XXH3 promises. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t digest_64(const void *data, size_t size);
uint64_t digest_64_seeded(const void *data, size_t size, uint64_t seed);

/* The next part of what is digested: its size; 0 when there is no more. */
typedef size_t digest_part(void *context, const void **part);
/* The same as digest_64 of all parts, one behind the other. */
uint64_t digest_64_parts(digest_part *next, void *context);

struct digest_128 {
    uint64_t low, high;
};
struct digest_128 digest_128(const void *data, size_t size);

static inline bool digest_128_equal(struct digest_128 a, struct digest_128 b) {
    return a.low == b.low && a.high == b.high;
}

/* The compilation for AVX2, digest_avx2.c: only to be called where there is AVX2. */
uint64_t digest_64_avx2(const void *data, size_t size, uint64_t seed);
uint64_t digest_64_parts_avx2(digest_part *next, void *context);
struct digest_128 digest_128_avx2(const void *data, size_t size);

#endif
