/* jitscope inspect: becomes the inspector, a program of its own that lies beside this one in the build tree,
 * and in libexec when installed. */
#include "commands.h"

#include "base/os.h"
#include "base/text.h"

#include <string.h>

static const char *const folders[] = {".", JITSCOPE_INSPECTOR_FROM_PROGRAM};

static struct jitscope_error *build_words(const struct options *options, char ***out) {
    const struct words *given = &options->words;
    const char **words = os_allocate_zeroed((given->list.count + 2) * sizeof *words);
    if (!words)
        return error_no_memory();
    for (uint32_t i = 0; i < given->list.count; i++)
        words[i + 1] = given->list.data[i].text;
    *out = (char **)(uintptr_t)words;
    return NULL;
}

/* Comes back when there is no such program. */
static struct jitscope_error *try_folder(const char *self, size_t length, const char *folder, char **words) {
    struct text path = {0};
    text_print(&path, "%.*s/%s/jitscope-inspector", (int)length, self, folder);
    if (path.failed)
        return error_no_memory();
    words[0] = path.data;
    os_execute(words);
    text_destroy(&path);
    return NULL;
}

struct jitscope_error *command_inspect(const struct options *options) {
    char self[4096];
    char **words;
    ssize_t length = os_read_link("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return error_system("cannot read", "/proc/self/exe");
    self[length] = 0;
    const char *slash = strrchr(self, '/');
    TRY(build_words(options, &words));
    struct jitscope_error *error = NULL;
    for (size_t i = 0; i < sizeof folders / sizeof *folders && !error; i++)
        error = try_folder(self, slash ? (size_t)(slash - self) : 0, folders[i], words);
    os_release(words);
    if (error)
        return error;
    return error_with_help(
        error_create(JITSCOPE_ERROR_NOT_FOUND, "jitscope-inspector is neither beside %s nor installed", self),
        "`cmake --install` puts it into libexec/jitscope");
}
