/* check_link: the check language applied to a link: names from the mirror of its recording, bytes from its
 * session. */
#ifndef TOOLS_CHECK_LINK_H
#define TOOLS_CHECK_LINK_H

#include "jitscope/session.h"

/* Every expression of the file at PATH must hold.  RECORDING is the session's, which may still grow.  Errors:
 * CHECK_FAILED, FORMAT, NOT_FOUND, SYSTEM, RECORDING. */
struct jitscope_error *check_link(struct jitscope_session *session, const char *recording, const char *path);

#endif
