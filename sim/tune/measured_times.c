/* The rules against times that were measured, by the paper or on real GPUs: a CSV with columns
 *   T, P              tokens
 *   pass_kv_ms, pass_q_ms
 *   cp                CP ranks; without it all rows are of the degree given beside the file
 * and any others, which are not read. No rule is fitted on them. Rows that the tuned rule does not
 * cover (a degree or a length beyond the grid) are refused: it would be scored on what it never
 * saw.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include "sim/base/csv.h"
#include "sim/tune/tune_internal.h"

/* More is a column of something else. */
#define MAX_TOKENS 1e9
#define MAX_MS 1e9 /* 12 days */

typedef struct columns {
    size_t t, p, kv, q, cp;
    bool has_cp;
} columns;

static rc_status find_columns(const rc_csv *csv, int cp, columns *c, const char *path,
                              rc_error *err) {
    RC_TRY(rc_csv_column(csv, "T", &c->t, err));
    RC_TRY(rc_csv_column(csv, "P", &c->p, err));
    RC_TRY(rc_csv_column(csv, "pass_kv_ms", &c->kv, err));
    RC_TRY(rc_csv_column(csv, "pass_q_ms", &c->q, err));
    c->has_cp = rc_csv_find(csv, "cp", &c->cp);
    if (!c->has_cp && cp < 2)
        return rc_fail_at(err, RC_E_INPUT, path, 0, 0,
                          "no column 'cp', and no degree was given for the file");
    return RC_OK;
}

static rc_status read_row(const rc_csv *csv, const columns *c, size_t row, int cp,
                          rc_tune_measured *out, rc_error *err) {
    int64_t n = cp;
    RC_TRY(rc_csv_quantity(csv, row, c->t, RC_DIM_COUNT, 1.0, MAX_TOKENS, &out->t, err));
    RC_TRY(rc_csv_quantity(csv, row, c->p, RC_DIM_COUNT, 0.0, MAX_TOKENS, &out->p, err));
    RC_TRY(rc_csv_quantity(csv, row, c->kv, RC_DIM_COUNT, DBL_MIN, MAX_MS, &out->pass_kv, err));
    RC_TRY(rc_csv_quantity(csv, row, c->q, RC_DIM_COUNT, DBL_MIN, MAX_MS, &out->pass_q, err));
    if (c->has_cp)
        RC_TRY(rc_csv_int(csv, row, c->cp, 2, 4096, &n, err));
    out->pass_kv *= 1e-3;
    out->pass_q *= 1e-3;
    out->n = (int)n;
    return RC_OK;
}

static rc_status read_rows(rc_tune *t, const rc_csv *csv, const char *path, int cp, rc_error *err) {
    columns c;
    size_t rows = rc_csv_rows(csv);
    RC_TRY(find_columns(csv, cp, &c, path, err));
    if (rows == 0 || rows > RC_TUNE_MEASURED)
        return rc_fail_at(err, RC_E_INPUT, path, 0, 0, "found %zu rows, expected 1 to %d", rows,
                          RC_TUNE_MEASURED);
    t->measured = calloc(rows, sizeof *t->measured);
    if (!t->measured)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu rows", rows);
    for (size_t i = 0; i < rows; i++)
        RC_TRY(read_row(csv, &c, i, cp, &t->measured[i], err));
    t->measured_count = rows;
    return RC_OK;
}

rc_status rc_tune_measured_read(rc_tune *t, const char *path, int cp, rc_error *err) {
    assert(t->measured == NULL);
    rc_csv *csv = NULL;
    RC_TRY(rc_csv_open(path, &csv, err));
    rc_status st = read_rows(t, csv, path, cp, err);
    rc_csv_close(csv);
    return st;
}

rc_status rc_tune_score_measured(rc_tune *t, rc_error *err) {
    size_t n = t->measured_count;
    for (size_t k = 0; k < n; k++)
        RC_TRY(rc_tune_covered(t, t->measured[k].t, t->measured[k].p, 1, t->measured[k].n, err));
    double *scratch = calloc(2 * n + 1, sizeof *scratch);
    if (!scratch)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu rows", n);
    for (int i = 0; i < t->rules; i++) {
        rc_tune_rule *r = &t->rule[i];
        size_t hits = 0;
        for (size_t k = 0; k < n; k++) {
            const rc_tune_measured *m = &t->measured[k];
            bool kv = rc_tune_decide(t, r, m->t, m->p, 1, m->n) == RC_CHOOSE_PASS_KV;
            double own = kv ? m->pass_kv : m->pass_q, best = fmin(m->pass_kv, m->pass_q);
            hits += own <= best;
            scratch[k] = 100.0 * (own / best - 1.0);
            scratch[n + k] = 1e3 * (own - best);
        }
        rc_tune_score s = rc_tune_score_of(scratch, scratch + n, n, hits);
        r->table_hits = (int)hits;
        r->table_rows = (int)n;
        r->table_mean = s.mean_pct;
        r->table_worst = s.worst_pct;
    }
    free(scratch);
    return RC_OK;
}
