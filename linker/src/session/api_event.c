/* Events for the embedding program: the record as it lies in the trace, read through the built-in schema. */
#include "session/session_state.h"

#include "trace/print.h"

struct jitscope_event {
    struct event_view view;
    struct name_source names;
    struct text text; /* what the last call printed */
};

/* Kept from event to event, so that a callback costs no allocation. */
struct public_event {
    struct schema
        schema; /* read when the first event comes: who waits for warnings sees none of most links */
    struct jitscope_event event;
    VEC(uint32_t) edge_kinds; /* name ids by number */
};

static struct recorded_string pooled_text(const void *context, uint32_t id) {
    const struct string_pool *names = context;
    if (id >= names->strings.count)
        return (struct recorded_string){"", 0};
    return (struct recorded_string){names->strings.data[id].bytes, names->strings.data[id].length};
}

static struct jitscope_error *intern_edge_kinds(struct jitscope_session *session,
                                                struct public_event *public) {
    const struct arch *arch = &arch_x86_64;
    for (uint32_t kind = 0; kind < arch->kind_count; kind++) {
        uint32_t name;
        TRY(session_intern(session, arch->kinds[kind].name, &name));
        TRY(vec_push(&public->edge_kinds, name));
    }
    return NULL;
}

void session_destroy_event(struct jitscope_session *session) {
    struct public_event *public = session->event;
    if (!public)
        return;
    schema_destroy(&public->schema);
    vec_destroy(&public->edge_kinds);
    text_destroy(&public->event.text);
    os_release(public);
    session->event = NULL;
}

struct jitscope_error *session_prepare_event(struct jitscope_session *session) {
    if (session->event)
        return NULL;
    struct public_event *public = os_allocate_zeroed(sizeof *public);
    if (!public)
        return error_no_memory();
    session->event = public;
    struct jitscope_error *error = schema_create_builtin(&public->schema);
    if (!error)
        error = intern_edge_kinds(session, public);
    if (error) {
        session_destroy_event(session);
        return error;
    }
    public->event.names = (struct name_source){.text = pooled_text,
                                               .context = &session->names,
                                               .edge_kinds = public->edge_kinds.data,
                                               .edge_kind_count = public->edge_kinds.count};
    return NULL;
}

void session_deliver_event(void *context, uint64_t sequence, uint32_t link, const void *record) {
    struct jitscope_session *session = context;
    struct public_event *public = session->event;
    uint32_t header = load_u32(record);
    if (!public->schema.events.count)
        schema_read_builtin(&public->schema);
    const struct schema_event *type = schema_event(&public->schema, EVENT_HEADER_ID(header));
    if (!type)
        return;
    struct jitscope_event *event = &public->event;
    event->view = (struct event_view){.type = type,
                                      .schema = &public->schema,
                                      .record = record,
                                      .sequence = sequence,
                                      .link = link,
                                      .size = EVENT_HEADER_SIZE(header)};
    session->event_callback(session->event_context, event);
}

/* --- accessors
 * ----------------------------------------------------------------------------------------------------- */

const char *jitscope_event_name(const struct jitscope_event *event) {
    return event->view.type->name;
}

uint64_t jitscope_event_sequence(const struct jitscope_event *event) {
    return event->view.sequence;
}

uint32_t jitscope_event_link(const struct jitscope_event *event) {
    return event->view.link;
}

size_t jitscope_event_field_count(const struct jitscope_event *event) {
    return event->view.type->field_count;
}

const char *jitscope_event_field_name(const struct jitscope_event *event, size_t field) {
    const struct schema_event *type = event->view.type;
    return field < type->field_count ? event->view.schema->fields.data[type->first_field + field].name : NULL;
}

uint64_t jitscope_event_field_number(const struct jitscope_event *event, size_t field) {
    return field < event->view.type->field_count ? event_field(&event->view, (uint32_t)field) : 0;
}

/* The text buffer is the event's one changing part; the handle is const for callers. */
static struct text *fresh_text(const struct jitscope_event *event) {
    struct text *text = (struct text *)(uintptr_t)&event->text;
    text_clear(text);
    text_append(text, "");
    return text;
}

static const char *result(const struct text *text) {
    return text->failed || !text->data ? "" : text->data;
}

const char *jitscope_event_field_text(const struct jitscope_event *event, size_t field) {
    struct text *text = fresh_text(event);
    if (field < event->view.type->field_count)
        event_print_field(text, &event->view, (uint32_t)field, &event->names);
    return result(text);
}

size_t jitscope_event_find_field(const struct jitscope_event *event, const char *name) {
    for (size_t i = 0; i < event->view.type->field_count; i++)
        if (!__builtin_strcmp(jitscope_event_field_name(event, i), name))
            return i;
    return SIZE_MAX;
}

const char *jitscope_event_text(const struct jitscope_event *event) {
    struct text *text = fresh_text(event);
    event_print_text(text, &event->view, &event->names);
    return result(text);
}

const char *jitscope_event_json(const struct jitscope_event *event) {
    struct text *text = fresh_text(event);
    event_print_json(text, &event->view, &event->names);
    return result(text);
}
