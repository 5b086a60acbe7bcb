/* From .eh_frame to .debug_frame (DWARF 5 section 6.4.1; LSB Core 5, "Exception Frames").
 *
 * Debuggers read both, but an .eh_frame counts from its own address, so that many batches' cannot become one
 * section; a .debug_frame has absolute addresses and its FDEs name their CIE by an offset that merging can
 * add to.  What only exceptions need (personality, LSDA) stays behind.
 *
 * The records are read where the program will have them, fixed up, as an unwinder reads them. */
#include "link/debug_frames.h"

enum {
    LENGTH_SIZE = 4,
    ID_SIZE = 4,
    LONG_LENGTH_SIZE = 12, /* of a record with a 64-bit length */
    CFA_NOP = 0,
    CIE_VERSION = 1,
    FRAME_ALIGNMENT = 8,
    MOST_TIMES = 4 /* so much larger than all of .eh_frame CIEs may get */
};

#define NO_CIE UINT64_MAX

/* The .eh_frame that is read. */
struct source {
    struct bytes bytes;
    uint64_t address;
};

/* --- writing */

/* Room for a record of SIZE bytes behind its length, all of which the caller writes; no-operations up to the
 * next multiple. */
static inline struct jitscope_error *begin_record(struct debug_frames *frames, uint64_t size, uint8_t **at) {
    struct image_memory *image = frames->image;
    uint64_t whole;
    if (!align_up(LENGTH_SIZE + size, FRAME_ALIGNMENT, &whole) || whole > UINT32_MAX)
        return error_no_memory();
    TRY(vec_reserve(image, whole));
    *at = image->data + image->count;
    store_u64(*at + whole - FRAME_ALIGNMENT, CFA_NOP);
    store_u32(*at, (uint32_t)(whole - LENGTH_SIZE));
    *at += LENGTH_SIZE;
    image->count += (uint32_t)whole;
    return NULL;
}

static uint32_t here(const struct debug_frames *frames) {
    return (uint32_t)(frames->image->count - frames->start);
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, uint64_t size) {
    if (size)
        memcpy(at, bytes, size);
    return at + size;
}

static inline struct jitscope_error *put_fde(struct debug_frames *frames, uint64_t address, uint64_t range,
                                             const uint8_t *instructions, uint64_t size) {
    uint8_t *at;
    TRY(begin_record(frames, ID_SIZE + 16 + size, &at));
    store_u32(at, frames->cie_offset);
    store_u64(at + ID_SIZE, address);
    store_u64(at + ID_SIZE + 8, range);
    put_bytes(at + ID_SIZE + 16, instructions, size);
    frames->count++;
    return NULL;
}

/* --- CIEs */

static struct jitscope_error *put_cie(struct debug_frames *frames, struct bytes record) {
    const struct cie_view *cie = &frames->cie;
    static const char plain[] = "", signal[] = "S";
    const char *augmentation = cie->is_signal_frame ? signal : plain;
    size_t letters = strlen(augmentation) + 1;
    uint64_t factors = cie->factors_end - cie->factors, instructions = record.size - cie->instructions;
    uint8_t *at;
    frames->cie_offset = here(frames);
    TRY(begin_record(frames, ID_SIZE + 1 + letters + factors + instructions, &at));
    store_u32(at, UINT32_MAX);
    at[ID_SIZE] = cie->version;
    at = put_bytes(at + ID_SIZE + 1, augmentation, letters);
    at = put_bytes(at, record.data + cie->factors, factors);
    put_bytes(at, record.data + cie->instructions, instructions);
    return NULL;
}

/* Whatever of a record is in the section, its length field included. */
static inline struct bytes record_at(struct bytes section, uint64_t at, uint64_t *length_size) {
    uint64_t left = section.size - at, length = left >= LENGTH_SIZE ? load_u32(section.data + at) : 0;
    *length_size = length == UINT32_MAX ? LONG_LENGTH_SIZE : LENGTH_SIZE;
    if (length == UINT32_MAX)
        length = left >= LONG_LENGTH_SIZE ? load_u64(section.data + at + LENGTH_SIZE) : 0;
    left -= left < *length_size ? left : *length_size;
    return (struct bytes){section.data + at, *length_size + (length < left ? length : left)};
}

static const struct written_cie *find_written(const struct debug_frames *frames, uint64_t source) {
    const uint32_t room = sizeof frames->written / sizeof *frames->written;
    for (uint32_t i = 0; i < room && i < frames->cies; i++)
        if (frames->written[i].source == source)
            return &frames->written[i];
    return NULL;
}

static void remember_cie(struct debug_frames *frames, uint64_t source) {
    const uint32_t room = sizeof frames->written / sizeof *frames->written;
    frames->written[frames->cies++ % room] = (struct written_cie){source, frames->cie_offset};
    frames->cie_bytes += here(frames) - frames->cie_offset;
}

/* *usable: it can be read, and FDEs of it as well. */
static struct jitscope_error *use_cie(struct debug_frames *frames, struct bytes section, uint64_t at,
                                      bool *usable) {
    uint64_t length_size;
    *usable = false;
    if (at >= section.size)
        return NULL;
    frames->source = NO_CIE; /* whatever is found, the view is another one */
    struct bytes record = record_at(section, at, &length_size);
    *usable = record.size >= length_size + ID_SIZE && !load_u32(record.data + length_size) &&
              !cie_parse(record, length_size, &frames->cie);
    if (!*usable)
        return NULL;
    const struct written_cie *written = find_written(frames, at);
    if (written) {
        frames->cie_offset = written->offset;
        frames->source = at;
        return NULL;
    }
    /* FDEs that change among many large ones could make gigabytes of little. */
    *usable = frames->cie_bytes <= MOST_TIMES * section.size;
    if (!*usable)
        return NULL;
    TRY(put_cie(frames, record));
    frames->source = at;
    remember_cie(frames, at);
    return NULL;
}

/* --- FDEs */

/* False: it stands somewhere else.  AT is where it is in the section. */
static inline bool read_pointer(const struct source *source, const struct cie_view *cie, uint64_t at,
                                uint64_t *value) {
    enum { INDIRECT = 0x80, PC = 0x10, SIGNED = 0x08 }; /* DW_EH_PE_*; cie_parse() knows no other base */
    const uint8_t *field = source->bytes.data + at;
    if (cie->pointer_size == 8)
        *value = load_u64(field);
    else if (cie->encoding & SIGNED)
        *value = (uint64_t)(int64_t)(int32_t)load_u32(field);
    else
        *value = load_u32(field);
    if (cie->encoding & PC)
        *value += source->address + at;
    return !(cie->encoding & INDIRECT);
}

/* Augmentation data, of less than 128 bytes mostly. */
static inline bool skip_data(struct bytes record, uint64_t *at) {
    uint64_t length;
    if (*at < record.size && record.data[*at] < 0x80)
        length = record.data[(*at)++];
    else if (!bytes_uleb(record, at, &length))
        return false;
    bool inside = bytes_contain(record, *at, length);
    *at += length;
    return inside;
}

/* ID is where the record's id is in the section, END where it ends. */
static inline struct jitscope_error *convert(struct debug_frames *frames, const struct source *source,
                                             uint64_t id, uint64_t end) {
    uint64_t address, cie_at = id - load_u32(source->bytes.data + id);
    bool usable = true;
    if (cie_at != frames->source || cie_at == NO_CIE)
        TRY(use_cie(frames, source->bytes, cie_at, &usable));
    const struct cie_view *cie = &frames->cie;
    uint64_t range_at = id + ID_SIZE + cie->pointer_size, at = range_at + cie->pointer_size;
    if (!usable || at > end || !read_pointer(source, cie, id + ID_SIZE, &address))
        return NULL;
    uint64_t range = cie->pointer_size == 4 ? load_u32(source->bytes.data + range_at)
                                            : load_u64(source->bytes.data + range_at);
    struct bytes record = {source->bytes.data, end};
    if (cie->has_data && !skip_data(record, &at))
        return NULL;
    return put_fde(frames, address, range, source->bytes.data + at, end - at);
}

/* --- the whole */

uint64_t debug_frames_room(uint64_t size, uint32_t records) {
    enum { LONGER_ADDRESSES = 8 };
    return size + (uint64_t)records * (LONGER_ADDRESSES + FRAME_ALIGNMENT - 1);
}

struct jitscope_error *debug_frames_add(struct debug_frames *frames, uint64_t address, struct bytes section) {
    const struct source source = {section, address};
    frames->source = NO_CIE;
    frames->cies = 0;
    frames->cie_bytes = 0;
    for (uint64_t at = 0, length_size; at < section.size;) {
        struct bytes record = record_at(section, at, &length_size);
        if (record.size >= length_size + ID_SIZE && load_u32(record.data + length_size))
            TRY(convert(frames, &source, at + length_size, at + record.size));
        at += record.size;
    }
    return NULL;
}

static struct jitscope_error *put_entry_cie(struct debug_frames *frames) {
    const struct arch *arch = frames->arch;
    const uint8_t fixed[] = {CIE_VERSION, 0, 1, (uint8_t)(arch->data_alignment & 0x7f),
                             arch->return_address_register};
    uint8_t *at;
    frames->cie_offset = here(frames);
    TRY(begin_record(frames, ID_SIZE + sizeof fixed + arch->entry_cfi_size, &at));
    store_u32(at, UINT32_MAX);
    at = put_bytes(at + ID_SIZE, fixed, sizeof fixed);
    put_bytes(at, arch->entry_cfi, arch->entry_cfi_size);
    return NULL;
}

struct jitscope_error *debug_frames_add_stubs(struct debug_frames *frames, uint64_t address, uint64_t size) {
    TRY(put_entry_cie(frames));
    return put_fde(frames, address, size, NULL, 0);
}
