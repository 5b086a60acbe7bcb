#include "grid/theme.h"

#include <string.h>

static const struct {
    const char *name;
    struct look look256, look16, mono;
} styles[STYLE_COUNT] = {
#define STYLE(NAME, name, fore256, back256, fore16, back16, coloured, mono, meaning)                         \
    {name, {fore256, back256, coloured}, {fore16, back16, coloured}, {NONE, NONE, mono}},
#include "grid/styles.def"
#undef STYLE
};

static const struct {
    const char *name;
    uint8_t attribute;
} attributes[] = {
    {"plain", PLAIN}, {"bold", BOLD}, {"dim", DIM}, {"underline", UNDERLINE}, {"reverse", REVERSE}};
enum { ATTRIBUTE_COUNT = sizeof attributes / sizeof *attributes };

void theme_built_in(struct theme *theme) {
    for (size_t i = 0; i < STYLE_COUNT; i++) {
        theme->looks256[i] = styles[i].look256;
        theme->looks16[i] = styles[i].look16;
        theme->mono[i] = styles[i].mono;
    }
}

/* --- files --- */

struct word {
    const char *at;
    size_t length;
};

static bool is(struct word word, const char *text) {
    return word.length == strlen(text) && memcmp(word.at, text, word.length) == 0;
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* The next word of [*at, end); empty at the end, and at a comment. */
static struct word next_word(const char **at, const char *end) {
    while (*at < end && is_blank(**at))
        ++*at;
    struct word word = {*at, 0};
    if (*at < end && **at == '#')
        return word;
    while (*at < end && !is_blank(**at))
        ++*at;
    word.length = (size_t)(*at - word.at);
    return word;
}

/* "none", or a number below LIMIT. */
static bool read_colour(struct word word, int limit, int16_t *colour) {
    if (is(word, "none")) {
        *colour = NONE;
        return true;
    }
    int value = 0;
    for (size_t i = 0; i < word.length; i++) {
        if (word.at[i] < '0' || word.at[i] > '9' || value > limit)
            return false;
        value = value * 10 + (word.at[i] - '0');
    }
    *colour = (int16_t)value;
    return word.length > 0 && value < limit;
}

/* The looks of one style, and whether attributes were named yet. */
struct change {
    struct look *look256, *look16, *mono;
    bool attributes;
};

static bool change_attribute(struct change *change, struct word word) {
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        if (!is(word, attributes[i].name))
            continue;
        struct look *looks[] = {change->look256, change->look16, change->mono};
        for (size_t j = 0; j < 3; j++)
            looks[j]->attributes =
                (uint8_t)((change->attributes ? looks[j]->attributes : 0) | attributes[i].attribute);
        change->attributes = true;
        return true;
    }
    return false;
}

static bool change_colour(struct change *change, struct word word) {
    const struct {
        const char *key;
        int limit;
        int16_t *colour, *also; /* also: when it is small enough */
    } keys[] = {{"fore=", 256, &change->look256->fore, &change->look16->fore},
                {"back=", 256, &change->look256->back, &change->look16->back},
                {"fore16=", 16, &change->look16->fore, NULL},
                {"back16=", 16, &change->look16->back, NULL}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t length = strlen(keys[i].key);
        if (word.length < length || memcmp(word.at, keys[i].key, length) != 0)
            continue;
        struct word value = {word.at + length, word.length - length};
        int16_t colour;
        if (!read_colour(value, keys[i].limit, &colour))
            return false;
        *keys[i].colour = colour;
        if (keys[i].also && colour < 16)
            *keys[i].also = colour;
        return true;
    }
    return false;
}

static struct jitscope_error *refuse(const char *file, size_t line, struct word word, const char *what) {
    struct text text = {0};
    text_append_escaped(&text, word.at, word.length < 60 ? word.length : 60);
    struct jitscope_error *error =
        error_create(JITSCOPE_ERROR_USAGE, "%s:%zu: %s '%s'", file, line, what, text.data ? text.data : "");
    text_destroy(&text);
    return error;
}

static struct jitscope_error *read_line(struct theme *theme, const char *at, const char *end,
                                        const char *file, size_t line) {
    struct word word = next_word(&at, end);
    if (!word.length)
        return NULL;
    size_t style = 0;
    while (style < STYLE_COUNT && !is(word, styles[style].name))
        style++;
    if (style == STYLE_COUNT)
        return refuse(file, line, word, "there is no style");
    struct change change = {&theme->looks256[style], &theme->looks16[style], &theme->mono[style], false};
    for (word = next_word(&at, end); word.length; word = next_word(&at, end))
        if (!change_attribute(&change, word) && !change_colour(&change, word))
            return refuse(file, line, word, "neither a colour of the palette nor an attribute:");
    return NULL;
}

struct jitscope_error *theme_read(struct theme *theme, const char *text, size_t length, const char *file) {
    struct theme changed = *theme;
    const char *end = text + length;
    for (size_t line = 1; text < end; line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop ? stop : end;
        TRY(read_line(&changed, text, stop, file, line));
        text = stop + 1;
    }
    *theme = changed;
    return NULL;
}

/* --- looks --- */

struct look theme_look(const struct theme *theme, int depth, uint8_t style, uint8_t overlay) {
    static const struct {
        uint8_t bit, style;
    } overlays[] = {
        {OVERLAY_SELECTED, STYLE_SELECTED}, {OVERLAY_CHANGED, STYLE_CHANGED}, {OVERLAY_MATCH, STYLE_MATCH}};
    const struct look *looks = depth >= 256 ? theme->looks256 : depth > 0 ? theme->looks16 : theme->mono;
    struct look look = looks[style];
    for (size_t i = 0; i < sizeof overlays / sizeof *overlays; i++) {
        if (!(overlay & overlays[i].bit))
            continue;
        const struct look *over = &looks[overlays[i].style];
        look.fore = over->fore != NONE ? over->fore : look.fore;
        look.back = over->back != NONE ? over->back : look.back;
        uint8_t reverse = (look.attributes ^ over->attributes) & REVERSE;
        look.attributes = (uint8_t)(((look.attributes | over->attributes) & ~REVERSE) | reverse);
    }
    return look;
}

static bool same(struct look a, struct look b) {
    return a.fore == b.fore && a.back == b.back && a.attributes == b.attributes;
}

static void print_run(struct text *out, uint16_t row, uint16_t first, uint16_t last, struct look look) {
    text_print(out, "%u:%u-%u", row, first, last);
    if (look.fore != NONE)
        text_print(out, " fore=%d", look.fore);
    if (look.back != NONE)
        text_print(out, " back=%d", look.back);
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        if (look.attributes & attributes[i].attribute)
            text_print(out, " %s", attributes[i].name);
    text_append(out, "\n");
}

void grid_print_looks(struct text *out, const struct grid *grid, const struct theme *theme, int depth) {
    struct look normal = theme_look(theme, depth, STYLE_NORMAL, OVERLAY_NONE);
    for (uint16_t row = 0; row < grid->rows; row++) {
        for (uint16_t first = 0, next; first < grid->columns; first = next) {
            const struct grid_cell *cells = grid_cell(grid, row, 0);
            struct look look = theme_look(theme, depth, cells[first].style, cells[first].overlay);
            for (next = (uint16_t)(first + 1); next < grid->columns; next++)
                if (!same(look, theme_look(theme, depth, cells[next].style, cells[next].overlay)))
                    break;
            if (!same(look, normal))
                print_run(out, row, first, (uint16_t)(next - 1), look);
        }
    }
    if (grid->has_cursor)
        text_print(out, "cursor %u:%u\n", grid->cursor_row, grid->cursor_column);
}
