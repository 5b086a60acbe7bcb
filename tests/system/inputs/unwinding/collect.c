/* Walks the stack with the unwinder that it is linked to. */
#include <unwind.h>

struct walk {
    void **addresses;
    int count, most;
};

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *argument) {
    struct walk *walk = argument;
    if (walk->count < walk->most)
        walk->addresses[walk->count++] = (void *)_Unwind_GetIP(context);
    return _URC_NO_REASON;
}

int collect(void **addresses, int most) {
    struct walk walk = {addresses, 0, most};
    _Unwind_Backtrace(visit, &walk);
    return walk.count;
}
