#include "executor/executor_linked.h"

#include "executor/executor_debug.h"

static void tell(struct linked_unwinder unwinder, struct bytes section, bool comes) {
    void (*function)(uintptr_t) =
        (void (*)(uintptr_t))(uintptr_t)(comes ? unwinder.add_function : unwinder.remove_function);
    if (unwinder.each_fde)
        executor_each_fde(section, function);
    else
        function((uintptr_t)section.data);
}

void executor_tell_linked_unwinders(const struct unwinders *unwinders, struct bytes section, bool comes) {
    for (uint32_t i = 0; i < unwinders->linked.count; i++)
        tell(unwinders->linked.data[i], section, comes);
}

static void tell_all_sections(const struct unwinders *unwinders, struct linked_unwinder unwinder,
                              bool comes) {
    executor_debug_announce();
    for (uint32_t i = 0; i < unwinders->registered.count; i++) {
        const struct registered_eh_frame *at = &unwinders->registered.data[i];
        tell(unwinder, (struct bytes){(const uint8_t *)(uintptr_t)at->address, at->size}, comes);
    }
}

const char *executor_add_linked_unwinder(struct unwinders *unwinders, struct linked_unwinder unwinder) {
    struct jitscope_error *error = vec_push(&unwinders->linked, unwinder);
    if (error) {
        jitscope_error_destroy(error);
        return "out of memory";
    }
    tell_all_sections(unwinders, unwinder, true);
    return NULL;
}

const char *executor_remove_linked_unwinder(struct unwinders *unwinders, struct linked_unwinder unwinder) {
    uint32_t i = unwinders->linked.count;
    while (i > 0 && unwinders->linked.data[i - 1].add_function != unwinder.add_function)
        i--;
    if (!i)
        return "no unwinder with this function is registered";
    tell_all_sections(unwinders, unwinders->linked.data[i - 1], false);
    unwinders->linked.data[i - 1] = unwinders->linked.data[unwinders->linked.count - 1];
    unwinders->linked.count--;
    return NULL;
}
