/* What of a text is a word, by kind of text.
 *
 * Names keep their form: parts behind dots that compilers add (foo.cold, foo.constprop.0), versions behind @,
 * the frame of a mangled C++ name (Itanium C++ ABI section 5.1: identifiers are preceded by their length,
 * which pseudonyms keep).  Of a path the separators, endings that tell what a file is, and `lib` in front of
 * a library stay. */
#define _GNU_SOURCE
#include "record/redact_words.h"

#include <ctype.h>
#include <string.h>

static bool is_identifier(char c) {
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool begins(const char *bytes, size_t length, const char *prefix) {
    size_t size = strlen(prefix);
    return length >= size && !memcmp(bytes, prefix, size);
}

static bool is_one_of(const char *bytes, size_t length, const char *list) {
    for (const char *at = list; *at;) {
        size_t size = strcspn(at, " ");
        if (size == length && !memcmp(at, bytes, size))
            return true;
        at += size + (at[size] == ' ');
    }
    return false;
}

static bool is_number(const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (!isdigit((unsigned char)bytes[i]))
            return false;
    return true;
}

/* --- paths */

static const char source_endings[] =
    "c cc cpp cxx c++ C h hh hpp hxx inc ipp def s S asm i ii m mm rs d go f f90 ada adb zig";

/* "lib", the name, ".so.6": what is neither stays. */
static struct jitscope_error *split_component(struct redact_words *words, const char *bytes, size_t length) {
    size_t begin = length > 3 && begins(bytes, length, "lib") ? 3 : 0, end = length;
    if (redact_kept(words, CLASS_PATH, bytes, length) != NOT_LEFT)
        return redact_add_word(words, CLASS_PATH, bytes, length);
    for (size_t i = begin + 1; i + 3 <= length && end == length; i++)
        if (!memcmp(bytes + i, ".so", 3) && (i + 3 == length || bytes[i + 3] == '.'))
            end = i;
    for (size_t i = length; end == length && i > begin + 1 && length - i < 5; i--)
        if (bytes[i - 1] == '.')
            end = i - 1;
    TRY(redact_add_fixed(words, begin));
    TRY(redact_add_word(words, CLASS_PATH, bytes + begin, end - begin));
    return redact_add_fixed(words, length - end);
}

bool redact_is_system_path(const char *bytes, size_t length) {
    static const char *const folders[] = {"/usr/", "/lib/", "/lib64/", "/lib32/"};
    bool system = false;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        system |= begins(bytes, length, folders[i]) ||
                  (length + 1 == strlen(folders[i]) && !memcmp(bytes, folders[i], length));
    for (size_t i = 0; i + 3 <= length && system; i++)
        system = memcmp(bytes + i, "/..", 3) != 0;
    return system && !begins(bytes, length, "/usr/local/") && !begins(bytes, length, "/usr/src/");
}

static struct jitscope_error *split_components(struct redact_words *words, const char *bytes, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t size = 0;
        while (at + size < length && bytes[at + size] != '/')
            size++;
        if (is_one_of(bytes + at, size, ". .."))
            TRY(redact_add_fixed(words, size));
        else if (size)
            TRY(split_component(words, bytes + at, size));
        at += size;
        TRY(redact_add_fixed(words, at < length));
        at += at < length;
    }
    return NULL;
}

static struct jitscope_error *split_path(struct redact_words *words, const char *bytes, size_t length) {
    if (!redact_is_system_path(bytes, length))
        return split_components(words, bytes, length);
    words->left[LEFT_SYSTEM_PATHS] += words->replaces[CLASS_PATH];
    return redact_add_fixed(words, length);
}

/* Somebody looked for a name of his own in the system's folders. */
static struct jitscope_error *split_missing(struct redact_words *words, const char *bytes, size_t length) {
    const char *slash = memrchr(bytes, '/', length);
    size_t folder = slash && redact_is_system_path(bytes, length) ? (size_t)(slash - bytes) + 1 : 0;
    TRY(redact_add_fixed(words, folder));
    return split_components(words, bytes + folder, length - folder);
}

static bool is_source(const char *bytes, size_t length) {
    for (size_t i = length; i > 1 && length - i < 4; i--)
        if (bytes[i - 1] == '.')
            return is_one_of(bytes + i, length - i, source_endings);
    return false;
}

static bool is_path(const char *bytes, size_t length) {
    if (begins(bytes, length, "operator"))
        return false;
    return (memchr(bytes, '/', length) && !memchr(bytes, ' ', length)) || is_source(bytes, length);
}

static struct jitscope_error *split_library(struct redact_words *words, const char *bytes, size_t length) {
    if (length && bytes[0] == ':') {
        TRY(redact_add_fixed(words, 1));
        return split_component(words, bytes + 1, length - 1);
    }
    return redact_add_word(words, CLASS_PATH, bytes, length);
}

/* --- names */

static const char dotted_parts[] =
    "cold part isra constprop lto_priv llvm clone localalias str tmp plt resolver ifunc default arch";
static const char reserved_names[] = "main _start _init _fini _DYNAMIC _GLOBAL_OFFSET_TABLE_ "
                                     "_PROCEDURE_LINKAGE_TABLE_ etext _etext edata _edata end _end";

static struct jitscope_error *add_name(struct redact_words *words, const char *bytes, size_t length) {
    if (begins(bytes, length, "__") || is_one_of(bytes, length, reserved_names))
        TRY(redact_keep(words, CLASS_NAME, bytes, length, LEFT_RESERVED));
    return redact_add_word(words, CLASS_NAME, bytes, length);
}

static size_t skip_digits(const char *at, size_t size, size_t left) {
    while (size < left && isdigit((unsigned char)at[size]))
        size++;
    return size;
}

/* S_, S0_, ... stand for what came before; St, Sa and others for names of the standard library. */
static size_t skip_substitution(const char *at, size_t left) {
    size_t size = 1;
    while (size < left && (isdigit((unsigned char)at[size]) || isupper((unsigned char)at[size])))
        size++;
    return size < left && at[size] == '_' ? size + 1 : 2;
}

/* Offsets of thunks (Th16_, Tv0_n24_), template parameters (T_, T0_), special names (TV, TI, TS ...). */
static size_t skip_special(const char *at, size_t left) {
    if (left < 2 || isdigit((unsigned char)at[1]) || at[1] == '_')
        return skip_digits(at, 1, left);
    return at[1] == 'h' || at[1] == 'v' ? skip_digits(at, left > 2 && at[2] == 'n' ? 3 : 2, left) : 2;
}

/* What stands in a mangled name and may hold digits that are no length; how much there is of it. */
static size_t skip_numbers(const char *at, size_t left) {
    bool lower = left > 1 && islower((unsigned char)at[1]);
    switch (at[0]) {
    case 'A': /* bound of an array */
    case '_': /* discriminator, or the second offset of a thunk */
        return skip_digits(at, left > 1 && at[1] == 'n' ? 2 : 1, left);
    case 'C': /* C1, D2: constructors and destructors */
        return left > 1 && isdigit((unsigned char)at[1]) ? 2 : 1;
    case 'D': /* Dv4_: vector */
        return left < 2       ? 1
               : at[1] == 'v' ? skip_digits(at, 2, left)
                              : 1 + (isdigit((unsigned char)at[1]) != 0);
    case 'S':
        return skip_substitution(at, left);
    case 'T':
        return skip_special(at, left);
    case 'L': /* literal of a basic type */
        return lower ? skip_digits(at, left > 2 && at[2] == 'n' ? 3 : 2, left) : 1;
    default:
        return 1;
    }
}

static struct jitscope_error *split_mangled(struct redact_words *words, const char *bytes, size_t length) {
    size_t done = 0, at = 2;
    while (at < length) {
        size_t digits = 0, size = 0;
        while (at + digits < length && isdigit((unsigned char)bytes[at + digits]) && size < length)
            size = size * 10 + (size_t)(bytes[at + digits++] - '0');
        if (!digits || !size || size > length - at - digits || isdigit((unsigned char)bytes[at + digits])) {
            at += digits ? digits : skip_numbers(bytes + at, length - at);
            continue;
        }
        bool standard = at >= 2 && !memcmp(bytes + at - 2, "St", 2);
        at += digits;
        if (!standard && !begins(bytes + at, size, "_GLOBAL__N_")) {
            TRY(redact_add_fixed(words, at - done));
            TRY(add_name(words, bytes + at, size));
            done = at + size;
        }
        at += size;
    }
    return redact_add_fixed(words, length - done);
}

static struct jitscope_error *split_token(struct redact_words *words, const char *bytes, size_t length) {
    if (redact_kept(words, CLASS_NAME, bytes, length) != NOT_LEFT || is_number(bytes, length))
        return is_number(bytes, length) ? redact_add_fixed(words, length)
                                        : redact_add_word(words, CLASS_NAME, bytes, length);
    if (begins(bytes, length, "_Z") && words->replaces[CLASS_NAME])
        return split_mangled(words, bytes, length);
    return add_name(words, bytes, length);
}

/* Identifiers among other characters; IS_FIXED tells which of them stay. */
static struct jitscope_error *split_identifiers(struct redact_words *words, const char *bytes, size_t length,
                                                const char *fixed, size_t fixed_from) {
    for (size_t at = 0; at < length;) {
        size_t size = 0;
        while (at + size < length && is_identifier(bytes[at + size]))
            size++;
        if (!size || (at >= fixed_from && is_one_of(bytes + at, size, fixed)))
            TRY(redact_add_fixed(words, size ? size : 1));
        else
            TRY(split_token(words, bytes + at, size));
        at += size ? size : 1;
    }
    return NULL;
}

/* .LC0, .L.str.4, .Lanything: the reader of objects leaves such symbols out, and what compilers number has no
 * name. */
static struct jitscope_error *split_label(struct redact_words *words, const char *bytes, size_t length) {
    size_t size = 2;
    while (size < length && (isupper((unsigned char)bytes[size]) || isdigit((unsigned char)bytes[size])))
        size++;
    if (size < length)
        size = 2;
    TRY(redact_add_fixed(words, size));
    return split_identifiers(words, bytes + size, length - size, dotted_parts, 0);
}

/* Its parts, behind what compilers put in front of names. */
static struct jitscope_error *split_symbol(struct redact_words *words, const char *bytes, size_t length) {
    static const char initialiser[] = "_GLOBAL__sub_I_";
    size_t size = sizeof initialiser - 1;
    if (redact_kept(words, CLASS_NAME, bytes, length) != NOT_LEFT)
        return redact_add_word(words, CLASS_NAME, bytes, length);
    if (begins(bytes, length, "__start_") || begins(bytes, length, "__stop_"))
        return add_name(words, bytes, length);
    if (begins(bytes, length, initialiser) || begins(bytes, length, "_GLOBAL__sub_D_")) {
        TRY(redact_add_fixed(words, size));
        return is_source(bytes + size, length - size) ? split_path(words, bytes + size, length - size)
                                                      : split_symbol(words, bytes + size, length - size);
    }
    if (begins(bytes, length, ".L"))
        return split_label(words, bytes, length);
    if (begins(bytes, length, "DW.ref.")) {
        TRY(redact_add_fixed(words, 7));
        return split_symbol(words, bytes + 7, length - 7);
    }
    const char *version = memchr(bytes, '@', length);
    size = version ? (size_t)(version - bytes) : length;
    TRY(split_identifiers(words, bytes, size, dotted_parts, 1));
    return redact_add_fixed(words, length - size);
}

/* .text.foo: what stands behind a dot and is a symbol's name.  Symbols come first. */
static struct jitscope_error *split_section(struct redact_words *words, const char *bytes, size_t length) {
    static const char standard[] =
        "startup unlikely hot exit local ro rel main text data bss rodata str comment";
    for (size_t i = 1; i < length; i++) {
        size_t left = length - i - 1;
        if (bytes[i] != '.' || is_one_of(bytes + i + 1, left, standard) ||
            redact_find_text(words, KIND_SYMBOL, bytes + i + 1, left) == NO_WORD)
            continue;
        TRY(redact_add_fixed(words, i + 1));
        return split_symbol(words, bytes + i + 1, left);
    }
    words->left[LEFT_SECTIONS] += words->replaces[CLASS_NAME] && length && is_identifier(bytes[0]);
    return redact_add_fixed(words, length);
}

/* --- debug information and messages */

static const char keywords[] = "alignas auto bool char char8_t char16_t char32_t class const const_cast "
                               "decltype default delete double dynamic_cast "
                               "enum explicit export extern false float friend int inline long mutable "
                               "namespace new noexcept nullptr operator "
                               "private protected public register restrict return short signed sizeof static "
                               "static_cast struct template this "
                               "throw true typedef typename union unsigned using virtual void volatile "
                               "wchar_t lambda anonymous std size_t "
                               "ptrdiff_t int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t "
                               "uintptr_t intptr_t _Bool _Complex";

static bool is_producer(const char *bytes, size_t length) {
    return begins(bytes, length, "GNU ") || begins(bytes, length, "rustc ") ||
           (length > 14 && memmem(bytes, length, "clang version ", 14) != NULL);
}

/* What a message may quote; a full stop behind it is not part of it. */
static bool is_quotable(char c) {
    return is_identifier(c) || (c && strchr("./+$@~-", c));
}

static struct jitscope_error *split_quotation(struct redact_words *words, const char *bytes, size_t length) {
    if (redact_find_text(words, KIND_MISSING, bytes, length) != NO_WORD)
        return split_missing(words, bytes, length);
    if (memchr(bytes, '/', length) || redact_find_text(words, KIND_PATH, bytes, length) != NO_WORD)
        return split_path(words, bytes, length);
    if (redact_find_text(words, KIND_SYMBOL, bytes, length) != NO_WORD)
        return split_symbol(words, bytes, length);
    return redact_add_fixed(words, length);
}

static struct jitscope_error *split_message(struct redact_words *words, const char *bytes, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t size = 0;
        while (at + size < length && is_quotable(bytes[at + size]))
            size++;
        while (size && strchr(".-", bytes[at + size - 1]))
            size--;
        if (size)
            TRY(split_quotation(words, bytes + at, size));
        else
            TRY(redact_add_fixed(words, 1));
        at += size ? size : 1;
    }
    return NULL;
}

static struct jitscope_error *split_debug(struct redact_words *words, const char *bytes, size_t length) {
    if (is_producer(bytes, length))
        return split_message(words, bytes, length);
    if (is_path(bytes, length))
        return split_path(words, bytes, length);
    return split_identifiers(words, bytes, length, keywords, 0);
}

struct jitscope_error *redact_split(struct redact_words *words, enum redact_kind kind, const char *bytes,
                                    size_t length) {
    switch (kind) {
    case KIND_PATH:
        return split_path(words, bytes, length);
    case KIND_MISSING:
        return split_missing(words, bytes, length);
    case KIND_LIBRARY:
        return split_library(words, bytes, length);
    case KIND_SYMBOL:
        return split_symbol(words, bytes, length);
    case KIND_SECTION:
        return split_section(words, bytes, length);
    case KIND_DEBUG:
        return split_debug(words, bytes, length);
    default:
        return split_message(words, bytes, length);
    }
}
