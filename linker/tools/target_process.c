#define _GNU_SOURCE
#include "target_process.h"

#include "base/bytes.h"
#include "base/os.h"
#include "base/text.h"

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

/* Mappings of one file follow each other. */
static struct jitscope_error *add_mapping(struct target_process *process, uint64_t start, uint64_t end,
                                          uint64_t offset, bool runs, const char *path) {
    struct target_module *last =
        process->modules.count ? &process->modules.data[process->modules.count - 1] : NULL;
    if (last && !strcmp(last->path, path)) {
        last->end = end;
        last->runs |= runs;
        return NULL;
    }
    char *copy = arena_copy(&process->arena, path, strlen(path));
    if (!copy)
        return error_no_memory();
    return vec_push(&process->modules, (struct target_module){copy, start, end, offset, runs});
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
                   &path) >= 4 &&
            path && line[path] == '/')
            TRY(add_mapping(process, start, end, offset, strchr(prot, 'x') != NULL, line + path));
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
    vec_destroy(&process->modules);
    arena_destroy(&process->arena);
    *process = (struct target_process){0};
}

const struct target_module *target_process_module_at(const struct target_process *process, uint64_t address) {
    for (uint32_t i = 0; i < process->modules.count; i++)
        if (address >= process->modules.data[i].start && address < process->modules.data[i].end)
            return &process->modules.data[i];
    return NULL;
}

/* --- symbols of a module's file (gABI chapter 4) */

static bool section_at(struct bytes file, const Elf64_Ehdr *header, uint32_t index, Elf64_Shdr *section) {
    uint64_t offset = header->e_shoff + (uint64_t)index * sizeof *section;
    if (index >= header->e_shnum || offset < header->e_shoff || !bytes_contain(file, offset, sizeof *section))
        return false;
    memcpy(section, file.data + offset, sizeof *section);
    return true;
}

static bool find_in_table(struct bytes file, const Elf64_Ehdr *header, const Elf64_Shdr *table,
                          const char *name, uint64_t *value) {
    Elf64_Shdr strings;
    struct bytes symbols = bytes_slice(file, table->sh_offset, table->sh_size);
    if (!symbols.data || !section_at(file, header, table->sh_link, &strings))
        return false;
    struct bytes names = bytes_slice(file, strings.sh_offset, strings.sh_size);
    for (uint64_t at = 0; symbols.size - at >= sizeof(Elf64_Sym); at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        size_t length;
        memcpy(&symbol, symbols.data + at, sizeof symbol);
        const char *text = symbol.st_shndx != SHN_UNDEF ? bytes_string(names, symbol.st_name, &length) : NULL;
        if (text && !strcmp(text, name)) {
            *value = symbol.st_value;
            return true;
        }
    }
    return false;
}

static bool find_in_file(struct bytes file, const char *name, uint64_t *value) {
    Elf64_Ehdr header;
    Elf64_Shdr section;
    if (!bytes_contain(file, 0, sizeof header))
        return false;
    memcpy(&header, file.data, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
        return false;
    for (uint32_t i = 0; section_at(file, &header, i, &section); i++)
        if ((section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM) &&
            find_in_table(file, &header, &section, name, value))
            return true;
    return false;
}

/* Virtual address of the file's byte OFFSET, by its program headers. */
static uint64_t linked_address(struct bytes file, uint64_t offset) {
    Elf64_Ehdr header;
    memcpy(&header, file.data, sizeof header);
    for (uint32_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        uint64_t at = header.e_phoff + (uint64_t)i * sizeof segment;
        if (at < header.e_phoff || !bytes_contain(file, at, sizeof segment))
            break;
        memcpy(&segment, file.data + at, sizeof segment);
        uint64_t start = segment.p_offset & ~(uint64_t)4095;
        if (segment.p_type == PT_LOAD && offset >= start && offset < segment.p_offset + segment.p_filesz)
            return segment.p_vaddr - segment.p_offset + offset;
    }
    return offset;
}

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

uint64_t target_process_symbol(const struct target_process *process, const char *name) {
    uint64_t value, address = 0;
    for (uint32_t i = 0; i < process->modules.count && !address; i++) {
        const struct target_module *module = &process->modules.data[i];
        if (!module->runs)
            continue; /* data, of which some, as devices, are better not opened */
        struct bytes file = map_module(process, module);
        if (!file.data)
            continue;
        if (find_in_file(file, name, &value))
            address = module->start - linked_address(file, module->offset) + value;
        os_unmap((void *)(uintptr_t)file.data, file.size);
    }
    return address;
}
