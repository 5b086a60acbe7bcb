/* exit_list: what JIT'd code wants done at the end, of the program or of a thread.
 *
 * C++ registers destructors of static objects with __cxa_atexit and those of thread-local ones with
 * __cxa_thread_atexit (Itanium C++ ABI, section 3.3.6), one object at a time; atexit(3) is the former too.
 * The C library keeps them for code that stays.  Of a program's, what was registered and is done for leaves
 * its place only when all that came later has gone; a process that links and unloads for ever would find its
 * list ever longer, and __cxa_finalize walks all of it.  Of a thread's, nothing goes before the thread does.
 *
 * So JIT'd code that asks for these names gets functions that keep lists here, from which what belongs to a
 * batch is taken when the batch goes.  The C library hears of *marks* only, each registered together with a
 * function of the list: when a mark's turn comes, what the list has got from there on is called, latest
 * first.  In that way JIT'd code and the rest of the program take their turns in the reverse order of
 * registration, as they would without a JIT.  Of the program's marks the latest are taken back when nothing
 * is behind them any more.  Others stay like everything that the C library is given, hence there are no more
 * than a few and two for each function in the list: when there are, a new function has no mark of its own,
 * and its turn comes with that of an older one.
 *
 * When a batch is deallocated, its functions are called at once: first those of the thread that deallocates,
 * then the program's.  Those of other threads are dropped, since the code will be gone: such objects are not
 * destroyed.  Whoever wants them destroyed lets the threads end first. */
#ifndef EXECUTOR_EXIT_LIST_H
#define EXECUTOR_EXIT_LIST_H

/* The function that stands for the C library's, or the C++ library's, of that NAME; NULL for all others. */
void *exit_list_function(const char *name);
/* The batch with this __dso_handle is about to go. */
void exit_list_end(void *dso);

#endif
