/* One measured row as a line of CSV.
 *
 * One table says where each column lives in rc_record; the CSV writer, the CSV reader and the
 * SQLite writer all walk it, so a column is added in schema.h and here and nowhere else. Times keep
 * nine significant digits. A clock, power or temperature that could not be read is an empty field.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/cost_row.h"
#include "sim/base/csv.h"
#include "sim/cost/ops.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(f)                                                                                    \
    { #f, RC_COLUMN_TEXT, offsetof(rc_record, f), sizeof(((rc_record *)0)->f) }
#define INT(f)                                                                                     \
    { #f, RC_COLUMN_INT, offsetof(rc_record, f), sizeof(int64_t) }
#define REAL(f)                                                                                    \
    { #f, RC_COLUMN_REAL, offsetof(rc_record, f), sizeof(double) }

static const rc_column columns[] = {
    TEXT(machine), TEXT(gpu),    TEXT(state),  TEXT(op),      TEXT(variant), TEXT(dtype),
    INT(a),        INT(b),       INT(c),       INT(d),        REAL(p10_s),   REAL(p50_s),
    REAL(p90_s),   INT(samples), REAL(sm_mhz), REAL(power_w), REAL(temp_c),  TEXT(date),
    TEXT(driver),  TEXT(cuda),   TEXT(nccl),   TEXT(kernel),  TEXT(commit),  TEXT(source),
    INT(head_k),   INT(head_v),  INT(window),  INT(experts),  INT(top_k),
};
_Static_assert(sizeof columns / sizeof columns[0] == RC_STORE_NCOLUMNS, "columns follow schema.h");

const rc_column *rc_record_columns(void) {
    return columns;
}

void rc_record_set(char *field, size_t size, const char *value) {
    assert(size > 0);
    snprintf(field, size, "%s", value ? value : "");
}

rc_status rc_record_write_header(FILE *f, rc_error *err) {
    for (int i = 0; i < RC_STORE_NCOLUMNS; i++)
        fprintf(f, "%s%s", i ? "," : "", columns[i].name);
    fputc('\n', f);
    return ferror(f) ? rc_fail(err, RC_E_IO, "cannot write the CSV header: %s", strerror(errno))
                     : RC_OK;
}

rc_status rc_record_write(FILE *f, const rc_record *r, rc_error *err) {
    assert(r->op[0] != '\0');
    for (int i = 0; i < RC_STORE_NCOLUMNS; i++) {
        const char *at = (const char *)r + columns[i].offset;
        if (i)
            fputc(',', f);
        if (columns[i].kind == RC_COLUMN_TEXT) {
            rc_csv_put(f, at);
        } else if (columns[i].kind == RC_COLUMN_INT) {
            fprintf(f, "%" PRId64, *(const int64_t *)(const void *)at);
        } else {
            double v = *(const double *)(const void *)at;
            if (!isnan(v))
                fprintf(f, "%.9g", v);
        }
    }
    fputc('\n', f);
    return ferror(f) ? rc_fail(err, RC_E_IO, "cannot write a CSV row: %s", strerror(errno)) : RC_OK;
}

static rc_status set_field(rc_record *r, const rc_column *col, const rc_csv *csv, size_t row,
                           size_t at, rc_error *err) {
    const char *text = rc_csv_text(csv, row, at);
    char *field = (char *)r + col->offset;
    if (col->kind == RC_COLUMN_TEXT) {
        if (strlen(text) >= col->size)
            return rc_csv_fail(csv, row, at, err, RC_E_INPUT,
                               "longer than %zu characters: \"%.40s...\"", col->size - 1, text);
        rc_record_set(field, col->size, text);
        return RC_OK;
    }
    if (col->kind == RC_COLUMN_INT)
        return rc_csv_int(csv, row, at, 0, INT64_MAX / 2, (int64_t *)(void *)field, err);
    double *v = (double *)(void *)field;
    *v = (double)NAN;
    return *text ? rc_csv_quantity(csv, row, at, RC_DIM_COUNT, 0, 1e18, v, err) : RC_OK;
}

rc_status rc_records_parse(const char *name, const char *text, size_t size, rc_record **rows,
                           size_t *n, rc_error *err) {
    assert(text != NULL || size == 0);
    const char *names[RC_STORE_NCOLUMNS + 1] = {0};
    size_t at[RC_STORE_NCOLUMNS] = {0};
    rc_csv *csv = NULL;
    rc_record *out = NULL;
    RC_TRY(rc_csv_parse(name, text, size, &csv, err));
    for (int i = 0; i < RC_STORE_NCOLUMNS; i++)
        names[i] = columns[i].name;
    rc_status st = rc_csv_known(csv, names, err);
    for (int i = 0; i < RC_STORE_NCOLUMNS_1 && st == RC_OK; i++)
        st = rc_csv_column(csv, names[i], &at[i], err);
    bool has[RC_STORE_NCOLUMNS] = {false};
    for (int i = 0; i < RC_STORE_NCOLUMNS; i++)
        has[i] = rc_csv_find(csv, names[i], &at[i]);
    size_t count = rc_csv_rows(csv);
    if (st == RC_OK && count) {
        out = calloc(count, sizeof *out);
        st = out ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for %zu rows", count);
    }
    for (size_t r = 0; r < count && st == RC_OK; r++) {
        for (int i = 0; i < RC_STORE_NCOLUMNS && st == RC_OK; i++)
            if (has[i])
                st = set_field(&out[r], &columns[i], csv, r, at[i], err);
        rc_record_set_heads(&out[r]);
    }
    rc_csv_close(csv);
    if (st != RC_OK) {
        free(out);
        return st;
    }
    *rows = out;
    *n = count;
    return RC_OK;
}

void rc_record_set_heads(rc_record *r) {
    rc_op op = rc_op_named(r->op);
    if (op == rc_op_count())
        return;
    if (r->head_k == 0 && rc_op_has_axis(rc_op_info_of(op), RC_AXIS_HEAD_K))
        r->head_k = RC_HEAD_DEFAULT;
    if (r->head_v == 0 && rc_op_has_axis(rc_op_info_of(op), RC_AXIS_HEAD_V))
        r->head_v = RC_HEAD_DEFAULT;
}

static bool same_sizes(const rc_record *x, const rc_record *y) {
    return x->head_k == y->head_k && x->head_v == y->head_v && x->window == y->window &&
           x->experts == y->experts && x->top_k == y->top_k;
}

bool rc_record_same_point(const rc_record *x, const rc_record *y) {
    return same_sizes(x, y) && x->a == y->a && x->b == y->b && x->c == y->c && x->d == y->d &&
           !strcmp(x->op, y->op) && !strcmp(x->variant, y->variant) &&
           !strcmp(x->dtype, y->dtype) && !strcmp(x->state, y->state) &&
           !strcmp(x->machine, y->machine) && !strcmp(x->source, y->source);
}
