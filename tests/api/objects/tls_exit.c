/* What C++ compilers make of a thread_local object with a destructor. */
extern int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *dso);
extern void *__dso_handle;
extern int host_say(const char *text);

static __thread const char *object;

static void destroy(void *which) {
    host_say(*(const char **)which);
}

int make_object(const char *text) {
    object = text;
    return __cxa_thread_atexit_impl(destroy, &object, &__dso_handle);
}
