/* executor_nongnu: nongnu libunwind's view of an .eh_frame section.
 *
 * _U_dyn_register takes no section but a description with a table of (function, FDE), sorted by function, as
 * ld makes one in .eh_frame_hdr (Linux Standard Base, Core, section 10.6.2).  Both are 32-bit distances.  The
 * start of a function is an encoded pointer whose encoding stands in the augmentation of its CIE
 * (section 10.6.1.1.1); compilers use distances from the field and absolute addresses, and no more is read
 * here. */
#include "executor/executor_nongnu.h"
#include "base/os.h"

#include <stdbool.h>
#include <stdlib.h>

enum { FORMAT_REMOTE_TABLE = 2 };

/* DW_EH_PE_*: Linux Standard Base, Core, section 10.5.1 */
enum {
    ENCODING_ABSPTR = 0x00,
    ENCODING_UDATA4 = 0x03,
    ENCODING_UDATA8 = 0x04,
    ENCODING_SDATA4 = 0x0b,
    ENCODING_SDATA8 = 0x0c,
    ENCODING_FORMAT = 0x0f,
    ENCODING_PCREL = 0x10,
    ENCODING_UNKNOWN = 0xff
};

static uint32_t encoded_size(uint8_t encoding) {
    switch (encoding & ENCODING_FORMAT) {
    case ENCODING_UDATA4:
    case ENCODING_SDATA4:
        return 4;
    case ENCODING_ABSPTR:
    case ENCODING_UDATA8:
    case ENCODING_SDATA8:
        return 8;
    default:
        return 0;
    }
}

/* Where the augmentation data of CIE (the record behind its length) begin; false when they cannot be read. */
static bool find_augmentation(struct bytes cie, const char **letters, uint64_t *offset) {
    uint64_t unsigned_value;
    int64_t signed_value;
    size_t length;
    if (!bytes_contain(cie, 4, 1))
        return false;
    uint8_t version = cie.data[4];
    *letters = bytes_string(cie, 5, &length);
    *offset = 5 + length + 1;
    if ((version != 1 && version != 3) || !*letters || !bytes_uleb(cie, offset, &unsigned_value) ||
        !bytes_sleb(cie, offset, &signed_value))
        return false;
    if (version == 1)
        return bytes_contain(cie, (*offset)++, 1);
    return bytes_uleb(cie, offset, &unsigned_value);
}

static uint8_t pointer_encoding(struct bytes cie) {
    const char *letters;
    uint64_t at, size;
    if (!find_augmentation(cie, &letters, &at))
        return ENCODING_UNKNOWN;
    if (!*letters)
        return ENCODING_ABSPTR;
    if (*letters++ != 'z' || !bytes_uleb(cie, &at, &size))
        return ENCODING_UNKNOWN;
    for (; *letters; letters++) {
        uint8_t encoding = bytes_contain(cie, at, 1) ? cie.data[at] : ENCODING_UNKNOWN;
        if (*letters == 'R')
            return encoding;
        if (*letters == 'L')
            at++;
        else if (*letters == 'P' && encoded_size(encoding))
            at += 1 + encoded_size(encoding);
        else if (*letters != 'S')
            return ENCODING_UNKNOWN;
    }
    return ENCODING_ABSPTR;
}

/* Reads the pointer at OFFSET of the section, which lies at ADDRESS in its process. */
static bool read_pointer(struct bytes section, uint64_t address, uint64_t offset, uint8_t encoding,
                         uint64_t *value) {
    uint32_t size = encoded_size(encoding);
    if (!size || (encoding & ~(ENCODING_FORMAT | ENCODING_PCREL)) || !bytes_contain(section, offset, size))
        return false;
    *value = size == 8 ? load_u64(section.data + offset) : load_u32(section.data + offset);
    if ((encoding & ENCODING_FORMAT) == ENCODING_SDATA4)
        *value = (uint64_t)(int64_t)(int32_t)*value;
    if (encoding & ENCODING_PCREL)
        *value += address + offset;
    return true;
}

/* The CIE that the last FDE had: FDEs of one follow each other mostly. */
struct last_cie {
    uint64_t at; /* UINT64_MAX: none yet */
    uint8_t encoding;
};

/* Start and end of the code that the FDE at OFFSET describes. */
static bool read_fde(struct bytes section, uint64_t address, uint64_t offset, struct last_cie *last,
                     uint64_t *start, uint64_t *end) {
    uint64_t length, id_at = offset + 4;
    uint32_t back = load_u32(section.data + id_at);
    if (back > id_at || !bytes_contain(section, id_at - back, 4))
        return false;
    uint64_t cie = id_at - back;
    if (cie != last->at)
        *last = (struct last_cie){
            cie, pointer_encoding(bytes_slice(section, cie + 4, load_u32(section.data + cie)))};
    uint8_t encoding = last->encoding;
    if (!read_pointer(section, address, id_at + 4, encoding, start) ||
        !read_pointer(section, address, id_at + 4 + encoded_size(encoding), encoding & ENCODING_FORMAT,
                      &length))
        return false;
    *end = *start + length;
    return true;
}

static uint64_t next_record(struct bytes section, uint64_t offset) {
    return offset + 4 + load_u32(section.data + offset);
}

static bool is_fde(struct bytes section, uint64_t offset) {
    return load_u32(section.data + offset + 4) != 0;
}

static bool add_fde(struct nongnu_table *table, struct bytes section, uint64_t offset,
                    struct last_cie *last) {
    struct nongnu_info *info = &table->info;
    uint64_t start, end;
    if (!read_fde(section, info->segment_base, offset, last, &start, &end))
        return false;
    int64_t distance = (int64_t)(start - info->segment_base);
    if (distance != (int32_t)distance || offset > INT32_MAX)
        return false;
    table->entries[info->table_length++] = (struct nongnu_entry){(int32_t)distance, (int32_t)offset};
    info->start_ip = start < info->start_ip ? start : info->start_ip;
    info->end_ip = end > info->end_ip ? end : info->end_ip;
    return true;
}

static int compare_entries(const void *left, const void *right) {
    const struct nongnu_entry *a = left, *b = right;
    return (a->function > b->function) - (a->function < b->function);
}

struct nongnu_table *executor_nongnu_table_create(struct bytes section, uint64_t address) {
    uint64_t count = 0;
    for (uint64_t at = 0; load_u32(section.data + at); at = next_record(section, at))
        count += is_fde(section, at);
    struct nongnu_table *table =
        count ? os_allocate_zeroed(sizeof *table + count * sizeof table->entries[0]) : NULL;
    if (!table)
        return NULL;
    struct last_cie last = {.at = UINT64_MAX};
    table->info.format = FORMAT_REMOTE_TABLE;
    table->info.start_ip = UINT64_MAX;
    table->info.segment_base = address;
    table->info.table = (uint64_t)(uintptr_t)table->entries;
    for (uint64_t at = 0; load_u32(section.data + at); at = next_record(section, at))
        if (is_fde(section, at) && !add_fde(table, section, at, &last)) {
            os_release(table);
            return NULL;
        }
    qsort(table->entries, count, sizeof table->entries[0], compare_entries);
    return table;
}

bool executor_nongnu_extent(struct bytes section, uint64_t address, uint64_t most, uint64_t *low,
                            uint64_t *high, uint64_t *records) {
    struct last_cie last = {.at = UINT64_MAX};
    *low = UINT64_MAX;
    *high = *records = 0;
    for (uint64_t at = 0; load_u32(section.data + at) && *records < most; at = next_record(section, at)) {
        uint64_t start, end;
        if (!is_fde(section, at))
            continue;
        if (!read_fde(section, address, at, &last, &start, &end) || end < start)
            return false;
        *low = start < *low ? start : *low;
        *high = end > *high ? end : *high;
        ++*records;
    }
    return *records != 0;
}

void executor_nongnu_table_destroy(struct nongnu_table *table) {
    os_release(table);
}
