/* A recording, asked why, and asked again through a mirror on demand; compared with itself, nothing differs.
 * Digests are made right first: behind them is what wants testing. */
#include "fuzz_mend.h"

#include "mirror/diff.h"
#include "mirror/why.h"

static struct mirror *demand; /* of the same recording */

static struct text answer_of(const struct mirror *mirror, const char *question) {
    struct why_answer answer;
    struct text out = {0};
    struct jitscope_error *error = why_ask(mirror, question, NULL, &answer);
    if (!error) {
        FUZZ_HOLDS(answer.steps.count > 0 && answer.steps.data[0].kind == WHY_ANSWER);
        why_print_text(&out, &answer);
        why_print_json(&out, &answer);
        why_destroy(&answer);
    }
    text_append(&out, error ? jitscope_error_message(error) : "");
    fuzz_expect_message(error);
    return out;
}

static void ask(const struct mirror *mirror, const char *question) {
    struct text a = answer_of(mirror, question), b = answer_of(demand, question);
    FUZZ_HOLDS(a.length == b.length && !memcmp(a.data, b.data, a.length));
    text_destroy(&a);
    text_destroy(&b);
}

/* Of one name everything that can be asked. */
static void ask_name(const struct mirror *mirror, uint32_t name) {
    static const char *const prefixes[] = {"", "got:", "plt:", "discard:"};
    struct recorded_string string = recording_string(mirror->file, name);
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        struct text question = {0};
        text_append(&question, prefixes[i]);
        text_append_bytes(&question, string.bytes, string.length);
        ask(mirror, question.data ? question.data : "");
        text_destroy(&question);
    }
}

/* Some names and addresses of each link; all of them would take too long. */
static void ask_link(const struct mirror *mirror, const struct mirror_link *link) {
    enum { MOST = 8 };
    for (uint32_t i = 0; i < link->symbols.count; i += link->symbols.count / MOST + 1)
        ask_name(mirror, link->symbols.data[i].name);
    for (uint32_t i = 0; i < link->discards.count && i < MOST; i++)
        ask_name(mirror, link->discards.data[i].section.name.id);
    for (uint32_t i = 0; i < link->blocks.count; i += link->blocks.count / MOST + 1) {
        char address[24];
        snprintf(address, sizeof address, "0x%llx",
                 (unsigned long long)(link->blocks.data[i].address + link->blocks.data[i].event.size / 2));
        ask(mirror, address);
    }
}

static void make_demand(const struct recording_file *file) {
    demand = calloc(1, sizeof *demand);
    if (!demand)
        abort();
    FUZZ_HOLDS(!mirror_open_on_demand(demand, file));
    for (bool done = false; !done;)
        FUZZ_HOLDS(!mirror_index_step(demand, 1000, &done));
}

static void query(const struct recording_file *file) {
    struct mirror *mirror = calloc(1, sizeof *mirror);
    struct diff diff;
    if (!mirror)
        abort();
    struct jitscope_error *error = mirror_load(mirror, file, UINT64_MAX);
    if (!error) {
        make_demand(file);
        for (uint32_t i = 0; i < mirror->links.count && i < 4; i++)
            ask_link(mirror, mirror_link(mirror, i));
        error = diff_mirrors(mirror, demand, &diff);
        if (!error) {
            struct text out = {0};
            diff_print_text(&out, &diff);
            diff_print_json(&out, &diff);
            FUZZ_HOLDS(!diff.differences);
            text_destroy(&out);
            diff_destroy(&diff);
        }
        mirror_destroy(mirror);
        mirror_destroy(demand);
        free(demand);
    }
    fuzz_expect_message(error);
    free(mirror);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct recording_file file;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    mend_digests(copy, size);
    struct jitscope_error *error = recording_open_memory((struct bytes){copy, size}, &file);
    if (!error) {
        query(&file);
        recording_close(&file);
    }
    fuzz_expect_message(error);
    free(copy);
    return 0;
}
