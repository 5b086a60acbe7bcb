/* prompt: a line that is typed at the bottom of the screen. */
#ifndef MODEL_PROMPT_H
#define MODEL_PROMPT_H

#include "model/state.h"

/* A key while the prompt is open. */
struct jitscope_error *prompt_key(struct state *state, uint32_t key);

#endif
