/* How AddressSanitizer, when jitscope is built with it, is to behave in the process that a program runs in.
 *
 * The program has the sanitizer's malloc, as everybody there, but its data is memory that nobody tells the
 * sanitizer of: what only that points to would be reported as lost.  And programs may ask for more memory
 * than there is, and give back by another function than they had it from, as without a sanitizer. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0:allocator_may_return_null=1:alloc_dealloc_mismatch=0";
}
