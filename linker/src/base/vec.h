/* vec: a contiguous growing array with 32-bit counts, for any element type.
 *
 *     VEC(struct edge) edges;                    zero-initialised is empty
 *     TRY(vec_reserve(&edges, count));           room for COUNT more, so that vec_put cannot fail
 *     vec_put(&edges, edge);
 *     TRY(vec_push(&edges, edge));               both in one
 *
 * Element addresses move when the array grows: keep indices, not pointers. */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/error.h"
#include "base/os.h"

#include <stdint.h>

#define VEC(type)                                                                                            \
    struct {                                                                                                 \
        type *data;                                                                                          \
        uint32_t count;                                                                                      \
        uint32_t capacity;                                                                                   \
    }

/* VEC is the address of any VEC; copied in and out, since its element type is not known here. */
struct jitscope_error *vec_grow(void *vec, uint64_t more, size_t element_size);

#define vec_reserve(vec, more)                                                                               \
    (__builtin_expect((uint64_t)(vec)->capacity - (vec)->count >= (uint64_t)(more), 1)                       \
         ? NULL                                                                                              \
         : vec_grow((vec), (more), sizeof *(vec)->data))

#define vec_put(vec, ...) ((void)((vec)->data[(vec)->count++] = (__VA_ARGS__)))

#define vec_push(vec, ...)                                                                                   \
    __extension__({                                                                                          \
        struct jitscope_error *vec_error_ = vec_reserve(vec, 1);                                             \
        if (!vec_error_)                                                                                     \
            vec_put(vec, __VA_ARGS__);                                                                       \
        vec_error_;                                                                                          \
    })

#define vec_destroy(vec)                                                                                     \
    do {                                                                                                     \
        os_release_table((vec)->data, (size_t)(vec)->capacity * sizeof *(vec)->data);                        \
        (vec)->data = NULL;                                                                                  \
        (vec)->count = (vec)->capacity = 0;                                                                  \
    } while (0)

#endif
