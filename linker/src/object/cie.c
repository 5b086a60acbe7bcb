#include "object/cie.h"

/* DW_EH_PE_* (LSB Core 5, "DWARF Exception Header Encoding") */
enum { PE_ABSPTR = 0, PE_UDATA4 = 3, PE_UDATA8 = 4, PE_SDATA4 = 11, PE_SDATA8 = 12, PE_OMIT = 0xff };

static bool pointer_size(uint8_t encoding, uint8_t *size) {
    switch (encoding & 0x0f) {
    case PE_UDATA4:
    case PE_SDATA4:
        *size = 4;
        return true;
    case PE_ABSPTR:
    case PE_UDATA8:
    case PE_SDATA8:
        *size = 8;
        return true;
    default:
        return false;
    }
}

/* The letters behind 'z' say what the augmentation data holds, in order. */
static bool read_augmentation(struct bytes record, uint64_t at, struct cie_view *cie) {
    for (const char *letter = cie->augmentation + 1; *letter; letter++) {
        uint8_t size;
        if (*letter == 'S')
            cie->is_signal_frame = true;
        if (*letter == 'S' || *letter == 'B')
            continue; /* signal frame, return addresses signed: no data */
        if (!strchr("RPL", *letter) || !bytes_contain(record, at, 1))
            return false;
        uint8_t value = record.data[at++];
        if (*letter == 'R')
            cie->encoding = value;
        if (*letter != 'P' || value == PE_OMIT)
            continue;
        if (!pointer_size(value, &size) || !bytes_contain(record, at, size))
            return false;
        at += size;
    }
    return at <= cie->instructions;
}

static bool read_factors(struct bytes record, struct cie_view *cie) {
    uint64_t number;
    int64_t factor;
    uint64_t at = cie->factors;
    if (!bytes_uleb(record, &at, &number) || !bytes_sleb(record, &at, &factor))
        return false;
    if (cie->version == 1 ? !bytes_contain(record, at++, 1) : !bytes_uleb(record, &at, &number))
        return false;
    cie->factors_end = at;
    return true;
}

const char *cie_parse(struct bytes record, uint64_t id_offset, struct cie_view *cie) {
    uint64_t at = id_offset + 4, length = 0;
    size_t letters;
    *cie = (struct cie_view){.encoding = PE_ABSPTR};
    bool good = bytes_contain(record, at, 1) && (record.data[at] == 1 || record.data[at] == 3);
    cie->augmentation = good ? bytes_string(record, at + 1, &letters) : NULL;
    if (!cie->augmentation)
        return "a CIE of unknown version";
    cie->version = record.data[at];
    cie->factors = at + 2 + letters;
    good = cie->factors <= record.size && read_factors(record, cie);
    cie->instructions = cie->factors_end;
    cie->has_data = cie->augmentation[0] == 'z';
    if (good && cie->has_data) {
        at = cie->factors_end;
        good = bytes_uleb(record, &at, &length) && bytes_contain(record, at, length);
        cie->instructions = at + length;
        good = good && read_augmentation(record, at, cie);
    } else if (good) {
        good = !cie->augmentation[0]; /* "eh" of gcc 2 has not been written for decades */
    }
    return good && pointer_size(cie->encoding, &cie->pointer_size)
               ? NULL
               : "a CIE with an augmentation that is not known";
}
