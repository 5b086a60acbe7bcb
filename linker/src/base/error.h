/* error: failures as values with coordinates.  NULL is success; see include/jitscope/error.h for reading
 * them. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "jitscope/error.h"

#include <stddef.h>

/* Where in the inputs something went wrong.  Strings are borrowed and copied; NULL and NO_OFFSET do not
 * apply. */
struct coordinates {
    const char *input;
    const char *section;
    uint64_t offset;
    const char *symbol;
};

#define NO_OFFSET UINT64_MAX
#define NOWHERE   ((struct coordinates){.offset = NO_OFFSET})

/* Passes a failure up unchanged. */
#define TRY(call)                                                                                            \
    do {                                                                                                     \
        struct jitscope_error *try_error_ = (call);                                                          \
        if (__builtin_expect(try_error_ != NULL, 0))                                                         \
            return try_error_;                                                                               \
    } while (0)

/* The one error that needs no memory. */
extern struct jitscope_error error_no_memory_instance;
#define error_no_memory() (&error_no_memory_instance)

struct jitscope_error *error_create(enum jitscope_error_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));
struct jitscope_error *error_at(enum jitscope_error_code code, const struct coordinates *where,
                                const char *format, ...) __attribute__((format(printf, 3, 4), cold));
/* "call: strerror(errno)", plus what it was about when WHAT is not NULL. */
struct jitscope_error *error_system(const char *call, const char *what) __attribute__((cold));
/* What happened, and what would help (NULL when nobody said), without the coordinates; as
 * jitscope_error_input(). */
const char *error_text(const struct jitscope_error *error);
const char *error_help(const struct jitscope_error *error);
/* Adds what would help; ERROR is consumed and its successor returned. */
struct jitscope_error *error_with_help(struct jitscope_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));
/* The same, unless ERROR has its own. */
struct jitscope_error *error_with_default_help(struct jitscope_error *error, const char *help)
    __attribute__((cold));
/* The help that errors of this kind want where nobody knew better; keeps what is there. */
struct jitscope_error *error_with_usual_help(struct jitscope_error *error) __attribute__((cold));
/* Puts the input's name in front of an error that a lower floor made without knowing it. */
struct jitscope_error *error_in_input(struct jitscope_error *error, const char *input) __attribute__((cold));

#endif
