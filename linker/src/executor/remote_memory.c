/* Memory of an executor in another process: addresses that it has reserved, and where content is written
 * until it goes there. */
#define _GNU_SOURCE
#include "executor/address_space.h"
#include "executor/remote_state.h"

#include <string.h>
#include <sys/mman.h>

uint64_t executor_page_size(const struct executor *executor) {
    return executor->remote->connection->hello.page_size;
}

uint32_t executor_process(const struct executor *executor) {
    return executor->remote->connection->hello.process;
}

int executor_local_process(const struct executor *executor) {
    return executor->remote->connection->process;
}

bool executor_is_watched(const struct executor *executor) {
    return executor->remote->watched;
}

struct jitscope_error *executor_reserve(struct executor *executor, uint64_t size, bool low, uint64_t *start,
                                        uint64_t *got) {
    struct remote *remote = executor->remote;
    struct message message = {0};
    struct frame reply;
    *start = remote->connection->hello.start;
    *got = remote->connection->hello.size;
    if (!low && !remote->first_range_taken && size <= *got) {
        remote->first_range_taken = true;
        return NULL;
    }
    message_u64(&message, size);
    message_u32(&message, low);
    TRY(connection_ask(remote->connection, MESSAGE_RESERVE, &message, -1, MESSAGE_RESERVED, &reply));
    struct cursor cursor = frame_cursor(&reply);
    struct jitscope_error *error = take_error(&cursor);
    *start = take_u64(&cursor);
    *got = take_u64(&cursor);
    cursor.failed |= !error && (*got < size || *got > 2 * GIB || *start % CHUNK || *got % CHUNK ||
                                *start > UINT64_MAX / 2);
    if (!error)
        remote->connection->wire.most_extra += *got;
    return remote_finish_with(executor, &reply, &cursor, error);
}

static struct jitscope_error *make_file(struct remote *remote) {
    if (remote->memory_file >= 0 || remote->connection->inlines)
        return NULL;
    remote->memory_file = os_sealable_file("jitscope-content");
    if (remote->memory_file < 0)
        return error_system("memfd_create", NULL);
    if (os_seal_against_shrinking(remote->memory_file)) /* else the executor could have this process killed */
        return error_system("fcntl", "F_ADD_SEALS");
    return NULL;
}

/* A limit of file sizes, which is meant for files on disks, holds for this one, too. */
static void respect_limit(struct remote *remote, uint64_t size) {
    if (remote->memory_file < 0 || !os_may_grow(size))
        return;
    os_close(remote->memory_file);
    remote->memory_file = -1;
    remote->connection->inlines = true;
}

static struct jitscope_error *enlarge(struct remote *remote, uint64_t size) {
    uint64_t wanted = 2 * remote->working_size > size ? 2 * remote->working_size : size;
    wanted = (wanted + MIB - 1) & ~(MIB - 1);
    respect_limit(remote, wanted);
    int fd = remote->memory_file, flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    if (fd >= 0 && os_resize(fd, wanted))
        return error_system("ftruncate", "the content's memory");
    uint8_t *memory = os_map(NULL, wanted, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
    if (!memory)
        return error_system("mmap", "the content's memory");
    if (remote->working)
        os_unmap(remote->working, remote->working_size);
    remote->working = memory;
    remote->working_size = wanted;
    return NULL;
}

struct jitscope_error *executor_working_memory(struct executor *executor, uint64_t size, uint8_t **memory) {
    struct remote *remote = executor->remote;
    TRY(connection_check(remote->connection));
    if (remote->used)
        return error_create(JITSCOPE_ERROR_USAGE, "two allocations are in flight to one executor");
    if (size > 4 * GIB)
        return error_create(JITSCOPE_ERROR_ADDRESS_SPACE, "the batch has more than 4 GiB");
    TRY(make_file(remote));
    if (size > remote->working_size)
        TRY(enlarge(remote, size));
    remote->used = size;
    *memory = remote->working;
    return NULL;
}

void executor_drop_working_memory(struct executor *executor) {
    struct remote *remote = executor->remote;
    uint64_t size = (remote->used + 4095) & ~(uint64_t)4095;
    remote->staged.count = 0;
    remote->used = 0;
    if (!size)
        return;
    bool done =
        !(remote->memory_file >= 0 ? os_punch(remote->working, size) : os_discard(remote->working, size));
    if (!done)
        memset(remote->working, 0, size);
}

struct jitscope_error *executor_stage(struct executor *executor, const struct staged_segment *segment) {
    return vec_push(&executor->remote->staged, *segment);
}

bool executor_read(struct executor *executor, uint64_t address, void *buffer, size_t size) {
    struct message message = {0};
    struct frame reply;
    if (size > BRIDGE_MOST / 2) {
        size_t half = BRIDGE_MOST / 2;
        return executor_read(executor, address, buffer, half) &&
               executor_read(executor, address + half, (uint8_t *)buffer + half, size - half);
    }
    message_u64(&message, address);
    message_u32(&message, (uint32_t)size);
    struct jitscope_error *error =
        connection_ask(executor->remote->connection, MESSAGE_READ, &message, -1, MESSAGE_BYTES, &reply);
    if (error) {
        jitscope_error_destroy(error);
        return false;
    }
    struct cursor cursor = frame_cursor(&reply);
    struct bytes bytes = take_blob(&cursor);
    bool whole = bytes.size == size;
    if (whole && size)
        memcpy(buffer, bytes.data, size);
    error = remote_finish(executor, &reply, &cursor);
    whole &= !error;
    jitscope_error_destroy(error);
    return whole;
}
