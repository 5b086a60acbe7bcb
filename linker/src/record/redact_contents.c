#include "record/redact_contents.h"

#include "object/archive.h"
#include "object/ld_script.h"

#include <ctype.h>
#include <string.h>

static bool is_shared(struct bytes content) {
    return content.size >= sizeof(Elf64_Ehdr) && !memcmp(content.data, ELFMAG, SELFMAG) &&
           load_u16(content.data + offsetof(Elf64_Ehdr, e_type)) == ET_DYN;
}

/* --- archives */

struct walk {
    struct redact_words *words;
    uint8_t *data; /* of the archive */
    struct bytes file;
};

static struct jitscope_error *add_string(struct walk *walk, const char *at, size_t length,
                                         enum redact_kind kind) {
    uint32_t text;
    if (!length)
        return NULL;
    TRY(redact_text(walk->words, kind, at, length, &text));
    return redact_at(walk->words, text, walk->data + ((const uint8_t *)at - walk->file.data));
}

static struct jitscope_error *add_index_name(void *context, const char *name, size_t length,
                                             uint64_t member) {
    (void)member;
    return add_string(context, name, length, KIND_SYMBOL);
}

/* Errors of the archive itself end the walk: what the linker could not read either. */
static struct jitscope_error *as_unreadable(struct redact_words *words, struct jitscope_error *error) {
    if (!error || jitscope_error_code(error) == JITSCOPE_ERROR_NO_MEMORY)
        return error;
    jitscope_error_destroy(error);
    words->left[LEFT_UNREADABLE]++;
    return NULL;
}

static struct jitscope_error *redact_members(struct walk *walk, const struct archive *archive) {
    for (uint64_t at = archive->first_member; at < archive->file.size;) {
        struct archive_member member;
        struct jitscope_error *error = archive_member_at(archive, at, &member);
        if (error)
            return as_unreadable(walk->words, error);
        TRY(add_string(walk, member.name, member.name_length, KIND_PATH));
        if (member.content.size)
            TRY(redact_elf_file(walk->words, walk->data + (member.content.data - walk->file.data),
                                member.content.size));
        at = member.next;
    }
    return NULL;
}

static struct jitscope_error *redact_archive(struct redact_words *words, uint8_t *data, uint64_t size) {
    struct walk walk = {words, data, {data, size}};
    struct archive archive;
    struct jitscope_error *error = archive_open(walk.file, &archive);
    if (error)
        return as_unreadable(words, error);
    if (archive.index.size)
        TRY(as_unreadable(words, archive_each_symbol(&archive, add_index_name, &walk)));
    return redact_members(&walk, &archive);
}

static struct jitscope_error *keep_archive(struct redact_words *words, struct bytes file) {
    struct archive archive;
    struct archive_member member;
    struct jitscope_error *error = archive_open(file, &archive);
    for (uint64_t at = archive.first_member; !error && at < file.size; at = member.next) {
        error = archive_member_at(&archive, at, &member);
        if (!error)
            error = redact_keep_elf(words, member.content, LEFT_SYSTEM);
    }
    return as_unreadable(words, error);
}

/* --- ld scripts */

static bool is_word(char c) {
    return c && !isspace((unsigned char)c) && !strchr("(),;{}\"", c);
}

/* Comments tell what they like: blanks take their place. */
static size_t blank_comment(uint8_t *at, size_t left) {
    size_t size = 2;
    while (size < left && (at[size - 1] != '*' || at[size] != '/' || size < 3))
        size++;
    size = size < left ? size + 1 : left;
    for (size_t i = 2; i + 2 < size; i++)
        at[i] = ' ';
    return size;
}

static enum redact_kind kind_in(const char *command, size_t length) {
    return length == 6 && !memcmp(command, "EXTERN", 6) ? KIND_SYMBOL : KIND_PATH;
}

static struct jitscope_error *redact_word(struct walk *walk, const char *at, size_t length,
                                          enum redact_kind kind) {
    if (kind == KIND_PATH && length > 2 && !memcmp(at, "-l", 2))
        return add_string(walk, at + 2, length - 2, KIND_LIBRARY);
    return add_string(walk, at, length, kind);
}

/* Words before a parenthesis are commands, those inside of one names. */
static struct jitscope_error *redact_script(struct redact_words *words, uint8_t *data, uint64_t size) {
    struct walk walk = {words, data, {data, size}};
    const char *text = (const char *)data;
    enum redact_kind kind = KIND_PATH;
    bool names = false;
    for (size_t at = 0, length; at < size; at += length ? length : 1) {
        length = 0;
        if (text[at] == '/' && at + 1 < size && text[at + 1] == '*') {
            length = blank_comment(data + at, size - at);
            continue;
        }
        while (at + length < size && is_word(text[at + length]))
            length++;
        bool formats = length >= 6 && (!memcmp(text + at, "OUTPUT", 6) || !memcmp(text + at, "TARGET", 6));
        if (length && !names && !formats)
            kind = kind_in(text + at, length);
        else if (length && names && !(length == 9 && !memcmp(text + at, "AS_NEEDED", 9)))
            TRY(redact_word(&walk, text + at, length, kind));
        if (!length)
            names = text[at] == '(' || (names && text[at] != ')');
    }
    return NULL;
}

/* --- contents */

struct jitscope_error *redact_content(struct redact_words *words, uint8_t *data, uint64_t size) {
    struct bytes content = {data, size};
    if (archive_is(content))
        return redact_archive(words, data, size);
    return ld_script_is(content) ? redact_script(words, data, size) : redact_elf_file(words, data, size);
}

struct jitscope_error *redact_keep_content(struct redact_words *words, struct bytes content, bool is_others) {
    if (is_shared(content))
        return redact_keep_elf(words, content, LEFT_PROVIDED);
    if (!is_others)
        return NULL;
    return archive_is(content) ? keep_archive(words, content) : redact_keep_elf(words, content, LEFT_SYSTEM);
}
