/* recorded_archives: archives as a recording holds them, for `why` (mirror/why.h). */
#ifndef RECORD_RECORDED_ARCHIVES_H
#define RECORD_RECORDED_ARCHIVES_H

#include "base/text.h"

#include <stdbool.h>

/* Whether the archive at PATH has a member that defines NAME, which is appended to MEMBER.  CONTEXT is a
 * struct recorded.  An archive that is damaged, or of which the recording has only the name, has nothing to
 * say. */
bool recorded_archive_defines(void *context, const char *path, const char *name, size_t length,
                              struct text *member);

#endif
