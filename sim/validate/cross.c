/* From one part to another: rows measured on `to`, predicted from rows of `from`.
 *
 * The machine predicted for is TO.yaml's, with its costs looked up in FROM's rows. GEMM, attention
 * and memory-bound ops are each scaled by the ratio of the two files' published rates (bf16 and fp8
 * peak, HBM), and by nothing else. Rows of links and of the host are left out: links come with the
 * machine, launches with its CPU.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/quantile.h"
#include "sim/cost/cost.h"
#include "sim/cost/store.h"
#include "sim/base/find.h"
#include "sim/validate/validate.h"

static rc_status machine_of(const char *name, rc_machine *m, rc_error *err) {
    char path[1280];
    RC_TRY(rc_share_path("scenarios/machines", name, ".yaml", path, sizeof path, err));
    return rc_machine_load(path, m, err);
}

static rc_status carried(const char *from, const char *to, const char *state, rc_machine *m,
                         rc_error *err) {
    rc_machine base;
    RC_TRY(machine_of(from, &base, err));
    RC_TRY(machine_of(to, m, err));
    snprintf(m->base, sizeof m->base, "%s", base.name);
    snprintf(m->state, sizeof m->state, "%s", state);
    m->base_bf16_rate = base.bf16_rate;
    m->base_fp8_rate = base.fp8_rate;
    m->base_hbm_rate = base.hbm_rate;
    m->gemm_ratio = m->attention_ratio = m->bf16_rate / base.bf16_rate;
    m->gemm_fp8 = m->attention_fp8 = m->fp8_rate / base.fp8_rate / m->gemm_ratio;
    m->hbm_ratio = m->hbm_rate / base.hbm_rate;
    m->ratio_spread = 0.0;
    return RC_OK;
}

typedef struct errors { /* signed, per cent, of all rows; op[i] names the row's */
    double *v;
    const char **op;
    size_t n;
} errors;

static rc_status state_errors(const char *store, const char *from, const char *to,
                              const char *state, const rc_rows *rows, errors *e, rc_error *err) {
    rc_machine m;
    rc_costs *costs = NULL;
    RC_TRY(carried(from, to, state, &m, err));
    RC_TRY(rc_costs_open(store, &m, &costs, err));
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        rc_cost cost;
        if (strcmp(r->state, state) != 0 || strncmp(r->source, "measured", 8) != 0 ||
            rc_cost_row(costs, r, &cost, NULL) != RC_OK)
            continue;
        e->op[e->n] = r->op;
        e->v[e->n++] = 100.0 * (cost.p50 / r->p50 - 1.0);
    }
    rc_costs_close(costs);
    return RC_OK;
}

/* Of the rows of one op, or of all (NULL), of which there is one at the least. `work` has room for all. */
static void summarise(const errors *e, const char *op, double *work, rc_cross_op *out) {
    size_t n = 0;
    snprintf(out->op, sizeof out->op, "%s", op ? op : "all");
    for (size_t i = 0; i < e->n; i++)
        if (!op || strcmp(op, e->op[i]) == 0)
            work[n++] = e->v[i];
    out->n = n;
    rc_sort(work, n);
    out->bias_pct = rc_quantile(work, n, 0.5);
    for (size_t i = 0; i < n; i++)
        work[i] = fabs(work[i]);
    rc_sort(work, n);
    out->median_pct = rc_quantile(work, n, 0.5);
    out->p95_pct = rc_quantile(work, n, 0.95);
}

static void by_op(const errors *e, double *work, rc_cross *out) {
    for (size_t i = 0; i < e->n && out->ops < RC_CROSS_OPS; i++) {
        size_t k = 0;
        while (k < out->ops && strcmp(out->op[k].op, e->op[i]) != 0)
            k++;
        if (k == out->ops)
            summarise(e, e->op[i], work, &out->op[out->ops++]);
    }
    summarise(e, NULL, work, &out->all);
}

rc_status rc_cross_predict(const char *store, const char *from, const char *to, rc_cross *out,
                           rc_error *err) {
    assert(from != NULL && to != NULL);
    rc_rows *rows = NULL, *base = NULL;
    memset(out, 0, sizeof *out);
    RC_TRY(rc_store_rows(store, to, &rows, err));
    rc_status st = rc_store_rows(store, from, &base, err);
    size_t n = st == RC_OK ? rc_rows_count(rows) : 0, own = 0;
    for (size_t i = 0; st == RC_OK && i < rc_rows_count(base); i++)
        own += strcmp(rc_rows_at(base, i)->source, "measured") == 0 &&
               strcmp(rc_rows_at(base, i)->op, "gemm") == 0;
    if (st == RC_OK && own == 0)
        st = rc_fail(err, RC_E_INPUT, "the store has no measured GEMM of machine '%s'", from);
    double *work = calloc(2 * n + 1, sizeof *work);
    errors e = {work ? work + n : NULL, calloc(n + 1, sizeof *e.op), 0};
    if (st == RC_OK && (!work || !e.op))
        st = rc_fail(err, RC_E_NOMEM, "out of memory for %zu rows", n);
    if (st == RC_OK)
        st = state_errors(store, from, to, "burst", rows, &e, err);
    if (st == RC_OK)
        st = state_errors(store, from, to, "sustained", rows, &e, err);
    if (st == RC_OK && e.n == 0)
        st = rc_fail(err, RC_E_INPUT, "the store has no measured rows of machine '%s'", to);
    if (st == RC_OK)
        by_op(&e, work, out);
    free(work);
    free(e.op);
    rc_rows_free(base);
    rc_rows_free(rows);
    return st;
}
