/* decoder: makes events of the bytes that a terminal sends.
 *
 * A terminal sends keys that are no characters, the mouse, pastes and answers as control sequences (ECMA-48
 * section 5.4), all beginning with the byte of the key Esc.  What is complete becomes an event; a sequence
 * that means nothing here is dropped as a whole, so that its bytes are never taken for keys.  Only silence
 * tells the key Esc from the beginning of a sequence: the caller says when it was long enough.
 *
 * Knows no terminal: a state machine over bytes. */
#ifndef TERMINAL_DECODER_H
#define TERMINAL_DECODER_H

#include "terminal/terminal.h"

enum { DECODER_BYTES = 256, DECODER_OWN_KEYS = 32, DECODER_OWN_LENGTH = 12 };

struct decoder {
    unsigned char bytes[DECODER_BYTES]; /* not yet events */
    size_t count;
    bool pasting; /* between the brackets of a paste */
    /* Sequences of the terminal at hand. */
    struct {
        unsigned char bytes[DECODER_OWN_LENGTH];
        uint8_t length;
        uint32_t key;
    } own[DECODER_OWN_KEYS];
    size_t own_count;
    /* The last press, to know the second of two. */
    uint64_t pressed_at;
    uint16_t pressed_row, pressed_column;
    struct terminal_event second; /* to be told next */
    bool has_second;
};

/* SEQUENCE means KEY; one that begins with a character, is empty or too long is not taken. */
void decoder_add_key(struct decoder *decoder, const char *sequence, uint32_t key);
/* Room for bytes to be read; then how many came. */
unsigned char *decoder_room(struct decoder *decoder, size_t *room);
void decoder_received(struct decoder *decoder, size_t count);
/* The next event; false when there is none yet.  SILENT: nothing followed in time.  NOW in nanoseconds. */
bool decoder_next(struct decoder *decoder, bool silent, uint64_t now, struct terminal_event *event);
/* Whether bytes wait for what follows. */
bool decoder_is_waiting(const struct decoder *decoder);

#endif
