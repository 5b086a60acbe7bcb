/* The event callback: any event can be read without knowing it beforehand, as fields, as text and as JSON. */
#include "check.h"

#include <string.h>

struct seen {
    unsigned symbols, passes;
    uint64_t next;
    bool gap;
};

static void see(void *context, const struct jitscope_event *event) {
    struct seen *seen = context;
    const char *name = jitscope_event_name(event);
    seen->gap |= jitscope_event_sequence(event) != seen->next;
    seen->next = jitscope_event_sequence(event) + 1;
    seen->passes += !strcmp(name, "pass_end");
    if (strcmp(name, "symbol") != 0)
        return;
    seen->symbols++;
    size_t field = jitscope_event_find_field(event, "name");
    if (strcmp(jitscope_event_field_text(event, field), "fib") != 0)
        return;
    printf("link %u: %s\n", jitscope_event_link(event), jitscope_event_text(event));
    printf("%s\n", jitscope_event_json(event));
    for (size_t i = 0; i < jitscope_event_field_count(event); i++)
        printf("  %-8s %-10s %llu\n", jitscope_event_field_name(event, i),
               jitscope_event_field_text(event, i),
               i == field ? 0 : (unsigned long long)jitscope_event_field_number(event, i));
}

int main(void) {
    struct jitscope_session_options options = {.size = sizeof options, .simulate = true, .base = 0x400000};
    struct jitscope_session *session;
    struct seen seen = {0};
    uint64_t address;
    uint8_t first[4];
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_set_event_callback(session, JITSCOPE_LEVEL_BLOCK, see, &seen));
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_set_event_callback(session, JITSCOPE_LEVEL_DEFAULT, NULL, NULL));

    /* A simulated session: nothing runs, but its memory can be read. */
    check(jitscope_session_lookup(session, "fib", &address));
    check(jitscope_session_read(session, address, first, sizeof first));
    printf("fib lies at 0x%llx\n", (unsigned long long)address);
    printf("symbols %s, passes %s, gaps in the numbering: %s\n", seen.symbols ? "seen" : "missed",
           seen.passes > 10 ? "seen" : "missed", seen.gap ? "yes" : "no");
    jitscope_session_destroy(session);
    return 0;
}
