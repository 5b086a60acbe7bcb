#include "base/bytes.h"

bool bytes_uleb(struct bytes bytes, uint64_t *offset, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; *offset < bytes.size; shift += 7) {
        uint8_t byte = bytes.data[(*offset)++];
        uint64_t part = byte & 0x7f;
        if (shift > 63 ? part != 0 : (part << shift) >> shift != part)
            return false;
        if (shift <= 63)
            *value |= part << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

bool bytes_sleb(struct bytes bytes, uint64_t *offset, int64_t *value) {
    uint64_t bits = 0;
    for (unsigned shift = 0; *offset < bytes.size;) {
        uint8_t byte = bytes.data[(*offset)++];
        if (shift <= 63)
            bits |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (byte & 0x80)
            continue;
        if (shift < 64 && (byte & 0x40))
            bits |= ~(uint64_t)0 << shift;
        *value = (int64_t)bits;
        return shift <= 70;
    }
    return false;
}
