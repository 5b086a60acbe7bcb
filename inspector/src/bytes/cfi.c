#include "bytes/cfi.h"

#include "dwarf/cfi_rules.h"
#include "mirror/views.h"
#include "object/cie.h"

#include <inttypes.h>

const struct column cfi_fact_columns[] = {
    {"what", CELL_TEXT}, {"address", CELL_ADDRESS}, {"value", CELL_TEXT}};
const uint32_t cfi_fact_column_count = sizeof cfi_fact_columns / sizeof *cfi_fact_columns;
const struct column cfi_rule_columns[] = {
    {"address", CELL_ADDRESS}, {"end", CELL_ADDRESS}, {"cfa", CELL_TEXT}, {"registers", CELL_TEXT}};
const uint32_t cfi_rule_column_count = sizeof cfi_rule_columns / sizeof *cfi_rule_columns;

/* Bytes; no compiler writes a longer one. */
enum { LONGEST_RECORD = 1 << 20, LENGTH_SIZE = 4, LONG_LENGTH_SIZE = 12, ID_SIZE = 4, ADDRESS_SIZE = 8 };

/* DW_EH_PE_* (LSB Core 5, "DWARF Exception Header Encoding"): how a pointer is written. */
enum {
    PE_ABSPTR = 0,
    PE_UDATA4 = 3,
    PE_UDATA8 = 4,
    PE_SDATA4 = 11,
    PE_SDATA8 = 12,
    PE_FORM = 0x0f,
    PE_PCREL = 0x10,
    PE_RELATIVE = 0x70,
    PE_INDIRECT = 0x80,
    PE_OMIT = 0xff
};

/* A record that was read, owned. */
struct record {
    uint64_t address;
    struct bytes bytes; /* the length field included */
    uint64_t id;        /* where the id field is: 4 or, with a 64-bit length, 12 */
    uint32_t id_value;
};

/* A CIE in all its parts. */
struct cie {
    struct record record;
    struct cie_view view;
    uint64_t code_alignment, return_register;
    int64_t data_alignment;
    uint8_t fde_encoding, lsda_encoding, personality_encoding;
    uint64_t personality; /* valid unless its encoding is PE_OMIT */
};

struct fde {
    struct record record;
    struct cie cie;
    uint64_t start, size, lsda;
    uint64_t instructions; /* offset in the record */
    bool has_lsda;
};

/* --- reading */

static void release(struct record *record) {
    os_release((void *)(uintptr_t)record->bytes.data);
    record->bytes = (struct bytes){0};
}

/* NULL, or what is wrong with it. */
static const char *measure(const struct look *look, uint64_t address, uint64_t *size, uint64_t *id) {
    uint8_t start[LONG_LENGTH_SIZE];
    uint64_t known = look_read(look, address, start, sizeof start);
    if (known < LENGTH_SIZE)
        return "it cannot be read";
    *id = LENGTH_SIZE;
    *size = load_u32(start);
    if (*size == UINT32_MAX && known == sizeof start) {
        *id = LONG_LENGTH_SIZE;
        *size = load_u64(start + LENGTH_SIZE);
    }
    if (*size && *size < ID_SIZE)
        return "it is too short for its own fields";
    if (*size > LONGEST_RECORD)
        return "its length makes no sense";
    *size += *id;
    return NULL;
}

/* The bytes of a terminator are its length alone. */
static struct jitscope_error *read_record(const struct look *look, uint64_t address, struct record *record,
                                          const char **damage) {
    uint64_t size;
    *record = (struct record){.address = address};
    *damage = measure(look, address, &size, &record->id);
    if (*damage)
        return NULL;
    uint8_t *bytes = os_allocate(size);
    if (!bytes)
        return error_no_memory();
    record->bytes = (struct bytes){bytes, size};
    if (look_read(look, address, bytes, size) != size)
        *damage = "it cannot be read to its end";
    else if (size > record->id)
        record->id_value = load_u32(bytes + record->id);
    return NULL;
}

/* The pointer at *OFFSET of RECORD, which moves behind it; false when there is none, or its encoding is not
 * known. */
static bool read_pointer(const struct record *record, uint64_t *offset, uint8_t encoding, bool is_length,
                         uint64_t *value) {
    uint8_t form = encoding & PE_FORM;
    uint64_t size = form == PE_UDATA4 || form == PE_SDATA4 ? 4 : 8, place = record->address + *offset;
    bool is_known =
        form == PE_ABSPTR || form == PE_UDATA4 || form == PE_UDATA8 || form == PE_SDATA4 || form == PE_SDATA8;
    if (!is_known || !bytes_contain(record->bytes, *offset, size))
        return false;
    const uint8_t *at = record->bytes.data + *offset;
    *value = size == 8 ? load_u64(at) : load_u32(at);
    if (form == PE_SDATA4)
        *value = (uint64_t)(int64_t)(int32_t)*value;
    *offset += size;
    if (is_length)
        return true;
    if ((encoding & PE_RELATIVE) == PE_PCREL && *value)
        *value += place;
    return !(encoding & PE_RELATIVE) || (encoding & PE_RELATIVE) == PE_PCREL;
}

/* What the letters behind 'z' stand for. */
static bool read_augmentation(struct cie *cie) {
    struct bytes bytes = cie->record.bytes;
    uint64_t at = cie->view.factors_end, length;
    if (!cie->view.has_data)
        return true;
    if (!bytes_uleb(bytes, &at, &length))
        return false;
    for (const char *letter = cie->view.augmentation + 1; *letter; letter++) {
        if (!strchr("RPL", *letter))
            continue;
        if (!bytes_contain(bytes, at, 1))
            return false;
        uint8_t encoding = bytes.data[at++];
        if (*letter == 'R')
            cie->fde_encoding = encoding;
        else if (*letter == 'L')
            cie->lsda_encoding = encoding;
        else if ((cie->personality_encoding = encoding) != PE_OMIT &&
                 !read_pointer(&cie->record, &at, encoding, false, &cie->personality))
            return false;
    }
    return true;
}

static const char *understand_cie(struct cie *cie) {
    struct bytes bytes = cie->record.bytes;
    if (bytes.size <= cie->record.id || cie->record.id_value)
        return "it is no CIE";
    const char *damage = cie_parse(bytes, cie->record.id, &cie->view);
    if (damage)
        return damage;
    uint64_t at = cie->view.factors;
    if (!bytes_uleb(bytes, &at, &cie->code_alignment) || !bytes_sleb(bytes, &at, &cie->data_alignment))
        return "its factors are torn";
    if (cie->view.version == 1 && bytes_contain(bytes, at, 1))
        cie->return_register = bytes.data[at];
    else if (!bytes_uleb(bytes, &at, &cie->return_register))
        return "its factors are torn";
    return read_augmentation(cie) ? NULL : "its augmentation is not known";
}

static struct jitscope_error *read_cie(const struct look *look, uint64_t address, struct cie *cie,
                                       const char **damage) {
    *cie = (struct cie){.lsda_encoding = PE_OMIT, .personality_encoding = PE_OMIT};
    TRY(read_record(look, address, &cie->record, damage));
    if (!*damage)
        *damage = understand_cie(cie);
    return NULL;
}

static const char *understand_fde(struct fde *fde) {
    const struct cie *cie = &fde->cie;
    struct bytes bytes = fde->record.bytes;
    uint64_t at = fde->record.id + ID_SIZE, length = 0;
    if (!read_pointer(&fde->record, &at, cie->fde_encoding, false, &fde->start) ||
        !read_pointer(&fde->record, &at, cie->fde_encoding, true, &fde->size))
        return "its range is torn, or encoded in an unknown way";
    if (fde->size > UINT64_MAX - fde->start)
        return "its range makes no sense";
    if (cie->view.has_data && (!bytes_uleb(bytes, &at, &length) || !bytes_contain(bytes, at, length)))
        return "its augmentation is torn";
    fde->instructions = at + length;
    if (cie->lsda_encoding != PE_OMIT && length)
        fde->has_lsda = read_pointer(&fde->record, &at, cie->lsda_encoding, false, &fde->lsda) && fde->lsda;
    return NULL;
}

/* Its id says how far before it the CIE is. */
static struct jitscope_error *read_fde(const struct look *look, struct fde *fde, const char **damage) {
    uint64_t cie = fde->record.address + fde->record.id - fde->record.id_value;
    TRY(read_cie(look, cie, &fde->cie, damage));
    if (!*damage)
        *damage = understand_fde(fde);
    else
        *damage = "its CIE is not sound";
    return NULL;
}

/* --- facts */

static struct jitscope_error *begin_fact(struct rows *rows, struct row *row, const char *what,
                                         const uint64_t *address) {
    TRY(row_begin(rows, row));
    row_text(row, what);
    if (address)
        row_number(row, *address);
    else
        row_absent(row);
    return NULL;
}

static struct jitscope_error *add_text(struct rows *rows, const char *what, const char *text) {
    struct row row;
    TRY(begin_fact(rows, &row, what, NULL));
    row_print(&row, "%s", text);
    return NULL;
}

/* An address, by its name. */
static struct jitscope_error *add_place(struct rows *rows, const struct look *look, const char *what,
                                        uint64_t address, const char *behind) {
    struct row row;
    struct text name = {0};
    TRY(begin_fact(rows, &row, what, &address));
    if (contents_ask(look->contents, look->link) == CONTENTS_READY)
        contents_name(look->contents, look->link, address, &name);
    text_append(&name, behind);
    row_print(&row, "%s", name.data ? name.data : "");
    text_destroy(&name);
    return NULL;
}

static struct jitscope_error *add_number(struct rows *rows, const char *what, int64_t number) {
    struct row row;
    TRY(begin_fact(rows, &row, what, NULL));
    row_print(&row, "%" PRId64, number);
    return NULL;
}

static struct jitscope_error *add_cie(struct rows *rows, const struct look *look, const struct cie *cie) {
    uint64_t personality;
    TRY(add_number(rows, "version", cie->view.version));
    TRY(add_text(rows, "augmentation", cie->view.augmentation));
    TRY(add_number(rows, "code alignment", (int64_t)cie->code_alignment));
    TRY(add_number(rows, "data alignment", cie->data_alignment));
    TRY(add_number(rows, "return address register", (int64_t)cie->return_register));
    if (cie->view.is_signal_frame)
        TRY(add_text(rows, "signal frame", "yes"));
    if (cie->personality_encoding == PE_OMIT)
        return NULL;
    if (!(cie->personality_encoding & PE_INDIRECT))
        return add_place(rows, look, "personality", cie->personality, "");
    TRY(add_place(rows, look, "slot of the personality", cie->personality, ""));
    if (look_read(look, cie->personality, (uint8_t *)&personality, sizeof personality) < sizeof personality)
        return NULL;
    return add_place(rows, look, "personality", personality, "");
}

static struct jitscope_error *add_fde(struct rows *rows, const struct look *look, const struct fde *fde) {
    struct text size = {0};
    text_print(&size, ", %" PRIu64 " bytes", fde->size);
    struct jitscope_error *error = add_place(rows, look, "function", fde->start, size.data ? size.data : "");
    text_destroy(&size);
    TRY(error);
    TRY(add_place(rows, look, "end", fde->start + fde->size, ""));
    if (fde->has_lsda)
        TRY(add_place(rows, look, "LSDA", fde->lsda, ""));
    return add_place(rows, look, "CIE", fde->cie.record.address, "");
}

static struct jitscope_error *add_facts(struct rows *rows, const struct look *look, struct fde *fde) {
    const char *damage = NULL;
    TRY(read_record(look, fde->record.address, &fde->record, &damage));
    if (damage)
        return add_text(rows, "damage", damage);
    if (fde->record.bytes.size == fde->record.id)
        return add_text(rows, "record", "terminator");
    bool is_cie = !fde->record.id_value;
    TRY(add_text(rows, "record", is_cie ? "CIE" : "FDE"));
    TRY(add_number(rows, "bytes", (int64_t)fde->record.bytes.size));
    TRY(is_cie ? read_cie(look, fde->record.address, &fde->cie, &damage) : read_fde(look, fde, &damage));
    if (damage)
        return add_text(rows, "damage", damage);
    if (!is_cie)
        TRY(add_fde(rows, look, fde));
    return add_cie(rows, look, &fde->cie);
}

static bool is_there(const struct look *look) {
    return look->read || contents_ask(look->contents, look->link) == CONTENTS_READY;
}

struct jitscope_error *cfi_facts(const struct look *look, uint64_t address, struct rows *rows) {
    struct fde fde = {.record = {.address = address}};
    if (!is_there(look))
        return NULL;
    struct jitscope_error *error = add_facts(rows, look, &fde);
    release(&fde.record);
    release(&fde.cie.record);
    return error;
}

/* --- rules */

/* System V psABI x86-64, figure 3.36. */
static const char *const registers[CFI_REGISTERS] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi",
                                                     "rbp", "rsp", "r8",  "r9",  "r10", "r11",
                                                     "r12", "r13", "r14", "r15", "ra"};

struct telling {
    struct rows *rows;
    struct jitscope_error *error;
    bool is_cie; /* of no place */
};

static void put_offset(struct text *out, const char *base, int64_t offset) {
    text_print(out, "%s%c%" PRIu64, base, offset < 0 ? '-' : '+',
               offset < 0 ? -(uint64_t)offset : (uint64_t)offset);
}

static void put_rule(struct text *out, struct cfi_rule rule) {
    switch (rule.how) {
    case CFI_SAME:
        text_append(out, "s");
        break;
    case CFI_UNDEFINED:
        text_append(out, "u");
        break;
    case CFI_OFFSET:
        put_offset(out, "c", rule.value);
        break;
    case CFI_VALUE_OFFSET:
        put_offset(out, "v", rule.value);
        break;
    case CFI_REGISTER:
        text_append(out, rule.value >= 0 && rule.value < CFI_REGISTERS ? registers[rule.value] : "?");
        break;
    case CFI_EXPRESSION:
        text_append(out, "exp");
        break;
    }
}

static void put_cfa(struct text *out, const struct cfi_rules *rules) {
    if (rules->cfa_is_expression)
        text_append(out, "exp");
    else if (rules->cfa_register < CFI_REGISTERS)
        put_offset(out, registers[rules->cfa_register], rules->cfa_offset);
    else
        text_append(out, "u");
}

static void put_registers(struct text *out, const struct cfi_rules *rules) {
    for (int i = 0; i < CFI_REGISTERS; i++) {
        if (rules->registers[i].how == CFI_SAME)
            continue;
        text_print(out, out->length ? " %s=" : "%s=", registers[i]);
        put_rule(out, rules->registers[i]);
    }
}

static void row_take(struct row *row, struct text *text) {
    row_print(row, "%s", text->data ? text->data : "");
    text_destroy(text);
}

static void tell_row(void *context, uint64_t start, uint64_t end, const struct cfi_rules *rules) {
    struct telling *telling = context;
    struct row row;
    struct text cfa = {0}, saved = {0};
    if (telling->error || (telling->error = row_begin(telling->rows, &row)))
        return;
    put_cfa(&cfa, rules);
    put_registers(&saved, rules);
    if (telling->is_cie) {
        row_absent(&row);
        row_absent(&row);
    } else {
        row_number(&row, start);
        row_number(&row, end);
    }
    row_take(&row, &cfa);
    row_take(&row, &saved);
}

static struct cfi_frame frame_of(const struct fde *fde) {
    const struct cie *cie = &fde->cie;
    struct bytes own = fde->record.bytes, shared = cie->record.bytes;
    return (struct cfi_frame){
        .start = fde->start,
        .size = fde->size,
        .cie = bytes_slice(shared, cie->view.instructions, shared.size - cie->view.instructions),
        .fde = bytes_slice(own, fde->instructions, own.size - fde->instructions),
        .code_alignment = cie->code_alignment,
        .data_alignment = cie->data_alignment};
}

/* A CIE's own rules are those of one byte of nothing. */
static struct jitscope_error *add_rules(struct rows *rows, const struct look *look, struct fde *fde) {
    const char *damage = NULL;
    struct telling telling = {.rows = rows};
    TRY(read_record(look, fde->record.address, &fde->record, &damage));
    if (damage || fde->record.bytes.size == fde->record.id)
        return NULL;
    bool is_cie = !fde->record.id_value;
    TRY(is_cie ? read_cie(look, fde->record.address, &fde->cie, &damage) : read_fde(look, fde, &damage));
    if (damage)
        return NULL;
    telling.is_cie = is_cie;
    fde->size = is_cie ? 1 : fde->size;
    fde->instructions = is_cie ? fde->record.bytes.size : fde->instructions;
    const struct cfi_frame frame = frame_of(fde);
    bool whole = cfi_each_row(&frame, tell_row, &telling);
    TRY(telling.error);
    struct row row;
    if (whole)
        return NULL;
    TRY(row_begin(rows, &row));
    row_absent(&row);
    row_absent(&row);
    row_text(&row, "?");
    row_text(&row, "an instruction makes no sense");
    return NULL;
}

struct jitscope_error *cfi_rules_of(const struct look *look, uint64_t address, struct rows *rows) {
    struct fde fde = {.record = {.address = address}};
    if (!is_there(look))
        return NULL;
    struct jitscope_error *error = add_rules(rows, look, &fde);
    release(&fde.record);
    release(&fde.cie.record);
    return error;
}
