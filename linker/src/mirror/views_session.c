/* Views of the whole session: summary, batches, inputs. */
#include "mirror/views.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- inputs
 * -------------------------------------------------------------------------------------------------------- */

uint32_t view_inputs_candidates(const struct mirror *mirror, uint32_t link) {
    (void)link;
    return mirror->inputs.count;
}

bool view_inputs_row(const struct view_at *at, uint32_t id, struct row *row) {
    const struct mirror_input *input = mirror_input(at->mirror, id);
    if (!input)
        return false;
    row_number(row, id);
    row_value(row, at->mirror, "input_kind", input->event.kind);
    row_number(row, input->event.size);
    row_name(row, at->mirror, input->event.name.id);
    row_input(row, at->mirror, input->event.container);
    row_name(row, at->mirror, input->event.pulled_by.id);
    return true;
}

/* --- batches
 * ------------------------------------------------------------------------------------------------------- */

uint32_t view_batches_candidates(const struct mirror *mirror, uint32_t link) {
    (void)link;
    return mirror->links.count;
}

static const char *batch_state(const struct mirror_life *life) {
    if (!life->ended)
        return "linking";
    if (life->end.outcome == OUTCOME_FAILED)
        return "failed";
    return life->unloaded ? "unloaded" : "linked";
}

static void row_outcome(const struct view_at *at, const struct mirror_life *life, struct row *row) {
    row_number(row, life->number);
    row_text(row, batch_state(life));
    if (life->begun < at->mirror->history->now)
        row_number(row, mirror_sequence(at->mirror, life->begun));
    else
        row_absent(row);
    if (life->ended)
        row_number(row, life->end.duration);
    else
        row_absent(row);
}

bool view_batches_row(const struct view_at *at, uint32_t number, struct row *row) {
    struct mirror_life life = mirror_life(at->mirror, number);
    if (!life.known)
        return false;
    struct mirror_tally tally = mirror_tally(at->mirror, number);
    row_outcome(at, &life, row);
    row_number(row, mirror_tally_inputs(at->mirror, number));
    row_number(row, tally.sections);
    row_number(row, tally.blocks);
    row_number(row, tally.symbols);
    row_number(row, tally.got);
    row_number(row, tally.plt);
    row_number(row, tally.tls);
    row_number(row, tally.executable);
    row_number(row, tally.readable);
    row_number(row, tally.writable);
    if (life.ended && life.end.outcome == OUTCOME_FAILED)
        row_name(row, at->mirror, life.end.error.id);
    return true;
}

/* --- summary: groups of lines, one behind the other
 * ------------------------------------------------------------------------------------------------------- */

enum { SESSION_LINES = 7, LINK_LINES = 4 };

struct kind_count {
    uint64_t count;
    const char *name;
};

struct summary {
    uint32_t *links; /* by number: lines of links before; the last is that of all */
    struct kind_count *kinds;
};

/* A line, of which there is nothing to say when FORMAT gives nothing. */
#define LINE(row, what, ...) (row_text(row, what), row_print(row, __VA_ARGS__), true)
#define STRING(mirror, id)                                                                                   \
    (int)recording_string((mirror)->file, id).length, recording_string((mirror)->file, id).bytes

static uint32_t lines_of_link(const struct mirror *mirror, uint32_t number) {
    return LINK_LINES + mirror_counts(mirror, number).without_debug;
}

/* Links are few where somebody reads a summary: these are counted. */
uint32_t view_summary_candidates(const struct mirror *mirror, uint32_t link) {
    uint32_t lines = SESSION_LINES + mirror->warnings.count + 1;
    (void)link;
    for (uint32_t i = 0; i < mirror->links.count; i++)
        lines += lines_of_link(mirror, i);
    return lines + 1 + mirror->file->schema.events.count;
}

static int by_count(const void *a, const void *b) {
    const struct kind_count *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void fill_summary(const struct mirror *mirror, struct summary *summary) {
    const struct schema *schema = &mirror->file->schema;
    for (uint32_t i = 0; i < schema->events.count; i++)
        summary->kinds[i] =
            (struct kind_count){mirror->counts[schema->events.data[i].id], schema->events.data[i].name};
    qsort(summary->kinds, schema->events.count, sizeof *summary->kinds, by_count);
    for (uint32_t i = 0; i < mirror->links.count; i++)
        summary->links[i + 1] = summary->links[i] + lines_of_link(mirror, i);
}

struct jitscope_error *view_summary_prepare(struct view_at *at) {
    struct summary *summary = at->prepared = os_allocate_zeroed(sizeof *summary);
    if (!summary)
        return error_no_memory();
    summary->links = os_allocate_zeroed((at->mirror->links.count + 1) * sizeof *summary->links);
    summary->kinds = os_allocate_zeroed(at->mirror->file->schema.events.count * sizeof *summary->kinds);
    if (!summary->links || !summary->kinds) {
        view_summary_release(at);
        return error_no_memory();
    }
    fill_summary(at->mirror, summary);
    return NULL;
}

void view_summary_release(struct view_at *at) {
    struct summary *summary = at->prepared;
    if (summary) {
        os_release(summary->links);
        os_release(summary->kinds);
    }
    os_release(summary);
}

static bool row_of_session(const struct mirror *mirror, uint32_t line, struct row *row) {
    uint32_t open = mirror->file->open_chunks;
    if (line < 4 && !mirror->has_session)
        return false;
    switch (line) {
    case 0:
        return LINE(row, "jitscope", "%.*s", STRING(mirror, mirror->session.version.id));
    case 1:
        return LINE(row, "target", "%.*s", STRING(mirror, mirror->session.target.id));
    case 2:
        return LINE(row, "memory manager", "%.*s", STRING(mirror, mirror->session.memory_manager.id));
    case 3:
        return LINE(row, "process", "%u", mirror->session.process);
    case 4:
        return LINE(row, "events", "%" PRIu64 " in %" PRIu64 " bytes", mirror->applied,
                    mirror->file->bytes.size);
    case 5:
        return mirror->lost && LINE(row, "lost events", "%" PRIu64, mirror->lost);
    default:
        return open &&
               LINE(row, "writer", "still at work, or died: %u open chunk%s", open, open == 1 ? "" : "s");
    }
}

static bool row_of_end(const struct mirror *mirror, const struct mirror_link *link, struct row *row) {
    const char *outcome = mirror_value_text(mirror, "outcome", link->end.outcome);
    row_print(row, "link %u", link->number);
    if (link->ended)
        row_print(row, "%s in %" PRIu64 " us%s", outcome ? outcome : "?", link->end.duration / 1000,
                  link->unloaded ? ", unloaded" : "");
    else
        row_text(row, "not finished");
    return true;
}

static uint32_t live_blocks(const struct mirror_link *link) {
    uint32_t live = 0;
    for (uint32_t i = 0; i < link->blocks.count; i++) {
        const struct mirror_block *block = mirror_block(link, i);
        live += block && !block->removed;
    }
    return live;
}

static bool row_of_link(const struct mirror *mirror, uint32_t number, uint32_t line, struct row *row) {
    const struct mirror_link *link = mirror_life(mirror, number).known ? mirror_link(mirror, number) : NULL;
    if (!link)
        return false;
    switch (line) {
    case 0:
        return row_of_end(mirror, link, row);
    case 1:
        return link->ended && link->end.outcome == OUTCOME_FAILED &&
               LINE(row, "  error", "%.*s", STRING(mirror, link->end.error.id));
    case 2:
        return LINE(row, "  graph", "%u sections, %u blocks, %u symbols, %u table entries, %u relaxed edges",
                    link->sections.count, live_blocks(link), link->symbols.count, link->entries.count,
                    link->relaxations.count);
    case 3:
        return link->debug.size &&
               LINE(row, "  debug image", "%" PRIu64 " bytes: %u symbols, %u frames, %u units of %u inputs",
                    link->debug.size, link->debug.symbols, link->debug.frames, link->debug.units,
                    link->debug.inputs);
    default:
        line -= LINK_LINES;
        return line < link->without_debug.count &&
               LINE(row, "  no debug info", "%.*s", STRING(mirror, link->without_debug.data[line].why.id));
    }
}

/* LINE counts from the first of all links. */
static bool row_of_links(const struct view_at *at, uint32_t line, struct row *row) {
    const struct summary *summary = at->prepared;
    uint32_t low = 0, high = at->mirror->links.count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (summary->links[middle] <= line)
            low = middle;
        else
            high = middle;
    }
    return row_of_link(at->mirror, low, line - summary->links[low], row);
}

/* LINE 0 is the heading. */
static bool row_of_kind(const struct view_at *at, uint32_t line, struct row *row) {
    const struct summary *summary = at->prepared;
    if (!line)
        return LINE(row, "events per kind", "%s", "");
    if (line > at->mirror->file->schema.events.count || !summary->kinds[line - 1].count)
        return false;
    row_print(row, "  %s", summary->kinds[line - 1].name);
    row_print(row, "%" PRIu64, summary->kinds[line - 1].count);
    return true;
}

bool view_summary_row(const struct view_at *at, uint32_t line, struct row *row) {
    const struct mirror *mirror = at->mirror;
    const struct summary *summary = at->prepared;
    uint32_t warnings = mirror->warnings.count, links = summary->links[mirror->links.count];
    if (line < SESSION_LINES)
        return row_of_session(mirror, line, row);
    line -= SESSION_LINES;
    if (line < warnings)
        return LINE(row, "warning", "%.*s", STRING(mirror, mirror->warnings.data[line].text.id));
    line -= warnings;
    if (!line--)
        return LINE(row, "inputs", "%u", mirror->inputs.count);
    return line < links ? row_of_links(at, line, row) : row_of_kind(at, line - links, row);
}
