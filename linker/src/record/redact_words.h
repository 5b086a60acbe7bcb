/* redact_words: words and their pseudonyms.
 *
 * A text (a symbol's name, a path, a section's name) is cut into pieces: words, which get pseudonyms, and
 * what stays. A word has one pseudonym of its own length wherever it stands, so that no offset in any file
 * changes; words are numbered per length in order of their first sight, so that no two get the same.
 *
 * What is peculiar: string tables share ends.  Where `fact` lies in the last bytes of `artefact`, the
 * pseudonym of the longer one must end in that of the shorter one; and where one of them has to stay, so has
 * the other one's share. redact_share() notes such pairs, redact_settle() finds pseudonyms that satisfy all
 * of them. */
#ifndef RECORD_REDACT_WORDS_H
#define RECORD_REDACT_WORDS_H

#include "base/map64.h"
#include "base/string_pool.h"
#include "base/vec.h"

enum redact_left {
#define LEFT(name, text) LEFT_##name,
#include "record/redact_kinds.def"
#undef LEFT
    LEFT_COUNT,
    NOT_LEFT = LEFT_COUNT,
};

enum redact_class { CLASS_PATH, CLASS_NAME };

enum redact_kind {
    KIND_PATH,    /* of a file or folder, or a name of one */
    KIND_MISSING, /* the same, of a file that is not there: of the system's are its folders alone */
    KIND_LIBRARY, /* as behind -l */
    KIND_SYMBOL,
    KIND_SECTION,
    KIND_DEBUG,   /* of debug information: identifiers among other text */
    KIND_MESSAGE, /* replaced are paths, and words that stand elsewhere */
};

struct redact_word {
    const char *bytes;
    uint32_t length;
    uint8_t class;
    uint8_t left;          /* enum redact_left, or NOT_LEFT: gets a pseudonym */
    uint32_t shorter;      /* first link to a word that shares this one's end; NO_WORD */
    uint32_t end;          /* the longest of them, after settling */
    const char *pseudonym; /* after settling; BYTES for what is left */
};

#define NO_WORD UINT32_MAX /* of a piece: stays as it is */

struct redact_piece {
    uint32_t length;
    uint32_t word;
};

struct redact_text {
    const char *bytes;
    uint32_t length;
    uint32_t first, count; /* pieces, which cover it */
};

struct redact_spot {
    uint8_t *at;
    uint32_t text;
};

struct redact_link {
    uint32_t shorter, next;
};

struct redact_words {
    bool replaces[2]; /* by class */
    struct arena arena;
    struct string_pool pool;               /* of texts and words */
    struct map64 texts, words, kept, used; /* by pool id and kind or class; KEPT -> reason */
    VEC(struct redact_text) text_list;
    VEC(struct redact_word) word_list;
    VEC(struct redact_piece) pieces;
    VEC(struct redact_link) links;
    VEC(struct redact_spot) spots;
    VEC(uint32_t) next_number; /* by length */
    uint64_t left[LEFT_COUNT];
};

struct jitscope_error *redact_words_create(struct redact_words *words, bool paths, bool names);
void redact_words_destroy(struct redact_words *words);

/* A word of CLASS stays; to be said before the first text that holds it. */
struct jitscope_error *redact_keep(struct redact_words *words, enum redact_class class, const char *bytes,
                                   size_t length, enum redact_left why);
/* Why, or NOT_LEFT. */
enum redact_left redact_kept(const struct redact_words *words, enum redact_class class, const char *bytes,
                             size_t length);

/* The text of that kind, cut into pieces when it is new (redact_split.c). */
struct jitscope_error *redact_text(struct redact_words *words, enum redact_kind kind, const char *bytes,
                                   size_t length, uint32_t *text);
/* The text, if it has been seen; NO_WORD. */
uint32_t redact_find_text(const struct redact_words *words, enum redact_kind kind, const char *bytes,
                          size_t length);
uint32_t redact_find_word(const struct redact_words *words, enum redact_class class, const char *bytes,
                          size_t length);
/* TEXT stands at AT, and is to be replaced there. */
struct jitscope_error *redact_at(struct redact_words *words, uint32_t text, uint8_t *at);
/* The bytes of SHORTER are the last ones of LONGER. */
struct jitscope_error *redact_share(struct redact_words *words, uint32_t longer, uint32_t shorter);

/* --- for redact_split.c: pieces of the text that is being made, in order */
struct jitscope_error *redact_add_fixed(struct redact_words *words, size_t length);
struct jitscope_error *redact_add_word(struct redact_words *words, enum redact_class class, const char *bytes,
                                       size_t length);
struct jitscope_error *redact_split(struct redact_words *words, enum redact_kind kind, const char *bytes,
                                    size_t length);
/* Whether everybody's system has this path, or one like it. */
bool redact_is_system_path(const char *bytes, size_t length);

/* Gives every word its pseudonym.  Errors: NO_MEMORY, RECORDING (there are not enough). */
struct jitscope_error *redact_settle(struct redact_words *words);
/* TEXT with its pseudonyms, of the same length, to OUT. */
void redact_render(const struct redact_words *words, uint32_t text, uint8_t *out);
/* Replaces all texts where they stand. */
void redact_apply(const struct redact_words *words);

#endif
