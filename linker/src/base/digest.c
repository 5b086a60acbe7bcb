#include "base/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/digest_parts.h"

/* The C library knows what the processor has since it was loaded.  The compiler's __builtin_cpu_supports()
 * asks the processor again before main(), which takes a virtual machine some 70 us: of each instruction that
 * asks, its host is told. */
#if __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#define HAS_AVX2 CPU_FEATURE_ACTIVE(AVX2)
#else
#define HAS_AVX2 __builtin_cpu_supports("avx2")
#endif

/* XXH3 uses vectors for inputs above this length. */
enum { LONG = 240 };

static inline bool wants_avx2(size_t size) {
    return size > LONG && HAS_AVX2;
}

uint64_t digest_64_seeded(const void *data, size_t size, uint64_t seed) {
    return wants_avx2(size) ? digest_64_avx2(data, size, seed) : XXH3_64bits_withSeed(data, size, seed);
}

uint64_t digest_64(const void *data, size_t size) {
    return wants_avx2(size) ? digest_64_avx2(data, size, 0) : XXH3_64bits(data, size);
}

uint64_t digest_64_parts(digest_part *next, void *context) {
    return HAS_AVX2 ? digest_64_parts_avx2(next, context) : digest_parts(next, context);
}

struct digest_128 digest_128(const void *data, size_t size) {
    if (wants_avx2(size))
        return digest_128_avx2(data, size);
    XXH128_hash_t hash = XXH3_128bits(data, size);
    return (struct digest_128){hash.low64, hash.high64};
}
