/* job: one link as the command line asks for it, from the session's creation to the last check. */
#ifndef TOOLS_JOB_H
#define TOOLS_JOB_H

#include "options.h"
#include "progress.h"
#include "statistics.h"

#include "jitscope/executor.h"
#include "jitscope/session.h"

struct job {
    const struct options *options;
    struct jitscope_session *session;
    struct jitscope_link *link;
    struct statistics statistics;
    struct progress progress;
    bool count;              /* statistics are filled in */
    bool at_once;            /* the link at hand is not lazy */
    bool is_made_for;        /* the executor is, for this link */
    uint32_t warnings;       /* of this session */
    uint32_t warnings_said;  /* that one before it has had */
    bool warned;             /* that the recording is cut off */
    int memory_file;         /* a recording that only --check reads; -1 */
    const char *record_path; /* NULL: nothing is recorded */
    char memory_path[32];
};

struct job_settings {
    bool simulate;
    bool count;                             /* fill in statistics whether --stats is given or not */
    bool runs;                              /* the program will run */
    void (*created)(const struct job *job); /* the session has been; NULL */
    void (*replaced)(void);                 /* it is about to be, by another; NULL */
    bool need_entry; /* the entry symbol is looked for in archives, as a program's start files do */
    int argc;        /* for initialisers and main; borrowed */
    char **argv, **envp;
};

/* Creates, links, checks; prints what --stats asks for.  Errors: as jitscope_session_link(); USAGE;
 * CHECK_FAILED. *job is to be destroyed in any case. */
struct jitscope_error *job_create(const struct options *options, const struct job_settings *settings,
                                  struct job *job);
void job_destroy(struct job *job);
/* Says once that the recording of --record is not all there, if so. */
void job_warn_of_loss(struct job *job);

/* The address of --entry, or of main. */
struct jitscope_error *job_entry(const struct job *job, uint64_t *address);
const char *job_entry_name(const struct options *options);

/* First input, or library, of the command line; NULL when there is none. */
const char *job_first_input(const struct options *options);

/* "jitscope: warning: ..." on standard error. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
