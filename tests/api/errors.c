/* Errors are values with coordinates: what happened, in which input, section, at which offset, to which
 * symbol. */
#include "check.h"

#include <string.h>
#include <unistd.h>

static void print_error(struct jitscope_error *error) {
    const char *input = jitscope_error_input(error), *section = jitscope_error_section(error),
               *symbol = jitscope_error_symbol(error);
    uint64_t offset = jitscope_error_offset(error);
    printf("%s, exit status %d\n", jitscope_error_code_name(jitscope_error_code(error)),
           jitscope_error_exit_status(jitscope_error_code(error)));
    printf("  input %s, section %s, symbol %s, offset ", input ? input : "-", section ? section : "-",
           symbol ? symbol : "-");
    printf(offset == UINT64_MAX ? "-\n" : "%llu\n", (unsigned long long)offset);
    printf("  %s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
}

static const char twice[] = "INPUT(fib.o fib.o)";

int main(void) {
    if (chdir(OBJECTS)) /* so that messages name files as they are given */
        return 1;
    struct jitscope_session_options options = {.size = sizeof options, .simulate = true, .base = 0x400000};
    struct jitscope_session *session;
    uint64_t address;
    check(jitscope_session_create(&options, &session));
    print_error(jitscope_session_lookup(session, "nothing", &address));
    print_error(jitscope_session_read(session, 0x1000, &address, sizeof address));
    print_error(jitscope_session_run_main(session, 0x400000, &(int){0}));

    const char header[20] = "\177ELF\2\1\1";
    check(jitscope_session_add_memory(session, "cut.o", header, sizeof header));
    print_error(jitscope_session_link(session, NULL));

    check(jitscope_session_add_memory(session, "one.o", "no object", 9));
    print_error(jitscope_session_link(session, NULL));

    /* What a failed link leaves: nothing, and an empty queue. */
    check(jitscope_session_link(session, NULL));

    check(jitscope_session_define(session, "far", 0x123456789a));
    check(jitscope_session_add_file(session, "far.o"));
    print_error(jitscope_session_link(session, NULL));

    check(jitscope_session_add_memory(session, "again", twice, strlen(twice)));
    print_error(jitscope_session_link(session, NULL));

    print_error(jitscope_error_create(JITSCOPE_ERROR_CHECK_FAILED, "an error of one's own"));
    printf("no error: %s, %s\n", jitscope_error_code_name(jitscope_error_code(NULL)),
           jitscope_error_message(NULL));
    jitscope_session_destroy(session);
    return 0;
}
