#include "terminal/decoder.h"

#include <string.h>

enum { DOUBLE_NS = 400000000, ESCAPE = 27, DELETE = 127, BELL = 7 };

/* What the bytes at the beginning are. */
enum outcome {
    MORE,    /* nothing yet: bytes are missing */
    DROPPED, /* nothing */
    EVENT
};

/* --- bytes --- */

void decoder_add_key(struct decoder *decoder, const char *sequence, uint32_t key) {
    size_t length = strlen(sequence);
    unsigned char first = (unsigned char)sequence[0];
    bool control = first == ESCAPE ? length > 1 : length == 1 && (first == 8 || first == DELETE);
    if (!control || length > DECODER_OWN_LENGTH || decoder->own_count == DECODER_OWN_KEYS)
        return;
    memcpy(decoder->own[decoder->own_count].bytes, sequence, length);
    decoder->own[decoder->own_count].length = (uint8_t)length;
    decoder->own[decoder->own_count++].key = key;
}

unsigned char *decoder_room(struct decoder *decoder, size_t *room) {
    *room = DECODER_BYTES - decoder->count;
    return decoder->bytes + decoder->count;
}

void decoder_received(struct decoder *decoder, size_t count) {
    decoder->count += count;
}

bool decoder_is_waiting(const struct decoder *decoder) {
    return decoder->count > 0;
}

static void drop(struct decoder *decoder, size_t count) {
    decoder->count -= count;
    memmove(decoder->bytes, decoder->bytes + count, decoder->count);
}

static enum outcome key_event(struct terminal_event *event, uint32_t key) {
    *event = (struct terminal_event){.kind = TERMINAL_KEY, .key = key};
    return EVENT;
}

/* --- control sequences --- */

struct sequence {
    size_t length;             /* all bytes of it */
    unsigned char lead, final; /* '[' or 'O' */
    unsigned char mark;        /* '<', '?' ... in front of the numbers, or 0 */
    bool plain;                /* no intermediate bytes */
    uint32_t numbers[4];
    size_t number_count;
};

static void read_number(struct sequence *sequence, unsigned char byte) {
    if (!sequence->number_count)
        sequence->number_count = 1;
    if (byte == ';') {
        sequence->number_count += sequence->number_count < 4;
        return;
    }
    uint32_t *number = &sequence->numbers[sequence->number_count - 1];
    if (byte >= '0' && byte <= '9' && *number < 100000)
        *number = *number * 10 + (uint32_t)(byte - '0');
}

/* ESC [ parameters intermediates final.  Where a byte cannot belong to it, it ends before. */
static enum outcome read_sequence(const struct decoder *decoder, struct sequence *sequence) {
    *sequence = (struct sequence){.length = 2, .lead = '[', .plain = true};
    for (; sequence->length < decoder->count; sequence->length++) {
        unsigned char byte = decoder->bytes[sequence->length];
        if (byte >= 0x40 && byte < DELETE) {
            sequence->final = byte;
            sequence->length++;
            return EVENT;
        }
        if (byte < 0x20 || byte >= DELETE)
            return DROPPED;
        if (byte < 0x30)
            sequence->plain = false;
        else if (byte >= 0x3c && sequence->length == 2)
            sequence->mark = byte;
        else
            read_number(sequence, byte);
    }
    return MORE;
}

static uint32_t sequence_key(const struct sequence *sequence) {
    if (sequence->mark || !sequence->plain)
        return 0;
    if (sequence->final == '~') {
        switch (sequence->numbers[0]) {
#define KEY_FINAL(byte, key)
#define KEY_TERMINFO(capability, key)
#define KEY_NUMBER(number, key)                                                                              \
    case number:                                                                                             \
        return key;
#include "terminal/input_keys.def"
#undef KEY_FINAL
#undef KEY_NUMBER
        default:
            return 0;
        }
    }
    if (sequence->numbers[0] > 1) /* where the cursor is, for one: ESC [ row ; column R */
        return 0;
    switch (sequence->final) {
#define KEY_NUMBER(number, key)
#define KEY_FINAL(byte, key)                                                                                 \
    case byte:                                                                                               \
        return key;
#include "terminal/input_keys.def"
#undef KEY_FINAL
#undef KEY_NUMBER
#undef KEY_TERMINFO
    default:
        return 0;
    }
}

/* --- the mouse --- */

static bool is_second_press(struct decoder *decoder, const struct terminal_event *event, uint64_t now) {
    bool second = decoder->pressed_at && now - decoder->pressed_at < DOUBLE_NS &&
                  event->row == decoder->pressed_row && event->column == decoder->pressed_column;
    decoder->pressed_at = second ? 0 : now;
    decoder->pressed_row = event->row;
    decoder->pressed_column = event->column;
    return second;
}

/* CODE as xterm counts buttons: 0 to 2, 64 and 65 the wheel; 4, 8, 16 are modifiers, 32 is motion. */
static enum outcome mouse_event(struct decoder *decoder, uint32_t code, uint32_t column, uint32_t row,
                                uint64_t now, struct terminal_event *event) {
    static const enum terminal_button buttons[] = {BUTTON_LEFT, BUTTON_MIDDLE, BUTTON_RIGHT};
    uint32_t button = code & ~(4u | 8u | 16u);
    bool wheel = button == 64 || button == 65;
    if (!column || !row || column > UINT16_MAX || row > UINT16_MAX || (button > 2 && !wheel))
        return DROPPED;
    *event = (struct terminal_event){.kind = TERMINAL_MOUSE,
                                     .row = (uint16_t)(row - 1),
                                     .column = (uint16_t)(column - 1),
                                     .button = wheel         ? BUTTON_WHEEL_UP + (button - 64)
                                               : button <= 2 ? buttons[button]
                                                             : BUTTON_LEFT};
    if (event->button == BUTTON_LEFT && is_second_press(decoder, event, now)) {
        decoder->second = *event;
        decoder->second.button = BUTTON_DOUBLE;
        decoder->has_second = true;
    }
    return EVENT;
}

/* ESC [ M and three bytes, each with 32 added: terminals that know no better. */
static enum outcome old_mouse(struct decoder *decoder, uint64_t now, struct terminal_event *event,
                              size_t *length) {
    *length = 6;
    if (decoder->count < 6)
        return MORE;
    const unsigned char *bytes = decoder->bytes + 3;
    if (bytes[0] < 32 || bytes[1] < 33 || bytes[2] < 33)
        return DROPPED;
    return mouse_event(decoder, bytes[0] - 32u, bytes[1] - 32u, bytes[2] - 32u, now, event);
}

/* --- what begins with Esc --- */

static enum outcome next_sequence(struct decoder *decoder, uint64_t now, struct terminal_event *event,
                                  size_t *length) {
    struct sequence sequence;
    if (decoder->count > 2 && decoder->bytes[2] == 'M')
        return old_mouse(decoder, now, event, length);
    if (decoder->count > 2 && decoder->bytes[2] == '[') { /* F1 to F5 of the Linux console: ESC [ [ A */
        *length = 4;
        if (decoder->count < 4)
            return MORE;
        unsigned char byte = decoder->bytes[3];
        return byte >= 'A' && byte <= 'E' ? key_event(event, KEY_NAMED_F1 + (uint32_t)(byte - 'A')) : DROPPED;
    }
    enum outcome outcome = read_sequence(decoder, &sequence);
    *length = sequence.length;
    if (outcome != EVENT)
        return outcome;
    if (sequence.mark == '<' && sequence.final == 'M' && sequence.number_count >= 3)
        return mouse_event(decoder, sequence.numbers[0], sequence.numbers[1], sequence.numbers[2], now,
                           event);
    if (!sequence.mark && sequence.final == '~' &&
        (sequence.numbers[0] == 200 || sequence.numbers[0] == 201)) {
        decoder->pasting = sequence.numbers[0] == 200;
        return DROPPED;
    }
    uint32_t key = sequence_key(&sequence);
    return key ? key_event(event, key) : DROPPED;
}

/* ESC O final, as keys come in the keypad's application mode. */
static enum outcome next_shifted(const struct decoder *decoder, struct terminal_event *event,
                                 size_t *length) {
    *length = 3;
    if (decoder->count < 3)
        return MORE;
    struct sequence sequence = {.final = decoder->bytes[2], .plain = true};
    uint32_t key = sequence.final == '~' ? 0 : sequence_key(&sequence);
    return key ? key_event(event, key) : DROPPED;
}

/* ESC P, ], _, ^, X: a string up to BEL or ESC \; answers of a terminal that was asked something. */
static enum outcome next_string(const struct decoder *decoder, size_t *length) {
    for (size_t i = 2; i < decoder->count; i++) {
        *length = i + 1;
        if (decoder->bytes[i] == BELL || (decoder->bytes[i] == '\\' && decoder->bytes[i - 1] == ESCAPE))
            return DROPPED;
    }
    return MORE;
}

/* A sequence that terminfo has; MORE when there may be one. */
static enum outcome own_key(const struct decoder *decoder, struct terminal_event *event, size_t *length) {
    enum outcome outcome = DROPPED;
    for (size_t i = 0; i < decoder->own_count; i++) {
        size_t size = decoder->own[i].length, common = size < decoder->count ? size : decoder->count;
        if (memcmp(decoder->own[i].bytes, decoder->bytes, common) != 0)
            continue;
        *length = size;
        if (common == size)
            return key_event(event, decoder->own[i].key);
        outcome = MORE;
    }
    return outcome;
}

static enum outcome next_escape(struct decoder *decoder, uint64_t now, struct terminal_event *event,
                                size_t *length) {
    *length = 1;
    if (decoder->count == 1)
        return MORE;
    switch (decoder->bytes[1]) {
    case '[':
        return next_sequence(decoder, now, event, length);
    case 'O':
        return next_shifted(decoder, event, length);
    case 'P':
    case ']':
    case '_':
    case '^':
    case 'X':
        return next_string(decoder, length);
    default:
        return key_event(event, KEY_ESCAPE);
    }
}

/* --- characters --- */

static enum outcome next_character(const struct decoder *decoder, struct terminal_event *event,
                                   size_t *length) {
    static const uint8_t lengths[] = {2, 2, 3, 4}; /* by the first byte's bits 4 and 5 */
    unsigned char first = decoder->bytes[0];
    uint32_t character;
    *length = 1;
    if (first < 0x80)
        return first ? key_event(event, first) : DROPPED;
    if (first >= 0xc2 && first < 0xf5 && decoder->count < lengths[first >> 4 & 3])
        return MORE;
    *length = text_utf8_decode(decoder->bytes, decoder->count, &character);
    if (*length)
        return character >= 0xa0 ? key_event(event, character) : DROPPED;
    *length = 1;
    return DROPPED;
}

/* One character of a paste.  Only its own end has a meaning; all other controls are blanks. */
static enum outcome next_pasted(struct decoder *decoder, struct terminal_event *event, size_t *length) {
    static const char end[] = "\033[201~";
    size_t common = decoder->count < sizeof end - 1 ? decoder->count : sizeof end - 1;
    if (memcmp(decoder->bytes, end, common) == 0) {
        *length = common;
        decoder->pasting = common < sizeof end - 1;
        return decoder->pasting ? MORE : DROPPED;
    }
    enum outcome outcome = next_character(decoder, event, length);
    if (outcome == EVENT) {
        event->kind = TERMINAL_PASTE;
        event->key = event->key < 32 || event->key == DELETE ? ' ' : event->key;
    }
    return outcome;
}

/* --- events --- */

static enum outcome next(struct decoder *decoder, bool silent, uint64_t now, struct terminal_event *event,
                         size_t *length) {
    if (decoder->pasting)
        return next_pasted(decoder, event, length);
    enum outcome own = own_key(decoder, event, length);
    if (own == EVENT || (own == MORE && !silent))
        return own;
    return decoder->bytes[0] == ESCAPE ? next_escape(decoder, now, event, length)
                                       : next_character(decoder, event, length);
}

/* What bytes are that nothing follows: the key Esc, or the torn beginning of something.  Esc also ends a
 * paste, should its end be lost. */
static bool give_up(struct decoder *decoder, struct terminal_event *event) {
    bool escape = decoder->bytes[0] == ESCAPE && decoder->count <= 2;
    drop(decoder, escape ? 1 : decoder->count);
    if (escape) {
        decoder->pasting = false;
        key_event(event, KEY_ESCAPE);
    }
    return escape;
}

bool decoder_next(struct decoder *decoder, bool silent, uint64_t now, struct terminal_event *event) {
    if (decoder->has_second) {
        decoder->has_second = false;
        *event = decoder->second;
        return true;
    }
    while (decoder->count) {
        size_t length = 1;
        enum outcome outcome = next(decoder, silent, now, event, &length);
        if (outcome == MORE && !silent && decoder->count < DECODER_BYTES)
            return false;
        if (outcome == MORE) {
            if (give_up(decoder, event))
                return true;
            continue;
        }
        drop(decoder, length);
        if (outcome == EVENT)
            return true;
    }
    return false;
}
