/* jitscope show: one view of a recording, as the mirror's engine prints it. */
#include "commands.h"

#include "mirror/show.h"

static struct jitscope_error *missing(const struct options *options) {
    const char *what = options->items.count ? "the recording's name is missing" : "WHAT to show is missing";
    if (options->items.count > 2)
        what = "one view of one recording at a time";
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "%s", what),
                           "jitscope show WHAT FILE.jsr; `jitscope show --help` lists WHAT");
}

struct jitscope_error *command_show(const struct options *options) {
    struct show_options wanted = {.json = options->json,
                                  .filter = options->filter,
                                  .at = options->at.given ? options->at.value : UINT64_MAX};
    struct recording_file file;
    if (options->items.count != 2)
        return missing(options);
    TRY(recording_open(options->items.data[1].text, &file));
    struct jitscope_error *error = show_print(stdout, options->items.data[0].text, &file, &wanted);
    recording_close(&file);
    return error;
}
