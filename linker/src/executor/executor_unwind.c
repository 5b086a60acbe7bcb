/* executor_unwind: .eh_frame sections and the unwinders of this process.
 *
 * An exception passes JIT'd frames only if the unwinder that runs it knows their .eh_frame.  Shared libraries
 * are found through dl_iterate_phdr; JIT'd code has to be registered, with each unwinder in the process,
 * since each keeps a list of its own:
 *
 * - libgcc: __register_frame takes a whole section up to its terminator and aborts the process when asked to
 *   forget what it does not know.  Its list is searched linearly, so one section for a batch matters.
 * - LLVM's libunwind: a function of the same name takes one FDE, so the name alone must never be trusted:
 *   libgcc's is taken from libgcc_s itself.  __unw_add_dynamic_eh_frame_section reads on behind the
 * terminator in the releases up to 16 (and crashes, or registers what it finds there); __unw_add_dynamic_fde
 * does the same job in all of them, one FDE at a time.
 * - those that a link brings along: executor_linked.h.
 *
 * The format is that of the Linux Standard Base, Core, section 10.6.1 ("The .eh_frame section"): records of a
 * 32-bit length, a 32-bit id (0: a CIE; else an FDE, and the distance back to its CIE), and a length of 0 at
 * the end. */
#include "executor/executor_unwind.h"
#include "base/bytes.h"
#include "executor/executor_debug.h"
#include "executor/executor_linked.h"
#include "executor/executor_nongnu.h"

#define EXTENDED_LENGTH 0xffffffffu

static const char libgcc_name[] = "libgcc", llvm_name[] = "LLVM libunwind",
                  nongnu_name[] = "nongnu libunwind";

/* nongnu libunwind's names hold the machine's. */
#if defined(__x86_64__)
#define NONGNU_FLUSH_CACHE "_Ux86_64_flush_cache"
#define NONGNU_LOCAL_SPACE "_ULx86_64_local_addr_space"
#elif defined(__aarch64__)
#define NONGNU_FLUSH_CACHE "_Uaarch64_flush_cache"
#define NONGNU_LOCAL_SPACE "_ULaarch64_local_addr_space"
#endif

/* POSIX wants object and function pointers to be the same; ISO C has no cast between them. */
static void find_function(void *library, const char *name, void *function) {
    void *symbol = os_library_symbol(library, name);
    memcpy(function, &symbol, sizeof symbol);
}

/* Half a pair is none. */
static void find_unwinders(struct unwinders *unwinders) {
    const char *text;
    if (unwinders->found)
        return;
    unwinders->found = true;
    if (!unwinders->libgcc)
        unwinders->libgcc = os_library_open("libgcc_s.so.1", &text);
    if (unwinders->libgcc) {
        find_function(unwinders->libgcc, "__register_frame", &unwinders->gcc_register);
        find_function(unwinders->libgcc, "__deregister_frame", &unwinders->gcc_deregister);
    }
    find_function(NULL, "__unw_add_dynamic_fde", &unwinders->llvm_register);
    find_function(NULL, "__unw_remove_dynamic_fde", &unwinders->llvm_deregister);
    if (!unwinders->nongnu)
        unwinders->nongnu = os_library_find("libunwind.so.8");
    if (unwinders->nongnu) {
        find_function(unwinders->nongnu, "_U_dyn_register", &unwinders->nongnu_register);
        find_function(unwinders->nongnu, "_U_dyn_cancel", &unwinders->nongnu_deregister);
        find_function(unwinders->nongnu, NONGNU_FLUSH_CACHE, &unwinders->nongnu_flush);
        unwinders->nongnu_space = os_library_symbol(unwinders->nongnu, NONGNU_LOCAL_SPACE);
    }
}

static uint8_t known_unwinders(const struct unwinders *unwinders) {
    bool nongnu = unwinders->nongnu_register && unwinders->nongnu_deregister && unwinders->nongnu_flush &&
                  unwinders->nongnu_space;
    return (uint8_t)((unwinders->gcc_register && unwinders->gcc_deregister ? UNWINDER_LIBGCC : 0) |
                     (unwinders->llvm_register && unwinders->llvm_deregister ? UNWINDER_LLVM : 0) |
                     (nongnu ? UNWINDER_NONGNU : 0));
}

const char *executor_each_fde(struct bytes section, void (*function)(uintptr_t)) {
    for (uint64_t at = 0; bytes_contain(section, at, 4);) {
        uint32_t length = load_u32(section.data + at);
        if (length == 0)
            return NULL;
        if (length == EXTENDED_LENGTH)
            return "the section has a record in the 64-bit format, which unwinders do not read";
        if (length < 4 || !bytes_contain(section, at + 4, length))
            return "the section has a record that is cut short";
        if (function && load_u32(section.data + at + 4) != 0)
            function((uintptr_t)(section.data + at));
        at += 4 + (uint64_t)length;
    }
    return "the section has no terminator";
}

/* For plug-ins of debuggers. */
static void count_section(uint8_t with, const struct nongnu_table *table, int change) {
    if (with & UNWINDER_LIBGCC)
        executor_debug_count_section(libgcc_name, change);
    if (with & UNWINDER_LLVM)
        executor_debug_count_section(llvm_name, change);
    if (table)
        executor_debug_count_section(nongnu_name, change);
}

const char *executor_register_eh_frame(struct unwinders *unwinders, uint64_t address, uint64_t size) {
    struct bytes section = {(const uint8_t *)(uintptr_t)address, size};
    const char *failure = executor_each_fde(section, NULL);
    if (failure)
        return failure;
    struct jitscope_error *error = vec_reserve(&unwinders->registered, 1);
    if (error) {
        jitscope_error_destroy(error);
        return "out of memory";
    }
    find_unwinders(unwinders);
    uint8_t with = known_unwinders(unwinders);
    struct nongnu_table *table =
        with & UNWINDER_NONGNU ? executor_nongnu_table_create(section, address) : NULL;
    vec_put(&unwinders->registered, (struct registered_eh_frame){address, size, table, with});
    if (with & UNWINDER_LIBGCC)
        unwinders->gcc_register(section.data);
    if (with & UNWINDER_LLVM)
        executor_each_fde(section, unwinders->llvm_register);
    if (table)
        unwinders->nongnu_register(&table->info);
    executor_tell_linked_unwinders(unwinders, section, true);
    count_section(with, table, 1);
    return NULL;
}

/* Last first: that is the order in which memory goes. */
static struct registered_eh_frame *find_registered(struct unwinders *unwinders, uint64_t address,
                                                   uint64_t size) {
    for (uint32_t i = unwinders->registered.count; i-- > 0;) {
        struct registered_eh_frame *at = &unwinders->registered.data[i];
        if (at->address == address && at->size == size)
            return at;
    }
    return NULL;
}

/* What it cached of the frames that it met there would outlive them. */
static void forget_nongnu(const struct unwinders *unwinders, struct nongnu_table *table) {
    unwinders->nongnu_deregister(&table->info);
    unwinders->nongnu_flush(*unwinders->nongnu_space, 0, 0);
    executor_nongnu_table_destroy(table);
}

const char *executor_deregister_eh_frame(struct unwinders *unwinders, uint64_t address, uint64_t size) {
    struct bytes section = {(const uint8_t *)(uintptr_t)address, size};
    struct registered_eh_frame *found = find_registered(unwinders, address, size);
    if (!found)
        return "no section of this address and size is registered";
    count_section(found->with, found->table, -1);
    executor_tell_linked_unwinders(unwinders, section, false);
    if (found->table)
        forget_nongnu(unwinders, found->table);
    if (found->with & UNWINDER_LLVM)
        executor_each_fde(section, unwinders->llvm_deregister);
    if (found->with & UNWINDER_LIBGCC)
        unwinders->gcc_deregister(section.data);
    uint32_t after = (uint32_t)(unwinders->registered.data + unwinders->registered.count - (found + 1));
    memmove(found, found + 1, after * sizeof *found);
    unwinders->registered.count--;
    return NULL;
}

/* What is still registered keeps the libraries that know it. */
void executor_unwinders_destroy(struct unwinders *unwinders) {
    if (unwinders->libgcc && !unwinders->registered.count)
        os_library_close(unwinders->libgcc);
    if (unwinders->nongnu && !unwinders->registered.count)
        os_library_close(unwinders->nongnu);
    vec_destroy(&unwinders->registered);
    vec_destroy(&unwinders->linked);
    *unwinders = (struct unwinders){0};
}

uint32_t executor_unwinder_names(const struct unwinders *unwinders, const char **names) {
    uint8_t with = known_unwinders(unwinders);
    uint32_t count = 0;
    if (with & UNWINDER_LIBGCC)
        names[count++] = libgcc_name;
    if (with & UNWINDER_LLVM)
        names[count++] = llvm_name;
    if (with & UNWINDER_NONGNU)
        names[count++] = nongnu_name;
    return count;
}
