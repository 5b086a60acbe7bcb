#include "base/vec.h"

#include <string.h>

struct any_vec {
    void *data;
    uint32_t count;
    uint32_t capacity;
};

struct jitscope_error *vec_grow(void *vec, uint64_t more, size_t element_size) {
    struct any_vec any;
    memcpy(&any, vec, sizeof any);
    uint64_t needed = any.count + more;
    uint64_t wanted = any.capacity ? (uint64_t)any.capacity * 2 : 16;
    if (needed < more || needed > UINT32_MAX - 1)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "more than 2^32 elements in one table");
    if (wanted < needed)
        wanted = needed;
    if (wanted > UINT32_MAX)
        wanted = UINT32_MAX;
    any.data = os_resize_table(any.data, any.capacity * element_size, (size_t)wanted * element_size);
    if (!any.data)
        return error_no_memory();
    any.capacity = (uint32_t)wanted;
    memcpy(vec, &any, sizeof any);
    return NULL;
}
