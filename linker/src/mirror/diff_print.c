/* Findings as text and as JSON. */
#include "mirror/diff.h"

#include <inttypes.h>

enum { DEEPEST = 16 };

static void print_line(struct text *out, const struct diff_finding *finding, unsigned depth) {
    for (unsigned i = 0; i < depth; i++)
        text_append(out, "  ");
    if (depth)
        text_append(out, "so ");
    else if (finding->link > 1)
        text_print(out, "link %u: ", finding->link);
    text_append(out, finding->text);
    text_append(out, "\n");
}

/* Causes stand before their consequences in the list. */
static void print_with_consequences(struct text *out, const struct diff *diff, uint32_t id, unsigned depth) {
    print_line(out, &diff->findings.data[id], depth);
    for (uint32_t i = id + 1; i < diff->findings.count && depth < DEEPEST; i++)
        if (diff->findings.data[i].cause == id)
            print_with_consequences(out, diff, i, depth + 1);
}

void diff_print_text(struct text *out, const struct diff *diff) {
    if (!diff->differences)
        text_append(out, "the same decisions\n");
    for (uint32_t i = 0; i < diff->findings.count; i++)
        if (diff->findings.data[i].cause == NO_ID)
            print_with_consequences(out, diff, i, 0);
}

static void print_json_finding(struct text *out, const struct diff_finding *finding) {
    text_print(out, "{\"what\":\"%s\",\"link\":%u,\"difference\":%s,\"cause\":", finding->what, finding->link,
               finding->note ? "false" : "true");
    if (finding->cause == NO_ID)
        text_append(out, "null");
    else
        text_print(out, "%u", finding->cause);
    text_append(out, finding->fields);
    text_append(out, ",\"text\":\"");
    text_append_json(out, finding->text, __builtin_strlen(finding->text));
    text_append(out, "\"}");
}

void diff_print_json(struct text *out, const struct diff *diff) {
    text_append(out, "[");
    for (uint32_t i = 0; i < diff->findings.count; i++) {
        text_append(out, i ? ",\n" : "\n");
        print_json_finding(out, &diff->findings.data[i]);
    }
    text_append(out, diff->findings.count ? "\n]\n" : "]\n");
}
