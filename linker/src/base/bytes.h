/* bytes: reading untrusted memory.  A struct bytes is a borrowed range; every access names offset and size
 * and is checked without overflow.  All values are little-endian unless the name says otherwise. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    uint64_t size;
};

static inline bool bytes_contain(struct bytes bytes, uint64_t offset, uint64_t size) {
    return offset <= bytes.size && size <= bytes.size - offset;
}

/* The subrange, or {NULL, 0} when it does not lie inside. */
static inline struct bytes bytes_slice(struct bytes bytes, uint64_t offset, uint64_t size) {
    if (!bytes_contain(bytes, offset, size))
        return (struct bytes){NULL, 0};
    return (struct bytes){bytes.data + offset, size};
}

static inline uint16_t load_u16(const void *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t load_u32(const void *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t load_u64(const void *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void store_u16(void *at, uint16_t value) {
    memcpy(at, &value, sizeof value);
}

static inline void store_u32(void *at, uint32_t value) {
    memcpy(at, &value, sizeof value);
}

static inline void store_u64(void *at, uint64_t value) {
    memcpy(at, &value, sizeof value);
}

/* The NUL-terminated string at OFFSET with its length, or NULL when none ends inside. */
static inline const char *bytes_string(struct bytes bytes, uint64_t offset, size_t *length) {
    if (offset >= bytes.size)
        return NULL;
    const uint8_t *start = bytes.data + offset;
    const uint8_t *end = memchr(start, 0, bytes.size - offset);
    if (!end)
        return NULL;
    *length = (size_t)(end - start);
    return (const char *)start;
}

/* Rounds VALUE up to a multiple of ALIGNMENT (a power of two); false on overflow. */
static inline bool align_up(uint64_t value, uint64_t alignment, uint64_t *out) {
    if (__builtin_add_overflow(value, alignment - 1, out))
        return false;
    *out &= ~(alignment - 1);
    return true;
}

static inline bool is_power_of_two(uint64_t value) {
    return value && !(value & (value - 1));
}

/* LEB128 (DWARF 5 section 7.6): advances *OFFSET; false when it runs out of BYTES or over 64 bits. */
bool bytes_uleb(struct bytes bytes, uint64_t *offset, uint64_t *value);
bool bytes_sleb(struct bytes bytes, uint64_t *offset, int64_t *value);

#endif
