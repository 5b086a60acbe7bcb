/* The one file that includes <term.h>, whose macros take the names "columns" and "lines" from everybody. */
#include "terminal/terminfo.h"

#include <curses.h>
#include <term.h>

void terminfo_forget_repetition(void) {
    repeat_char = NULL;
}

bool terminfo_knows(const char *name) {
    int result;
    if (setupterm(name, -1, &result) != OK)
        return false;
    del_curterm(cur_term);
    return true;
}
