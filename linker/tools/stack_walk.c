/* nongnu libunwind walks other processes through "accessors" (libunwind's manual, unw_create_addr_space).
 * Those of libunwind-ptrace know the frames of files only; they are used here with find_proc_info replaced:
 * for JIT'd code the answer comes from the batch's own .eh_frame, in the process, and from a sorted table of
 * its records, made here. libunwind reads that table as if it were in the process, at addresses that no
 * process has. */
#include "stack_walk.h"

#include "base/os.h"
#include "executor/executor_nongnu.h"
#include "libunwind_functions.h"

/* Where tables seem to lie: not canonical, so that nothing of the process is there. */
#define TABLE_BASE ((uint64_t)1 << 62)

enum { MOST_FRAMES = 1 << 20, PAGE = 4096, PAGES = 32 };

/* libunwind reads word by word, and the same records for each frame of a recursion. */
struct page {
    bool read;
    uint64_t address;
    uint8_t bytes[PAGE];
};

struct stack_walker {
    const struct target_process *process;
    struct libunwind libunwind;
    struct target_threads threads;
    bool holds; /* THREADS are stopped */
    struct page pages[PAGES];
};

/* --- the walker */

struct jitscope_error *stack_walker_create(const struct target_process *process, struct stack_walker **out) {
    struct stack_walker *walker = os_allocate_zeroed(sizeof *walker);
    if (!walker)
        return error_no_memory();
    walker->process = process;
    struct jitscope_error *error = libunwind_open(&walker->libunwind);
    if (!error) {
        error = target_threads_stop(process->pid, &walker->threads);
        walker->holds = !error;
    }
    if (error)
        stack_walker_destroy(walker);
    else
        *out = walker;
    return error;
}

void stack_walker_destroy(struct stack_walker *walker) {
    if (walker->holds)
        target_threads_release(&walker->threads);
    libunwind_close(&walker->libunwind);
    os_release(walker);
}

size_t stack_walker_count(const struct stack_walker *walker) {
    return walker->threads.list.count;
}

const struct target_thread *stack_walker_thread(const struct stack_walker *walker, size_t index) {
    return &walker->threads.list.data[index];
}

/* --- accessors
 *
 * libunwind-ptrace's own functions take what _UPT_create() made, and call back with it: what else is needed
 * to answer is the walk that goes on, of which there is one at a time. */

static struct walk {
    const struct libunwind *libunwind;
    const struct target_process *process;
    struct target_code *code;
    const struct nongnu_table *table; /* seems to lie at TABLE_BASE */
    struct page *pages;               /* PAGES of them */
} current;

static int read_table(uint64_t offset, unw_word_t *value) {
    uint64_t size = current.table ? current.table->info.table_length * sizeof(struct nongnu_entry) : 0;
    if (!current.table || offset > size || size - offset < sizeof *value)
        return -UNW_EINVAL;
    memcpy(value, (const uint8_t *)current.table->entries + offset, sizeof *value);
    return 0;
}

static bool read_word(uint64_t address, unw_word_t *value) {
    const struct debuggee_memory *memory = &current.process->memory;
    uint64_t start = address & ~(uint64_t)(PAGE - 1);
    struct page *page = &current.pages[start / PAGE % PAGES];
    if (address - start > PAGE - sizeof *value)
        return memory->read(memory->context, address, value, sizeof *value);
    if (!page->read || page->address != start) {
        page->read = memory->read(memory->context, start, page->bytes, PAGE);
        page->address = start;
    }
    if (page->read)
        memcpy(value, page->bytes + (address - start), sizeof *value);
    return page->read;
}

static int access_mem(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write, void *upt) {
    if (address >= TABLE_BASE && address < 2 * TABLE_BASE)
        return write ? -UNW_EINVAL : read_table(address - TABLE_BASE, value);
    if (!write && read_word(address, value))
        return 0;
    return current.libunwind->ptrace_access_mem(space, address, value, write, upt);
}

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info, int need, void *upt) {
    struct target_range *range = current.code ? target_code_range_at(current.code, ip) : NULL;
    current.table = range ? target_code_unwind_table(current.code, range) : NULL;
    if (!current.table)
        return current.libunwind->ptrace_find_proc_info(space, ip, info, need, upt);
    unw_dyn_info_t batch = {
        .start_ip = range->start, .end_ip = range->end, .format = UNW_INFO_FORMAT_REMOTE_TABLE};
    batch.u.rti.segbase = range->eh_frame;
    batch.u.rti.table_data = TABLE_BASE;
    batch.u.rti.table_len =
        current.table->info.table_length * sizeof(struct nongnu_entry) / sizeof(unw_word_t);
    return current.libunwind->search_unwind_table(space, ip, &batch, info, need, upt);
}

/* --- walking */

static struct stack_frame describe(uint64_t address, bool interrupted) {
    struct stack_frame frame = {.address = address, .inside = interrupted ? address : address - 1};
    frame.jit = current.code && target_code_range_at(current.code, frame.inside);
    return frame;
}

/* To the caller.  Only there does libunwind say that it came through a signal's frame. */
static bool step(unw_cursor_t *cursor, struct stack_frame *frame) {
    bool more = current.libunwind->step(cursor) > 0;
    frame->signal = more && current.libunwind->is_signal_frame(cursor) > 0;
    return more;
}

static void walk_frames(unw_cursor_t *cursor, stack_frame_function function, void *context) {
    bool interrupted = true;
    for (int i = 0; i < MOST_FRAMES && !target_threads_hurry(); i++) {
        unw_word_t address;
        if (current.libunwind->get_reg(cursor, UNW_REG_IP, &address) < 0 || !address)
            return;
        struct stack_frame frame = describe(address, interrupted);
        bool more = step(cursor, &frame);
        interrupted = frame.signal;
        if (!function(context, &frame) || !more)
            return;
    }
}

struct jitscope_error *stack_walker_walk(struct stack_walker *walker, size_t index, struct target_code *code,
                                         stack_frame_function function, void *context) {
    const struct libunwind *libunwind = &walker->libunwind;
    const struct target_thread *thread = stack_walker_thread(walker, index);
    if (!thread->stopped)
        return NULL;
    unw_accessors_t accessors = *libunwind->ptrace_accessors;
    accessors.access_mem = access_mem;
    accessors.find_proc_info = find_proc_info;
    current = (struct walk){libunwind, walker->process, code, NULL, walker->pages};
    unw_addr_space_t space = libunwind->create_addr_space(&accessors, 0);
    void *upt = libunwind->ptrace_create(thread->number);
    unw_cursor_t cursor;
    if (space && upt && libunwind->init_remote(&cursor, space, upt) == 0)
        walk_frames(&cursor, function, context);
    if (upt)
        libunwind->ptrace_destroy(upt);
    if (space)
        libunwind->destroy_addr_space(space);
    current = (struct walk){0};
    return space && upt ? NULL : error_no_memory();
}
