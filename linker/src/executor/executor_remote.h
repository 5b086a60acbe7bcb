/* executor_remote: the linker's side of an executor in another process (bridge.h).
 *
 * A connection is made first, by starting a process or with a descriptor that somebody has connected; its
 * HELLO is read then.  A session's executor takes it over.  What a link wants of the executor is gathered, so
 * that few messages go: libraries are opened with the next lookup, places of memory are the linker's own
 * choice in what the executor has reserved, and protections, content and all actions go in one message.
 *
 * When the executor has ended, or said something that makes no sense, every call that needs it is an error,
 * EXECUTOR_GONE, that says what happened; the session stays as it is otherwise. */
#ifndef EXECUTOR_REMOTE_H
#define EXECUTOR_REMOTE_H

#include "executor/executor.h"
#include "jitscope/executor.h"

/* Takes CONNECTION over, also when it fails. */
struct jitscope_error *executor_create_remote(struct jitscope_executor_connection *connection,
                                              struct executor **executor);

bool executor_is_remote(const struct executor *executor);
/* Data of shared libraries lies below 2 GiB there, as far as a link has wanted it before the process began;
 * it is known that none does.  Neither: whoever made that process knows. */
bool executor_holds_copies(const struct executor *executor);
bool executor_lacks_copies(const struct executor *executor);
/* Nobody can look at its stack from outside when it crashes: what lies where is to be told by these, COUNT
 * functions of LINK, until LINK goes. */
struct code_function;
bool executor_wants_names(const struct executor *executor);
struct jitscope_error *executor_name_code(struct executor *executor, uint32_t link,
                                          const struct code_function *functions, uint32_t count);
void executor_forget_code(struct executor *executor, uint32_t link);
/* As jitscope_session_executor_state() and _messages(). */
enum jitscope_executor_state executor_remote_state(const struct executor *executor, int *status);
uint64_t executor_remote_messages(const struct executor *executor);

/* Whether it has become of no use, without exit(3), and nobody was told so by this: why. */
enum { EXECUTOR_REASON = 160 };
bool executor_take_loss(struct executor *executor, char reason[EXECUTOR_REASON]);

/* --- for the memory manager */

uint64_t executor_page_size(const struct executor *executor);
/* The process that the code runs in, as it knows itself; as this machine knows it, 0 when it does not. */
uint32_t executor_process(const struct executor *executor);
int executor_local_process(const struct executor *executor);
/* Addresses that the executor has reserved: at first those it came with, then others, at least SIZE bytes. */
struct jitscope_error *executor_reserve(struct executor *executor, uint64_t size, bool low, uint64_t *start,
                                        uint64_t *got);
/* Memory for the content of an allocation, that reads as zero; for one at a time. */
struct jitscope_error *executor_working_memory(struct executor *executor, uint64_t size, uint8_t **memory);
/* It is not needed any more: after executor_transfer(), or in its place. */
void executor_drop_working_memory(struct executor *executor);

/* One segment of what executor_transfer() will transfer; SIZE in whole pages. */
struct staged_segment {
    uint64_t address;
    uint64_t size;
    uint64_t content_size;
    uint64_t offset; /* of its content in the working memory */
    uint32_t prot;
    uint32_t lifetime;
};
struct jitscope_error *executor_stage(struct executor *executor, const struct staged_segment *segment);
bool executor_read(struct executor *executor, uint64_t address, void *buffer, size_t size);
/* As executor_debugger_listens(), when it was heard of last. */
bool executor_is_watched(const struct executor *executor);

#endif
