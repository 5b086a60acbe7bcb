#include "source.h"

#include <stdio.h>

static struct jitscope_error *add_detail(struct source *source) {
    struct text reason = {0};
    struct jitscope_error *error =
        detail_make(&source->original, &source->detail, &source->has_detail, &reason);
    if (!error && reason.length)
        fprintf(stderr, "jitscope: warning: what the recording does not hold is not known: %s", reason.data);
    text_destroy(&reason);
    return error;
}

/* Of an older version, or cut off early: asked as it is. */
static struct jitscope_error *add_bytes(struct source *source) {
    struct jitscope_error *error = recorded_open(&source->recorded, &source->original);
    source->has_bytes = !error;
    if (jitscope_error_code(error) != JITSCOPE_ERROR_RECORDING)
        return error;
    jitscope_error_destroy(error);
    return NULL;
}

static struct jitscope_error *open_source(const char *path, enum event_level needed, bool bytes,
                                          struct source *source) {
    *source = (struct source){.detail = {.memory_file = -1}};
    TRY(recording_open(path, &source->original));
    bool missing = detail_is_missing(&source->original, needed);
    if (missing || bytes)
        TRY(add_bytes(source));
    return missing && source->has_bytes ? add_detail(source) : NULL;
}

struct jitscope_error *source_open(const char *path, enum event_level needed, struct source *source) {
    return open_source(path, needed, false, source);
}

struct jitscope_error *source_open_with_bytes(const char *path, enum event_level needed,
                                              struct source *source) {
    return open_source(path, needed, true, source);
}

void source_close(struct source *source) {
    if (source->has_detail)
        detail_close(&source->detail);
    if (source->has_bytes)
        recorded_close(&source->recorded);
    recording_close(&source->original);
}
