#ifndef TERMINAL_TERMINFO_H
#define TERMINAL_TERMINFO_H

/* From now on ncurses writes a character as often as it stands there.  Many terminals go by the name of one
 * that repeats characters when told how often (ECMA-48's REP), and show it once. */
void terminfo_forget_repetition(void);

#endif
