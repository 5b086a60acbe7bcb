#include "redacted.h"

#include "base/os.h"
#include "record/redact.h"
#include "trial.h"

#include <inttypes.h>
#include <string.h>

static struct jitscope_error *parse_what(const char *what, struct redact_options *options) {
    *options = (struct redact_options){0};
    for (const char *at = what; *at;) {
        size_t length = strcspn(at, ",");
        bool paths = length == 5 && !memcmp(at, "paths", 5), names = length == 5 && !memcmp(at, "names", 5);
        if (!paths && !names)
            return error_create(JITSCOPE_ERROR_USAGE, "--redact: '%.*s' is not one of paths, names",
                                (int)length, at);
        options->paths |= paths;
        options->names |= names;
        at += length + (at[length] == ',');
    }
    return NULL;
}

static struct jitscope_error *went_another_way(const struct trial *trial, const char *what) {
    struct text verdict = {0};
    trial_print(&verdict, trial);
    size_t length =
        trial->report.length ? trial->report.length - 1 : 0; /* without the end of its last line */
    struct jitscope_error *error = error_create(JITSCOPE_ERROR_RECORDING, "cannot redact: %s: %s%s%.*s", what,
                                                verdict.data ? verdict.data : "", length ? "\n" : "",
                                                (int)length, length ? trial->report.data : "");
    text_destroy(&verdict);
    return error_with_help(error, "report it without --redact, if you may");
}

static struct jitscope_error *must_replay(const struct recording_file *file,
                                          const struct replay_options *options, const char *what) {
    struct trial trial;
    TRY(trial_replay(file, options, &trial));
    bool same = !trial.status && trial.verdict == REPLAY_IDENTICAL;
    struct jitscope_error *error = same ? NULL : went_another_way(&trial, what);
    trial_destroy(&trial);
    return error;
}

/* A replay of the inputs with other names, recorded to PATH, and that once more as it stands. */
static struct jitscope_error *link_again(const struct text *image, const char *path,
                                         struct recording_file *file) {
    struct recording_file renamed;
    struct replay_options options = {.record_path = path, .renamed = true}, strict = {0};
    TRY(recording_open_memory((struct bytes){(const uint8_t *)image->data, image->length}, &renamed));
    struct jitscope_error *error =
        must_replay(&renamed, &options, "with other names the link goes another way");
    recording_close(&renamed);
    TRY(error);
    TRY(recording_open(path, file));
    error = must_replay(file, &strict, "the link with other names does not replay");
    if (error)
        recording_close(file);
    return error;
}

struct jitscope_error *redacted_make(const struct recording_file *file, const char *what, const char *out,
                                     struct redacted *redacted) {
    struct redact_options options;
    struct replay_options strict = {0};
    struct text image = {0}, path = {0};
    *redacted = (struct redacted){0};
    TRY(parse_what(what, &options));
    TRY(must_replay(file, &strict, "the recording itself does not replay"));
    text_print(&path, "%s.%d.redacted", out, os_process_id());
    struct jitscope_error *error = path.failed ? error_no_memory() : NULL;
    if (!error)
        error = redact_recording(file, &options, &image, &redacted->about);
    if (!error) {
        error = link_again(&image, path.data, &redacted->file);
        os_remove(path.data);
    }
    text_destroy(&image);
    text_destroy(&path);
    if (error)
        text_destroy(&redacted->about);
    return error;
}

void redacted_destroy(struct redacted *redacted) {
    recording_close(&redacted->file);
    text_destroy(&redacted->about);
}
