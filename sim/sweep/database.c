/* One SQLite database of a sweep: opening, creating, recognising, copying.
 *
 * A rollback journal, not a write-ahead log: it works on the network file systems of clusters, and
 * a database at rest is one file. Nothing of the run itself (times, threads) is stored, so that the
 * same sweep gives the same content.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/database.h"
#include "sim/base/journal.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef RC_VERSION
#define RC_VERSION "0.0.0"
#endif

enum { APPLICATION_ID = 0x52435357 /* RCSW */, SCHEMA_VERSION = 2 };
enum { NUMBERS = 100000 }; /* files OUT.KIND-N that are tried */

/* ---- statements ---------------------------------------------------------------------------- */

rc_status sweep_db_error(const sweep_db *d, rc_error *err) {
    assert(d->db != NULL);
    int code = sqlite3_errcode(d->db);
    if (code == SQLITE_BUSY)
        return rc_fail_file(err, RC_E_IO, d->path,
                            "in use: another program holds a lock on this database");
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return rc_fail_file(err, RC_E_SCHEMA, d->path, "not a database, or a damaged one (%s)",
                            sqlite3_errmsg(d->db));
    if (code == SQLITE_NOMEM)
        return rc_fail_file(err, RC_E_NOMEM, d->path, "out of memory for a database");
    return rc_fail_file(err, RC_E_IO, d->path, "cannot write the database: %s",
                        sqlite3_errmsg(d->db));
}

rc_status sweep_db_sql(const sweep_db *d, const char *text, rc_error *err) {
    return sqlite3_exec(d->db, text, NULL, NULL, NULL) == SQLITE_OK ? RC_OK
                                                                    : sweep_db_error(d, err);
}

rc_status sweep_db_sql_text(const sweep_db *d, const char *text, const char *value, rc_error *err) {
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(d->db, text, -1, &q, NULL) != SQLITE_OK)
        return sweep_db_error(d, err);
    (void)sqlite3_bind_text(q, 1, value, -1, SQLITE_STATIC);
    rc_status st = sqlite3_step(q) == SQLITE_DONE ? RC_OK : sweep_db_error(d, err);
    (void)sqlite3_finalize(q);
    return st;
}

rc_status sweep_db_int(const sweep_db *d, const char *text, int64_t *out, bool *found,
                       rc_error *err) {
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(d->db, text, -1, &q, NULL) != SQLITE_OK)
        return sweep_db_error(d, err);
    int step = sqlite3_step(q);
    *found = step == SQLITE_ROW;
    if (*found)
        *out = sqlite3_column_int64(q, 0);
    rc_status st = step == SQLITE_ROW || step == SQLITE_DONE ? RC_OK : sweep_db_error(d, err);
    (void)sqlite3_finalize(q);
    return st;
}

/* ---- files --------------------------------------------------------------------------------- */

rc_status sweep_db_open(sweep_db *d, const char *path, rc_error *err) {
    assert(path[0] != '\0'); /* SQLite would open a database of its own */
    memset(d, 0, sizeof *d);
    if (strlen(path) >= sizeof d->path)
        return rc_fail_file(err, RC_E_IO, path, "the path is too long");
    (void)snprintf(d->path, sizeof d->path, "%s", path);
    RC_TRY(rc_journal_check(path, err));
    if (sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        return RC_OK;
    const bool starved = sqlite3_errcode(d->db) == SQLITE_NOMEM; /* of no connection, too */
    rc_status st = rc_fail_file(err, starved ? RC_E_NOMEM : RC_E_IO, path,
                                "cannot open the database: %s", sqlite3_errmsg(d->db));
    sweep_db_close(d);
    return st;
}

void sweep_db_close(sweep_db *d) {
    (void)sqlite3_close(d->db);
    d->db = NULL;
}

rc_status sweep_db_new_file(const char *out, const char *kind, int first, char *path,
                            rc_error *err) {
    assert(first >= 0);
    for (int n = first; n < first + NUMBERS; n++) {
        if (snprintf(path, SWEEP_PATH, "%s.%s-%d", out, kind, n) >= SWEEP_PATH)
            return rc_fail_file(err, RC_E_IO, out, "the path is too long");
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            (void)close(fd);
            return RC_OK;
        }
        if (errno != EEXIST)
            return rc_fail_file(err, RC_E_IO, path, "cannot create: %s", strerror(errno));
    }
    return rc_fail_file(err, RC_E_IO, out, "more than %d files %s.%s-N", NUMBERS, out, kind);
}

void sweep_db_remove(const char *path) {
    char journal[SWEEP_PATH + 16];
    (void)unlink(path);
    (void)snprintf(journal, sizeof journal, "%s-journal", path);
    (void)unlink(journal);
}

/* ---- content ------------------------------------------------------------------------------- */

static rc_status insert_fact(const sweep_db *d, const char *key, const char *value, rc_error *err) {
    char text[80];
    assert(value != NULL);
    (void)snprintf(text, sizeof text, "INSERT INTO sweep VALUES ('%s', ?1)", key);
    return sweep_db_sql_text(d, text, value, err);
}

rc_status sweep_db_create(const sweep_db *d, const rc_sweep *s, rc_error *err) {
    char *text = NULL, hash[24], points[24];
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a database");
    (void)fprintf(f,
                  "PRAGMA application_id = %d; PRAGMA user_version = %d;"
                  "CREATE TABLE sweep (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
                  "CREATE TABLE point (",
                  APPLICATION_ID, SCHEMA_VERSION);
    sweep_columns_write(s, f);
    (void)fputs(");", f);
    bool ok = fclose(f) == 0 && text;
    rc_status st =
        ok ? sweep_db_sql(d, text, err) : rc_fail(err, RC_E_NOMEM, "out of memory for a database");
    free(text);
    (void)snprintf(hash, sizeof hash, "%016llx", (unsigned long long)s->hash);
    (void)snprintf(points, sizeof points, "%lld", (long long)s->points);
    const char *const facts[][2] = {{"name", s->name},       {"description", s->description},
                                    {"hash", hash},          {"points", points},
                                    {"version", RC_VERSION}, {"scenario", s->text}};
    for (size_t i = 0; i < sizeof facts / sizeof facts[0] && st == RC_OK; i++)
        st = insert_fact(d, facts[i][0], facts[i][1], err);
    return st;
}

static rc_status recognise(const sweep_db *d, const rc_sweep *s, sweep_db_kind *kind, int64_t *rows,
                           rc_error *err) {
    int64_t value = 0;
    bool found;
    char query[128];
    RC_TRY(sweep_db_int(d, "SELECT count(*) FROM sqlite_master", &value, &found, err));
    if (value == 0) {
        *kind = SWEEP_DB_EMPTY;
        return RC_OK;
    }
    RC_TRY(sweep_db_int(d, "PRAGMA application_id", &value, &found, err));
    if (value != APPLICATION_ID)
        return rc_fail_file(err, RC_E_SCHEMA, d->path, "not a database of a sweep");
    RC_TRY(sweep_db_int(d, "PRAGMA user_version", &value, &found, err));
    if (value != SCHEMA_VERSION)
        return rc_fail_file(err, RC_E_SCHEMA, d->path,
                            "a sweep of schema version %lld; this program writes version %d",
                            (long long)value, SCHEMA_VERSION);
    (void)snprintf(query, sizeof query,
                   "SELECT 1 FROM sweep WHERE key = 'hash' AND value = '%016llx'",
                   (unsigned long long)s->hash);
    RC_TRY(sweep_db_int(d, query, &value, &found, err));
    if (!found)
        return rc_fail_file(err, RC_E_IO, d->path,
                            "holds another sweep (its scenario, models, machines, costs or program "
                            "differ), and is not overwritten (--overwrite replaces it)");
    *kind = SWEEP_DB_SAME;
    return rows ? sweep_db_int(d, "SELECT count(*) FROM point", rows, &found, err) : RC_OK;
}

sweep_db_kind sweep_db_inspect(const rc_sweep *s, const char *path, int64_t *rows, rc_error *err) {
    sweep_db d;
    sweep_db_kind kind = SWEEP_DB_OTHER;
    if (access(path, F_OK) != 0)
        return SWEEP_DB_ABSENT;
    if (sweep_db_open(&d, path, err) != RC_OK)
        return SWEEP_DB_OTHER;
    if (recognise(&d, s, &kind, rows, err) != RC_OK)
        kind = sqlite3_errcode(d.db) == SQLITE_BUSY ? SWEEP_DB_BUSY : SWEEP_DB_OTHER;
    sweep_db_close(&d);
    return kind;
}

/* The plain statement copies records as they stand, several times faster than row by row, but only
 * where no row is there already. Rows are the same whoever computed them, so which of two stays
 * does not matter. */
rc_status sweep_db_copy(const sweep_db *d, const char *path, rc_error *err) {
    RC_TRY(sweep_db_sql_text(d, "ATTACH ?1 AS shard", path, err));
    rc_status st = sweep_db_sql(d, "INSERT INTO main.point SELECT * FROM shard.point", NULL);
    if (st != RC_OK && sqlite3_errcode(d->db) != SQLITE_CONSTRAINT)
        st = sweep_db_error(d, err);
    else if (st != RC_OK)
        st = sweep_db_sql(d, "INSERT OR IGNORE INTO main.point SELECT * FROM shard.point", err);
    rc_status detached = sweep_db_sql(d, "DETACH shard", st == RC_OK ? err : NULL);
    return st != RC_OK ? st : detached;
}
