#include "help.h"

#include <string.h>

enum { WIDTH = 80, INDENT = 28 };

static const char about[] =
    "jitscope links relocatable objects into running code and tells every decision it takes.";

/* --- laying out text --- */

struct margin {
    size_t indent;
    size_t column; /* where the next byte goes */
};

static void new_line(struct text *out, struct margin *margin) {
    text_print(out, "\n%*s", (int)margin->indent, "");
    margin->column = margin->indent;
}

/* TEXT word by word; an empty line starts a paragraph. */
static void wrap(struct text *out, struct margin *margin, const char *text) {
    bool first = true;
    while (*text) {
        size_t length = strcspn(text, " \n");
        if (margin->column + !first + length > WIDTH && !first) {
            new_line(out, margin);
            first = true;
        }
        text_print(out, "%s%.*s", first ? "" : " ", (int)length, text);
        margin->column += length + !first;
        first = false;
        text += length;
        if (text[0] == '\n' && text[1] == '\n') {
            text_append(out, "\n");
            new_line(out, margin);
            first = true;
        }
        text += strspn(text, " \n");
    }
}

static void paragraph(struct text *out, const char *text) {
    struct margin margin = {0};
    wrap(out, &margin, text);
    text_append(out, "\n");
}

/* A term, and its meaning in the column beside it. */
static void entry(struct text *out, const char *term, const char *meaning) {
    struct margin margin = {.indent = INDENT};
    text_print(out, "  %s", term);
    margin.column = 2 + strlen(term);
    if (margin.column + 2 > INDENT)
        new_line(out, &margin);
    text_print(out, "%*s", (int)(INDENT - margin.column), "");
    margin.column = INDENT;
    wrap(out, &margin, meaning);
    text_append(out, "\n");
}

static void indented(struct text *out, const char *lines) {
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        text_print(out, "  %.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

/* --- help --- */

void help_spell_option(struct text *out, const struct option *option) {
    if (option->letter)
        text_print(out, "-%c, ", option->letter);
    text_print(out, "--%s", option->name);
    if (option->argument)
        text_print(out, " %s", option->argument);
}

static void print_options(struct text *out, enum command_id command) {
    text_append(out, "\nOptions:\n");
    for (size_t i = 0; i < option_count; i++) {
        struct text term = {0};
        if (!option_belongs(&option_table[i], command))
            continue;
        help_spell_option(&term, &option_table[i]);
        entry(out, term.data ? term.data : "", option_table[i].help);
        text_destroy(&term);
    }
    text_append(out, "\n");
    paragraph(out, SPELLING_NOTE);
}

static void print_topics(struct text *out, enum command_id command) {
    size_t count;
    const struct help_topic *topics = help_topics(command, &count);
    for (size_t i = 0; i < count; i++) {
        text_print(out, "\n%s:\n", topics[i].title);
        for (size_t j = 0; j < topics[i].count; j++) {
            struct help_row row = topics[i].row(j);
            if (row.term)
                entry(out, row.term, row.meaning);
        }
        if (topics[i].text) {
            text_append(out, "\n");
            paragraph(out, topics[i].text);
        }
    }
}

static void print_overview(struct text *out) {
    text_append(out,
                "Usage: jitscope COMMAND [OPTION]... [ARGUMENT]...\n       jitscope --help | --version\n\n");
    paragraph(out, about);
    text_append(out, "\nCommands:\n");
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        entry(out, commands[id].name, commands[id].summary);
    text_append(out, "\n`jitscope COMMAND --help` explains a command.\n");
}

void help_print(struct text *out, enum command_id id) {
    if (id == COMMAND_COUNT) {
        print_overview(out);
        return;
    }
    const struct command *command = &commands[id];
    text_print(out, "Usage: jitscope %s %s\n\n", command->name, command->synopsis);
    paragraph(out, command->description);
    print_options(out, id);
    print_topics(out, id);
    text_append(out, "\nExamples:\n");
    indented(out, command->examples);
}

/* --- bash completion --- */

static void complete_options(struct text *out, enum command_id id) {
    text_print(out, "    %s) words='", commands[id].name);
    for (size_t i = 0; i < option_count; i++)
        if (option_belongs(&option_table[i], id))
            text_print(out, "--%s ", option_table[i].name);
    text_append(out, "' ;;\n");
}

/* The first words of a topic's terms. */
static void complete_terms(struct text *out, enum command_id id, size_t number) {
    size_t count;
    const struct help_topic *topic = &help_topics(id, &count)[number];
    for (size_t i = 0; i < topic->count; i++) {
        const char *term = topic->row(i).term;
        if (term)
            text_print(out, "%.*s ", (int)strcspn(term, " "), term);
    }
}

/* What stands behind an option, or after `show`, and is one of few. */
static void complete_values(struct text *out) {
    text_append(out, "  case \"$before\" in\n    show) words=\"${words}");
    complete_terms(out, COMMAND_show, 0);
    text_append(out, "\" ;;\n    --batch) words='");
    complete_terms(out, COMMAND_inspect, 0);
    text_append(out, "' ;;\n    --to) words='");
    complete_terms(out, COMMAND_export, 0);
    text_append(out, "' ;;\n    --colors) words='256 16 0' ;;\n  esac\n");
}

void completion_print(struct text *out) {
    text_append(out, "# bash completion for jitscope\n"
                     "_jitscope() {\n"
                     "  local words='' before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
                     "  [ \"$before\" != = ] || before=\"${COMP_WORDS[COMP_CWORD-2]}\"\n"
                     "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
                     "    words='--help --version");
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        text_print(out, " %s", commands[id].name);
    text_append(out, "'\n  else case \"${COMP_WORDS[1]}\" in\n");
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        complete_options(out, id);
    text_append(out, "  esac; fi\n");
    complete_values(out);
    text_append(out, "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
                     "}\n"
                     "complete -o default -F _jitscope jitscope\n");
}
