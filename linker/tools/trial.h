/* trial: a replay in a process of its own, so that one that crashes is a result like any other. */
#ifndef TOOLS_TRIAL_H
#define TOOLS_TRIAL_H

#include "record/replay.h"

struct trial {
    int status; /* as waitpid(2) gives it; 0: the replay came to its end, and what follows holds */
    enum replay_verdict verdict;
    uint64_t compared;
    struct text report; /* as replay_report() */
};

/* *TRIAL is to be destroyed on success.  Errors: those of replay_run(), SYSTEM. */
struct jitscope_error *trial_replay(const struct recording_file *file, const struct replay_options *options,
                                    struct trial *trial);
void trial_destroy(struct trial *trial);
/* "identical, 164 events": one line without end. */
void trial_print(struct text *out, const struct trial *trial);

#endif
