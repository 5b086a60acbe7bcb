#include "tls_plugin.h"

#include "jitscope/jitscope.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static struct jitscope_session *session; /* as long as the process */

__attribute__((visibility("default"))) int (*plugin_open(const char *path))(int) {
    struct jitscope_link *link;
    uint64_t address;
    int (*count)(int);
    if (jitscope_session_create(NULL, &session) || jitscope_session_add_file(session, path) ||
        jitscope_session_link(session, &link) || jitscope_link_lookup(session, link, "count", &address))
        return NULL;
    void *pointer = (void *)(uintptr_t)address;
    memcpy(&count, &pointer, sizeof count);
    return count;
}
