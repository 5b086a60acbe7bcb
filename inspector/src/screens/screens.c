#include "screens/screens.h"

#include <string.h>

const struct screen screens[SCREEN_COUNT] = {
#define SCREEN(NAME, name, key, kind, view, ENTER, header, meaning)                                          \
    {name, key, &kind, view, ENTER_##ENTER, header, sizeof(key) == 1 && sizeof(view) == 1, meaning},
#include "screens/screens.def"
#undef SCREEN
};

static bool is_called(const char *name, const char *text, size_t length) {
    return strlen(name) == length && !memcmp(name, text, length);
}

uint32_t screen_find(const char *name, size_t length) {
    for (uint32_t i = 0; i < SCREEN_COUNT; i++)
        if (is_called(screens[i].name, name, length) ||
            (*screens[i].view && is_called(screens[i].view, name, length)))
            return i;
    return SCREEN_COUNT;
}

struct jitscope_error *sheet_open(struct sheet *sheet, uint32_t screen, struct inspected *inspected,
                                  const struct question *question) {
    const struct view *view = view_find(screens[screen].view);
    *sheet = (struct sheet){.kind = screens[screen].kind, .inspected = inspected, .question = *question};
    if (view) {
        sheet->columns = view->columns;
        sheet->column_count = view->column_count;
        sheet->view = view;
    }
    return sheet_refresh(sheet);
}

struct jitscope_error *sheet_refresh(struct sheet *sheet) {
    return sheet->kind->refresh(sheet);
}

bool sheet_is_busy(const struct sheet *sheet) {
    return sheet->is_waiting || sheet->is_improving;
}

int sheet_descriptor(const struct sheet *sheet) {
    return sheet_is_busy(sheet) && sheet->kind->descriptor ? sheet->kind->descriptor(sheet) : -1;
}

void sheet_close(struct sheet *sheet) {
    if (sheet->kind && sheet->kind->close)
        sheet->kind->close(sheet);
    *sheet = (struct sheet){0};
}

bool sheet_row(struct sheet *sheet, uint64_t number, struct rows *rows) {
    struct row row;
    uint32_t before = rows->cells.count;
    rows->columns = sheet->columns;
    rows->column_count = sheet->column_count;
    struct jitscope_error *error = row_begin(rows, &row);
    if (!error && sheet->kind->row(sheet, number, &row))
        return true;
    jitscope_error_destroy(error);
    rows->cells.count = before;
    return false;
}

int sheet_column(const struct sheet *sheet, const char *name) {
    for (uint32_t i = 0; i < sheet->column_count; i++)
        if (!strcmp(sheet->columns[i].name, name))
            return (int)i;
    return -1;
}

int sheet_address_column(const struct sheet *sheet) {
    for (uint32_t i = 0; i < sheet->column_count; i++)
        if (sheet->columns[i].type == CELL_ADDRESS)
            return (int)i;
    return -1;
}

struct position plain_position(const struct sheet *sheet, uint64_t number) {
    (void)sheet;
    return (struct position){0, (uint32_t)number};
}

uint64_t plain_number(const struct sheet *sheet, struct position position) {
    return position.item < sheet->count ? position.item : sheet->count;
}
