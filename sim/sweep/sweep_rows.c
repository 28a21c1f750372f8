/* The rows of a sweep's database as CSV.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <sqlite3.h>
#include "sim/base/csv.h"
#include "sim/sweep/sweep.h"

static void cell(sqlite3_stmt *q, int i, FILE *f) {
    switch (sqlite3_column_type(q, i)) {
    case SQLITE_INTEGER:
        (void)fprintf(f, "%lld", (long long)sqlite3_column_int64(q, i));
        break;
    case SQLITE_FLOAT:
        (void)fprintf(f, "%.10g", sqlite3_column_double(q, i));
        break;
    case SQLITE_TEXT:
        rc_csv_put(f, (const char *)sqlite3_column_text(q, i));
        break;
    default: /* nothing is known: an empty cell */
        break;
    }
}

static int write_rows(sqlite3_stmt *q, FILE *f) {
    int n = sqlite3_column_count(q), step;
    for (int i = 0; i < n; i++) {
        rc_csv_put(f, sqlite3_column_name(q, i));
        (void)fputc(i + 1 < n ? ',' : '\n', f);
    }
    while ((step = sqlite3_step(q)) == SQLITE_ROW)
        for (int i = 0; i < n; i++) {
            cell(q, i, f);
            (void)fputc(i + 1 < n ? ',' : '\n', f);
        }
    return step;
}

rc_status rc_sweep_csv(const char *database, FILE *f, rc_error *err) {
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    rc_status st = RC_OK;
    if (sqlite3_open_v2(database, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT * FROM point ORDER BY point", -1, &q, NULL) != SQLITE_OK ||
        write_rows(q, f) != SQLITE_DONE)
        st = rc_fail_file(err, RC_E_IO, database, "cannot read: %s",
                          db ? sqlite3_errmsg(db) : "out of memory");
    (void)sqlite3_finalize(q);
    (void)sqlite3_close(db);
    if (st == RC_OK && ferror(f))
        st = rc_fail(err, RC_E_IO, "cannot write the rows");
    return st;
}
