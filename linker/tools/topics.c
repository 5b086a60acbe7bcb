/* Sections of help that come from other rooms' tables. */
#include "help.h"

#include <stddef.h>

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

const struct help_topic *help_topics(enum command_id command, size_t *count) {
    bool links = command == COMMAND_run || command == COMMAND_gdb || command == COMMAND_link;
    *count = links || command == COMMAND_show || command == COMMAND_export;
    return links ? link_topics : command == COMMAND_show ? show_topics : export_topics;
}
