/* Opening costs, and what all look-ups share: the carry-over to another part, domains, errors.
 *
 * Carry-over. A call on the base takes t. C = flops / the base's peak and B = least bytes / the
 * rate its own device copy reaches bound it; w = C^4 / (C^4 + B^4) says how far it is bound by the
 * matrix units. On a machine whose matrix units run at r_m and whose HBM at r_h of the base's:
 *   - bound by the matrix units, all of the call follows their clock: t (1 + w (1/r_m - 1));
 *   - bound by HBM, only the traffic itself takes longer or shorter, while launch, latencies and
 * issue stay as they are: t + B/r_h - max(B, C). The larger of the two is taken; on faster memory
 * the second falls no lower than t r with r = max(C/r_m, B/r_h) / max(C, B), as if all of the call
 * followed. With both ratios 1 this is t exactly.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/cost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cost/book.h"

/* What a large device copy reaches of the HBM peak: 4.3 of 4.8 TB/s on the H200
 * (results/calibration). */
static const double COPY_SHARE = 0.9;
#define AXIS_MAX (INT64_C(1) << 52)

const char *rc_basis_name(rc_basis b) {
    static const char *const names[RC_BASIS_COUNT] = {"measured", "transferred", "published",
                                                      "extrapolated", "modelled"};
    return (unsigned)b < RC_BASIS_COUNT ? names[b] : "?";
}

/* ---- opening ------------------------------------------------------------------------------- */

rc_status rc_costs_open(const char *store, const rc_machine *m, rc_costs **out, rc_error *err) {
    rc_rows *rows = NULL;
    rc_costs *c = calloc(1, sizeof *c);
    if (c == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the costs");
    rc_status st = rc_store_rows(store, NULL, &rows, err);
    if (st == RC_OK)
        st = rc_book_build(rows, m->base, m->state, &c->book, err);
    if (st != RC_OK) {
        free(c);
        return st;
    }
    c->m = *m;
    c->owner = true;
    *out = c;
    return RC_OK;
}

void rc_costs_close(rc_costs *c) {
    if (c == NULL)
        return;
    if (c->owner)
        rc_book_free(c->book);
    free(c);
}

static rc_status same_base(const rc_costs *c, const rc_machine *m, rc_error *err) {
    if (strcmp(m->base, c->book->base) == 0 && strcmp(m->state, c->book->state) == 0)
        return RC_OK;
    return rc_fail(err, RC_E_INPUT, "machine '%s' rests on '%s' (%s); these costs are of '%s' (%s)",
                   m->name, m->base, m->state, c->book->base, c->book->state);
}

rc_status rc_costs_retarget(rc_costs *c, const rc_machine *m, rc_error *err) {
    RC_TRY(same_base(c, m, err));
    c->m = *m;
    return RC_OK;
}

rc_status rc_costs_view(const rc_costs *c, const rc_machine *m, rc_costs **out, rc_error *err) {
    RC_TRY(same_base(c, m, err));
    rc_costs *v = calloc(1, sizeof *v);
    if (v == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the costs");
    v->m = *m;
    v->book = c->book;
    *out = v;
    return RC_OK;
}

const rc_machine *rc_costs_machine(const rc_costs *c) {
    return &c->m;
}

/* ---- shared -------------------------------------------------------------------------------- */

rc_status rc_cost_nothing(rc_cost *out) {
    *out = (rc_cost){.p50 = 0.0, .spread = 0.0, .basis = RC_MEASURED};
    return RC_OK;
}

static double carry(double t, double arithmetic, double traffic, double matrix, double hbm) {
    double bound = fmax(arithmetic, traffic);
    if (bound <= 0.0)
        return t;
    double c4 = pow(arithmetic / bound, 4.0), b4 = pow(traffic / bound, 4.0);
    double by_matrix = t * (1.0 + c4 / (c4 + b4) * (1.0 / matrix - 1.0));
    double by_hbm = t + traffic / hbm - bound;
    double all = t * fmax(arithmetic / matrix, traffic / hbm) / bound;
    return fmax(fmax(by_matrix, by_hbm), fmin(all, t));
}

rc_status rc_cost_finish(const rc_costs *c, const rc_probe *p, const rc_work *w, rc_cost *out,
                         rc_error *err) {
    const rc_machine *m = &c->m;
    double matrix = w->engine == ENGINE_ATTENTION ? m->attention_ratio
                    : w->engine == ENGINE_GEMM    ? m->gemm_ratio
                                                  : 1.0;
    double peak = w->dtype == RC_FP8 ? m->base_fp8_rate : m->base_bf16_rate;
    double t = exp(p->y);
    bool carried = matrix != 1.0 || m->hbm_ratio != 1.0;
    if (carried)
        t = carry(t, w->flops / peak, w->bytes / (COPY_SHARE * m->base_hbm_rate), matrix,
                  m->hbm_ratio);
    if (!isfinite(t))
        return rc_fail(err, RC_E_INPUT, "a cost is out of range on machine '%s'", m->name);
    out->p50 = t;
    out->basis = carried ? rc_worse(p->basis, RC_TRANSFERRED) : p->basis;
    out->spread = carried ? hypot(p->spread, m->ratio_spread) : p->spread;
    return RC_OK;
}

rc_status rc_cost_domain(const char *op, const char *arg, int64_t v, int64_t lo, rc_error *err) {
    if (v >= lo && v <= AXIS_MAX)
        return RC_OK;
    return rc_fail(err, RC_E_INPUT, "%s: %s is %lld; expected %lld to 2^52", op, arg, (long long)v,
                   (long long)lo);
}

rc_status rc_cost_heads(const char *op, int hq, int hkv, rc_error *err) {
    if (hq >= 1 && hkv >= 1 && hq % hkv == 0)
        return RC_OK;
    return rc_fail(err, RC_E_INPUT,
                   "%s: %d query heads on %d KV heads; expected a multiple of the KV heads", op, hq,
                   hkv);
}

rc_status rc_cost_no_rows(const rc_costs *c, const char *what, rc_error *err) {
    return rc_fail(err, RC_E_INPUT,
                   "the calibration store has no rows of %s for machine '%s' (base of '%s')", what,
                   c->m.base, c->m.name);
}

bool rc_nearest_heads(const rc_book *b, rc_op op, int hq, int hkv, int64_t k[2], rc_basis *basis) {
    double best = INFINITY, group = (double)hq / hkv;
    for (size_t i = b->first[op]; i < b->first[op + 1]; i++) { /* most often these were measured */
        const rc_series *s = &b->series[i];
        if (s->k[0] != hq || s->k[1] != hkv)
            continue;
        k[0] = hq;
        k[1] = hkv;
        *basis = RC_MEASURED;
        return true;
    }
    for (size_t i = b->first[op]; i < b->first[op + 1]; i++) {
        const rc_series *s = &b->series[i];
        double g = fabs(log((double)s->k[0] / (double)s->k[1] / group));
        double d = fabs(log((double)s->k[0] / hq)) + 100.0 * (g > 1e-9 ? 1.0 + g : 0.0);
        if (d >= best)
            continue;
        best = d;
        k[0] = s->k[0];
        k[1] = s->k[1];
    }
    if (best == INFINITY)
        return false;
    *basis = best < 1e-9 ? RC_MEASURED : best < 100.0 ? RC_EXTRAPOLATED : RC_MODELLED;
    return true;
}
