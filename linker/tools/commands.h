/* commands: what each command does.  One file each; the list is commands.def. */
#ifndef TOOLS_COMMANDS_H
#define TOOLS_COMMANDS_H

#include "options.h"

/* Options are parsed and --help is dealt with. */
#define COMMAND(name, synopsis, summary, description, examples)                                              \
    struct jitscope_error *command_##name(const struct options *options);
#include "commands.def"
#undef COMMAND

/* USAGE, with the nearest command's name. */
struct jitscope_error *unknown_command(const char *name);

#endif
