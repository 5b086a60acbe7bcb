/* Manual pages in roff's man macros (groff_man(7)).
 *
 * Peculiar about roff: a line that begins with a dot or a quote is a request, a backslash starts an escape,
 * and a bare hyphen may be typeset as a dash that cannot be pasted into a shell. */
#include "help.h"

#include <string.h>

/* Literal text with `commands` in bold. */
static void prose(struct text *out, const char *text) {
    bool bold = false;
    for (; *text; text++) {
        if (*text == '`') {
            bold = !bold;
            text_append(out, bold ? "\\fB" : "\\fR");
        } else if (*text == '\\' || *text == '-') {
            text_append(out, *text == '-' ? "\\-" : "\\e");
        } else if (text[0] == '\n' && text[1] == '\n') {
            text_append(out, "\n.PP\n");
            text++;
        } else {
            if ((*text == '.' || *text == '\'') && (!out->length || out->data[out->length - 1] == '\n'))
                text_append(out, "\\&");
            text_append_bytes(out, text, 1);
        }
    }
}

static void section(struct text *out, const char *title) {
    text_append(out, "\n.SH ");
    for (; *title; title++)
        text_print(out, "%c", *title >= 'a' && *title <= 'z' ? *title - 'a' + 'A' : *title);
    text_append(out, "\n");
}

static void entry(struct text *out, const char *term, const char *meaning) {
    text_append(out, "\n.TP\n.B \"");
    for (; *term; term++) {
        if (*term == '"')
            text_append(out, "\\(dq");
        else if (*term == '\\' || *term == '-')
            text_append(out, *term == '-' ? "\\-" : "\\e");
        else
            text_append_bytes(out, term, 1);
    }
    text_append(out, "\"\n");
    prose(out, meaning);
}

static void heading(struct text *out, const char *page, const char *summary) {
    text_print(out, ".TH %s 1 \"\" \"jitscope %s\" \"jitscope manual\"\n.SH NAME\n", page, JITSCOPE_VERSION);
    prose(out, page);
    text_append(out, " \\- ");
    prose(out, summary);
    section(out, "synopsis");
}

static void exit_status(struct text *out) {
    section(out, "exit status");
    prose(out,
          "0 done; 1 the thing asked for failed; 2 wrong usage. `jitscope run` returns the program's own "
          "status.");
}

static void see_also(struct text *out, enum command_id besides) {
    section(out, "see also");
    if (besides != COMMAND_COUNT)
        text_append(out, ".BR jitscope (1)");
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        if (id != besides)
            text_print(out, "%s\n.BR jitscope\\-%s (1)", out->data[out->length - 1] == ')' ? "," : "",
                       commands[id].name);
    text_append(out, "\n");
}

static void man_overview(struct text *out) {
    heading(out, "jitscope", "a JIT linker you can see through");
    prose(out, "`jitscope` COMMAND [OPTION]... [ARGUMENT]...\n");
    section(out, "description");
    prose(out,
          "jitscope turns relocatable objects into running code in a process, as the linker inside a JIT "
          "compiler "
          "does, and records every decision it takes on the way. Data go to standard output, diagnostics to "
          "standard error.");
    section(out, "commands");
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        entry(out, commands[id].name, commands[id].summary);
    exit_status(out);
    see_also(out, COMMAND_COUNT);
}

static void man_options(struct text *out, enum command_id id) {
    section(out, "options");
    prose(out,
          "Long options may be written with one dash too, as linkers have them, unless they begin with l.");
    for (size_t i = 0; i < option_count; i++) {
        struct text term = {0};
        if (!option_belongs(&option_table[i], id))
            continue;
        help_spell_option(&term, &option_table[i]);
        entry(out, term.data ? term.data : "", option_table[i].help);
        text_destroy(&term);
    }
}

static void man_topics(struct text *out, enum command_id id) {
    size_t count;
    const struct help_topic *topics = help_topics(id, &count);
    for (size_t i = 0; i < count; i++) {
        section(out, topics[i].title);
        if (topics[i].text)
            prose(out, topics[i].text);
        for (size_t j = 0; j < topics[i].count; j++) {
            struct help_row row = topics[i].row(j);
            if (row.term)
                entry(out, row.term, row.meaning);
        }
    }
}

void man_print(struct text *out, enum command_id id) {
    if (id == COMMAND_COUNT) {
        man_overview(out);
        return;
    }
    const struct command *command = &commands[id];
    struct text page = {0};
    text_print(&page, "jitscope-%s", command->name);
    heading(out, page.data ? page.data : "", command->summary);
    text_destroy(&page);
    text_print(out, ".B jitscope %s\n", command->name);
    prose(out, command->synopsis);
    section(out, "description");
    prose(out, command->description);
    man_options(out, id);
    man_topics(out, id);
    exit_status(out);
    section(out, "examples");
    text_append(out, ".nf\n");
    prose(out, command->examples);
    text_append(out, "\n.fi");
    see_also(out, id);
}
