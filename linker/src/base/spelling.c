#include "base/spelling.h"

static unsigned smallest(unsigned a, unsigned b, unsigned c) {
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

unsigned spelling_distance(const char *left, size_t left_length, const char *right, size_t right_length) {
    unsigned row[LONGEST_SPELLING + 1];
    if (right_length > LONGEST_SPELLING || left_length > LONGEST_SPELLING)
        return LONGEST_SPELLING;
    for (unsigned i = 0; i <= right_length; i++)
        row[i] = i;
    for (size_t at = 0; at < left_length; at++) {
        unsigned diagonal = row[0]++;
        for (size_t i = 1; i <= right_length; i++) {
            unsigned above = row[i];
            row[i] = smallest(above + 1, row[i - 1] + 1, diagonal + (left[at] != right[i - 1]));
            diagonal = above;
        }
    }
    return row[right_length];
}

unsigned spelling_tolerance(size_t length) {
    return (unsigned)(length < LONGEST_SPELLING ? length : LONGEST_SPELLING) / 3 + 1;
}
