#include "dwarf/dwarf_lines.h"

#include "dwarf/libdwarf_functions.h"

#include <stdlib.h>

/* Nested deeper, a function stays without a name of its own here. */
enum { MOST_DEPTH = 16, MOST_REFERENCES = 4 };

static const char *const section_names[] = {
    "", /* libdwarf takes section 0 for the null one */
#define DEBUG_SECTION(NAME, name) name,
#include "executor/debug_sections.def"
#undef DEBUG_SECTION
};
enum { SECTIONS = sizeof section_names / sizeof section_names[0] };

struct source {
    struct bytes sections[SECTIONS];
};

static char *copy_text(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = os_allocate(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

struct reading {
    struct libdwarf api;
    Dwarf_Debug dwarf;
    struct dwarf_lines *lines;
};

/* --- sections, for libdwarf */

static int get_section(void *object, Dwarf_Half index, Dwarf_Obj_Access_Section *section, int *code) {
    const struct source *source = object;
    (void)code;
    if (index >= SECTIONS)
        return DW_DLV_NO_ENTRY;
    memset(section, 0, sizeof *section);
    bool is_there = source->sections[index].size != 0; /* an empty .debug_types is an error to libdwarf */
    section->name = is_there ? section_names[index] : "";
    section->type = is_there ? SHT_PROGBITS : SHT_NULL;
    section->size = source->sections[index].size;
    return DW_DLV_OK;
}

static Dwarf_Endianness get_order(void *object) {
    (void)object;
    return DW_OBJECT_LSB;
}

static Dwarf_Small get_size(void *object) {
    (void)object;
    return sizeof(uint64_t);
}

static Dwarf_Unsigned get_count(void *object) {
    (void)object;
    return SECTIONS;
}

static int load_section(void *object, Dwarf_Half index, Dwarf_Small **data, int *code) {
    const struct source *source = object;
    (void)code;
    if (index >= SECTIONS || !source->sections[index].size)
        return DW_DLV_NO_ENTRY;
    *data = (Dwarf_Small *)(uintptr_t)source->sections[index].data;
    return DW_DLV_OK;
}

static const Dwarf_Obj_Access_Methods methods = {
    get_section, get_order, get_size, get_size, get_count, load_section, NULL,
};

/* libdwarf's answers are three-valued: what is absent and what is damaged are the same to this reader. */
static bool is_good(struct reading *reading, int result, Dwarf_Error *error) {
    if (result == DW_DLV_ERROR)
        reading->api.dealloc(reading->dwarf, *error, DW_DLA_ERROR);
    return result == DW_DLV_OK;
}

#define GOOD(call) is_good(reading, (call), &error)

/* --- lines */

static struct jitscope_error *add_file(struct reading *reading, Dwarf_Line line, uint32_t *file) {
    Dwarf_Error error = NULL;
    char *name;
    *file = NO_FILE;
    if (!GOOD(reading->api.linesrc(line, &name, &error)))
        return NULL;
    char *own = copy_text(name);
    reading->api.dealloc(reading->dwarf, name, DW_DLA_STRING);
    if (!own)
        return error_no_memory();
    *file = reading->lines->files.count;
    struct jitscope_error *failure = vec_push(&reading->lines->files, own);
    if (failure)
        os_release(own);
    return failure;
}

static struct jitscope_error *add_row(struct reading *reading, Dwarf_Line line, Dwarf_Unsigned *file_number,
                                      uint32_t *file) {
    Dwarf_Error error = NULL;
    Dwarf_Addr address;
    Dwarf_Unsigned number, in_file;
    Dwarf_Bool is_end, is_statement;
    if (!GOOD(reading->api.lineaddr(line, &address, &error)) ||
        !GOOD(reading->api.lineno(line, &number, &error)) ||
        !GOOD(reading->api.lineendsequence(line, &is_end, &error)) ||
        !GOOD(reading->api.linebeginstatement(line, &is_statement, &error)) ||
        !GOOD(reading->api.line_srcfileno(line, &in_file, &error)) || number > INT32_MAX)
        return NULL;
    if (in_file != *file_number) {
        *file_number = in_file;
        TRY(add_file(reading, line, file));
    }
    return vec_push(&reading->lines->rows, (struct line_row){.address = address,
                                                             .line = (uint32_t)number,
                                                             .file = *file,
                                                             .order = reading->lines->rows.count,
                                                             .is_end = is_end,
                                                             .is_statement = is_statement});
}

static struct jitscope_error *add_lines(struct reading *reading, Dwarf_Die unit) {
    Dwarf_Error error = NULL;
    Dwarf_Unsigned version, file_number = UINT64_MAX;
    Dwarf_Small tables;
    Dwarf_Line_Context context;
    Dwarf_Line *rows;
    Dwarf_Signed count;
    uint32_t file = NO_FILE;
    struct jitscope_error *failure = NULL;
    if (!GOOD(reading->api.srclines_b(unit, &version, &tables, &context, &error)))
        return NULL;
    if (GOOD(reading->api.srclines_from_linecontext(context, &rows, &count, &error)))
        for (Dwarf_Signed i = 0; i < count && !failure; i++)
            failure = add_row(reading, rows[i], &file_number, &file);
    reading->api.srclines_dealloc_b(context);
    return failure;
}

static int by_address(const void *a, const void *b) {
    const struct line_row *one = a, *other = b;
    if (one->address != other->address)
        return one->address < other->address ? -1 : 1;
    if (one->is_end != other->is_end)
        return one->is_end ? -1 : 1;
    return (one->order > other->order) - (one->order < other->order);
}

/* --- functions */

/* The entry that DIE's attribute refers to; *out is the caller's to dealloc. */
static bool follow(struct reading *reading, Dwarf_Die die, Dwarf_Half attribute, Dwarf_Die *out) {
    Dwarf_Error error = NULL;
    Dwarf_Attribute reference;
    Dwarf_Off offset;
    if (!GOOD(reading->api.attr(die, attribute, &reference, &error)))
        return false;
    bool found = GOOD(reading->api.global_formref(reference, &offset, &error)) &&
                 GOOD(reading->api.offdie_b(reading->dwarf, offset, 1, out, &error));
    reading->api.dealloc(reading->dwarf, reference, DW_DLA_ATTR);
    return found;
}

/* The name of an out-of-line copy is its origin's, that of a member function its declaration's. */
static char *name_of(struct reading *reading, Dwarf_Die die) {
    Dwarf_Error error = NULL;
    Dwarf_Die at = die, next;
    char *name = NULL;
    for (int i = 0; i < MOST_REFERENCES && !name; i++) {
        char *borrowed;
        if (GOOD(reading->api.diename(at, &borrowed, &error))) {
            name = copy_text(borrowed);
            break;
        }
        if (!follow(reading, at, DW_AT_abstract_origin, &next) &&
            !follow(reading, at, DW_AT_specification, &next))
            break;
        if (at != die)
            reading->api.dealloc(reading->dwarf, at, DW_DLA_DIE);
        at = next;
    }
    if (at != die)
        reading->api.dealloc(reading->dwarf, at, DW_DLA_DIE);
    return name;
}

static struct jitscope_error *add_function(struct reading *reading, Dwarf_Die die) {
    Dwarf_Error error = NULL;
    Dwarf_Addr start, end;
    Dwarf_Half form;
    enum Dwarf_Form_Class class;
    if (!GOOD(reading->api.lowpc(die, &start, &error)) ||
        !GOOD(reading->api.highpc_b(die, &end, &form, &class, &error)))
        return NULL;
    if (class == DW_FORM_CLASS_CONSTANT && __builtin_add_overflow(start, end, &end))
        return NULL;
    char *name = start && start < end ? name_of(reading, die) : NULL;
    if (!name)
        return NULL;
    struct jitscope_error *failure =
        vec_push(&reading->lines->functions, (struct dwarf_function){start, end, name});
    if (failure)
        os_release(name);
    return failure;
}

static bool holds_functions(Dwarf_Half tag) {
    return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
           tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

static struct jitscope_error *add_functions(struct reading *reading, Dwarf_Die parent, int depth) {
    Dwarf_Error error = NULL;
    Dwarf_Die die, next;
    struct jitscope_error *failure = NULL;
    if (depth == MOST_DEPTH || !GOOD(reading->api.child(parent, &die, &error)))
        return NULL;
    for (bool more = true; more; die = next) {
        Dwarf_Half tag = 0;
        if (GOOD(reading->api.tag(die, &tag, &error)) && tag == DW_TAG_subprogram)
            failure = add_function(reading, die);
        else if (holds_functions(tag))
            failure = add_functions(reading, die, depth + 1);
        more = !failure && GOOD(reading->api.siblingof_b(reading->dwarf, die, 1, &next, &error));
        reading->api.dealloc(reading->dwarf, die, DW_DLA_DIE);
    }
    return failure;
}

/* --- units */

static bool next_unit(struct reading *reading, Dwarf_Die *die, bool *has_die) {
    Dwarf_Error error = NULL;
    Dwarf_Unsigned size, type_offset, next;
    Dwarf_Half version, address_size, offset_size, extension, kind;
    Dwarf_Off abbreviations;
    Dwarf_Sig8 signature;
    if (!GOOD(reading->api.next_cu_header_d(reading->dwarf, 1, &size, &version, &abbreviations, &address_size,
                                            &offset_size, &extension, &signature, &type_offset, &next, &kind,
                                            &error)))
        return false;
    *has_die = GOOD(reading->api.siblingof_b(reading->dwarf, NULL, 1, die, &error));
    return true;
}

static struct jitscope_error *read_units(struct reading *reading) {
    Dwarf_Die unit;
    bool has_die;
    struct jitscope_error *failure = NULL;
    while (!failure && next_unit(reading, &unit, &has_die)) {
        if (!has_die)
            continue; /* of a batch that is gone */
        failure = add_lines(reading, unit);
        if (!failure)
            failure = add_functions(reading, unit, 0);
        reading->api.dealloc(reading->dwarf, unit, DW_DLA_DIE);
    }
    return failure;
}

static struct jitscope_error *read_source(struct reading *reading, struct source *source) {
    Dwarf_Obj_Access_Interface object = {source, &methods};
    Dwarf_Error error = NULL;
    if (!GOOD(reading->api.object_init_b(&object, NULL, NULL, DW_GROUPNUMBER_ANY, &reading->dwarf, &error)))
        return NULL;
    struct jitscope_error *failure = read_units(reading);
    reading->api.object_finish(reading->dwarf, &error);
    return failure;
}

static struct jitscope_error *read_with_libdwarf(struct source *source, struct dwarf_lines *lines) {
    struct reading reading = {.lines = lines};
    if (!libdwarf_open(&reading.api))
        return NULL;
    struct jitscope_error *failure = read_source(&reading, source);
    libdwarf_close(&reading.api);
    if (lines->rows.count)
        qsort(lines->rows.data, lines->rows.count, sizeof lines->rows.data[0], by_address);
    return failure;
}

struct jitscope_error *dwarf_lines_read(const struct debuggee_memory *memory, const struct debuggee_elf *elf,
                                        struct dwarf_lines *lines) {
    struct source source = {0};
    const char *damage = NULL;
    *lines = (struct dwarf_lines){0};
    TRY(vec_push(&lines->files, NULL));
    for (int i = 1; i < SECTIONS && !damage; i++)
        damage = debuggee_view_section(memory, elf, section_names[i], &source.sections[i]);
    struct jitscope_error *failure = damage ? NULL : read_with_libdwarf(&source, lines);
    for (int i = 0; i < SECTIONS; i++)
        os_release((void *)(uintptr_t)source.sections[i].data);
    return failure;
}

void dwarf_lines_destroy(struct dwarf_lines *lines) {
    for (uint32_t i = 0; i < lines->files.count; i++)
        os_release(lines->files.data[i]);
    for (uint32_t i = 0; i < lines->functions.count; i++)
        os_release(lines->functions.data[i].name);
    vec_destroy(&lines->rows);
    vec_destroy(&lines->files);
    vec_destroy(&lines->functions);
}
