/* What names mean: symbols that came, went, or got another definition or provider. */
#include "mirror/diff_state.h"

#include <inttypes.h>

/* Names of which the same is to be said. */
struct group {
    uint64_t key;
    uint32_t cause;
    const char *what;
    struct text before, after; /* of changes: "b.o" -> "shared libc.so.6" */
    struct name_list names;
    uint32_t slots; /* of the GOT that hold other values for it */
};

struct groups {
    VEC(struct group) list;
    struct map64 by_key;
};

static struct jitscope_error *group_of(struct groups *groups, uint64_t key, struct group **group) {
    uint32_t at = map64_find(&groups->by_key, key);
    if (at == MAP64_NO_VALUE) {
        at = groups->list.count;
        TRY(vec_push(&groups->list, (struct group){.key = key, .cause = NO_ID}));
        TRY(map64_set(&groups->by_key, key, at));
    }
    *group = &groups->list.data[at];
    return NULL;
}

static void destroy_groups(struct groups *groups) {
    for (uint32_t i = 0; i < groups->list.count; i++) {
        struct group *group = &groups->list.data[i];
        text_destroy(&group->before);
        text_destroy(&group->after);
        text_destroy(&group->names.shown);
        text_destroy(&group->names.json);
    }
    vec_destroy(&groups->list);
    map64_destroy(&groups->by_key);
}

/* --- who has it */

/* Number of what answers for a symbol: an input, or a provider and its name. */
static uint64_t answer_key(const struct side *side, const struct mirror_symbol *symbol) {
    if (symbol->state == SYMBOL_DEFINED)
        return mix_key(6, shared_input(side, symbol->input));
    if (symbol->state != SYMBOL_EXTERNAL_RESOLVED)
        return mix_key(7, symbol->state);
    return mix_key(mix_key(8, symbol->provider), shared_name(side, symbol->where));
}

static const char *provider_text(const struct side *side, uint32_t provider) {
    const struct schema *schema = &side->mirror->file->schema;
    for (uint32_t i = 0; i < schema->types.count; i++)
        if (!__builtin_strcmp(schema->types.data[i].name, "provider"))
            return schema_value_text(schema, i, provider);
    return NULL;
}

static void put_answer(struct text *text, const struct diff_work *work, const struct side *side,
                       const struct mirror_symbol *symbol) {
    if (symbol->state == SYMBOL_DEFINED) {
        put_diff_input(text, work, shared_input(side, symbol->input));
    } else if (symbol->state != SYMBOL_EXTERNAL_RESOLVED) {
        text_append(text, "nobody");
    } else if (shared_name(side, symbol->where) != NO_NAME) {
        put_shared(text, work, shared_name(side, symbol->where));
    } else {
        const char *provider = provider_text(side, symbol->provider);
        text_append(text, provider ? provider : "somebody");
    }
}

/* Finding about the input that defines it, or that refers to it. */
static uint32_t cause_of(const struct diff_work *work, const struct side *side,
                         const struct mirror_symbol *symbol) {
    return finding_of_input(work, shared_input(side, symbol->input));
}

/* --- came and went */

static struct jitscope_error *add_lonely(struct diff_work *work, struct groups *groups,
                                         const struct side *side, uint32_t id, bool added) {
    const struct mirror_symbol *symbol = &side->link->symbols.data[id];
    bool defined = symbol->state == SYMBOL_DEFINED;
    struct group *group;
    TRY(group_of(groups, mix_key(mix_key(9, added), answer_key(side, symbol)), &group));
    if (!group->names.count) {
        group->cause = cause_of(work, side, symbol);
        group->what = added ? "symbols_added" : "symbols_removed";
        put_answer(&group->after, work, side, symbol);
        text_append(&group->before, defined ? "defined by " : "from outside, answered by ");
    } else if (group->cause != cause_of(work, side, symbol)) {
        group->cause = NO_ID; /* externals: several inputs refer to them */
    }
    name_list_add(&group->names, work, shared_name(side, symbol->name));
    return NULL;
}

/* --- changed */

struct change {
    const char *what;
    uint64_t key;
    uint64_t before, after; /* for those that are numbers */
};

static struct jitscope_error *add_change(struct diff_work *work, struct groups *groups, uint32_t a_id,
                                         uint32_t b_id) {
    const struct mirror_symbol *a = &work->a.link->symbols.data[a_id], *b = &work->b.link->symbols.data[b_id];
    uint64_t a_key = answer_key(&work->a, a), b_key = answer_key(&work->b, b);
    struct group *group;
    if (a_key == b_key)
        return NULL;
    TRY(group_of(groups, mix_key(mix_key(10, a_key), b_key), &group));
    if (!group->names.count) {
        group->what = "symbols_answered";
        group->cause = cause_of(work, &work->b, b);
        if (group->cause == NO_ID || b->state != SYMBOL_DEFINED)
            group->cause = cause_of(work, &work->a, a);
        put_answer(&group->before, work, &work->a, a);
        put_answer(&group->after, work, &work->b, b);
    }
    name_list_add(&group->names, work, shared_name(&work->a, a->name));
    return NULL;
}

#define CHANGED_NUMBER(field, what_, enum_type)                                                              \
    if (a->field != b->field)                                                                                \
        TRY(add_number(work, groups, what_, enum_type, a->field, b->field, a, b))

static void put_number(struct text *text, const struct side *side, const char *type, uint64_t number) {
    const struct schema *schema = &side->mirror->file->schema;
    const char *found = NULL;
    for (uint32_t i = 0; i < schema->types.count && *type && !found; i++)
        if (!__builtin_strcmp(schema->types.data[i].name, type))
            found = schema_value_text(schema, i, number);
    if (found)
        text_append(text, found);
    else
        text_print(text, "%" PRIu64, number);
}

static struct jitscope_error *add_number(struct diff_work *work, struct groups *groups, const char *what,
                                         const char *type, uint64_t before, uint64_t after,
                                         const struct mirror_symbol *a, const struct mirror_symbol *b) {
    struct group *group;
    uint64_t key = mix_key(mix_key(mix_key(11, (uint64_t)what[8]), before), after);
    TRY(group_of(groups, mix_key(key, cause_of(work, &work->b, b)), &group));
    if (!group->names.count) {
        group->what = what;
        group->cause = cause_of(work, &work->b, b);
        put_number(&group->before, &work->a, type, before);
        put_number(&group->after, &work->b, type, after);
    }
    name_list_add(&group->names, work, shared_name(&work->a, a->name));
    return NULL;
}

static struct jitscope_error *add_details(struct diff_work *work, struct groups *groups, uint32_t a_id,
                                          uint32_t b_id) {
    const struct mirror_symbol *a = &work->a.link->symbols.data[a_id], *b = &work->b.link->symbols.data[b_id];
    CHANGED_NUMBER(linkage, "symbols_linkage", "linkage");
    if (a->state != SYMBOL_DEFINED || b->state != SYMBOL_DEFINED)
        return NULL;
    CHANGED_NUMBER(scope, "symbols_visibility", "scope");
    CHANGED_NUMBER(kind, "symbols_kind", "symbol_kind");
    CHANGED_NUMBER(size, "symbols_size", "");
    return NULL;
}

/* --- moved inside of what was read */

static struct jitscope_error *add_inner_move(struct diff_work *work, struct groups *groups, uint32_t a_id,
                                             uint32_t b_id) {
    const struct mirror_symbol *a = &work->a.link->symbols.data[a_id], *b = &work->b.link->symbols.data[b_id];
    struct group *group;
    uint64_t by = b->offset - a->offset;
    if (a->state != SYMBOL_DEFINED || b->state != SYMBOL_DEFINED || !by)
        return NULL;
    const struct mirror_block *block = mirror_block(work->b.link, b->block);
    if (block && mirror_block(work->a.link, a->block) && work->b.blocks[b->block] != a->block)
        return NULL; /* it has gone elsewhere */
    uint32_t section = block ? section_name(&work->b, block) : NO_NAME;
    uint32_t input = shared_input(&work->b, b->input);
    TRY(group_of(groups, mix_key(mix_key(mix_key(12, input), section), block ? by : b->offset), &group));
    if (!group->names.count) {
        group->what = block ? "symbols_shifted" : "symbols_value";
        group->cause = map64_find(&work->by_section, section_key(input, section));
        if (group->cause == NO_ID)
            group->cause = finding_of_input(work, input);
        if (block)
            put_shift(&group->after, by);
        else
            text_print(&group->after, "0x%" PRIx64, b->offset);
        put_shared(&group->before, work, section);
        text_append(&group->before, " of ");
        put_diff_input(&group->before, work, input);
    }
    group->slots += work->a.slots[a_id] && work->b.slots[b_id];
    name_list_add(&group->names, work, shared_name(&work->a, a->name));
    return NULL;
}

/* What the outside gives as a number of its own choice; a library's addresses are compared in diff_memory.c.
 */
static struct jitscope_error *add_definition(struct diff_work *work, struct groups *groups, uint32_t a_id,
                                             uint32_t b_id) {
    const struct mirror_symbol *a = &work->a.link->symbols.data[a_id], *b = &work->b.link->symbols.data[b_id];
    struct group *group;
    if (a->state != SYMBOL_EXTERNAL_RESOLVED || b->state != SYMBOL_EXTERNAL_RESOLVED ||
        a->provider != PROVIDER_DEFINED || b->provider != PROVIDER_DEFINED || a->address == b->address)
        return NULL;
    TRY(group_of(groups, mix_key(mix_key(13, a->address), b->address), &group));
    if (!group->names.count) {
        group->what = "symbols_defined";
        text_print(&group->before, "0x%" PRIx64, a->address);
        text_print(&group->after, "0x%" PRIx64, b->address);
    }
    name_list_add(&group->names, work, shared_name(&work->a, a->name));
    return NULL;
}

/* --- findings */

static void put_change(struct text *text, const char *format, const struct group *group) {
    text_append(text, format);
    text_append(text, group->before.data ? group->before.data : "");
    text_append(text, " -> ");
    text_append(text, group->after.data ? group->after.data : "");
}

static struct jitscope_error *find_group(struct diff_work *work, struct group *group) {
    static const struct {
        const char *what, *text;
    } changes[] = {{"symbols_answered", ": who answers changed, "},
                   {"symbols_linkage", ": linkage changed, "},
                   {"symbols_visibility", ": scope changed, "},
                   {"symbols_kind", ": kind changed, "},
                   {"symbols_size", ": size changed, "},
                   {"symbols_defined", ": the address given changed, "}};
    struct text text = {0}, fields = {0};
    uint32_t count = group->names.count;
    const char *after = group->after.data ? group->after.data : "";
    const char *before = group->before.data ? group->before.data : "";
    put_times(&text, count, "symbol");
    text_append(&text, " (");
    name_list_put(&text, &fields, &group->names);
    text_append(&text, ")");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (!__builtin_strcmp(group->what, changes[i].what))
            put_change(&text, changes[i].text, group);
    if (!__builtin_strcmp(group->what, "symbols_added") || !__builtin_strcmp(group->what, "symbols_removed"))
        text_print(&text, " %s, %s%s", group->what[8] == 'a' ? "new" : "gone", before, after);
    else if (!__builtin_strcmp(group->what, "symbols_shifted"))
        text_print(&text, " moved by %s inside of %s", after, before);
    else if (!__builtin_strcmp(group->what, "symbols_value"))
        text_print(&text, " got the absolute value %s", after);
    if (group->slots) {
        text_append(&text, "; ");
        put_times(&text, group->slots, "GOT slot");
        text_print(&text, " hold%s another value", group->slots == 1 ? "s" : "");
    }
    text_append(&fields, ",\"before\":\"");
    text_append_json(&fields, before, __builtin_strlen(before));
    text_append(&fields, "\",\"after\":\"");
    text_append_json(&fields, after, __builtin_strlen(after));
    text_append(&fields, "\"");
    return find(work, group->what, group->cause, &text, &fields, NULL);
}

static struct jitscope_error *collect(struct diff_work *work, struct groups *groups) {
    const struct mirror_link *a = work->a.link, *b = work->b.link;
    for (uint32_t i = 0; i < a->symbols.count; i++) {
        uint32_t pair = work->a.symbols[i];
        if (!a->symbols.data[i].known || shared_name(&work->a, a->symbols.data[i].name) == NO_NAME)
            continue;
        if (pair == NO_ID) {
            TRY(add_lonely(work, groups, &work->a, i, false));
            continue;
        }
        TRY(add_change(work, groups, i, pair));
        TRY(add_details(work, groups, i, pair));
        TRY(add_inner_move(work, groups, i, pair));
        TRY(add_definition(work, groups, i, pair));
    }
    for (uint32_t i = 0; i < b->symbols.count; i++)
        if (b->symbols.data[i].known && shared_name(&work->b, b->symbols.data[i].name) != NO_NAME &&
            work->b.symbols[i] == NO_ID)
            TRY(add_lonely(work, groups, &work->b, i, true));
    return NULL;
}

struct jitscope_error *diff_symbols(struct diff_work *work) {
    struct groups groups = {0};
    struct jitscope_error *error = collect(work, &groups);
    for (uint32_t i = 0; i < groups.list.count && !error; i++)
        error = find_group(work, &groups.list.data[i]);
    destroy_groups(&groups);
    return error;
}
