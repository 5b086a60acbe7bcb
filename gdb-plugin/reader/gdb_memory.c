#include "gdb_memory.h"

enum { PIECE = 1 << 20 }; /* gdb takes an int */

static bool read_target(void *context, uint64_t address, void *to, uint64_t size) {
    gdb_target_read *read = *(gdb_target_read **)context;
    for (uint64_t done = 0, piece; done < size; done += piece) {
        piece = size - done < PIECE ? size - done : PIECE;
        if (read(address + done, (uint8_t *)to + done, (int)piece) != GDB_SUCCESS)
            return false;
    }
    return true;
}

struct debuggee_memory gdb_memory(gdb_target_read **read) {
    return (struct debuggee_memory){read_target, read};
}
