/* spelling: how far a word is from another, for "did you mean". */
#ifndef BASE_SPELLING_H
#define BASE_SPELLING_H

#include <stddef.h>

/* Words longer than this are near to nothing. */
enum { LONGEST_SPELLING = 40 };

/* Letters to insert, drop or replace to make one from the other (Levenshtein). */
unsigned spelling_distance(const char *left, size_t left_length, const char *right, size_t right_length);
/* The distance up to which a word of LENGTH counts as a misspelling. */
unsigned spelling_tolerance(size_t length);

#endif
