/* jitscope show: one view of a recording, as the mirror's engine prints it. */
#include "commands.h"
#include "source.h"

#include "mirror/show.h"

static struct jitscope_error *missing(const struct options *options) {
    const char *what = options->items.count ? "the recording's name is missing" : "WHAT to show is missing";
    if (options->items.count > 2)
        what = "one view of one recording at a time";
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "%s", what),
                           "jitscope show WHAT FILE.jsr; `jitscope show --help` lists WHAT");
}

/* A view that does not exist needs nothing: the engine says so. */
static enum event_level level_of(const char *what) {
    const struct view *view = view_find(what);
    return view ? (enum event_level)view->level : LEVEL_SESSION;
}

struct jitscope_error *command_show(const struct options *options) {
    struct show_options wanted = {.json = options->json, .filter = options->filter};
    struct source source;
    if (options->items.count != 2)
        return missing(options);
    const char *what = options->items.data[0].text;
    struct jitscope_error *error = source_open(options->items.data[1].text, level_of(what), &source);
    if (!error) {
        wanted.at = source_moment(&source, options->at.given ? options->at.value : UINT64_MAX);
        error = show_print(stdout, what, source_file(&source), &wanted);
    }
    source_close(&source);
    return error;
}
