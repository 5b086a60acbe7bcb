#include "executor/code_names.h"

#include "base/os.h"

#include <string.h>

/* One piece of memory, texts behind the functions. */
struct code_batch {
    struct code_batch *next;
    uint32_t link, count;
    struct code_function functions[];
};

struct jitscope_error *code_names_add(struct code_names *names, uint32_t link,
                                      const struct code_function *functions, uint32_t count) {
    size_t size = sizeof(struct code_batch) + count * sizeof *functions;
    for (uint32_t i = 0; i < count; i++)
        size += strlen(functions[i].name) + 1;
    struct code_batch *batch = os_allocate(size);
    if (!batch)
        return error_no_memory();
    *batch = (struct code_batch){.next = names->batches, .link = link, .count = count};
    char *text = (char *)(batch->functions + count);
    for (uint32_t i = 0; i < count; i++) {
        size_t length = strlen(functions[i].name) + 1;
        batch->functions[i] = functions[i];
        batch->functions[i].name = memcpy(text, functions[i].name, length);
        text += length;
    }
    names->batches = batch;
    return NULL;
}

void code_names_drop(struct code_names *names, uint32_t link) {
    for (struct code_batch **at = &names->batches; *at;) {
        struct code_batch *batch = *at;
        if (batch->link != link) {
            at = &batch->next;
            continue;
        }
        *at = batch->next;
        os_release(batch);
    }
}

void code_names_destroy(struct code_names *names) {
    while (names->batches) {
        struct code_batch *batch = names->batches;
        names->batches = batch->next;
        os_release(batch);
    }
}

/* The nearest in front of ADDRESS that does not end there; of those at one place the first. */
bool code_names_find(const struct code_names *names, uint64_t address, struct code_function *function) {
    *function = (struct code_function){0};
    for (const struct code_batch *batch = names->batches; batch; batch = batch->next)
        for (uint32_t i = 0; i < batch->count; i++) {
            const struct code_function *at = &batch->functions[i];
            if (at->address <= address && (!at->size || address - at->address < at->size) &&
                (!function->name || at->address > function->address))
                *function = *at;
        }
    return function->name != NULL;
}
