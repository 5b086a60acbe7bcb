/* commands: what each command does, expanded from commands.def. */
#ifndef MODEL_COMMANDS_H
#define MODEL_COMMANDS_H

#include "model/state.h"

enum argument_kind {
    ARGUMENT_NOTHING,
    ARGUMENT_TEXT,
    ARGUMENT_SCREEN,
    ARGUMENT_COLUMN,
    ARGUMENT_FILE,
    ARGUMENT_NUMBER,
    ARGUMENT_LETTER
};

struct inspector_command {
    const char *name;
    struct jitscope_error *(*run)(struct state *state, const char *argument);
    enum argument_kind argument;
    const char *synopsis, *meaning;
};

extern const struct inspector_command inspector_commands[];
extern const uint32_t inspector_command_count;

#define COMMAND(name, function, ARGUMENT, synopsis, meaning)                                                 \
    struct jitscope_error *do_##function(struct state *state, const char *argument);
#include "model/commands.def"
#undef COMMAND

/* Runs LINE, a command and what stands behind it; a screen's name goes there.  Errors: USAGE, with what is
 * near, and the command's own. */
struct jitscope_error *command_run(struct state *state, const char *line);
/* Whether LINE begins with the name of a command, or is that of a screen. */
bool command_is_known(const char *line, size_t length);
/* NULL: none. */
const struct inspector_command *inspector_command_find(const char *name, size_t length);

/* What became of a search, once it has come to an end.  Errors: NOT_FOUND. */
struct jitscope_error *finding_tell(struct state *state);

/* ARGUMENT as a number, FALLBACK when there is none. */
struct jitscope_error *argument_number(const char *argument, int64_t fallback, int64_t *number);

#endif
