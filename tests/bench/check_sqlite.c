/* Linked with the SQLite input: a table of COUNT rows in memory, whose sum is asked for. */
#include <sqlite3.h>
#include <stdint.h>

static int fill(sqlite3 *database, uint64_t count) {
    sqlite3_stmt *insert;
    if (sqlite3_exec(database, "create table numbers (n integer); begin", 0, 0, 0) ||
        sqlite3_prepare_v2(database, "insert into numbers values (?)", -1, &insert, 0))
        return 1;
    for (uint64_t i = 1; i <= count; i++) {
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)i);
        sqlite3_step(insert);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    return sqlite3_exec(database, "commit", 0, 0, 0);
}

uint64_t check_sqlite(uint64_t count);
uint64_t check_sqlite(uint64_t count) {
    sqlite3 *database;
    sqlite3_stmt *sum;
    uint64_t result = 0;
    if (sqlite3_open(":memory:", &database) || fill(database, count) ||
        sqlite3_prepare_v2(database, "select sum(n) from numbers", -1, &sum, 0))
        return 0;
    if (sqlite3_step(sum) == SQLITE_ROW)
        result = (uint64_t)sqlite3_column_int64(sum, 0);
    sqlite3_finalize(sum);
    sqlite3_close(database);
    return result;
}
