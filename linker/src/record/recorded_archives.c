#include "record/recorded_archives.h"

#include "object/archive.h"
#include "record/recorded.h"

#include <string.h>

struct wanted_member {
    const char *name;
    size_t length;
    uint64_t header;
    bool found;
};

static struct jitscope_error *compare_symbol(void *context, const char *name, size_t length,
                                             uint64_t member) {
    struct wanted_member *wanted = context;
    if (!wanted->found && length == wanted->length && !memcmp(name, wanted->name, length)) {
        wanted->found = true;
        wanted->header = member;
    }
    return NULL;
}

static struct jitscope_error *find_member(struct bytes bytes, struct wanted_member *wanted,
                                          struct text *member) {
    struct archive archive;
    struct archive_member found;
    TRY(archive_open(bytes, &archive));
    TRY(archive_each_symbol(&archive, compare_symbol, wanted));
    if (!wanted->found)
        return NULL;
    TRY(archive_member_at(&archive, wanted->header, &found));
    text_append_bytes(member, found.name, found.name_length);
    return NULL;
}

bool recorded_archive_defines(void *context, const char *path, const char *name, size_t length,
                              struct text *member) {
    struct wanted_member wanted = {.name = name, .length = length};
    struct bytes bytes;
    if (!recorded_file(context, path, &bytes))
        return false;
    struct jitscope_error *error = find_member(bytes, &wanted, member);
    bool good = !error && wanted.found;
    jitscope_error_destroy(error);
    return good;
}
