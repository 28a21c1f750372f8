/* The SQLite databases of a sweep. Two tables: `point`, a row a point, and `sweep`, facts about it.
 *
 * Workers (threads of one process, or ranks) never share a database. Each writes a shard of its
 * own, OUT.shard-N, beside the database that was asked for (database_shard.c). When all points are
 * done, rank 0 copies the shards into OUT.merge-N, rewrites that in the order of points and renames
 * it to OUT (database_merge.c). So OUT is whole at every moment, its bytes depend on the sweep
 * alone, and a process that is killed leaves nothing but a shard of whole rows. The next start of
 * the same sweep takes over the rows of such shards and removes the files.
 *
 * Nothing ever waits for a lock. A shard that cannot be read at once belongs to another run, or to
 * a process that is still being taken down: it is left alone, and its points are computed again.
 * Two runs of one sweep at the same time therefore do the work twice, and write the same bytes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SWEEP_DATABASE_H
#define RC_SWEEP_DATABASE_H
#include <sqlite3.h>
#include "sim/sweep/sweep_internal.h"

enum { SWEEP_PATH = 4096 };

/* ---- columns.c ----------------------------------------------------------------------------- */

/* The columns of `point` as CREATE TABLE lists them, and how many there are. */
void sweep_columns_write(const rc_sweep *s, FILE *f);
int sweep_columns_count(const rc_sweep *s);
const char *sweep_status_name(rc_sweep_status s); /* as the column `status` has it */
/* All values of a row into a statement with a parameter a column; `c` stands at the row's point. */
void sweep_columns_bind(sqlite3_stmt *q, const sweep_cursor *c, const rc_sweep_row *r);

/* ---- database.c ---------------------------------------------------------------------------- */

typedef struct sweep_db {
    sqlite3 *db;
    char path[SWEEP_PATH];
} sweep_db;

/* An existing file. Nothing is waited for: a locked one fails at its first use. */
rc_status sweep_db_open(sweep_db *d, const char *path, rc_error *err);
void sweep_db_close(sweep_db *d); /* safe on a zeroed or closed one */
/* Create the first file OUT.KIND-N, N = first, first + 1 ..., that does not exist; empty. */
rc_status sweep_db_new_file(const char *out, const char *kind, int first, char *path,
                            rc_error *err);
/* Delete a database that is open nowhere in this process, with its journal. */
void sweep_db_remove(const char *path);
/* The failure of the last call on this database as an error. */
rc_status sweep_db_error(const sweep_db *d, rc_error *err);
rc_status sweep_db_sql(const sweep_db *d, const char *text, rc_error *err);
/* `text` with ?1 bound to `value`. */
rc_status sweep_db_sql_text(const sweep_db *d, const char *text, const char *value, rc_error *err);
/* The first column of the first row; *found is false when there is no row. */
rc_status sweep_db_int(const sweep_db *d, const char *text, int64_t *out, bool *found,
                       rc_error *err);
/* Both tables, and the facts of the sweep. */
rc_status sweep_db_create(const sweep_db *d, const rc_sweep *s, rc_error *err);

typedef enum sweep_db_kind {
    SWEEP_DB_ABSENT, /* no file */
    SWEEP_DB_EMPTY,  /* a file without tables */
    SWEEP_DB_SAME,   /* rows of this very sweep */
    SWEEP_DB_OTHER,  /* anything else: *err says what */
    SWEEP_DB_BUSY    /* locked by another process */
} sweep_db_kind;

/* What stands at `path`; for SWEEP_DB_SAME also how many rows (`rows` may be NULL). `err` is filled
 * for OTHER and BUSY, ready to be handed on. */
sweep_db_kind sweep_db_inspect(const rc_sweep *s, const char *path, int64_t *rows, rc_error *err);
/* Copy all rows of the database at `path` that `d` does not hold. */
rc_status sweep_db_copy(const sweep_db *d, const char *path, rc_error *err);

/* ---- database_shard.c ------------------------------------------------------------------------ */

typedef struct sweep_shard sweep_shard;

/* A new shard beside opt->out, numbered `first` or the next number that is free. */
rc_status sweep_shard_create(const rc_sweep *s, const rc_sweep_options *opt, int first,
                             sweep_shard **out, rc_error *err);
int sweep_shard_number(const sweep_shard *d);
const sweep_db *sweep_shard_db(const sweep_shard *d);
/* Add a row; `c` stands at its point. Commits about four times a second, or each opt->batch rows.
 */
rc_status sweep_shard_put(sweep_shard *d, const sweep_cursor *c, const rc_sweep_row *row,
                          rc_error *err);
/* Commit and close; NULL is fine. The file stays until it is merged, but one without rows is
 * removed. *number (may be NULL) is the shard's, or -1 when there is no file. */
rc_status sweep_shard_close(sweep_shard *d, int *number, rc_error *err);

/* ---- database_merge.c ------------------------------------------------------------------------ */

/* Look at what earlier runs left: OUT itself and shards beside it. OUT complete: *complete, and
 * leftovers are removed. Else *own is a new shard that holds every row that was found, and the
 * shards found are removed. A database or shard of another sweep is refused, or removed with
 * opt->overwrite. *held counts the shards that were locked and left alone. */
rc_status sweep_take_over(const rc_sweep *s, const rc_sweep_options *opt, bool *complete,
                          sweep_shard **own, int *held, rc_error *err);
/* Merge closed shards into OUT, count its rows by status, and remove the shards. */
rc_status sweep_merge(const rc_sweep *s, const rc_sweep_options *opt, const int *shards,
                      size_t count, rc_sweep_report *out, rc_error *err);
/* Rows of a database by status. */
rc_status sweep_count_rows(const sweep_db *d, rc_sweep_report *out, rc_error *err);

#endif
