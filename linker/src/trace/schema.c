#include "trace/schema.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ISO C promises 4095 characters; gcc and clang have no limit. */
#pragma GCC diagnostic ignored "-Woverlength-strings"
static const char builtin[] =
#define TYPE(name, ctype, print, sensitivity, text)                                                          \
    "T\t" #name "\t" #ctype "\t" #print "\t" #sensitivity "\t" text "\n"
#include "trace/field_types.def"
#undef TYPE
#define VALUE(type, name, number, text) "V\t" #type "\t" #number "\t" text "\n"
#include "trace/enums.def"
#undef VALUE
#define FIELD(type, name, text)              "F\t" #type "\t" #name "\t" text "\n"
#define EVENT(id, name, level, text, fields) "E\t" #id "\t" #name "\t" #level "\t" text "\n" fields
#include "trace/events.def"
#undef EVENT
#undef FIELD
    ;

static const char *const level_names[] = {"OFF", "SESSION", "PHASE", "BLOCK", "EDGES"};
static const char *const print_names[] = {"ID",   "COUNT", "HEX",    "NS",       "NAME",
                                          "ENUM", "PROT",  "SIGNED", "EDGE_KIND"};

const char *schema_text(size_t *length) {
    *length = sizeof builtin - 1;
    return builtin;
}

const char *schema_level_name(uint8_t level) {
    return level < sizeof level_names / sizeof *level_names ? level_names[level] : "?";
}

/* Names are printed as they are; a schema out of a file must not smuggle anything in. */
static bool is_identifier(const char *name) {
    const char *at = name;
    while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
           *at == '_')
        at++;
    return at > name && !*at;
}

static int find_text(const char *const *texts, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(texts[i], text))
            return (int)i;
    return -1;
}

static struct jitscope_error *bad_line(const char *kind, const char *what) {
    return error_create(JITSCOPE_ERROR_RECORDING, "schema: a line of kind '%s' with a bad %s", kind, what);
}

/* The place where a type of that name was found last: the schema is read whenever a program starts. */
static uint32_t *place_of_type(struct schema *schema, const char *name) {
    uint32_t hash = 0;
    for (; *name; name++)
        hash = hash * 31 + (*name & 0x1f); /* of both spellings the same */
    return &schema->type_places[(hash ^ hash >> 10) % SCHEMA_TYPE_PLACES];
}

/* Capitals and small letters name the same type: enumerations spell it in capitals. */
static bool is_type(const struct schema *schema, uint32_t type, const char *name) {
    return type < schema->types.count && !strcasecmp(schema->types.data[type].name, name);
}

static bool find_type(struct schema *schema, const char *name, uint32_t *type) {
    uint32_t *place = place_of_type(schema, name);
    if (is_type(schema, *place, name)) {
        *type = *place;
        return true;
    }
    for (*type = 0; *type < schema->types.count; ++*type)
        if (is_type(schema, *type, name)) {
            *place = *type;
            return true;
        }
    return false;
}

/* Lines are looked through one by one: far more than any version has, few enough for a hostile file. */
enum { MOST_TYPES = 256, MOST_VALUES = 4096 };

static struct jitscope_error *add_type(struct schema *schema, char **cell) {
    bool wide = !strcmp(cell[2], "uint64_t") || !strcmp(cell[2], "int64_t") || !strcmp(cell[2], "8");
    int print = find_text(print_names, sizeof print_names / sizeof *print_names, cell[3]);
    if (print < 0 || !is_identifier(cell[1]) || schema->types.count >= MOST_TYPES)
        return bad_line("T", "name or print kind");
    return vec_push(&schema->types, (struct schema_type){.name = cell[1],
                                                         .meaning = cell[5],
                                                         .sensitivity = cell[4],
                                                         .bytes = wide ? 8 : 4,
                                                         .print = (uint8_t)print});
}

static struct jitscope_error *add_value(struct schema *schema, char **cell) {
    uint32_t type;
    if (!find_type(schema, cell[1], &type) || schema->values.count >= MOST_VALUES)
        return bad_line("V", "type");
    return vec_push(&schema->values,
                    (struct schema_value){type, (uint32_t)strtoul(cell[2], NULL, 10), cell[3]});
}

static struct jitscope_error *add_event(struct schema *schema, char **cell) {
    unsigned long id = strtoul(cell[1], NULL, 10);
    int level = find_text(level_names, sizeof level_names / sizeof *level_names, cell[3]);
    if (!id || id >= SCHEMA_EVENT_IDS || schema->by_id[id] || level < 0 || !is_identifier(cell[2]))
        return bad_line("E", "id, name or level");
    TRY(vec_push(&schema->events, (struct schema_event){.name = cell[2],
                                                        .meaning = cell[4],
                                                        .id = (uint16_t)id,
                                                        .level = (uint8_t)level,
                                                        .first_field = schema->fields.count,
                                                        .size = 4}));
    schema->by_id[id] = (uint16_t)schema->events.count;
    return NULL;
}

static struct jitscope_error *add_field(struct schema *schema, char **cell) {
    uint32_t type;
    if (!schema->events.count || !find_type(schema, cell[1], &type) || !is_identifier(cell[2]))
        return bad_line("F", "type or name");
    struct schema_event *event = &schema->events.data[schema->events.count - 1];
    TRY(vec_push(&schema->fields, (struct schema_field){cell[2], cell[3], type, event->size}));
    event->field_count++;
    event->size += schema->types.data[type].bytes;
    event->has_trailing = !strcmp(schema->types.data[type].name, "count") && !strcmp(cell[2], "length") &&
                          schema->types.data[type].bytes == 4;
    return event->size < 4096 ? NULL : bad_line("F", "record size");
}

enum { CELLS = 6 };

static struct jitscope_error *add_line(struct schema *schema, char *line) {
    static const struct {
        char kind;
        uint8_t cells;
        struct jitscope_error *(*add)(struct schema *, char **);
    } kinds[] = {{'T', 6, add_type}, {'V', 4, add_value}, {'E', 5, add_event}, {'F', 4, add_field}};
    char *cell[CELLS] = {line};
    unsigned count = 1;
    for (char *tab; count < CELLS && (tab = strchr(cell[count - 1], '\t')); count++) {
        *tab = 0;
        cell[count] = tab + 1;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (line[0] == kinds[i].kind && !line[1])
            return count == kinds[i].cells ? kinds[i].add(schema, cell) : bad_line(line, "number of columns");
    return NULL; /* a later version's kind of line */
}

/* What TEXT has, which has room for it in SCHEMA. */
static struct jitscope_error *parse(struct bytes text, struct schema *schema) {
    struct jitscope_error *error = NULL;
    char *line = schema->text;
    memcpy(line, text.data, text.size);
    line[text.size] = 0;
    while (!error && *line) {
        char *end = strchr(line, '\n'), *next = end ? end + 1 : line + strlen(line);
        if (end)
            *end = 0;
        error = add_line(schema, line);
        line = next;
    }
    return error;
}

static struct jitscope_error *make_room(struct schema *schema, uint64_t size) {
    *schema = (struct schema){0};
    schema->text = size < SIZE_MAX ? arena_allocate(&schema->arena, size + 1) : NULL;
    return schema->text ? NULL : error_no_memory();
}

struct jitscope_error *schema_parse(struct bytes text, struct schema *schema) {
    struct jitscope_error *error = make_room(schema, text.size);
    if (!error)
        error = parse(text, schema);
    if (error)
        schema_destroy(schema);
    return error;
}

/* How much the built-in schema has of each. */
enum {
    BUILTIN_TYPES = 0
#define TYPE(name, ctype, print, sensitivity, text) +1
#include "trace/field_types.def"
#undef TYPE
    ,
    BUILTIN_VALUES = 0
#define VALUE(type, name, number, text) +1
#include "trace/enums.def"
#undef VALUE
    ,
    BUILTIN_EVENTS = 0
#define EVENT(id, name, level, text, fields) +1
#include "trace/events.def"
#undef EVENT
    ,
    BUILTIN_FIELDS = 0
#define FIELD(type, name, text)              +1
#define EVENT(id, name, level, text, fields) fields
#include "trace/events.def"
#undef EVENT
#undef FIELD
};

static struct jitscope_error *reserve_builtin(struct schema *schema) {
    TRY(vec_reserve(&schema->types, BUILTIN_TYPES));
    TRY(vec_reserve(&schema->values, BUILTIN_VALUES));
    TRY(vec_reserve(&schema->events, BUILTIN_EVENTS));
    return vec_reserve(&schema->fields, BUILTIN_FIELDS);
}

struct jitscope_error *schema_create_builtin(struct schema *schema) {
    struct jitscope_error *error = make_room(schema, sizeof builtin - 1);
    if (!error)
        error = reserve_builtin(schema);
    if (error)
        schema_destroy(schema);
    return error;
}

void schema_read_builtin(struct schema *schema) {
    struct bytes text = {(const uint8_t *)builtin, sizeof builtin - 1};
    jitscope_error_destroy(parse(text, schema)); /* it is good, and there is room */
}

void schema_destroy(struct schema *schema) {
    vec_destroy(&schema->types);
    vec_destroy(&schema->values);
    vec_destroy(&schema->fields);
    vec_destroy(&schema->events);
    arena_destroy(&schema->arena);
}

const char *schema_value_text(const struct schema *schema, uint32_t type, uint64_t number) {
    for (uint32_t i = 0; i < schema->values.count; i++)
        if (schema->values.data[i].type == type && schema->values.data[i].number == number)
            return schema->values.data[i].text;
    return NULL;
}
