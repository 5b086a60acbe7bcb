/* Creates, inserts, queries and rolls back in Debian's libsqlite3.a. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static int show(void *context, int count, char **values, char **names) {
    (void)context;
    for (int i = 0; i < count; i++)
        printf("%s=%s%s", names[i], values[i] ? values[i] : "NULL", i == count - 1 ? "\n" : " ");
    return 0;
}

static void run(sqlite3 *db, const char *sql) {
    char *message = NULL;
    int status = sqlite3_exec(db, sql, show, NULL, &message);
    if (status != SQLITE_OK)
        printf("error %d: %s\n", status, message);
    sqlite3_free(message);
}

static void twice(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    sqlite3_result_int64(context, 2 * sqlite3_value_int64(values[0]));
}

static void insert_many(sqlite3 *db) {
    sqlite3_stmt *statement;
    sqlite3_prepare_v2(db, "insert into city values (?, ?)", -1, &statement, NULL);
    for (int i = 0; i < 1000; i++) {
        char name[20];
        snprintf(name, sizeof name, "town %d", i);
        sqlite3_bind_text(statement, 1, name, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int(statement, 2, i * 37 % 1001);
        sqlite3_step(statement);
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
}

int main(int argc, char **argv) {
    sqlite3 *db;
    if (sqlite3_open(argc > 1 ? argv[1] : ":memory:", &db) != SQLITE_OK)
        return 1;
    printf("SQLite %s\n", sqlite3_libversion());
    sqlite3_create_function(db, "twice", 1, SQLITE_UTF8, NULL, twice, NULL, NULL);
    run(db, "create table city (name text primary key, people integer check (people >= 0))");
    run(db, "insert into city values ('Ulm', 126), ('Rom', 2873), ('Oslo', 709)");
    run(db, "select name, twice(people) as double from city order by people desc");
    run(db, "begin; delete from city; select count(*) from city; rollback; select count(*) from city");
    run(db, "insert into city values ('Ulm', 1)");
    run(db, "insert into city values ('Nowhere', -1)");
    run(db, "begin");
    insert_many(db);
    run(db, "commit");
    run(db, "select count(*), sum(people), round(avg(people), 3), max(name) from city");
    run(db, "select upper(substr(name, 1, 3)) as s, count(*) as n from city group by s having n > 1");
    run(db, "with recursive f(a, b) as (values (0, 1) union all select b, a + b from f limit 10) "
            "select group_concat(a) from f");
    run(db, "select json_extract('{\"a\": [1, 2, {\"b\": 3}]}', '$.a[2].b'), strftime('%Y', 0, 'unixepoch')");
    run(db, "this is no SQL");
    return sqlite3_close(db) == SQLITE_OK ? 7 : 1;
}
