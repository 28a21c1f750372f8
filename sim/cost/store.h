/* The calibration store: SQLite, schema in calib/schema.h. Opening checks application id, schema
 * version and integrity; a truncated, foreign or newer database is one clear RC_E_SCHEMA error.
 *
 * Rows travel as CSV, which a person can read and a commit can show line by line, and are used as a
 * database, which checks itself and is opened in place. The database of this tree's own rows is
 * compiled into the program (embed/), so that `ringcast` needs no file beside it; `--store FILE`
 * takes another. A few thousand rows of 29 columns are some 2 MB either way: they are read whole
 * and in order, and a book (build.h) is built from the array.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_STORE_H
#define RC_COST_STORE_H
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"

typedef struct rc_row { /* one cost row; strings live as long as the rc_rows they came in */
    const char *machine, *gpu, *state, *op, *variant, *dtype;
    int64_t a, b, c, d; /* what they hold: the op's columns in the table of ops.h */
    /* Elements of a key and of a value of one head, keys that a query sees at most (0: all),
     * products of a grouped GEMM, experts that a token goes to. 0 where the op has no such size. */
    int64_t head_k, head_v, window, experts, top_k;
    double p10, p50, p90; /* s */
    int64_t samples;
    double sm_mhz, power_w, temp_c; /* NaN when not recorded */
    const char *date, *driver, *cuda, *nccl, *kernel, *commit, *source;
} rc_row;

typedef struct rc_rows rc_rows;
size_t rc_rows_count(const rc_rows *r);
const rc_row *rc_rows_at(const rc_rows *r, size_t i);
void rc_rows_free(rc_rows *r); /* NULL is fine */

/* Order of the sizes that have columns of their own: head_k, head_v, window, experts, top_k. */
int rc_row_sizes_order(const rc_row *x, const rc_row *y);

/* All rows of a store (path NULL: the embedded one), ordered by (machine, op, variant, dtype,
 * state, c, d, head_k, head_v, window, experts, top_k, b, a, source). machine NULL: every
 * machine. */
rc_status rc_store_rows(const char *path, const char *machine, rc_rows **out, rc_error *err);
/* An empty set to add to; strings are copied. A head size of 0 becomes 128 where the op has heads.
 * Used by tests and by programs that make rows. */
rc_status rc_rows_create(rc_rows **out, rc_error *err);
rc_status rc_rows_add(rc_rows *r, const rc_row *row, rc_error *err);
/* All rows of several sets in the store's order, sharing nothing with them. Equal rows are taken
 * once; two different measurements of the same point are an error that names both. */
rc_status rc_rows_merge(rc_rows *const *sets, size_t n, rc_rows **out, rc_error *err);
/* A later calibration of the same GPU supersedes an earlier one, point by point: of measured rows
 * of one point and one GPU only those of the latest date stay in their sets. *dropped counts the
 * others. */
rc_status rc_rows_supersede(rc_rows *const *sets, size_t n, size_t *dropped, rc_error *err);

/* A calibration CSV (comment lines '#', header RC_STORE_COLUMNS), every field checked with line and
 * column. */
rc_status rc_store_read_csv(const char *path, rc_rows **out, rc_error *err);
rc_status rc_store_parse_csv(const char *name, const char *text, size_t size, rc_rows **out,
                             rc_error *err);
/* Create a database from rows: one transaction, written beside `path` and renamed; an existing
 * `path` is refused (RC_E_IO). A duplicate key (two different measurements of the same point) is an
 * error that names both; equal rows are written once. The same rows give the same bytes. */
rc_status rc_store_may_write(const char *path, rc_error *err); /* asked before the work */
rc_status rc_store_write(const char *path, rc_rows *const *sets, size_t n, rc_error *err);
/* The database compiled into the program, built from results/calibration and results/published. */
const unsigned char *rc_store_embedded(size_t *size);

#endif
