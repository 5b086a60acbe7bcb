#include "model/prompt.h"

#include "model/commands.h"

#include <string.h>

static void close_prompt(struct state *state) {
    state->prompt.is_open = false;
    text_clear(&state->prompt.line);
    state->prompt.at = 0;
}

struct jitscope_error *do_prompt(struct state *state, const char *argument) {
    close_prompt(state);
    state->prompt.label = state_keep(state, argument, strlen(argument));
    if (!state->prompt.label)
        return error_no_memory();
    state->prompt.is_open = true;
    state->prompt.in_history = 0;
    text_clear(&state->message);
    return NULL;
}

/* --- editing
 * ------------------------------------------------------------------------------------------------- */

static size_t previous_character(const struct prompt *prompt) {
    size_t at = prompt->at;
    if (at)
        at--;
    while (at && ((unsigned char)prompt->line.data[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static size_t next_character(const struct prompt *prompt) {
    size_t at = prompt->at;
    if (at < prompt->line.length)
        at++;
    while (at < prompt->line.length && ((unsigned char)prompt->line.data[at] & 0xc0) == 0x80)
        at++;
    return at;
}

/* Puts LENGTH bytes in the place of those from FROM to TO. */
static void replace(struct prompt *prompt, size_t from, size_t to, const char *bytes, size_t length) {
    struct text line = {0};
    text_append_bytes(&line, prompt->line.data ? prompt->line.data : "", from);
    text_append_bytes(&line, bytes, length);
    if (to < prompt->line.length)
        text_append(&line, prompt->line.data + to);
    text_destroy(&prompt->line);
    prompt->line = line;
    prompt->at = line.failed ? 0 : from + length;
}

static size_t encode(uint32_t character, char *out) {
    if (character < 0x80)
        return out[0] = (char)character, 1;
    size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, character >>= 6)
        out[i] = (char)(0x80 | (character & 0x3f));
    out[0] = (char)(leads[length] | character);
    return length;
}

static void rub_out_word(struct prompt *prompt) {
    size_t from = prompt->at;
    while (from && prompt->line.data[from - 1] == ' ')
        from--;
    while (from && prompt->line.data[from - 1] != ' ')
        from--;
    replace(prompt, from, prompt->at, "", 0);
}

/* --- history
 * ------------------------------------------------------------------------------------------------- */

static void recall(struct state *state, bool older) {
    struct prompt *prompt = &state->prompt;
    if (older ? prompt->in_history >= state->history.count : !prompt->in_history)
        return;
    prompt->in_history += older ? 1 : UINT32_MAX;
    const char *line =
        prompt->in_history ? state->history.data[state->history.count - prompt->in_history] : "";
    replace(prompt, 0, prompt->line.length, line, strlen(line));
}

/* --- completion
 * ------------------------------------------------------------------------------------------------- */

struct completion {
    const char *word; /* so far */
    size_t length;
    struct text common; /* what all that fit begin with */
    struct text list;
    uint32_t count;
};

static void offer(struct completion *completion, const char *candidate) {
    if (strncmp(candidate, completion->word, completion->length) != 0)
        return;
    text_print(&completion->list, "%s%s", completion->count ? "  " : "", candidate);
    if (!completion->count++) {
        text_append(&completion->common, candidate);
        return;
    }
    size_t same = 0;
    while (same < completion->common.length && completion->common.data[same] == candidate[same])
        same++;
    completion->common.data[same] = 0;
    completion->common.length = same;
}

static void offer_screens(struct completion *completion) {
    for (uint32_t i = 0; i < SCREEN_COUNT; i++)
        offer(completion, screens[i].name);
}

static void offer_for(const struct state *state, struct completion *completion, enum argument_kind kind) {
    if (kind == ARGUMENT_SCREEN)
        offer_screens(completion);
    for (uint32_t i = 0; kind == ARGUMENT_COLUMN && i < state->table.sheet.column_count; i++)
        offer(completion, state->table.sheet.columns[i].name);
}

static void offer_words(const struct state *state, struct completion *completion, const char *line,
                        size_t start) {
    const char *label = state->prompt.label;
    const struct inspector_command *command = *label ? inspector_command_find(label, strlen(label))
                                                     : inspector_command_find(line, strcspn(line, " "));
    if (!*label && !start) {
        for (uint32_t i = 0; i < inspector_command_count; i++)
            offer(completion, inspector_commands[i].name);
        offer_screens(completion);
    } else if (command && (command->argument == ARGUMENT_TEXT || command->argument == ARGUMENT_COLUMN))
        offer_for(state, completion, ARGUMENT_COLUMN);
    else if (command)
        offer_for(state, completion, command->argument);
}

static void complete(struct state *state) {
    struct prompt *prompt = &state->prompt;
    const char *line = prompt->line.data ? prompt->line.data : "";
    size_t start = prompt->at;
    while (start && line[start - 1] != ' ')
        start--;
    struct completion completion = {.word = line + start, .length = prompt->at - start};
    offer_words(state, &completion, line, start);
    if (completion.count == 1)
        text_append(&completion.common, " ");
    if (completion.count && completion.common.length > completion.length)
        replace(prompt, start, prompt->at, completion.common.data, completion.common.length);
    else if (completion.count)
        state_say(state, "%s", completion.list.data);
    text_destroy(&completion.common);
    text_destroy(&completion.list);
}

/* --- keys
 * ------------------------------------------------------------------------------------------------- */

static struct jitscope_error *run(struct state *state) {
    struct prompt *prompt = &state->prompt;
    struct text line = {0};
    if (*prompt->label)
        text_print(&line, "%s ", prompt->label);
    text_append(&line, prompt->line.data ? prompt->line.data : "");
    struct jitscope_error *error = line.failed ? error_no_memory() : NULL;
    if (!error && !*prompt->label && prompt->line.length) {
        const char *kept = state_keep(state, line.data, line.length);
        error = kept ? vec_push(&state->history, kept) : error_no_memory();
    }
    close_prompt(state);
    if (!error)
        error = command_run(state, line.data);
    text_destroy(&line);
    return error;
}

static void insert(struct prompt *prompt, uint32_t key) {
    char bytes[4];
    if (key >= KEY_SPACE && key != KEY_RUBOUT && key < KEY_BASE)
        replace(prompt, prompt->at, prompt->at, bytes, encode(key, bytes));
}

/* A letter that a mark waits for needs no Return. */
static bool is_letter_wanted(const struct prompt *prompt) {
    const struct inspector_command *command = inspector_command_find(prompt->label, strlen(prompt->label));
    return command && command->argument == ARGUMENT_LETTER;
}

static void edit(struct state *state, uint32_t key) {
    struct prompt *prompt = &state->prompt;
    switch (key) {
    case KEY_CONTROL('H'):
    case KEY_RUBOUT:
        replace(prompt, previous_character(prompt), prompt->at, "", 0);
        break;
    case KEY_NAMED_DELETE: {
        size_t at = prompt->at;
        replace(prompt, at, next_character(prompt), "", 0);
        break;
    }
    case KEY_CONTROL('W'):
        rub_out_word(prompt);
        break;
    case KEY_CONTROL('U'):
        replace(prompt, 0, prompt->at, "", 0);
        break;
    case KEY_CONTROL('K'):
        replace(prompt, prompt->at, prompt->line.length, "", 0);
        break;
    case KEY_NAMED_LEFT:
        prompt->at = previous_character(prompt);
        break;
    case KEY_NAMED_RIGHT:
        prompt->at = next_character(prompt);
        break;
    case KEY_CONTROL('A'):
    case KEY_NAMED_HOME:
        prompt->at = 0;
        break;
    case KEY_CONTROL('E'):
    case KEY_NAMED_END:
        prompt->at = prompt->line.length;
        break;
    case KEY_NAMED_UP:
        recall(state, true);
        break;
    case KEY_NAMED_DOWN:
        recall(state, false);
        break;
    case KEY_TAB:
        complete(state);
        break;
    default:
        insert(prompt, key);
    }
}

struct jitscope_error *prompt_key(struct state *state, uint32_t key) {
    bool rubs_nothing = (key == KEY_RUBOUT || key == KEY_CONTROL('H')) && !state->prompt.line.length;
    if (key == KEY_ESCAPE || key == KEY_CONTROL('C') || key == KEY_CONTROL('G') || rubs_nothing) {
        close_prompt(state);
        return NULL;
    }
    if (key == KEY_RETURN || key == '\n')
        return run(state);
    edit(state, key);
    return is_letter_wanted(&state->prompt) && state->prompt.line.length ? run(state) : NULL;
}
