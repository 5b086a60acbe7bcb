/* print: events as text and JSON, and the reference page. */
#ifndef TRACE_PRINT_H
#define TRACE_PRINT_H

#include "base/text.h"
#include "trace/recording.h"

/* Where names come from: a recording, or the session's pool for live events. */
struct name_source {
    struct recorded_string (*text)(const void *context, uint32_t id);
    const void *context;
    /* Name ids of edge kinds by number, NULL or 0 when not known. */
    const uint32_t *edge_kinds;
    uint32_t edge_kind_count;
    bool is_raw; /* texts are printed as they are, for who escapes what is shown */
};

/* One field's value, as show prints it. */
void event_print_field(struct text *out, const struct event_view *view, uint32_t field,
                       const struct name_source *names);
/* "table=got entry=0 ...", with the text, or how the bytes begin, that trail. */
void event_print_fields(struct text *out, const struct event_view *view, const struct name_source *names);
/* "12  table_entry  table=got entry=0 ..." without line end. */
void event_print_text(struct text *out, const struct event_view *view, const struct name_source *names);
/* {"sequence":12,"link":1,"event":"table_entry","table":"got",...} */
void event_print_json(struct text *out, const struct event_view *view, const struct name_source *names);
/* Of these only the fields, each behind a comma: ,"table":"got","entry":0 ... */
void event_print_json_fields(struct text *out, const struct event_view *view,
                             const struct name_source *names);
/* "r-x" */
void print_prot(struct text *out, uint64_t prot);
/* The page of all events in Markdown. */
void schema_print_reference(struct text *out, const struct schema *schema);

#endif
