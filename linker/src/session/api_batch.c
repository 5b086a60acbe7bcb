/* Batches that are prepared apart: one thread's inputs, which nobody else's link takes.
 *
 * What is added is read or copied without the session's lock, and waits here.  Only when the batch is linked
 * do the inputs get numbers and become the session's queue, in the place of the shared one, which is set
 * aside meanwhile.  The whole of it is one call under one lock, so that a recording, and who replays it, sees
 * it in one piece between two events, whatever other threads do. */
#include "session/session_state.h"

#include <string.h>

struct prepared {
    struct bytes bytes;
    char *name;
    uint8_t ownership;
    bool is_file; /* NAME is its path */
};

struct jitscope_batch {
    struct jitscope_session *session;
    VEC(struct prepared) inputs;
};

struct jitscope_error *jitscope_batch_create(struct jitscope_session *session, struct jitscope_batch **out) {
    struct jitscope_batch *batch = os_allocate_zeroed(sizeof *batch);
    if (!batch)
        return error_no_memory();
    batch->session = session;
    *out = batch;
    return NULL;
}

/* Those from FIRST on; the session has the bytes of the others. */
static void drop_from(struct jitscope_batch *batch, uint32_t first) {
    for (uint32_t i = 0; i < batch->inputs.count; i++) {
        const struct prepared *input = &batch->inputs.data[i];
        if (i >= first)
            session_release_bytes(input->bytes, input->ownership);
        os_release(input->name);
    }
    batch->inputs.count = 0;
}

void jitscope_batch_destroy(struct jitscope_batch *batch) {
    if (!batch)
        return;
    drop_from(batch, 0);
    vec_destroy(&batch->inputs);
    os_release(batch);
}

/* Takes the bytes over, in any case. */
static struct jitscope_error *add(struct jitscope_batch *batch, const char *name, struct prepared input) {
    size_t size = strlen(name) + 1;
    struct jitscope_error *error = vec_reserve(&batch->inputs, 1);
    input.name = error ? NULL : os_allocate(size);
    if (!input.name) {
        session_release_bytes(input.bytes, input.ownership);
        return error ? error : error_no_memory();
    }
    memcpy(input.name, name, size);
    vec_put(&batch->inputs, input);
    return NULL;
}

struct jitscope_error *jitscope_batch_add_file(struct jitscope_batch *batch, const char *path) {
    struct prepared input = {.is_file = true};
    TRY(error_with_usual_help(world_read_file(NULL, path, &input.bytes, &input.ownership)));
    return add(batch, path, input);
}

struct jitscope_error *jitscope_batch_add_memory(struct jitscope_batch *batch, const char *name,
                                                 const void *data, size_t size) {
    void *copy = os_allocate(size);
    if (!copy)
        return error_no_memory();
    if (size)
        memcpy(copy, data, size);
    return add(batch, name, (struct prepared){.bytes = {copy, size}, .ownership = ON_HEAP});
}

struct jitscope_error *jitscope_batch_add_borrowed(struct jitscope_batch *batch, const char *name,
                                                   const void *data, size_t size) {
    return add(batch, name, (struct prepared){.bytes = {data, size}, .ownership = BORROWED});
}

/* --- linking */

static void swap_queues(struct jitscope_session *session) {
    struct input_queue queue = session->queue;
    session->queue = session->set_aside;
    session->set_aside = queue;
}

void session_open_batch(struct jitscope_session *session) {
    TRACE_ANSWER(&session->trace, call_batch, .open = 1);
    if (!session->batch_is_open)
        swap_queues(session);
    session->batch_is_open = true;
}

void session_close_batch(struct jitscope_session *session) {
    TRACE_ANSWER(&session->trace, call_batch, .open = 0);
    if (!session->batch_is_open)
        return; /* a recording can say what it likes */
    session_drop_queue(session, session->next_input);
    swap_queues(session);
    session->batch_is_open = false;
}

/* The session has taken over the first *count, whatever came of them. */
static struct jitscope_error *add_all(struct jitscope_batch *batch, uint32_t *count) {
    struct jitscope_error *error = NULL;
    for (*count = 0; *count < batch->inputs.count && !error;) {
        const struct prepared *input = &batch->inputs.data[(*count)++];
        error = input->is_file
                    ? session_take_file(batch->session, input->name, input->bytes, input->ownership)
                    : session_take_memory(batch->session, input->name, input->bytes, input->ownership);
    }
    return session_note_failure(batch->session, error);
}

struct jitscope_error *jitscope_batch_link(struct jitscope_batch *batch, struct jitscope_link **link) {
    struct jitscope_session *session = batch->session;
    uint32_t taken;
    TRY(session_enter(session));
    session_open_batch(session);
    struct jitscope_error *error = add_all(batch, &taken);
    drop_from(batch, taken);
    if (!error)
        error = session_link_queue(session, link);
    session_close_batch(session);
    session_unlock(session);
    return error;
}
