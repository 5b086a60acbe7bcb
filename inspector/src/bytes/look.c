#include "bytes/look.h"

#include <string.h>

static uint64_t bits(uint32_t count) {
    return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

/* All at once or, at the edge of what can be read, each by itself. */
static uint64_t read_process(const struct look *look, uint64_t address, uint8_t *to, uint32_t size) {
    uint64_t known = 0;
    if (look->read(look->context, address, to, size))
        return bits(size);
    for (uint32_t i = 0; i < size; i++)
        if (look->read(look->context, address + i, to + i, 1))
            known |= UINT64_C(1) << i;
    return known;
}

static uint64_t read_recording(const struct look *look, uint64_t address, uint8_t *to, uint32_t size) {
    uint64_t known = 0;
    if (contents_ask(look->contents, look->link) != CONTENTS_READY)
        return 0;
    if (contents_read(look->contents, look->link, address, to, size))
        return bits(size);
    for (uint32_t i = 0; i < size; i++)
        if (contents_read(look->contents, look->link, address + i, to + i, 1))
            known |= UINT64_C(1) << i;
    return known;
}

void look_at(const struct look *look, uint64_t address, uint32_t size, struct looked *looked) {
    memset(looked, 0, sizeof *looked);
    size = size < sizeof looked->bytes ? size : sizeof looked->bytes;
    uint64_t expected = read_recording(look, address, looked->expected, size);
    if (!look->read) {
        memcpy(looked->bytes, looked->expected, sizeof looked->bytes);
        looked->known = expected;
        return;
    }
    looked->known = read_process(look, address, looked->bytes, size);
    for (uint32_t i = 0; i < size; i++)
        if ((looked->known & expected) >> i & 1 && looked->bytes[i] != looked->expected[i])
            looked->differing |= UINT64_C(1) << i;
}

static bool read_shown(const struct look *look, uint64_t address, uint8_t *to, uint64_t size) {
    return look->read ? look->read(look->context, address, to, size)
                      : contents_read(look->contents, look->link, address, to, size);
}

/* By halves, where not all of it can be read. */
uint64_t look_read(const struct look *look, uint64_t address, uint8_t *to, uint64_t size) {
    uint64_t done = 0;
    for (uint64_t part = size; part;) {
        if (part > size - done)
            part = size - done;
        if (part && read_shown(look, address + done, to + done, part))
            done += part;
        else
            part /= 2;
    }
    return done;
}
