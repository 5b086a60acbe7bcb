/* update: the one way in which the state changes. */
#ifndef MODEL_UPDATE_H
#define MODEL_UPDATE_H

#include "model/state.h"

enum input_kind {
    INPUT_KEY,
    INPUT_COMMAND, /* a command line, as from a script */
    INPUT_RESIZE,
    INPUT_CLICK, /* at a row and column of the screen; twice means Enter */
    INPUT_WHEEL, /* rows, negative upward */
    INPUT_NEWS,  /* what is looked at has grown */
    INPUT_WORK   /* time for scans */
};

struct input {
    enum input_kind kind;
    uint32_t key;
    const char *command;
    uint16_t rows, columns; /* of a resize; of a click */
    bool twice;
    int wheel;
};

/* False when INPUT asked for something that could not be done: the state's message says why. */
bool update(struct state *state, const struct input *input);
/* Whether INPUT_WORK has something to do. */
bool update_has_work(const struct state *state);

#endif
