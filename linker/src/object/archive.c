/* Archives (ar(5); the GNU form with its "/" index and "//" name table, 64-bit index, BSD "#1/" names, thin
 * archives).
 *
 * What is peculiar: numbers are text in fixed columns, padded with spaces; members start at even offsets; the
 * index, when there is one, is the first member and big-endian; in a thin archive members have headers but no
 * content. */
#include "object/archive.h"

#include <string.h>

static const char magic[] = "!<arch>\n", thin_magic[] = "!<thin>\n";
enum { LONGEST_NAME = 4096 }; /* PATH_MAX: thin archives name files */
enum { MAGIC_SIZE = 8, HEADER_SIZE = 60, NAME_SIZE = 16, SIZE_AT = 48, SIZE_SIZE = 10, END_AT = 58 };

bool archive_is(struct bytes file) {
    return file.size >= MAGIC_SIZE &&
           (!memcmp(file.data, magic, MAGIC_SIZE) || !memcmp(file.data, thin_magic, MAGIC_SIZE));
}

static struct jitscope_error *bad_archive(enum jitscope_error_code code, uint64_t offset, const char *what) {
    struct coordinates where = {.offset = offset};
    return error_at(code, &where, "not a readable archive: %s", what);
}

/* Decimal digits padded with spaces; false for anything else. */
static bool parse_number(const char *text, size_t size, uint64_t *value) {
    size_t i = 0;
    *value = 0;
    for (; i < size && text[i] >= '0' && text[i] <= '9'; i++)
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, text[i] - '0', value))
            return false;
    size_t digits = i;
    while (i < size && text[i] == ' ')
        i++;
    return digits && i == size;
}

static bool name_is(const char *header, const char *name) {
    size_t length = strlen(name);
    return !memcmp(header, name, length) && header[length] == ' ';
}

static bool is_bsd_index(const char *name, size_t length) {
    return length >= 9 && !memcmp(name, "__.SYMDEF", 9);
}

/* "/123": an offset into the name table, where names end with "/\n" (GNU) or "\n". */
static struct jitscope_error *long_name(const struct archive *archive, uint64_t header,
                                        struct archive_member *member) {
    uint64_t offset;
    const char *text = (const char *)archive->file.data + header;
    if (!parse_number(text + 1, NAME_SIZE - 1, &offset) || offset >= archive->long_names.size)
        return bad_archive(JITSCOPE_ERROR_FORMAT, header,
                           "a member whose long name lies outside the name table");
    member->name = (const char *)archive->long_names.data + offset;
    uint64_t room = archive->long_names.size - offset;
    const char *end = memchr(member->name, '\n', room < LONGEST_NAME ? room : LONGEST_NAME);
    if (!end)
        return bad_archive(JITSCOPE_ERROR_FORMAT, header, "a member whose long name does not end");
    member->name_length = (size_t)(end - member->name);
    if (member->name_length && member->name[member->name_length - 1] == '/')
        member->name_length--;
    return NULL;
}

/* "#1/20": the name is the content's first bytes. */
static struct jitscope_error *bsd_name(uint64_t header, struct archive_member *member) {
    uint64_t length;
    if (!parse_number((const char *)member->name + 3, NAME_SIZE - 3, &length) ||
        length > member->content.size || length > LONGEST_NAME)
        return bad_archive(JITSCOPE_ERROR_FORMAT, header, "a BSD name longer than its member");
    member->name = (const char *)member->content.data;
    member->name_length = strnlen(member->name, length);
    member->content.data += length;
    member->content.size -= length;
    return NULL;
}

static void short_name(struct archive_member *member) {
    const char *slash = memchr(member->name, '/', NAME_SIZE);
    member->name_length = slash ? (size_t)(slash - member->name) : NAME_SIZE;
    while (!slash && member->name_length && member->name[member->name_length - 1] == ' ')
        member->name_length--;
}

static bool is_table(const char *header) {
    return name_is(header, "/") || name_is(header, "//") || name_is(header, "/SYM64/");
}

struct jitscope_error *archive_member_at(const struct archive *archive, uint64_t header,
                                         struct archive_member *member) {
    if (!bytes_contain(archive->file, header, HEADER_SIZE))
        return bad_archive(JITSCOPE_ERROR_TRUNCATED, header, "the file ends inside a member's header");
    const char *text = (const char *)archive->file.data + header;
    *member = (struct archive_member){.header = header, .name = text};
    if (text[END_AT] != '`' || text[END_AT + 1] != '\n' ||
        !parse_number(text + SIZE_AT, SIZE_SIZE, &member->size))
        return bad_archive(JITSCOPE_ERROR_FORMAT, header, "no member header where one should be");
    bool external = archive->thin && !is_table(text);
    uint64_t content = header + HEADER_SIZE, end;
    if (!external && !bytes_contain(archive->file, content, member->size))
        return bad_archive(JITSCOPE_ERROR_TRUNCATED, header, "a member that is longer than the file");
    end = external ? content : content + member->size;
    member->next = end + (end & 1);
    if (!external)
        member->content = bytes_slice(archive->file, content, member->size);
    if (text[0] == '/' && text[1] >= '0' && text[1] <= '9')
        return long_name(archive, header, member);
    if (!memcmp(text, "#1/", 3) && !external)
        return bsd_name(header, member);
    short_name(member);
    return NULL;
}

/* The tables come first: index, 64-bit index, long names. */
struct jitscope_error *archive_open(struct bytes file, struct archive *archive) {
    *archive = (struct archive){.file = file, .thin = !memcmp(file.data, thin_magic, MAGIC_SIZE)};
    uint64_t at = MAGIC_SIZE;
    while (at < file.size) {
        struct archive_member member;
        const char *header = (const char *)file.data + at;
        TRY(archive_member_at(archive, at, &member));
        if (name_is(header, "//")) {
            archive->long_names = member.content;
        } else if (name_is(header, "/") || name_is(header, "/SYM64/")) {
            archive->index = member.content;
            archive->index_is_64 = header[1] == 'S';
        } else if (!is_bsd_index(member.name, member.name_length)) {
            break; /* a BSD index is left aside: the members are scanned instead */
        }
        at = member.next;
    }
    archive->first_member = at;
    return NULL;
}

static uint64_t load_big(const uint8_t *at, bool wide) {
    return wide ? __builtin_bswap64(load_u64(at)) : __builtin_bswap32(load_u32(at));
}

struct jitscope_error *archive_each_symbol(const struct archive *archive, archive_symbol_function function,
                                           void *context) {
    struct bytes index = archive->index;
    uint64_t width = archive->index_is_64 ? 8 : 4, count, names;
    uint64_t index_at = (uint64_t)(index.data - archive->file.data);
    if (index.size < width)
        return bad_archive(JITSCOPE_ERROR_TRUNCATED, index_at, "an index without a count");
    count = load_big(index.data, archive->index_is_64);
    if (count > (index.size - width) / width)
        return bad_archive(JITSCOPE_ERROR_TRUNCATED, index_at, "an index with more symbols than bytes");
    names = width + count * width;
    for (uint64_t i = 0; i < count; i++) {
        size_t length;
        const char *name = bytes_string(index, names, &length);
        if (!name)
            return bad_archive(JITSCOPE_ERROR_TRUNCATED, index_at + names, "an index whose names end early");
        uint64_t member = load_big(index.data + width + i * width, archive->index_is_64);
        TRY(function(context, name, length, member));
        names += length + 1;
    }
    return NULL;
}
