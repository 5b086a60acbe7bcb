#include "mirror/diff.h"

#include "mirror/diff_state.h"

#include <inttypes.h>
#include <string.h>

/* --- findings */

static const char *keep(struct diff *diff, struct text *text) {
    const char *kept = "";
    if (text) {
        kept = text->failed ? NULL : arena_copy(&diff->arena, text->data ? text->data : "", text->length);
        text_destroy(text);
    }
    return kept;
}

static struct jitscope_error *add_finding(struct diff_work *work, struct diff_finding finding,
                                          struct text *text, struct text *fields) {
    finding.text = keep(work->diff, text);
    finding.fields = keep(work->diff, fields);
    finding.link = work->link;
    if (!finding.text || !finding.fields)
        return error_no_memory();
    work->diff->differences += !finding.note;
    return vec_push(&work->diff->findings, finding);
}

struct jitscope_error *find(struct diff_work *work, const char *what, uint32_t cause, struct text *text,
                            struct text *fields, uint32_t *id) {
    if (id)
        *id = work->diff->findings.count;
    return add_finding(work, (struct diff_finding){.what = what, .cause = cause}, text, fields);
}

struct jitscope_error *find_note(struct diff_work *work, const char *what, struct text *text,
                                 struct text *fields) {
    return add_finding(work, (struct diff_finding){.what = what, .cause = NO_ID, .note = true}, text, fields);
}

uint32_t finding_of_input(const struct diff_work *work, uint32_t input) {
    return input == NO_ID ? NO_ID : map64_find(&work->by_input, input);
}

/* --- the whole */

static struct jitscope_error *share_names(struct diff_work *work, struct side *side) {
    const struct recording_file *file = side->mirror->file;
    side->names = os_allocate_zeroed((file->strings.count ? file->strings.count : 1) * sizeof *side->names);
    if (!side->names)
        return error_no_memory();
    for (uint32_t i = 0; i < file->strings.count; i++)
        if (file->strings.data[i].length)
            TRY(string_pool_intern(&work->names, file->strings.data[i].bytes, file->strings.data[i].length,
                                   &side->names[i]));
    return NULL;
}

static const struct mirror_link *link_of(const struct mirror *mirror, uint32_t number) {
    static const struct mirror_link none;
    const struct mirror_link *link = mirror_link_whole(mirror, number);
    return link ? link : &none;
}

static bool has_blocks(const struct mirror *mirror) {
    return mirror->counts[EVENT_ID_block] || mirror->counts[EVENT_ID_section];
}

static struct jitscope_error *diff_graph(struct diff_work *work) {
    TRY(diff_sections(work));
    TRY(diff_symbols(work));
    TRY(diff_tables(work));
    TRY(diff_moves(work));
    TRY(diff_actions(work));
    return diff_memory(work);
}

static struct jitscope_error *diff_link(struct diff_work *work, uint32_t number) {
    work->link = number;
    work->a.link = link_of(work->a.mirror, number);
    work->b.link = link_of(work->b.mirror, number);
    if (!work->a.link->known || !work->b.link->known)
        return NULL;
    memset(work->table_finding, 0xff, sizeof work->table_finding);
    TRY(diff_outcome(work));
    struct jitscope_error *error = NULL;
    if (has_blocks(work->a.mirror) && has_blocks(work->b.mirror)) {
        error = pair_link(work);
        if (!error)
            error = diff_graph(work);
        forget_link(work);
    }
    return error;
}

/* What was read of it for the comparison alone is forgotten. */
static struct jitscope_error *diff_number(struct diff_work *work, uint32_t number) {
    const struct mirror *a = work->a.mirror, *b = work->b.mirror;
    bool a_was_there = mirror_has_content(a, number), b_was_there = mirror_has_content(b, number);
    struct jitscope_error *error = diff_link(work, number);
    if (!a_was_there)
        mirror_forget(a, number);
    if (!b_was_there)
        mirror_forget(b, number);
    return error;
}

static struct jitscope_error *diff_all(struct diff_work *work) {
    const struct mirror *a = work->a.mirror, *b = work->b.mirror;
    TRY(share_names(work, &work->a));
    TRY(share_names(work, &work->b));
    TRY(pair_inputs(work));
    TRY(read_calls(&work->a));
    TRY(read_calls(&work->b));
    TRY(diff_session(work));
    TRY(diff_options(work));
    if (a->counts[EVENT_ID_input] && b->counts[EVENT_ID_input])
        TRY(diff_inputs(work));
    for (uint32_t number = 1; number < a->links.count && number < b->links.count; number++)
        TRY(diff_number(work, number));
    return NULL;
}

static void destroy_side(struct side *side) {
    os_release(side->names);
    os_release(side->inputs);
    forget_calls(side);
}

struct jitscope_error *diff_mirrors(const struct mirror *a, const struct mirror *b, struct diff *diff) {
    struct diff_work work = {.diff = diff, .a = {.mirror = a}, .b = {.mirror = b}, .order_finding = NO_ID};
    *diff = (struct diff){0};
    TRY(string_pool_create(&work.names));
    struct jitscope_error *error = diff_all(&work);
    if (!error)
        error = mirror_failure(a);
    if (!error)
        error = mirror_failure(b);
    destroy_side(&work.a);
    destroy_side(&work.b);
    map64_destroy(&work.by_input);
    string_pool_destroy(&work.names);
    if (error)
        diff_destroy(diff);
    return error;
}

void diff_destroy(struct diff *diff) {
    vec_destroy(&diff->findings);
    arena_destroy(&diff->arena);
}
