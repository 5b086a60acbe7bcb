/* Nothing that is read here is trusted: chains end, sizes have limits, tables are held against what holds
 * them. The process stands still while it is read, but may have been stopped in the middle of a change. */
#include "target_code.h"

#include "base/os.h"
#include "dwarf_lines.h"
#include "executor/debug_image.h"
#include "executor/executor_nongnu.h"

#include <stdlib.h>

enum { MOST_BATCHES = 1 << 22, MOST_DESCRIPTION = 64 << 20, MOST_SECTION = 256 << 20, EXECUTE = 4 };

struct target_image {
    struct debuggee_elf elf;
    struct bytes symbols, names;
    struct dwarf_lines lines;
    bool has_lines;
};

/* --- batches */

static bool copy(const struct target_code *code, uint64_t address, void *to, uint64_t size) {
    return code->process->memory.read(code->process->memory.context, address, to, size);
}

static bool table_fits(const struct debug_image_header *header, struct debug_table table, size_t entry) {
    return table.offset <= header->description_size &&
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
        range.end = segments[i].address + segments[i].size;
        TRY(vec_push(&code->ranges, range));
    }
    return NULL;
}

static struct jitscope_error *read_batch(struct target_code *code, const struct debuggee_batch *batch) {
    uint32_t size = batch->description_size;
    if (size < sizeof(struct debug_image_header) || size > MOST_DESCRIPTION)
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
    uint64_t address = code->root.batch;
    for (int i = 0; address && i < MOST_BATCHES && copy(code, address, &batch, sizeof batch); i++) {
        TRY(read_batch(code, &batch));
        address = batch.next;
    }
    if (code->ranges.count)
        qsort(code->ranges.data, code->ranges.count, sizeof *code->ranges.data, by_start);
    return NULL;
}

/* --- images */

static void destroy_image(struct target_image *image) {
    os_release((void *)(uintptr_t)image->symbols.data);
    os_release((void *)(uintptr_t)image->names.data);
    if (image->has_lines)
        dwarf_lines_destroy(&image->lines);
    os_release(image);
}

static struct jitscope_error *read_image(struct target_code *code, const struct debuggee_image *record) {
    const struct debuggee_memory *memory = &code->process->memory;
    TRY(vec_reserve(&code->images, 1));
    struct target_image *image = os_allocate_zeroed(sizeof *image);
    if (!image)
        return error_no_memory();
    if (debuggee_view_elf(memory, record, &image->elf) ||
        debuggee_view_section(memory, &image->elf, ".symtab", &image->symbols) ||
        debuggee_view_section(memory, &image->elf, ".strtab", &image->names)) {
        destroy_image(image);
        return NULL;
    }
    vec_put(&code->images, image);
    return NULL;
}

static struct jitscope_error *read_images(struct target_code *code) {
    struct debuggee_image *images;
    uint32_t count;
    code->absent = debuggee_view_images(&code->process->memory, &code->root, &images, &count);
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; images && i < count && !error; i++)
        error = read_image(code, &images[i]);
    os_release(images);
    return error;
}

/* --- the whole */

struct jitscope_error *target_code_open(const struct target_process *process, struct target_code *code) {
    *code = (struct target_code){.process = process};
    uint64_t address = target_process_symbol(process, "jitscope_debuggee");
    code->absent =
        address ? debuggee_view_root(&process->memory, address, &code->root) : "it does not contain jitscope";
    if (code->absent)
        return NULL;
    struct jitscope_error *error = read_batches(code);
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
        range->table = executor_nongnu_table_create((struct bytes){section, range->eh_frame_size});
    os_release(section);
    return range->table;
}

static bool find_symbol(const struct target_image *image, uint64_t address,
                        struct target_function *function) {
    bool found = false;
    for (uint64_t at = 0; image->symbols.size - at >= sizeof(Elf64_Sym); at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        size_t length;
        memcpy(&symbol, image->symbols.data + at, sizeof symbol);
        uint64_t size = symbol.st_size ? symbol.st_size : 1;
        const char *name = symbol.st_name && address >= symbol.st_value && address - symbol.st_value < size
                               ? bytes_string(image->names, symbol.st_name, &length)
                               : NULL;
        if (name) {
            *function =
                (struct target_function){.start = symbol.st_value, .size = symbol.st_size, .name = name};
            found = true;
        }
    }
    return found;
}

static void find_line(struct target_code *code, struct target_image *image, uint64_t address,
                      struct target_function *function) {
    if (!image->has_lines) {
        image->has_lines = true;
        jitscope_error_destroy(dwarf_lines_read(&code->process->memory, &image->elf, &image->lines));
    }
    for (uint32_t i = 0; i + 1 < image->lines.rows.count; i++) {
        const struct line_row *row = &image->lines.rows.data[i];
        if (row->is_end || row->address > address || row[1].address <= address)
            continue;
        function->file = image->lines.files.data[row->file];
        function->line = row->line;
    }
}

bool target_code_function_at(struct target_code *code, uint64_t address, struct target_function *function) {
    for (uint32_t i = 0; i < code->images.count; i++)
        if (find_symbol(code->images.data[i], address, function)) {
            find_line(code, code->images.data[i], address, function);
            return true;
        }
    return false;
}
