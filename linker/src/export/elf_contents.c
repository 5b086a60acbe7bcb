#include "export/elf_contents.h"

#include "base/map64.h"

#include <stdlib.h>
#include <string.h>

/* --- segments */

static struct jitscope_error *add_segments(struct elf_contents *contents, const struct mirror_link *link) {
    for (uint32_t i = 0; i < link->segments.count; i++) {
        const struct mirror_segment *segment = &link->segments.data[i];
        const struct event_segment *event = &segment->event;
        if (segment_stays(segment) && (event->content_size || event->zero_fill_size))
            TRY(vec_push(
                &contents->segments,
                (struct elf_segment){.address = event->address,
                                     .content = event->content_size,
                                     .zero_fill = event->zero_fill_size,
                                     .prot = segment->final_prot ? segment->final_prot : event->prot}));
    }
    return NULL;
}

static int segment_order(const void *a, const void *b) {
    const struct elf_segment *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

static struct jitscope_error *check_segments(const struct elf_contents *contents) {
    uint64_t end = 0;
    for (uint32_t i = 0; i < contents->segments.count; i++) {
        const struct elf_segment *segment = &contents->segments.data[i];
        uint64_t size;
        if (segment->address < end || __builtin_add_overflow(segment->content, segment->zero_fill, &size) ||
            __builtin_add_overflow(segment->address, size, &end))
            return error_create(JITSCOPE_ERROR_RECORDING, "segments that lie on each other at 0x%llx",
                                (unsigned long long)segment->address);
    }
    return NULL;
}

/* The one that ADDRESS, the start of a block in memory, lies in. */
static uint32_t segment_at(const struct elf_contents *contents, uint64_t address) {
    uint32_t low = 0, high = contents->segments.count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (contents->segments.data[middle].address <= address)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* --- sections */

/* The section reaches from its lowest block in memory to the end of its highest: SIZE is that end at first.
 */
static void stretch(struct elf_section *section, const struct mirror_block *block) {
    uint64_t end = block->address + block->event.size;
    if (!section->size || block->address < section->address)
        section->address = block->address;
    if (end > section->size)
        section->size = end;
}

/* Those of LINK that are at the end of the list, where empty ones leave it. */
static void settle_sections(struct elf_contents *contents, uint32_t first) {
    uint32_t kept = first;
    for (uint32_t i = first; i < contents->sections.count; i++) {
        struct elf_section section = contents->sections.data[i];
        if (!section.size)
            continue;
        section.size -= section.address;
        section.segment = segment_at(contents, section.address);
        contents->sections.data[kept++] = section;
    }
    contents->sections.count = kept;
}

static struct jitscope_error *add_sections(struct elf_contents *contents, const struct mirror_link *link) {
    uint32_t first = contents->sections.count;
    TRY(vec_reserve(&contents->numbers, link->sections.count));
    TRY(vec_reserve(&contents->sections, link->sections.count));
    for (uint32_t i = 0; i < link->sections.count; i++) {
        const struct event_section *event = &link->sections.data[i].event;
        vec_put(&contents->sections, (struct elf_section){.slot = contents->numbers.count,
                                                          .name = event->name.id,
                                                          .prot = event->prot});
        vec_put(&contents->numbers, 0);
    }
    for (uint32_t i = 0; i < link->blocks.count; i++) {
        const struct mirror_block *block = &link->blocks.data[i];
        if (block->event.size && block_home(link, block) && block->event.section < link->sections.count)
            stretch(&contents->sections.data[first + block->event.section], block);
    }
    settle_sections(contents, first);
    return NULL;
}

static int section_order(const void *a, const void *b) {
    const struct elf_section *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* More would need SHN_XINDEX, which debuggers read less well: the symbols of those that are left out are
 * absolute. */
enum { MOST_SECTIONS = SHN_LORESERVE - 64 };

static void number_sections(struct elf_contents *contents) {
    if (contents->sections.count)
        qsort(contents->sections.data, contents->sections.count, sizeof *contents->sections.data,
              section_order);
    if (contents->sections.count > MOST_SECTIONS)
        contents->sections.count = MOST_SECTIONS;
    for (uint32_t i = 0; i < contents->sections.count; i++)
        contents->numbers.data[contents->sections.data[i].slot] = i + 1;
}

/* --- symbols */

uint32_t elf_contents_name(struct text *table, struct recorded_string name, const char *suffix) {
    uint32_t at = (uint32_t)table->length;
    if (!name.length)
        return 0;
    text_append_bytes(table, name.bytes, strnlen(name.bytes, name.length));
    text_append_bytes(table, suffix, strlen(suffix) + 1);
    return at;
}

static unsigned char symbol_info(const struct mirror_symbol *symbol) {
    unsigned bind = symbol->scope == SCOPE_LOCAL      ? STB_LOCAL
                    : symbol->linkage == LINKAGE_WEAK ? STB_WEAK
                                                      : STB_GLOBAL;
    unsigned type = symbol->kind == SYMBOL_KIND_FUNCTION || symbol->kind == SYMBOL_KIND_IFUNC ? STT_FUNC
                    : symbol->kind == SYMBOL_KIND_OBJECT                                      ? STT_OBJECT
                                                                                              : STT_NOTYPE;
    return (unsigned char)ELF64_ST_INFO(bind, type);
}

/* Sections speak for themselves, and thread-local variables have no one address. */
static bool is_shown(const struct mirror_symbol *symbol) {
    return symbol->known && symbol->state == SYMBOL_DEFINED && symbol->kind != SYMBOL_KIND_SECTION &&
           symbol->kind != SYMBOL_KIND_TLS;
}

static struct jitscope_error *add_definition(struct elf_contents *contents, const struct mirror_link *link,
                                             uint32_t first_slot, const struct mirror_symbol *symbol) {
    struct recorded_string name = recording_string(contents->source->file, symbol->name);
    const struct mirror_block *block = mirror_block(link, symbol->block);
    bool absolute = symbol->block == NO_ID;
    uint64_t address;
    if (!is_shown(symbol) || !name.length || !mirror_symbol_address(link, symbol, &address) ||
        (!absolute && (!block_home(link, block) || block->event.section >= link->sections.count)))
        return NULL;
    uint32_t number = absolute ? 0 : contents->numbers.data[first_slot + block->event.section];
    if (name.length == 4 && !memcmp(name.bytes, "main", 4) && symbol->scope != SCOPE_LOCAL)
        contents->entry = address;
    return vec_push(&contents->symbols,
                    (Elf64_Sym){.st_name = elf_contents_name(&contents->strings, name, ""),
                                .st_info = symbol_info(symbol),
                                .st_other = symbol->scope == SCOPE_HIDDEN ? STV_HIDDEN : STV_DEFAULT,
                                .st_shndx = (Elf64_Section)(number ? number : SHN_ABS),
                                .st_value = address,
                                .st_size = symbol->size});
}

/* A stub or a slot. */
static struct jitscope_error *add_entry(struct elf_contents *contents, const struct mirror_link *link,
                                        uint32_t first_slot, const struct event_table_entry *entry) {
    static const char *const suffixes[] = {[TABLE_GOT] = "@got", [TABLE_PLT] = "@plt", [TABLE_TLS] = "@tls"};
    const struct mirror_block *block = mirror_block(link, entry->block);
    const struct mirror_symbol *target = mirror_symbol(link, entry->target);
    struct recorded_string name = recording_string(contents->source->file, target ? target->name : 0);
    if (!block_home(link, block) || block->event.section >= link->sections.count || !name.length ||
        entry->table >= sizeof suffixes / sizeof *suffixes)
        return NULL;
    uint32_t number = contents->numbers.data[first_slot + block->event.section];
    unsigned type = entry->table == TABLE_PLT ? STT_FUNC : STT_OBJECT;
    return vec_push(&contents->symbols, (Elf64_Sym){.st_name = elf_contents_name(&contents->strings, name,
                                                                                 suffixes[entry->table]),
                                                    .st_info = (unsigned char)ELF64_ST_INFO(STB_LOCAL, type),
                                                    .st_shndx = (Elf64_Section)(number ? number : SHN_ABS),
                                                    .st_value = block->address,
                                                    .st_size = block->event.size});
}

/* What the outside world defines, so that a call that goes straight there has a name.  Once for all links. */
static struct jitscope_error *add_external(struct elf_contents *contents, struct map64 *seen,
                                           const struct mirror_symbol *symbol) {
    struct recorded_string name = recording_string(contents->source->file, symbol->name);
    if (!symbol->known || symbol->state != SYMBOL_EXTERNAL_RESOLVED || symbol->provider == PROVIDER_SESSION ||
        symbol->provider == PROVIDER_WEAK_UNDEFINED || symbol->provider == PROVIDER_IFUNC || !name.length ||
        map64_find(seen, symbol->name) != MAP64_NO_VALUE)
        return NULL;
    TRY(map64_set(seen, symbol->name, 1));
    return vec_push(&contents->symbols,
                    (Elf64_Sym){.st_name = elf_contents_name(&contents->strings, name, ""),
                                .st_info = (unsigned char)ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE),
                                .st_shndx = SHN_ABS,
                                .st_value = symbol->address});
}

static struct jitscope_error *add_symbols(struct elf_contents *contents, struct map64 *seen) {
    uint32_t first_slot = 0;
    for (uint32_t l = 0; l < contents->links.list.count; l++) {
        const struct mirror_link *link = contents->links.list.data[l];
        for (uint32_t i = 0; i < link->symbols.count; i++) {
            TRY(add_definition(contents, link, first_slot, &link->symbols.data[i]));
            TRY(add_external(contents, seen, &link->symbols.data[i]));
        }
        for (uint32_t i = 0; i < link->entries.count; i++)
            TRY(add_entry(contents, link, first_slot, &link->entries.data[i]));
        first_slot += link->sections.count;
    }
    return NULL;
}

static int symbol_order(const void *a, const void *b) {
    const Elf64_Sym *x = a, *y = b;
    bool left = ELF64_ST_BIND(x->st_info) != STB_LOCAL, right = ELF64_ST_BIND(y->st_info) != STB_LOCAL;
    if (left != right)
        return left ? 1 : -1;
    if (x->st_value != y->st_value)
        return x->st_value < y->st_value ? -1 : 1;
    return x->st_name < y->st_name ? -1 : x->st_name > y->st_name;
}

static struct jitscope_error *find_symbols(struct elf_contents *contents) {
    struct map64 seen = {0};
    text_append_bytes(&contents->strings, "", 1);
    struct jitscope_error *error = vec_push(&contents->symbols, (Elf64_Sym){0});
    if (!error)
        error = add_symbols(contents, &seen);
    map64_destroy(&seen);
    TRY(error);
    if (contents->strings.failed)
        return error_no_memory();
    if (contents->strings.length > UINT32_MAX)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "4 GiB of names or more");
    qsort(contents->symbols.data + 1, contents->symbols.count - 1, sizeof(Elf64_Sym), symbol_order);
    while (contents->local_symbols < contents->symbols.count &&
           ELF64_ST_BIND(contents->symbols.data[contents->local_symbols].st_info) == STB_LOCAL)
        contents->local_symbols++;
    return NULL;
}

/* --- the whole */

struct jitscope_error *elf_contents_find(const struct export_source *source, struct elf_contents *contents) {
    *contents = (struct elf_contents){.source = source};
    TRY(live_links_find(source, &contents->links));
    for (uint32_t i = 0; i < contents->links.list.count; i++)
        TRY(add_segments(contents, contents->links.list.data[i]));
    if (contents->segments.count)
        qsort(contents->segments.data, contents->segments.count, sizeof *contents->segments.data,
              segment_order);
    TRY(check_segments(contents));
    for (uint32_t i = 0; i < contents->links.list.count; i++)
        TRY(add_sections(contents, contents->links.list.data[i]));
    number_sections(contents);
    return find_symbols(contents);
}

void elf_contents_destroy(struct elf_contents *contents) {
    live_links_destroy(&contents->links);
    vec_destroy(&contents->segments);
    vec_destroy(&contents->sections);
    vec_destroy(&contents->numbers);
    vec_destroy(&contents->symbols);
    text_destroy(&contents->strings);
}
