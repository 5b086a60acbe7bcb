/* session_state: what a session holds, shared by the files of this folder. */
#ifndef SESSION_SESSION_STATE_H
#define SESSION_SESSION_STATE_H

#include "base/map64.h"
#include "base/numbered.h"
#include "graph/graph.h"
#include "jitscope/executor.h"
#include "jitscope/session.h"
#include "link/link.h"
#include "memory/memory.h"
#include "object/archive.h"
#include "object/elf_copies.h"
#include "object/elf_object.h"
#include "object/elf_shared.h"
#include "trace/answers.h"

#include <pthread.h>

enum ownership { BORROWED, ON_HEAP, MAPPED };

/* Whatever came in; numbered from 0 for events, for the whole session. */
struct input {
    struct bytes bytes;
    uint32_t name;      /* as messages show it: "x.o", "libx.a(y.o)" */
    uint32_t container; /* archive a member came from; NO_INPUT */
    uint8_t kind;       /* INPUT_KIND_* */
    uint8_t ownership;
    bool done; /* its bytes are not needed any more, nor its name, once the link at hand is through */
    uint32_t number;
};

/* Objects that wait for a link, by number: a VEC that has a name, to be put elsewhere. */
struct input_queue {
    uint32_t *data;
    uint32_t count;
    uint32_t capacity;
};

/* A place to take definitions from.  Lower rank is asked first. */
struct archive_provider {
    struct archive archive;
    uint32_t input;
    uint32_t rank;
    uint32_t folder; /* name id: where a thin archive's members lie; NO_NAME otherwise */
    bool whole;      /* all members were taken at once: it has no index and is not asked */
};

struct shared_provider {
    struct elf_shared library;
    uint32_t input;
    uint32_t rank;
    uint32_t path;   /* name id: what the executor opens */
    uint32_t handle; /* the executor's, once opened */
    bool opened;
    uint64_t base; /* simulated sessions: where it is pretended to lie */
};

/* A member some archive's index names. */
struct member {
    uint64_t header;      /* offset in the archive */
    uint32_t provider;    /* index into archives */
    uint32_t loaded_link; /* link that took it last, as its family; 0 none.  Hidden definitions are per
                             family, so each may take it */
};

/* One definition that later links and lookups may use; those of one name form a chain, latest first. */
struct definition {
    uint64_t address;
    uint32_t name;
    uint32_t link;     /* number; 0: jitscope_session_define() */
    uint32_t family;   /* the link's */
    uint32_t size;     /* bytes; UINT32_MAX: that many, or more */
    uint32_t previous; /* next older of the name, or next free one; NO_DEFINITION */
    bool hidden;
    bool thread_local; /* the address is an offset in the link's block */
};
#define NO_DEFINITION UINT32_MAX

/* An object that was queued for a lazy link and is taken when something needs it. */
struct waiting {
    uint32_t input;
    uint32_t family;   /* of the link that it was queued for */
    uint32_t taken_by; /* link; 0: it waits */
    uint32_t moves_to; /* while others leave the list */
    struct elf_outline outline;
};

/* A definition in such an object; those of one name form a chain. */
struct waiting_name {
    uint32_t name;
    uint32_t object; /* index into session->waiting */
    uint32_t next;   /* UINT32_MAX: none */
    bool strong;
};

/* A slot that can come to lead elsewhere (pass/lazy_stubs.h). */
struct lazy_slot {
    uint64_t at;      /* its address */
    uint64_t unbound; /* what it holds while its function waits; 0: that was never so */
    uint64_t function;
    uint32_t name;
    uint32_t symbol;  /* graph symbol, for events */
    uint32_t definer; /* link that has the function; 0: it waits */
};

/* A COMDAT group that a family has. */
struct family_group {
    uint32_t signature;
    uint32_t input;
};

struct jitscope_link {
    uint32_t number;
    uint32_t family;   /* number of the link that the program asked for; lazy ones are made on its behalf */
    uint32_t wanted;   /* name that a lazy link is made for; NO_NAME */
    uint32_t replaces; /* link whose functions this one's take the place of; 0 */
    bool is_replaced;  /* by another */
    bool replaceable;  /* calls go through slots */
    bool low;          /* the family lies low, where 32 bits reach */
    bool leaves;       /* that it is unloaded was told */
    bool running;      /* it is being made, by */
    pthread_t runner;
    VEC(struct lazy_slot) slots;
    VEC(struct family_group) groups; /* of the family, when this is its first link and it is lazy */
    uint64_t allocation;
    VEC(uint32_t) definitions;        /* indices into session->definitions */
    VEC(struct jitscope_link *) uses; /* families whose definitions its own refers to, each once */
    uint32_t users;                   /* families that refer to this one */
    uint32_t stamp;                   /* number of the family that counted itself as user last */
};

/* A pass of the embedding program. */
struct user_pass {
    jitscope_pass run;
    void *context;
};

/* What a session asks of the machine it runs on, besides executor and memory manager; a replay has its own
 * (session_replay.h). */
struct session_world {
    void *context;
    /* The bytes of the file at PATH, to be released by session_release_bytes(). */
    struct jitscope_error *(*read_file)(void *context, const char *path, struct bytes *bytes,
                                        uint8_t *ownership);
    /* Major version of the newest gcc installed, 0 when there is none. */
    struct jitscope_error *(*newest_compiler)(void *context, uint32_t *version);
};

/* The session, borrowed from its owner in the middle of a call. */
struct session_loan {
    pthread_t owner;
    uint32_t depth, open_depth;
};

/* Data that position-dependent code wants a copy of below 2 GiB. */
struct wanted_copy {
    uint32_t rank; /* of the library among the providers */
    uint32_t name; /* that it is wanted by */
    struct elf_copy copy;
};

struct jitscope_session {
    int process;            /* that created it; a child of fork() has another */
    pthread_mutex_t lock;   /* of the next members: session_lock.c */
    pthread_cond_t changed; /* they did */
    pthread_t owner;        /* atomic; 0: nobody */
    uint32_t depth;         /* how many times its owner holds it */
    uint32_t open_depth;    /* 0, or the depth at which lazy calls can borrow it */
    uint32_t waiters;       /* for CHANGED */
    uint32_t ended_links;   /* counts */
    struct string_pool names;
    struct trace trace;
    struct session_world world;
    struct executor *executor;                       /* NULL when simulated */
    struct jitscope_executor_connection *connection; /* until the executor takes it over */
    struct memory memory;
    struct pass_list passes;
    VEC(struct user_pass *) user_passes; /* contexts of PASSES */

    bool recording_gives_way; /* to one that the program asks for: JITSCOPE_RECORD's, an inspectable session's
                                 in memory */
    struct inspect_server *door;               /* of an inspectable session; NULL: it cannot be inspected */
    struct jitscope_error *inspection_failure; /* why an inspectable session cannot be inspected */
    enum event_level inspection_level;         /* of its recordings in memory */
    bool recorded_in_memory;
    bool simulate, gc_sections, phony_externals, keep_debug_sections, no_default_libraries;
    uint64_t base;
    uint64_t next_library_base; /* simulated */

    /* inputs */
    VEC(struct input) held_inputs; /* by number, those that are still needed */
    uint32_t next_input;           /* number of the next one */
    struct input_queue queue;      /* objects for the next link */
    struct input_queue
        set_aside;      /* while a batch is linked that was prepared apart: the queue of all others */
    bool batch_is_open; /* such a batch is being linked */
    VEC(uint32_t) library_paths;
    uint32_t gcc_folder; /* name id; NO_NAME when there is none */
    bool gcc_is_known;   /* it was looked for */
    VEC(uint32_t) roots; /* name ids */
    bool whole_archive, as_needed;
    uint32_t defaults_added; /* how many default libraries are searched already */
    bool preloaded_is_known; /* the executor was asked for what its process was started with */
    uint32_t next_rank;
    uint32_t script_depth, scripts; /* of the input at hand */

    /* providers */
    VEC(struct archive_provider) archives;
    VEC(struct shared_provider) shared; /* by rank */
    VEC(struct member) members;
    VEC(uint32_t) member_by_name; /* name table: best-ranked member */

    /* links and their definitions */
    VEC(struct definition) definitions;
    uint32_t free_definition;         /* first of those that no link has any more */
    VEC(uint32_t) definition_by_name; /* name table: latest definition */
    struct numbered links;            /* struct jitscope_link; gone when unloaded or failed */

    /* lazy and replaceable links */
    bool lazy, replaceable;
    bool has_slots;         /* some link has, or had */
    uint64_t lazy_resolver; /* the executor's; 0: not asked yet */
    VEC(struct waiting) waiting;
    VEC(struct waiting_name) waiting_names;
    VEC(uint32_t) waiting_by_name; /* name table: head of the chain */
    jitscope_lazy_failure lazy_failure;
    void *lazy_failure_context;

    VEC(struct wanted_copy) wanted_copies; /* of the last link, when it failed for them */
    uint32_t waiting_copies; /* references of what waits to such data, when the last link failed for that */

    jitscope_resolver resolver;
    void *resolver_context;
    jitscope_event_callback event_callback;
    void *event_context;
    struct public_event *event; /* reused from event to event, see api_event.c */
    struct elf_scratch scratch;
    enum jitscope_debug debug;
    struct debug_scratch debug_scratch;
    struct name_tables name_tables; /* lent to each link's graph */
};

/* --- session_lock.c
 * ------------------------------------------------------------------------------------------------- */

void session_lock_create(struct jitscope_session *session);
void session_lock_destroy(struct jitscope_session *session);
void session_lock(struct jitscope_session *session);
/* The same for what emits no event: threads that take turns at looking up leave nothing in a recording. */
void session_lock_to_read(struct jitscope_session *session);
void session_unlock(struct jitscope_session *session);
bool session_is_lost(struct jitscope_session *session);
/* Around code that is not the linker's; struct executor_code_hooks. */
uint32_t session_open(void *session);
void session_shut(void *session, uint32_t before);
/* For a lazy call; false when this thread is in the middle of the linker, or the session was lost by fork().
 */
bool session_borrow(struct jitscope_session *session, struct session_loan *loan);
void session_give_back(struct jitscope_session *session, const struct session_loan *loan);
/* Until another number of links than ENDED have come to their end. */
void session_wait_for_link(struct jitscope_session *session, uint32_t ended);
void session_tell_ended_link(struct jitscope_session *session);

/* --- session.c
 * -------------------------------------------------------------------------------------------------------- */

/* Locks for a call that changes the session.  USAGE, and not locked, when this thread is in the middle of
 * such a call: a callback, an initialiser or a finaliser came back. */
struct jitscope_error *session_enter(struct jitscope_session *session);
/* Notes that the call at hand failed, when it did.  Returns ERROR. */
struct jitscope_error *session_note_failure(struct jitscope_session *session, struct jitscope_error *error);
/* Tells, once, that the executor is of no use any more; at the end of a call that is recorded, as
 * session_note_failure() does, or outside of all.  And tells it, in a replay. */
void session_note_loss(struct jitscope_session *session);
void session_tell_loss(struct jitscope_session *session, const char *reason);
/* Ends what session_enter() began; notes that the call failed when it did.  Returns ERROR. */
struct jitscope_error *session_leave(struct jitscope_session *session, struct jitscope_error *error);

static inline const char *session_text(const struct jitscope_session *session, uint32_t name) {
    return string_pool_text(&session->names, name);
}
struct jitscope_error *session_intern(struct jitscope_session *session, const char *text, uint32_t *name);
/* A path as message text, or interned; formats without limits on length. */
struct jitscope_error *session_intern_format(struct jitscope_session *session, uint32_t *name,
                                             const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Tells the stream what session this is.  session.c. */
struct jitscope_error *session_announce_itself(struct jitscope_session *session);

/* --- inputs.c
 * ------------------------------------------------------------------------------------------------------ */

/* Takes BYTES over as one more input, and what it holds into queue or providers. RANK as for providers. */
bool session_is_library(struct bytes bytes); /* a shared one */
struct jitscope_error *session_add_bytes(struct jitscope_session *session, struct bytes bytes,
                                         uint8_t ownership, const char *name);
/* What jitscope_session_add_file() and _add_memory() do under the lock; they take BYTES over. */
struct jitscope_error *session_take_file(struct jitscope_session *session, const char *path,
                                         struct bytes bytes, uint8_t ownership);
struct jitscope_error *session_take_memory(struct jitscope_session *session, const char *name,
                                           struct bytes bytes, uint8_t ownership);
struct jitscope_error *session_read_file(struct jitscope_session *session, const char *path,
                                         struct bytes *bytes, uint8_t *ownership);
/* The live world's read_file and newest_compiler. */
struct jitscope_error *world_read_file(void *unused, const char *path, struct bytes *bytes,
                                       uint8_t *ownership);
struct jitscope_error *world_newest_compiler(void *unused, uint32_t *version);
void session_release_bytes(struct bytes bytes, uint8_t ownership);
void session_forget_bytes(struct input *input);
struct jitscope_error *session_new_input(struct jitscope_session *session, struct input input,
                                         uint32_t pulled_by, uint32_t *id);
/* The input of that number, which is needed still; the address is good until the next one comes. */
struct input *session_input(const struct jitscope_session *session, uint32_t number);
/* "-l": by name through the search path. */
struct jitscope_error *session_find_library(struct jitscope_session *session, const char *name);
/* libc, libgcc and libgcc_s, behind everything else, come in one at a time, when a name is wanted that nobody
 * has who is there: libgcc.a alone has 3 MB and more than a thousand names, and few links need one of them.
 */
bool session_has_more_libraries(const struct jitscope_session *session);
struct jitscope_error *session_add_default_library(struct jitscope_session *session);
/* Forgets objects that are not needed any more (after a link, failed or not). */
void session_drop_queue(struct jitscope_session *session, uint32_t first_input);
/* Of a lazy link: what was queued stays, for it may be wanted yet.  The same without a queue: members from
 * FIRST_INPUT on. */
void session_keep_queue(struct jitscope_session *session, uint32_t first_input);
void session_drop_members(struct jitscope_session *session, uint32_t first_input);
/* Takes inputs whose bytes were forgotten out of the table. */
void session_drop_done(struct jitscope_session *session);

/* --- providers.c
 * --------------------------------------------------------------------------------------------------- */

/* What a default library's ld script names is ranked behind it. */
enum { DEFAULT_LIBRARIES = 3, DEFAULT_LIBRARY_RANK = 1 << 30, DEFAULT_LIBRARY_STRIDE = 1 << 24 };

/* From here on those are ranked that the process was started with (preloaded.c): no link is decided by them,
 * as a static linker does not know them, but they come first when addresses are looked for. */
#define PRELOADED_RANK UINT32_C(0x80000000)

struct jitscope_error *session_add_archive(struct jitscope_session *session, uint32_t input,
                                           const char *path);
/* Reads again, for a recording, what taking the archive in has read besides the archive: the members of a
 * thin one without an index, up to the first that is not good. */
void session_read_members(struct jitscope_session *session, uint32_t provider);
struct jitscope_error *session_add_shared(struct jitscope_session *session, uint32_t input, const char *path);
/* Reads inputs into GRAPH: the queue, then archive members until nothing more is wanted. */
struct jitscope_error *session_read_inputs(struct graph *graph, void *session);
struct jitscope_error *session_read_object(struct jitscope_session *session, struct graph *graph,
                                           uint32_t input);
/* The archive member to take for SYMBOL, on behalf of FAMILY; UINT32_MAX when it comes from elsewhere or
 * nowhere. */
struct jitscope_error *session_want_member(struct jitscope_session *session, const struct symbol *symbol,
                                           uint32_t family, uint32_t *member);
struct jitscope_error *session_take_member(struct jitscope_session *session, struct graph *graph,
                                           uint32_t member, uint32_t name);
/* First shared library, by rank below LIMIT, that defines NAME; -1 none.  PRELOADED_RANK: of all that links
 * are decided by. */
int64_t session_find_shared(const struct jitscope_session *session, uint32_t name, uint32_t limit,
                            struct elf_shared_symbol *symbol);

/* --- preloaded.c
 * --------------------------------------------------------------------------------------------------- */

/* Takes in, once, what the executor's process was started with. */
struct jitscope_error *session_add_preloaded(struct jitscope_session *session);
static inline bool is_preloaded(const struct shared_provider *provider) {
    return provider->rank >= PRELOADED_RANK;
}
/* The library whose definition of SYMBOL code finds at run time, and what it is asked for there: *ASKED is
 * a name id.  *PROVIDER is -1 for none. */
struct jitscope_error *session_find_at_run_time(struct jitscope_session *session, const struct graph *graph,
                                                const struct symbol *symbol, int64_t *provider,
                                                struct elf_shared_symbol *found, uint32_t *asked);

/* --- commons.c
 * --------------------------------------------------------------------------------------------------- */

/* Common symbols become references to what shared libraries define as data. */
struct jitscope_error *session_yield_commons(struct jitscope_session *session, struct graph *graph);

/* --- externals.c
 * --------------------------------------------------------------------------------------------------- */

/* LINK refers to what DEFINER (0: no link) has defined. */
struct jitscope_error *session_note_use(struct jitscope_session *session, uint32_t link, uint32_t definer);
/* The resolve pass: earlier links and --define, the resolver, shared libraries. */
struct jitscope_error *session_resolve_externals(struct graph *graph, void *session);

struct jitscope_error *session_open_library(struct jitscope_session *session,
                                            struct shared_provider *provider);

/* --- copies.c
 * ------------------------------------------------------------------------------------------------------ */

/* The COUNT symbols of GRAPH in SYMBOLS, each another, are to be looked up in the libraries PROVIDERS
 * (indices into session->shared).  Errors: OUT_OF_RANGE, when some are data that GRAPH can use only as a
 * copy, and it is known that the executor has none: session->wanted_copies says which; UNSUPPORTED, when
 * there can be none. */
struct jitscope_error *session_want_copies(struct jitscope_session *session, const struct graph *graph,
                                           const uint32_t *symbols, const uint32_t *providers,
                                           uint32_t count);

/* --- definitions.c
 * ------------------------------------------------------------------------------------------------- */

/* Latest definition of NAME that a reference of SCOPE in a later link of FAMILY may use, or NULL.  The
 * family's own count first, and its hidden ones too: it is one component in the gABI's sense. */
const struct definition *session_find_definition(const struct jitscope_session *session, uint32_t name,
                                                 uint8_t scope, uint32_t family);
struct jitscope_error *session_add_definition(struct jitscope_session *session, struct definition definition,
                                              uint32_t *index);
void session_remove_definition(struct jitscope_session *session, uint32_t index);
/* The pass that makes the graph's definitions known to the session, for its link. */
struct jitscope_error *session_announce(struct graph *graph, void *session);

/* --- batch.c
 * ------------------------------------------------------------------------------------------------------- */

/* Links what is queued, or, for a lazy call, NAME on behalf of FAMILY (0: what is queued), or what takes the
 * place of REPLACES (0: nothing). */
struct link_request {
    uint32_t family, name, replaces;
};
struct jitscope_error *session_link(struct jitscope_session *session, const struct link_request *request,
                                    struct jitscope_link **link);
/* jitscope_session_link() under the lock. */
struct jitscope_error *session_link_queue(struct jitscope_session *session, struct jitscope_link **link);
struct jitscope_link *session_link_by_number(const struct jitscope_session *session, uint32_t number);
/* Takes back what the link gave to the session and frees it; its memory is gone already. */
void session_forget_link(struct jitscope_session *session, struct jitscope_link *link);

/* Before the memory of a link whose actions failed goes: what was linked inside of it goes. */
void session_end_nested(void *session);
/* Takes down the links of FAMILY, 0 for all: events, actions, then memory.  The first error is returned. */
struct jitscope_error *session_take_down(struct jitscope_session *session, uint32_t family);

/* --- lazy_read.c
 * ---------------------------------------------------------------------------------------------------- */

/* As session_read_inputs(), of a lazy link: what is needed at once, and which of the rest is called. */
struct jitscope_error *session_read_lazily(struct graph *graph, struct jitscope_session *session);
/* Of a link that replaces another: variables stay where they are. */
struct jitscope_error *session_keep_variables(struct graph *graph, struct jitscope_session *session);
/* Marks what calls through slots; in sessions whose functions can be replaced. */
struct jitscope_error *session_mark_replaceable(struct graph *graph, struct jitscope_session *session);
/* The object that waits and is to answer a reference of FAMILY to NAME; UINT32_MAX: there is none, or a
 * definition that is there comes first. */
uint32_t session_find_waiting(const struct jitscope_session *session, uint32_t name, uint8_t scope,
                              uint32_t family);
/* Whether what LINK has taken of what was queued for FAMILY defines NAME. */
bool session_was_queued_for(const struct jitscope_session *session, uint32_t name, uint32_t link,
                            uint32_t family);
/* LINK is gone: what it took waits again. */
void session_let_wait(struct jitscope_session *session, uint32_t link);
/* FAMILY is gone, and with it what was queued for it. */
void session_forget_waiting(struct jitscope_session *session, uint32_t family);

/* --- lazy.c
 * ---------------------------------------------------------------------------------------------------------
 */

/* The link's graph has its addresses: what slots there are. */
struct jitscope_error *session_note_slots(struct graph *graph, struct jitscope_session *session);
/* Behind a link that worked: COMDAT groups that its family has now. */
struct jitscope_error *session_note_groups(const struct graph *graph, struct jitscope_session *session);
/* Asks the executor where unbound slots are to lead, once. */
struct jitscope_error *session_want_resolver(struct jitscope_session *session, uint64_t *address);
/* What the executor asks: struct executor's lazy answer. */
struct jitscope_error *session_answer_slot(void *session, uint64_t slot, struct lazy_outcome *outcome);
/* A lazy call, also when it is replayed: links what is missing, and binds. */
struct jitscope_error *session_call_lazy(struct jitscope_session *session, struct jitscope_link *link,
                                         uint32_t slot);
/* Slots of other families that lead to the links of FAMILY lead nowhere else: IN_USE. */
struct jitscope_error *session_check_slots(const struct jitscope_session *session, uint32_t family);
/* After a link that replaces another: callers come to its functions from now on. */
void session_swing_slots(struct jitscope_session *session, const struct jitscope_link *link);
/* LINK, which failed or leaves: slots that lead there wait again. */
void session_withdraw_link(struct jitscope_session *session, uint32_t link);
/* The same for slots of other families that lead to FAMILY. */
void session_withdraw_slots(struct jitscope_session *session, uint32_t family);

/* --- api_batch.c
 * ---------------------------------------------------------------------------------------------------- */

/* What is added from here on goes into a queue of its own; and goes back to the one that there was, which
 * drops what was not linked. */
void session_open_batch(struct jitscope_session *session);
void session_close_batch(struct jitscope_session *session);

/* --- inspection.c
 * -------------------------------------------------------------------------------------------------- */

/* Makes the session inspectable, if the options or the environment say so; what is in the way is noted. */
void session_open_door(struct jitscope_session *session, const struct jitscope_session_options *options);
void session_close_door(struct jitscope_session *session);
/* Inspectors get the recording that there is now. */
void session_show_recording(struct jitscope_session *session);
/* Begins to record into memory, without a level yet; nothing when the session is not inspectable. */
void session_record_in_memory(struct jitscope_session *session);
/* The same in the middle of the session, when it has no other recording (any more). */
void session_resume_in_memory(struct jitscope_session *session);

/* --- api_event.c
 * --------------------------------------------------------------------------------------------------- */

/* Before the first callback.  Errors: NO_MEMORY. */
struct jitscope_error *session_prepare_event(struct jitscope_session *session);
void session_deliver_event(void *session, uint64_t sequence, uint32_t link, const void *record);
void session_destroy_event(struct jitscope_session *session);

/* The public handle of a graph is the graph. */
static inline struct jitscope_graph *public_graph(struct graph *graph) {
    return (struct jitscope_graph *)graph;
}

#endif
