/* The manifest of a bug report: lines of the form "what  value", and tables of inputs, links and passes. */
#include "record/report.h"

#include "record/recorded.h"
#include "trace/print.h"

#include <inttypes.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct manifest {
    struct text *out;
    struct recorded recorded;
    struct map64 by_path; /* name id -> content it was last read as */
    struct text inputs, links, calls, passes;
    uint32_t pass_link; /* whose passes come last */
    uint64_t events;
};

static void put_name(struct text *out, const struct manifest *manifest, struct name_ref name) {
    struct recorded_string text = recording_string(manifest->recorded.file, name.id);
    text_append_escaped(out, text.bytes, text.length);
}

static void put_line(struct manifest *manifest, const char *what, struct name_ref name) {
    text_print(manifest->out, "%-16s", what);
    put_name(manifest->out, manifest, name);
    text_append(manifest->out, "\n");
}

/* --- inputs */

static const char *kind_text(const struct manifest *manifest, const char *type, uint32_t number) {
    const struct schema *schema = &manifest->recorded.decoder.builtin;
    for (uint32_t i = 0; i < schema->values.count; i++)
        if (!strcmp(schema->types.data[schema->values.data[i].type].name, type) &&
            schema->values.data[i].number == number)
            return schema->values.data[i].text;
    return "?";
}

/* Members lie within their archive and have no digest of their own. */
static void put_digest(struct manifest *manifest, const struct event_input *input) {
    uint32_t content =
        input->container == NO_ID ? map64_find(&manifest->by_path, input->name.id) : MAP64_NO_VALUE;
    struct bytes bytes;
    struct jitscope_error *error =
        content == MAP64_NO_VALUE ? NULL : recorded_content(&manifest->recorded, content, &bytes);
    if (content == MAP64_NO_VALUE || error)
        text_print(&manifest->inputs, "%-16s", input->container == NO_ID ? "-" : "in its archive");
    else
        text_print(&manifest->inputs, "%016" PRIx64, (uint64_t)XXH3_64bits(bytes.data, bytes.size));
    jitscope_error_destroy(error);
}

static void add_input(struct manifest *manifest, const struct event_input *input) {
    struct text *out = &manifest->inputs;
    text_print(out, "%7u  %-8s %10" PRIu64 "  ", input->input, kind_text(manifest, "input_kind", input->kind),
               input->size);
    put_digest(manifest, input);
    text_append(out, "  ");
    put_name(out, manifest, input->name);
    if (input->container != NO_ID)
        text_print(out, " of input %u", input->container);
    text_append(out, "\n");
}

/* --- calls, links and passes */

static struct recorded_string text_of(const void *file, uint32_t id) {
    return recording_string(file, id);
}

/* "add_library  name=m": files are listed as inputs. */
static void add_call(struct manifest *manifest, const struct event_view *view) {
    const struct name_source names = {.text = text_of, .context = manifest->recorded.file};
    struct text *out = &manifest->calls;
    text_print(out, "  %-16s", view->type->name + strlen("call_"));
    for (uint32_t i = 0; i < view->type->field_count; i++) {
        text_print(out, " %s=", view->schema->fields.data[view->type->first_field + i].name);
        event_print_field(out, view, i, &names);
    }
    text_append(out, "\n");
}

static void add_link(struct manifest *manifest, uint32_t link, const struct event_link_end *end) {
    struct text *out = &manifest->links;
    text_print(out, "%7u  %s", link, kind_text(manifest, "outcome", end->outcome));
    struct recorded_string error = recording_string(manifest->recorded.file, end->error.id);
    if (error.length) {
        text_append(out, ": ");
        text_append_escaped(out, error.bytes, error.length);
    }
    text_append(out, "\n");
}

static void add_pass(struct manifest *manifest, uint32_t link, struct name_ref name) {
    struct text *out = &manifest->passes;
    if (manifest->pass_link != link)
        text_print(out, "%s%7u ", out->length ? "\n" : "", link);
    manifest->pass_link = link;
    text_append(out, " ");
    put_name(out, manifest, name);
}

/* --- all of it */

static struct jitscope_error *add_event(struct manifest *manifest, const struct event_view *view) {
    uint32_t id = view->type->id;
    if (id == EVENT_ID_content || id == EVENT_ID_string || id == EVENT_ID_report)
        return NULL;
    const union any_event *event = decode_event(&manifest->recorded.decoder, view);
    if (!event)
        return NULL;
    if (id > EVENT_ID_call_add_memory && id < EVENT_ID_call_link)
        add_call(manifest, view);
    else if (id == EVENT_ID_call_add_memory)
        return map64_set(&manifest->by_path, event->call_add_memory.name.id, event->call_add_memory.content);
    else if (id == EVENT_ID_answer_file && event->answer_file.outcome == OUTCOME_OK)
        return map64_set(&manifest->by_path, event->answer_file.path.id, event->answer_file.content);
    else if (id == EVENT_ID_input)
        add_input(manifest, &event->input);
    else if (id == EVENT_ID_link_end)
        add_link(manifest, view->link, &event->link_end);
    else if (id == EVENT_ID_pass_begin)
        add_pass(manifest, view->link, event->pass_begin.name);
    return NULL;
}

static struct jitscope_error *read_events(struct manifest *manifest) {
    struct event_cursor cursor = {.file = manifest->recorded.file};
    struct event_view view;
    while (event_next(&cursor, &view)) {
        manifest->events += view.type->id != EVENT_ID_report;
        TRY(add_event(manifest, &view));
    }
    return NULL;
}

static void put_options(struct manifest *manifest) {
    static const char *const policies[] = {"auto", "eager", "lazy", "off"};
    static const char *const levels[] = {"off", "session", "phase", "block", "edges"};
    const struct event_call_create *create = &manifest->recorded.create;
    struct text *out = manifest->out;
    text_print(out, "%-16s%s", "options", create->simulate ? "simulated memory" : "memory of the process");
    if (create->simulate)
        text_print(out, " from 0x%" PRIx64, create->base);
    text_print(out, ", events %s, debug %s", create->level <= LEVEL_EDGES ? levels[create->level] : "?",
               create->debug < 4 ? policies[create->debug] : "?");
    text_append(out, create->keep_debug_sections ? ", debug sections kept" : "");
    text_append(out, create->gc_sections ? ", gc-sections" : "");
    text_append(out, create->phony_externals ? ", phony externals" : "");
    text_append(out, create->no_default_libraries ? ", no default libraries" : "");
    text_append(out, "\n");
}

static void put_section(struct text *out, const char *title, struct text *lines) {
    if (!lines->length)
        return;
    text_print(out, "\n%s\n", title);
    text_append_bytes(out, lines->data, lines->length);
    out->failed |= lines->failed;
}

static void put_all(struct manifest *manifest) {
    const struct recording_file *file = manifest->recorded.file;
    struct text *out = manifest->out;
    text_print(out, "%-16sjitscope %s\n", "reported by", JITSCOPE_VERSION);
    text_print(out, "%-16sjitscope ", "recorded by");
    put_name(out, manifest, manifest->recorded.begin.version);
    text_print(out, ", format version %u%s\n", RECORDING_VERSION,
               file->is_builtin_schema ? "" : ", other events than this version's");
    put_line(manifest, "target", manifest->recorded.begin.target);
    text_print(out, "%-16s%" PRIu64 " bytes\n", "page size", manifest->recorded.begin.page_size);
    put_line(manifest, "memory manager", manifest->recorded.begin.memory_manager);
    put_options(manifest);
    text_print(out, "%-16s%" PRIu64 "%s\n", "events", manifest->events,
               manifest->recorded.has_lost ? ", more could not be written"
               : file->open_chunks         ? ", the writer did not come to its end"
                                           : "");
    put_section(out, "  input  kind           size  XXH3              name", &manifest->inputs);
    put_section(out, "calls besides files", &manifest->calls);
    put_section(out, "   link  outcome", &manifest->links);
    if (manifest->passes.length)
        text_append(&manifest->passes, "\n");
    put_section(out, "   link  passes", &manifest->passes);
}

static struct jitscope_error *describe(struct manifest *manifest) {
    TRY(read_events(manifest));
    put_all(manifest);
    bool failed = manifest->out->failed || manifest->inputs.failed || manifest->calls.failed ||
                  manifest->links.failed || manifest->passes.failed;
    return failed ? error_no_memory() : NULL;
}

struct jitscope_error *report_describe(struct text *out, const struct recording_file *file) {
    struct manifest manifest = {.out = out};
    TRY(recorded_open(&manifest.recorded, file));
    struct jitscope_error *error = describe(&manifest);
    recorded_close(&manifest.recorded);
    map64_destroy(&manifest.by_path);
    text_destroy(&manifest.inputs);
    text_destroy(&manifest.links);
    text_destroy(&manifest.calls);
    text_destroy(&manifest.passes);
    return error;
}
