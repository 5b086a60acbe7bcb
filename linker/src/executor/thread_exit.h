/* thread_exit: destructors of thread-local objects in JIT'd code.
 *
 * C++ registers them, one object at a time, with __cxa_thread_atexit (Itanium C++ ABI), which gives them to
 * the C library's __cxa_thread_atexit_impl; that calls them when the thread ends.  Of a shared library the C
 * library knows that it must not go before; of a batch it knows nothing.  So JIT'd code that asks for either
 * name gets a function that registers a record in the destructor's place.  When the batch is deallocated, the
 * records of the thread that does it run at once; those of other threads are told to do nothing, since the
 * code will be gone: such objects are not destroyed.  Whoever wants them destroyed lets the threads end
 * first. */
#ifndef EXECUTOR_THREAD_EXIT_H
#define EXECUTOR_THREAD_EXIT_H

/* The function that stands for the C library's, or the C++ library's, of that NAME; NULL for all others. */
void *thread_exit_function(const char *name);
/* The batch with this __dso_handle is about to go. */
void thread_exit_end(void *dso);

#endif
