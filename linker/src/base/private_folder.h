/* private_folder: folders that nobody else can change, in which sockets lie. */
#ifndef BASE_PRIVATE_FOLDER_H
#define BASE_PRIVATE_FOLDER_H

#include "base/error.h"

#include <stdint.h>

/* *fd gets the folder, to be named through /proc/self/fd, which holds whatever happens to its path.  Errors:
 * SYSTEM, NOT_FOUND, USAGE (it is a link or no folder, not USER's, or open to others), with HELP. */
struct jitscope_error *private_folder_open(const char *path, uint32_t user, const char *help, int *fd);

#endif
