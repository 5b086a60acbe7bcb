/* Inputs: files and memory become objects in the queue, or places to take definitions from.
 *
 * What an input is, its first bytes say: ELF (and its e_type), "!<arch>", or the text of an ld script. */
#include "session/session_state.h"

#include "object/ld_script.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

/* open/fstat/read/close of a small file cost less than a mapping and its page faults. */
enum { MAP_FROM = 64 << 10, FIRST_STREAM = 4095, LARGEST_STREAM = 256 << 20 };

/* Scripts that name each other end somewhere, in depth and in number. */
enum { SCRIPT_DEPTH = 16, MOST_SCRIPTS = 1000 };

/* --- bytes
 * ------------------------------------------------------------------------------------------------------- */

void session_release_bytes(struct bytes bytes, uint8_t ownership) {
    if (ownership == ON_HEAP)
        os_release((void *)(uintptr_t)bytes.data);
    else if (ownership == MAPPED)
        os_unmap((void *)(uintptr_t)bytes.data, bytes.size);
}

/* Pipes and the like have no size beforehand, and some devices no end; what has EXPECTED bytes, 0 when that
 * is not known, is over with them. */
static struct jitscope_error *read_stream(int fd, const char *path, uint64_t expected, uint8_t **out,
                                          uint64_t *size) {
    uint64_t capacity = (expected ? expected : FIRST_STREAM) + 1;
    uint8_t *data = os_allocate(capacity);
    *size = 0;
    while (data) {
        ssize_t got = os_read(fd, data + *size, capacity - *size);
        if (got < 0) {
            os_release(data);
            return error_system("read", path);
        }
        *size += (uint64_t)got;
        if (!got || *size == expected) {
            *out = data;
            return NULL;
        }
        if (*size < capacity)
            continue;
        if (*size > LARGEST_STREAM) {
            os_release(data);
            return error_in_input(error_with_help(error_create(JITSCOPE_ERROR_UNSUPPORTED,
                                                               "a pipe or device with more than 256 MiB"),
                                                  "give it as a file"),
                                  path);
        }
        capacity *= 2;
        uint8_t *grown = os_reallocate(data, capacity);
        if (!grown)
            os_release(data);
        data = grown;
    }
    return error_no_memory();
}

static struct jitscope_error *read_descriptor(int fd, const char *path, struct bytes *bytes,
                                              uint8_t *ownership) {
    uint64_t size;
    bool regular;
    if (os_file_size(fd, &size, &regular) < 0)
        return error_system("cannot read", path);
    if (regular && size >= MAP_FROM) {
        void *mapped = os_map(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (!mapped)
            return error_system("mmap", path);
        *bytes = (struct bytes){mapped, size};
        *ownership = MAPPED;
        return NULL;
    }
    uint8_t *data = NULL;
    TRY(read_stream(fd, path, regular ? size : 0, &data, &size));
    *bytes = (struct bytes){data, size};
    *ownership = ON_HEAP;
    return NULL;
}

struct jitscope_error *world_read_file(void *unused, const char *path, struct bytes *bytes,
                                       uint8_t *ownership) {
    (void)unused;
    int fd = os_open(path, O_RDONLY, 0);
    if (fd < 0)
        return error_system("cannot open", path);
    struct jitscope_error *error = read_descriptor(fd, path, bytes, ownership);
    os_close(fd);
    return error;
}

/* What was read, or why it could not be, as a recording keeps it. */
static void note_file(struct jitscope_session *session, const char *path, struct bytes bytes,
                      const struct jitscope_error *error) {
    struct trace *trace = &session->trace;
    if (!trace_keeps_answers(trace))
        return;
    trace_failure(trace, &session->names, error);
    uint32_t content = error ? NO_CONTENT : trace_content(trace, bytes);
    TRACE_ANSWER(trace, answer_file, .path = trace_text(trace, &session->names, path),
                 .outcome = outcome_of(error), .content = content);
}

struct jitscope_error *session_read_file(struct jitscope_session *session, const char *path,
                                         struct bytes *bytes, uint8_t *ownership) {
    struct jitscope_error *error = session->world.read_file(session->world.context, path, bytes, ownership);
    note_file(session, path, *bytes, error);
    return error;
}

/* --- input table
 * ------------------------------------------------------------------------------------------------- */

struct jitscope_error *session_new_input(struct jitscope_session *session, struct input input,
                                         uint32_t pulled_by, uint32_t *id) {
    if (session->next_input == NO_INPUT)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "more than 2^32 inputs in one session");
    input.number = *id = session->next_input;
    TRY(vec_push(&session->held_inputs, input));
    session->next_input++;
    TRACE(&session->trace, input, .input = *id, .kind = input.kind,
          .name = trace_name(&session->trace, input.name), .container = input.container,
          .size = input.bytes.size, .pulled_by = trace_name(&session->trace, pulled_by));
    return NULL;
}

/* Where the input of that number is, or would be. */
static uint32_t find_input(const struct jitscope_session *session, uint32_t number) {
    uint32_t low = 0, high = session->held_inputs.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (session->held_inputs.data[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those of the link at hand are the last ones, without gaps. */
struct input *session_input(const struct jitscope_session *session, uint32_t number) {
    uint32_t behind = session->next_input - number;
    if (behind <= session->held_inputs.count) {
        struct input *input = &session->held_inputs.data[session->held_inputs.count - behind];
        if (input->number == number)
            return input;
    }
    return &session->held_inputs.data[find_input(session, number)];
}

void session_forget_bytes(struct input *input) {
    session_release_bytes(input->bytes, input->ownership);
    input->bytes = (struct bytes){0};
    input->ownership = BORROWED;
    input->done = true;
}

/* A session's links may take inputs without end: of those that are done, nothing stays. */
void session_drop_done(struct jitscope_session *session) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < session->held_inputs.count; i++)
        if (!session->held_inputs.data[i].done)
            session->held_inputs.data[kept++] = session->held_inputs.data[i];
    session->held_inputs.count = kept;
}

/* Members live in their archive's bytes, but for thin archives; archives and libraries stay for later links.
 */
static void forget_members(struct jitscope_session *session, uint32_t first_input) {
    for (uint32_t i = find_input(session, first_input); i < session->held_inputs.count; i++)
        if (session->held_inputs.data[i].kind == INPUT_KIND_MEMBER)
            session_forget_bytes(&session->held_inputs.data[i]);
}

void session_drop_members(struct jitscope_session *session, uint32_t first_input) {
    forget_members(session, first_input);
    session_drop_done(session);
}

void session_keep_queue(struct jitscope_session *session, uint32_t first_input) {
    forget_members(session, first_input);
    session->queue.count = 0;
    session_drop_done(session);
}

void session_drop_queue(struct jitscope_session *session, uint32_t first_input) {
    for (uint32_t i = 0; i < session->queue.count; i++)
        session_forget_bytes(session_input(session, session->queue.data[i]));
    session_keep_queue(session, first_input);
}

/* --- kinds
 * ------------------------------------------------------------------------------------------------------- */

/* True for ET_DYN: what cannot be told here (truncated, foreign) is left to the object reader's better
 * messages. */
static bool is_shared(struct bytes bytes) {
    return bytes.size >= sizeof(Elf64_Ehdr) && !memcmp(bytes.data, ELFMAG, SELFMAG) &&
           bytes.data[EI_CLASS] == ELFCLASS64 && bytes.data[EI_DATA] == ELFDATA2LSB &&
           load_u16(bytes.data + offsetof(Elf64_Ehdr, e_type)) == ET_DYN;
}

static uint8_t kind_of(struct bytes bytes) {
    return archive_is(bytes)     ? INPUT_KIND_ARCHIVE
           : is_shared(bytes)    ? INPUT_KIND_SHARED
           : ld_script_is(bytes) ? INPUT_KIND_SCRIPT
                                 : INPUT_KIND_OBJECT;
}

bool session_is_library(struct bytes bytes) {
    return kind_of(bytes) == INPUT_KIND_SHARED;
}

/* --- ld scripts
 * -------------------------------------------------------------------------------------------------- */

static struct jitscope_error *add_path(struct jitscope_session *session, const char *path) {
    struct bytes bytes;
    uint8_t ownership;
    TRY(error_with_usual_help(session_read_file(session, path, &bytes, &ownership)));
    return session_add_bytes(session, bytes, ownership, path);
}

static bool is_not_found(struct jitscope_error *error) {
    return jitscope_error_code(error) == JITSCOPE_ERROR_NOT_FOUND;
}

/* ld looks beside the script first, then in the working directory, then in the search path. */
static struct jitscope_error *add_script_file(struct jitscope_session *session, const char *script,
                                              const char *file) {
    const char *slash = strrchr(script, '/');
    struct jitscope_error *error, *last;
    uint32_t name;
    if (file[0] == '/')
        return add_path(session, file);
    if (slash) {
        TRY(session_intern_format(session, &name, "%.*s/%s", (int)(slash - script), script, file));
        error = add_path(session, session_text(session, name));
        if (!is_not_found(error))
            return error;
        jitscope_error_destroy(error);
    }
    error = add_path(session, file);
    if (!is_not_found(error))
        return error;
    last = session_intern_format(session, &name, ":%s", file);
    if (!last)
        last = session_find_library(session, session_text(session, name));
    struct jitscope_error *told = is_not_found(last) ? error : last;
    jitscope_error_destroy(told == error ? last : error);
    return told;
}

static struct jitscope_error *add_script_item(struct jitscope_session *session, const char *script,
                                              const struct ld_script_item *item) {
    uint32_t name;
    if (item->is_symbol) {
        TRY(session_intern(session, item->text, &name));
        return vec_push(&session->roots, name);
    }
    if (item->is_directory) {
        TRY(session_intern(session, item->text, &name));
        return vec_push(&session->library_paths, name);
    }
    bool as_needed = session->as_needed;
    session->as_needed |= item->as_needed;
    struct jitscope_error *error = item->is_library ? session_find_library(session, item->text)
                                                    : add_script_file(session, script, item->text);
    session->as_needed = as_needed;
    return error;
}

static struct jitscope_error *named_by(const char *script, struct jitscope_error *error) {
    if (!is_not_found(error))
        return error;
    return error_with_help(
        error, "the ld script %s names it: install what belongs to the script, or leave it out", script);
}

static struct jitscope_error *add_script(struct jitscope_session *session, struct bytes bytes,
                                         const char *name) {
    session->scripts = session->script_depth ? session->scripts + 1 : 0;
    if (session->script_depth >= SCRIPT_DEPTH || session->scripts > MOST_SCRIPTS) {
        struct coordinates where = {.input = name, .offset = NO_OFFSET};
        return error_at(JITSCOPE_ERROR_FORMAT, &where, "ld scripts name each other without end");
    }
    struct ld_script script = {0};
    struct jitscope_error *error = error_in_input(ld_script_parse(bytes, &script), name);
    session->script_depth++;
    for (uint32_t i = 0; i < script.items.count && !error; i++)
        error = named_by(name, add_script_item(session, name, &script.items.data[i]));
    session->script_depth--;
    ld_script_destroy(&script);
    return error;
}

/* --- adding
 * ------------------------------------------------------------------------------------------------------ */

/* The input is in the table and owns its bytes. */
static struct jitscope_error *enqueue(struct jitscope_session *session, uint32_t id, const char *name) {
    struct input *input = session_input(session, id);
    switch (input->kind) {
    case INPUT_KIND_ARCHIVE:
        return session_add_archive(session, id, name);
    case INPUT_KIND_SHARED:
        return session_add_shared(session, id, name);
    default:
        return vec_push(&session->queue, id);
    }
}

static struct jitscope_error *add_bytes(struct jitscope_session *session, struct bytes bytes,
                                        uint8_t ownership, const char *name) {
    struct input input = {
        .bytes = bytes, .container = NO_INPUT, .kind = kind_of(bytes), .ownership = ownership};
    uint32_t id;
    struct jitscope_error *error = session_intern(session, name, &input.name);
    if (!error)
        error = session_new_input(session, input, NO_NAME, &id);
    if (error) {
        session_release_bytes(bytes, ownership);
        return error;
    }
    if (input.kind != INPUT_KIND_SCRIPT)
        return enqueue(session, id, session_text(session, input.name));
    error = add_script(session, bytes, session_text(session, input.name));
    session_forget_bytes(session_input(session, id));
    return error;
}

/* Objects of an archive or script that could not be taken whole do not wait for a link. */
static void take_back(struct jitscope_session *session, uint32_t queued, uint32_t roots, uint32_t paths) {
    for (uint32_t i = queued; i < session->queue.count; i++)
        session_forget_bytes(session_input(session, session->queue.data[i]));
    session->queue.count = queued;
    session->roots.count = roots;
    session->library_paths.count = paths;
}

struct jitscope_error *session_add_bytes(struct jitscope_session *session, struct bytes bytes,
                                         uint8_t ownership, const char *name) {
    uint32_t queued = session->queue.count, roots = session->roots.count,
             paths = session->library_paths.count;
    struct jitscope_error *error = add_bytes(session, bytes, ownership, name);
    if (error)
        take_back(session, queued, roots, paths);
    return error_with_usual_help(error);
}

/* What the file holds, or why it could not be read. */
static struct jitscope_error *take_file(struct jitscope_session *session, const char *path,
                                        struct bytes bytes, uint8_t ownership,
                                        struct jitscope_error *failure) {
    TRACE_ANSWER(&session->trace, call_add_file, .path = trace_text(&session->trace, &session->names, path));
    note_file(session, path, bytes, failure);
    return failure ? error_with_usual_help(failure) : session_add_bytes(session, bytes, ownership, path);
}

/* The file is read before the lock is taken: threads need not wait for each other's disks. */
struct jitscope_error *jitscope_session_add_file(struct jitscope_session *session, const char *path) {
    struct bytes bytes = {0};
    uint8_t ownership = BORROWED;
    struct jitscope_error *failure =
        session->world.read_file(session->world.context, path, &bytes, &ownership);
    struct jitscope_error *error = session_enter(session);
    if (error) {
        jitscope_error_destroy(failure);
        session_release_bytes(bytes, ownership);
        return error;
    }
    return session_leave(session, take_file(session, path, bytes, ownership, failure));
}

struct jitscope_error *session_take_file(struct jitscope_session *session, const char *path,
                                         struct bytes bytes, uint8_t ownership) {
    return take_file(session, path, bytes, ownership, NULL);
}

struct jitscope_error *session_take_memory(struct jitscope_session *session, const char *name,
                                           struct bytes bytes, uint8_t ownership) {
    struct trace *trace = &session->trace;
    if (trace_keeps_answers(trace)) {
        uint32_t content = trace_content(trace, bytes);
        TRACE_ANSWER(trace, call_add_memory, .name = trace_text(trace, &session->names, name),
                     .content = content);
    }
    return session_add_bytes(session, bytes, ownership, name);
}

struct jitscope_error *jitscope_session_add_borrowed(struct jitscope_session *session, const char *name,
                                                     const void *data, size_t size) {
    TRY(session_enter(session));
    return session_leave(session, session_take_memory(session, name, (struct bytes){data, size}, BORROWED));
}

struct jitscope_error *jitscope_session_add_memory(struct jitscope_session *session, const char *name,
                                                   const void *data, size_t size) {
    void *copy = os_allocate(size);
    if (!copy)
        return error_no_memory();
    if (size)
        memcpy(copy, data, size);
    struct jitscope_error *error = session_enter(session);
    if (error) {
        os_release(copy);
        return error;
    }
    return session_leave(session, session_take_memory(session, name, (struct bytes){copy, size}, ON_HEAP));
}
