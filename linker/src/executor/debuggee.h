/* debuggee: what a debugger's plug-in finds in a process that runs JIT'd code.
 *
 * The one fixed layout between this library and gdb-plugin/: read through the debugger's access to memory, so
 * that it works on a live process, remotely and on a core file.  It begins at the global symbol
 * `jitscope_debuggee`.  All integers are little-endian, all "addresses" are addresses in the process, names
 * are offsets into the record's own strings.  A new layout takes a new version: plug-ins refuse what they do
 * not know.
 *
 *     jitscope_debuggee ──► batches   one record per live batch: segments, sections, GOT/PLT entries, actions
 *                       ──► images    ELF images in memory: names, lines, types, unwinding of many batches
 *                       ──► graves    the functions whose memory was given back last
 *                       ◄── interest  what a plug-in waits for: written by it, read at each registration */
#ifndef EXECUTOR_DEBUGGEE_H
#define EXECUTOR_DEBUGGEE_H

#include <stdint.h>

#define DEBUGGEE_MAGIC   "JSDBGEE"
#define DEBUGGEE_VERSION 3u

/* What a session tells debuggers of its code; as enum jitscope_debug of jitscope/session.h. */
enum debuggee_policy { DEBUGGEE_AUTO = 0, DEBUGGEE_EAGER = 1, DEBUGGEE_LAZY = 2, DEBUGGEE_OFF = 3 };

enum { DEBUGGEE_UNWINDERS = 4, DEBUGGEE_GRAVES = 2048, DEBUGGEE_GRAVE_NAME = 104, DEBUGGEE_INTEREST = 4096 };

/* A function that is gone. */
struct debuggee_grave {
    uint64_t address;
    uint64_t size;
    uint32_t session;
    uint32_t link;
    char name[DEBUGGEE_GRAVE_NAME]; /* mangled, NUL-terminated, cut when longer */
};

/* Written by a plug-in.  It is the global symbol `jitscope_interest` too: a plug-in writes before the
 * program's first instruction, when the address in the root of a position-independent program is not
 * relocated yet. */
struct debuggee_interest {
    uint32_t listens; /* 1: the plug-in loads unlisted images itself, whenever the process stops; only batches
                         in which one of TEXTS occurs are announced through the JIT interface's hook */
    uint32_t everything; /* 1: announce every batch */
    uint32_t size;       /* bytes of TEXTS */
    uint32_t spare;
    char texts[DEBUGGEE_INTEREST]; /* function names and file names without folder, each NUL-terminated */
};

enum { IMAGE_LISTED = 1, IMAGE_OPEN = 2 };

/* One ELF image (ET_EXEC): ADDRESS .. ADDRESS + SIZE, as it stands.  Listed: in the JIT interface's list as
 * well (gdb manual, "JIT Interface"), so that debuggers load it without a plug-in.  Open: it still grows. */
struct debuggee_image {
    uint64_t next; /* address of the next older one; 0 at the end */
    uint64_t address;
    uint64_t size;
    uint64_t change;  /* counts the batches that joined or left */
    uint32_t flags;   /* IMAGE_* */
    uint32_t batches; /* live ones in it */
    uint32_t number;  /* of the image, from 1 */
    uint32_t spare;
};

struct debuggee_segment {
    uint64_t address;
    uint64_t size;     /* bytes, zero-fill included */
    uint32_t prot;     /* 1 read, 2 write, 4 execute */
    uint32_t lifetime; /* 0 standard, 1 gone after the link's initialisers have run */
};

struct debuggee_section {
    uint64_t address;
    uint64_t size;
    uint32_t name;
    uint32_t prot;
    uint32_t zero_fill; /* 1: has no content in its inputs */
    uint32_t spare;
};

/* An entry of GOT, PLT or a TLS table. */
struct debuggee_entry {
    uint64_t address; /* of the slot or stub */
    uint64_t target;  /* where it led when it was linked */
    uint32_t size;
    uint32_t table;  /* 0 GOT, 1 PLT, 2 TLS */
    uint32_t symbol; /* name of what it leads to */
    uint32_t slot;   /* for a PLT entry: index of its GOT entry in this table, or 2^32-1 */
};

struct debuggee_action {
    uint64_t address; /* first argument, 0 for none */
    uint64_t size;    /* second argument */
    uint32_t finalize;
    uint32_t deallocate; /* names; the empty one when that half does nothing */
};

/* One live batch. */
struct debuggee_batch {
    uint64_t next;        /* address of the next older one; 0 at the end */
    uint64_t previous;    /* of the next newer one; 0 for the newest */
    uint64_t description; /* address of struct debug_image_header (debug_image.h), of which the tables
                             segments, sections, entries, actions and strings can be read */
    uint32_t description_size;
    uint32_t session; /* number of the session in the process, from 1 */
    uint32_t link;    /* number of the batch in its session, from 1 */
    uint32_t image;   /* number of the image that holds its symbols; 0 while it waits to be announced */
};

struct debuggee_unwinder {
    char name[32];     /* "libgcc"; empty when there is none */
    uint64_t sections; /* .eh_frame sections registered with it now */
};

/* The root: `jitscope_debuggee`. */
struct debuggee {
    char magic[8];
    uint32_t version;
    uint32_t size;     /* of this struct, in bytes */
    uint64_t change;   /* odd while lists are being changed; a different even number afterwards */
    uint64_t batch;    /* address of the newest struct debuggee_batch, 0 for none */
    uint64_t batches;  /* how many */
    uint64_t image;    /* address of the newest struct debuggee_image */
    uint64_t images;   /* how many */
    uint64_t graves;   /* address of DEBUGGEE_GRAVES struct debuggee_grave, a ring; 0 before the first */
    uint64_t buried;   /* how many ever: the newest is at (buried - 1) % DEBUGGEE_GRAVES */
    uint64_t interest; /* address of struct debuggee_interest */
    struct debuggee_unwinder unwinders[DEBUGGEE_UNWINDERS];
    char library[32]; /* version of jitscope, as text */
};

#endif
