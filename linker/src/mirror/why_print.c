/* An answer as text and as JSON. */
#include "mirror/why_query.h"
#include "trace/print.h"

#include <inttypes.h>
#include <stdio.h>

static struct recorded_string recorded_text(const void *context, uint32_t id) {
    return recording_string(context, id);
}

static uint64_t number_of(const struct why_answer *answer, const struct why_step *step) {
    if (step->kind != WHY_EVENT)
        return UINT64_MAX;
    return answer->numbers ? answer->numbers[step->event.sequence] : step->event.sequence;
}

static void print_step(struct text *out, const struct why_answer *answer, const struct why_step *step) {
    char number[24] = "";
    if (number_of(answer, step) != UINT64_MAX)
        snprintf(number, sizeof number, "#%" PRIu64, number_of(answer, step));
    if (step->kind != WHY_ANSWER)
        text_print(out, "%10s  ", number);
    text_append(out, step->text);
    text_append(out, "\n");
}

void why_print_text(struct text *out, const struct why_answer *answer) {
    for (uint32_t i = 0; i < answer->steps.count; i++) {
        const struct why_step *step = &answer->steps.data[i];
        if (i && step->kind == WHY_ANSWER)
            text_append(out, "\n");
        print_step(out, answer, step);
    }
}

static void print_json_step(struct text *out, const struct why_answer *answer, const struct why_step *step,
                            const struct name_source *names) {
    uint64_t number = number_of(answer, step);
    if (step->kind == WHY_EVENT) {
        text_append(out, "{\"sequence\":");
        text_print(out, number == UINT64_MAX ? "null" : "%" PRIu64, number);
        text_print(out, ",\"chain\":%u,\"what\":\"%s\",\"link_number\":%u", step->chain,
                   step->event.type->name, step->event.link);
        event_print_json_fields(out, &step->event, names);
    } else {
        text_print(out, "{\"sequence\":null,\"chain\":%u,\"what\":\"%s\"", step->chain,
                   step->kind == WHY_ANSWER ? "answer" : "note");
        text_append(out, step->fields);
    }
    text_append(out, ",\"text\":\"");
    text_append_json(out, step->text, __builtin_strlen(step->text));
    text_append(out, "\"}");
}

void why_print_json(struct text *out, const struct why_answer *answer) {
    const struct mirror *mirror = answer->mirror;
    struct name_source names = {.text = recorded_text,
                                .context = mirror->file,
                                .edge_kinds = mirror->edge_kinds.data,
                                .edge_kind_count = mirror->edge_kinds.count};
    text_append(out, "[");
    for (uint32_t i = 0; i < answer->steps.count; i++) {
        text_append(out, i ? ",\n" : "\n");
        print_json_step(out, answer, &answer->steps.data[i], &names);
    }
    text_append(out, answer->steps.count ? "\n]\n" : "]\n");
}
