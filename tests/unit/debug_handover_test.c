/* A large debug image is the executor's in the memory that it was made in, when that is offered; and whatever
 * fails on the way, that memory is somebody's, once. */
#include "debug_sample.h"
#include "executor/executor.h"
#include "executor/executor_debug.h"

static bool must_fail;

static const char *fail_action(void *context, const uint8_t *arguments, size_t size) {
    (void)context, (void)arguments, (void)size;
    return must_fail ? "as told" : NULL;
}

static struct executor *make_executor(enum debuggee_policy policy) {
    struct executor *executor;
    assert_code(executor_create(&executor), JITSCOPE_SUCCESS);
    assert_code(executor_register_action(executor, "fail", fail_action, NULL), JITSCOPE_SUCCESS);
    executor_set_debug_policy(executor, policy);
    return executor;
}

static void make_image(struct image_memory *memory, uint32_t link) {
    memory->count = 0;
    assert_code(vec_reserve(memory, sizeof(struct sample)), JITSCOPE_SUCCESS);
    memory->count = sizeof(struct sample);
    set_sample((struct sample *)(void *)memory->data, link);
}

/* One link's actions: the image in MEMORY is registered, then another action runs. */
struct link {
    struct debug_image_name name;
    struct action actions[2];
    struct action_results results;
};

static struct jitscope_error *finalize(struct executor *executor, struct link *link,
                                       struct image_memory *memory, bool offer, uint32_t number) {
    link->name = (struct debug_image_name){0, 0, number};
    link->results = (struct action_results){0};
    link->actions[0] = (struct action){
        {bridge_action_REGISTER_DEBUG_IMAGE, memory->data, memory->count},
        {bridge_action_DEREGISTER_DEBUG_IMAGE, (const uint8_t *)&link->name, sizeof link->name}};
    link->actions[1] = (struct action){{"fail", NULL, 0}, {NULL, NULL, 0}};
    executor_offer_image(executor, offer ? memory : NULL);
    struct jitscope_error *error = executor_finalize(executor, link->actions, 2, &link->results);
    executor_offer_image(executor, NULL);
    executor_debug_announce();
    return error;
}

static void unload(struct executor *executor, struct link *link) {
    assert_code(executor_deallocate(executor, link->actions, 0, 2, &link->results), JITSCOPE_SUCCESS);
    executor_results_destroy(&link->results);
}

static const struct debuggee *root(void) {
    return (const struct debuggee *)(uintptr_t)executor_debug_root();
}

/* What is told of the newest batch lies in MEMORY. */
static void assert_lies_in(const uint8_t *memory) {
    const struct debuggee_batch *batch = (const void *)(uintptr_t)root()->batch;
    const struct debuggee_image *image = (const void *)(uintptr_t)root()->image;
    assert_int_equal(batch->description, (uintptr_t)memory);
    assert_int_equal(image->address, (uintptr_t)memory + offsetof(struct sample, elf));
    assert_int_equal(image->size, sizeof(struct sample) - offsetof(struct sample, elf));
    assert_int_equal(image->number, batch->image);
    assert_memory_equal(memory + offsetof(struct sample, elf), ELFMAG, SELFMAG);
}

static const enum debuggee_policy policies[] = {DEBUGGEE_AUTO, DEBUGGEE_EAGER, DEBUGGEE_LAZY};
enum { POLICIES = sizeof policies / sizeof *policies };

static void test_offered(void **state) {
    (void)state;
    for (int i = 0; i < POLICIES; i++) {
        struct executor *executor = make_executor(policies[i]);
        struct image_memory memory = {0};
        struct link link;
        make_image(&memory, 1);
        const uint8_t *data = memory.data;
        assert_code(finalize(executor, &link, &memory, true, 1), JITSCOPE_SUCCESS);
        assert_null(memory.data);
        assert_int_equal(memory.capacity, 0);
        assert_lies_in(data);
        unload(executor, &link);
        assert_int_equal(root()->images, 0);
        executor_destroy(executor);
        assert_int_equal(listed(), 0);
    }
}

/* As from another process: it is copied, and what was given is left as it was. */
static void test_not_offered(void **state) {
    (void)state;
    for (int i = 0; i < POLICIES; i++) {
        struct executor *executor = make_executor(policies[i]);
        struct image_memory memory = {0};
        struct sample same;
        struct link link;
        make_image(&memory, 1);
        set_sample(&same, 1);
        assert_code(finalize(executor, &link, &memory, false, 1), JITSCOPE_SUCCESS);
        assert_non_null(memory.data);
        assert_memory_equal(memory.data, &same, sizeof same);
        const struct debuggee_batch *batch = (const void *)(uintptr_t)root()->batch;
        assert_int_not_equal(batch->description, (uintptr_t)memory.data);
        assert_lies_in((const void *)(uintptr_t)batch->description);
        vec_destroy(&memory);
        unload(executor, &link);
        executor_destroy(executor);
    }
}

/* A later action fails: the image is withdrawn, and its memory given back once. */
static void test_rolled_back(void **state) {
    (void)state;
    struct executor *executor = make_executor(DEBUGGEE_EAGER);
    struct image_memory memory = {0};
    struct link link;
    must_fail = true;
    for (uint32_t number = 1; number < 4; number++) {
        make_image(&memory, number);
        assert_code(finalize(executor, &link, &memory, true, number), JITSCOPE_ERROR_ACTION_FAILED);
        assert_null(memory.data);
        executor_results_destroy(&link.results);
        assert_int_equal(root()->batches, 0);
        assert_int_equal(listed(), 0);
    }
    must_fail = false;
    executor_destroy(executor);
}

/* More than may be alone: the others are copied together, and their memory stays where it was. */
static void test_too_many(void **state) {
    (void)state;
    enum { COUNT = 300, MOST = 256 };
    static struct link links[COUNT];
    struct executor *executor = make_executor(DEBUGGEE_AUTO);
    struct image_memory memory = {0};
    for (uint32_t i = 0; i < COUNT; i++) {
        make_image(&memory, i + 1);
        assert_code(finalize(executor, &links[i], &memory, true, i + 1), JITSCOPE_SUCCESS);
        assert_int_equal(!memory.data, i < MOST);
    }
    assert_int_equal(root()->images, MOST + 1);
    for (uint32_t i = 0; i < COUNT; i++) /* a new one takes the place of one that has gone */
        unload(executor, &links[i]);
    make_image(&memory, 1);
    assert_code(finalize(executor, &links[0], &memory, true, 1), JITSCOPE_SUCCESS);
    assert_null(memory.data);
    unload(executor, &links[0]);
    executor_destroy(executor);
    assert_int_equal(root()->images, 0);
}

/* Of batches that come and go one by one nothing stays: an image that has held many goes with the last. */
static void test_worn(void **state) {
    (void)state;
    enum { CYCLES = 4000, FEW = 5, MANY = 50 };
    for (int i = 0; i < POLICIES; i += 2) { /* announced ones have images of their own anyway */
        struct executor *executor = make_executor(policies[i]);
        struct image_memory memory = {0};
        struct link link;
        uint32_t images = 0, empty = 0;
        for (uint32_t number = 1; number <= CYCLES; number++) {
            const struct debuggee_image *before = (const void *)(uintptr_t)root()->image;
            make_image(&memory, number);
            ((struct sample *)(void *)memory.data)->header.elf.count = 0; /* to be copied */
            assert_code(finalize(executor, &link, &memory, true, number), JITSCOPE_SUCCESS);
            vec_destroy(&memory);
            images += (const void *)(uintptr_t)root()->image != before;
            unload(executor, &link);
            assert_int_equal(root()->batches, 0);
            empty += root()->images == 0;
        }
        assert_in_range(images, FEW, MANY);
        assert_int_equal(empty, images - 1);
        executor_destroy(executor);
        assert_int_equal(root()->images, 0);
    }
}

/* The Nth call fails: what was not taken is still the caller's, whole. */
static void test_failures(void **state) {
    (void)state;
    enum { MANY = 1000000 };
    for (int i = 0; i < 2 * POLICIES; i++)
        for (uint64_t n = 1, failed = 1; failed; n++) {
            struct image_memory memory = {0};
            struct link links[3];
            bool there[3];
            os_fail_after(MANY, false); /* from here on what lives is counted */
            int64_t before = os_live_allocations();
            struct executor *executor = make_executor(policies[i / 2]);
            failed = 0;
            for (uint32_t at = 0; at < 3; at++) {
                make_image(&memory, at + 1);
                os_fail_after(n, false);
                struct jitscope_error *error = finalize(executor, &links[at], &memory, i % 2, at + 1);
                os_fail_after(MANY, false);
                there[at] = !error;
                failed += error != NULL;
                assert_int_equal(root()->batches, there[0] + (at > 0 && there[1]) + (at > 1 && there[2]));
                assert_int_equal(!memory.data, !error && i % 2);
                if (error)
                    executor_results_destroy(&links[at].results);
                jitscope_error_destroy(error);
            }
            vec_destroy(&memory);
            for (uint32_t at = 0; at < 3; at++)
                if (there[at])
                    unload(executor, &links[at]);
            assert_int_equal(root()->images, 0);
            executor_destroy(executor);
            assert_int_equal(os_live_allocations(), before);
            os_fail_after(0, false);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offered),     cmocka_unit_test(test_not_offered),
        cmocka_unit_test(test_rolled_back), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_worn),        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
