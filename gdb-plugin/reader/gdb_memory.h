/* gdb_memory: gdb's way into the process, as debuggee_view wants it. */
#ifndef READER_GDB_MEMORY_H
#define READER_GDB_MEMORY_H

#include "executor/debuggee_view.h"

#include <gdb/jit-reader.h>

/* READ is borrowed: a field of gdb's callbacks. */
struct debuggee_memory gdb_memory(gdb_target_read **read);

#endif
