/* name_table: tables indexed by name id, VEC(uint32_t), filled with 2^32-1 ("none").  They follow the string
 * pool, which grows while inputs are read. */
#ifndef GRAPH_NAME_TABLE_H
#define GRAPH_NAME_TABLE_H

#include "base/vec.h"

/* Makes TABLE (the address of a VEC(uint32_t)) reach to NAME. */
#define graph_cover_name(table, name) ((name) < (table)->count ? NULL : graph_lengthen((table), (name)))
struct jitscope_error *graph_lengthen(void *table, uint32_t name);

#endif
