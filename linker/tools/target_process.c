#define _GNU_SOURCE
#include "target_process.h"

#include "base/bytes.h"
#include "base/os.h"
#include "base/text.h"
#include "module_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>

/* --- memory */

static bool read_memory(void *context, uint64_t address, void *to, uint64_t size) {
    const struct target_process *process = context;
    struct iovec local = {to, size}, remote = {(void *)(uintptr_t)address, size};
    return !size || process_vm_readv(process->living, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* --- modules */

static struct jitscope_error *read_whole(const char *path, struct text *out) {
    char buffer[8192];
    int fd = os_open(path, O_RDONLY, 0);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return error_with_help(error_system("cannot open", path), "it must be a process of your own");
    if (fd < 0)
        return error_system("cannot open", path);
    ssize_t got;
    while ((got = os_read(fd, buffer, sizeof buffer)) > 0)
        text_append_bytes(out, buffer, (size_t)got);
    os_close(fd);
    if (got < 0)
        return error_system("cannot read", path);
    return out->failed ? error_no_memory() : NULL;
}

/* Mappings of one module follow each other, as their places in the file do; the same file may lie there once
 * more, read as data. */
static struct jitscope_error *add_mapping(struct target_process *process, uint64_t start, uint64_t end,
                                          uint64_t offset, bool runs, const char *path) {
    struct target_module *last =
        process->modules.count ? &process->modules.data[process->modules.count - 1] : NULL;
    if (last && offset && offset >= last->last_offset && !strcmp(last->path, path)) {
        last->last_offset = offset;
        last->end = end;
        last->runs |= runs;
        return NULL;
    }
    char *copy = arena_copy(&process->arena, path, strlen(path));
    if (!copy)
        return error_no_memory();
    return vec_push(
        &process->modules,
        (struct target_module){
            .path = copy, .start = start, .end = end, .offset = offset, .last_offset = offset, .runs = runs});
}

static struct jitscope_error *parse_maps(struct target_process *process, char *line) {
    for (char *next; line && *line; line = next) {
        uint64_t start, end, offset;
        char prot[8];
        int path = 0;
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %n", &start, &end, prot, &offset,
                   &path) < 4 ||
            !path || line[path] != '/')
            continue;
        TRY(add_mapping(process, start, end, offset, strchr(prot, 'x') != NULL, line + path));
        if (!strcmp(prot, "rw-p"))
            TRY(vec_push(&process->data, (struct target_data){start, end}));
    }
    return NULL;
}

/* Also for a thread, by whose number everything can be asked that can be asked of its process. */
static struct jitscope_error *read_maps(struct target_process *process, pid_t number) {
    char path[48];
    struct text maps = {0};
    snprintf(path, sizeof path, "/proc/%d/maps", (int)number);
    struct jitscope_error *error = read_whole(path, &maps);
    if (!error && maps.data)
        error = parse_maps(process, maps.data);
    text_destroy(&maps);
    return error;
}

static void try_thread(void *context, const char *name) {
    struct target_process *process = context;
    pid_t number = (pid_t)strtol(name, NULL, 10);
    if (process->modules.count || number <= 0)
        return;
    jitscope_error_destroy(read_maps(process, number));
    process->living = number;
}

/* Whose first thread has ended before the others has no memory under its own number. */
static struct jitscope_error *read_process(struct target_process *process) {
    char folder[48];
    TRY(read_maps(process, process->pid));
    if (process->modules.count)
        return NULL;
    snprintf(folder, sizeof folder, "/proc/%d/task", (int)process->pid);
    os_each_entry(folder, try_thread, process);
    return NULL;
}

struct jitscope_error *target_process_open(pid_t pid, struct target_process *process) {
    *process = (struct target_process){.pid = pid, .living = pid, .memory = {read_memory, process}};
    struct jitscope_error *error = read_process(process);
    if (jitscope_error_code(error) == JITSCOPE_ERROR_NOT_FOUND) {
        jitscope_error_destroy(error);
        error = error_create(JITSCOPE_ERROR_NOT_FOUND, "there is no process %d", (int)pid);
    }
    if (error)
        target_process_close(process);
    return error;
}

void target_process_close(struct target_process *process) {
    for (uint32_t i = 0; i < process->modules.count; i++) {
        struct target_module *module = &process->modules.data[i];
        symbol_index_destroy(&module->functions);
        if (module->file.data)
            os_unmap((void *)(uintptr_t)module->file.data, module->file.size);
    }
    vec_destroy(&process->modules);
    vec_destroy(&process->data);
    arena_destroy(&process->arena);
    *process = (struct target_process){0};
}

static struct target_module *find_module(const struct target_process *process, uint64_t address) {
    for (uint32_t i = 0; i < process->modules.count; i++)
        if (address >= process->modules.data[i].start && address < process->modules.data[i].end)
            return &process->modules.data[i];
    return NULL;
}

const struct target_module *target_process_module_at(const struct target_process *process, uint64_t address) {
    return find_module(process, address);
}

/* --- symbols of modules */

static bool is_program(const struct target_process *process, const struct target_module *module) {
    char link[48], path[4096];
    snprintf(link, sizeof link, "/proc/%d/exe", (int)process->living);
    ssize_t length = os_read_link(link, path, sizeof path);
    return length > 0 && (size_t)length == strlen(module->path) &&
           !memcmp(path, module->path, (size_t)length);
}

/* The file as the process has it: through its own view of the file system, and also when the program was
 * built anew since. */
static struct bytes map_module(const struct target_process *process, const struct target_module *module) {
    struct text path = {0};
    uint64_t size;
    bool regular;
    void *memory = NULL;
    if (is_program(process, module))
        text_print(&path, "/proc/%d/exe", (int)process->living);
    else
        text_print(&path, "/proc/%d/root%s", (int)process->living, module->path);
    int fd = path.failed ? -1 : os_open(path.data, O_RDONLY, 0);
    text_destroy(&path);
    if (fd < 0)
        return (struct bytes){NULL, 0};
    if (!os_file_size(fd, &size, &regular) && regular && size)
        memory = os_map(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    os_close(fd);
    return memory ? (struct bytes){memory, size} : (struct bytes){NULL, 0};
}

static void open_module(const struct target_process *process, struct target_module *module) {
    module->asked = true;
    module->file = map_module(process, module);
    module->bias =
        module->start - (module->file.data ? module_file_address(module->file, module->offset) : 0);
}

struct wanted {
    const char *name;
    uint64_t value;
    bool found;
};

static bool compare(void *context, const Elf64_Sym *symbol, const char *name) {
    struct wanted *wanted = context;
    wanted->found = !strcmp(name, wanted->name);
    wanted->value = symbol->st_value;
    return !wanted->found;
}

uint64_t target_process_symbol(struct target_process *process, const char *name) {
    for (uint32_t i = 0; i < process->modules.count; i++) {
        struct target_module *module = &process->modules.data[i];
        struct wanted wanted = {.name = name};
        if (!module->runs)
            continue; /* data, of which some, as devices, are better not opened */
        if (!module->asked)
            open_module(process, module);
        module_file_each_symbol(module->file, compare, &wanted);
        if (wanted.found)
            return module->bias + wanted.value;
    }
    return 0;
}

struct indexing {
    struct target_module *module;
    struct jitscope_error *error;
};

static bool add_to_index(void *context, const Elf64_Sym *symbol, const char *name) {
    struct indexing *indexing = context;
    indexing->error = symbol_index_add(&indexing->module->functions, symbol, name, indexing->module->bias);
    return !indexing->error;
}

struct jitscope_error *target_process_function_at(struct target_process *process, uint64_t address,
                                                  const struct indexed_symbol **function) {
    struct target_module *module = find_module(process, address);
    *function = NULL;
    if (!module || !module->runs)
        return NULL;
    if (!module->asked)
        open_module(process, module);
    if (!module->indexed) {
        struct indexing indexing = {module, NULL};
        module->indexed = true;
        module_file_each_symbol(module->file, add_to_index, &indexing);
        symbol_index_sort(&module->functions);
        TRY(indexing.error);
    }
    *function = symbol_index_find(&module->functions, address, module->start);
    return NULL;
}
