/* redact_contents: the names inside of inputs.
 *
 *     redact_contents.c   archives, ld scripts, which content is what
 *     redact_elf.c        string tables of objects and shared libraries, and what shares its bytes in them
 *     redact_debug.c      DWARF: strings in its tables, and those that stand in the sections themselves
 *
 * Contents are untrusted, and copies: what cannot be read stays as it is and is counted. */
#ifndef RECORD_REDACT_CONTENTS_H
#define RECORD_REDACT_CONTENTS_H

#include "record/redact_words.h"

#include "base/bytes.h"

#include <elf.h>

/* Finds all texts in CONTENT, which is replaced in place by redact_apply(). */
struct jitscope_error *redact_content(struct redact_words *words, uint8_t *data, uint64_t size);
/* The names in CONTENT stay, wherever they stand; of OTHERS' inputs, or of a shared library. */
struct jitscope_error *redact_keep_content(struct redact_words *words, struct bytes content, bool is_others);

/* --- between the files */

struct redact_table_string {
    uint32_t section; /* the string table */
    uint32_t text;
    uint64_t offset; /* in the table */
    bool is_guess;   /* counts where nothing else is known of this place */
};

struct redact_elf {
    struct redact_words *words;
    uint8_t *data;
    struct bytes file;
    Elf64_Ehdr header;
    VEC(struct redact_table_string) strings;
};

/* False for what is no 64-bit little-endian ELF file. */
bool redact_elf_open(struct redact_elf *elf, struct redact_words *words, uint8_t *data, uint64_t size);
struct jitscope_error *redact_elf_file(struct redact_words *words, uint8_t *data, uint64_t size);
struct jitscope_error *redact_keep_elf(struct redact_words *words, struct bytes file, enum redact_left why);

uint32_t redact_section_count(const struct redact_elf *elf);
/* False when there is none, or it has no bytes in the file. */
bool redact_section(const struct redact_elf *elf, uint32_t index, Elf64_Shdr *section, struct bytes *content);
/* "" for one without a proper name. */
const char *redact_section_name(const struct redact_elf *elf, const Elf64_Shdr *section);
/* A string of a string table, if there is one. */
struct jitscope_error *redact_table_string(struct redact_elf *elf, uint32_t table, uint64_t offset,
                                           enum redact_kind kind);
/* The same, but what else is said of this place is right. */
struct jitscope_error *redact_table_guess(struct redact_elf *elf, uint32_t table, uint64_t offset,
                                          enum redact_kind kind);
/* A string that stands by itself; AT lies in the file. */
struct jitscope_error *redact_own_string(struct redact_elf *elf, const char *at, size_t length,
                                         enum redact_kind kind);

struct jitscope_error *redact_debug(struct redact_elf *elf);

#endif
