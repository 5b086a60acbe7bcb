/* A file of check expressions, about a world in which every name means something; then a filter. */
#include "fuzz_common.h"

#include "check/check.h"
#include "mirror/rows.h"

static struct jitscope_error *find_symbol(void *context, const char *name, struct check_symbol *symbol) {
    (void)context;
    *symbol = (struct check_symbol){.address = strlen(name) * 0x1001, .size = 8, .defined = name[0] != 'u'};
    return NULL;
}

static struct jitscope_error *find_entry(void *context, enum check_table table, const char *symbol,
                                         uint64_t *address) {
    (void)context;
    *address = 0x4000 + (uint64_t)table * 0x1000 + strlen(symbol) * 8;
    return NULL;
}

static struct jitscope_error *find_section(void *context, const char *name, uint64_t *start, uint64_t *end) {
    (void)context;
    *start = strlen(name);
    *end = UINT64_MAX;
    return NULL;
}

static struct jitscope_error *read_memory(void *context, uint64_t address, void *buffer, size_t size) {
    (void)context;
    memset(buffer, (int)(address & 0xff), size);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct column columns[] = {{.name = "name", .type = CELL_TEXT},
                                            {.name = "size", .type = CELL_NUMBER}};
    const struct check_world world = {NULL, find_symbol, find_entry, find_section, read_memory};
    const struct cell row[] = {{.text = "main", .length = 4}, {.number = 16, .text = ""}};
    uint32_t count;
    fuzz_expect_message(check_file("fuzz", (struct bytes){data, size}, &world, &count));
    fuzz_expect_message(check_expression((const char *)data, size, &world));
    char *text = malloc(size + 1);
    struct filter *filter = NULL;
    if (!text)
        abort();
    if (size)
        memcpy(text, data, size);
    text[size] = 0;
    struct jitscope_error *error = filter_parse(text, columns, 2, &filter);
    if (!error) {
        filter_accepts(filter, columns, row);
        filter_destroy(filter);
    }
    fuzz_expect_message(error);
    free(text);
    return 0;
}
