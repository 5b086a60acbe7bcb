/* All parts in one unit: quicker to compile for each of many flags. */
#define _GNU_SOURCE
#include "main.c"

#include "attributes.c"
#include "contexts.c"
#include "jumps.c"
#include "numbers.c"
#include "threads.c"
