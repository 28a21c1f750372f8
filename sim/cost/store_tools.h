/* Stores beside one another: comparing, merging, and back to CSV.
 *
 * Two machines are the same when their names and, in what was measured, the names of their GPUs
 * are. Rows of machines that are not the same are never put under one name, nor into one store,
 * unless the caller says so.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_STORE_TOOLS_H
#define RC_COST_STORE_TOOLS_H
#include <stdbool.h>
#include <stdio.h>
#include "sim/cost/store.h"

/* A store or a CSV file, by its name. */
rc_status rc_rows_open(const char *path, rc_rows **out, rc_error *err);
/* Columns and number formats of calib/schema.h; reading it gives the same rows again. The columns
 * that schema 2 adds are written where a row needs them. */
rc_status rc_rows_write_csv(const rc_rows *rows, FILE *f, rc_error *err);

/* Different machines in the sets (by name, or one name with measured rows of several GPUs):
 * RC_E_INPUT that names them. */
rc_status rc_rows_same_machine(rc_rows *const *sets, const char *const *files, size_t n,
                               rc_error *err);
/* All rows again with another machine name. */
rc_status rc_rows_rename(const rc_rows *rows, const char *machine, rc_rows **out, rc_error *err);
/* Rows of the clock suite again as rows of one card of a host: `#K` behind their condition (power.h).
 * RC_E_INPUT for rows of anything else, which cards of one type have in common. */
rc_status rc_rows_of_card(const rc_rows *rows, int card, rc_rows **out, rc_error *err);

typedef struct rc_diff { /* of one op in one state */
    const char *op, *state;
    const char *transport; /* of transfers; NULL for other ops */
    size_t both, only_a, only_b;
    double median_ratio;        /* b / a of the points in both; NAN without any */
    double median_pct, p95_pct; /* of |b / a - 1| */
} rc_diff;
/* Points are compared by everything but machine, GPU and source; transfers, which are counted in
 * bytes, also without their dtype (where a store has a size in several, the alphabetically first).
 * *out is malloc'ed, its strings belong to the rows. */
rc_status rc_rows_diff(const rc_rows *a, const rc_rows *b, rc_diff **out, size_t *n, rc_error *err);

#endif
