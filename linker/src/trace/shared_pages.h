/* shared_pages: the pages of a recording, which the process shares with a file that it does not own alone.
 *
 * Somebody may cut the file, its disk may fail: the next store into a page that is gone raises SIGBUS and
 * would end a program that only wanted to be recorded.  And a child of fork() would go on writing into the
 * chunks of its parent.  In both cases pages of nobody's are put in place of the file's: the stores go on,
 * into the void. */
#ifndef TRACE_SHARED_PAGES_H
#define TRACE_SHARED_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NO_SHARED_PAGES = -1 };

/* Guards what is mapped at [START, START + SIZE), whole pages; a number for the functions below.
 * NO_SHARED_PAGES when there is no room for more of them: they are used without guard.  As long as there is a
 * guard the process has a handler for SIGBUS; what is not about guarded pages goes to the handler before it.
 */
int shared_pages_guard(void *start, size_t size);
/* Before they are unmapped. */
void shared_pages_release(int number);
/* Whether they have been replaced. */
bool shared_pages_are_lost(int number);

#endif
