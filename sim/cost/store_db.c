/* Calibration rows as a SQLite database: reading one (a file, or the embedded bytes in place,
 * through sqlite3_deserialize) and writing one.
 *
 * A store is recognised by its application id before anything else is believed, then by its schema
 * version, then checked by SQLite itself (quick_check): so a truncated file, another program's
 * database and a store of a newer Ringcast each end in their own sentence.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/store.h"

#include <assert.h>
#include <math.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "calib/schema.h"
#include "sim/base/file.h"
#include "sim/base/journal.h"

#define COLUMNS                                                                                    \
    "machine,gpu,state,op,variant,dtype,a,b,c,d,p10_s,p50_s,p90_s,samples,sm_mhz,power_w,temp_c,"  \
    "date,driver,cuda,nccl,kernel,\"commit\",source"
/* Of schema 2; a store of schema 1 has none of these sizes. */
#define SIZES "head_k,head_v,window,experts,top_k"
#define NO_SIZES "0 AS head_k,0 AS head_v,0 AS window,0 AS experts,0 AS top_k"

/* ---- opening ------------------------------------------------------------------------------- */

/* What SQLite says when it has no memory is no word about the file. */
static rc_status no_memory(const char *name, rc_error *err) {
    return rc_fail_at(err, RC_E_NOMEM, name, 0, 0, "out of memory for the calibration store");
}

static rc_status broken(sqlite3 *db, const char *name, rc_error *err) {
    int code = sqlite3_errcode(db);
    if (code == SQLITE_NOMEM)
        return no_memory(name, err);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return rc_fail_at(err, RC_E_IO, name, 0, 0,
                          "in use: another program holds a lock on this calibration store");
    if (code == SQLITE_NOTADB)
        return rc_fail_at(err, RC_E_SCHEMA, name, 0, 0,
                          "not a SQLite database; expected a calibration store");
    return rc_fail_at(err, RC_E_SCHEMA, name, 0, 0, "truncated or damaged calibration store (%s)",
                      sqlite3_errmsg(db));
}

static rc_status pragma(sqlite3 *db, const char *name, const char *sql, int64_t *out,
                        rc_error *err) {
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        return broken(db, name, err);
    rc_status st = sqlite3_step(s) == SQLITE_ROW ? RC_OK : broken(db, name, err);
    if (st == RC_OK)
        *out = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return st;
}

/* quick_check walks every page: a file cut short anywhere is found here. */
static rc_status check_whole(sqlite3 *db, const char *name, rc_error *err) {
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL) != SQLITE_OK)
        return broken(db, name, err);
    rc_status st = RC_OK;
    const bool said = sqlite3_step(s) == SQLITE_ROW;
    const char *what = said ? (const char *)sqlite3_column_text(s, 0) : NULL;
    if (what == NULL)
        st = broken(db, name, err);
    else if (strstr(what, "error code=7") !=
             NULL) /* SQLITE_NOMEM, which the check tells as damage */
        st = no_memory(name, err);
    else if (strcmp(what, "ok") != 0)
        st = rc_fail_at(err, RC_E_SCHEMA, name, 0, 0,
                        "truncated or damaged calibration store (%.200s)", what);
    (void)sqlite3_finalize(s);
    return st;
}

static rc_status check_store(sqlite3 *db, const char *name, int64_t *version, rc_error *err) {
    int64_t id = 0;
    RC_TRY(pragma(db, name, "PRAGMA application_id", &id, err));
    if (id != RC_STORE_APPLICATION_ID)
        return rc_fail_at(err, RC_E_SCHEMA, name, 0, 0,
                          "not a calibration store: application id 0x%08llx, expected 0x%08x",
                          (unsigned long long)id & 0xffffffffu, (unsigned)RC_STORE_APPLICATION_ID);
    RC_TRY(pragma(db, name, "PRAGMA user_version", version, err));
    if (*version < 1 || *version > RC_STORE_SCHEMA_VERSION)
        return rc_fail_at(
            err, RC_E_SCHEMA, name, 0, 0,
            "calibration store of schema version %lld; this program reads versions 1 to "
            "%d",
            (long long)*version, RC_STORE_SCHEMA_VERSION);
    return check_whole(db, name, err);
}

/* A writer that was killed may leave a journal that has to be rolled back before anyone can read;
 * SQLite does that on the next opening, if that one may write. */
static bool must_be_mended(sqlite3 *db) {
    int code = sqlite3_exec(db, "SELECT 1 FROM sqlite_master LIMIT 1", NULL, NULL, NULL);
    return (code & 0xff) == SQLITE_READONLY;
}

static rc_status open_file(const char *path, sqlite3 **db, rc_error *err) {
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return rc_fail_at(err, RC_E_IO, path, 0, 0,
                          "cannot open the calibration store: no such "
                          "file, or not readable");
    (void)fclose(f);
    int code = sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY, NULL);
    if (code == SQLITE_OK && must_be_mended(*db)) {
        RC_TRY(rc_journal_check(path, err)); /* the caller closes */
        (void)sqlite3_close(*db);
        code = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE, NULL);
    }
    if (code == SQLITE_NOMEM)
        return no_memory(path, err);
    if (code != SQLITE_OK)
        return rc_fail_at(err, RC_E_IO, path, 0, 0, "cannot open the calibration store: %s",
                          sqlite3_errmsg(*db));
    return RC_OK;
}

/* The bytes are used where they are; SQLite is told not to write or free them. */
static rc_status open_embedded(sqlite3 **db, rc_error *err) {
    size_t size = 0;
    const unsigned char *bytes = rc_store_embedded(&size);
    if (bytes == NULL || size == 0)
        return rc_fail(err, RC_E_SCHEMA, "this program was built without a calibration store");
    int code = sqlite3_open_v2(":memory:", db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK)
        code =
            sqlite3_deserialize(*db, "main", (unsigned char *)(uintptr_t)bytes, (sqlite3_int64)size,
                                (sqlite3_int64)size, SQLITE_DESERIALIZE_READONLY);
    if (code == SQLITE_NOMEM || code == SQLITE_ERROR) /* what deserialize says without memory */
        return no_memory("(built in)", err);
    if (code != SQLITE_OK)
        return rc_fail(err, RC_E_SCHEMA, "cannot open the built-in calibration store: %s",
                       sqlite3_errstr(code));
    return RC_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

static const char *text_at(sqlite3_stmt *s, int i) {
    const char *t = (const char *)sqlite3_column_text(s, i);
    return t != NULL ? t : "";
}

static double real_at(sqlite3_stmt *s, int i) {
    return sqlite3_column_type(s, i) == SQLITE_NULL ? NAN : sqlite3_column_double(s, i);
}

static void row_at(sqlite3_stmt *s, rc_row *x) {
    *x = (rc_row){.machine = text_at(s, 0),
                  .gpu = text_at(s, 1),
                  .state = text_at(s, 2),
                  .op = text_at(s, 3),
                  .variant = text_at(s, 4),
                  .dtype = text_at(s, 5),
                  .a = sqlite3_column_int64(s, 6),
                  .b = sqlite3_column_int64(s, 7),
                  .c = sqlite3_column_int64(s, 8),
                  .d = sqlite3_column_int64(s, 9),
                  .p10 = real_at(s, 10),
                  .p50 = real_at(s, 11),
                  .p90 = real_at(s, 12),
                  .samples = sqlite3_column_int64(s, 13),
                  .sm_mhz = real_at(s, 14),
                  .power_w = real_at(s, 15),
                  .temp_c = real_at(s, 16),
                  .date = text_at(s, 17),
                  .driver = text_at(s, 18),
                  .cuda = text_at(s, 19),
                  .nccl = text_at(s, 20),
                  .kernel = text_at(s, 21),
                  .commit = text_at(s, 22),
                  .source = text_at(s, 23),
                  .head_k = sqlite3_column_int64(s, 24),
                  .head_v = sqlite3_column_int64(s, 25),
                  .window = sqlite3_column_int64(s, 26),
                  .experts = sqlite3_column_int64(s, 27),
                  .top_k = sqlite3_column_int64(s, 28)};
}

/* SQL constraints cannot say everything; what look-ups rely on is checked again. */
static bool sane(const rc_row *x) {
    return isfinite(x->p10) && isfinite(x->p50) && isfinite(x->p90) && x->p10 > 0.0 &&
           x->p10 <= x->p50 && x->p50 <= x->p90 && x->a >= 0 && x->b >= 0 && x->c >= 0 &&
           x->d >= 0 && x->head_k >= 0 && x->head_v >= 0 && x->window >= 0 && x->experts >= 0 &&
           x->top_k >= 0;
}

#define FROM_IN_ORDER                                                                              \
    " FROM cost WHERE ?1 IS NULL OR machine = ?1 "                                                 \
    "ORDER BY machine, op, variant, dtype, state, c, d, head_k, head_v, window, experts, top_k, "  \
    "b, a, source"

static rc_status read_rows(sqlite3 *db, const char *name, int64_t version, const char *machine,
                           rc_rows *rows, rc_error *err) {
    static const char whole[] = "SELECT " COLUMNS "," SIZES FROM_IN_ORDER;
    static const char first[] = "SELECT " COLUMNS "," NO_SIZES FROM_IN_ORDER;
    const char *sql = version == 1 ? first : whole;
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        return broken(db, name, err);
    int step = SQLITE_DONE;
    rc_status st = RC_OK;
    if (machine != NULL && sqlite3_bind_text(s, 1, machine, -1, SQLITE_STATIC) != SQLITE_OK)
        st = broken(db, name, err);
    while (st == RC_OK && (step = sqlite3_step(s)) == SQLITE_ROW) {
        rc_row x;
        row_at(s, &x);
        if (sqlite3_errcode(db) == SQLITE_NOMEM) /* a text that could not be had reads as none */
            st = no_memory(name, err);
        else if (!sane(&x))
            st = rc_fail_at(err, RC_E_SCHEMA, name, 0, 0,
                            "damaged calibration store: op %s a=%lld b=%lld of machine %s has no "
                            "valid times",
                            x.op, (long long)x.a, (long long)x.b, x.machine);
        else
            st = rc_rows_add(rows, &x, err);
    }
    if (st == RC_OK && step != SQLITE_DONE)
        st = broken(db, name, err);
    (void)sqlite3_finalize(s);
    return st;
}

rc_status rc_store_rows(const char *path, const char *machine, rc_rows **out, rc_error *err) {
    assert(out != NULL);
    sqlite3 *db = NULL;
    rc_rows *rows = NULL;
    int64_t version = 0;
    const char *name = path != NULL ? path : "(built in)";
    rc_status st = path != NULL ? open_file(path, &db, err) : open_embedded(&db, err);
    if (st == RC_OK)
        st = check_store(db, name, &version, err);
    if (st == RC_OK)
        st = rc_rows_create(&rows, err);
    if (st == RC_OK)
        st = read_rows(db, name, version, machine, rows, err);
    (void)sqlite3_close(db);
    if (st != RC_OK) {
        rc_rows_free(rows);
        return st;
    }
    *out = rows;
    return RC_OK;
}

/* ---- writing ------------------------------------------------------------------------------- */

static rc_status no_write(sqlite3 *db, const char *path, rc_error *err) {
    if (sqlite3_errcode(db) == SQLITE_NOMEM)
        return no_memory(path, err);
    return rc_fail_at(err, RC_E_IO, path, 0, 0, "cannot write the calibration store: %s",
                      sqlite3_errmsg(db));
}

static void bind_real(sqlite3_stmt *s, int i, double v) {
    if (isnan(v))
        (void)sqlite3_bind_null(s, i);
    else
        (void)sqlite3_bind_double(s, i, v);
}

static int insert(sqlite3_stmt *s, const rc_row *x) {
    const char *head[] = {x->machine, x->gpu, x->state, x->op, x->variant, x->dtype};
    const int64_t axes[] = {x->a, x->b, x->c, x->d};
    const double times[] = {x->p10, x->p50, x->p90};
    const double seen[] = {x->sm_mhz, x->power_w, x->temp_c};
    const char *tail[] = {x->date, x->driver, x->cuda, x->nccl, x->kernel, x->commit, x->source};
    const int64_t sizes[] = {x->head_k, x->head_v, x->window, x->experts, x->top_k};
    int n = 1;
    for (size_t i = 0; i < 6; i++)
        (void)sqlite3_bind_text(s, n++, head[i], -1, SQLITE_STATIC);
    for (size_t i = 0; i < 4; i++)
        (void)sqlite3_bind_int64(s, n++, axes[i]);
    for (size_t i = 0; i < 3; i++)
        bind_real(s, n++, times[i]);
    (void)sqlite3_bind_int64(s, n++, x->samples);
    for (size_t i = 0; i < 3; i++)
        bind_real(s, n++, seen[i]);
    for (size_t i = 0; i < 7; i++)
        (void)sqlite3_bind_text(s, n++, tail[i], -1, SQLITE_STATIC);
    for (size_t i = 0; i < 5; i++)
        (void)sqlite3_bind_int64(s, n++, sizes[i]);
    int step = sqlite3_step(s);
    (void)sqlite3_reset(s);
    return step;
}

static rc_status insert_all(sqlite3 *db, const char *path, const rc_rows *rows, rc_error *err) {
    static const char sql[] = "INSERT INTO cost(" COLUMNS "," SIZES ") VALUES "
                              "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        return no_write(db, path, err);
    rc_status st = RC_OK;
    for (size_t i = 0; i < rc_rows_count(rows) && st == RC_OK; i++) {
        if (insert(s, rc_rows_at(rows, i)) != SQLITE_DONE)
            st = no_write(db, path, err);
    }
    (void)sqlite3_finalize(s);
    return st;
}

static rc_status fill(sqlite3 *db, const char *path, const rc_rows *rows, rc_error *err) {
    char head[256];
    (void)snprintf(head, sizeof head,
                   "PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA application_id=%d; "
                   "PRAGMA user_version=%d; BEGIN;",
                   RC_STORE_APPLICATION_ID, RC_STORE_SCHEMA_VERSION);
    if (sqlite3_exec(db, head, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, RC_STORE_SQL, NULL, NULL, NULL) != SQLITE_OK)
        return no_write(db, path, err);
    RC_TRY(insert_all(db, path, rows, err));
    return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? RC_OK
                                                                     : no_write(db, path, err);
}

static rc_status write_new(const char *path, const rc_rows *rows, rc_error *err) {
    sqlite3 *db = NULL;
    rc_outfile o;
    RC_TRY(rc_outfile_reserve(&o, path, false, err));
    rc_status st = RC_OK;
    if (sqlite3_open_v2(o.tmp, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        st = no_write(db, path, err);
    if (st == RC_OK)
        st = fill(db, path, rows, err);
    (void)sqlite3_close(db);
    if (st == RC_OK)
        return rc_outfile_commit(&o, err);
    rc_outfile_abort(&o);
    return st;
}

rc_status rc_store_may_write(const char *path, rc_error *err) {
    assert(path != NULL && path[0] != '\0');
    if (access(path, F_OK) == 0)
        return rc_fail_at(err, RC_E_IO, path, 0, 0, "exists already; it is not overwritten");
    return rc_output_check(path, false, err);
}

rc_status rc_store_write(const char *path, rc_rows *const *sets, size_t n, rc_error *err) {
    rc_rows *all = NULL;
    RC_TRY(rc_store_may_write(path, err));
    RC_TRY(rc_rows_merge(sets, n, &all, err));
    rc_status st = write_new(path, all, err);
    rc_rows_free(all);
    return st;
}
