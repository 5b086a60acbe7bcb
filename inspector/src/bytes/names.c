/* What places in memory are called. */
#include "bytes/contents.h"

#include "trace/event.h"

#include <inttypes.h>

static const char *const entry_suffixes[] = {
    [TABLE_GOT] = "@got", [TABLE_PLT] = "@plt", [TABLE_TLS] = "@tls"};

static bool has_name(const struct content_symbol *symbol) {
    return symbol->name.length || symbol->table != NO_TABLE;
}

/* --- which symbol */

/* How far one looks for a symbol that reaches to a place, when others begin behind it. */
enum { MOST_NEIGHBOURS = 64 };

/* The best of those that begin at the same place as number PLACE, which are sorted. */
static bool first_at(struct contents *contents, uint32_t link, uint32_t place,
                     struct content_symbol *symbol) {
    struct content_symbol before;
    for (uint32_t i = 0; i < MOST_NEIGHBOURS && place; i++, place--)
        if (!contents_entry(contents, link, CONTENT_SYMBOLS, place - 1, &before) ||
            before.address != symbol->address)
            break;
    for (uint32_t i = 0; i < MOST_NEIGHBOURS; i++, place++) {
        struct content_symbol found;
        if (!contents_entry(contents, link, CONTENT_SYMBOLS, place, &found) ||
            found.address != symbol->address)
            return false;
        if (found.is_outside || found.is_absolute || !has_name(&found))
            continue;
        *symbol = found;
        return true;
    }
    return false;
}

bool contents_symbol_at(struct contents *contents, uint32_t link, uint64_t address,
                        struct content_symbol *out) {
    struct content_block block;
    struct content_symbol symbol;
    bool found = false;
    if (address == UINT64_MAX || !contents_block_at(contents, link, address, &block))
        return false;
    uint32_t place = contents_first(contents, link, CONTENT_SYMBOLS, address + 1);
    for (uint32_t i = 0; i < MOST_NEIGHBOURS && place--; i++) {
        if (!contents_entry(contents, link, CONTENT_SYMBOLS, place, &symbol) ||
            symbol.address < block.address)
            break;
        if (!first_at(contents, link, place, &symbol))
            continue;
        if (!found || address - symbol.address < symbol.size)
            *out = symbol;
        found = true;
        if (address - symbol.address < symbol.size || symbol.address == address)
            return true;
    }
    return found;
}

/* --- in words */

static void put_offset(struct text *out, uint64_t offset) {
    if (offset)
        text_print(out, "+0x%" PRIx64, offset);
}

/* ".rodata+0x10": by the block alone. */
static bool name_place(struct contents *contents, uint32_t link, uint64_t address, struct text *out) {
    struct content_block block;
    if (!contents_block_at(contents, link, address, &block) || !block.section.length ||
        !contents_text(contents, block.section, out))
        return false;
    put_offset(out, address - block.address);
    return true;
}

/* A table entry is called by what it leads to. */
void contents_symbol_name(struct contents *contents, uint32_t link, const struct content_symbol *symbol,
                          struct text *out) {
    struct content_symbol target;
    if (symbol->table >= sizeof entry_suffixes / sizeof *entry_suffixes) {
        contents_text(contents, symbol->name, out);
        return;
    }
    if (contents_entry(contents, link, CONTENT_SYMBOLS, symbol->leads_to, &target)) {
        if (target.name.length)
            contents_text(contents, target.name, out);
        else
            name_place(contents, link, target.address, out);
    }
    text_append(out, entry_suffixes[symbol->table]);
}

/* A symbol of another batch or of a library, or an absolute one, that is exactly there. */
static bool name_outside(struct contents *contents, uint32_t link, uint64_t address, struct text *out) {
    struct content_symbol symbol;
    uint32_t place = contents_first(contents, link, CONTENT_SYMBOLS, address);
    for (uint32_t i = 0; i < MOST_NEIGHBOURS; i++, place++) {
        if (!contents_entry(contents, link, CONTENT_SYMBOLS, place, &symbol) || symbol.address != address)
            return false;
        if (!symbol.name.length || !symbol.is_outside || symbol.is_nowhere)
            continue;
        contents_symbol_name(contents, link, &symbol, out);
        return true;
    }
    return false;
}

bool contents_name(struct contents *contents, uint32_t link, uint64_t address, struct text *out) {
    struct content_symbol symbol;
    if (contents_symbol_at(contents, link, address, &symbol)) {
        contents_symbol_name(contents, link, &symbol, out);
        put_offset(out, address - symbol.address);
        return true;
    }
    return name_place(contents, link, address, out) || name_outside(contents, link, address, out);
}

/* A symbol without a name stands for its section. */
void contents_target_name(struct contents *contents, uint32_t link, const struct content_fixup *fixup,
                          struct text *out) {
    struct content_symbol symbol;
    if (!contents_entry(contents, link, CONTENT_SYMBOLS, fixup->target, &symbol))
        return;
    if (has_name(&symbol))
        contents_symbol_name(contents, link, &symbol, out);
    else
        name_place(contents, link, symbol.address, out);
}
