/* Nothing that is read here is trusted: chains end, sizes have limits, tables are held against what holds
 * them. The process stands still while it is read, but may have been stopped in the middle of a change. */
#include "target_code.h"

#include "base/os.h"
#include "dwarf/dwarf_lines.h"
#include "executor/debug_image.h"
#include "executor/executor_nongnu.h"

#include <stdlib.h>

enum { MOST_BATCHES = 1 << 22, MOST_SECTION = 256 << 20, EXECUTE = 4 };

/* Of all that is read together. */
#define MOST_DESCRIPTIONS ((uint64_t)1 << 30)
#define MOST_IMAGES       ((uint64_t)4 << 30)

struct target_image {
    struct debuggee_elf elf;
    struct symbol_index symbols;
    struct bytes names;
    struct dwarf_lines lines;
    bool has_lines;
};

/* --- batches */

static bool copy(const struct target_code *code, uint64_t address, void *to, uint64_t size) {
    return code->process->memory.read(code->process->memory.context, address, to, size);
}

static bool table_fits(const struct debug_image_header *header, struct debug_table table, size_t entry) {
    bool aligned = entry == 1 || table.offset % sizeof(uint64_t) == 0;
    return aligned && table.offset <= header->description_size &&
           (uint64_t)table.count * entry <= header->description_size - table.offset;
}

static bool is_whole(const struct debug_image_header *header, uint32_t size) {
    return header->description_size == size &&
           table_fits(header, header->segments, sizeof(struct debuggee_segment)) &&
           table_fits(header, header->sections, sizeof(struct debuggee_section)) &&
           table_fits(header, header->strings, 1);
}

static bool is_eh_frame(const uint8_t *description, const struct debug_image_header *header,
                        const struct debuggee_section *section) {
    struct bytes strings = {description + header->strings.offset, header->strings.count};
    size_t length;
    const char *name = bytes_string(strings, section->name, &length);
    return name && !strcmp(name, ".eh_frame");
}

static struct jitscope_error *add_ranges(struct target_code *code, const uint8_t *description) {
    const struct debug_image_header *header = (const void *)description;
    const struct debuggee_segment *segments = (const void *)(description + header->segments.offset);
    const struct debuggee_section *sections = (const void *)(description + header->sections.offset);
    struct target_range range = {0};
    for (uint32_t i = 0; i < header->sections.count; i++)
        if (is_eh_frame(description, header, &sections[i])) {
            range.eh_frame = sections[i].address;
            range.eh_frame_size = sections[i].size;
        }
    for (uint32_t i = 0; i < header->segments.count; i++) {
        if (!(segments[i].prot & EXECUTE) || !segments[i].size)
            continue;
        range.start = segments[i].address;
        if (__builtin_add_overflow(range.start, segments[i].size, &range.end))
            continue;
        TRY(vec_push(&code->ranges, range));
    }
    return NULL;
}

static struct jitscope_error *read_batch(struct target_code *code, const struct debuggee_batch *batch) {
    uint32_t size = batch->description_size;
    if (size < sizeof(struct debug_image_header))
        return NULL;
    uint8_t *description = os_allocate(size);
    if (!description)
        return error_no_memory();
    struct jitscope_error *error = NULL;
    if (copy(code, batch->description, description, size) && is_whole((const void *)description, size))
        error = add_ranges(code, description);
    os_release(description);
    return error;
}

static int by_start(const void *a, const void *b) {
    const struct target_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static struct jitscope_error *read_batches(struct target_code *code) {
    struct debuggee_batch batch;
    uint64_t address = code->root.batch, size = 0, seen = 0;
    for (uint32_t i = 0; address && i < MOST_BATCHES && copy(code, address, &batch, sizeof batch); i++) {
        size += batch.description_size;
        if (address == seen || size > MOST_DESCRIPTIONS)
            break;
        if (is_power_of_two(i))
            seen = address; /* a circle comes back to one of these */
        TRY(read_batch(code, &batch));
        address = batch.next;
    }
    if (code->ranges.count)
        qsort(code->ranges.data, code->ranges.count, sizeof *code->ranges.data, by_start);
    return NULL;
}

/* --- images */

static void destroy_image(struct target_image *image) {
    symbol_index_destroy(&image->symbols);
    os_release((void *)(uintptr_t)image->names.data);
    if (image->has_lines)
        dwarf_lines_destroy(&image->lines);
    os_release(image);
}

static struct jitscope_error *index_symbols(struct target_image *image, struct bytes table) {
    for (uint64_t at = 0; table.size - at >= sizeof(Elf64_Sym); at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        size_t length;
        memcpy(&symbol, table.data + at, sizeof symbol);
        TRY(symbol_index_add(&image->symbols, &symbol, bytes_string(image->names, symbol.st_name, &length),
                             0));
    }
    symbol_index_sort(&image->symbols);
    return NULL;
}

/* One that is damaged is left out. */
static struct jitscope_error *read_image(struct target_code *code, const struct debuggee_image *record) {
    const struct debuggee_memory *memory = &code->process->memory;
    struct bytes symbols = {NULL, 0};
    TRY(vec_reserve(&code->images, 1));
    struct target_image *image = os_allocate_zeroed(sizeof *image);
    if (!image)
        return error_no_memory();
    struct jitscope_error *error = NULL;
    bool readable = !debuggee_view_elf(memory, record, &image->elf) &&
                    !debuggee_view_section(memory, &image->elf, ".symtab", &symbols) &&
                    !debuggee_view_section(memory, &image->elf, ".strtab", &image->names);
    if (readable)
        error = index_symbols(image, symbols);
    os_release((void *)(uintptr_t)symbols.data);
    if (readable && !error)
        vec_put(&code->images, image);
    else
        destroy_image(image);
    return error;
}

static struct jitscope_error *read_images(struct target_code *code) {
    struct debuggee_image *images;
    uint32_t count;
    code->absent = debuggee_view_images(&code->process->memory, &code->root, &images, &count);
    struct jitscope_error *error = NULL;
    uint64_t left = MOST_IMAGES;
    for (uint32_t i = 0; images && i < count && !error && images[i].size <= left; i++) {
        left -= images[i].size;
        error = read_image(code, &images[i]);
    }
    os_release(images);
    return error;
}

/* --- the root */

static bool is_root_at(struct target_code *code, uint64_t address) {
    return !debuggee_view_root(&code->process->memory, address, &code->root);
}

static struct jitscope_error *search_root_in(struct target_code *code, struct target_data data, bool *found) {
    uint64_t size = data.end - data.start;
    if (size > MOST_SECTION)
        return NULL;
    uint8_t *copied = os_allocate(size);
    if (!copied)
        return error_no_memory();
    if (copy(code, data.start, copied, size))
        for (uint64_t at = 0; at + sizeof code->root <= size && !*found; at += _Alignof(struct debuggee))
            *found = !memcmp(copied + at, DEBUGGEE_MAGIC, sizeof DEBUGGEE_MAGIC) &&
                     is_root_at(code, data.start + at);
    os_release(copied);
    return NULL;
}

/* Programs are installed without their symbols: the root is known by how it begins, too. */
static struct jitscope_error *search_root(struct target_code *code) {
    bool found = false;
    for (uint32_t i = 0; i < code->process->data.count && !found; i++)
        TRY(search_root_in(code, code->process->data.data[i], &found));
    code->absent = found ? NULL : "it does not contain jitscope";
    return NULL;
}

/* --- the whole */

struct jitscope_error *target_code_open(struct target_process *process, struct target_code *code) {
    *code = (struct target_code){.process = process};
    uint64_t address = target_process_symbol(process, "jitscope_debuggee");
    struct jitscope_error *error = NULL;
    if (address)
        code->absent = debuggee_view_root(&process->memory, address, &code->root);
    else
        error = search_root(code);
    if (error || code->absent)
        return error;
    code->changing = code->root.change & 1;
    error = read_batches(code);
    return error ? error : read_images(code);
}

void target_code_close(struct target_code *code) {
    for (uint32_t i = 0; i < code->ranges.count; i++)
        executor_nongnu_table_destroy(code->ranges.data[i].table);
    vec_destroy(&code->ranges);
    for (uint32_t i = 0; i < code->images.count; i++)
        destroy_image(code->images.data[i]);
    vec_destroy(&code->images);
}

/* --- questions */

struct target_range *target_code_range_at(struct target_code *code, uint64_t address) {
    uint32_t low = 0, high = code->ranges.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (code->ranges.data[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < code->ranges.count && code->ranges.data[low].start <= address;
    return found ? &code->ranges.data[low] : NULL;
}

/* Records that are whole and end: what executor_nongnu_table_create() wants. */
static bool is_sound(struct bytes section) {
    for (uint64_t at = 0; bytes_contain(section, at, 4);) {
        uint64_t length = load_u32(section.data + at);
        if (!length)
            return true;
        if (length < 4 || length >= 0xfffffff0 || !bytes_contain(section, at + 4, length))
            return false;
        at += 4 + length;
    }
    return false;
}

struct nongnu_table *target_code_unwind_table(struct target_code *code, struct target_range *range) {
    if (range->asked || !range->eh_frame_size || range->eh_frame_size > MOST_SECTION)
        return range->table;
    range->asked = true;
    uint8_t *section = os_allocate(range->eh_frame_size);
    if (section && copy(code, range->eh_frame, section, range->eh_frame_size) &&
        is_sound((struct bytes){section, range->eh_frame_size}))
        range->table =
            executor_nongnu_table_create((struct bytes){section, range->eh_frame_size}, range->eh_frame);
    os_release(section);
    return range->table;
}

/* Rows of which the last at or before ADDRESS counts: what it ends holds nothing. */
static void find_line(struct target_code *code, struct target_image *image, uint64_t address,
                      struct target_function *function) {
    if (!image->has_lines) {
        image->has_lines = true;
        jitscope_error_destroy(dwarf_lines_read(&code->process->memory, &image->elf, &image->lines));
    }
    uint32_t low = 0, high = image->lines.rows.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (image->lines.rows.data[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    const struct line_row *row = low ? &image->lines.rows.data[low - 1] : NULL;
    if (row && !row->is_end) {
        function->file = image->lines.files.data[row->file];
        function->line = row->line;
    }
}

bool target_code_function_at(struct target_code *code, uint64_t address, struct target_function *function) {
    const struct target_range *range = target_code_range_at(code, address);
    for (uint32_t i = 0; range && i < code->images.count; i++) {
        struct target_image *image = code->images.data[i];
        const struct indexed_symbol *symbol = symbol_index_find(&image->symbols, address, range->start);
        if (symbol) {
            *function = (struct target_function){.start = symbol->start, .name = symbol->name};
            find_line(code, image, address, function);
            return true;
        }
    }
    return false;
}
