/* A shard: the rows of one worker, in a database that nobody else writes.
 *
 * The writer holds an exclusive lock from the first moment to the last, so that another process can
 * tell a shard in use from one that was left behind. Rows are committed about four times a second;
 * what a kill loses is computed again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/clock.h"
#include "sim/sweep/database.h"

enum {
    MAX_COLUMNS = 128, /* fixed ones, one an axis, and those of `detail: full` */
    TRIES = 16         /* files of its own, each of which another start may take away */
};
#define COMMIT_S 0.25 /* between two commits: what a kill loses at most */

struct sweep_shard {
    sweep_db db;
    int number;
    sqlite3_stmt *insert;
    int64_t batch, open_rows; /* rows a transaction; of the open one */
    bool in_transaction;
    double begun; /* s, the open transaction */
};

int sweep_shard_number(const sweep_shard *d) {
    return d->number;
}

const sweep_db *sweep_shard_db(const sweep_shard *d) {
    return &d->db;
}

/* ---- creating ------------------------------------------------------------------------------ */

/* A run that starts at this moment may take a file that is not locked yet for one left behind, and
 * remove it or look into it: then *ours is false, and another file is to be made. */
static rc_status lock_new(sweep_shard *d, const char *path, bool *ours, rc_error *err) {
    int moved = 0;
    *ours = false;
    RC_TRY(sweep_db_open(&d->db, path, err));
    if (sweep_db_sql(&d->db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE", NULL) != RC_OK)
        return sqlite3_errcode(d->db.db) == SQLITE_BUSY ? RC_OK : sweep_db_error(&d->db, err);
    (void)sqlite3_file_control(d->db.db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    *ours = moved == 0;
    return RC_OK;
}

static rc_status make_file(sweep_shard *d, const char *out, int first, rc_error *err) {
    for (int i = 0; i < TRIES; i++) {
        bool ours = false;
        char path[SWEEP_PATH];
        RC_TRY(sweep_db_new_file(out, "shard", first, path, err));
        d->number = (int)strtol(strrchr(path, '-') + 1, NULL, 10);
        RC_TRY(lock_new(d, path, &ours, err));
        if (ours)
            return RC_OK;
        sweep_db_close(&d->db);
    }
    return rc_fail_file(err, RC_E_IO, out, "cannot lock a file of its own beside it");
}

static rc_status prepare_insert(sweep_shard *d, const rc_sweep *s, rc_error *err) {
    char text[64 + 3 * MAX_COLUMNS] = "INSERT INTO point VALUES (?";
    int columns = sweep_columns_count(s);
    size_t used = strlen(text);
    for (int i = 1; i < columns; i++, used += 2)
        memcpy(text + used, ",?", 3);
    memcpy(text + used, ")", 2);
    return sqlite3_prepare_v2(d->db.db, text, -1, &d->insert, NULL) == SQLITE_OK
               ? RC_OK
               : sweep_db_error(&d->db, err);
}

static rc_status fill_new(sweep_shard *d, const rc_sweep *s, const rc_sweep_options *opt, int first,
                          rc_error *err) {
    RC_TRY(make_file(d, opt->out, first, err));
    RC_TRY(sweep_db_create(&d->db, s, err));
    RC_TRY(sweep_db_sql(&d->db, "COMMIT", err));
    return prepare_insert(d, s, err);
}

rc_status sweep_shard_create(const rc_sweep *s, const rc_sweep_options *opt, int first,
                             sweep_shard **out, rc_error *err) {
    sweep_shard *d = calloc(1, sizeof *d);
    *out = NULL;
    if (!d)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a shard");
    d->batch = opt->batch;
    rc_status st = fill_new(d, s, opt, first, err);
    if (st == RC_OK)
        *out = d;
    else
        (void)sweep_shard_close(d, NULL, NULL);
    return st;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static rc_status commit(sweep_shard *d, rc_error *err) {
    if (!d->in_transaction)
        return RC_OK;
    d->in_transaction = false;
    d->open_rows = 0;
    return sweep_db_sql(&d->db, "COMMIT", err);
}

static rc_status begin(sweep_shard *d, rc_error *err) {
    if (d->in_transaction)
        return RC_OK;
    RC_TRY(sweep_db_sql(&d->db, "BEGIN", err));
    d->in_transaction = true;
    d->begun = rc_clock_s();
    return RC_OK;
}

rc_status sweep_shard_put(sweep_shard *d, const sweep_cursor *c, const rc_sweep_row *row,
                          rc_error *err) {
    assert(row->point >= 0 && row->point < c->s->points);
    RC_TRY(begin(d, err));
    sweep_columns_bind(d->insert, c, row);
    rc_status st = sqlite3_step(d->insert) == SQLITE_DONE ? RC_OK : sweep_db_error(&d->db, err);
    (void)sqlite3_reset(d->insert);
    RC_TRY(st);
    d->open_rows++;
    bool due = d->batch > 0 ? d->open_rows >= d->batch : rc_clock_s() - d->begun >= COMMIT_S;
    return due ? commit(d, err) : RC_OK;
}

rc_status sweep_shard_close(sweep_shard *d, int *number, rc_error *err) {
    int64_t row = 0;
    bool rows = true;
    if (number)
        *number = -1;
    if (!d)
        return RC_OK;
    rc_status st = commit(d, err); /* also after a failure: these rows are whole */
    if (st == RC_OK && d->insert)
        st = sweep_db_int(&d->db, "SELECT 1 FROM point LIMIT 1", &row, &rows, err);
    (void)sqlite3_finalize(d->insert);
    sweep_db_close(&d->db);
    if (st == RC_OK && !rows)
        sweep_db_remove(d->db.path);
    else if (number)
        *number = d->number;
    free(d);
    return st;
}
