#include "trial.h"

#include "base/os.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child says first; the report's text follows. */
struct answer {
    uint32_t verdict;
    uint32_t code; /* of the error that kept it from replaying; the text is its message then */
    uint64_t compared;
};

/* --- the child */

static void send(int fd, const void *data, size_t size) {
    for (const char *at = data; size;) {
        ssize_t put = os_write(fd, at, size);
        if (put <= 0)
            return; /* the parent sees that it is too short */
        at += put;
        size -= (size_t)put;
    }
}

static void replay_and_tell(int fd, const struct recording_file *file, const struct replay_options *options) {
    struct answer answer = {0};
    struct replay *replay;
    struct jitscope_error *error = replay_run(file, options, &replay);
    const char *text = error ? jitscope_error_message(error) : replay_report(replay);
    if (!error)
        answer = (struct answer){.verdict = replay_verdict(replay), .compared = replay_compared(replay)};
    answer.code = error ? (uint32_t)jitscope_error_code(error) : 0;
    send(fd, &answer, sizeof answer);
    send(fd, text, strlen(text));
    if (!error && options->record_path)
        replay_end_recording(replay);
    if (!error)
        replay_destroy(replay);
    jitscope_error_destroy(error);
}

/* --- the parent */

static void receive(int fd, struct text *out) {
    char buffer[4096];
    ssize_t got;
    while ((got = os_read(fd, buffer, sizeof buffer)) > 0)
        text_append_bytes(out, buffer, (size_t)got);
}

static struct jitscope_error *understand(struct trial *trial, const struct text *said) {
    struct answer answer;
    if (said->failed)
        return error_no_memory();
    if (trial->status)
        return NULL;
    if (said->length < sizeof answer)
        return error_create(JITSCOPE_ERROR_SYSTEM, "the replay has not said how it went");
    memcpy(&answer, said->data, sizeof answer);
    if (answer.code)
        return error_create((enum jitscope_error_code)answer.code, "%s", said->data + sizeof answer);
    trial->verdict = (enum replay_verdict)answer.verdict;
    trial->compared = answer.compared;
    text_append_bytes(&trial->report, said->data + sizeof answer, said->length - sizeof answer);
    return trial->report.failed ? error_no_memory() : NULL;
}

static struct jitscope_error *run(const struct recording_file *file, const struct replay_options *options,
                                  struct trial *trial, const int ends[2]) {
    struct text said = {0};
    fflush(NULL); /* what is buffered belongs to the parent */
    pid_t child = fork();
    if (child == 0) {
        replay_and_tell(ends[1], file, options);
        _exit(0);
    }
    os_close(ends[1]);
    if (child > 0)
        receive(ends[0], &said);
    bool gone = child > 0 && waitpid(child, &trial->status, 0) == child;
    os_close(ends[0]);
    struct jitscope_error *error = gone ? understand(trial, &said) : error_system("cannot replay", NULL);
    text_destroy(&said);
    return error;
}

struct jitscope_error *trial_replay(const struct recording_file *file, const struct replay_options *options,
                                    struct trial *trial) {
    int ends[2];
    *trial = (struct trial){0};
    if (pipe(ends) < 0)
        return error_system("pipe", NULL);
    struct jitscope_error *error = run(file, options, trial, ends);
    if (error)
        trial_destroy(trial);
    return error;
}

void trial_destroy(struct trial *trial) {
    text_destroy(&trial->report);
}

void trial_print(struct text *out, const struct trial *trial) {
    if (WIFSIGNALED(trial->status))
        text_print(out, "the replay dies of signal %d (%s)", WTERMSIG(trial->status),
                   strsignal(WTERMSIG(trial->status)));
    else if (trial->status)
        text_print(out, "the replay ends with status %d, before it is done", WEXITSTATUS(trial->status));
    else if (trial->verdict == REPLAY_IDENTICAL)
        text_print(out, "identical, %" PRIu64 " events", trial->compared);
    else
        text_print(out, "diverged after %" PRIu64 " events", trial->compared);
}
