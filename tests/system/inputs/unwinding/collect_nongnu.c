/* Walks the stack with nongnu libunwind. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

int collect(void **addresses, int most) {
    unw_context_t context;
    unw_cursor_t cursor;
    unw_word_t ip;
    int count = 0;
    if (unw_getcontext(&context) || unw_init_local(&cursor, &context))
        return 0;
    while (count < most && unw_step(&cursor) > 0 && !unw_get_reg(&cursor, UNW_REG_IP, &ip))
        addresses[count++] = (void *)ip;
    return count;
}
