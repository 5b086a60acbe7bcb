/* executor_debug: what debuggers are told of the code in this process (debuggee.h), and when.
 *
 * Each batch comes as one debug image (debug_image.h), before any of its code can run, and leaves before its
 * memory goes.  What happens with it is the session's policy:
 *
 *   eager   it is announced through the JIT interface's hook at once
 *   auto    the same while a debugger listens, but not before its code can run; otherwise it joins the open
 *           image, which is in the JIT interface's list for whoever attaches later, and costs a copy
 *   lazy    it joins an open image that only plug-ins see, and jit-readers, by a beacon (debug_beacon.h)
 *   off     there is nothing to register
 *
 * Under auto and lazy a plug-in that listens (debuggee.h, interest) decides: batches it waits for are
 * announced, so that its pending breakpoints find them before they run, and all others join the open image it
 * reads itself.
 *
 * Not before its code can run: a debugger stops the process for each announcement, and looks for the places
 * of all its breakpoints, so that batches wait for each other and are announced together, as one image.  They
 * wait until executor_debug_announce(), which whoever could let their code run calls first:
 *
 *   - an action that runs code (initialisers, finalisers, a user's own), of this batch or any other
 *   - a lookup, which hands an address out; and running main
 *
 * There is no other way into a batch that nobody looked up: earlier batches were bound before it was there,
 * later ones (whose references to it need no lookup) are looked up or initialised themselves, and a thread in
 * the middle of JIT'd code gets new addresses from the same lookups.  But whoever sees a link from inside - a
 * user's pass that comes after allocation, an event callback, a memory manager - learns addresses on the way:
 * an executor of such a session tells at once.  Nor does anything wait when a debugger would look for places
 * of breakpoints because another batch leaves.  What waits is in the list of batches, with its description.
 *
 * A debugger's work grows with the number of images: announced images are merged in powers of FAN_IN, so that
 * few of them live at any time.  Lists are the process's, shared by its sessions, under one lock. */
#ifndef EXECUTOR_DEBUG_H
#define EXECUTOR_DEBUG_H

#include "base/bytes.h"
#include "executor/debuggee.h"

struct executor;

/* How a batch was made known. */
enum debug_listing { LISTING_NONE, LISTING_ANNOUNCED, LISTING_LISTED, LISTING_UNLISTED };

/* For events; static. */
const char *debug_listing_text(enum debug_listing listing);
/* Both return NULL, or why they failed (a static text); debug_listing says how the batch is or was made
 * known. The executor's policy decides.  What executor_offer_image() offers may be taken. */
const char *executor_register_debug_image(struct executor *executor, struct bytes image);
const char *executor_deregister_debug_image(struct executor *executor, uint32_t link);
/* Code of any batch may run from now on: those that wait are announced. */
void executor_debug_announce(void);
/* A section was registered with, or withdrawn from (CHANGE is -1), the unwinder of that name. */
void executor_debug_count_section(const char *unwinder, int change);
/* All batches of an executor are about to leave, each by its own action. */
void executor_debug_begin_end(const struct executor *executor);
/* Has debuggers take their breakpoints out of code that has left, because its memory is about to be given to
 * others (jit_interface.h). */
void executor_debug_settle(void);
/* The address of `jitscope_debuggee`. */
uint64_t executor_debug_root(void);
/* An executor went away, with all its batches: what only waited for more is given back. */
void executor_debug_end(void);

#endif
