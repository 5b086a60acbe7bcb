/* emit_symbols: what an image says of names and lines, told to gdb. */
#ifndef READER_EMIT_SYMBOLS_H
#define READER_EMIT_SYMBOLS_H

#include "base/error.h"
#include "executor/debuggee_view.h"

#include <gdb/jit-reader.h>

/* Errors: NO_MEMORY.  An image that cannot be read adds nothing. */
struct jitscope_error *emit_symbols(struct gdb_symbol_callbacks *gdb, struct gdb_object *object,
                                    const struct debuggee_memory *memory, const struct debuggee_image *image);

#endif
