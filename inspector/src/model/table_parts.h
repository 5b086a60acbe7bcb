/* table_parts: what the parts of the table engine share: table.c (rows, moving), table_scan.c (filtering,
 * sorting), table_search.c, table_look.c (what is in view). */
#ifndef MODEL_TABLE_PARTS_H
#define MODEL_TABLE_PARTS_H

#include "model/table.h"

void rows_forget(struct rows *rows);
/* Nobody can point at rows that are no longer there. */
void table_forget_picture(struct table *table);
/* Row NUMBER of the sheet, its names demangled when that is wanted. */
bool table_add_row(struct table *table, uint64_t number, struct rows *rows);
bool table_is_row(struct table *table, uint64_t place);
/* The next place with a row, from *PLACE on but not at it; none while the sheet is waiting. */
bool table_step(struct table *table, uint64_t *place, bool forward);
/* Brings the cursor onto a row, if it stands in a hole. */
void table_settle(struct table *table);
/* A few rows above the cursor stay in view. */
void table_leave_room_above(struct table *table);
/* Whether the cursor is to stay at a place, whichever row comes there: at the top of what is sorted, at the
 * end of what keeps it. */
enum pin { PIN_NONE, PIN_TOP, PIN_END };
enum pin table_pin(const struct table *table);
/* Puts the cursor there. */
void table_go_to_pin(struct table *table, enum pin pin);
/* Begins the order anew, if there is one. */
void table_start_scan(struct table *table);
/* The same, with the order there is in view meanwhile. */
void table_renew_scan(struct table *table);
/* Go on for up to ROWS. */
void table_scan_some(struct table *table, uint64_t rows);
void table_search_some(struct table *table, uint64_t rows);

#endif
