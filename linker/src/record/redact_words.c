#include "record/redact_words.h"

#include "base/bytes.h"

#include <stdlib.h>

struct jitscope_error *redact_words_create(struct redact_words *words, bool paths, bool names) {
    *words = (struct redact_words){.replaces = {[CLASS_PATH] = paths, [CLASS_NAME] = names}};
    return string_pool_create(&words->pool);
}

void redact_words_destroy(struct redact_words *words) {
    string_pool_destroy(&words->pool);
    arena_destroy(&words->arena);
    map64_destroy(&words->texts);
    map64_destroy(&words->words);
    map64_destroy(&words->kept);
    map64_destroy(&words->used);
    vec_destroy(&words->text_list);
    vec_destroy(&words->word_list);
    vec_destroy(&words->pieces);
    vec_destroy(&words->links);
    vec_destroy(&words->spots);
    vec_destroy(&words->next_number);
}

/* --- keeping and finding */

static uint64_t key_of(uint32_t id, unsigned kind) {
    return (uint64_t)kind << 32 | id;
}

static uint32_t find(const struct redact_words *words, const struct map64 *map, unsigned kind,
                     const char *bytes, size_t length) {
    uint32_t id = string_pool_find(&words->pool, bytes, length);
    return id == NO_NAME ? MAP64_NO_VALUE : map64_find(map, key_of(id, kind));
}

struct jitscope_error *redact_keep(struct redact_words *words, enum redact_class class, const char *bytes,
                                   size_t length, enum redact_left why) {
    uint32_t id;
    TRY(string_pool_intern(&words->pool, bytes, length, &id));
    if (id == NO_NAME || map64_find(&words->kept, key_of(id, class)) != MAP64_NO_VALUE)
        return NULL;
    return map64_set(&words->kept, key_of(id, class), why);
}

enum redact_left redact_kept(const struct redact_words *words, enum redact_class class, const char *bytes,
                             size_t length) {
    uint32_t why = find(words, &words->kept, class, bytes, length);
    return why == MAP64_NO_VALUE ? NOT_LEFT : (enum redact_left)why;
}

uint32_t redact_find_text(const struct redact_words *words, enum redact_kind kind, const char *bytes,
                          size_t length) {
    return find(words, &words->texts, kind, bytes, length);
}

uint32_t redact_find_word(const struct redact_words *words, enum redact_class class, const char *bytes,
                          size_t length) {
    return find(words, &words->words, class, bytes, length);
}

/* --- texts and pieces */

struct jitscope_error *redact_add_fixed(struct redact_words *words, size_t length) {
    return length ? vec_push(&words->pieces, (struct redact_piece){(uint32_t)length, NO_WORD}) : NULL;
}

static struct jitscope_error *new_word(struct redact_words *words, enum redact_class class, uint32_t id,
                                       uint32_t *index) {
    const struct pooled_string *string = &words->pool.strings.data[id];
    enum redact_left why = redact_kept(words, class, string->bytes, string->length);
    *index = words->word_list.count;
    words->left[LEFT_PROVIDED] += why == LEFT_PROVIDED;
    words->left[LEFT_SYSTEM] += why == LEFT_SYSTEM;
    words->left[LEFT_RESERVED] += why == LEFT_RESERVED;
    TRY(map64_set(&words->words, key_of(id, class), *index));
    return vec_push(&words->word_list, (struct redact_word){.bytes = string->bytes,
                                                            .length = string->length,
                                                            .class = (uint8_t) class,
                                                            .left = (uint8_t)why,
                                                            .shorter = NO_WORD,
                                                            .end = NO_WORD});
}

struct jitscope_error *redact_add_word(struct redact_words *words, enum redact_class class, const char *bytes,
                                       size_t length) {
    uint32_t id, word;
    if (!words->replaces[class])
        return redact_add_fixed(words, length);
    TRY(string_pool_intern(&words->pool, bytes, length, &id));
    if (id == NO_NAME)
        return NULL;
    word = map64_find(&words->words, key_of(id, class));
    if (word == MAP64_NO_VALUE)
        TRY(new_word(words, class, id, &word));
    return vec_push(&words->pieces, (struct redact_piece){(uint32_t)length, word});
}

struct jitscope_error *redact_text(struct redact_words *words, enum redact_kind kind, const char *bytes,
                                   size_t length, uint32_t *text) {
    uint32_t id;
    TRY(string_pool_intern(&words->pool, bytes, length, &id));
    *text = map64_find(&words->texts, key_of(id, kind));
    if (*text != MAP64_NO_VALUE)
        return NULL;
    const struct pooled_string string = words->pool.strings.data[id];
    struct redact_text new = {.bytes = string.bytes, .length = string.length, .first = words->pieces.count};
    TRY(redact_split(words, kind, string.bytes, string.length));
    new.count = words->pieces.count - new.first;
    *text = words->text_list.count;
    TRY(map64_set(&words->texts, key_of(id, kind), *text));
    return vec_push(&words->text_list, new);
}

struct jitscope_error *redact_at(struct redact_words *words, uint32_t text, uint8_t *at) {
    return vec_push(&words->spots, (struct redact_spot){at, text});
}

/* --- shared ends */

static void leave(struct redact_words *words, uint32_t word) {
    if (words->word_list.data[word].left != NOT_LEFT)
        return;
    words->word_list.data[word].left = LEFT_SHARED_ENDS;
    words->left[LEFT_SHARED_ENDS]++;
}

/* The same pair may come from many tables: settling sorts that out. */
static struct jitscope_error *link_words(struct redact_words *words, uint32_t longer, uint32_t shorter) {
    struct redact_word *word = &words->word_list.data[longer];
    TRY(vec_push(&words->links, (struct redact_link){shorter, word->shorter}));
    word->shorter = words->links.count - 1;
    return NULL;
}

/* Pieces from the end; what of a piece is already covered is taken off its length. */
struct ending {
    const struct redact_text *text;
    uint32_t left; /* pieces */
    uint32_t length;
    uint32_t word;
    bool whole; /* no byte of this piece is covered yet */
};

static bool next_piece(const struct redact_words *words, struct ending *ending) {
    if (!ending->left)
        return false;
    const struct redact_piece *piece = &words->pieces.data[ending->text->first + --ending->left];
    *ending = (struct ending){ending->text, ending->left, piece->length, piece->word, true};
    return true;
}

static void cover(struct ending *ending, uint32_t length) {
    ending->length -= length;
    ending->whole = false;
}

/* Two pieces with the same end that are no pair of a word and its own end: both stay. */
static void leave_both(struct redact_words *words, const struct ending *a, const struct ending *b) {
    if (a->word != NO_WORD)
        leave(words, a->word);
    if (b->word != NO_WORD)
        leave(words, b->word);
}

static struct jitscope_error *share_piece(struct redact_words *words, struct ending *longer,
                                          struct ending *shorter) {
    uint32_t length = longer->length < shorter->length ? longer->length : shorter->length;
    bool words_both = longer->word != NO_WORD && shorter->word != NO_WORD && longer->whole && shorter->whole;
    if (words_both && longer->word == shorter->word) {
        /* the same word in both */
    } else if (words_both && shorter->length < longer->length && !shorter->left) {
        TRY(link_words(words, longer->word, shorter->word));
    } else if (longer->word != NO_WORD || shorter->word != NO_WORD) {
        leave_both(words, longer, shorter);
    }
    cover(longer, length);
    cover(shorter, length);
    return NULL;
}

struct jitscope_error *redact_share(struct redact_words *words, uint32_t longer, uint32_t shorter) {
    struct ending a = {.text = &words->text_list.data[longer], .left = words->text_list.data[longer].count};
    struct ending b = {.text = &words->text_list.data[shorter], .left = words->text_list.data[shorter].count};
    while ((b.length || next_piece(words, &b)) && (a.length || next_piece(words, &a)))
        TRY(share_piece(words, &a, &b));
    return NULL;
}

/* --- pseudonyms */

/* Letters first, so that they are identifiers everywhere.  Paths begin with p and names with n, as long as
 * there is room. */
static const char first_letters[] = "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM_";
static const char other_letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
enum { FIRST_LETTERS = sizeof first_letters - 1, OTHER_LETTERS = sizeof other_letters - 1 };

/* Number NUMBER among the pseudonyms of LENGTH bytes; false when there are not so many. */
static bool spell(char *out, uint32_t length, uint64_t number, enum redact_class class) {
    for (uint32_t i = length; i-- > 1;) {
        out[i] = other_letters[number % OTHER_LETTERS];
        number /= OTHER_LETTERS;
    }
    if (number >= FIRST_LETTERS)
        return false;
    out[0] = first_letters[(number + (class == CLASS_PATH ? 2 : 0)) % FIRST_LETTERS];
    return true;
}

/* A pseudonym is new when nothing else of its class is called so.  Of one or two letters there are few: what
 * another word gives up will do. */
static bool is_free(const struct redact_words *words, const struct redact_word *word, uint64_t key) {
    uint32_t original = map64_find(&words->words, key);
    bool given_up = original == MAP64_NO_VALUE ||
                    (word->length <= 2 && words->word_list.data[original].left == NOT_LEFT &&
                     words->word_list.data[original].bytes != word->bytes);
    return given_up && map64_find(&words->used, key) == MAP64_NO_VALUE &&
           map64_find(&words->kept, key) == MAP64_NO_VALUE;
}

static struct jitscope_error *take(struct redact_words *words, const struct redact_word *word,
                                   const char *bytes, bool *taken) {
    uint32_t id;
    TRY(string_pool_intern(&words->pool, bytes, word->length, &id));
    uint64_t key = key_of(id, word->class);
    *taken = is_free(words, word, key);
    return *taken ? map64_set(&words->used, key, 0) : NULL;
}

/* There are no more: the word stays, unless another one is called so by now. */
static struct jitscope_error *give_up(struct redact_words *words, struct redact_word *word) {
    if (word->end == NO_WORD &&
        find(words, &words->used, word->class, word->bytes, word->length) == MAP64_NO_VALUE) {
        word->left = LEFT_TOO_MANY;
        words->left[LEFT_TOO_MANY]++;
        word->pseudonym = word->bytes;
        return NULL;
    }
    return error_with_help(error_create(JITSCOPE_ERROR_RECORDING,
                                        "cannot redact: there are not enough names of %u characters",
                                        word->length),
                           "redact paths alone, or nothing");
}

static struct jitscope_error *invent(struct redact_words *words, struct redact_word *word) {
    const struct redact_word *end = word->end == NO_WORD ? NULL : &words->word_list.data[word->end];
    uint32_t own = word->length - (end ? end->length : 0), first = 0;
    uint32_t *number = end ? &first : &words->next_number.data[own];
    char *out = arena_copy(&words->arena, word->bytes, word->length);
    if (!out)
        return error_no_memory();
    if (end)
        memcpy(out + own, end->pseudonym, end->length);
    for (bool taken = false; !taken;) {
        if (!spell(out, own, (*number)++, word->class))
            return give_up(words, word);
        TRY(take(words, word, out, &taken));
    }
    word->pseudonym = out;
    return NULL;
}

struct by_length {
    uint32_t length, word;
};

static int longest_first(const void *a, const void *b) {
    const struct by_length *x = a, *y = b;
    if (x->length != y->length)
        return x->length > y->length ? -1 : 1;
    return x->word < y->word ? -1 : x->word > y->word;
}

typedef VEC(struct by_length) word_order;

static struct jitscope_error *gather_shorter(struct redact_words *words, const struct redact_word *word,
                                             word_order *shorter) {
    shorter->count = 0;
    for (uint32_t at = word->shorter; at != NO_WORD; at = words->links.data[at].next) {
        uint32_t other = words->links.data[at].shorter;
        TRY(vec_push(shorter, (struct by_length){words->word_list.data[other].length, other}));
    }
    if (shorter->count)
        qsort(shorter->data, shorter->count, sizeof *shorter->data, longest_first);
    return NULL;
}

/* What shares this word's end is, each, the end of the next longer one.  All links of a word are there once
 * all longer words are done. */
static struct jitscope_error *settle_ends(struct redact_words *words, uint32_t index, word_order *shorter) {
    struct redact_word *word = &words->word_list.data[index];
    TRY(gather_shorter(words, word, shorter));
    for (uint32_t i = 0; i < shorter->count; i++) {
        uint32_t other = shorter->data[i].word;
        if (i && shorter->data[i - 1].word == other)
            continue;
        if (word->left != NOT_LEFT)
            leave(words, other);
        if (i)
            TRY(link_words(words, shorter->data[i - 1].word, other));
        else
            word->end = other;
    }
    return NULL;
}

/* From the last of a range of equal length on, in ORDER. */
static uint32_t begin_of_length(const struct by_length *order, uint32_t end) {
    uint32_t begin = end;
    while (begin && order[begin - 1].length == order[end - 1].length)
        begin--;
    return begin;
}

static struct jitscope_error *settle_all_ends(struct redact_words *words, const struct by_length *order,
                                              uint32_t count) {
    word_order shorter = {0};
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < count && !error; i++)
        error = settle_ends(words, order[i].word, &shorter);
    vec_destroy(&shorter);
    return error;
}

static struct jitscope_error *settle(struct redact_words *words, struct by_length *order, uint32_t count) {
    uint64_t longest = count ? order[0].length : 0;
    TRY(vec_reserve(&words->next_number, longest + 1));
    memset(words->next_number.data, 0, (longest + 1) * sizeof *words->next_number.data);
    TRY(settle_all_ends(words, order, count));
    for (uint32_t end = count, begin; end; end = begin) { /* the shortest first, and those in order */
        begin = begin_of_length(order, end);
        for (uint32_t i = begin; i < end; i++) {
            struct redact_word *word = &words->word_list.data[order[i].word];
            word->pseudonym = word->bytes;
            if (word->left == NOT_LEFT)
                TRY(invent(words, word));
        }
    }
    return NULL;
}

struct jitscope_error *redact_settle(struct redact_words *words) {
    word_order order = {0};
    uint32_t count = words->word_list.count;
    struct jitscope_error *error = vec_reserve(&order, count);
    for (uint32_t i = 0; i < count && !error; i++)
        vec_put(&order, (struct by_length){words->word_list.data[i].length, i});
    if (!error && count)
        qsort(order.data, count, sizeof *order.data, longest_first);
    if (!error)
        error = settle(words, order.data, count);
    vec_destroy(&order);
    return error;
}

/* --- replacing */

void redact_render(const struct redact_words *words, uint32_t index, uint8_t *out) {
    const struct redact_text *text = &words->text_list.data[index];
    memcpy(out, text->bytes, text->length);
    for (uint32_t i = 0; i < text->count; i++) {
        const struct redact_piece *piece = &words->pieces.data[text->first + i];
        if (piece->word != NO_WORD)
            memcpy(out, words->word_list.data[piece->word].pseudonym, piece->length);
        out += piece->length;
    }
}

void redact_apply(const struct redact_words *words) {
    for (uint32_t i = 0; i < words->spots.count; i++)
        redact_render(words, words->spots.data[i].text, words->spots.data[i].at);
}
