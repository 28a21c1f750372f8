/* Rows on their way to a file: FILE.part as they come, then CSV or SQLite as a whole.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/sink.h"
#include "sim/base/file.h"

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static rc_status keep(rc_sink *s, const rc_record *r, rc_error *err) {
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 512;
        rc_record *rows = realloc(s->rows, cap * sizeof *rows);
        if (!rows)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu rows", cap);
        s->rows = rows;
        s->cap = cap;
    }
    s->rows[s->n++] = *r;
    return RC_OK;
}

/* Rows of FILE.part, up to its last whole line. A file that is not there holds none. */
static rc_status take_up(rc_sink *s, rc_error *err) {
    char *text = NULL;
    rc_record *rows = NULL;
    size_t size = 0, n = 0;
    if (access(s->part, F_OK) != 0)
        return RC_OK;
    RC_TRY(rc_file_read(s->part, &text, &size, err));
    while (size && text[size - 1] != '\n')
        size--;
    rc_status st = size ? rc_records_parse(s->part, text, size, &rows, &n, err) : RC_OK;
    for (size_t i = 0; i < n && st == RC_OK; i++)
        st = rc_sink_has(s, &rows[i]) ? RC_OK : keep(s, &rows[i], err);
    s->resumed = s->n;
    free(rows);
    free(text);
    return st;
}

rc_status rc_sink_open(rc_sink *s, const char *path, const char *head, bool force, bool resume,
                       rc_error *err) {
    memset(s, 0, sizeof *s);
    if (strlen(path) >= sizeof s->path)
        return rc_fail_at(err, RC_E_USAGE, "--out", 0, 0, "the name is longer than %zu characters",
                          sizeof s->path - 1);
    snprintf(s->path, sizeof s->path, "%s", path);
    snprintf(s->part, sizeof s->part, "%s.part", path);
    s->force = force;
    s->head = head;
    if (!force && access(s->path, F_OK) == 0)
        return rc_fail_at(err, RC_E_IO, path, 0, 0, "exists already (--force replaces it)");
    if (!force && !resume && access(s->part, F_OK) == 0)
        return rc_fail_at(err, RC_E_IO, s->part, 0, 0,
                          "is left from an interrupted run: --resume goes on, --force starts anew");
    if (resume)
        RC_TRY(take_up(s, err));
    s->f = fopen(s->part, "w");
    if (!s->f)
        return rc_fail_at(err, RC_E_IO, s->part, 0, 0, "cannot be written: %s", strerror(errno));
    fputs(head, s->f);
    RC_TRY(rc_record_write_header(s->f, err));
    for (size_t i = 0; i < s->n; i++)
        RC_TRY(rc_record_write(s->f, &s->rows[i], err));
    if (fflush(s->f) != 0)
        return rc_fail_at(err, RC_E_IO, s->part, 0, 0, "cannot be written: %s", strerror(errno));
    return RC_OK;
}

rc_status rc_sink_add(rc_sink *s, const rc_record *r, rc_error *err) {
    RC_TRY(keep(s, r, err));
    RC_TRY(rc_record_write(s->f, r, err));
    if (fflush(s->f) != 0)
        return rc_fail_at(err, RC_E_IO, s->part, 0, 0, "cannot be written: %s", strerror(errno));
    return RC_OK;
}

bool rc_sink_has(const rc_sink *s, const rc_record *point) {
    for (size_t i = 0; i < s->n; i++)
        if (rc_record_same_point(&s->rows[i], point))
            return true;
    return false;
}

static rc_status write_csv(const rc_sink *s, rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, s->path, s->force, err));
    fputs(s->head, o.f);
    rc_status st = rc_record_write_header(o.f, err);
    for (size_t i = 0; i < s->n && st == RC_OK; i++)
        st = rc_record_write(o.f, &s->rows[i], err);
    if (st != RC_OK) {
        rc_outfile_abort(&o);
        return st;
    }
    return rc_outfile_commit(&o, err);
}

static rc_status sql_fail(sqlite3 *db, const char *path, const char *what, rc_error *err) {
    return rc_fail_at(err, RC_E_IO, path, 0, 0, "%s: %s", what, sqlite3_errmsg(db));
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

static rc_status insert_rows(const rc_sink *s, sqlite3 *db, rc_error *err) {
    const rc_column *cols = rc_record_columns();
    sqlite3_stmt *q = NULL;
    char sql[1024] = "INSERT INTO cost (", marks[128] = "";
    for (int i = 0; i < RC_STORE_NCOLUMNS; i++) {
        size_t n = strlen(sql);
        snprintf(sql + n, sizeof sql - n, "%s\"%s\"", i ? "," : "", cols[i].name);
        strncat(marks, i ? ",?" : "?", sizeof marks - strlen(marks) - 1);
    }
    size_t n = strlen(sql);
    snprintf(sql + n, sizeof sql - n, ") VALUES (%s)", marks);
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
        return sql_fail(db, s->path, "cannot prepare the insert", err);
    bool good = true;
    for (size_t r = 0; r < s->n && good; r++) {
        for (int i = 0; i < RC_STORE_NCOLUMNS && good; i++)
            good = bind(q, i + 1, &s->rows[r], &cols[i]) == SQLITE_OK;
        good = good && sqlite3_step(q) == SQLITE_DONE && sqlite3_reset(q) == SQLITE_OK;
    }
    rc_status st = good ? RC_OK : sql_fail(db, s->path, "cannot insert a row", err);
    sqlite3_finalize(q);
    return st;
}

static rc_status fill_db(const rc_sink *s, sqlite3 *db, rc_error *err) {
    char pragma[128];
    snprintf(pragma, sizeof pragma, "PRAGMA application_id=%d; PRAGMA user_version=%d; BEGIN;",
             RC_STORE_APPLICATION_ID, RC_STORE_SCHEMA_VERSION);
    if (sqlite3_exec(db, pragma, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, RC_STORE_SQL, NULL, NULL, NULL) != SQLITE_OK)
        return sql_fail(db, s->path, "cannot create the tables", err);
    RC_TRY(insert_rows(s, db, err));
    if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return sql_fail(db, s->path, "cannot commit", err);
    return RC_OK;
}

static rc_status write_db(const rc_sink *s, rc_error *err) {
    char tmp[1088];
    sqlite3 *db = NULL;
    snprintf(tmp, sizeof tmp, "%s.tmp.%ld", s->path, (long)getpid());
    (void)remove(tmp);
    rc_status st = RC_OK;
    if (sqlite3_open(tmp, &db) != SQLITE_OK)
        st = sql_fail(db, s->path, "cannot be created", err);
    if (st == RC_OK)
        st = fill_db(s, db, err);
    if (sqlite3_close(db) != SQLITE_OK && st == RC_OK)
        st = rc_fail_at(err, RC_E_IO, s->path, 0, 0, "cannot be closed");
    if (st == RC_OK && !s->force && access(s->path, F_OK) == 0)
        st = rc_fail_at(err, RC_E_IO, s->path, 0, 0, "appeared while measuring; it is left alone");
    if (st == RC_OK && rename(tmp, s->path) != 0)
        st = rc_fail_at(err, RC_E_IO, s->path, 0, 0, "cannot be written: %s", strerror(errno));
    if (st != RC_OK)
        (void)remove(tmp);
    return st;
}

rc_status rc_sink_finish(rc_sink *s, rc_error *err) {
    size_t n = strlen(s->path);
    bool db = n > 3 && !strcmp(s->path + n - 3, ".db");
    RC_TRY(db ? write_db(s, err) : write_csv(s, err));
    if (s->f)
        fclose(s->f);
    s->f = NULL;
    (void)remove(s->part);
    return RC_OK;
}

void rc_sink_close(rc_sink *s) {
    if (s->f)
        fclose(s->f);
    free(s->rows);
    s->f = NULL;
    s->rows = NULL;
    s->n = s->cap = 0;
}
