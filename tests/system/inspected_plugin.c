/* A plug-in that holds a copy of the library of its own, and never destroys its session. */
#include "jitscope/jitscope.h"

const char *plugin_start(void);

__attribute__((visibility("default"))) const char *plugin_start(void) {
    struct jitscope_session_options options = {.size = sizeof options, .simulate = true, .inspectable = true};
    struct jitscope_session *session;
    struct jitscope_error *error = jitscope_session_create(&options, &session);
    const char *failure =
        error ? jitscope_error_message(error) : jitscope_session_inspection_failure(session);
    return failure ? failure : "done";
}
