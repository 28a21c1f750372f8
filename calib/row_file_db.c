/* FILE.part as a calibration store: one transaction a row, taken up as it is.
 *
 * It is made under another name and renamed once its tables are there, so whatever a kill leaves
 * under the name FILE.part opens as a store and holds the rows committed so far.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/row_file.h"
#include "sim/base/journal.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static rc_status sql_fail(const rc_row_file *s, const char *what, rc_error *err) {
    return rc_fail_file(err, RC_E_IO, s->part, "%s: %s", what,
                        s->db ? sqlite3_errmsg(s->db) : "out of memory");
}

static rc_status run(rc_row_file *s, const char *sql, const char *what, rc_error *err) {
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? RC_OK : sql_fail(s, what, err);
}

static rc_status number(rc_row_file *s, const char *sql, int64_t *out, rc_error *err) {
    sqlite3_stmt *q = NULL;
    bool good =
        sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;
    if (good)
        *out = sqlite3_column_int64(q, 0);
    rc_status st = good ? RC_OK : sql_fail(s, "is no calibration store", err);
    (void)sqlite3_finalize(q);
    return st;
}

static rc_status fill_new(rc_row_file *s, const char *path, rc_error *err) {
    char sql[128];
    if (sqlite3_open(path, &s->db) != SQLITE_OK)
        return sql_fail(s, "cannot be created", err);
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             RC_STORE_APPLICATION_ID, RC_STORE_SCHEMA_VERSION);
    RC_TRY(run(s, sql, "cannot be created", err));
    return run(s, RC_STORE_SQL, "cannot create the tables", err);
}

/* An empty store under the name of FILE.part. */
static rc_status create(rc_row_file *s, rc_error *err) {
    char path[1060];
    snprintf(path, sizeof path, "%s.new", s->part);
    (void)remove(path);
    rc_status st = fill_new(s, path, err);
    (void)sqlite3_close(s->db);
    s->db = NULL;
    if (st == RC_OK && rename(path, s->part) != 0)
        st = rc_fail_file(err, RC_E_IO, s->part, "cannot be created: %s", strerror(errno));
    (void)remove(path); /* which is not there any more where it has taken its name */
    return st;
}

/* "machine","gpu",... with every name quoted, or as many question spans. */
static void list(char *out, size_t size, bool spans) {
    const rc_column *cols = rc_record_columns();
    size_t at = 0;
    for (int i = 0; i < RC_STORE_NCOLUMNS && at < size; i++)
        at +=
            (size_t)(spans ? snprintf(out + at, size - at, "%s?", i ? "," : "")
                           : snprintf(out + at, size - at, "%s\"%s\"", i ? "," : "", cols[i].name));
}

static rc_status prepare(rc_row_file *s, rc_error *err) {
    char names[600], spans[128], sql[900];
    list(names, sizeof names, false);
    list(spans, sizeof spans, true);
    snprintf(sql, sizeof sql, "INSERT INTO cost (%s) VALUES (%s)", names, spans);
    if (sqlite3_prepare_v2(s->db, sql, -1, &s->insert, NULL) != SQLITE_OK)
        return sql_fail(s, "cannot prepare the insert", err);
    return RC_OK;
}

static void read_column(sqlite3_stmt *q, int i, const rc_column *col, rc_record *r) {
    char *at = (char *)r + col->offset;
    if (col->kind == RC_COLUMN_TEXT)
        rc_record_set(at, col->size, (const char *)sqlite3_column_text(q, i));
    else if (col->kind == RC_COLUMN_INT)
        *(int64_t *)(void *)at = sqlite3_column_int64(q, i);
    else
        *(double *)(void *)at =
            sqlite3_column_type(q, i) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(q, i);
}

static rc_status take_up(rc_row_file *s, rc_row_file_keep each, rc_error *err) {
    const rc_column *cols = rc_record_columns();
    char names[600], sql[700];
    sqlite3_stmt *q = NULL;
    list(names, sizeof names, false);
    snprintf(sql, sizeof sql, "SELECT %s FROM cost ORDER BY rowid", names);
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK)
        return sql_fail(s, "cannot be read", err);
    rc_status st = RC_OK;
    int code = SQLITE_ROW;
    while (st == RC_OK && (code = sqlite3_step(q)) == SQLITE_ROW) {
        rc_record r = {0};
        for (int i = 0; i < RC_STORE_NCOLUMNS; i++)
            read_column(q, i, &cols[i], &r);
        st = each(s, &r, err);
    }
    if (st == RC_OK && code != SQLITE_DONE)
        st = sql_fail(s, "cannot be read", err);
    (void)sqlite3_finalize(q);
    return st;
}

rc_status rc_row_file_db_open(rc_row_file *s, rc_row_file_keep each, rc_error *err) {
    int64_t id = 0, version = 0;
    if (access(s->part, F_OK) != 0)
        RC_TRY(create(s, err));
    RC_TRY(rc_journal_check(s->part, err));
    if (sqlite3_open(s->part, &s->db) != SQLITE_OK)
        return sql_fail(s, "cannot be opened", err);
    RC_TRY(number(s, "PRAGMA application_id", &id, err));
    RC_TRY(number(s, "PRAGMA user_version", &version, err));
    if (id != RC_STORE_APPLICATION_ID || version != RC_STORE_SCHEMA_VERSION)
        return rc_fail_file(err, RC_E_SCHEMA, s->part,
                            "is no calibration store of schema version %d",
                            RC_STORE_SCHEMA_VERSION);
    RC_TRY(run(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;", "cannot be written", err));
    RC_TRY(take_up(s, each, err));
    return prepare(s, err);
}

static int bind(sqlite3_stmt *q, int i, const rc_record *r, const rc_column *col) {
    const char *at = (const char *)r + col->offset;
    if (col->kind == RC_COLUMN_TEXT)
        return sqlite3_bind_text(q, i, at, -1, SQLITE_STATIC);
    if (col->kind == RC_COLUMN_INT)
        return sqlite3_bind_int64(q, i, *(const int64_t *)(const void *)at);
    double v = *(const double *)(const void *)at;
    return isnan(v) ? sqlite3_bind_null(q, i) : sqlite3_bind_double(q, i, v);
}

/* Outside BEGIN..COMMIT a statement is a transaction: it is on the disk when it is done. */
rc_status rc_row_file_db_add(rc_row_file *s, const rc_record *r, rc_error *err) {
    const rc_column *cols = rc_record_columns();
    bool good = true;
    for (int i = 0; i < RC_STORE_NCOLUMNS && good; i++)
        good = bind(s->insert, i + 1, r, &cols[i]) == SQLITE_OK;
    good = good && sqlite3_step(s->insert) == SQLITE_DONE;
    rc_status st = good ? RC_OK : sql_fail(s, "cannot insert a row", err);
    (void)sqlite3_reset(s->insert);
    (void)sqlite3_clear_bindings(s->insert);
    return st;
}

void rc_row_file_db_close(rc_row_file *s) {
    (void)sqlite3_finalize(s->insert);
    (void)sqlite3_close(s->db);
    s->insert = NULL;
    s->db = NULL;
}

void rc_row_file_db_remove(const rc_row_file *s) {
    static const char *const tails[] = {"", "-wal", "-shm", "-journal", ".new"};
    char path[1060];
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        snprintf(path, sizeof path, "%s%s", s->part, tails[i]);
        (void)remove(path);
    }
}

rc_status rc_row_file_db_finish(rc_row_file *s, rc_error *err) {
    (void)sqlite3_finalize(s->insert);
    s->insert = NULL;
    RC_TRY(run(s, "PRAGMA journal_mode=DELETE", "cannot be finished", err)); /* one file again */
    if (sqlite3_close(s->db) != SQLITE_OK)
        return sql_fail(s, "cannot be closed", err);
    s->db = NULL;
    if (!s->force && access(s->path, F_OK) == 0)
        return rc_fail_file(err, RC_E_IO, s->path, "appeared while measuring; it is left alone");
    if (rename(s->part, s->path) != 0)
        return rc_fail_file(err, RC_E_IO, s->path, "cannot be written: %s", strerror(errno));
    return RC_OK;
}
