/* cie: reading a Common Information Entry of .eh_frame (LSB Core 5, "Exception Frames"). */
#ifndef OBJECT_CIE_H
#define OBJECT_CIE_H

#include "base/bytes.h"

/* Where the parts of a CIE are; offsets from its length field. */
struct cie_view {
    const char *augmentation; /* "zR", ...; NUL-terminated inside the record */
    uint64_t factors;         /* code and data alignment and return address register, ... */
    uint64_t factors_end;     /* ... three LEB128 numbers (the last one byte in version 1) */
    uint64_t instructions;    /* initial instructions, up to the record's end */
    uint8_t version;          /* 1 or 3 */
    uint8_t pointer_size;     /* of pc-begin and pc-range in its FDEs: 4 or 8 */
    uint8_t encoding;         /* of pc-begin: DW_EH_PE_* */
    bool has_data;            /* FDEs have augmentation data ("z") */
    bool is_signal_frame;     /* "S" */
};

/* RECORD is the whole CIE; ID_OFFSET is where its id field starts (4, or 12 with a 64-bit length).  NULL, or
 * what is wrong (a static text). */
const char *cie_parse(struct bytes record, uint64_t id_offset, struct cie_view *cie);

#endif
