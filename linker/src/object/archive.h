/* archive: ar files, GNU, BSD long names and thin. */
#ifndef OBJECT_ARCHIVE_H
#define OBJECT_ARCHIVE_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>

struct archive {
    struct bytes file;
    struct bytes index;      /* content of "/" or "/SYM64/", empty when there is none */
    struct bytes long_names; /* content of "//" */
    uint64_t first_member;   /* offset of the first header that is no index */
    bool thin;
    bool index_is_64;
};

struct archive_member {
    uint64_t header;  /* offset of its header: identifies it (names may repeat) */
    const char *name; /* not terminated: name_length bytes */
    size_t name_length;
    struct bytes content; /* empty for a thin archive: the file is NAME, relative to the archive's folder */
    uint64_t size;        /* as the header says */
    uint64_t next;        /* offset of the next header; >= file.size at the end */
};

bool archive_is(struct bytes file);
/* Errors: FORMAT, TRUNCATED with the offset. */
struct jitscope_error *archive_open(struct bytes file, struct archive *archive);
struct jitscope_error *archive_member_at(const struct archive *archive, uint64_t header,
                                         struct archive_member *member);
/* Calls FUNCTION for each entry of the index, in its order; MEMBER is the header's offset. */
typedef struct jitscope_error *(*archive_symbol_function)(void *context, const char *name, size_t length,
                                                          uint64_t member);
struct jitscope_error *archive_each_symbol(const struct archive *archive, archive_symbol_function function,
                                           void *context);

#endif
