/* tls_module: thread-local storage of JIT'd code, by the dynamic loader.
 *
 * The psABI gives a thread-local variable a place in a module's block: module number and offset for the
 * dynamic models, a constant distance from the thread pointer for the static ones ("ELF Handling For
 * Thread-Local Storage", section 3).  Both are the C library's to give away: it makes the blocks of a thread
 * when that starts or first asks, copies initial values, frees blocks when a thread ends or a module goes,
 * and only it knows all threads.  So a batch's block becomes what the C library knows: a module.  The
 * smallest shared library that will do, made in memory, has nothing but a PT_TLS segment with the batch's
 * initial values; it is opened by dlopen(3) and closed when the batch goes (or, when it has no block, as soon
 * as it has answered).
 *
 * That library also asks the loader what the linker needs to know: one relocation for each word (DTPMOD64,
 * DTPOFF64, TPOFF64, TLSDESC), against the batch's own block, variables of shared libraries, or the block of
 * an earlier batch (a library that this one DT_NEEDs).  What the loader writes there, the linker writes into
 * the batch's GOT.  A TPOFF64 moves the block into what static TLS all threads have to spare, with its
 * initial values in every thread there is (since that is what dlopen does with libraries that ask for it);
 * when it does not fit, or has been used dynamically before, the loader refuses, and the link fails.  From
 * then on no line of jitscope runs: __tls_get_addr and the TLSDESC functions are the loader's own.
 *
 * The library's file is a memfd that the loader opens through /proc; its path, by which the loader tells
 * libraries apart, is spelled anew each time.  The file is closed then: debuggers that come later are not to
 * open what has its descriptor's number by that time, so the name is taken out of the loader's list.
 *
 * What is relied on, besides dlopen's own contract: that a relocated word stands in the library's memory
 * afterwards, that static TLS which is closed last is had again (what never happens costs room, not truth),
 * and that link_map.l_name may be emptied.  Nothing is known of how the C library keeps blocks and threads;
 * one that cannot do this says so in dlopen. */
#ifndef EXECUTOR_TLS_MODULE_H
#define EXECUTOR_TLS_MODULE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a wish asks for: a word, or two for a descriptor. */
enum tls_word { TLS_WORD_MODULE, TLS_WORD_OFFSET, TLS_WORD_TP_OFFSET, TLS_WORD_DESCRIPTOR };

struct tls_wish {
    const char *name; /* a variable of a shared library; NULL: the block of a link */
    uint32_t link;    /* of that block */
    uint8_t kind;     /* enum tls_word */
    uint64_t addend;  /* bytes behind the variable's, or the block's, beginning */
};

struct tls_answer {
    uint64_t words[2];
};

/* The block of one link, and what it wants to know. */
struct tls_request {
    uint32_t link;
    const uint8_t *image; /* initial values; behind them it is zero */
    uint64_t image_size;
    uint64_t size; /* 0: no block */
    uint64_t alignment;
    bool executable_stack; /* stacks become executable with it, and stay so */
    const struct tls_wish *wishes;
    uint32_t wish_count;
};

struct tls_module {
    void *library;
    char *path;
    uint32_t link;        /* 0: closed, as far as anybody else can tell */
    uint32_t static_rank; /* its block is the so-many-th that went into static TLS; 0: it is not there */
};

/* NEEDED are the modules of earlier links that wishes name, in any order; ANSWERS has room for one each.
 * Errors: ADDRESS_SPACE (no room in static TLS), UNRESOLVED (a variable the loader does not find), SYSTEM,
 * NO_MEMORY. */
struct jitscope_error *tls_module_open(struct tls_module *module, const struct tls_request *request,
                                       const struct tls_module *const *needed, size_t needed_count,
                                       struct tls_answer *answers);
/* Where the calling thread's block is; makes it when it has none yet.  0 when the module has no block. */
uint64_t tls_module_block(const struct tls_module *module);
void tls_module_close(struct tls_module *module);

#endif
