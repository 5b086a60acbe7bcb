#define _GNU_SOURCE /* memmem */
#include "executor/executor_debug.h"

#include "executor/debug_beacon.h"
#include "executor/debug_shelf.h"
#include "executor/debug_slab.h"
#include "executor/executor_state.h"

#include <pthread.h>
#include <string.h>

#ifndef JITSCOPE_VERSION
#define JITSCOPE_VERSION "unknown"
#endif

enum { BUCKETS = 1 << 16 }; /* of untouched zeros, until there are so many batches */

struct debug_batch {
    struct debuggee_batch public;
    struct shelved_batch shelved;
    const struct executor *executor;
    struct debug_batch *newer, *older;
    struct debug_batch *next_in_bucket;
    enum debug_listing how;
    uint32_t waits;             /* its place among those that wait, plus 1; 0: it does not */
    struct image_memory memory; /* of an image that is kept where it is; else empty */
    uint64_t bytes[];           /* else: the debug image, or its description only */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct debug_shelf shelf;
static struct debug_slab slab; /* of struct debug_batch */
static VEC(struct shelved_batch *) waiting;
static struct debug_batch *newest;
static struct debug_batch *buckets[BUCKETS];
static struct debuggee_grave graves[DEBUGGEE_GRAVES];

extern struct debuggee_interest jitscope_interest;
__attribute__((visibility("default"), used)) struct debuggee_interest jitscope_interest;

extern struct debuggee jitscope_debuggee;
__attribute__((visibility("default"), used)) struct debuggee jitscope_debuggee = {
    .magic = DEBUGGEE_MAGIC,
    .version = DEBUGGEE_VERSION,
    .size = sizeof(struct debuggee),
    .interest = (uint64_t)(uintptr_t)&jitscope_interest,
    .library = JITSCOPE_VERSION,
};

const char *debug_listing_text(enum debug_listing listing) {
    static const char *const texts[] = {
        [LISTING_NONE] = "nobody",
        [LISTING_ANNOUNCED] = "debuggers, before it runs",
        [LISTING_LISTED] = "debuggers, at attach",
        [LISTING_UNLISTED] = "debuggers' plug-ins",
    };
    return texts[listing];
}

static uint64_t address_of(const void *memory) {
    return (uint64_t)(uintptr_t)memory;
}

uint64_t executor_debug_root(void) {
    return address_of(&jitscope_debuggee);
}

/* Between these two readers that stop the process see that the lists are being changed. */
static void begin_change(void) {
    pthread_mutex_lock(&lock);
    __atomic_store_n(&jitscope_debuggee.change, jitscope_debuggee.change + 1, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void publish(void) {
    const struct shelved_image *image = shelf.newest;
    jitscope_debuggee.batch = address_of(newest);
    jitscope_debuggee.image = image ? address_of(&image->store->public) : 0;
    jitscope_debuggee.images = shelf.count;
    __atomic_store_n(&jitscope_debuggee.change, jitscope_debuggee.change + 1, __ATOMIC_RELEASE);
}

static void end_change(void) {
    publish();
    pthread_mutex_unlock(&lock);
}

/* --- whether a plug-in waits for it */

/* Anywhere in names and DWARF: too often is harmless, too seldom is not. */
static bool is_interesting(const struct debug_image *image) {
    uint32_t size = jitscope_interest.size < sizeof jitscope_interest.texts ? jitscope_interest.size
                                                                            : sizeof jitscope_interest.texts;
    uint64_t first = image->header->strings.offset;
    const uint8_t *from = image->bytes.data + first;
    if (jitscope_interest.everything)
        return true;
    for (uint32_t at = 0; at < size;) {
        size_t length = strnlen(jitscope_interest.texts + at, size - at);
        if (length && memmem(from, image->bytes.size - first, jitscope_interest.texts + at, length))
            return true;
        at += (uint32_t)length + 1;
    }
    return false;
}

/* A plug-in leaves with its debugger, which need not say so. */
static bool plug_in_listens(bool watched) {
    if (!watched)
        jitscope_interest.listens = 0;
    return jitscope_interest.listens == 1;
}

static enum debug_listing choose(enum debuggee_policy policy, const struct debug_image *image) {
    bool watched = jit_interface_is_watched(), asks = plug_in_listens(watched);
    if (policy == DEBUGGEE_EAGER)
        return LISTING_ANNOUNCED;
    if (asks && is_interesting(image))
        return LISTING_ANNOUNCED;
    if (asks || policy == DEBUGGEE_LAZY)
        return LISTING_UNLISTED;
    return watched ? LISTING_ANNOUNCED : LISTING_LISTED;
}

/* --- batches */

static struct debug_batch **bucket_of(uint32_t link) {
    return &buckets[link % BUCKETS];
}

static struct debug_batch *find_batch(const struct executor *executor, uint32_t link) {
    struct debug_batch *at = *bucket_of(link);
    while (at && (at->executor != executor || at->public.link != link))
        at = at->next_in_bucket;
    return at;
}

static void enter(struct debug_batch *batch) {
    batch->next_in_bucket = *bucket_of(batch->public.link);
    *bucket_of(batch->public.link) = batch;
    batch->older = newest;
    if (newest) {
        newest->newer = batch;
        newest->public.previous = address_of(&batch->public);
    }
    batch->public.next = address_of(newest);
    newest = batch;
    jitscope_debuggee.batches++;
}

static void leave(struct debug_batch *batch) {
    struct debug_batch **at = bucket_of(batch->public.link);
    while (*at != batch)
        at = &(*at)->next_in_bucket;
    *at = batch->next_in_bucket;
    if (batch->newer) {
        batch->newer->older = batch->older;
        batch->newer->public.next = batch->public.next;
    } else {
        newest = batch->older;
    }
    if (batch->older) {
        batch->older->newer = batch->newer;
        batch->older->public.previous = batch->public.previous;
    }
    jitscope_debuggee.batches--;
}

/* Becomes an ELF image by itself. */
static bool is_alone(const struct debug_image *image, enum debug_listing how) {
    return image->header->elf.count && (how == LISTING_ANNOUNCED || debug_shelf_wants_alone(&shelf));
}

/* Announced images are merged anew later: they are kept whole. */
static size_t kept_size(const struct debug_image *image, enum debug_listing how) {
    return how == LISTING_ANNOUNCED ? image->header->size : image->header->description_size;
}

static struct debug_batch *new_batch(const struct executor *executor, const struct debug_image *image,
                                     enum debug_listing how) {
    bool alone = is_alone(image, how);
    size_t size = alone ? 0 : kept_size(image, how);
    struct debug_batch *batch = debug_slab_allocate(&slab, sizeof *batch + size);
    if (!batch)
        return NULL;
    memset(batch, 0, sizeof *batch);
    memcpy(batch->bytes, image->bytes.data, size);
    batch->executor = executor;
    batch->how = how;
    batch->public.description = address_of(batch->bytes);
    batch->public.description_size = image->header->description_size;
    batch->public.session = executor->number;
    batch->public.link = image->header->link;
    batch->shelved = (struct shelved_batch){.image = *image, .alone = alone, .number = &batch->public.image};
    return batch;
}

static void destroy_batch(struct debug_batch *batch) {
    if (batch)
        vec_destroy(&batch->memory);
    debug_slab_release(&slab, batch);
}

/* The batch's image lies in what was offered for keeping. */
static bool is_offered(const struct debug_batch *batch, const struct image_memory *offered) {
    return batch->shelved.alone && offered && batch->shelved.image.bytes.data == offered->data;
}

/* What is to stay of the image lies in memory that stays, if OFFERED is taken. */
static struct jitscope_error *settle_image(struct debug_batch *batch, const struct image_memory *offered) {
    struct shelved_batch *shelved = &batch->shelved;
    struct bytes own = shelved->image.bytes;
    if (shelved->alone && !is_offered(batch, offered)) {
        TRY(vec_reserve(&batch->memory, own.size));
        own.data = memcpy(batch->memory.data, own.data, own.size);
    } else if (!shelved->alone && batch->how == LISTING_ANNOUNCED) {
        own.data = (const uint8_t *)batch->bytes;
    }
    shelved->image = (struct debug_image){own, (const void *)own.data};
    if (shelved->alone)
        batch->public.description = address_of(own.data);
    return NULL;
}

static void take(struct debug_batch *batch, struct image_memory *offered) {
    batch->memory = *offered;
    *offered = (struct image_memory){0};
}

static struct debug_batch *batch_of(const struct shelved_batch *shelved) {
    return (void *)((uintptr_t)shelved - offsetof(struct debug_batch, shelved));
}

static struct jitscope_error *shelve(struct debug_batch *batch, bool waits) {
    struct shelved_batch *shelved = &batch->shelved;
    if (batch->how != LISTING_ANNOUNCED)
        return debug_shelf_add_open(&shelf, shelved, batch->how);
    uint32_t taken;
    if (!waits)
        return debug_shelf_announce(&shelf, &shelved, 1, &taken);
    TRY(vec_reserve(&waiting, 1));
    waiting.data[waiting.count] = shelved;
    batch->waits = waiting.count + 1;
    __atomic_store_n(&waiting.count, batch->waits, __ATOMIC_RELAXED);
    return NULL;
}

/* --- those that wait */

static void stop_waiting(struct debug_batch *batch) {
    struct shelved_batch *last = waiting.data[waiting.count - 1];
    waiting.data[batch->waits - 1] = last;
    batch_of(last)->waits = batch->waits;
    batch->waits = 0;
    __atomic_store_n(&waiting.count, waiting.count - 1, __ATOMIC_RELAXED);
}

/* The first DONE need not wait any more. */
static void move_up(uint32_t done) {
    uint32_t left = waiting.count - done;
    for (uint32_t i = 0; i < done; i++)
        batch_of(waiting.data[i])->waits = 0;
    for (uint32_t i = 0; i < left; i++) {
        waiting.data[i] = waiting.data[i + done];
        batch_of(waiting.data[i])->waits = i + 1;
    }
    __atomic_store_n(&waiting.count, left, __ATOMIC_RELAXED);
}

/* Those that there is no memory for go on waiting: nothing fails for want of debug information. */
static void announce_waiting(void) {
    uint32_t done = 0;
    while (done < waiting.count) {
        uint32_t taken;
        struct jitscope_error *error =
            debug_shelf_announce(&shelf, waiting.data + done, waiting.count - done, &taken);
        if (error) {
            jitscope_error_destroy(error);
            break;
        }
        done += taken;
    }
    if (done)
        move_up(done);
}

/* Read without the lock: those that this thread must not miss were put there under its session's lock. */
void executor_debug_announce(void) {
    if (!__atomic_load_n(&waiting.count, __ATOMIC_RELAXED))
        return;
    begin_change();
    announce_waiting();
    end_change();
}

/* --- arrival */

static const char *add_batch(const struct executor *executor, const struct debug_image *image,
                             struct image_memory *offered) {
    if (find_batch(executor, image->header->link))
        return "a debug image of this link is registered already";
    struct debug_batch *batch = new_batch(executor, image, executor->debug_listing);
    bool waits = executor->debug_policy != DEBUGGEE_EAGER && !executor->tells_at_once;
    struct jitscope_error *error = batch ? settle_image(batch, offered) : error_no_memory();
    if (!error)
        error = shelve(batch, waits);
    if (error) {
        jitscope_error_destroy(error);
        destroy_batch(batch);
        return "out of memory for debug information";
    }
    if (is_offered(batch, offered))
        take(batch, offered);
    enter(batch);
    return NULL;
}

const char *executor_register_debug_image(struct executor *executor, struct bytes bytes) {
    struct debug_image image;
    const char *failure = debug_image_open(bytes, &image);
    if (failure)
        return failure;
    begin_change();
    executor->debug_listing = choose(executor->debug_policy, &image);
    failure = add_batch(executor, &image, executor->offered_image);
    publish();
    if (!failure && executor->debug_policy == DEBUGGEE_LAZY)
        debug_beacon_light(address_of(&jitscope_debuggee)); /* who is told reads the lists at once */
    pthread_mutex_unlock(&lock);
    return failure;
}

/* --- burial */

static void bury(const struct debug_batch *batch) {
    uint32_t count;
    const char *strings;
    const struct shelved_batch *shelved = &batch->shelved;
    const Elf64_Sym *symbols = store_image_symbols(shelved->home->store, &shelved->share, &count, &strings);
    jitscope_debuggee.graves = address_of(graves);
    for (uint32_t i = 0; i < count; i++) {
        if (ELF64_ST_TYPE(symbols[i].st_info) != STT_FUNC)
            continue;
        struct debuggee_grave *grave = &graves[jitscope_debuggee.buried++ % DEBUGGEE_GRAVES];
        *grave = (struct debuggee_grave){symbols[i].st_value, symbols[i].st_size, batch->public.session,
                                         batch->public.link, ""};
        memccpy(grave->name, strings + symbols[i].st_name, 0, sizeof grave->name - 1);
    }
}

/* gdb disables a breakpoint whose place goes before the next one comes: what waits may be the next version of
 * BATCH. */
static void withdraw(struct debug_batch *batch) {
    if (batch->waits)
        stop_waiting(batch);
    if (!batch->shelved.home)
        return;
    announce_waiting();
    bury(batch);
    debug_shelf_remove(&shelf, &batch->shelved);
}

const char *executor_deregister_debug_image(struct executor *executor, uint32_t link) {
    begin_change();
    struct debug_batch *batch = find_batch(executor, link);
    if (batch) {
        executor->debug_listing = batch->how;
        withdraw(batch);
        leave(batch);
        destroy_batch(batch);
    }
    end_change();
    return batch ? NULL : "no debug image of this link is registered";
}

void executor_debug_count_section(const char *unwinder, int change) {
    begin_change();
    for (int i = 0; i < DEBUGGEE_UNWINDERS; i++) {
        struct debuggee_unwinder *at = &jitscope_debuggee.unwinders[i];
        if (at->name[0] && strncmp(at->name, unwinder, sizeof at->name) != 0)
            continue;
        if (!at->name[0])
            strncpy(at->name, unwinder, sizeof at->name - 1);
        at->sections += (uint64_t)change;
        break;
    }
    end_change();
}

/* Its end runs code of its own, whose names are wanted until then. */
static bool runs_code_at_end(const struct shelved_batch *batch) {
    const struct debug_image_header *header = batch->image.header;
    const struct debuggee_action *actions = debug_image_table(&batch->image, header->actions);
    const char *names = debug_image_table(&batch->image, header->strings);
    for (uint32_t i = 0; i < header->actions.count; i++) {
        const char *name = names + actions[i].deallocate;
        if (*name && strncmp(name, "deregister-", strlen("deregister-")) != 0)
            return true;
    }
    return false;
}

static bool leaves_silently(const struct shelved_batch *shelved, const void *executor) {
    return batch_of(shelved)->executor == executor && !runs_code_at_end(shelved);
}

void executor_debug_begin_end(const struct executor *executor) {
    begin_change();
    for (uint32_t i = waiting.count; i-- > 0;)
        if (leaves_silently(waiting.data[i], executor))
            stop_waiting(batch_of(waiting.data[i])); /* nobody will ever hear of it */
    debug_shelf_withdraw(&shelf, leaves_silently, executor);
    end_change();
}

void executor_debug_settle(void) {
    begin_change();
    announce_waiting(); /* as in withdraw() */
    jit_interface_settle();
    end_change();
}

void executor_debug_end(void) {
    begin_change();
    debug_shelf_trim(&shelf);
    if (!newest) {
        debug_beacon_put_out();
        vec_destroy(&waiting);
    }
    debug_slab_trim(&slab);
    end_change();
}
