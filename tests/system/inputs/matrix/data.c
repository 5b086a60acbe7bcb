#include "parts.h"

int big_table[1000] = {[9] = 30, [10] = 4};
int *const table_pointer = &big_table[10];
static int counted;
__attribute__((visibility("hidden"))) extern int hidden_number;
int *where_hidden = &hidden_number;
int common_counter;

int weak_choice(void) {
    return 11 + counted++;
}

int hidden_value(void) {
    return hidden_number + *where_hidden;
}
