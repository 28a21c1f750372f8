/* Calibration rows as CSV. Every field is checked where it stands: a wrong number here would be a
 * wrong forecast later, with nothing to show for it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/store.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "calib/schema.h"
#include "sim/base/csv.h"
#include "sim/cost/ops.h"

static const char *const columns[] = {RC_STORE_COLUMNS, NULL};
enum {
    C_MACHINE,
    C_GPU,
    C_STATE,
    C_OP,
    C_VARIANT,
    C_DTYPE,
    C_A,
    C_B,
    C_C,
    C_D,
    C_P10,
    C_P50,
    C_P90,
    C_SAMPLES,
    C_SM_MHZ,
    C_POWER,
    C_TEMP,
    C_DATE,
    C_DRIVER,
    C_CUDA,
    C_NCCL,
    C_KERNEL,
    C_COMMIT,
    C_SOURCE,
    C_HEAD_K, /* from here on columns of schema 2: a file of schema 1 has none of them */
    C_HEAD_V,
    C_WINDOW,
    C_EXPERTS,
    C_TOP_K
};

/* One row being read: the file, the row's number, and where each column of the schema is. */
typedef struct reader {
    rc_csv *csv;
    size_t row, at[RC_STORE_NCOLUMNS];
    bool has[RC_STORE_NCOLUMNS];
    rc_error *err;
} reader;

static const char *field(const reader *r, size_t col) {
    return rc_csv_text(r->csv, r->row, r->at[col]);
}

static rc_status refuse(const reader *r, size_t col, const char *expected) {
    return rc_csv_fail(r->csv, r->row, r->at[col], r->err, RC_E_INPUT, "found '%.80s', expected %s",
                       field(r, col), expected);
}

static rc_status unknown_op(const reader *r) {
    const char *names[RC_OPS_MAX + 1];
    rc_op_row_names(names);
    const char *near = rc_nearest(field(r, C_OP), names);
    if (near == NULL)
        return refuse(r, C_OP, "an op of calib/schema.h");
    return rc_csv_fail(r->csv, r->row, r->at[C_OP], r->err, RC_E_INPUT,
                       "unknown op '%.80s' (did you mean '%s'?)", field(r, C_OP), near);
}

static rc_status check_words(const reader *r) {
    static const size_t required[] = {C_MACHINE, C_GPU, C_OP, C_SOURCE};
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        if (field(r, required[i])[0] == '\0')
            return refuse(r, required[i], "a name");
    }
    if (strcmp(field(r, C_STATE), "burst") != 0 && strcmp(field(r, C_STATE), "sustained") != 0)
        return refuse(r, C_STATE, "burst or sustained");
    if (!rc_op_has_rows(field(r, C_OP)))
        return unknown_op(r);
    const char *s = field(r, C_SOURCE);
    if (strcmp(s, "measured") != 0 && strncmp(s, "published: ", 11) != 0 &&
        strncmp(s, "modelled: ", 10) != 0)
        return refuse(r, C_SOURCE, "measured, 'published: ...' or 'modelled: ...'");
    return RC_OK;
}

static rc_status seconds(const reader *r, size_t col, double *out) {
    return rc_csv_quantity(r->csv, r->row, r->at[col], RC_DIM_TIME, DBL_MIN, 1e6, out, r->err);
}

/* A reading that may be missing. */
static rc_status reading(const reader *r, size_t col, double *out) {
    *out = NAN;
    if (field(r, col)[0] == '\0')
        return RC_OK;
    return rc_csv_quantity(r->csv, r->row, r->at[col], RC_DIM_COUNT, -1e3, 1e6, out, r->err);
}

static rc_status axis(const reader *r, size_t col, int64_t *out) {
    return rc_csv_int(r->csv, r->row, r->at[col], 0, INT64_C(1) << 52, out, r->err);
}

/* A size with a column of its own, of an op that has it; 0 where the column is not there or
 * empty. */
static rc_status size(const reader *r, size_t col, rc_axis which, int64_t *out) {
    *out = 0;
    if (!r->has[col] || field(r, col)[0] == '\0')
        return RC_OK;
    RC_TRY(axis(r, col, out));
    if (*out == 0 || rc_op_has_axis(rc_op_info_of(rc_op_named(field(r, C_OP))), which))
        return RC_OK;
    char expected[96];
    (void)snprintf(expected, sizeof expected, "0: op %.40s has no such size", field(r, C_OP));
    return refuse(r, col, expected);
}

static rc_status read_row(const reader *r, rc_row *x) {
    RC_TRY(check_words(r));
    RC_TRY(axis(r, C_A, &x->a));
    RC_TRY(axis(r, C_B, &x->b));
    RC_TRY(axis(r, C_C, &x->c));
    RC_TRY(axis(r, C_D, &x->d));
    RC_TRY(size(r, C_HEAD_K, RC_AXIS_HEAD_K, &x->head_k));
    RC_TRY(size(r, C_HEAD_V, RC_AXIS_HEAD_V, &x->head_v));
    RC_TRY(size(r, C_WINDOW, RC_AXIS_WINDOW, &x->window));
    RC_TRY(size(r, C_EXPERTS, RC_AXIS_EXPERTS, &x->experts));
    RC_TRY(size(r, C_TOP_K, RC_AXIS_TOP_K, &x->top_k));
    RC_TRY(seconds(r, C_P10, &x->p10));
    RC_TRY(seconds(r, C_P50, &x->p50));
    RC_TRY(seconds(r, C_P90, &x->p90));
    if (x->p10 > x->p50)
        return refuse(r, C_P10, "no more than p50_s");
    if (x->p90 < x->p50)
        return refuse(r, C_P90, "no less than p50_s");
    RC_TRY(axis(r, C_SAMPLES, &x->samples));
    RC_TRY(reading(r, C_SM_MHZ, &x->sm_mhz));
    RC_TRY(reading(r, C_POWER, &x->power_w));
    RC_TRY(reading(r, C_TEMP, &x->temp_c));
    x->machine = field(r, C_MACHINE), x->gpu = field(r, C_GPU), x->state = field(r, C_STATE);
    x->op = field(r, C_OP), x->variant = field(r, C_VARIANT), x->dtype = field(r, C_DTYPE);
    x->date = field(r, C_DATE), x->driver = field(r, C_DRIVER), x->cuda = field(r, C_CUDA);
    x->nccl = field(r, C_NCCL), x->kernel = field(r, C_KERNEL), x->commit = field(r, C_COMMIT);
    x->source = field(r, C_SOURCE);
    return RC_OK;
}

static rc_status read_all(rc_csv *csv, rc_rows *rows, rc_error *err) {
    reader r = {.csv = csv, .err = err};
    RC_TRY(rc_csv_known(csv, columns, err));
    for (size_t i = 0; i < RC_STORE_NCOLUMNS; i++) {
        if (i < RC_STORE_NCOLUMNS_1)
            RC_TRY(rc_csv_column(csv, columns[i], &r.at[i], err));
        r.has[i] = rc_csv_find(csv, columns[i], &r.at[i]);
    }
    for (r.row = 0; r.row < rc_csv_rows(csv); r.row++) {
        rc_row x = {0};
        RC_TRY(read_row(&r, &x));
        RC_TRY(rc_rows_add(rows, &x, err));
    }
    return RC_OK;
}

static rc_status take(rc_csv *csv, rc_rows **out, rc_error *err) {
    rc_rows *rows = NULL;
    rc_status st = rc_rows_create(&rows, err);
    if (st == RC_OK)
        st = read_all(csv, rows, err);
    rc_csv_close(csv);
    if (st != RC_OK) {
        rc_rows_free(rows);
        return st;
    }
    *out = rows;
    return RC_OK;
}

rc_status rc_store_parse_csv(const char *name, const char *text, size_t size, rc_rows **out,
                             rc_error *err) {
    rc_csv *csv = NULL;
    assert(name != NULL && (text != NULL || size == 0) && out != NULL);
    RC_TRY(rc_csv_parse(name, text, size, &csv, err));
    return take(csv, out, err);
}

rc_status rc_store_read_csv(const char *path, rc_rows **out, rc_error *err) {
    rc_csv *csv = NULL;
    assert(path != NULL && out != NULL);
    RC_TRY(rc_csv_open(path, &csv, err));
    return take(csv, out, err);
}
