#include "dwarf/image_lines.h"

#include "executor/debug_store.h"

#include <string.h>

/* The image is here: ADDRESS is one of this process. */
static bool read_image(void *context, uint64_t address, void *to, uint64_t size) {
    const struct debuggee_image *image = context;
    uint64_t offset = address - image->address;
    if (address < image->address || offset > image->size || size > image->size - offset)
        return false;
    memcpy(to, (const void *)(uintptr_t)address, size);
    return true;
}

/* As the executor makes an ELF image of it for debuggers, and as their plug-ins read that. */
struct jitscope_error *image_lines_read(const struct debug_image *image, struct dwarf_lines *lines) {
    struct store_image *store;
    struct store_share share;
    *lines = (struct dwarf_lines){0};
    struct debuggee_elf *elf = os_allocate_zeroed(sizeof *elf);
    struct jitscope_error *error = elf ? store_image_create(image, 1, 1, &store) : error_no_memory();
    if (!error) {
        struct debuggee_memory memory = {read_image, &store->public};
        store_share_measure(image, &share);
        store_image_add(store, image, &share);
        if (!debuggee_view_elf(&memory, &store->public, elf))
            error = dwarf_lines_read(&memory, elf, lines);
        store_image_destroy(store);
    }
    os_release(elf);
    return error;
}

uint32_t image_lines_first(const struct dwarf_lines *lines, uint64_t address) {
    uint32_t low = 0, high = lines->rows.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (lines->rows.data[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
