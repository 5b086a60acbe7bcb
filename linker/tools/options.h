/* options: what a command was asked for, expanded from commands.def and options.def. */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include "arguments.h"

#include "jitscope/event.h"
#include "jitscope/session.h"

enum command_id {
#define COMMAND(id, synopsis, summary, description, examples) COMMAND_##id,
#include "commands.def"
#undef COMMAND
    COMMAND_COUNT
};

struct command {
    const char *name;
    const char *synopsis;
    const char *summary;
    const char *description;
    const char *examples;
};

extern const struct command commands[COMMAND_COUNT];

/* Things that happen in the order of the command line. */
enum item_kind {
    ITEM_INPUT, /* or another operand: WHAT, FILE.jsr, COMMAND */
    ITEM_LIBRARY,
    ITEM_LIBRARY_PATH,
    ITEM_WHOLE_ARCHIVE,
    ITEM_NO_WHOLE_ARCHIVE,
    ITEM_AS_NEEDED,
    ITEM_NO_AS_NEEDED,
    ITEM_DEFINE,
    ITEM_ROOT,
    ITEM_CHECK,
};

struct item {
    enum item_kind kind;
    const char *text; /* the option's argument, or the operand */
    uint64_t address; /* of ITEM_DEFINE; text is the name alone then */
};

struct optional_number {
    uint64_t value;
    bool given;
};

struct options {
    VEC(struct item) items;
    struct arena arena;
    struct words words;     /* items borrow from it */
    uint32_t first_program; /* `run`, `gdb`: words from here on are the program's arguments */

    bool help, json, man, completion;
    bool no_default_libraries, gc_sections, lazy, export_dynamic, phony_externals, executable_stack;
    bool bound_at_once, no_undefined; /* asked for: what lazy links, and made-up addresses, do otherwise */
    bool stats, progress, unpack, show, inspectable, list, ascii, no_mouse, in_process, out_of_process;
    const char *entry, *record, *filter, *to, *output, *redact, *batch, *script, *size, *executor,
        *executor_command, *secret_file;
    struct optional_number base, at, colors, pid, session, secret_fd, executor_timeout;
    enum jitscope_level level; /* 0: not given */
    enum jitscope_debug debug;
};

enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_NUMBER,
    OPTION_LEVEL,
    OPTION_DEBUG,
    OPTION_KEYWORD,
    OPTION_ITEM,
    OPTION_NOTHING
};

struct option {
    const char *name;
    const char *argument; /* NULL: takes none */
    const char *help;
    char letter;
    uint32_t commands; /* bit per command_id */
    enum option_kind kind;
    uint32_t target; /* offset in struct options, or enum item_kind */
};

extern const struct option option_table[];
extern const size_t option_count;

static inline bool option_belongs(const struct option *option, enum command_id command) {
    return option->commands >> command & 1;
}

/* The command of that name, or COMMAND_COUNT. */
enum command_id command_find(const char *name);
/* Errors: USAGE, and those of words_create().  *options is to be destroyed in any case. */
struct jitscope_error *options_parse(enum command_id command, int count, char *const *arguments,
                                     struct options *options);
void options_destroy(struct options *options);

/* Among COUNT texts the one spelled nearest to WORD; NULL when none is near.  TEXT gives number I, or NULL.
 */
const char *nearest_word(const char *word, size_t count, const char *(*text)(const void *context, size_t i),
                         const void *context);
/* "12" or "0x1f", the whole string. */
bool parse_number(const char *text, uint64_t *value);

#endif
