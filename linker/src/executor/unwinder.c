#include "executor/unwinder.h"

#include "base/os.h"
#include "executor/executor_nongnu.h"
#include "executor/frame_groups.h"

#include <string.h>

#define EXTENDED_LENGTH 0xffffffffu

/* nongnu libunwind's names hold the machine's. */
#if defined(__x86_64__)
#define NONGNU_FLUSH_CACHE "_Ux86_64_flush_cache"
#define NONGNU_LOCAL_SPACE "_ULx86_64_local_addr_space"
#elif defined(__aarch64__)
#define NONGNU_FLUSH_CACHE "_Uaarch64_flush_cache"
#define NONGNU_LOCAL_SPACE "_ULaarch64_local_addr_space"
#endif

static const char *const names[UNWINDER_KINDS] = {"libgcc", "LLVM libunwind", "nongnu libunwind"};

/* --- sections */

/* Calls FUNCTION for each FDE; with NULL it only checks the records. */
static const char *each_fde(struct bytes section, void (*function)(uintptr_t)) {
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

const char *unwinder_check_section(struct bytes section) {
    return each_fde(section, NULL);
}

/* Every FDE's CIE is the last one before it. */
static bool is_in_order(struct bytes section) {
    uint64_t cie = 0;
    for (uint64_t at = 0; load_u32(section.data + at); at += 4 + (uint64_t)load_u32(section.data + at)) {
        uint32_t id = load_u32(section.data + at + 4);
        if (!id)
            cie = at;
        else if (at + 4 - id != cie)
            return false;
    }
    return true;
}

static void tell_llvm(struct bytes section, void (*by_section)(uintptr_t), void (*by_record)(uintptr_t)) {
    if (by_section && is_in_order(section))
        by_section((uintptr_t)section.data);
    else
        each_fde(section, by_record);
}

void unwinder_add(const struct unwinder *unwinder, struct bytes section, struct nongnu_table *table) {
    if (unwinder->groups)
        frame_groups_add(unwinder->groups, section);
    else if (unwinder->kind == UNWINDER_LIBGCC)
        unwinder->add.libgcc(section.data);
    else if (unwinder->kind == UNWINDER_NONGNU)
        unwinder->add.nongnu(&table->info);
    else
        tell_llvm(section, unwinder->add_section, unwinder->add.llvm);
}

/* What nongnu libunwind cached of the frames that it met there would outlive them. */
void unwinder_remove(const struct unwinder *unwinder, struct bytes section, struct nongnu_table *table) {
    if (unwinder->groups) {
        frame_groups_remove(unwinder->groups, section);
    } else if (unwinder->kind == UNWINDER_LIBGCC) {
        unwinder->remove.libgcc(section.data);
    } else if (unwinder->kind == UNWINDER_NONGNU) {
        unwinder->remove.nongnu(&table->info);
        unwinder->flush(*unwinder->space, 0, 0);
    } else {
        tell_llvm(section, unwinder->remove_section, unwinder->remove.llvm);
    }
}

/* Without memory for groups, each section is alone. */
void unwinder_settle(struct unwinder *unwinder) {
    bool wanted = unwinder->add_table && unwinder->remove_table;
    struct frame_groups *groups = wanted ? os_allocate_zeroed(sizeof *groups) : NULL;
    if (!groups)
        return;
    groups->add_table = unwinder->add_table;
    groups->add_section = unwinder->add.libgcc;
    groups->remove_section = unwinder->remove.libgcc;
    groups->remove_table = unwinder->remove_table;
    unwinder->groups = groups;
}

void unwinder_forget(struct unwinder *unwinder) {
    frame_groups_destroy(unwinder->groups);
    unwinder->groups = NULL;
}

/* --- who is there
 *
 * POSIX wants object and function pointers to be the same; ISO C has no cast between them. */

static bool find_function(void *library, const char *name, void *function) {
    void *symbol = os_library_own_symbol(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

/* Whole sections when it can be trusted with them. */
static void find_llvm_sections(void *library, struct unwinder *unwinder) {
    void (*add)(uintptr_t), (*remove)(uintptr_t);
    const void *(*find)(const void *, void *);
    if (find_function(library, "__unw_add_dynamic_eh_frame_section", &add) &&
        find_function(library, "__unw_remove_dynamic_eh_frame_section", &remove) &&
        find_function(library, "_Unwind_Find_FDE", &find) && unwinder_llvm_stops(add, remove, find)) {
        unwinder->add_section = add;
        unwinder->remove_section = remove;
    }
}

static bool find_llvm(void *library, struct unwinder *unwinder) {
    *unwinder = (struct unwinder){.kind = UNWINDER_LLVM, .name = names[UNWINDER_LLVM]};
    if (!find_function(library, "__unw_add_dynamic_fde", &unwinder->add.llvm) ||
        !find_function(library, "__unw_remove_dynamic_fde", &unwinder->remove.llvm))
        return false;
    find_llvm_sections(library, unwinder);
    return true;
}

/* Releases 13 and later, which keep a tree, have functions that those before have not. */
static bool keeps_list(void *library) {
#if defined(__x86_64__)
    return !os_library_symbol(library, "__truncdfbf2@GCC_13.0.0") &&
           !os_library_symbol(library, "__truncsfbf2@GCC_13.0.0");
#else
    (void)library;
    return false;
#endif
}

static bool find_libgcc(void *library, struct unwinder *unwinder) {
    *unwinder = (struct unwinder){.kind = UNWINDER_LIBGCC, .name = names[UNWINDER_LIBGCC]};
    if (!find_function(library, "__register_frame", &unwinder->add.libgcc) ||
        !find_function(library, "__deregister_frame", &unwinder->remove.libgcc))
        return false;
    if (keeps_list(library)) {
        find_function(library, "__register_frame_info_table", &unwinder->add_table);
        find_function(library, "__deregister_frame_info", &unwinder->remove_table);
    }
    return true;
}

static bool find_nongnu(void *library, struct unwinder *unwinder) {
    *unwinder = (struct unwinder){.kind = UNWINDER_NONGNU, .name = names[UNWINDER_NONGNU]};
    unwinder->space = os_library_own_symbol(library, NONGNU_LOCAL_SPACE);
    return unwinder->space && find_function(library, "_U_dyn_register", &unwinder->add.nongnu) &&
           find_function(library, "_U_dyn_cancel", &unwinder->remove.nongnu) &&
           find_function(library, NONGNU_FLUSH_CACHE, &unwinder->flush);
}

/* Half a pair is none. */
uint32_t unwinders_of_library(void *library, struct unwinder found[UNWINDERS_PER_LIBRARY]) {
    uint32_t count = 0;
    count += find_llvm(library, &found[count]) || find_libgcc(library, &found[count]);
    count += find_nongnu(library, &found[count]);
    return count;
}

/* Programs that have libgcc_eh.a in them give these names to nobody: only the static linker knows them. */
extern void __register_frame(const void *) __attribute__((weak));
extern void __deregister_frame(const void *) __attribute__((weak));
extern void __unw_add_dynamic_fde(uintptr_t) __attribute__((weak));
extern void __unw_remove_dynamic_fde(uintptr_t) __attribute__((weak));

static bool is_here(void *function_pointer) {
    void *address;
    memcpy(&address, function_pointer, sizeof address);
    return address && os_is_own_address(address);
}

bool unwinder_of_this_program(struct unwinder *unwinder) {
    void (*llvm)(uintptr_t) = __unw_add_dynamic_fde;
    void (*libgcc)(const void *) = __register_frame;
    if (is_here(&llvm)) {
        *unwinder = (struct unwinder){.kind = UNWINDER_LLVM, .name = names[UNWINDER_LLVM]};
        unwinder->add.llvm = llvm;
        unwinder->remove.llvm = __unw_remove_dynamic_fde;
        return true;
    }
    *unwinder = (struct unwinder){.kind = UNWINDER_LIBGCC, .name = names[UNWINDER_LIBGCC]};
    unwinder->add.libgcc = libgcc;
    unwinder->remove.libgcc = __deregister_frame;
    return is_here(&libgcc);
}

bool unwinder_of_batch(uint64_t kind, uint64_t add, uint64_t remove, struct unwinder *unwinder) {
    if (kind != UNWINDER_LIBGCC && kind != UNWINDER_LLVM)
        return false;
    *unwinder = (struct unwinder){.kind = (enum unwinder_kind)kind, .is_batch_s = true};
    unwinder->name = "JIT'd unwinders";
    unwinder->add.llvm = (void (*)(uintptr_t))(uintptr_t)add;
    unwinder->remove.llvm = (void (*)(uintptr_t))(uintptr_t)remove;
    return true;
}

bool unwinder_is_same(const struct unwinder *one, const struct unwinder *other) {
    return one->kind == other->kind && !memcmp(&one->add, &other->add, sizeof one->add);
}

bool unwinder_is_batch_s(const struct unwinder *unwinder, uint64_t add) {
    return unwinder->is_batch_s && (uintptr_t)unwinder->add.llvm == add;
}
