/* The tables of a process and its debug images, as a jit-reader reads them.  The input is the process's
 * memory from BASE on, with `jitscope_debuggee` first. */
#include "fuzz_common.h"

#include "frame_index.h"

enum { BASE = 0x1000 };

static bool read_input(void *context, uint64_t address, void *to, uint64_t size) {
    const struct bytes *input = context;
    if (address < BASE || !bytes_contain(*input, address - BASE, size))
        return false;
    memcpy(to, input->data + (address - BASE), size);
    return true;
}

static void check_rules(const struct cfi_frame *frame, uint64_t pc) {
    struct cfi_rules rules;
    if (!cfi_find_rules(frame, pc, &rules))
        return;
    FUZZ_HOLDS(rules.cfa_register < CFI_RETURN_ADDRESS);
    for (int i = 0; i < CFI_REGISTERS; i++)
        FUZZ_HOLDS(rules.registers[i].how != CFI_REGISTER ||
                   (uint64_t)rules.registers[i].value < CFI_REGISTERS);
}

static void check_frames(struct frame_index *index, const struct debuggee_memory *memory) {
    struct cfi_frame found;
    frame_index_find(index, memory, 0, &found);
    for (uint32_t i = 0; i < index->images.count; i++)
        for (uint32_t k = 0; k < index->images.data[i].frames.count; k++) {
            const struct cfi_frame *frame = &index->images.data[i].frames.data[k];
            FUZZ_HOLDS(frame->size && frame->start + (frame->size - 1) >= frame->start);
            check_rules(frame, frame->start);
            check_rules(frame, frame->start + frame->size / 2);
            check_rules(frame, frame->start + (frame->size - 1));
        }
}

static void check_symbols(const struct frame_index *index, const struct debuggee_memory *memory) {
    static struct debuggee_elf elf;
    struct bytes section;
    for (uint32_t i = 0; i < index->images.count; i++) {
        if (debuggee_view_elf(memory, &index->images.data[i].record, &elf) ||
            debuggee_view_section(memory, &elf, ".symtab", &section))
            continue;
        FUZZ_HOLDS(!section.data == !section.size);
        os_release((void *)(uintptr_t)section.data);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes input = {data, size};
    struct debuggee_memory memory = {read_input, &input};
    struct frame_index index = {.root = BASE};
    check_frames(&index, &memory);
    check_symbols(&index, &memory);
    frame_index_destroy(&index);
    return 0;
}
