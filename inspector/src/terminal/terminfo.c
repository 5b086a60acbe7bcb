/* The one file that includes <term.h>, whose macros take the names "columns" and "lines" from everybody. */
#include "terminal/terminfo.h"

#include <curses.h>
#include <term.h>

void terminfo_forget_repetition(void) {
    repeat_char = NULL;
}
