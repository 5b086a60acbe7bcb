/* jitscope replay: a recorded link once more, compared event by event. */
#include "commands.h"
#include "disassembly.h"

#include "record/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct jitscope_error *check(const struct options *options) {
    if (options->items.count != 1)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "one recording at a time"),
                               "jitscope replay FILE.jsr");
    if (options->level && !options->record)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "--trace without --record"),
                               "--record FILE says where the replay's own events go");
    return NULL;
}

static void put_side(struct text *out, const char *side, const uint8_t *bytes,
                     const struct replay_bytes *about) {
    struct bytes code = {bytes, about->count};
    text_print(out, "%s, from 0x%" PRIx64 ":\n  ", side, about->address);
    for (uint32_t i = 0; i < about->count; i++) {
        bool differs = i >= about->at && i < about->at + about->length;
        text_print(out, differs ? "[%02x]" : " %02x ", bytes[i]);
        if (i % 16 == 15 && i + 1 < about->count)
            text_append(out, "\n  ");
    }
    text_append(out, "\n");
    if (about->is_code)
        disassemble(out, "  ", code, about->address);
}

/* The bytes in question, in brackets those that differ. */
static void print_bytes(const struct replay_bytes *about) {
    struct text out = {0};
    if (about->has_expected)
        put_side(&out, "bytes recorded", about->expected, about);
    put_side(&out, "bytes replayed", about->actual, about);
    fputs(out.data ? out.data : "", stdout);
    text_destroy(&out);
}

/* What there is to say goes out before the status ends the program. */
static struct jitscope_error *tell(const struct replay *replay) {
    enum replay_verdict verdict = replay_verdict(replay);
    if (verdict == REPLAY_IMPOSSIBLE)
        fprintf(stderr, "jitscope: cannot be replayed: %s", replay_report(replay));
    else
        fputs(replay_report(replay), stdout);
    if (replay_bytes(replay))
        print_bytes(replay_bytes(replay));
    if (verdict == REPLAY_IDENTICAL)
        printf("%" PRIu64 " events: identical\n", replay_compared(replay));
    if (verdict == REPLAY_IDENTICAL)
        return NULL;
    fflush(stdout);
    exit(verdict == REPLAY_DIVERGED ? 1 : 2);
}

static struct jitscope_error *replay(const struct options *options, const struct recording_file *file) {
    struct replay_options wanted = {.record_path = options->record, .level = options->level};
    struct replay *replay;
    TRY(replay_run(file, &wanted, &replay));
    struct jitscope_error *error = tell(replay);
    replay_destroy(replay);
    return error;
}

/* A file that is no recording cannot be replayed either. */
static struct jitscope_error *open_recording(const char *path, struct recording_file *file) {
    struct jitscope_error *error = recording_open(path, file);
    if (!error)
        return NULL;
    fprintf(stderr, "jitscope: cannot be replayed: %s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    exit(2);
}

struct jitscope_error *command_replay(const struct options *options) {
    struct recording_file file;
    TRY(check(options));
    TRY(open_recording(options->items.data[0].text, &file));
    struct jitscope_error *error = replay(options, &file);
    recording_close(&file);
    return error;
}
