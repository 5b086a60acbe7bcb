/* jitscope why: the causal chain behind a byte, a symbol, a table entry, or something that is missing. */
#include "commands.h"

#include "base/text.h"
#include "mirror/why.h"

#include <stdio.h>

static struct jitscope_error *missing(const struct options *options) {
    const char *what =
        options->items.count ? "what to ask for is missing" : "the recording's name is missing";
    if (options->items.count > 2)
        what = "one question to one recording at a time";
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "%s", what),
                           "jitscope why FILE.jsr ADDRESS|SYMBOL|got:SYMBOL|plt:SYMBOL|discard:NAME");
}

/* The recording to ask: one with relocations and fixups, where there is a way to have it. */
static struct jitscope_error *detailed(const char *path, struct recording_file *file) {
    return recording_open(path, file);
}

static struct jitscope_error *print(const struct why_answer *answer, bool json) {
    struct text out = {0};
    if (json)
        why_print_json(&out, answer);
    else
        why_print_text(&out, answer);
    bool failed = out.failed;
    if (!failed)
        fwrite(out.data ? out.data : "", 1, out.length, stdout);
    text_destroy(&out);
    return failed ? error_no_memory() : NULL;
}

static struct jitscope_error *ask(const struct mirror *mirror, const struct options *options) {
    struct why_answer answer;
    TRY(why_ask(mirror, options->items.data[1].text, &answer));
    struct jitscope_error *error = print(&answer, options->json);
    why_destroy(&answer);
    return error;
}

struct jitscope_error *command_why(const struct options *options) {
    struct recording_file file;
    struct mirror *mirror;
    if (options->items.count != 2)
        return missing(options);
    TRY(detailed(options->items.data[0].text, &file));
    mirror = os_allocate_zeroed(sizeof *mirror);
    struct jitscope_error *error =
        mirror ? mirror_load(mirror, &file, options->at.given ? options->at.value : UINT64_MAX)
               : error_no_memory();
    if (!error) {
        error = ask(mirror, options);
        mirror_destroy(mirror);
    }
    os_release(mirror);
    recording_close(&file);
    return error;
}
