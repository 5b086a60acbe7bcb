/* help: what commands.def and options.def say, as help text, manual pages and completion rules. */
#ifndef TOOLS_HELP_H
#define TOOLS_HELP_H

#include "options.h"

#include "base/text.h"

/* COMMAND_COUNT stands for jitscope as a whole.  Text is appended to OUT. */
void help_print(struct text *out, enum command_id command);
void man_print(struct text *out, enum command_id command);
void completion_print(struct text *out);
/* The reference page of events, as Markdown.  Errors: NO_MEMORY. */
struct jitscope_error *events_page_print(struct text *out);

/* A section of help that comes from another room's table: rows of a term and what it means, valid until the
 * next is asked for; those without a term are passed over. */
struct help_topic {
    const char *title;
    const char *text;
    size_t count;
    struct help_row {
        const char *term;
        const char *meaning;
    } (*row)(size_t i);
};

/* The topics of COMMAND; *count of them. */
const struct help_topic *help_topics(enum command_id command, size_t *count);

#define SPELLING_NOTE                                                                                        \
    "Long options may be written with one dash too, as linkers have them, unless they begin with l."

/* "-l, --library NAME" */
void help_spell_option(struct text *out, const struct option *option);

#endif
