/* A JIT's day: functions are linked one after the other, or in batches, each looked up and called.
 *
 *     bench_debugged OBJECT COUNT WAY SIZE [wait]
 *
 * OBJECT is one_debugged.c, compiled; COUNT copies of it under names of their own are linked, SIZE at a time.
 * WAY is a policy (auto, eager, lazy, off) or
 *
 *   naive   nothing is left to the library: each copy of the object is registered as it is, with the address
 *           that its code got in its section headers, by the hook that gdb and lldb share; what JITs do
 *   tcc     libtcc compiles each function first, the library links it: with a policy, "tcc-auto"
 *   last    functions are looked up and called when all are linked: with a policy, "last-auto"
 *
 * Prints how long all links took ("link_ns") and the whole loop ("ns").  With `wait` it then waits for a
 * signal, to be attached to. */
#include <jitscope/jitscope.h>

#include <elf.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_LIBTCC
#include <fcntl.h>
#include <libtcc.h>
#endif

enum { DIGITS = 6, MOST_OBJECT = 1 << 16 };
static const char pattern[] = "function_000000";

struct object {
    uint8_t *data;
    size_t size;
};

static void give_up(const char *why) {
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static void check(struct jitscope_error *error) {
    if (error)
        give_up(jitscope_error_message(error));
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* --- objects */

static struct object read_object(const char *path) {
    struct object object = {malloc(MOST_OBJECT), 0};
    FILE *file = fopen(path, "rb");
    if (!file || !object.data)
        give_up("the object cannot be read");
    object.size = fread(object.data, 1, MOST_OBJECT, file);
    fclose(file);
    return object;
}

static void name_function(char name[sizeof pattern], int number) {
    snprintf(name, sizeof pattern, "function_%06u", (unsigned)number % 1000000u);
}

static struct object copy_object(struct object from, int number) {
    char name[sizeof pattern];
    struct object copy = {malloc(from.size), from.size};
    if (!copy.data)
        give_up("out of memory");
    memcpy(copy.data, from.data, from.size);
    name_function(name, number);
    for (size_t at = 0; at + sizeof pattern <= from.size; at++)
        if (!memcmp(from.data + at, pattern, sizeof pattern - 1))
            memcpy(copy.data + at, name, sizeof pattern - 1);
    return copy;
}

/* --- the naive way: gdb manual, "JIT Compilation Interface" */

struct jit_code_entry {
    struct jit_code_entry *next, *previous;
    const uint8_t *symfile;
    uint64_t size;
};
/* The library's own: a process has one. */
extern struct {
    uint32_t version, action;
    struct jit_code_entry *relevant, *first;
} __jit_debug_descriptor;
void __jit_debug_register_code(void);

/* Of one_debugged.c, .text is all that reaches memory; .eh_frame without the flag is read all the same. */
static void place_sections(struct object object, uint64_t text) {
    const Elf64_Ehdr *header = (const void *)object.data;
    Elf64_Shdr *sections = (void *)(object.data + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_flags & SHF_EXECINSTR)
            sections[i].sh_addr = text;
        else
            sections[i].sh_flags &= ~(Elf64_Xword)SHF_ALLOC;
    }
}

static void register_object(struct object object, uint64_t text) {
    struct jit_code_entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        give_up("out of memory");
    place_sections(object, text);
    *entry = (struct jit_code_entry){__jit_debug_descriptor.first, NULL, object.data, object.size};
    if (entry->next)
        entry->next->previous = entry;
    __jit_debug_descriptor.first = __jit_debug_descriptor.relevant = entry;
    __jit_debug_descriptor.action = 1; /* JIT_REGISTER_FN */
    __jit_debug_register_code();
}

/* --- a compiler in the process */

#ifdef HAVE_LIBTCC
static const char source[] = "struct pair { int first, second; };\n"
                             "int function_%06d(int x) {\n"
                             "    struct pair pair = {x, 2 * x};\n"
                             "    return pair.first + pair.second + 1;\n"
                             "}\n";

/* libtcc writes objects to files only. */
static struct object compile(int number) {
    char text[sizeof source + DIGITS], path[] = "/dev/shm/bench_debugged.XXXXXX";
    int fd = mkstemp(path);
    TCCState *state = tcc_new();
    if (fd < 0 || !state)
        give_up("libtcc does not start");
    snprintf(text, sizeof text, source, number);
    tcc_set_output_type(state, TCC_OUTPUT_OBJ);
    if (tcc_compile_string(state, text) < 0 || tcc_output_file(state, path) < 0)
        give_up("libtcc does not compile");
    tcc_delete(state);
    struct object object = read_object(path);
    unlink(path);
    close(fd);
    return object;
}
#else
static struct object compile(int number) {
    (void)number;
    give_up("built without libtcc");
    return (struct object){NULL, 0};
}
#endif

/* --- the loop */

struct run {
    struct jitscope_session *session;
    struct object object; /* the pattern */
    int count, size;      /* functions; of them in a batch */
    bool naive, compiles, last;
    long sum;
    uint64_t link_ns;
};

static void call_one(struct run *run, int number, struct object object) {
    char name[sizeof pattern];
    uint64_t address;
    name_function(name, number);
    check(jitscope_session_lookup(run->session, name, &address));
    if (run->naive)
        register_object(object, address);
    run->sum += ((int (*)(int))(uintptr_t)address)(number);
}

/* Instructions are counted in this function, and in run_functions(). */
__attribute__((noinline)) void link_functions(struct run *run, const struct object *objects, int count);
void link_functions(struct run *run, const struct object *objects, int count) {
    for (int i = 0; i < count; i++)
        check(jitscope_session_add_borrowed(run->session, "function", objects[i].data, objects[i].size));
    check(jitscope_session_link(run->session, NULL));
}

static void run_batch(struct run *run, int first, struct object *objects) {
    int count = run->count - first < run->size ? run->count - first : run->size;
    for (int i = 0; i < count; i++)
        objects[i] = run->compiles ? compile(first + i) : copy_object(run->object, first + i);
    uint64_t began = now();
    link_functions(run, objects, count);
    run->link_ns += now() - began;
    for (int i = 0; i < count; i++) {
        if (!run->last)
            call_one(run, first + i, objects[i]);
        if (!run->naive) /* debuggers read it in place */
            free(objects[i].data);
    }
}

/* How far it came, for a driver that ends it. */
static void tell_progress(int done) {
    if (done % 100)
        return;
    printf("done=%d\n", done);
    fflush(stdout);
}

__attribute__((noinline)) void run_functions(struct run *run);
void run_functions(struct run *run) {
    struct object *objects = calloc((size_t)run->size, sizeof *objects);
    if (!objects)
        give_up("out of memory");
    for (int first = 0; first < run->count; first += run->size) {
        run_batch(run, first, objects);
        if (run->naive)
            tell_progress(first + run->size);
    }
    for (int i = 0; i < run->count && run->last; i++)
        call_one(run, i, (struct object){NULL, 0});
    free(objects);
}

static enum jitscope_debug policy_of(const char *name) {
    static const char *const names[] = {"auto", "eager", "lazy", "off"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(name, names[i]))
            return (enum jitscope_debug)i;
    give_up("there is no such way");
    return JITSCOPE_DEBUG_OFF;
}

int main(int argc, char **argv) {
    if (argc < 5)
        give_up("usage: bench_debugged OBJECT COUNT WAY SIZE [wait]");
    /* Else glibc gives memory back after each compilation or never, as heap and luck have it: 40 us each. */
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    mallopt(M_MMAP_THRESHOLD, 1 << 25);
    struct run run = {.object = read_object(argv[1]), .count = atoi(argv[2]), .size = atoi(argv[4])};
    run.naive = !strcmp(argv[3], "naive");
    run.compiles = !strncmp(argv[3], "tcc-", 4);
    run.last = !strncmp(argv[3], "last-", 5);
    if (run.count < 1 || run.size < 1)
        give_up("COUNT and SIZE are positive");
    struct jitscope_session_options options = {.size = sizeof options, .level = JITSCOPE_LEVEL_OFF};
    options.debug = run.naive ? JITSCOPE_DEBUG_OFF
                              : policy_of(argv[3] + (run.compiles ? 4
                                                     : run.last   ? 5
                                                                  : 0));
    check(jitscope_session_create(&options, &run.session));
    uint64_t began = now();
    run_functions(&run);
    uint64_t ended = now();
    long n = run.count;
    if (run.sum != 3 * (n * (n - 1) / 2) + n)
        give_up("wrong sum");
    printf("ns=%llu link_ns=%llu\n", (unsigned long long)(ended - began), (unsigned long long)run.link_ns);
    fflush(stdout);
    if (argc > 5)
        pause();
    _exit(0); /* unloading is another matter */
}
