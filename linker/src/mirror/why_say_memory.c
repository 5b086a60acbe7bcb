/* The sentences of events about memory, actions, registrations and ends. */
#include "mirror/why_query.h"

#include "trace/print.h"

#include <inttypes.h>

#define SAY(name)                                                                                            \
    static void say_##name(struct text *out, const struct why_query *query, const struct mirror_link *link,  \
                           const struct event_##name *event)

static void put_range(struct text *out, uint64_t address, uint64_t size) {
    text_print(out, "0x%" PRIx64 "-0x%" PRIx64, address, address + size);
}

SAY(reservation) {
    (void)link;
    text_append(out, "address space ");
    put_range(out, event->address, event->size);
    text_append(out, " is reserved: ");
    put_name(out, query, event->why.id);
}

SAY(allocation) {
    (void)link;
    text_print(out, "allocation %u is ", event->allocation);
    put_value(out, query, "memory_state", event->state);
    text_append(out, ": ");
    put_range(out, event->address, event->size);
}

SAY(segment) {
    (void)link;
    text_print(out, "segment %u, ", event->segment);
    print_prot(out, event->prot);
    text_append(out, ", lifetime ");
    put_value(out, query, "lifetime", event->lifetime);
    text_append(out, ", is placed at ");
    put_range(out, event->address, event->content_size + event->zero_fill_size);
    text_append(out, ": ");
    put_count(out, event->blocks, "block");
    text_print(out, ", %" PRIu64 " bytes of content, %" PRIu64 " of zero-fill", event->content_size,
               event->zero_fill_size);
}

SAY(block_placed) {
    (void)query, (void)link;
    text_print(out, "block %u is placed at 0x%" PRIx64 ", in segment %u", event->block, event->address,
               event->segment);
}

SAY(protect) {
    (void)query, (void)link;
    text_print(out, "segment %u becomes ", event->segment);
    print_prot(out, event->prot);
    text_append(out, ": ");
    put_range(out, event->address, event->size);
}

SAY(action) {
    (void)link;
    text_print(out, "action %u is attached for ", event->action);
    put_range(out, event->address, event->size);
    text_append(out, ": ");
    put_name(out, query, event->finalize.id);
    if (!text_of(query, event->deallocate.id).length)
        return;
    text_append(out, text_of(query, event->finalize.id).length ? ", later " : "later ");
    put_name(out, query, event->deallocate.id);
}

SAY(action_result) {
    (void)link;
    text_print(out, "action %u runs, half ", event->action);
    put_value(out, query, "half", event->half);
    text_append(out, ": ");
    put_value(out, query, "outcome", event->outcome);
    if (!text_of(query, event->message.id).length)
        return;
    text_append(out, ", ");
    put_name(out, query, event->message.id);
}

SAY(registration) {
    (void)link;
    put_range(out, event->address, event->size);
    text_append(out, event->half == HALF_FINALIZE ? " is registered with " : " is withdrawn from ");
    put_name(out, query, event->with.id);
}

SAY(unload) {
    (void)query, (void)link;
    text_print(out, "link %u is unloaded", event->link);
}

/* A message of several lines as one. */
static void put_lines(struct text *out, struct recorded_string text) {
    for (uint32_t start = 0, end; start < text.length; start = end + 1) {
        while (start < text.length && text.bytes[start] == ' ')
            start++;
        for (end = start; end < text.length && text.bytes[end] != '\n';)
            end++;
        text_append_escaped(out, text.bytes + start, end - start);
        if (end < text.length)
            text_append(out, end > start && text.bytes[end - 1] == ':' ? " " : "; ");
    }
}

SAY(link_end) {
    text_print(out, "link %u ends: ", link->number);
    put_value(out, query, "outcome", event->outcome);
    if (!text_of(query, event->error.id).length)
        return;
    text_append(out, ", ");
    put_lines(out, text_of(query, event->error.id));
}

bool say_memory_event(struct text *out, struct why_query *query, const struct mirror_link *link,
                      const struct event_view *view, const union any_event *event) {
    switch (view->type->id) {
#define CASE(name)                                                                                           \
    case EVENT_ID_##name:                                                                                    \
        say_##name(out, query, link, &event->name);                                                          \
        return true;
        CASE(reservation)
        CASE(allocation)
        CASE(segment)
        CASE(block_placed)
        CASE(protect)
        CASE(action)
        CASE(action_result)
        CASE(registration)
        CASE(unload)
        CASE(link_end)
#undef CASE
    default:
        return false;
    }
}
