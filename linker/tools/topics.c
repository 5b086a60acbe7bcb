/* Sections of help that come from other rooms' tables. */
#include "help.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* --- the check language --- */

static const struct help_row check_rows[] = {
#define FORM(written, meaning)        {written, meaning},
#define FUNCTION(name, text, meaning) {text "(NAME)", meaning},
#include "check/check.def"
#undef FORM
#undef FUNCTION
};

static struct help_row check_row(size_t i) {
    return check_rows[i];
}

static const struct help_topic link_topics[] = {
    {"Check expressions",
     "A file for --check holds one expression a line, and comments from # on. Where lines contain "
     "jitscope-check:, only "
     "what follows that mark counts, so that checks can live in the comments of a source file. Values have "
     "64 bits "
     "and wrap around; addresses are unsigned. Each expression must be true, that is, not 0. For example: "
     "`*{8}got(puts) == puts`",
     sizeof check_rows / sizeof *check_rows, check_row}};

/* --- what show can show --- */

static const struct help_row view_rows[] = {
#define COLUMN(name, type)                                     " " name
#define VIEW(name, function, of, how, level, meaning, columns) {name, meaning ". Columns:" columns},
#include "mirror/views.def"
#undef VIEW
#undef COLUMN
};

static struct help_row view_row(size_t i) {
    return view_rows[i];
}

static const struct help_topic show_topics[] = {
    {"What to show",
     "Columns have these names in --json and in --filter too. `jitscope help events` explains the events.",
     sizeof view_rows / sizeof *view_rows, view_row}};

/* --- what export can make --- */

static const struct help_row format_rows[] = {
#define FORMAT(name, function, extension, kind, needs, meaning) {name, meaning},
#include "export/export_formats.def"
#undef FORMAT
};

static struct help_row format_row(size_t i) {
    return format_rows[i];
}

static const struct help_topic export_topics[] = {
    {"Formats", NULL, sizeof format_rows / sizeof *format_rows, format_row}};

/* --- what the inspector can do --- */

static const struct help_row screen_rows[] = {
#define SCREEN(NAME, name, key, kind, view, ENTER, header, meaning)                                          \
    {sizeof(key) > 1 ? name " (" key ")" : name, meaning},
#include "screens/screens.def"
#undef SCREEN
};

static const struct help_row key_rows[] = {
#define KEY(key, command) {key, command},
#include "model/keys.def"
#undef KEY
};

static const struct help_row inspector_rows[] = {
#define COMMAND(name, function, ARGUMENT, synopsis, meaning)                                                 \
    {sizeof(synopsis) > 1 ? name " " synopsis : name, meaning},
#include "model/commands.def"
#undef COMMAND
};

static struct help_row screen_row(size_t i) {
    return screen_rows[i];
}

/* All keys of one command are one row, where the first of them stands. */
static struct help_row key_row(size_t i) {
    static char keys[64];
    size_t used = 0;
    for (size_t j = 0; j < sizeof key_rows / sizeof *key_rows && used < sizeof keys; j++) {
        if (strcmp(key_rows[j].meaning, key_rows[i].meaning) != 0)
            continue;
        if (j < i)
            return (struct help_row){NULL, NULL};
        used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%s", used ? ", " : "", key_rows[j].term);
    }
    return (struct help_row){keys, key_rows[i].meaning};
}

static struct help_row inspector_row(size_t i) {
    return inspector_rows[i];
}

static const struct help_topic inspect_topics[] = {
    {"Screens", "In brackets the key that goes there; the name does so behind `:`.",
     sizeof screen_rows / sizeof *screen_rows, screen_row},
    {"Keys", "What each runs is explained below; the file jitscope/keys changes it.",
     sizeof key_rows / sizeof *key_rows, key_row},
    {"Commands", "They are typed behind `:`, where Tab completes, written in scripts, and bound to keys.",
     sizeof inspector_rows / sizeof *inspector_rows, inspector_row}};

const struct help_topic *help_topics(enum command_id command, size_t *count) {
    switch (command) {
    case COMMAND_run:
    case COMMAND_gdb:
    case COMMAND_link:
        *count = sizeof link_topics / sizeof *link_topics;
        return link_topics;
    case COMMAND_show:
        *count = sizeof show_topics / sizeof *show_topics;
        return show_topics;
    case COMMAND_inspect:
        *count = sizeof inspect_topics / sizeof *inspect_topics;
        return inspect_topics;
    case COMMAND_export:
        *count = sizeof export_topics / sizeof *export_topics;
        return export_topics;
    default:
        *count = 0;
        return NULL;
    }
}
