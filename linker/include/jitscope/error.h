/* Errors are values.  A fallible function returns NULL for success, or an error that the caller owns and
 * releases with jitscope_error_destroy().  Errors carry coordinates: which input, section, offset and symbol.
 *
 * An error does not depend on the session that returned it and may outlive it.  NO_MEMORY can come from every
 * fallible function of these headers and is not repeated there. */
#ifndef JITSCOPE_ERROR_H
#define JITSCOPE_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What kind of failure; the list with meanings is errors.def. */
enum jitscope_error_code {
    JITSCOPE_SUCCESS = 0,
#define ERROR(name, status, text) JITSCOPE_ERROR_##name,
#include "errors.def"
#undef ERROR
};

/* One failure.  Immutable once returned; may be read by any thread, destroyed by one. */
struct jitscope_error;

/* The code of ERROR; JITSCOPE_SUCCESS for NULL. */
enum jitscope_error_code jitscope_error_code(const struct jitscope_error *error);

/* "NO_MEMORY", "FORMAT", ...; a static string, "SUCCESS" for 0 and "UNKNOWN" outside the enumeration. */
const char *jitscope_error_code_name(enum jitscope_error_code code);

/* The tool's exit status for this code: 1 failed, 2 wrong request. */
int jitscope_error_exit_status(enum jitscope_error_code code);

/* The whole story, several lines possible, no trailing newline:
 * "input: section+0xoffset: symbol 'name': message" and a "help:" line when there is one.
 * "success" for NULL.  Owned by ERROR, valid until it is destroyed.  Bytes outside printable ASCII that came
 * from inputs are escaped. */
const char *jitscope_error_message(const struct jitscope_error *error);

/* The input's name as it was given, "libx.a(y.o)" for a member; NULL when it does not apply or for NULL.
 * Owned by ERROR, valid until it is destroyed; not escaped. */
const char *jitscope_error_input(const struct jitscope_error *error);
/* The section's name in that input, or NULL; as jitscope_error_input(). */
const char *jitscope_error_section(const struct jitscope_error *error);
/* The symbol's name, mangled as it is in the input, or NULL; as jitscope_error_input(). */
const char *jitscope_error_symbol(const struct jitscope_error *error);

/* Offset in bytes in the section (or in the input when there is no section); UINT64_MAX when it does not
 * apply, and for NULL. */
uint64_t jitscope_error_offset(const struct jitscope_error *error);

/* Makes an error of one's own (for user passes, resolvers, memory managers, actions); MESSAGE is copied.
 * Never returns NULL: without memory it returns the shared out-of-memory error. */
struct jitscope_error *jitscope_error_create(enum jitscope_error_code code, const char *message);

/* Releases ERROR and every text got from it; NULL is allowed, and so is any thread. */
void jitscope_error_destroy(struct jitscope_error *error);

#ifdef __cplusplus
}
#endif
#endif
