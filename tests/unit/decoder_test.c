/* What terminals send, whole, torn at every byte, and hostile, as events. */
#include "keys/keys.h"
#include "terminal/decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000000000 };

/* --- fixtures --- */

static void feed(struct decoder *decoder, const char *bytes, size_t length) {
    size_t room;
    unsigned char *at = decoder_room(decoder, &room);
    assert_true(length <= room);
    memcpy(at, bytes, length);
    decoder_received(decoder, length);
}

static void print_event(struct text *out, const struct terminal_event *event) {
    static const char *const buttons[] = {"left", "middle", "right", "up", "down", "double"};
    if (event->kind == TERMINAL_MOUSE) {
        text_print(out, "%s@%u,%u ", buttons[event->button], event->row, event->column);
        return;
    }
    text_append(out, event->kind == TERMINAL_PASTE ? "paste:" : "");
    key_print(out, event->key);
    text_append(out, " ");
}

static void drain(struct decoder *decoder, bool silent, uint64_t now, struct text *out) {
    struct terminal_event event;
    while (decoder_next(decoder, silent, now, &event))
        print_event(out, &event);
}

/* BYTES, in pieces of STEP, then silence. */
static void expect_pieces(const struct decoder *from, const char *bytes, size_t length, size_t step,
                          const char *events) {
    struct decoder decoder = *from;
    struct text out = {0};
    text_append(&out, "");
    for (size_t i = 0; i < length; i += step) {
        feed(&decoder, bytes + i, length - i < step ? length - i : step);
        drain(&decoder, false, 5, &out);
    }
    drain(&decoder, true, 5, &out);
    assert_string_equal(out.data, events);
    assert_false(decoder_is_waiting(&decoder));
    text_destroy(&out);
}

static void expect_from(const struct decoder *from, const char *bytes, size_t length, const char *events) {
    for (size_t step = 1; step <= length; step++)
        expect_pieces(from, bytes, length, step, events);
}

static void expect(const char *bytes, const char *events) {
    struct decoder decoder = {0};
    expect_from(&decoder, bytes, strlen(bytes), events);
}

/* --- tests --- */

static void keys_come_torn_or_whole(void **state) {
    (void)state;
    expect("x\r\t \177\004", "x Enter Tab Space Backspace ^D ");
    expect("\303\251\346\274\242\360\237\230\200", "é 漢 😀 ");
    expect("\033[A\033[B\033[C\033[D\033[H\033[F", "Up Down Right Left Home End ");
    expect("\033OA\033OB\033OC\033OD\033OH\033OF\033OM", "Up Down Right Left Home End Enter ");
    expect("\033[1~\033[2~\033[3~\033[4~\033[5~\033[6~\033[7~\033[8~",
           "Home Ins Del End PgUp PgDn Home End ");
    expect("\033OP\033OQ\033OR\033OS\033[15~\033[17~\033[18~\033[19~\033[20~\033[21~",
           "F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 ");
    expect("\033[[A\033[[B\033[[C\033[[D\033[[E\033[11~\033[14~", "F1 F2 F3 F4 F5 F1 F4 ");
    expect("\033[Z\033[1;5A\033[5;2~", "Shift-Tab Up PgUp ");
}

static void escape_is_known_by_silence(void **state) {
    (void)state;
    expect("\033", "Esc ");
    expect("\033\033", "Esc Esc ");
    expect("\033\033[A", "Esc Up ");
    expect("\033x", "Esc x ");
    expect("\033[", "Esc [ ");
    expect("\033O", "Esc O ");
    expect("\033P", "Esc P ");
    struct decoder decoder = {0};
    struct terminal_event event;
    feed(&decoder, "\033", 1);
    assert_false(decoder_next(&decoder, false, 0, &event));
    assert_true(decoder_is_waiting(&decoder));
    assert_true(decoder_next(&decoder, true, 0, &event));
    assert_true(event.kind == TERMINAL_KEY && event.key == KEY_ESCAPE);
}

/* Bytes of what nobody asked for must not be taken for keys: they would be commands. */
static void what_means_nothing_is_dropped_whole(void **state) {
    (void)state;
    expect("a\033[Ib", "a b ");
    expect("a\033[?64;1;2cb", "a b ");
    expect("a\033[24;80Rb\033[1;2R", "a b F3 ");
    expect("a\033[1;2;3;4;5;6;7;8qb", "a b ");
    expect("a\033[99999999999999999999~b", "a b ");
    expect("a\033[ qb\033[!pc\033[>1;2;3cd", "a b c d ");
    expect("a\033]11;rgb:0000/0000/0000\007b", "a b ");
    expect("a\033]11;rgb:0000/0000/0000\033\\b", "a b ");
    expect("a\033P1$r0m\033\\b\033_x\033\\c\033^y\007d", "a b c d ");
    expect("a\033[12\033[Ab", "a Up b ");
    expect("a\033[1\001b", "a ^A b ");
    expect("a\033Ojb\033[[Zc", "a b c ");
    expect("a\377\300\200\355\240\200b", "a b ");
    expect("a\346\274", "a ");
    expect("a\302\233b", "a b ");
    expect("\033[1;2;3", "");
    struct decoder decoder = {0};
    expect_from(&decoder, "a\0b", 3, "a b ");
}

static void a_sequence_without_end_is_given_up(void **state) {
    (void)state;
    struct decoder decoder = {0};
    struct text out = {0};
    feed(&decoder, "\033]", 2);
    for (int i = 0; i < 1000; i++) {
        size_t room;
        decoder_room(&decoder, &room);
        assert_true(room > 0);
        feed(&decoder, "x", 1);
        drain(&decoder, false, 0, &out);
    }
    assert_true(out.length > 0);
    text_destroy(&out);
}

static void the_mouse_is_decoded(void **state) {
    (void)state;
    expect("\033[<0;5;3M\033[<0;5;3m", "left@2,4 ");
    expect("\033[<1;1;1M\033[<2;300;200M", "middle@0,0 right@199,299 ");
    expect("\033[<64;7;8M\033[<65;7;8M\033[<66;7;8M", "up@7,6 down@7,6 ");
    expect("\033[<4;5;3M\033[<32;5;3M\033[<35;5;3M\033[<80;5;3M", "left@2,4 up@2,4 ");
    expect("\033[<0;0;3M\033[<0;3M\033[<0;70000;3M\033[<3;1;1Mx", "x ");
    expect("\033[M !!\033[M#!!\033[M`%&", "left@0,0 up@5,4 ");
    expect("\033[M\001!!x", "x ");
}

static void two_presses_are_a_double_one(void **state) {
    (void)state;
    static const struct {
        uint64_t pause;
        const char *second, *events;
    } cases[] = {{SECOND / 10, "\033[<0;5;3M", "left@2,4 left@2,4 double@2,4 "},
                 {SECOND, "\033[<0;5;3M", "left@2,4 left@2,4 "},
                 {SECOND / 10, "\033[<0;6;3M", "left@2,4 left@2,5 "},
                 {SECOND / 10, "\033[<1;5;3M", "left@2,4 middle@2,4 "},
                 {SECOND / 10, "\033[<0;5;3M\033[<0;5;3M", "left@2,4 left@2,4 double@2,4 left@2,4 "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct decoder decoder = {0};
        struct text out = {0};
        feed(&decoder, "\033[<0;5;3M", 9);
        drain(&decoder, false, SECOND, &out);
        feed(&decoder, cases[i].second, strlen(cases[i].second));
        drain(&decoder, false, SECOND + cases[i].pause, &out);
        assert_string_equal(out.data, cases[i].events);
        text_destroy(&out);
    }
}

static void pastes_are_no_keys(void **state) {
    (void)state;
    expect("\033[200~q\r\n\004é\033[201~x", "paste:q paste:Space paste:Space paste:Space paste:é x ");
    expect("\033[200~a\033[Ab\033[201~x", "paste:a paste:Space paste:[ paste:A paste:b x ");
    expect("\033[200~\033[201~\033[201~x", "x ");
    expect("\033[200~a\033", "paste:a Esc ");
}

static void terminals_may_have_keys_of_their_own(void **state) {
    (void)state;
    struct decoder decoder = {0};
    decoder_add_key(&decoder, "\010", KEY_RUBOUT);
    decoder_add_key(&decoder, "\033[33~", KEY_NAMED_F5);
    decoder_add_key(&decoder, "\033Q", KEY_NAMED_UP);
    decoder_add_key(&decoder, "\033[A", KEY_NAMED_DOWN);
    decoder_add_key(&decoder, "k", KEY_NAMED_F1);
    decoder_add_key(&decoder, "", KEY_NAMED_F1);
    decoder_add_key(&decoder, "\033", KEY_NAMED_F1);
    decoder_add_key(&decoder, "\033[1234567890123456789~", KEY_NAMED_F1);
    const char bytes[] = "\010\033[33~\033Q\033[A\033[Bk\033";
    expect_from(&decoder, bytes, sizeof bytes - 1, "Backspace F5 Up Down Down k Esc ");
    for (int i = 0; i < 100; i++)
        decoder_add_key(&decoder, "\033[A", KEY_NAMED_DOWN);
    expect_from(&decoder, "\033[A", 3, "Down ");
}

static void any_bytes_make_sound_events(void **state) {
    (void)state;
    static const char likely[] = "\033\033[[<;0125~MmOP]\007\\\377\346\274\242x";
    struct decoder decoder = {0};
    srand(2);
    for (int i = 0; i < 300000; i++) {
        size_t room;
        unsigned char *at = decoder_room(&decoder, &room);
        assert_true(room > 0);
        size_t count = 1 + (size_t)rand() % (room < 9 ? room : 9);
        for (size_t j = 0; j < count; j++)
            at[j] = (unsigned char)(rand() % 4 ? likely[rand() % (int)(sizeof likely - 1)] : rand());
        decoder_received(&decoder, count);
        struct terminal_event event;
        while (decoder_next(&decoder, rand() % 5 == 0, (uint64_t)i, &event)) {
            assert_in_range(event.kind, TERMINAL_KEY, TERMINAL_MOUSE);
            if (event.kind != TERMINAL_MOUSE)
                assert_true(event.key > 0 && event.key <= KEY_NAMED_F10 && event.key != KEY_BASE);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_torn_or_whole),
        cmocka_unit_test(escape_is_known_by_silence),
        cmocka_unit_test(what_means_nothing_is_dropped_whole),
        cmocka_unit_test(a_sequence_without_end_is_given_up),
        cmocka_unit_test(the_mouse_is_decoded),
        cmocka_unit_test(two_presses_are_a_double_one),
        cmocka_unit_test(pastes_are_no_keys),
        cmocka_unit_test(terminals_may_have_keys_of_their_own),
        cmocka_unit_test(any_bytes_make_sound_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
