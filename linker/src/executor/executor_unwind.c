/* executor_unwind: .eh_frame sections and the unwinders of this process.
 *
 * An exception passes JIT'd frames only if the unwinder that runs it knows their .eh_frame.  Shared libraries
 * are found through dl_iterate_phdr; JIT'd code has to be registered, with each unwinder in the process,
 * since each keeps a list of its own (unwinder.h says how).  Who throws does not choose the unwinder: C++'s
 * runtime, backtrace(3) and pthread_cancel(3) each bring theirs.  So two lists are kept, of sections and of
 * unwinders, and every unwinder is told of every section: of a new section all unwinders hear, and of all
 * sections a new unwinder.
 *
 * An unwinder can come at any time: with a library, or with a batch that has libgcc_eh.a among its inputs.
 * The loader counts what it has loaded; when the count has changed, new libraries are looked through.  That
 * is done whenever a section is registered, and before JIT'd code can run in a way that is known here
 * (executor_announce()).  Code that is running already can load a library with an unwinder behind our back:
 * that one learns of the sections at the next link, lookup or call.
 *
 * An unwinder that knows of sections must not leave, or those could not be withdrawn: its library is held
 * open, whoever else closes it.
 *
 * Libraries are looked for without the lock, which a library's initialiser may want that links, with the
 * loader's own lock held. */
#include "executor/executor_unwind.h"
#include "executor/executor.h"
#include "executor/executor_debug.h"
#include "executor/executor_nongnu.h"
#include "executor/unwinder.h"

#include <pthread.h>
#include <string.h>

struct registered_eh_frame {
    struct bytes section;       /* as it lies in memory */
    struct nongnu_table *table; /* what nongnu libunwind was told; NULL when nothing */
};

typedef VEC(struct unwinder) unwinder_list;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static VEC(struct registered_eh_frame) sections;
static unwinder_list unwinders;
static uint64_t libraries_come, libraries_gone; /* when they were looked through last */
static uint32_t libraries_seen;                 /* how many, then */
static bool looked;
static uint32_t executors;

/* --- telling one unwinder of one section */

static void tell(const struct unwinder *unwinder, struct registered_eh_frame *frames) {
    if (unwinder->kind == UNWINDER_NONGNU && !frames->table)
        frames->table = executor_nongnu_table_create(frames->section, (uintptr_t)frames->section.data);
    if (unwinder->kind == UNWINDER_NONGNU && !frames->table)
        return;
    unwinder_add(unwinder, frames->section, frames->table);
    executor_debug_count_section(unwinder->name, 1);
}

static void withdraw(const struct unwinder *unwinder, const struct registered_eh_frame *frames) {
    if (unwinder->kind == UNWINDER_NONGNU && !frames->table)
        return;
    unwinder_remove(unwinder, frames->section, frames->table);
    executor_debug_count_section(unwinder->name, -1);
}

/* --- unwinders */

static struct unwinder *find_unwinder(const struct unwinder *like) {
    for (uint32_t i = 0; i < unwinders.count; i++)
        if (unwinder_is_same(&unwinders.data[i], like))
            return &unwinders.data[i];
    return NULL;
}

/* False when it is known already, or there is no memory for it: then it stays the caller's. */
static bool add_unwinder(const struct unwinder *unwinder) {
    if (find_unwinder(unwinder))
        return false;
    struct jitscope_error *error = vec_push(&unwinders, *unwinder);
    if (error) {
        jitscope_error_destroy(error);
        return false;
    }
    struct unwinder *added = &unwinders.data[unwinders.count - 1];
    unwinder_settle(added);
    for (uint32_t i = 0; i < sections.count; i++)
        tell(added, &sections.data[i]);
    return true;
}

struct names {
    VEC(char *) list;
    uint32_t skipped, skip;
    bool failed;
};

static void take_name(void *context, const char *name) {
    struct names *names = context;
    size_t size = strlen(name) + 1;
    if (names->skipped < names->skip) {
        names->skipped++;
        return;
    }
    char *copy = os_allocate(size);
    struct jitscope_error *error = copy ? vec_push(&names->list, memcpy(copy, name, size)) : NULL;
    names->failed |= !copy || error;
    if (error)
        os_release(copy);
    jitscope_error_destroy(error);
}

/* What the library of that name has; the program's is "", and so is that of libraries that hide. */
static void look_into(const char *name, bool is_program) {
    void *library = *name || is_program ? os_library_find(*name ? name : NULL) : NULL;
    struct unwinder found[UNWINDERS_PER_LIBRARY];
    uint32_t count = library ? unwinders_of_library(library, found) : 0;
    bool needed = false;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < count; i++) {
        found[i].library = needed ? NULL : library;
        needed |= add_unwinder(&found[i]);
    }
    pthread_mutex_unlock(&lock);
    if (library && !needed)
        os_library_close(library);
}

/* The C library loads it when a thread is cancelled; then it is too late to tell it anything.  Nobody else is
 * to be bound to it. */
static void load_libgcc(void) {
    const char *text;
    void *library = os_library_open_alone("libgcc_s.so.1", &text);
    if (library) {
        look_into("libgcc_s.so.1", false);
        os_library_close(library);
    }
}

/* The libraries behind the first SKIP; COME and GONE as they were before. */
static void look_through_libraries(uint32_t skip, uint64_t come, uint64_t gone) {
    struct names names = {.skip = skip};
    os_each_library(take_name, &names);
    for (uint32_t i = 0; i < names.list.count; i++) {
        look_into(names.list.data[i], i + skip == 0);
        os_release(names.list.data[i]);
    }
    pthread_mutex_lock(&lock);
    looked = true;
    libraries_come = come;
    libraries_gone = gone;
    libraries_seen = names.failed ? 0 : skip + names.list.count;
    pthread_mutex_unlock(&lock);
    vec_destroy(&names.list);
}

static void look_for_first_time(void) {
    struct unwinder own;
    load_libgcc();
    if (!unwinder_of_this_program(&own))
        return;
    pthread_mutex_lock(&lock);
    add_unwinder(&own);
    pthread_mutex_unlock(&lock);
}

/* Two threads may look at the same time: neither may wait for the other, which the loader may hold up, nor go
 * on before all unwinders know its section. */
static void look(bool ahead) {
    uint64_t come, gone;
    os_count_libraries(&come, &gone);
    pthread_mutex_lock(&lock);
    bool wanted = (sections.count || ahead) && (!looked || come != libraries_come || gone != libraries_gone);
    bool first = wanted && !looked;
    uint32_t skip = looked && gone == libraries_gone ? libraries_seen : 0;
    pthread_mutex_unlock(&lock);
    if (first) {
        look_for_first_time();
        os_count_libraries(&come, &gone); /* libgcc is one that has come */
    }
    if (wanted)
        look_through_libraries(skip, come, gone);
}

void executor_look_for_unwinders(void) {
    look(false);
}

void executor_look_ahead_for_unwinders(void) {
    look(true);
}

const char *executor_adopt_unwinder(uint64_t kind, uint64_t add, uint64_t remove) {
    struct unwinder unwinder;
    if (!add || !remove || !unwinder_of_batch(kind, add, remove, &unwinder))
        return "an unwinder's function is at 0, or its kind is not known";
    pthread_mutex_lock(&lock);
    bool added = add_unwinder(&unwinder);
    pthread_mutex_unlock(&lock);
    return added ? NULL : "the unwinder is known already, or there is no memory for it";
}

const char *executor_dismiss_unwinder(uint64_t add) {
    pthread_mutex_lock(&lock);
    uint32_t at = 0;
    while (at < unwinders.count && !unwinder_is_batch_s(&unwinders.data[at], add))
        at++;
    bool found = at < unwinders.count;
    if (found) {
        for (uint32_t i = sections.count; i-- > 0;)
            withdraw(&unwinders.data[at], &sections.data[i]);
        memmove(&unwinders.data[at], &unwinders.data[at + 1],
                (--unwinders.count - at) * sizeof unwinders.data[at]);
    }
    pthread_mutex_unlock(&lock);
    return found ? NULL : "no unwinder of this address was adopted";
}

/* An exception is one unwinder's from its throw to its catch: whoever goes on with it must ask the one that
 * the C++ runtime has asked.  Libraries are bound to the first that the process has to offer to all, in the
 * order in which they came; so JIT'd code is too, in whichever library it was found. */
void *executor_unwinder_function(const char *name) {
    static const char prefix[] = "_Unwind_";
    bool is_one = !strncmp(name, prefix, sizeof prefix - 1) && !strchr(name, '@');
    return is_one ? os_library_symbol_alone(NULL, name) : NULL;
}

/* --- sections */

const char *executor_register_eh_frame(uint64_t address, uint64_t size) {
    struct registered_eh_frame frames = {.section = {(const uint8_t *)(uintptr_t)address, size}};
    const char *failure = unwinder_check_section(frames.section);
    if (failure)
        return failure;
    pthread_mutex_lock(&lock);
    struct jitscope_error *error = vec_push(&sections, frames);
    for (uint32_t i = 0; !error && i < unwinders.count; i++)
        tell(&unwinders.data[i], &sections.data[sections.count - 1]);
    pthread_mutex_unlock(&lock);
    if (error) {
        jitscope_error_destroy(error);
        return "out of memory";
    }
    executor_look_for_unwinders();
    return NULL;
}

/* Last first: that is the order in which memory goes. */
static struct registered_eh_frame *find_section(uint64_t address, uint64_t size) {
    for (uint32_t i = sections.count; i-- > 0;) {
        struct registered_eh_frame *at = &sections.data[i];
        if ((uintptr_t)at->section.data == address && at->section.size == size)
            return at;
    }
    return NULL;
}

static void forget(struct registered_eh_frame *found) {
    for (uint32_t i = unwinders.count; i-- > 0;)
        withdraw(&unwinders.data[i], found);
    executor_nongnu_table_destroy(found->table);
    size_t behind = (size_t)(sections.data + sections.count - (found + 1));
    memmove(found, found + 1, behind * sizeof *found);
    sections.count--;
}

const char *executor_deregister_eh_frame(uint64_t address, uint64_t size) {
    pthread_mutex_lock(&lock);
    struct registered_eh_frame *found = find_section(address, size);
    if (found)
        forget(found);
    pthread_mutex_unlock(&lock);
    return found ? NULL : "no section of this address and size is registered";
}

/* --- life */

void executor_enter_unwinders(void) {
    pthread_mutex_lock(&lock);
    executors++;
    pthread_mutex_unlock(&lock);
}

/* What is still registered keeps the unwinders that know it. */
void executor_leave_unwinders(void) {
    unwinder_list left = {0};
    pthread_mutex_lock(&lock);
    if (!--executors && !sections.count) {
        left = unwinders;
        memset(&unwinders, 0, sizeof unwinders);
        vec_destroy(&sections);
        memset(&sections, 0, sizeof sections);
        looked = false;
        libraries_seen = 0;
    }
    pthread_mutex_unlock(&lock);
    for (uint32_t i = 0; i < left.count; i++) {
        unwinder_forget(&left.data[i]);
        if (left.data[i].library)
            os_library_close(left.data[i].library);
    }
    vec_destroy(&left);
}

uint32_t executor_unwinder_names(const char **names) {
    uint32_t count = 0;
    pthread_mutex_lock(&lock);
    for (unsigned kind = 0; kind < UNWINDER_KINDS; kind++)
        for (uint32_t i = 0; i < unwinders.count; i++)
            if (unwinders.data[i].kind == kind && !unwinders.data[i].is_batch_s) {
                names[count++] = unwinders.data[i].name;
                break;
            }
    pthread_mutex_unlock(&lock);
    return count;
}
