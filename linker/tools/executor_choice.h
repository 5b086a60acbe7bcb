/* executor_choice: which process `jitscope run` has the program run in. */
#ifndef TOOLS_EXECUTOR_CHOICE_H
#define TOOLS_EXECUTOR_CHOICE_H

#include "options.h"

#include "jitscope/executor.h"

/* In another one than this: unless something was asked for that needs this one. */
bool executor_is_elsewhere(const struct options *options);
/* In one that this process starts, in the same surroundings. */
bool executor_is_child(const struct options *options);
/* It has started this one (`jitscope-executor --linker`), and nothing else was asked for. */
bool executor_started_this(const struct options *options);
/* Errors: USAGE. */
struct jitscope_error *executor_choice_check(const struct options *options);
/* Starts it, or goes to it.  PREVIOUS, if not NULL, has failed for want of copies: starts one that has them.
 */
struct jitscope_error *executor_choice_connect(const struct options *options,
                                               struct jitscope_session *previous,
                                               struct jitscope_executor_connection **connection);

#endif
