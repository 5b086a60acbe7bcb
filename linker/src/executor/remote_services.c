/* What links ask of another process besides memory and actions: thread-local storage, exported names, slots.
 */
#include "executor/remote_state.h"

/* --- thread-local storage */

static void put_wishes(const struct tls_request *request, struct message *message) {
    message_u32(message, request->link);
    message_u64(message, request->size);
    message_u64(message, request->alignment);
    message_blob(message, request->image, request->image_size);
    message_u32(message, request->executable_stack);
    message_u32(message, request->wish_count);
    for (uint32_t i = 0; i < request->wish_count; i++) {
        const struct tls_wish *wish = &request->wishes[i];
        message_text(message, wish->name);
        message_u32(message, wish->link);
        message_u32(message, wish->kind);
        message_u64(message, wish->addend);
    }
}

struct jitscope_error *remote_open_tls(struct executor *executor, const struct tls_request *request,
                                       struct tls_answer *answers) {
    struct message message = {0};
    struct frame reply;
    TRY(vec_reserve(&executor->tls_modules, 1));
    remote_put_libraries(executor, &message);
    put_wishes(request, &message);
    TRY(connection_ask(executor->remote->connection, MESSAGE_OPEN_TLS, &message, -1, MESSAGE_TLS_ANSWERS,
                       &reply));
    struct cursor cursor = frame_cursor(&reply);
    struct jitscope_error *error = take_error(&cursor);
    uint32_t count = take_count(&cursor, 16);
    cursor.failed |= count != (error ? 0 : request->wish_count);
    for (uint32_t i = 0; i < count && !cursor.failed; i++)
        answers[i] = (struct tls_answer){{take_u64(&cursor), take_u64(&cursor)}};
    if (!error) {
        executor->remote->libraries_sent = executor->libraries.count;
        vec_put(&executor->tls_modules, (struct tls_module){.link = request->link});
    }
    return remote_finish_with(executor, &reply, &cursor, error);
}

/* Most links have none. */
static bool forget_tls(struct executor *executor, uint32_t link) {
    for (uint32_t i = executor->tls_modules.count; i-- > 0;)
        if (executor->tls_modules.data[i].link == link) {
            executor->tls_modules.data[i] = executor->tls_modules.data[--executor->tls_modules.count];
            return true;
        }
    return false;
}

void remote_close_tls(struct executor *executor, uint32_t link) {
    struct message message = {0};
    if (!forget_tls(executor, link))
        return;
    message_u32(&message, link);
    jitscope_error_destroy(connection_tell(executor->remote->connection, MESSAGE_CLOSE_TLS, &message));
}

uint64_t remote_tls_address(struct executor *executor, uint32_t link, uint64_t offset) {
    struct message message = {0};
    struct frame reply;
    message_u32(&message, link);
    message_u64(&message, offset);
    struct jitscope_error *error = connection_ask(executor->remote->connection, MESSAGE_TLS_ADDRESS, &message,
                                                  -1, MESSAGE_TLS_PLACE, &reply);
    if (error) {
        jitscope_error_destroy(error);
        return 0;
    }
    struct cursor cursor = frame_cursor(&reply);
    uint64_t address = take_u64(&cursor);
    jitscope_error_destroy(remote_finish(executor, &reply, &cursor));
    return address;
}

/* --- exports */

struct jitscope_error *remote_open_exports(struct executor *executor, uint32_t link,
                                           const struct exported_symbol *symbols, uint32_t count) {
    struct message message = {0};
    struct frame reply;
    TRY(vec_reserve(&executor->exports, 1));
    message_u32(&message, link);
    message_u32(&message, count);
    for (uint32_t i = 0; i < count; i++) {
        message_text(&message, symbols[i].name);
        message_u64(&message, symbols[i].address);
    }
    TRY(connection_ask(executor->remote->connection, MESSAGE_OPEN_EXPORTS, &message, -1,
                       MESSAGE_EXPORTS_OPENED, &reply));
    struct cursor cursor = frame_cursor(&reply);
    struct jitscope_error *error = take_error(&cursor);
    struct jitscope_error *malformed = remote_finish(executor, &reply, &cursor);
    if (malformed)
        jitscope_error_destroy(error);
    if (!error && !malformed)
        vec_put(&executor->exports, (struct exports){.link = link});
    return malformed ? malformed : error;
}

void remote_close_exports(struct executor *executor, uint32_t link) {
    for (uint32_t i = executor->exports.count; i-- > 0;) {
        struct message message = {0};
        if (executor->exports.data[i].link != link)
            continue;
        executor->exports.data[i] = executor->exports.data[--executor->exports.count];
        message_u32(&message, link);
        jitscope_error_destroy(
            connection_tell(executor->remote->connection, MESSAGE_CLOSE_EXPORTS, &message));
    }
}

/* --- lazy slots */

struct jitscope_error *remote_lazy_resolver(struct executor *executor, uint64_t *address) {
    struct jitscope_executor_connection *connection = executor->remote->connection;
    TRY(connection_answer_calls(connection, executor->lazy_answer, executor->lazy_context));
    *address = connection->hello.lazy_resolver;
    return NULL;
}

/* One that is gone calls nothing any more. */
void remote_store_slots(struct executor *executor, const struct slot_store *stores, uint32_t count) {
    struct message message = {0};
    struct frame reply;
    message_u32(&message, count);
    for (uint32_t i = 0; i < count; i++) {
        message_u64(&message, stores[i].slot);
        message_u64(&message, stores[i].function);
    }
    struct jitscope_error *error = connection_ask(executor->remote->connection, MESSAGE_STORE_SLOTS, &message,
                                                  -1, MESSAGE_SLOTS_STORED, &reply);
    if (!error) {
        struct cursor cursor = frame_cursor(&reply);
        error = remote_finish(executor, &reply, &cursor);
    }
    jitscope_error_destroy(error);
}
