/* An archive's tables, index and members. */
#include "fuzz_common.h"

#include "object/archive.h"

struct walk {
    const struct archive *archive;
    unsigned seen;
};

static void touch(const struct archive_member *member) {
    volatile char sink = 0;
    for (size_t i = 0; i < member->name_length; i++)
        sink = (char)(sink ^ member->name[i]);
    for (uint64_t i = 0; i < member->content.size; i++)
        sink = (char)(sink ^ (char)member->content.data[i]);
}

static struct jitscope_error *look_up(void *context, const char *name, size_t length, uint64_t header) {
    struct walk *walk = context;
    struct archive_member member;
    FUZZ_HOLDS(strlen(name) == length);
    if (walk->seen++ > 1000) /* each looks at its member's bytes: 1000 are enough */
        return NULL;
    struct jitscope_error *error = archive_member_at(walk->archive, header, &member);
    if (!error)
        touch(&member);
    fuzz_expect_message(error);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct archive archive;
    struct bytes file = {data, size};
    if (!archive_is(file))
        return 0;
    struct jitscope_error *error = archive_open(file, &archive);
    if (!error) {
        struct walk walk = {.archive = &archive};
        if (archive.index.size)
            fuzz_expect_message(archive_each_symbol(&archive, look_up, &walk));
        for (uint64_t at = archive.first_member; at < size && !error;) {
            struct archive_member member;
            error = archive_member_at(&archive, at, &member);
            if (error)
                break;
            touch(&member);
            FUZZ_HOLDS(member.next > at);
            at = member.next;
        }
    }
    fuzz_expect_message(error);
    return 0;
}
