/* screens: the table of what can be looked at. */
#ifndef SCREENS_SCREENS_H
#define SCREENS_SCREENS_H

#include "screens/sheet.h"

enum screen_id {
#define SCREEN(NAME, name, key, kind, view, ENTER, header, meaning) SCREEN_##NAME,
#include "screens/screens.def"
#undef SCREEN
    SCREEN_COUNT
};

/* Where Enter leads. */
enum enter {
    ENTER_NOTHING,
    ENTER_BATCH,     /* to the row's batch */
    ENTER_MAP,       /* closer: to the row's region, or the blocks in it */
    ENTER_BLOCKS,    /* to the blocks of the row's place */
    ENTER_MEMORY,    /* to the code or bytes at the row's address */
    ENTER_FRAME,     /* to the rows of the row's record */
    ENTER_ARGUMENTS, /* to those of the row's action */
    ENTER_TARGET,    /* to where the row's instruction leads */
    ENTER_WHY,       /* to what led to the row's address */
    ENTER_MOMENT     /* to the state after the row's event */
};

struct screen {
    const char *name;
    const char *key;
    const struct sheet_kind *kind;
    const char *view;
    enum enter enter;
    uint8_t header;      /* lines above the headings */
    bool needs_question; /* shows nothing without one */
    const char *meaning;
};

extern const struct screen screens[SCREEN_COUNT];
/* The screen of that name, or of what `jitscope show` calls so; SCREEN_COUNT when there is none. */
uint32_t screen_find(const char *name, size_t length);

#endif
