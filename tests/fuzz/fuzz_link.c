/* A whole link into simulated memory, perhaps with every event printed.  The first byte chooses options, the
 * rest is the input; scripts are left to fuzz_ld_script, since they could name any file of this machine. */
#include "fuzz_common.h"

#include "object/archive.h"
#include "object/ld_script.h"

enum {
    GC_SECTIONS = 1,
    KEEP_DEBUG = 2,
    WHOLE_ARCHIVE = 4,
    UNLOAD = 8,
    TWICE = 16,
    NO_PHONY = 32,
    PRINT = 64
};

static void print_event(void *context, const struct jitscope_event *event) {
    size_t *bytes = context;
    *bytes += strlen(jitscope_event_text(event)) + strlen(jitscope_event_json(event));
}

static bool link_once(struct jitscope_session *session, const uint8_t *data, size_t size, unsigned flags) {
    struct jitscope_link *link;
    uint8_t byte;
    uint64_t address;
    struct jitscope_error *error = jitscope_session_add_memory(session, "fuzz", data, size);
    if (!error)
        error = jitscope_session_link(session, &link);
    bool good = !error;
    fuzz_expect_message(error);
    if (!good)
        return false;
    error = jitscope_session_lookup(session, "main", &address);
    if (!error)
        error = jitscope_session_read(session, address, &byte, 1);
    fuzz_expect_message(error);
    if (flags & UNLOAD)
        fuzz_expect_message(jitscope_session_unload(session, link));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct jitscope_session *session;
    size_t printed = 0;
    if (size < 2)
        return 0;
    unsigned flags = data[0];
    struct bytes file = {data + 1, size - 1};
    if (ld_script_is(file) || (archive_is(file) && data[3] == 't')) /* thin archives name files, too */
        return 0;
    struct jitscope_session_options options = {.size = sizeof options,
                                               .simulate = true,
                                               .base = 0x10000000,
                                               .gc_sections = flags & GC_SECTIONS,
                                               .phony_externals = !(flags & NO_PHONY),
                                               .keep_debug_sections = flags & KEEP_DEBUG,
                                               .level = JITSCOPE_LEVEL_OFF};
    if (jitscope_session_create(&options, &session))
        abort();
    if (flags & PRINT) /* takes most of the time */
        fuzz_expect_message(
            jitscope_session_set_event_callback(session, JITSCOPE_LEVEL_EDGES, print_event, &printed));
    fuzz_expect_message(jitscope_session_set_whole_archive(session, flags & WHOLE_ARCHIVE));
    fuzz_expect_message(jitscope_session_add_root(session, "main"));
    if (link_once(session, file.data, file.size, flags) && flags & TWICE)
        link_once(session, file.data, file.size, flags);
    jitscope_session_destroy(session);
    return 0;
}
