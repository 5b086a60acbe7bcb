/* jitscope why: the causal chain behind a byte, a symbol, a table entry, or something that is missing. */
#include "commands.h"

#include "base/text.h"
#include "mirror/why.h"
#include "record/recorded_archives.h"
#include "source.h"

#include <stdio.h>

static struct jitscope_error *missing(const struct options *options) {
    const char *what =
        options->items.count ? "what to ask for is missing" : "the recording's name is missing";
    if (options->items.count > 2)
        what = "one question to one recording at a time";
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "%s", what),
                           "jitscope why FILE.jsr ADDRESS|[got:|plt:|discard:]NAME");
}

/* --- asking */

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

static struct jitscope_error *ask(struct source *source, const struct mirror *mirror,
                                  const struct options *options) {
    const struct why_archives archives = {.defines = recorded_archive_defines, .context = &source->recorded};
    struct why_answer answer;
    TRY(why_ask(mirror, options->items.data[1].text, source->has_bytes ? &archives : NULL, &answer));
    if (source->has_detail)
        answer.numbers = source->detail.numbers;
    struct jitscope_error *error = print(&answer, options->json);
    why_destroy(&answer);
    return error;
}

static struct jitscope_error *load_and_ask(struct source *source, const struct options *options) {
    uint64_t at = options->at.given ? options->at.value : UINT64_MAX;
    struct mirror *mirror = os_allocate_zeroed(sizeof *mirror);
    if (!mirror)
        return error_no_memory();
    struct jitscope_error *error = mirror_load(mirror, source_file(source), source_moment(source, at));
    if (!error) {
        error = ask(source, mirror, options);
        mirror_destroy(mirror);
    }
    os_release(mirror);
    return error;
}

struct jitscope_error *command_why(const struct options *options) {
    struct source source;
    if (options->items.count != 2)
        return missing(options);
    struct jitscope_error *error = source_open_with_bytes(options->items.data[0].text, LEVEL_EDGES, &source);
    if (!error)
        error = load_and_ask(&source, options);
    source_close(&source);
    return error;
}
