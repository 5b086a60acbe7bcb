/* jitscope diff: what two links decided differently.  The exit status is that of diff(1): 0 nothing, 1
 * something, 2 trouble. */
#include "commands.h"

#include "mirror/diff.h"

#include <stdio.h>
#include <stdlib.h>

enum { SAME = 0, DIFFERENT = 1, TROUBLE = 2 };

/* A recording and the state at its end. */
struct loaded {
    struct recording_file file;
    struct mirror *mirror;
};

static struct jitscope_error *load(const char *path, struct loaded *loaded) {
    TRY(recording_open(path, &loaded->file));
    loaded->mirror = os_allocate_zeroed(sizeof *loaded->mirror);
    struct jitscope_error *error =
        loaded->mirror ? mirror_load(loaded->mirror, &loaded->file, UINT64_MAX) : error_no_memory();
    if (error) {
        os_release(loaded->mirror);
        recording_close(&loaded->file);
        *loaded = (struct loaded){0};
    }
    return error ? error_in_input(error, path) : NULL;
}

static void unload(struct loaded *loaded) {
    if (!loaded->mirror)
        return;
    mirror_destroy(loaded->mirror);
    os_release(loaded->mirror);
    recording_close(&loaded->file);
}

static struct jitscope_error *print(const struct loaded *a, const struct loaded *b, bool json, int *status) {
    struct diff diff;
    struct text out = {0};
    TRY(diff_mirrors(a->mirror, b->mirror, &diff));
    if (json)
        diff_print_json(&out, &diff);
    else
        diff_print_text(&out, &diff);
    *status = diff.differences ? DIFFERENT : SAME;
    struct jitscope_error *error = out.failed ? error_no_memory() : NULL;
    if (!error &&
        (fwrite(out.data ? out.data : "", 1, out.length, stdout) != out.length || fflush(stdout) != 0))
        error = error_system("cannot write", "standard output");
    text_destroy(&out);
    diff_destroy(&diff);
    return error;
}

static struct jitscope_error *compare(const struct options *options, int *status) {
    struct loaded a = {0}, b = {0};
    struct jitscope_error *error = load(options->items.data[0].text, &a);
    if (!error)
        error = load(options->items.data[1].text, &b);
    if (!error)
        error = print(&a, &b, options->json, status);
    unload(&a);
    unload(&b);
    return error;
}

struct jitscope_error *command_diff(const struct options *options) {
    int status = TROUBLE;
    if (options->items.count != 2)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "two recordings are compared"),
                               "jitscope diff A.jsr B.jsr");
    struct jitscope_error *error = compare(options, &status);
    if (error) {
        fprintf(stderr, "jitscope: error: %s\n", jitscope_error_message(error));
        jitscope_error_destroy(error);
        exit(TROUBLE);
    }
    if (status != SAME)
        exit(status);
    return NULL;
}
