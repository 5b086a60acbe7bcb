/* Words and lists for findings.  Names are input: they are escaped. */
#include "mirror/diff_state.h"

#include <inttypes.h>

enum { SHOWN_NAMES = 5 };

void put_shared(struct text *out, const struct diff_work *work, uint32_t name) {
    struct pooled_string text = work->names.strings.data[name];
    text_append_escaped(out, text.bytes, text.length);
}

void put_shared_json(struct text *out, const struct diff_work *work, const char *member, uint32_t name) {
    struct pooled_string text = work->names.strings.data[name];
    text_print(out, ",\"%s\":\"", member);
    text_append_json(out, text.bytes, text.length);
    text_append(out, "\"");
}

void put_diff_input(struct text *out, const struct diff_work *work, uint32_t id) {
    uint32_t count = work->a.mirror->inputs.count;
    const struct side *side = id < count ? &work->a : &work->b;
    const struct mirror_input *input =
        id == NO_ID ? NULL : mirror_input(side->mirror, id < count ? id : id - count);
    if (input)
        put_shared(out, work, shared_name(side, input->event.name.id));
    else
        text_append(out, "the linker");
}

void put_times(struct text *out, uint64_t count, const char *what) {
    text_print(out, "%" PRIu64 " %s%s", count, what, count == 1 ? "" : "s");
}

void put_shift(struct text *out, uint64_t by) {
    if ((int64_t)by < 0)
        text_print(out, "-0x%" PRIx64, 0 - by);
    else
        text_print(out, "+0x%" PRIx64, by);
}

void name_list_add(struct name_list *list, const struct diff_work *work, uint32_t name) {
    struct pooled_string text = work->names.strings.data[name];
    if (list->count < SHOWN_NAMES) {
        text_append(&list->shown, list->count ? ", " : "");
        put_shared(&list->shown, work, name);
    }
    text_append(&list->json, list->count++ ? ",\"" : "\"");
    text_append_json(&list->json, text.bytes, text.length);
    text_append(&list->json, "\"");
}

void name_list_put(struct text *out, struct text *fields, struct name_list *list) {
    text_append(out, list->shown.data ? list->shown.data : "");
    if (list->count > SHOWN_NAMES)
        text_print(out, " and %u more", list->count - SHOWN_NAMES);
    text_print(fields, ",\"names\":[%s]", list->json.data ? list->json.data : "");
    out->failed |= list->shown.failed || list->json.failed;
    text_destroy(&list->shown);
    text_destroy(&list->json);
    *list = (struct name_list){0};
}
