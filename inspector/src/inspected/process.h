/* process: the process that is looked at: whether it lives, and what is in its memory. */
#ifndef INSPECTED_PROCESS_H
#define INSPECTED_PROCESS_H

#include "inspected/inspected.h"

/* Once a frame: notes whether it has ended, and reads the slots that are watched. */
void inspected_look_at_process(struct inspected *inspected);
void inspected_close_process(struct inspected *inspected);

#endif
