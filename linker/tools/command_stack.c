/* jitscope stack: where the threads of a running process are, JIT'd frames included. */
#include "commands.h"
#include "partner.h"
#include "stack_walk.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { MOST_TRIES = 50, MOST_FRAMES = 100 /* of a stack that has perhaps overflown */ };

struct printer {
    pid_t only; /* this thread, below its signal's handler; 0: all */
    bool skips; /* until the frame of a signal */
    struct target_process *process;
    struct target_code *code;
    struct text out;
    uint32_t frame;
    bool json;
    bool first; /* of a list */
    struct jitscope_error *error;
};

static const char *file_name(const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

static void print_place(struct printer *printer, const char *name, uint64_t offset) {
    if (name && name[0])
        text_append_escaped(&printer->out, name, strlen(name));
    else
        text_append(&printer->out, "??");
    if (name && name[0] && offset)
        text_print(&printer->out, "+0x%" PRIx64, offset);
}

static void print_text(struct printer *printer, const struct stack_frame *frame,
                       const struct target_function *function, const struct target_module *module) {
    struct text *out = &printer->out;
    text_print(out, "#%-3u 0x%016" PRIx64 "  ", printer->frame, frame->address);
    if (frame->signal)
        text_append(out, "<signal handler called>");
    else
        print_place(printer, function->name, frame->address - function->start);
    if (frame->jit)
        text_append(out, "  [jit]");
    if (function->file)
        text_print(out, "  %s:%u", file_name(function->file), function->line);
    if (module && (function->name || frame->signal))
        text_print(out, "  (%s)", file_name(module->path));
    else if (module)
        text_print(out, "  (%s+0x%" PRIx64 ")", file_name(module->path), frame->address - module->start);
    text_append(out, "\n");
}

static void print_string(struct printer *printer, const char *key, const char *value) {
    text_print(&printer->out, ", \"%s\": ", key);
    if (!value || !value[0]) {
        text_append(&printer->out, "null");
        return;
    }
    text_append(&printer->out, "\"");
    text_append_json(&printer->out, value, strlen(value));
    text_append(&printer->out, "\"");
}

static void print_json(struct printer *printer, const struct stack_frame *frame,
                       const struct target_function *function, const struct target_module *module) {
    struct text *out = &printer->out;
    text_print(out, "%s\n    {\"address\": \"0x%" PRIx64 "\", \"jit\": %s, \"signal\": %s",
               printer->first ? "" : ",", frame->address, frame->jit ? "true" : "false",
               frame->signal ? "true" : "false");
    print_string(printer, "function", function->name);
    text_print(out, ", \"offset\": %" PRIu64, function->name ? frame->address - function->start : 0);
    print_string(printer, "file", function->file);
    text_print(out, ", \"line\": %u", function->line);
    print_string(printer, "module", module ? module->path : NULL);
    text_print(out, ", \"module_offset\": %" PRIu64 "}", module ? frame->address - module->start : 0);
    printer->first = false;
}

static void find_in_module(struct printer *printer, uint64_t address, struct target_function *function) {
    const struct indexed_symbol *symbol;
    printer->error = target_process_function_at(printer->process, address, &symbol);
    if (!printer->error && symbol)
        *function = (struct target_function){.start = symbol->start, .name = symbol->name};
}

static bool print_frame(void *context, const struct stack_frame *frame) {
    struct printer *printer = context;
    if (printer->skips) {
        printer->skips = !frame->signal;
        return true;
    }
    struct target_function function = {0};
    const struct target_module *module =
        frame->jit ? NULL : target_process_module_at(printer->process, frame->inside);
    if (frame->jit)
        target_code_function_at(printer->code, frame->inside, &function);
    else if (!frame->signal)
        find_in_module(printer, frame->inside, &function);
    (printer->json ? print_json : print_text)(printer, frame, &function, module);
    printer->frame++;
    if (printer->only && printer->frame == MOST_FRAMES) {
        text_append(&printer->out, "#... and more\n");
        return false;
    }
    return !printer->error && !printer->out.failed;
}

static void begin_thread(struct printer *printer, const struct target_thread *thread, bool first) {
    struct text *out = &printer->out;
    if (printer->json)
        text_print(out, "%s\n  {\"thread\": %d, \"stopped\": %s, \"frames\": [", first ? "" : ",",
                   (int)thread->number, thread->stopped ? "true" : "false");
    else
        text_print(out, "%sthread %d%s\n", first ? "" : "\n", (int)thread->number,
                   thread->stopped ? "" : ": does not stop, it waits in the kernel");
}

static struct jitscope_error *print_threads(struct printer *printer, struct stack_walker *walker) {
    struct target_code *code = printer->code->absent ? NULL : printer->code;
    if (printer->json)
        text_append(&printer->out, "[");
    for (size_t i = 0; i < stack_walker_count(walker); i++) {
        printer->skips = printer->only != 0;
        if (printer->only && stack_walker_thread(walker, i)->number != printer->only)
            continue;
        if (!printer->only)
            begin_thread(printer, stack_walker_thread(walker, i), i == 0);
        printer->frame = 0;
        printer->first = true;
        TRY(stack_walker_walk(walker, i, code, print_frame, printer));
        TRY(printer->error);
        if (printer->json)
            text_append(&printer->out, "]}");
    }
    if (printer->json)
        text_append(&printer->out, "]\n");
    return NULL;
}

static void warn(const struct target_process *process, const struct target_code *code) {
    if (code->absent)
        fprintf(stderr, "jitscope: process %d: no JIT'd code to be seen: %s\n", (int)process->pid,
                code->absent);
    else if (code->changing)
        fprintf(stderr,
                "jitscope: process %d: stands in the middle of a link: JIT'd frames may have no name\n",
                (int)process->pid);
}

/* *again: the process has to run a little, so that its lists become whole. */
static struct jitscope_error *try_process(struct printer *printer, bool last, bool *again) {
    struct stack_walker *walker;
    struct target_code code;
    TRY(stack_walker_create(printer->process, &walker));
    struct jitscope_error *error = target_code_open(printer->process, &code);
    printer->code = &code;
    *again = !error && code.changing && !last;
    if (!error && !*again) {
        error = print_threads(printer, walker);
        warn(printer->process, &code);
    }
    target_code_close(&code);
    stack_walker_destroy(walker);
    return error;
}

static struct jitscope_error *print_process(pid_t pid, pid_t only, bool json, FILE *file) {
    struct target_process process;
    struct printer printer = {.process = &process, .only = only, .json = json};
    struct jitscope_error *error = NULL;
    TRY(target_process_open(pid, &process));
    bool again = true;
    for (int i = 1; again && !error; i++) {
        error = try_process(&printer, i == MOST_TRIES, &again);
        if (again)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    if (!error && printer.out.failed)
        error = error_no_memory();
    if (!error && printer.out.data)
        fputs(printer.out.data, file);
    text_destroy(&printer.out);
    target_process_close(&process);
    return error;
}

struct jitscope_error *print_crashed_stack(int process, int thread) {
    return print_process(process, thread, false, stderr);
}

struct jitscope_error *command_stack(const struct options *options) {
    uint64_t pid;
    if (options->items.count != 1 || !parse_number(options->items.data[0].text, &pid) || !pid ||
        pid > INT32_MAX)
        return error_with_help(
            error_create(JITSCOPE_ERROR_USAGE, "`jitscope stack` takes the number of one process"),
            "jitscope stack 1234");
    pid_t program;
    TRY(partner_of_linker((pid_t)pid, &program));
    if (program)
        fprintf(stderr, "jitscope: process %d links; this is its program, process %d\n", (int)pid,
                (int)program);
    return print_process(program ? program : (pid_t)pid, 0, options->json, stdout);
}
