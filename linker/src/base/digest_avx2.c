#include "base/digest.h"

/* The build compiles this file with -mavx2. */
#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_AVX2
#include <xxhash.h>

#include "base/digest_parts.h"

uint64_t digest_64_avx2(const void *data, size_t size, uint64_t seed) {
    return XXH3_64bits_withSeed(data, size, seed);
}

uint64_t digest_64_parts_avx2(digest_part *next, void *context) {
    return digest_parts(next, context);
}

struct digest_128 digest_128_avx2(const void *data, size_t size) {
    XXH128_hash_t hash = XXH3_128bits(data, size);
    return (struct digest_128){hash.low64, hash.high64};
}
