/* Where definitions come from when no object of the batch has them: archive members and shared libraries.
 *
 * Providers are ranked by their place on the command line.  An undefined name is taken from the first
 * provider that has it, wherever the reference stands (as lld does; GNU ld needs --start-group for that). */
#include "session/session_state.h"

#include "graph/name_table.h"
#include "pass/synthetic.h"

#include <string.h>

/* --- archives
 * ------------------------------------------------------------------------------------------------------ */

struct indexing {
    struct jitscope_session *session;
    uint32_t provider;
    struct map64 members; /* header offset -> index into session->members */
    uint64_t last_header; /* entries of one member usually follow each other */
    uint32_t last_member;
    bool is_known; /* what is found has been taken in already */
};

static uint32_t rank_of_member(const struct jitscope_session *session, uint32_t member) {
    return session->archives.data[session->members.data[member].provider].rank;
}

static struct jitscope_error *member_of_header(struct indexing *indexing, uint64_t header, uint32_t *member) {
    struct jitscope_session *session = indexing->session;
    if (header == indexing->last_header) {
        *member = indexing->last_member;
        return NULL;
    }
    *member = map64_find(&indexing->members, header);
    if (*member == MAP64_NO_VALUE) {
        TRY(vec_push(&session->members, (struct member){.header = header, .provider = indexing->provider}));
        *member = session->members.count - 1;
        TRY(map64_set(&indexing->members, header, *member));
    }
    indexing->last_header = header;
    indexing->last_member = *member;
    return NULL;
}

static struct jitscope_error *index_name(struct jitscope_session *session, const char *text, size_t length,
                                         uint32_t member) {
    uint32_t name;
    TRY(string_pool_intern(&session->names, text, length, &name));
    TRY(graph_cover_name(&session->member_by_name, name));
    uint32_t *slot = &session->member_by_name.data[name];
    if (*slot == UINT32_MAX || rank_of_member(session, *slot) > rank_of_member(session, member))
        *slot = member;
    return NULL;
}

/* The member has "name@@version": who wants "name" or "name@version" gets it too. */
static struct jitscope_error *index_default_version(struct jitscope_session *session, const char *text,
                                                    size_t length, size_t plain, uint32_t member) {
    char *other = os_allocate(length);
    if (!other)
        return error_no_memory();
    memcpy(other, text, plain);
    memcpy(other + plain, text + plain + 1, length - plain - 1);
    struct jitscope_error *error = index_name(session, other, length - 1, member);
    os_release(other);
    return error ? error : index_name(session, text, plain, member);
}

static struct jitscope_error *index_symbol(void *context, const char *text, size_t length, uint64_t header) {
    struct indexing *indexing = context;
    uint32_t member;
    TRY(member_of_header(indexing, header, &member));
    TRY(index_name(indexing->session, text, length, member));
    const char *at = memchr(text, '@', length);
    size_t plain = at ? (size_t)(at - text) : 0;
    return plain && plain + 1 < length && at[1] == '@'
               ? index_default_version(indexing->session, text, length, plain, member)
               : NULL;
}

/* The bytes of a member; a thin archive's are read from the file it names. */
static struct jitscope_error *member_bytes(struct jitscope_session *session,
                                           const struct archive_provider *archive,
                                           const struct archive_member *member, struct bytes *bytes,
                                           uint8_t *ownership) {
    *bytes = member->content;
    *ownership = BORROWED;
    if (!archive->archive.thin)
        return NULL;
    uint32_t path;
    bool absolute = member->name_length && member->name[0] == '/';
    TRY(session_intern_format(
        session, &path, "%s%s%.*s", absolute ? "" : session_text(session, archive->folder),
        absolute || archive->folder == NO_NAME ? "" : "/", (int)member->name_length, member->name));
    struct jitscope_error *error = session_read_file(session, session_text(session, path), bytes, ownership);
    return error ? error_with_help(
                       error,
                       "the thin archive %s holds no more than this name: bring the file back, or make "
                       "the archive again",
                       session_text(session, session_input(session, archive->input)->name))
                 : NULL;
}

/* Makes the member at HEADER an input. */
static struct jitscope_error *open_member(struct jitscope_session *session, uint32_t provider,
                                          uint64_t header, uint32_t pulled_by, uint32_t *input,
                                          uint64_t *next) {
    const struct archive_provider archive = session->archives.data[provider];
    const char *name = session_text(session, session_input(session, archive.input)->name);
    struct archive_member member;
    struct bytes bytes;
    uint8_t ownership;
    uint32_t full_name;
    TRY(error_in_input(archive_member_at(&archive.archive, header, &member), name));
    TRY(session_intern_format(session, &full_name, "%s(%.*s)", name, (int)member.name_length, member.name));
    TRY(member_bytes(session, &archive, &member, &bytes, &ownership));
    *next = member.next;
    struct jitscope_error *error = session_new_input(session,
                                                     (struct input){.bytes = bytes,
                                                                    .name = full_name,
                                                                    .container = archive.input,
                                                                    .kind = INPUT_KIND_MEMBER,
                                                                    .ownership = ownership},
                                                     pulled_by, input);
    if (error)
        session_release_bytes(bytes, ownership);
    return error;
}

struct scan {
    struct indexing *indexing;
    uint64_t header;
};

static struct jitscope_error *index_definition(void *context, const char *name, size_t length,
                                               unsigned traits) {
    const struct scan *scan = context;
    (void)traits;
    if (scan->indexing->is_known)
        return NULL;
    return index_symbol(scan->indexing, name, length, scan->header);
}

static struct jitscope_error *in_member(struct jitscope_session *session,
                                        const struct archive_provider *archive,
                                        const struct archive_member *member, struct jitscope_error *error) {
    uint32_t name = NO_NAME;
    jitscope_error_destroy(session_intern_format(
        session, &name, "%s(%.*s)", session_text(session, session_input(session, archive->input)->name),
        (int)member->name_length, member->name));
    return name == NO_NAME ? error : error_in_input(error, session_text(session, name));
}

/* An archive without an index ("ar S") is indexed by reading its members' symbol tables. */
static struct jitscope_error *index_by_scanning(struct indexing *indexing) {
    struct jitscope_session *session = indexing->session;
    const struct archive_provider archive = session->archives.data[indexing->provider];
    for (uint64_t header = archive.archive.first_member; header < archive.archive.file.size;) {
        struct archive_member member;
        struct bytes bytes;
        uint8_t ownership;
        struct scan scan = {indexing, header};
        TRY(archive_member_at(&archive.archive, header, &member));
        TRY(member_bytes(session, &archive, &member, &bytes, &ownership));
        struct jitscope_error *error = elf_each_definition(bytes, index_definition, &scan);
        session_release_bytes(bytes, ownership);
        if (error)
            return in_member(session, &archive, &member, error);
        header = member.next;
    }
    return NULL;
}

/* --whole-archive: every member joins the queue. */
static struct jitscope_error *take_all_members(struct jitscope_session *session, uint32_t provider) {
    const struct archive archive = session->archives.data[provider].archive;
    for (uint64_t header = archive.first_member; header < archive.file.size;) {
        uint32_t input;
        TRY(open_member(session, provider, header, NO_NAME, &input, &header));
        TRY(vec_push(&session->queue, input));
    }
    return NULL;
}

static struct jitscope_error *index_archive(struct jitscope_session *session, uint32_t provider) {
    const struct archive *archive = &session->archives.data[provider].archive;
    struct indexing indexing = {.session = session, .provider = provider, .last_header = UINT64_MAX};
    struct jitscope_error *error = archive->index.size ? archive_each_symbol(archive, index_symbol, &indexing)
                                                       : index_by_scanning(&indexing);
    map64_destroy(&indexing.members);
    return error;
}

void session_read_members(struct jitscope_session *session, uint32_t provider) {
    const struct archive *archive = &session->archives.data[provider].archive;
    struct indexing indexing = {.session = session, .provider = provider, .is_known = true};
    if (archive->thin && !archive->index.size)
        jitscope_error_destroy(index_by_scanning(&indexing));
}

struct jitscope_error *session_add_archive(struct jitscope_session *session, uint32_t input,
                                           const char *path) {
    struct archive_provider provider = {
        .input = input, .rank = session->next_rank++, .whole = session->whole_archive};
    TRY(error_in_input(archive_open(session_input(session, input)->bytes, &provider.archive), path));
    const char *slash = strrchr(path, '/');
    if (provider.archive.thin && slash)
        TRY(session_intern_format(session, &provider.folder, "%.*s", (int)(slash - path), path));
    TRY(vec_push(&session->archives, provider));
    uint32_t index = session->archives.count - 1;
    if (session->whole_archive)
        return take_all_members(session, index);
    return error_in_input(index_archive(session, index), path);
}

/* --- shared libraries
 * ---------------------------------------------------------------------------------------------- */

struct jitscope_error *session_open_library(struct jitscope_session *session,
                                            struct shared_provider *provider) {
    if (provider->opened)
        return NULL;
    struct jitscope_error *error =
        executor_open_library(session->executor, session_text(session, provider->path), &provider->handle);
    trace_failure(&session->trace, &session->names, error);
    TRACE_ANSWER(&session->trace, answer_library, .path = trace_name(&session->trace, provider->path),
                 .outcome = outcome_of(error));
    provider->opened = !error;
    return error;
}

static struct jitscope_error *open_now(struct jitscope_session *session, struct shared_provider *provider) {
    return session->executor && !session->as_needed ? session_open_library(session, provider) : NULL;
}

/* The loader searches names without a slash in its own path, not in the working directory. */
static struct jitscope_error *intern_path(struct jitscope_session *session, const char *path,
                                          uint32_t *name) {
    return session_intern_format(session, name, "%s%s", strchr(path, '/') ? "" : "./", path);
}

struct jitscope_error *session_add_shared(struct jitscope_session *session, uint32_t input,
                                          const char *path) {
    struct shared_provider provider = {.input = input, .rank = session->next_rank++};
    TRY(error_in_input(elf_shared_open(session_input(session, input)->bytes, &provider.library), path));
    TRY(intern_path(session, path, &provider.path));
    TRY(error_in_input(open_now(session, &provider), path));
    provider.base = session->next_library_base;
    session->next_library_base += (provider.library.memory_size + 0xfffff) & ~UINT64_C(0xfffff);
    TRY(vec_push(&session->shared, provider));
    uint32_t at = session->shared.count - 1;
    for (; at && session->shared.data[at - 1].rank > provider.rank; at--)
        session->shared.data[at] = session->shared.data[at - 1];
    session->shared.data[at] = provider;
    return NULL;
}

int64_t session_find_shared(const struct jitscope_session *session, uint32_t name, uint32_t limit,
                            struct elf_shared_symbol *symbol) {
    const struct elf_shared_name text = elf_shared_name(session_text(session, name));
    for (uint32_t i = 0; i < session->shared.count && session->shared.data[i].rank < limit; i++)
        if (elf_shared_find_name(&session->shared.data[i].library, &text, symbol))
            return i;
    return -1;
}

/* --- reading a batch
 * ----------------------------------------------------------------------------------------------- */

/* What an earlier link defines; compilers make objects unique that inline functions and templates have. */
static bool is_elsewhere(const void *context, uint32_t name) {
    const struct definition *definition = session_find_definition(context, name, SCOPE_DEFAULT, 0);
    return definition && definition->link && !definition->thread_local;
}

struct jitscope_error *session_read_object(struct jitscope_session *session, struct graph *graph,
                                           uint32_t input) {
    const struct elf_read_options options = {.keep_no_alloc = session->keep_debug_sections,
                                             .note_debug = session->debug != JITSCOPE_DEBUG_OFF,
                                             .is_elsewhere = is_elsewhere,
                                             .context = session};
    struct bytes bytes = session_input(session, input)->bytes;
    struct jitscope_error *error = elf_read_object(graph, bytes, input, &options, &session->scratch);
    return error ? error_in_input(error, session_text(session, session_input(session, input)->name)) : NULL;
}

struct wanted_data {
    const char *name;
    bool found;
};

static struct jitscope_error *match_data(void *context, const char *name, size_t length, unsigned traits) {
    struct wanted_data *wanted = context;
    wanted->found |=
        traits & ELF_DATA && strlen(wanted->name) == length && !memcmp(wanted->name, name, length);
    return NULL;
}

/* Whether MEMBER defines NAME as data, and not as one more common symbol: indices do not tell. */
static struct jitscope_error *member_defines_data(struct jitscope_session *session, uint32_t member,
                                                  uint32_t name, bool *defines) {
    const struct archive_provider archive = session->archives.data[session->members.data[member].provider];
    struct wanted_data wanted = {session_text(session, name), false};
    struct archive_member content;
    struct bytes bytes;
    uint8_t ownership;
    TRY(error_in_input(archive_member_at(&archive.archive, session->members.data[member].header, &content),
                       session_text(session, session_input(session, archive.input)->name)));
    TRY(member_bytes(session, &archive, &content, &bytes, &ownership));
    struct jitscope_error *error = elf_each_definition(bytes, match_data, &wanted);
    session_release_bytes(bytes, ownership);
    *defines = wanted.found;
    return error ? in_member(session, &archive, &content, error) : NULL;
}

/* For a common symbol: the first member of any archive that defines it as data. */
struct data_search {
    struct jitscope_session *session;
    uint32_t provider; /* archive at hand */
    uint32_t name, family;
    uint32_t found; /* member, UINT32_MAX while there is none */
};

static struct jitscope_error *try_member(struct data_search *search, uint32_t member) {
    bool defines;
    if (search->found != UINT32_MAX || search->session->members.data[member].loaded_link == search->family)
        return NULL;
    TRY(member_defines_data(search->session, member, search->name, &defines));
    if (defines)
        search->found = member;
    return NULL;
}

static struct jitscope_error *try_index_entry(void *context, const char *name, size_t length,
                                              uint64_t header) {
    struct data_search *search = context;
    const struct jitscope_session *session = search->session;
    const char *wanted = session_text(session, search->name);
    if (search->found != UINT32_MAX || strlen(wanted) != length || memcmp(wanted, name, length) != 0)
        return NULL;
    for (uint32_t i = 0; i < session->members.count; i++)
        if (session->members.data[i].provider == search->provider &&
            session->members.data[i].header == header)
            return try_member(search, i);
    return NULL;
}

/* Members of an archive without an index were listed when it was scanned. */
static struct jitscope_error *try_all_members(struct data_search *search) {
    for (uint32_t i = 0; i < search->session->members.count; i++)
        if (search->session->members.data[i].provider == search->provider)
            TRY(try_member(search, i));
    return NULL;
}

/* The table of names knows one member for each; here it may be a later one that counts. */
static struct jitscope_error *find_data(struct jitscope_session *session, uint32_t name, uint32_t family,
                                        uint32_t *member) {
    struct data_search search = {session, 0, name, family, UINT32_MAX};
    for (; search.provider < session->archives.count && search.found == UINT32_MAX; search.provider++) {
        const struct archive *archive = &session->archives.data[search.provider].archive;
        TRY(archive->index.size ? archive_each_symbol(archive, try_index_entry, &search)
                                : try_all_members(&search));
    }
    *member = search.found;
    return NULL;
}

/* The best-ranked member that has the name; UINT32_MAX: none. */
static uint32_t find_member(const struct jitscope_session *session, uint32_t name) {
    return name < session->member_by_name.count ? session->member_by_name.data[name] : UINT32_MAX;
}

/* Whether the name comes from an earlier link, or from a shared library that stands before the archive. */
static bool is_found_elsewhere(const struct jitscope_session *session, const struct symbol *symbol,
                               uint32_t family, uint32_t rank) {
    struct elf_shared_symbol found;
    return session_find_definition(session, symbol->name, symbol->scope, family) ||
           (symbol->scope != SCOPE_HIDDEN && session_find_shared(session, symbol->name, rank, &found) >= 0);
}

/* An undefined name takes what has it; a common symbol only what defines it as data (as GNU ld and lld do;
 * Fortran's BLOCK DATA lives by it). */
struct jitscope_error *session_want_member(struct jitscope_session *session, const struct symbol *symbol,
                                           uint32_t family, uint32_t *wanted) {
    uint32_t name = symbol->name, member = find_member(session, name);
    *wanted = UINT32_MAX;
    if (member == UINT32_MAX)
        return NULL;
    if (symbol->linkage == LINKAGE_COMMON)
        return find_data(session, name, family, wanted);
    if (session->members.data[member].loaded_link != family &&
        !is_found_elsewhere(session, symbol, family, rank_of_member(session, member)))
        *wanted = member;
    return NULL;
}

/* Only what nobody defines yet, or only as a common symbol. */
static bool may_want_member(const struct symbol *symbol) {
    return symbol->flags & SYMBOL_EXTERNAL ? symbol->linkage != LINKAGE_WEAK
                                           : symbol->linkage == LINKAGE_COMMON;
}

struct jitscope_error *session_take_member(struct jitscope_session *session, struct graph *graph,
                                           uint32_t member, uint32_t name) {
    uint32_t input;
    uint64_t next;
    session->members.data[member].loaded_link = session_link_by_number(session, graph->link)->family;
    TRY(open_member(session, session->members.data[member].provider, session->members.data[member].header,
                    name, &input, &next));
    return session_read_object(session, graph, input);
}

/* Whether somebody who is there has what the symbol wants.  A common symbol wants data of any archive. */
static bool is_provided(const struct jitscope_session *session, const struct symbol *symbol,
                        uint32_t family) {
    uint32_t member = find_member(session, symbol->name);
    if (symbol->linkage == LINKAGE_COMMON)
        return false;
    if (member != UINT32_MAX && symbol->linkage != LINKAGE_WEAK &&
        session->members.data[member].loaded_link != family)
        return true;
    return is_found_elsewhere(session, symbol, family, PRELOADED_RANK) ||
           synthetic_is_made(session_text(session, symbol->name));
}

/* What a table that grows may get ahead, in bytes: a little more and it lies in huge pages (os_tables.c). */
#define MOST_AHEAD ((uint64_t)96 << 10)

/* How many elements more COUNT are when as many come TIMES again. */
static uint64_t ahead(uint32_t count, uint64_t times, size_t element_size) {
    uint64_t most = MOST_AHEAD / element_size, wanted;
    most = most > count ? most - count : 0;
    return __builtin_mul_overflow(times, (uint64_t)count, &wanted) || wanted > most ? most : wanted;
}

/* One of MORE + 1 objects has been read, and the others may be like it: a table that begins small touches
 * twice the memory that it needs until it has grown.  Call frames are split later, into about as many blocks
 * and edges. */
static struct jitscope_error *expect_like(struct graph *graph, uint64_t more) {
    TRY(vec_reserve(&graph->symbols, ahead(graph->symbols.count, more, sizeof *graph->symbols.data)));
    TRY(vec_reserve(&graph->blocks, ahead(graph->blocks.count, more * 2, sizeof *graph->blocks.data)));
    return vec_reserve(&graph->edges, ahead(graph->edges.count, more * 2, sizeof *graph->edges.data));
}

static struct jitscope_error *read_queue(struct jitscope_session *session, struct graph *graph,
                                         uint32_t first) {
    for (uint32_t i = first; i < session->queue.count; i++) {
        TRY(session_read_object(session, graph, session->queue.data[i]));
        if (!i && session->queue.count > 1)
            TRY(expect_like(graph, session->queue.count - 1));
    }
    return NULL;
}

/* Those that are wanted for it, with the objects that their ld scripts name; see
 * session_has_more_libraries(). */
static struct jitscope_error *add_libraries_for(struct jitscope_session *session, struct graph *graph,
                                                uint32_t id) {
    while (session_has_more_libraries(session) && symbol_is_open(&graph->symbols.data[id]) &&
           !is_provided(session, &graph->symbols.data[id], graph->link)) {
        uint32_t first = session->queue.count;
        TRY(session_add_default_library(session));
        TRY(read_queue(session, graph, first));
    }
    return NULL;
}

/* One walk over the open symbols, those of members taken on the way included. */
static struct jitscope_error *take_members(struct jitscope_session *session, struct graph *graph,
                                           bool *taken) {
    uint32_t queued = session->queue.count;
    *taken = false;
    graph_tidy_open(graph);
    for (uint32_t i = 0; i < graph->open.count; i++) {
        uint32_t id = graph->open.data[i];
        TRY(add_libraries_for(session, graph, id));
        const struct symbol symbol = graph->symbols.data[id];
        if (!may_want_member(&symbol))
            continue;
        uint32_t member;
        TRY(session_want_member(session, &symbol, graph->link, &member));
        if (member == UINT32_MAX)
            continue;
        *taken = true;
        TRY(session_take_member(session, graph, member, symbol.name));
    }
    *taken |= session->queue.count > queued;
    return NULL;
}

static struct jitscope_error *read_all(struct graph *graph, struct jitscope_session *session) {
    TRY(read_queue(session, graph, 0));
    for (uint32_t i = 0; i < session->roots.count; i++) {
        uint32_t symbol;
        if (session_find_definition(session, session->roots.data[i], SCOPE_DEFAULT, 0))
            continue;
        TRY(graph_refer(graph, session->roots.data[i], LINKAGE_STRONG, SCOPE_DEFAULT, SYMBOL_KIND_NONE,
                        NO_INPUT, &symbol));
    }
    /* A later member can turn a weak reference into a strong one, behind the walk: hence until nothing
     * changes. */
    bool taken = true;
    while (taken)
        TRY(take_members(session, graph, &taken));
    return NULL;
}

struct jitscope_error *session_read_inputs(struct graph *graph, void *context) {
    struct jitscope_session *session = context;
    const struct jitscope_link *link = session_link_by_number(session, graph->link);
    TRY(session_add_preloaded(session));
    bool lazily = session->lazy || link->family != link->number;
    while (lazily && session_has_more_libraries(session)) /* what waits may want anything */
        TRY(session_add_default_library(session));
    TRY(lazily ? session_read_lazily(graph, session) : read_all(graph, session));
    TRY(session_yield_commons(session, graph));
    if (link->replaces)
        TRY(session_keep_variables(graph, session));
    return session->replaceable ? session_mark_replaceable(graph, session) : NULL;
}
