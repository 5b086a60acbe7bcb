/* The digest of parts, for each way in which xxhash is compiled: include that before. */
#ifndef BASE_DIGEST_PARTS_H
#define BASE_DIGEST_PARTS_H

#include "base/digest.h"

static inline uint64_t digest_parts(digest_part *next, void *context) {
    XXH3_state_t state;
    const void *part;
    XXH3_64bits_reset(&state);
    for (size_t size; (size = next(context, &part));)
        XXH3_64bits_update(&state, part, size);
    return XXH3_64bits_digest(&state);
}

#endif
