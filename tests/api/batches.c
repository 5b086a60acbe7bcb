/* A compiler with many threads: each prepares batches of its own, links, calls and unloads them, while the
 * others do the same in the same session.  Batches refer to what any thread has linked before; some of that
 * goes meanwhile. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 100, KNOTS = THREADS * ROUNDS, MOST_OBJECT = 8192, MOST_DEPTH = 8, NAME = 16 };

static struct jitscope_session *session;
static uint8_t pattern[MOST_OBJECT];
static size_t pattern_size;
static uint32_t next_name;

/* Knots that nobody is busy with.  Who works with one takes it out. */
struct knot {
    struct jitscope_link *link; /* NULL: free */
    char name[NAME];
};
static struct knot table[KNOTS];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

struct worker {
    uint64_t seed;
    uint32_t linked, unloaded, came_too_late, in_use, wrong;
};

static uint32_t random_below(struct worker *worker, uint32_t limit) {
    worker->seed = worker->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(worker->seed >> 33) % limit;
}

static struct knot take(struct worker *worker) {
    struct knot knot = {0};
    uint32_t first = random_below(worker, KNOTS);
    pthread_mutex_lock(&table_lock);
    for (uint32_t i = 0; i < KNOTS && !knot.link; i++) {
        struct knot *at = &table[(first + i) % KNOTS];
        knot = *at;
        at->link = NULL;
    }
    pthread_mutex_unlock(&table_lock);
    return knot;
}

static bool put(struct knot knot) {
    bool done = false;
    pthread_mutex_lock(&table_lock);
    for (uint32_t i = 0; i < KNOTS && !done; i++) {
        done = !table[i].link;
        if (done)
            table[i] = knot;
    }
    pthread_mutex_unlock(&table_lock);
    return done;
}

/* The name of one that was there a moment ago; the end of all chains when there is none. */
static void choose_other(struct worker *worker, char name[NAME]) {
    uint32_t first = random_below(worker, KNOTS);
    strcpy(name, "knot_first");
    pthread_mutex_lock(&table_lock);
    for (uint32_t i = 0; i < KNOTS; i++)
        if (table[(first + i) % KNOTS].link) {
            strcpy(name, table[(first + i) % KNOTS].name);
            break;
        }
    pthread_mutex_unlock(&table_lock);
}

static void rename_symbol(uint8_t *object, const char *from, const char *to) {
    size_t length = strlen(from);
    for (size_t at = 0; at + length <= pattern_size; at++)
        if (!memcmp(object + at, from, length))
            memcpy(object + at, to, length);
}

static void add_knot(struct jitscope_batch *batch, const char *name, const char *other) {
    uint8_t object[MOST_OBJECT];
    memcpy(object, pattern, pattern_size);
    rename_symbol(object, "knot_mine_", name);
    rename_symbol(object, "knot_other", other);
    check(jitscope_batch_add_memory(batch, name, object, pattern_size));
}

/* One to three knots: the first is tied to another batch's, each other one to the one before it. */
static struct knot tie(struct worker *worker, struct jitscope_batch *batch) {
    struct knot knot = {0};
    char other[NAME];
    choose_other(worker, other);
    for (uint32_t count = 1 + random_below(worker, 3); count--;) {
        uint32_t number = __atomic_add_fetch(&next_name, 1, __ATOMIC_RELAXED) % 100000;
        snprintf(knot.name, sizeof knot.name, "knot_%05u", (unsigned)number);
        add_knot(batch, knot.name, other);
        strcpy(other, knot.name);
    }
    sched_yield(); /* somebody may unload it */
    struct jitscope_error *error = jitscope_batch_link(batch, &knot.link);
    if (jitscope_error_code(error) == JITSCOPE_ERROR_UNRESOLVED) { /* what it wanted went in between */
        worker->came_too_late++;
        jitscope_error_destroy(error);
        return (struct knot){0};
    }
    check(error);
    worker->linked++;
    return knot;
}

/* Through batches of other threads: these cannot go, since this one refers to them. */
static void call_knot(struct worker *worker, const struct knot *knot) {
    uint64_t address, same;
    check(jitscope_session_lookup(session, knot->name, &address));
    check(jitscope_link_lookup(session, knot->link, knot->name, &same));
    int depth = (int)random_below(worker, MOST_DEPTH), found = ((int (*)(int))(uintptr_t)address)(depth);
    worker->wrong += address != same || found < 0 || found > depth;
}

static void unload(struct worker *worker, struct knot knot) {
    struct jitscope_error *error = knot.link ? jitscope_session_unload(session, knot.link) : NULL;
    if (jitscope_error_code(error) == JITSCOPE_ERROR_IN_USE) {
        jitscope_error_destroy(error);
        worker->in_use++;
        if (!put(knot))
            exit(1);
        return;
    }
    check(error);
    worker->unloaded += knot.link != NULL;
}

/* A thread-local variable in a batch of its own, from several threads at once. */
static void use_local(struct worker *worker, struct jitscope_batch *batch) {
    struct jitscope_link *link;
    uint64_t address;
    check(jitscope_batch_add_file(batch, OBJECTS "tls.o"));
    check(jitscope_batch_link(batch, &link));
    check(jitscope_link_lookup(session, link, "raise_level", &address));
    worker->wrong += call(address) != 41 || call(address) != 42;
    check(jitscope_session_unload(session, link));
}

static void *work(void *argument) {
    struct worker *worker = argument;
    struct jitscope_batch *batch;
    check(jitscope_batch_create(session, &batch));
    for (int round = 0; round < ROUNDS; round++) {
        struct knot knot = tie(worker, batch);
        if (knot.link) {
            call_knot(worker, &knot);
            if (!put(knot))
                unload(worker, knot);
        }
        if (random_below(worker, 8) == 0)
            use_local(worker, batch);
        for (uint32_t tries = random_below(worker, 4); tries; tries--)
            unload(worker, take(worker));
    }
    check(jitscope_batch_add_file(batch, OBJECTS "fib.o")); /* is dropped, unlinked */
    jitscope_batch_destroy(batch);
    return NULL;
}

/* --- callbacks meanwhile: they may look, and must not link */

static uint32_t begun, refused;

static void see_event(void *context, const struct jitscope_event *event) {
    struct jitscope_batch *batch = context;
    uint64_t address;
    if (strcmp(jitscope_event_name(event), "link_begin"))
        return;
    begun++;
    check(jitscope_session_lookup(session, "knot_first", &address));
    struct jitscope_error *error = jitscope_batch_link(batch, NULL);
    refused += jitscope_error_code(error) == JITSCOPE_ERROR_USAGE;
    jitscope_error_destroy(error);
}

static int knot_first(int depth) {
    (void)depth;
    return 0;
}

static void unload_rest(struct worker *worker) {
    for (int more = 1; more;) {
        more = 0;
        for (uint32_t i = 0; i < KNOTS; i++) {
            struct knot knot = table[i];
            table[i].link = NULL;
            more |= knot.link != NULL;
            unload(worker, knot);
        }
    }
}

static void run(uint64_t seed) {
    struct worker workers[THREADS] = {{0}}, sum = {0};
    pthread_t threads[THREADS];
    struct jitscope_batch *waiting;
    struct jitscope_link *link;
    uint64_t address;
    begun = refused = 0;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_define(session, "knot_first", (uint64_t)(uintptr_t)knot_first));
    check(jitscope_session_add_file(session, OBJECTS "counter.o")); /* in the queue all the time */
    check(jitscope_batch_create(session, &waiting));
    check(jitscope_batch_add_file(waiting, OBJECTS "fib.o"));
    check(jitscope_session_set_event_callback(session, JITSCOPE_LEVEL_PHASE, see_event, waiting));
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i].seed = seed * 1000 + i;
        if (pthread_create(&threads[i], NULL, work, &workers[i]))
            exit(1);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum.linked += workers[i].linked;
        sum.unloaded += workers[i].unloaded;
        sum.came_too_late += workers[i].came_too_late;
        sum.wrong += workers[i].wrong;
        sum.in_use += workers[i].in_use;
    }
    check(jitscope_session_set_event_callback(session, JITSCOPE_LEVEL_PHASE, NULL, NULL));
    unload_rest(&sum);
    printf("seed %d: %s batches linked, %s; %u wrong; %s\n", (int)seed,
           sum.linked + sum.came_too_late == THREADS * ROUNDS ? "all" : "not all",
           sum.unloaded == sum.linked ? "each unloaded once" : "but not all unloaded", sum.wrong,
           begun && begun == refused ? "no callback could link" : "a callback could link");
    check(jitscope_session_link(session, &link)); /* the queue: nobody has taken it */
    check(jitscope_link_lookup(session, link, "count", &address));
    check(jitscope_batch_link(waiting, &link)); /* and what was refused is still there */
    check(jitscope_link_lookup(session, link, "fib", &address));
    printf("  the queue and a batch that waited: fib(10) is %d\n", ((int (*)(int))(uintptr_t)address)(10));
    jitscope_session_destroy(session);
    jitscope_batch_destroy(waiting);
}

/* --- what goes wrong in one batch is no other's */

static void say(const char *what, struct jitscope_error *error) {
    printf("%s: %s\n", what, error ? jitscope_error_message(error) : "good");
    jitscope_error_destroy(error);
}

static void fail(void) {
    struct jitscope_batch *batch;
    struct jitscope_link *link;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    check(jitscope_batch_create(session, &batch));
    say("no such file", jitscope_batch_add_file(batch, "no-such-file.o"));
    check(jitscope_batch_add_memory(batch, "damaged.a", "!<arch>\nwhat is that", 20));
    check(jitscope_batch_add_file(batch, OBJECTS "counter.o"));
    say("a damaged archive", jitscope_batch_link(batch, &link));
    say("the batch is empty now", jitscope_batch_link(batch, &link));
    check(jitscope_session_unload(session, link));
    check(jitscope_batch_add_borrowed(batch, "knot.o", pattern, pattern_size));
    say("nobody has it", jitscope_batch_link(batch, &link));
    check(jitscope_batch_add_borrowed(batch, "knot.o", pattern, pattern_size));
    check(jitscope_session_define(session, "knot_other", (uint64_t)(uintptr_t)knot_first));
    say("borrowed", jitscope_batch_link(batch, &link));
    jitscope_batch_destroy(batch);
    say("the queue", jitscope_session_link(session, &link));
    uint64_t address;
    say("fib", jitscope_link_lookup(session, link, "fib", &address));
    jitscope_session_destroy(session);
}

int main(void) {
    FILE *file = fopen(OBJECTS "knot.o", "rb");
    pattern_size = file ? fread(pattern, 1, sizeof pattern, file) : 0;
    if (!pattern_size || fclose(file))
        return 1;
    for (uint64_t seed = 1; seed <= 3; seed++)
        run(seed);
    fail();
    return 0;
}
