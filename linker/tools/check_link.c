#include "check_link.h"

#include "arguments.h"
#include "base/os.h"
#include "check/check.h"
#include "mirror/mirror.h"

#include <inttypes.h>
#include <string.h>

enum { LARGEST_FILE = 64 << 20 };

/* The session's latest link as its recording tells it. */
struct linked {
    struct jitscope_session *session;
    struct mirror mirror;
    const struct mirror_link *link;
};

static bool has_name(const struct linked *linked, uint32_t id, const char *name) {
    struct recorded_string text = recording_string(linked->mirror.file, id);
    return text.length == strlen(name) && memcmp(text.bytes, name, text.length) == 0;
}

/* --- symbols --- */

static bool is_gone(const struct mirror_link *link, const struct mirror_symbol *symbol) {
    const struct mirror_block *block = mirror_block(link, symbol->block);
    return block && block->removed;
}

/* The global symbol of that name, or else the only local one. */
static struct jitscope_error *find(const struct linked *linked, const char *name,
                                   const struct mirror_symbol **found) {
    const struct mirror_link *link = linked->link;
    uint32_t locals = 0;
    *found = NULL;
    for (uint32_t i = 0; i < link->symbols.count; i++) {
        const struct mirror_symbol *symbol = &link->symbols.data[i];
        if (!symbol->known || is_gone(link, symbol) || !has_name(linked, symbol->name, name))
            continue;
        *found = symbol;
        if (symbol->scope != SCOPE_LOCAL)
            return NULL;
        locals++;
    }
    if (locals > 1)
        return error_create(JITSCOPE_ERROR_DUPLICATE, "there are %" PRIu32 " local symbols '%s'", locals,
                            name);
    return locals ? NULL : error_create(JITSCOPE_ERROR_NOT_FOUND, "there is no symbol '%s'", name);
}

static struct jitscope_error *check_symbol(void *context, const char *name, struct check_symbol *out) {
    struct linked *linked = context;
    const struct mirror_symbol *symbol;
    TRY(find(linked, name, &symbol));
    out->size = symbol->size;
    out->defined = symbol->state != SYMBOL_EXTERNAL_RESOLVED || symbol->provider != PROVIDER_WEAK_UNDEFINED;
    if (mirror_symbol_address(linked->link, symbol, &out->address))
        return NULL;
    return error_create(JITSCOPE_ERROR_NOT_FOUND, "the symbol '%s' has no address", name);
}

/* --- tables and sections --- */

static struct jitscope_error *check_entry(void *context, enum check_table table, const char *name,
                                          uint64_t *address) {
    const struct linked *linked = context;
    const struct mirror_link *link = linked->link;
    uint32_t wanted = table == CHECK_GOT ? TABLE_GOT : TABLE_PLT;
    for (uint32_t i = 0; i < link->entries.count; i++) {
        const struct event_table_entry *entry = &link->entries.data[i];
        const struct mirror_symbol *target = mirror_symbol(link, entry->target);
        const struct mirror_block *block = mirror_block(link, entry->block);
        if (entry->table != wanted || !target || !block || !has_name(linked, target->name, name))
            continue;
        *address = block->address;
        return NULL;
    }
    return error_create(JITSCOPE_ERROR_NOT_FOUND, "the %s has no entry for '%s': no code needs one",
                        table == CHECK_GOT ? "GOT" : "PLT", name);
}

static bool is_in(const struct linked *linked, const struct mirror_block *block, const char *section) {
    const struct mirror_section *home = mirror_section(linked->link, block->event.section);
    return block->known && !block->removed && block->segment != NO_ID && home &&
           has_name(linked, home->event.name.id, section);
}

static struct jitscope_error *check_section(void *context, const char *name, uint64_t *start, uint64_t *end) {
    const struct linked *linked = context;
    *start = UINT64_MAX;
    *end = 0;
    for (uint32_t i = 0; i < linked->link->blocks.count; i++) {
        const struct mirror_block *block = &linked->link->blocks.data[i];
        if (!is_in(linked, block, name))
            continue;
        uint64_t behind = block->address + block->event.size;
        *start = block->address < *start ? block->address : *start;
        *end = behind > *end ? behind : *end;
    }
    return *start <= *end
               ? NULL
               : error_create(JITSCOPE_ERROR_NOT_FOUND, "no section '%s' was placed in memory", name);
}

static struct jitscope_error *check_read(void *context, uint64_t address, void *buffer, size_t size) {
    const struct linked *linked = context;
    return jitscope_session_read(linked->session, address, buffer, size);
}

/* --- the file --- */

static struct jitscope_error *check_with(struct linked *linked, const char *path) {
    struct check_world world = {linked, check_symbol, check_entry, check_section, check_read};
    char *text;
    size_t size;
    uint32_t count;
    if (linked->mirror.links.count < 2)
        return error_create(JITSCOPE_ERROR_RECORDING, "the recording holds no link to check");
    linked->link = mirror_link(&linked->mirror, linked->mirror.links.count - 1);
    TRY(file_read(path, LARGEST_FILE, &text, &size));
    struct jitscope_error *error =
        check_file(path, (struct bytes){(const uint8_t *)text, size}, &world, &count);
    os_release(text);
    return error;
}

struct jitscope_error *check_link(struct jitscope_session *session, const char *recording, const char *path) {
    struct linked linked = {.session = session};
    struct recording_file file;
    TRY(recording_open(recording, &file));
    struct jitscope_error *error = mirror_load(&linked.mirror, &file, UINT64_MAX);
    if (!error) {
        error = check_with(&linked, path);
        mirror_destroy(&linked.mirror);
    }
    recording_close(&file);
    return error;
}
