#include "base/vec.h"

#include <string.h>

struct any_vec {
    void *data;
    uint32_t count;
    uint32_t capacity;
};

/* A large table's pages move when it grows, not its bytes: what counts is not to touch too many. */
static uint64_t next_capacity(uint64_t capacity, size_t element_size) {
    enum { LARGE = 256 << 10, VERY_LARGE = 1 << 20 };
    uint64_t size = capacity * element_size;
    if (!capacity)
        return 16;
    return capacity + (size < LARGE ? capacity : size < VERY_LARGE ? capacity / 2 : capacity / 4);
}

struct jitscope_error *vec_grow(void *vec, uint64_t more, size_t element_size) {
    struct any_vec any;
    memcpy(&any, vec, sizeof any);
    uint64_t needed = any.count + more;
    uint64_t wanted = next_capacity(any.capacity, element_size);
    if (needed < more || needed > UINT32_MAX - 1)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "more than 2^32 elements in one table");
    if (wanted < needed)
        wanted = needed;
    wanted = os_table_room((size_t)wanted * element_size) / element_size;
    if (wanted > UINT32_MAX)
        wanted = UINT32_MAX;
    any.data = os_resize_table(any.data, any.capacity * element_size, (size_t)wanted * element_size);
    if (!any.data)
        return error_no_memory();
    any.capacity = (uint32_t)wanted;
    memcpy(vec, &any, sizeof any);
    return NULL;
}
