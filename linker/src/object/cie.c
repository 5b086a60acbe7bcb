#include "object/cie.h"

/* DW_EH_PE_* (LSB Core 5, "DWARF Exception Header Encoding") */
enum {
    PE_ABSPTR = 0,
    PE_UDATA4 = 3,
    PE_UDATA8 = 4,
    PE_SDATA4 = 11,
    PE_SDATA8 = 12,
    PE_PCREL = 0x10,
    PE_RELATIVE_TO = 0x70,
    PE_OMIT = 0xff
};

/* Whether the address counts from 0, or from where it stands.  Unwinders are told of a section in memory
 * without where text or data begin, and take 0 for that: a wrong address, which may be somebody else's. */
static bool has_base(uint8_t encoding) {
    return !(encoding & PE_RELATIVE_TO) || (encoding & PE_RELATIVE_TO) == PE_PCREL;
}

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

/* The letters behind 'z' say what the augmentation data holds, in order.  *has_bases: of all addresses there,
 * and of those in FDEs, it is known what they count from. */
static bool read_augmentation(struct bytes record, uint64_t at, struct cie_view *cie, bool *has_bases) {
    for (const char *letter = cie->augmentation + 1; *letter; letter++) {
        uint8_t size;
        if (*letter == 'S')
            cie->is_signal_frame = true;
        if (*letter == 'S' || *letter == 'B')
            continue; /* signal frame, return addresses signed: no data */
        if (!strchr("RPL", *letter) || !bytes_contain(record, at, 1))
            return false;
        uint8_t value = record.data[at++];
        *has_bases &= value == PE_OMIT || has_base(value);
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
    bool has_bases = true,
         good = bytes_contain(record, at, 1) && (record.data[at] == 1 || record.data[at] == 3);
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
        good = good && read_augmentation(record, at, cie, &has_bases);
    } else if (good) {
        good = !cie->augmentation[0]; /* "eh" of gcc 2 has not been written for decades */
    }
    if (!good || !pointer_size(cie->encoding, &cie->pointer_size))
        return "a CIE with an augmentation that is not known";
    return has_bases ? NULL
                     : "a CIE with addresses that count from the start of text or data (DW_EH_PE_textrel, "
                       "DW_EH_PE_datarel), which unwinders of code in memory do not know";
}
