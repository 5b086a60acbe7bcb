/* jitscope's JIT debug info reader: names, lines and unwinding of JIT'd code in a gdb without the plug-in.
 *
 *     (gdb) jit-reader-load .../lib/jitscope/jitscope-reader.so
 *
 * gdb (manual, "Custom Debug Info") calls a reader at two occasions.
 *
 * read(): the JIT interface lists a file that gdb has not seen, at a registration, at attach, or when the
 * reader is loaded.  Under the policy lazy that is the beacon (executor/debug_beacon.h), once per process,
 * which leads to `jitscope_debuggee`; the names and lines of all unlisted images that are there become one
 * gdb object.  Files that are jitscope's but listed, and those of other JITs, are left to gdb, which makes
 * more of them: types, locals, breakpoints by name.
 *
 * unwind() and get_frame_id(): for each frame, before gdb's own unwinders.  The frames of unlisted images are
 * found through `jitscope_debuggee` each time, so that code is unwound from the moment on at which it is
 * linked.  Frames of listed images, of other code, and those whose rules are expressions are left to gdb's
 * unwinders.
 *
 * Limits.  gdb takes symbols within read() only, and reads each listed file once.  So code that comes after
 * the beacon was read is unwound, but has no name; names of code that is unloaded stay; and a gdb that was
 * attached before the reader was loaded has read the beacon itself, and found nothing.  Then these make gdb
 * read its list again:
 *
 *     (gdb) jit-reader-unload
 *     (gdb) jit-reader-load PATH
 *
 * (after the late `jit-reader-load`, which there must be first).  A reader cannot give types, arguments,
 * locals, inlined frames, or breakpoints by a function's name: gdb's interface has no words for them.  A
 * source file that is newer than the program itself gets gdb's warning that it is.  In the callers of JIT'd
 * frames only the general registers, flags and selectors have values.
 *
 * Everything that comes from the process is checked, but DWARF is read by libdwarf, which is less strict: a
 * process whose debug sections are damaged can still confuse it. */
#include "emit_symbols.h"
#include "executor/debug_beacon.h"
#include "gdb_memory.h"
#include "unwind.h"

/* Processes that one gdb debugs at a time, of different programs; the oldest is forgotten. */
enum { MOST_PROCESSES = 8 };

struct reader {
    struct gdb_reader_funcs functions;
    struct frame_index processes[MOST_PROCESSES];
    uint32_t count; /* ever */
};

#pragma GCC visibility push(default)
/* MIT is compatible with the GPL. */
GDB_DECLARE_GPL_COMPATIBLE_READER
#pragma GCC visibility pop

/* --- the beacon */

static bool read_local(void *context, uint64_t address, void *to, uint64_t size) {
    const struct bytes *file = context;
    if (!bytes_contain(*file, address, size))
        return false;
    memcpy(to, file->data + address, size);
    return true;
}

/* The address of the root, 0 when FILE is no beacon. */
static uint64_t find_root(struct bytes file) {
    struct debuggee_memory memory = {read_local, &file};
    struct debuggee_image image = {.size = file.size};
    struct debuggee_elf elf;
    struct bytes section;
    struct beacon_note note;
    if (debuggee_view_elf(&memory, &image, &elf) ||
        debuggee_view_section(&memory, &elf, BEACON_SECTION, &section))
        return 0;
    bool whole = section.size == sizeof note;
    if (whole)
        memcpy(&note, section.data, sizeof note);
    os_release((void *)(uintptr_t)section.data);
    bool is_ours = whole && note.header.n_type == BEACON_NOTE && note.header.n_descsz == sizeof note.root &&
                   strncmp(note.owner, BEACON_OWNER, sizeof note.owner) == 0;
    return is_ours ? note.root : 0;
}

/* What was known of a root is forgotten: the program may have been started again. */
static void remember_root(struct reader *reader, uint64_t root) {
    struct frame_index *at = NULL;
    for (uint32_t i = 0; i < MOST_PROCESSES; i++)
        if (reader->processes[i].root == root)
            at = &reader->processes[i];
    if (!at)
        at = &reader->processes[reader->count++ % MOST_PROCESSES];
    frame_index_destroy(at);
    *at = (struct frame_index){.root = root};
}

/* --- what gdb calls */

static void emit_images(struct gdb_symbol_callbacks *gdb, const struct debuggee_memory *memory,
                        const struct debuggee_image *images, uint32_t count) {
    struct gdb_object *object = gdb->object_open(gdb);
    for (uint32_t i = 0; i < count; i++)
        if (!(images[i].flags & IMAGE_LISTED))
            jitscope_error_destroy(emit_symbols(gdb, object, memory, &images[i]));
    gdb->object_close(gdb, object);
}

static enum gdb_status read_symbols(struct gdb_reader_funcs *self, struct gdb_symbol_callbacks *gdb,
                                    void *file, long size) {
    struct debuggee_memory memory = gdb_memory(&gdb->target_read);
    uint64_t address = find_root((struct bytes){file, size > 0 ? (uint64_t)size : 0});
    struct debuggee root;
    struct debuggee_image *images;
    uint32_t count;
    if (!address || debuggee_view_root(&memory, address, &root))
        return GDB_FAIL;
    remember_root(self->priv_data, address);
    if (debuggee_view_images(&memory, &root, &images, &count))
        return GDB_FAIL;
    emit_images(gdb, &memory, images, count);
    os_release(images);
    return GDB_SUCCESS;
}

static enum gdb_status unwind(struct gdb_reader_funcs *self, struct gdb_unwind_callbacks *gdb) {
    struct reader *reader = self->priv_data;
    for (uint32_t i = 0; i < MOST_PROCESSES; i++)
        if (reader->processes[i].root && unwind_frame(&reader->processes[i], gdb))
            return GDB_SUCCESS;
    return GDB_FAIL;
}

static struct gdb_frame_id get_frame_id(struct gdb_reader_funcs *self, struct gdb_unwind_callbacks *gdb) {
    struct reader *reader = self->priv_data;
    struct gdb_frame_id id = {0, 0};
    for (uint32_t i = 0; i < MOST_PROCESSES; i++)
        if (reader->processes[i].root && unwind_identify(&reader->processes[i], gdb, &id))
            break;
    return id;
}

static void destroy(struct gdb_reader_funcs *self) {
    struct reader *reader = self->priv_data;
    for (uint32_t i = 0; i < MOST_PROCESSES; i++)
        frame_index_destroy(&reader->processes[i]);
    os_release(reader);
}

#pragma GCC visibility push(default)
struct gdb_reader_funcs *gdb_init_reader(void) {
    struct reader *reader = os_allocate_zeroed(sizeof *reader);
    if (!reader)
        return NULL;
    reader->functions = (struct gdb_reader_funcs){.reader_version = GDB_READER_INTERFACE_VERSION,
                                                  .priv_data = reader,
                                                  .read = read_symbols,
                                                  .unwind = unwind,
                                                  .get_frame_id = get_frame_id,
                                                  .destroy = destroy};
    return &reader->functions;
}
#pragma GCC visibility pop
