/* Whether two mirrors show the same, cell by cell in every view. */
#ifndef SAME_MIRRORS_H
#define SAME_MIRRORS_H

#include "mirror/views.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void expect_same_cells(const struct view *view, const struct rows *a, const struct rows *b) {
    assert_int_equal(a->cells.count, b->cells.count);
    for (uint32_t i = 0; i < a->cells.count; i++) {
        const struct cell *x = &a->cells.data[i], *y = &b->cells.data[i];
        bool same = x->absent == y->absent && x->number == y->number && x->length == y->length &&
                    !memcmp(x->text, y->text, x->length);
        if (!same)
            fail_msg("view %s, row %u, column %s differs", view->name, i / a->column_count,
                     view->columns[i % a->column_count].name);
    }
}

static void expect_same_view(const struct view *view, const struct mirror *moved,
                             const struct mirror *built) {
    struct rows a = {.columns = view->columns, .column_count = view->column_count}, b = a;
    assert_null(view_rows(view, moved, &a));
    assert_null(view_rows(view, built, &b));
    expect_same_cells(view, &a, &b);
    rows_destroy(&a);
    rows_destroy(&b);
}

static void expect_same_mirrors(const struct mirror *moved, const struct mirror *built) {
    assert_int_equal(moved->applied, built->applied);
    assert_int_equal(moved->last_sequence, built->last_sequence);
    assert_int_equal(moved->lost, built->lost);
    assert_int_equal(moved->links.count, built->links.count);
    assert_int_equal(moved->session_ended, built->session_ended);
    assert_memory_equal(moved->counts, built->counts, sizeof built->counts);
    for (uint32_t i = 0; i < view_count; i++)
        expect_same_view(&views[i], moved, built);
}

#endif
