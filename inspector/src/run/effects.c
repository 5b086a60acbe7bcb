#include "run/run.h"

#include "base/os.h"

#include <fcntl.h>
#include <string.h>

enum { WAIT_MILLISECONDS = 100, READ_NANOSECONDS = 100000000 };

static struct jitscope_error *write_file(const char *path, const char *text, size_t length) {
    int fd = os_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return error_system("cannot write", path);
    struct jitscope_error *error = NULL;
    while (length && !error) {
        ssize_t put = os_write(fd, text, length);
        if (put <= 0)
            error = error_system("cannot write", path);
        else
            text += put, length -= (size_t)put;
    }
    os_close(fd);
    return error;
}

static bool wants_looks(const char *path) {
    size_t length = strlen(path);
    return length > 6 && !strcmp(path + length - 6, ".looks");
}

static struct jitscope_error *save_screen(struct run *run, const char *path) {
    struct text text = {0};
    struct jitscope_error *error = draw(&run->grid, run->state);
    if (!error) {
        grid_print_text(&text, &run->grid);
        if (wants_looks(path))
            grid_print_looks(&text, &run->grid, run->theme, run->depth);
        error = text.failed ? error_no_memory() : write_file(path, text.data ? text.data : "", text.length);
    }
    text_destroy(&text);
    return error;
}

static struct jitscope_error *carry_out(struct run *run, const struct effect *effect) {
    switch (effect->kind) {
    case EFFECT_QUIT:
        run->has_quit = true;
        return NULL;
    case EFFECT_COPY:
        if (run->copy && !run->copy(run->context, effect->text, effect->length))
            return error_create(JITSCOPE_ERROR_USAGE, "that is too long for the terminal's clipboard");
        return NULL;
    case EFFECT_WRITE:
        TRY(write_file(effect->path, effect->text, effect->length));
        state_say(run->state, "wrote %s", effect->path);
        return NULL;
    case EFFECT_WRITE_RECORDING:
        TRY(inspected_write(run->state->inspected, effect->path));
        state_say(run->state, "wrote %s", effect->path);
        return NULL;
    case EFFECT_SAVE_SCREEN:
        TRY(save_screen(run, effect->path));
        state_say(run->state, "wrote %s", effect->path);
        return NULL;
    case EFFECT_SUSPEND:
        if (run->suspend)
            run->suspend(run->context);
        return NULL;
    case EFFECT_REDRAW:
        run->is_stale = true;
        return NULL;
    }
    return NULL;
}

bool run_effects(struct run *run) {
    bool good = true;
    for (uint32_t i = 0; i < run->state->effects.count; i++) {
        struct effect effect = run->state->effects.data[i];
        struct jitscope_error *error = carry_out(run, &effect);
        os_release(effect.text);
        good = good && !error;
        state_complain(run->state, error);
    }
    run->state->effects.count = 0;
    return good;
}

/* A busy process always has more: of that only what comes in while a slice is read. */
static bool read_all(struct run *run) {
    bool more = true, good = true;
    while (more && good) {
        struct jitscope_error *error = inspected_work(run->state->inspected, READ_NANOSECONDS, &more);
        good = !error;
        more = more && !(run->state->inspected->is_live && run->state->inspected->is_read);
        state_complain(run->state, error);
    }
    return good;
}

bool run_work(struct run *run) {
    const struct input news = {.kind = INPUT_NEWS}, work = {.kind = INPUT_WORK};
    uint64_t version = run->state->inspected->version;
    bool good = read_all(run);
    if (run->state->inspected->version != version)
        good = update(run->state, &news) && good;
    while (update_has_work(run->state)) {
        int descriptor = sheet_descriptor(&run->state->table.sheet);
        if (descriptor >= 0)
            os_wait_readable(descriptor, WAIT_MILLISECONDS);
        good = update(run->state, &work) && good;
    }
    return good;
}
