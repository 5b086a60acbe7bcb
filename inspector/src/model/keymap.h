/* keymap: which command line a key runs.
 *
 * A key file has lines `KEY COMMAND...`, and `KEY` alone for a key that does nothing; # begins a comment. */
#ifndef MODEL_KEYMAP_H
#define MODEL_KEYMAP_H

#include "base/arena.h"
#include "base/vec.h"
#include "keys/keys.h"

struct binding {
    uint32_t key;
    const char *command; /* "": none */
};

struct keymap {
    VEC(struct binding) bindings; /* later ones win */
    struct arena texts;
};

/* keys.def and the screens' keys.  Errors: NO_MEMORY. */
struct jitscope_error *keymap_create(struct keymap *keymap);
void keymap_destroy(struct keymap *keymap);
/* Errors: USAGE, with the line. */
struct jitscope_error *keymap_read(struct keymap *keymap, const char *text, size_t length, const char *file);
/* NULL: the key does nothing. */
const char *keymap_find(const struct keymap *keymap, uint32_t key);

#endif
