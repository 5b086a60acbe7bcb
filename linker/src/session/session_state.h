/* session_state: what a session holds, shared by the files of this folder. */
#ifndef SESSION_SESSION_STATE_H
#define SESSION_SESSION_STATE_H

#include "base/map64.h"
#include "base/numbered.h"
#include "graph/graph.h"
#include "jitscope/session.h"
#include "link/link.h"
#include "memory/memory.h"
#include "object/archive.h"
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
    uint32_t loaded_link; /* link that took it last; 0 none.  Hidden definitions are per link, so each link
                             may take it */
};

/* One definition that later links and lookups may use; those of one name form a chain, latest first. */
struct definition {
    uint64_t address;
    uint32_t name;
    uint32_t link;     /* number; 0: jitscope_session_define() */
    uint32_t previous; /* next older of the name, or next free one; NO_DEFINITION */
    bool hidden;
    bool thread_local; /* the address is an offset in the link's block */
};
#define NO_DEFINITION UINT32_MAX

struct jitscope_link {
    uint32_t number;
    uint64_t allocation;
    VEC(uint32_t) definitions;        /* indices into session->definitions */
    VEC(struct jitscope_link *) uses; /* links whose definitions it refers to, each once */
    uint32_t users;                   /* links that refer to this one */
    uint32_t stamp;                   /* number of the link that counted itself as user last */
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

struct jitscope_session {
    int process;          /* that created it; a child of fork() has another */
    pthread_mutex_t lock; /* taken once by its owner: exit(3) inside an initialiser comes back here */
    pthread_t owner;      /* atomic; 0: nobody */
    uint32_t depth;       /* how many times its owner holds it */
    struct string_pool names;
    struct trace trace;
    struct session_world world;
    struct executor *executor; /* NULL when simulated */
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
    VEC(uint32_t) roots; /* name ids */
    bool whole_archive, as_needed, defaults_added;
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

void session_lock(struct jitscope_session *session);
/* The same for what emits no event: threads that take turns at looking up leave nothing in a recording. */
void session_lock_to_read(struct jitscope_session *session);
void session_unlock(struct jitscope_session *session);
/* Locks for a call that changes the session.  USAGE, and not locked, when this thread is in the middle of
 * such a call: a callback, an initialiser or a finaliser came back. */
struct jitscope_error *session_enter(struct jitscope_session *session);
/* Notes that the call at hand failed, when it did.  Returns ERROR. */
struct jitscope_error *session_note_failure(struct jitscope_session *session, struct jitscope_error *error);
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
struct jitscope_error *session_new_input(struct jitscope_session *session, struct input input,
                                         uint32_t pulled_by, uint32_t *id);
/* The input of that number, which is needed still; the address is good until the next one comes. */
struct input *session_input(const struct jitscope_session *session, uint32_t number);
/* "-l": by name through the search path. */
struct jitscope_error *session_find_library(struct jitscope_session *session, const char *name);
/* libc, libgcc and libgcc_s behind everything else; once. */
struct jitscope_error *session_add_default_libraries(struct jitscope_session *session);
/* Forgets objects that are not needed any more (after a link, failed or not). */
void session_drop_queue(struct jitscope_session *session, uint32_t first_input);

/* --- providers.c
 * --------------------------------------------------------------------------------------------------- */

enum { DEFAULT_LIBRARY_RANK = 1 << 30 };

struct jitscope_error *session_add_archive(struct jitscope_session *session, uint32_t input,
                                           const char *path);
/* Reads again, for a recording, what taking the archive in has read besides the archive: the members of a
 * thin one without an index, up to the first that is not good. */
void session_read_members(struct jitscope_session *session, uint32_t provider);
struct jitscope_error *session_add_shared(struct jitscope_session *session, uint32_t input, const char *path);
/* Reads inputs into GRAPH: the queue, then archive members until nothing more is wanted. */
struct jitscope_error *session_read_inputs(struct graph *graph, void *session);
/* First shared library, by rank below LIMIT, that defines NAME; -1 none. */
int64_t session_find_shared(const struct jitscope_session *session, uint32_t name, uint32_t limit,
                            struct elf_shared_symbol *symbol);

/* --- externals.c
 * --------------------------------------------------------------------------------------------------- */

/* The resolve pass: earlier links and --define, the resolver, shared libraries. */
struct jitscope_error *session_resolve_externals(struct graph *graph, void *session);

struct jitscope_error *session_open_library(struct jitscope_session *session,
                                            struct shared_provider *provider);

/* --- definitions.c
 * ------------------------------------------------------------------------------------------------- */

/* Latest definition of NAME that a reference of SCOPE in a later link may use, or NULL. */
const struct definition *session_find_definition(const struct jitscope_session *session, uint32_t name,
                                                 uint8_t scope);
struct jitscope_error *session_add_definition(struct jitscope_session *session, struct definition definition,
                                              uint32_t *index);
void session_remove_definition(struct jitscope_session *session, uint32_t index);
/* The pass that makes the graph's definitions known to the session, for its link. */
struct jitscope_error *session_announce(struct graph *graph, void *session);

/* --- batch.c
 * ------------------------------------------------------------------------------------------------------- */

/* jitscope_session_link() under the lock. */
struct jitscope_error *session_link_queue(struct jitscope_session *session, struct jitscope_link **link);
struct jitscope_link *session_link_by_number(const struct jitscope_session *session, uint32_t number);
/* Takes back what the link gave to the session and frees it; its memory is gone already. */
void session_forget_link(struct jitscope_session *session, struct jitscope_link *link);

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
