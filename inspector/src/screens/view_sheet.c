/* The rows of a view of mirror/views.def: of one batch, or of all, one behind the other. */
#include "screens/sheet.h"

enum { EVENTS_PER_SLICE = 1 << 14 };

struct view_rows {
    VEC(uint64_t) starts; /* candidates before each link's, by number; of all links at the end */
    struct view_at at;    /* ready for this link */
    uint32_t link;
    bool is_ready;
};

static void release(const struct sheet *sheet, struct view_rows *own) {
    if (own->is_ready)
        view_end(sheet->view, &own->at);
    own->is_ready = false;
}

static struct jitscope_error *count_links(struct sheet *sheet, struct view_rows *own) {
    const struct mirror *mirror = &sheet->inspected->mirror;
    uint64_t sum = 0;
    own->starts.count = 0;
    for (uint32_t i = 0; i < mirror->links.count; i++) {
        TRY(vec_push(&own->starts, sum));
        if (sheet->question.link == ALL_LINKS || sheet->question.link == i)
            sum += sheet->kind->candidates ? sheet->kind->candidates(sheet, i)
                                           : sheet->view->candidates(mirror, i);
    }
    sheet->count = sum;
    return vec_push(&own->starts, sum);
}

void sheet_remark_level(struct sheet *sheet, uint32_t level) {
    if (!sheet->remark && inspected_lacks(sheet->inspected, level))
        sheet->remark = "not recorded at this level: jitscope replay --trace=edges --record NEW adds it";
}

struct jitscope_error *view_refresh(struct sheet *sheet) {
    struct view_rows *own = sheet->own;
    if (!own && !(own = sheet->own = os_allocate_zeroed(sizeof *own)))
        return error_no_memory();
    release(sheet, own);
    sheet->is_waiting = false;
    if (sheet->view->level < LEVEL_EDGES) /* those are had by replaying: edges_sheet.c */
        sheet_remark_level(sheet, sheet->view->level);
    if (!sheet->view->of_session)
        return count_links(sheet, own);
    sheet->count = sheet->view->candidates(&sheet->inspected->mirror, 0);
    return NULL;
}

void view_close(struct sheet *sheet) {
    struct view_rows *own = sheet->own;
    if (!own)
        return;
    release(sheet, own);
    vec_destroy(&own->starts);
    os_release(own);
}

/* The link that candidate NUMBER belongs to. */
static uint32_t link_of(const struct view_rows *own, uint64_t number) {
    uint32_t low = 0, high = own->starts.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (own->starts.data[middle] <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

struct position view_position(const struct sheet *sheet, uint64_t number) {
    const struct view_rows *own = sheet->own;
    if (sheet->view->of_session || !own->starts.count)
        return plain_position(sheet, number);
    uint32_t link = link_of(own, number);
    return (struct position){link, (uint32_t)(number - own->starts.data[link])};
}

uint64_t view_number(const struct sheet *sheet, struct position position) {
    const struct view_rows *own = sheet->own;
    if (sheet->view->of_session)
        return plain_number(sheet, position);
    if (position.link + 1 >= own->starts.count)
        return sheet->count;
    uint64_t start = own->starts.data[position.link], end = own->starts.data[position.link + 1];
    return position.item < end - start ? start + position.item : end;
}

/* A large batch is read in slices; false while there is more to read. */
static bool is_loaded(struct sheet *sheet, uint32_t link) {
    const struct mirror *mirror = &sheet->inspected->mirror;
    bool edges = sheet->view->level == LEVEL_EDGES, done = true;
    if (!mirror_link_left(mirror, link, edges))
        return true;
    jitscope_error_destroy(mirror_link_load_step(mirror, link, edges, EVENTS_PER_SLICE, &done));
    sheet->is_waiting = !done;
    return done;
}

static bool make_ready(struct sheet *sheet, struct view_rows *own, uint32_t link) {
    const struct mirror *mirror = &sheet->inspected->mirror;
    bool of_link = !sheet->view->of_session;
    if (own->is_ready && own->link == link)
        return true;
    release(sheet, own);
    if (of_link && !is_loaded(sheet, link))
        return false;
    own->at = (struct view_at){.mirror = mirror, .link = of_link ? mirror_link(mirror, link) : NULL};
    own->link = link;
    struct jitscope_error *error = view_begin(sheet->view, &own->at);
    own->is_ready = !error;
    jitscope_error_destroy(error);
    return own->is_ready;
}

bool view_candidate(struct sheet *sheet, uint32_t link, uint32_t number, struct row *row) {
    struct view_rows *own = sheet->own;
    return !sheet->is_waiting && make_ready(sheet, own, link) && sheet->view->row(&own->at, number, row);
}

bool view_row(struct sheet *sheet, uint64_t number, struct row *row) {
    struct position position = view_position(sheet, number);
    if (number >= sheet->count)
        return false;
    return sheet->kind->candidate ? sheet->kind->candidate(sheet, position.link, position.item, row)
                                  : view_candidate(sheet, position.link, position.item, row);
}

const struct sheet_kind sheet_of_view = {.refresh = view_refresh,
                                         .close = view_close,
                                         .row = view_row,
                                         .position = view_position,
                                         .number = view_number};
