/* One input through redaction: texts keep their length, words that differ get pseudonyms that differ. */
#include "fuzz_common.h"

#include "record/redact_contents.h"

static void check_texts(const struct redact_words *words) {
    for (uint32_t i = 0; i < words->text_list.count; i++) {
        const struct redact_text *text = &words->text_list.data[i];
        uint64_t length = 0;
        for (uint32_t j = 0; j < text->count; j++)
            length += words->pieces.data[text->first + j].length;
        FUZZ_HOLDS(length == text->length);
    }
}

static void check_words(const struct redact_words *words) {
    struct string_pool seen;
    if (string_pool_create(&seen))
        abort();
    uint32_t count = 0;
    for (uint32_t i = 0; i < words->word_list.count; i++) {
        const struct redact_word *word = &words->word_list.data[i];
        const struct redact_word *end = word->end == NO_WORD ? NULL : &words->word_list.data[word->end];
        uint32_t id;
        if (word->class != CLASS_NAME)
            continue;
        FUZZ_HOLDS(!string_pool_intern(&seen, word->pseudonym, word->length, &id));
        FUZZ_HOLDS(seen.strings.count == ++count + 1);
        FUZZ_HOLDS(!end ||
                   !memcmp(word->pseudonym + word->length - end->length, end->pseudonym, end->length));
    }
    string_pool_destroy(&seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct redact_words words;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy || redact_words_create(&words, true, true))
        abort();
    if (size)
        memcpy(copy, data, size);
    struct jitscope_error *error = redact_keep_content(&words, (struct bytes){data, size}, size % 4 == 3);
    if (!error)
        error = redact_content(&words, copy, size);
    if (!error)
        error = redact_settle(&words);
    if (!error) {
        redact_apply(&words);
        check_texts(&words);
        check_words(&words);
    }
    fuzz_expect_message(error);
    redact_words_destroy(&words);
    free(copy);
    return 0;
}
