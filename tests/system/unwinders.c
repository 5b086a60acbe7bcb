/* A program with sessions, and with unwinders that come and go, as its words say:
 *
 *     unwinders WORD...    session             another session, from now on the one that is meant
 *                          link:PATH,PATH...   links these
 *                          unload:N            unloads the Nth link
 *                          get:NAME            looks up a function in the latest link
 *                          walker:PATH         opens a library for nobody else, to walk with its collect()
 *                          jit-walker          collect() of the latest link
 *                          own-walker          this program's own
 *                          close               closes the library that was opened last
 *                          walk:NAME,NAME...   calls the first function, which calls the second, ...; the
 * last one's callee walks and tells which frames it met
 */
#include "jitscope/jitscope.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef OWN_UNWINDER
#include "inputs/unwinding/collect.c"
#endif

enum { MOST = 16, MOST_FRAMES = 64, FUNCTION_SIZE = 32 };

typedef int (*step_function)(const void *next);
typedef int (*collect_function)(void **addresses, int most);

static struct jitscope_session *sessions[MOST], *owners[MOST];
static struct jitscope_link *links[MOST];
static int session_count, link_count;
static struct {
    const char *name;
    uint64_t address;
} functions[MOST];
static int function_count;
static collect_function collector;
static void *library;
static void *addresses[MOST_FRAMES];
static int frames;

static void must(struct jitscope_error *error) {
    if (!error)
        return;
    dprintf(2, "unwinders: %s\n", jitscope_error_message(error));
    exit(1);
}

static void link_files(char *files) {
    struct jitscope_session *session = sessions[session_count - 1];
    for (char *file = strtok(files, ","); file; file = strtok(NULL, ","))
        must(jitscope_session_add_file(session, file));
    owners[link_count] = session;
    must(jitscope_session_link(session, &links[link_count++]));
}

static uint64_t look_up(const char *name) {
    uint64_t address;
    must(jitscope_link_lookup(owners[link_count - 1], links[link_count - 1], name, &address));
    return address;
}

static void get(const char *name) {
    int i = 0;
    while (i < function_count && strcmp(functions[i].name, name))
        i++;
    functions[i].name = name;
    functions[i].address = look_up(name);
    function_count += i == function_count;
}

static void open_walker(const char *path) {
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = library ? dlsym(library, "collect") : NULL;
    if (!symbol) {
        dprintf(2, "unwinders: %s\n", dlerror());
        exit(1);
    }
    memcpy(&collector, &symbol, sizeof collector);
}

static int take(const void *next) {
    (void)next;
    frames = collector(addresses, MOST_FRAMES);
    return 0;
}

static bool met(uint64_t start, uint64_t size) {
    for (int i = 0; i < frames; i++)
        if ((uint64_t)(uintptr_t)addresses[i] - start <= size)
            return true;
    return false;
}

__attribute__((noinline)) static void walk(char *names) {
    step_function steps[MOST + 1];
    uint64_t starts[MOST];
    const char *walked[MOST];
    int count = 0;
    void *here = __builtin_return_address(0);
    for (char *name = strtok(names, ","); name; name = strtok(NULL, ","))
        for (int i = 0; i < function_count; i++)
            if (!strcmp(functions[i].name, name)) {
                walked[count] = name;
                starts[count] = functions[i].address;
                memcpy(&steps[count++], &functions[i].address, sizeof steps[0]);
            }
    steps[count] = take;
    frames = 0;
    steps[0](steps + 1);
    for (int i = 0; i < count; i++)
        if (met(starts[i], FUNCTION_SIZE))
            printf("%s ", walked[i]);
    printf("%s\n", met((uint64_t)(uintptr_t)here, 0) ? "main" : "lost");
}

static void step(char *word, char *argument) {
    if (!strcmp(word, "session")) {
        struct jitscope_session_options options = {.size = sizeof options};
        must(jitscope_session_create(&options, &sessions[session_count++]));
    } else if (!strcmp(word, "jit-walker")) {
        uint64_t address = look_up("collect");
        memcpy(&collector, &address, sizeof collector);
#ifdef OWN_UNWINDER
    } else if (!strcmp(word, "own-walker")) {
        collector = collect;
#endif
    } else if (!strcmp(word, "close")) {
        dlclose(library);
    } else if (!strcmp(word, "link")) {
        link_files(argument);
    } else if (!strcmp(word, "unload")) {
        must(jitscope_session_unload(owners[atoi(argument) - 1], links[atoi(argument) - 1]));
    } else if (!strcmp(word, "get")) {
        get(argument);
    } else if (!strcmp(word, "walker")) {
        open_walker(argument);
    } else if (!strcmp(word, "walk")) {
        walk(argument);
    }
}

int main(int count, char **words) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < count; i++) {
        char *colon = strchr(words[i], ':');
        if (colon)
            *colon = '\0';
        step(words[i], colon ? colon + 1 : "");
    }
    while (session_count)
        jitscope_session_destroy(sessions[--session_count]);
    return 0;
}
