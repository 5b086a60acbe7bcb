/* The help screen: screens and commands with their keys, from the tables that make them. */
#include "draw/draw.h"
#include "model/commands.h"

#include <string.h>

enum { KEY_WIDTH = 16, NAME_WIDTH = 18 };

/* Keys that run COMMAND exactly. */
static void print_keys(struct text *out, const struct keymap *keymap, const char *command) {
    for (uint32_t i = 0; i < keymap->bindings.count; i++) {
        uint32_t key = keymap->bindings.data[i].key;
        const char *bound = keymap_find(keymap, key);
        if (!bound || strcmp(bound, command) != 0)
            continue;
        text_append(out, out->length ? " " : "");
        key_print(out, key);
    }
}

struct page {
    struct grid *grid;
    const struct state *state;
    uint32_t line; /* of the whole help */
    struct text keys;
};

static bool next_row(struct page *page, uint16_t *row) {
    uint32_t at = page->line++;
    if (at < page->state->help_top || at - page->state->help_top + 1 >= page->grid->rows)
        return false;
    *row = (uint16_t)(at - page->state->help_top + 1);
    return true;
}

static void heading(struct page *page, const char *text) {
    uint16_t row;
    if (next_row(page, &row))
        grid_string(page->grid, row, 1, STYLE_HEADING, text);
}

static void line(struct page *page, const char *command, const char *name, const char *synopsis,
                 const char *meaning) {
    uint16_t row;
    if (!next_row(page, &row))
        return;
    struct text text = {0};
    text_clear(&page->keys);
    print_keys(&page->keys, &page->state->keymap, command);
    grid_text(page->grid, row, 1, KEY_WIDTH, STYLE_KEY, page->keys.data ? page->keys.data : "",
              page->keys.length);
    text_print(&text, "%s%s%s", name, *synopsis ? " " : "", synopsis);
    uint16_t used = grid_text(page->grid, row, KEY_WIDTH + 2, page->grid->columns, STYLE_NAME,
                              text.data ? text.data : "", text.length);
    uint16_t at = (uint16_t)(KEY_WIDTH + 2 + (used < NAME_WIDTH ? NAME_WIDTH : used) + 1);
    grid_string(page->grid, row, at, STYLE_NORMAL, meaning);
    text_destroy(&text);
}

/* Bindings of commands with arguments, as `event -1`, each a line of its own. */
static void bound_lines(struct page *page, const struct inspector_command *command) {
    const struct keymap *keymap = &page->state->keymap;
    size_t length = strlen(command->name);
    for (uint32_t i = 0; i < keymap->bindings.count; i++) {
        const struct binding *binding = &keymap->bindings.data[i];
        bool prompts =
            !strncmp(binding->command, "prompt ", 7) && !strcmp(binding->command + 7, command->name);
        bool begins = !strncmp(binding->command, command->name, length) && binding->command[length] == ' ';
        if ((prompts || begins) && keymap_find(keymap, binding->key) == binding->command)
            line(page, binding->command, prompts ? command->name : binding->command,
                 prompts ? command->synopsis : "", command->meaning);
    }
}

void draw_help(struct grid *grid, struct state *state) {
    struct page page = {.grid = grid, .state = state};
    heading(&page, "Screens");
    for (uint32_t i = 0; i < SCREEN_COUNT; i++)
        line(&page, screens[i].name, screens[i].name, "", screens[i].meaning);
    heading(&page, "Commands, by key or behind :");
    for (uint32_t i = 0; i < inspector_command_count; i++) {
        line(&page, inspector_commands[i].name, inspector_commands[i].name, inspector_commands[i].synopsis,
             inspector_commands[i].meaning);
        bound_lines(&page, &inspector_commands[i]);
    }
    uint32_t most = page.line > 1 ? page.line - 1 : 0;
    if (state->help_top > most)
        state->help_top = most;
    text_destroy(&page.keys);
}
