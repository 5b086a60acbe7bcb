/* jitscope bug-report: a recording that tells people what it is, and has been tried. */
#include "commands.h"

#include "export/output.h"
#include "record/report.h"
#include "redacted.h"
#include "trace/packed.h"
#include "trial.h"

#include <stdio.h>

/* --- the manifest */

/* The lines of what the replay reported, set in. */
static void put_indented(struct text *out, const struct text *lines) {
    for (const char *line = lines->data; line && *line;) {
        size_t length = strcspn(line, "\n");
        text_append(out, "  ");
        text_append_bytes(out, line, length);
        text_append(out, "\n");
        line += length + (line[length] == '\n');
    }
}

static void put_verdict(struct text *manifest, const struct trial *trial) {
    text_print(manifest, "%-16sjitscope replay FILE\n", "replay");
    text_print(manifest, "%-16s", "verdict");
    trial_print(manifest, trial);
    text_append(manifest, "\n");
    put_indented(manifest, &trial->report);
}

static struct jitscope_error *try_replay(const struct recording_file *file, struct trial *trial) {
    struct replay_options none = {0};
    TRY(trial_replay(file, &none, trial));
    if (trial->status || trial->verdict != REPLAY_IMPOSSIBLE)
        return NULL;
    size_t length = strcspn(trial->report.data ? trial->report.data : "", "\n");
    struct jitscope_error *error = error_create(
        JITSCOPE_ERROR_RECORDING, "the recording cannot be replayed, so that it is no report: %.*s",
        (int)length, trial->report.data ? trial->report.data : "");
    trial_destroy(trial);
    return error;
}

/* ABOUT is what a redaction says of itself, or NULL. */
static struct jitscope_error *make_manifest(const struct recording_file *file, const struct text *about,
                                            struct text *manifest) {
    struct trial trial;
    TRY(try_replay(file, &trial));
    text_append(manifest, "jitscope bug report\n\n");
    put_verdict(manifest, &trial);
    trial_destroy(&trial);
    if (about)
        text_append_bytes(manifest, about->data, about->length);
    TRY(report_describe(manifest, file));
    return manifest->failed ? error_no_memory() : NULL;
}

/* --- the file */

static void gather(void *text, const void *data, size_t size) {
    text_append_bytes(text, data, size);
}

/* What is to be written must read as what was tried. */
static struct jitscope_error *check_packed(const struct text *packed, const struct text *image) {
    struct recording_file file;
    TRY(recording_open_memory((struct bytes){(const uint8_t *)packed->data, packed->length}, &file));
    bool same = file.bytes.size <= image->length && !memcmp(file.bytes.data, image->data, file.bytes.size);
    struct text lines = {0};
    same &= report_read(&file, &lines) && !lines.failed;
    text_destroy(&lines);
    recording_close(&file);
    return same ? NULL : error_create(JITSCOPE_ERROR_RECORDING, "the report does not read as it was made");
}

static struct jitscope_error *pack(const struct text *image, struct text *packed) {
    struct recording_file file;
    TRY(recording_open_memory((struct bytes){(const uint8_t *)image->data, image->length}, &file));
    struct jitscope_error *error = packed_write(&file, gather, packed);
    recording_close(&file);
    TRY(error);
    return packed->failed ? error_no_memory() : check_packed(packed, image);
}

static struct jitscope_error *write_file(const char *path, const struct text *packed) {
    struct output out;
    TRY(output_open(&out, path));
    output_put(&out, packed->data, packed->length);
    return output_close(&out, NULL);
}

/* lua.jsr -> lua-report.jsr, in the current folder. */
static char *default_path(const char *path) {
    struct text out = {0};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t length = strlen(name);
    if (length > 4 && !strcmp(name + length - 4, ".jsr"))
        length -= 4;
    text_print(&out, "%.*s-report.jsr", (int)length, name);
    return text_take(&out);
}

static struct jitscope_error *write_report(const struct recording_file *file, const struct text *manifest,
                                           const char *path) {
    struct text image = {0}, packed = {0};
    struct jitscope_error *error = report_append(file, manifest, &image);
    if (!error)
        error = pack(&image, &packed);
    if (!error)
        error = write_file(path, &packed);
    text_destroy(&packed);
    text_destroy(&image);
    return error;
}

/* --- the command */

static struct jitscope_error *refuse_report(const struct recording_file *file) {
    struct text lines = {0};
    bool is_report = report_read(file, &lines);
    text_destroy(&lines);
    if (!is_report)
        return NULL;
    return error_with_help(error_create(JITSCOPE_ERROR_RECORDING, "the recording is a report already"),
                           "jitscope bug-report --show FILE prints its manifest");
}

static struct jitscope_error *report(const struct recording_file *file, const struct text *about,
                                     const char *path) {
    struct text manifest = {0};
    struct jitscope_error *error = make_manifest(file, about, &manifest);
    if (!error)
        error = write_report(file, &manifest, path);
    if (!error) {
        fputs(manifest.data, stdout);
        fprintf(stderr, "%sjitscope: written: %s\n", about ? about->data : "", path);
    }
    text_destroy(&manifest);
    return error;
}

static struct jitscope_error *report_redacted(const struct recording_file *file, const char *what,
                                              const char *path) {
    struct redacted redacted;
    TRY(redacted_make(file, what, path, &redacted));
    struct jitscope_error *error = report(&redacted.file, &redacted.about, path);
    redacted_destroy(&redacted);
    return error;
}

static struct jitscope_error *make(const struct options *options, const struct recording_file *file) {
    if (!options->redact)
        TRY(refuse_report(file));
    char *path = options->output ? NULL : default_path(options->items.data[0].text);
    if (!path && !options->output)
        return error_no_memory();
    const char *out = path ? path : options->output;
    struct jitscope_error *error =
        options->redact ? report_redacted(file, options->redact, out) : report(file, NULL, out);
    os_release(path);
    return error;
}

static struct jitscope_error *show(const struct recording_file *file) {
    struct text lines = {0};
    bool found = report_read(file, &lines), failed = lines.failed;
    if (found && !failed)
        fputs(lines.data, stdout);
    text_destroy(&lines);
    if (failed)
        return error_no_memory();
    return found ? NULL : error_create(JITSCOPE_ERROR_RECORDING, "the recording is no bug report");
}

struct jitscope_error *command_bug_report(const struct options *options) {
    struct recording_file file;
    if (options->items.count != 1)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "one recording at a time"),
                               "jitscope bug-report FILE.jsr");
    TRY(recording_open(options->items.data[0].text, &file));
    struct jitscope_error *error = options->show ? show(&file) : make(options, &file);
    recording_close(&file);
    return error;
}
