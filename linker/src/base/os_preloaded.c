#define _GNU_SOURCE
/* Which libraries were put before all others when this process was started: by LD_PRELOAD, /etc/ld.so.preload
 * or the loader's --preload (ld.so(8)).
 *
 * The environment does not say it: those libraries may have taken the variable out for children's sake.  The
 * loader's list does: the program, the kernel's vdso, what was preloaded, then what the program needs
 * (DT_NEEDED) and what those need in turn.  So what lies before the last unbroken run of what the program
 * itself needs was preloaded.  A library that is both can belong to that run; then it stands where it would
 * anyway.
 *
 * Its file is told by the mappings: the name in the list may be relative to a folder that was left.  Where
 * nobody tells of mappings (/proc is not there), a name that is not relative will do. */
#include "base/os.h"
#include "base/os_failures.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

enum { MOST_NEEDED = 256, FIRST_MAPS = 64 << 10, MOST_MAPS = 16 << 20 };

struct needed {
    const struct link_map *maps[MOST_NEEDED];
    size_t count;
};

/* Each once, as the loader has them. */
static void add_needed(struct needed *needed, const char *name) {
    void *library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    const struct link_map *map = os_link_map(library);
    bool known = !map || needed->count == MOST_NEEDED;
    for (size_t i = 0; i < needed->count && !known; i++)
        known = needed->maps[i] == map;
    if (!known)
        needed->maps[needed->count++] = map;
    if (library)
        dlclose(library); /* as often as it was opened: it stays, the program needs it */
}

static void find_needed(const struct link_map *program, struct needed *needed) {
    const char *texts = NULL;
    for (const ElfW(Dyn) *entry = program->l_ld; entry && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_STRTAB)
            texts = (const char *)entry->d_un.d_ptr; /* glibc has made it an address */
    for (const ElfW(Dyn) *entry = program->l_ld; texts && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_NEEDED)
            add_needed(needed, texts + entry->d_un.d_val);
}

static bool is_needed(const struct needed *needed, const struct link_map *map) {
    for (size_t i = 0; i < needed->count; i++)
        if (needed->maps[i] == map)
            return true;
    return false;
}

/* The first that was not preloaded; what comes behind the last that is needed may be on its way out, and is
 * not looked at. */
static const struct link_map *first_of_program(const struct link_map *program) {
    struct needed needed = {.count = 0};
    const struct link_map *first = NULL;
    size_t seen = 0;
    find_needed(program, &needed);
    for (const struct link_map *map = program->l_next; map && seen < needed.count; map = map->l_next) {
        bool of_program = is_needed(&needed, map);
        seen += of_program;
        first = !of_program ? NULL : first ? first : map;
    }
    return first;
}

/* What the process's mappings are, in a text to be released; NULL with errno. */
static char *read_maps(void) {
    for (size_t size = FIRST_MAPS; size <= MOST_MAPS; size *= 4) {
        char *text = os_allocate(size);
        errno = text ? errno : ENOMEM;
        ssize_t length = text ? os_read_about(os_process_id(), "maps", text, size) : -1;
        if (length >= 0 && (size_t)length < size - 1)
            return text;
        os_release(text);
        if (length < 0)
            return NULL;
    }
    errno = EFBIG;
    return NULL;
}

/* The file that is mapped at ADDRESS, by proc(5); MAPS is cut up.  NULL: none. */
static const char *file_at(char *maps, uintptr_t address) {
    char *rest = maps;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        char *end;
        uintptr_t from = strtoull(line, &end, 16), to = *end == '-' ? strtoull(end + 1, NULL, 16) : 0;
        if (address >= from && address < to)
            return strchr(line, '/');
    }
    return NULL;
}

static int tell(const struct link_map *map, void (*function)(void *context, const char *path),
                void *context) {
    char *maps = read_maps();
    if (!maps && (errno == ENOMEM || map->l_name[0] != '/'))
        return -1;
    const char *path = maps ? file_at(maps, (uintptr_t)map->l_ld) : NULL;
    function(context, path ? path : map->l_name);
    os_release(maps);
    return 0;
}

/* What the program needs it has in the loader's order, which its list tells. */
bool os_library_is_needed_before(const struct link_map *first, const struct link_map *second) {
    void *program = dlopen(NULL, RTLD_LAZY);
    struct needed needed = {.count = 0};
    bool is_before = false;
    if (program)
        find_needed(os_link_map(program), &needed);
    if (is_needed(&needed, first) && is_needed(&needed, second))
        for (const struct link_map *map = first->l_next; map && !is_before; map = map->l_next)
            is_before = map == second;
    if (program)
        dlclose(program);
    return is_before;
}

int os_each_preloaded(void (*function)(void *context, const char *path), void *context) {
    void *program = must_fail(ENOMEM) ? NULL : dlopen(NULL, RTLD_LAZY);
    const struct link_map *map = os_link_map(program), *first = map ? first_of_program(map) : NULL;
    int result = program ? 0 : -1;
    for (map = first ? map->l_next : NULL; map && map != first && !result; map = map->l_next)
        if (map->l_addr != getauxval(AT_SYSINFO_EHDR))
            result = tell(map, function, context);
    if (program)
        dlclose(program);
    return result;
}
