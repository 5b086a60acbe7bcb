/* Packs and unpacks through Debian's libz.a: in one piece, as a stream in small pieces, and damaged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { SIZE = 300000 };
static unsigned char text[SIZE], packed[SIZE * 2], unpacked[SIZE];

static void fill(void) {
    unsigned seed = 12345;
    for (int i = 0; i < SIZE; i++) {
        seed = seed * 1103515245 + 12345;
        text[i] = (unsigned char)("abcdefgh"[seed >> 29] + (i / 1000 % 7));
    }
}

static void stream(int level) {
    z_stream in = {0}, out = {0};
    deflateInit2(&out, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    out.next_out = packed;
    out.avail_out = sizeof packed;
    for (int at = 0; at < SIZE; at += 777) {
        out.next_in = text + at;
        out.avail_in = (unsigned)(SIZE - at < 777 ? SIZE - at : 777);
        deflate(&out, at + 777 >= SIZE ? Z_FINISH : Z_NO_FLUSH);
    }
    unsigned long size = out.total_out;
    deflateEnd(&out);
    memset(unpacked, 0, sizeof unpacked);
    inflateInit2(&in, 15 + 16);
    in.next_out = unpacked;
    in.avail_out = sizeof unpacked;
    int status = Z_OK;
    for (unsigned long at = 0; at < size && status == Z_OK; at += 333) {
        in.next_in = packed + at;
        in.avail_in = (unsigned)(size - at < 333 ? size - at : 333);
        status = inflate(&in, Z_NO_FLUSH);
    }
    inflateEnd(&in);
    printf("level %d: %lu bytes, status %d, %s\n", level, size, status,
           memcmp(text, unpacked, SIZE) ? "different" : "same");
}

int main(void) {
    fill();
    printf("crc %08lx adler %08lx\n", crc32(0, text, SIZE), adler32(1, text, SIZE));
    for (int level = 0; level <= 9; level += 3)
        stream(level);
    uLongf size = sizeof packed, back = sizeof unpacked;
    printf("compress %d", compress(packed, &size, text, SIZE));
    printf(" -> %lu", size);
    printf(", uncompress %d\n", uncompress(unpacked, &back, packed, size));
    packed[size / 2] ^= 0x55;
    back = sizeof unpacked;
    int status = uncompress(unpacked, &back, packed, size);
    printf("damaged: %d %s\n", status, zError(status));
    return memcmp(text, unpacked, 100) ? 1 : 3;
}
