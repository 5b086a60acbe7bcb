#include "progress.h"

#include "base/os.h"
#include "base/text.h"
#include "statistics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BETWEEN_CHANGES = 50 * 1000 * 1000 }; /* ns */

static const char *field(const struct jitscope_event *event, const char *name) {
    const char *text = jitscope_event_field_text(event, jitscope_event_find_field(event, name));
    return text ? text : "";
}

static uint64_t duration(const struct jitscope_event *event) {
    return jitscope_event_field_number(event, jitscope_event_find_field(event, "duration"));
}

/* --- a terminal --- */

static void draw(struct progress *progress) {
    fprintf(stderr, "\r\033[Kjitscope: linking, %" PRIu64 " inputs%s%s", progress->inputs,
            progress->pass[0] ? ", " : "", progress->pass);
    fflush(stderr);
    progress->visible = true;
}

/* Inputs come by the ten thousand. */
static void change(struct progress *progress, bool now) {
    uint64_t time = os_time_ns();
    if (!now && time < progress->next_time)
        return;
    progress->next_time = time + BETWEEN_CHANGES;
    draw(progress);
}

void progress_end(struct progress *progress) {
    if (progress->visible)
        fputs("\r\033[K", stderr);
    progress->visible = false;
}

/* --- elsewhere --- */

static void print_line(const struct jitscope_event *event, const char *what) {
    struct text out = {0};
    print_duration(&out, duration(event));
    fprintf(stderr, "jitscope: %s: %s, %s\n", what, field(event, "outcome"), out.data ? out.data : "");
    text_destroy(&out);
}

static void tell(struct progress *progress, const struct jitscope_event *event, const char *name) {
    if (strcmp(name, "pass_end") == 0)
        print_line(event, progress->pass);
    else if (strcmp(name, "link_begin") == 0)
        fprintf(stderr, "jitscope: link %" PRIu32 " begins, %" PRIu64 " inputs\n", jitscope_event_link(event),
                progress->inputs);
    else if (strcmp(name, "link_end") == 0)
        print_line(event, "link");
}

void progress_add(struct progress *progress, const struct jitscope_event *event) {
    const char *name = jitscope_event_name(event);
    bool input = strcmp(name, "input") == 0, pass = strcmp(name, "pass_begin") == 0;
    progress->inputs += input;
    if (pass)
        snprintf(progress->pass, sizeof progress->pass, "%s", field(event, "name"));
    if (!progress->terminal)
        tell(progress, event, name);
    else if (strcmp(name, "link_end") == 0)
        progress_end(progress);
    else if (input || pass)
        change(progress, pass);
}
