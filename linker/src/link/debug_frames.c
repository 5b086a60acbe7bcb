/* From .eh_frame to .debug_frame (DWARF 5 section 6.4.1; LSB Core 5, "Exception Frames").
 *
 * Debuggers read both, but an .eh_frame counts from its own address, so that many batches' cannot become one
 * section; a .debug_frame has absolute addresses and its entries name their CIE by an offset that merging can
 * add to.  What only exceptions need (personality, LSDA) stays behind. */
#include "link/debug_frames.h"

#include "object/cie.h"

enum { LENGTH_SIZE = 4, ID_SIZE = 4, CFA_NOP = 0, CIE_VERSION = 1, FRAME_ALIGNMENT = 8 };

/* One .eh_frame record of the graph. */
struct cfi {
    struct bytes bytes;
    bool is_cie;
};

struct converter {
    const struct graph *graph;
    struct debug_sections *out;
    uint32_t *frames;

    /* the CIE that the last FDE had: FDEs of one CIE follow each other mostly */
    uint32_t cie_block;
    uint32_t cie_offset; /* in .debug_frame */
    struct cie_view cie;
};

/* Room for a record of SIZE bytes behind its length, all of which the caller writes; no-operations up to the
 * next multiple. */
static struct jitscope_error *begin_record(struct debug_sections *out, uint64_t size, uint8_t **at) {
    uint64_t whole;
    if (!align_up(LENGTH_SIZE + size, FRAME_ALIGNMENT, &whole) || whole > UINT32_MAX)
        return error_no_memory();
    TRY(vec_reserve(&out->bytes[DEBUG_SECTION_FRAME], whole));
    *at = out->bytes[DEBUG_SECTION_FRAME].data + out->bytes[DEBUG_SECTION_FRAME].count;
    memset(*at + whole - FRAME_ALIGNMENT, CFA_NOP, FRAME_ALIGNMENT);
    store_u32(*at, (uint32_t)(whole - LENGTH_SIZE));
    *at += LENGTH_SIZE;
    out->bytes[DEBUG_SECTION_FRAME].count += (uint32_t)whole;
    return NULL;
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, uint64_t size) {
    if (size)
        memcpy(at, bytes, size);
    return at + size;
}

static struct cfi read_cfi(const struct graph *graph, uint32_t block) {
    struct bytes bytes = {graph->blocks.data[block].working, graph->blocks.data[block].size};
    bool whole = bytes.size >= LENGTH_SIZE + ID_SIZE && load_u32(bytes.data) != UINT32_MAX;
    return (struct cfi){whole ? bytes : (struct bytes){NULL, 0},
                        whole && !load_u32(bytes.data + LENGTH_SIZE)};
}

/* --- CIEs */

static struct jitscope_error *put_cie(struct converter *converter, struct bytes record) {
    const struct cie_view *cie = &converter->cie;
    static const char plain[] = "", signal[] = "S";
    const char *augmentation = cie->is_signal_frame ? signal : plain;
    size_t letters = strlen(augmentation) + 1;
    uint64_t factors = cie->factors_end - cie->factors, instructions = record.size - cie->instructions;
    uint8_t *at;
    converter->cie_offset = converter->out->bytes[DEBUG_SECTION_FRAME].count;
    TRY(begin_record(converter->out, ID_SIZE + 1 + letters + factors + instructions, &at));
    store_u32(at, UINT32_MAX);
    at[ID_SIZE] = cie->version;
    at = put_bytes(at + ID_SIZE + 1, augmentation, letters);
    at = put_bytes(at, record.data + cie->factors, factors);
    put_bytes(at, record.data + cie->instructions, instructions);
    return NULL;
}

static struct jitscope_error *use_cie(struct converter *converter, uint32_t block, bool *usable) {
    struct cfi cfi = read_cfi(converter->graph, block);
    if (block == converter->cie_block)
        return NULL;
    converter->cie_block = NO_BLOCK; /* whatever is found, the view is another one */
    *usable = cfi.is_cie && !cie_parse(cfi.bytes, LENGTH_SIZE, &converter->cie);
    if (!*usable)
        return NULL;
    converter->cie_block = block;
    return put_cie(converter, cfi.bytes);
}

/* --- FDEs */

static uint32_t block_of_cie(const struct graph *graph, const struct block *block) {
    for (uint32_t i = 0; i < block->edge_count; i++) {
        const struct edge *edge = &graph->edges.data[block->first_edge + i];
        /* No input can ask for this kind. */
        if (edge->offset == LENGTH_SIZE && edge->kind == graph->arch->negative_delta32)
            return graph->symbols.data[edge->target].block;
    }
    return NO_BLOCK;
}

static bool find_function(const struct graph *graph, const struct block *block, uint64_t *address) {
    for (uint32_t i = 0; i < block->edge_count; i++) {
        const struct edge *edge = &graph->edges.data[block->first_edge + i];
        if (edge->offset != LENGTH_SIZE + ID_SIZE)
            continue;
        *address = graph->addresses[edge->target] + (uint64_t)edge->addend;
        return true;
    }
    return false;
}

static struct jitscope_error *refer_to_cie(const struct converter *converter, const uint8_t *field) {
    struct debug_sections *out = converter->out;
    uint32_t offset = (uint32_t)(field - out->bytes[DEBUG_SECTION_FRAME].data);
    return vec_push(&out->references, (struct debug_reference){.offset = offset,
                                                               .section = DEBUG_SECTION_FRAME,
                                                               .target = DEBUG_SECTION_FRAME,
                                                               .width = 4});
}

static struct jitscope_error *put_fde(struct converter *converter, uint64_t address, uint64_t range,
                                      const uint8_t *instructions, uint64_t size) {
    uint8_t *at;
    TRY(begin_record(converter->out, ID_SIZE + 16 + size, &at));
    store_u32(at, converter->cie_offset);
    TRY(refer_to_cie(converter, at));
    store_u64(at + ID_SIZE, address);
    store_u64(at + ID_SIZE + 8, range);
    put_bytes(at + ID_SIZE + 16, instructions, size);
    ++*converter->frames;
    return NULL;
}

static struct jitscope_error *convert(struct converter *converter, const struct block *block,
                                      struct bytes record) {
    uint32_t cie_block = block_of_cie(converter->graph, block);
    uint64_t address, length = 0;
    bool usable = true;
    if (cie_block == NO_BLOCK || !find_function(converter->graph, block, &address))
        return NULL;
    TRY(use_cie(converter, cie_block, &usable));
    const struct cie_view *cie = &converter->cie;
    uint64_t at = LENGTH_SIZE + ID_SIZE + cie->pointer_size, start = at + cie->pointer_size;
    if (!usable || start > record.size)
        return NULL;
    uint64_t range = cie->pointer_size == 4 ? load_u32(record.data + at) : load_u64(record.data + at);
    if (cie->has_data && (!bytes_uleb(record, &start, &length) || !bytes_contain(record, start, length)))
        return NULL;
    start += length;
    return put_fde(converter, address, range, record.data + start, record.size - start);
}

/* --- stubs */

static struct jitscope_error *put_entry_cie(struct converter *converter) {
    const struct arch *arch = converter->graph->arch;
    const uint8_t fixed[] = {CIE_VERSION, 0, 1, (uint8_t)(arch->data_alignment & 0x7f),
                             arch->return_address_register};
    uint8_t *at;
    converter->cie_block = NO_BLOCK;
    converter->cie_offset = converter->out->bytes[DEBUG_SECTION_FRAME].count;
    TRY(begin_record(converter->out, ID_SIZE + sizeof fixed + arch->entry_cfi_size, &at));
    store_u32(at, UINT32_MAX);
    at = put_bytes(at + ID_SIZE, fixed, sizeof fixed);
    put_bytes(at, arch->entry_cfi, arch->entry_cfi_size);
    return NULL;
}

static struct jitscope_error *add_stubs(struct converter *converter, uint32_t section) {
    const struct graph *graph = converter->graph;
    uint64_t start = UINT64_MAX, end = 0;
    for (uint32_t id = graph->blocks.count; id-- > 0;) {
        const struct block *block = &graph->blocks.data[id];
        if (block->section != section || block->flags & BLOCK_REMOVED)
            continue;
        start = block->address < start ? block->address : start;
        end = block->address + block->size > end ? block->address + block->size : end;
    }
    if (start >= end)
        return NULL;
    TRY(put_entry_cie(converter));
    return put_fde(converter, start, end - start, NULL, 0);
}

static bool is_named(const struct graph *graph, uint32_t section, const char *name, size_t length) {
    const struct pooled_string *string = &graph->names->strings.data[graph->sections.data[section].name];
    return string->length == length && !memcmp(string->bytes, name, length);
}

/* Nearly every record is an FDE of one reference, and about so large. */
static struct jitscope_error *reserve_records(struct debug_sections *out, uint32_t count) {
    enum { USUAL_SIZE = 48 };
    TRY(vec_reserve(&out->references, count));
    return vec_reserve(&out->bytes[DEBUG_SECTION_FRAME], (uint64_t)count * USUAL_SIZE);
}

struct jitscope_error *debug_frames_add(const struct graph *graph, struct debug_sections *out,
                                        uint32_t *frames) {
    struct converter converter = {.graph = graph, .out = out, .frames = frames, .cie_block = NO_BLOCK};
    uint32_t eh_frame = NO_SECTION;
    for (uint32_t id = 0; id < graph->sections.count; id++) {
        if (graph->sections.data[id].dependent && is_named(graph, id, ".eh_frame", sizeof ".eh_frame" - 1))
            eh_frame = id;
        if (graph->sections.data[id].blocks && is_named(graph, id, ".plt", sizeof ".plt" - 1))
            TRY(add_stubs(&converter, id));
    }
    if (eh_frame != NO_SECTION)
        TRY(reserve_records(out, graph->sections.data[eh_frame].blocks));
    for (uint32_t id = 0; eh_frame != NO_SECTION && id < graph->blocks.count; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->section != eh_frame || block->flags & BLOCK_REMOVED)
            continue;
        struct cfi cfi = read_cfi(graph, id);
        if (cfi.bytes.data && !cfi.is_cie)
            TRY(convert(&converter, block, cfi.bytes));
    }
    return NULL;
}
