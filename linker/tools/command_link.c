/* jitscope link: a link into simulated memory, and where everything came to lie. */
#include "commands.h"
#include "job.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct summary {
    const struct job *job;
    bool has_entry;
    uint64_t entry;
};

static void print_text(const struct summary *summary, struct text *out) {
    const struct statistics *statistics = &summary->job->statistics;
    for (uint32_t i = 0; i < statistics->segments.count; i++) {
        const struct segment_line *segment = &statistics->segments.data[i];
        uint64_t size = segment->content_size + segment->zero_fill_size;
        text_print(out, "segment  %s  0x%016" PRIx64 "-0x%016" PRIx64 "  0x%" PRIx64 " bytes", segment->prot,
                   segment->address, segment->address + size, segment->content_size);
        if (segment->zero_fill_size)
            text_print(out, " + 0x%" PRIx64 " zero-filled", segment->zero_fill_size);
        if (strcmp(segment->lifetime, "standard") != 0)
            text_print(out, "  (%s)", segment->lifetime);
        text_append(out, "\n");
    }
    const char *name = job_entry_name(summary->job->options);
    text_append(out, "entry    ");
    if (summary->has_entry)
        text_print(out, "0x%016" PRIx64 "  ", summary->entry);
    text_append_escaped(out, name, strlen(name));
    text_append(out, summary->has_entry ? "\n" : " is not defined\n");
}

static void print_json(const struct summary *summary, struct text *out) {
    const struct statistics *statistics = &summary->job->statistics;
    text_append(out, "{\"segments\": [");
    for (uint32_t i = 0; i < statistics->segments.count; i++) {
        const struct segment_line *segment = &statistics->segments.data[i];
        text_print(out,
                   "%s\n  {\"prot\": \"%s\", \"lifetime\": \"%s\", \"address\": %" PRIu64
                   ", \"content_size\": %" PRIu64 ", \"zero_fill_size\": %" PRIu64 "}",
                   i ? "," : "", segment->prot, segment->lifetime, segment->address, segment->content_size,
                   segment->zero_fill_size);
    }
    text_append(out, "],\n \"entry\": ");
    const char *name = job_entry_name(summary->job->options);
    if (summary->has_entry) {
        text_append(out, "{\"name\": \"");
        text_append_json(out, name, strlen(name));
        text_print(out, "\", \"address\": %" PRIu64 "}}\n", summary->entry);
    } else {
        text_append(out, "null}\n");
    }
}

/* A link without main is none the worse, unless --entry was given. */
static struct jitscope_error *find_entry(struct summary *summary) {
    struct jitscope_error *error = job_entry(summary->job, &summary->entry);
    summary->has_entry = !error;
    if (summary->job->options->entry || jitscope_error_code(error) != JITSCOPE_ERROR_NOT_FOUND)
        return error;
    jitscope_error_destroy(error);
    return NULL;
}

static struct jitscope_error *print(const struct job *job) {
    struct summary summary = {.job = job};
    struct text out = {0};
    TRY(find_entry(&summary));
    if (job->options->json)
        print_json(&summary, &out);
    else
        print_text(&summary, &out);
    bool failed = out.failed || job->statistics.incomplete;
    fputs(failed ? "" : out.data, stdout);
    text_destroy(&out);
    return failed ? error_no_memory() : NULL;
}

static struct jitscope_error *refuse_arguments(const struct options *options) {
    if (!options->words.dashes)
        return NULL;
    return error_with_help(
        error_create(JITSCOPE_ERROR_USAGE, "`jitscope link` runs nothing that could take arguments"),
        "leave -- and what follows out");
}

struct jitscope_error *command_link(const struct options *options) {
    struct job_settings settings = {.simulate = true, .count = true};
    struct job job;
    TRY(refuse_arguments(options));
    struct jitscope_error *error = job_create(options, &settings, &job);
    if (!error)
        error = print(&job);
    job_destroy(&job);
    return error;
}
