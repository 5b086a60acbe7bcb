/* What a linker says to an executor, as it is handled there: messages of a byte that says which, two for its
 * length, and the payload.  Whatever they are made of, each is done, or refused with words; nothing is opened
 * outside of what was reserved, and what the linker leaves can be closed.
 *
 * A linker may have code run, which is what an executor is for.  So the actions that there are, are none
 * here, main is not called, and no library is opened by its file's name. */
#define _GNU_SOURCE
#include "fuzz_common.h"

#include "base/os.h"
#include "executor/executor_state.h"
#include "executor/target.h"

#include <fcntl.h>
#include <sys/mman.h>

/* What was reserved, where seeds.py has it, too. */
#define PLACE ((uint64_t)0x7e0000000000)

enum { MOST_MESSAGES = 32, MOST_RANGES = 4, RANGE = 64 << 20 };

extern char **environ;

static struct jitscope_target *create(void) {
    struct jitscope_target *target;
    struct target_range range = {.start = PLACE, .size = RANGE};
    int nowhere = os_open("/dev/null", O_RDWR, 0);
    FUZZ_HOLDS(nowhere >= 0 && !jitscope_target_create(nowhere, &target));
    FUZZ_HOLDS(os_map((void *)PLACE, RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) ==
               (void *)PLACE);
    range.taken = os_allocate_zeroed(RANGE / os_page_size() / 8);
    FUZZ_HOLDS(range.taken && !vec_push(&target->reserved, range));
    target->executor->actions.count = 0;
    return target;
}

static bool has(const uint8_t *data, size_t size, const char *what) {
    return memmem(data, size, what, strlen(what)) != NULL;
}

/* Of what is said, what is not handled here. */
static bool is_left_out(const struct jitscope_target *target, uint16_t kind, const uint8_t *data,
                        size_t size) {
    return (kind == MESSAGE_RESERVE && target->reserved.count >= MOST_RANGES) || has(data, size, ".so") ||
           has(data, size, "/");
}

static void handle(struct jitscope_target *target, uint16_t kind, const uint8_t *data, size_t size) {
    static uint64_t serial;
    struct frame frame = {.kind = kind, .serial = ++serial, .owned = os_allocate(size ? size : 1)};
    FUZZ_HOLDS(frame.owned);
    memcpy(frame.owned, data, size);
    if (kind == MESSAGE_FINALIZE && size >= 8) /* signals are the fuzzer's */
        frame.owned[4] &= (uint8_t)~BRIDGE_CRASHES;
    frame.payload = (struct bytes){frame.owned, size};
    fuzz_expect_message(target_handle(target, &frame));
    frame_destroy(&frame);
}

/* Every message has its own, which a program may look at to its end; here there is none. */
static void forget_arguments(struct jitscope_target *target, char **environment) {
    target->argv = target->envp = NULL;
    environ = environment;
    target_forget_words();
}

static void clean(struct jitscope_target *target) {
    struct executor *executor = target->executor;
    uint8_t payload[12] = {0};
    while (target->newest) {
        const struct target_allocation *before = target->newest;
        store_u32(payload, before->number);
        handle(target, MESSAGE_DEALLOCATE, payload, sizeof payload);
        FUZZ_HOLDS(target->newest != before);
    }
    while (executor->tls_modules.count)
        executor_close_tls(executor, executor->tls_modules.data[0].link);
    while (executor->exports.count)
        executor_close_exports(executor, executor->exports.data[0].link);
    target->entry = 0;
    target->was_ended = false;
    for (uint32_t i = 0; i < target->reserved.count; i++)
        for (uint64_t word = 0; word < target->reserved.data[i].size / os_page_size() / 64; word++)
            FUZZ_HOLDS(!target->reserved.data[i].taken[word]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct jitscope_target *target;
    char **environment = environ;
    if (!target)
        target = create();
    target_lock(target);
    for (int i = 0; i < MOST_MESSAGES && size >= 3; i++) {
        size_t length = load_u16(data + 1) < size - 3 ? load_u16(data + 1) : size - 3;
        if (!is_left_out(target, data[0], data + 3, length))
            handle(target, data[0], data + 3, length);
        forget_arguments(target, environment);
        data += 3 + length;
        size -= 3 + length;
    }
    clean(target);
    target_unlock(target);
    return 0;
}
