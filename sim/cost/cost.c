/* Opening costs, and what all look-ups share: the carry-over to another part, domains, errors.
 *
 * Carry-over. A call on the base takes t. C = flops / the base's peak and B = least bytes / the
 * rate its own device copy reaches bound it; w = C^4 / (C^4 + B^4) says how far it is bound by the
 * matrix units. On a machine whose matrix units run at r_m and whose HBM at r_h of the base's:
 *   - bound by the matrix units, all of the call follows their clock: t (1 + w (1/r_m - 1));
 *   - bound by HBM, only the traffic itself takes longer or shorter, while launch, latencies and
 * issue stay as they are: t + B/r_h - max(B, C). The larger of the two is taken; on faster memory
 * the second falls no lower than t r with r = max(C/r_m, B/r_h) / max(C, B), as if all of the call
 * followed; and the first counts only as far as the matrix units would still bound the call, C/B,
 * but for 1/r_h of it. And no call beats the matrix units: t is at least C, and then C/r_m. With
 * both ratios 1 this is t exactly.
 *
 * A time that would beat the machine's own published peak is refused, for then the file's ratio and
 * its peak contradict each other, and a forecast would claim more than 100 % of the part.
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

/* ---- opening ------------------------------------------------------------------------------- */

rc_status rc_costs_open(const char *store, const rc_machine *m, rc_costs **out, rc_error *err) {
    rc_costs *c = calloc(1, sizeof *c);
    if (c == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the costs");
    c->owner = true;
    c->m = *m;
    rc_selection of = {.base = m->base, .state = m->state};
    rc_status st = rc_store_rows(store, NULL, &c->rows, err);
    if (st == RC_OK)
        st = rc_book_build(c->rows, &of, &c->book, err);
    of.fp8_attention = true;
    if (st == RC_OK)
        st = rc_book_build(c->rows, &of, &c->fp8, err);
    if (st != RC_OK) {
        rc_costs_close(c);
        return st;
    }
    *out = c;
    return RC_OK;
}

void rc_costs_close(rc_costs *c) {
    if (c == NULL)
        return;
    if (c->owner) {
        rc_book_free(c->book);
        rc_book_free(c->fp8);
        rc_rows_free(c->rows);
    }
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
    v->fp8 = c->fp8;
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
    double kept = traffic > 0.0 ? fmin(fmax(arithmetic / traffic, 1.0 / hbm), 1.0) : 1.0;
    double carried = fmax(fmax(by_matrix * (hbm > 1.0 ? kept : 1.0), by_hbm), fmin(all, t));
    return fmax(carried, arithmetic / matrix);
}

static double or_one(double ratio) {
    return ratio > 0.0 ? ratio : 1.0;
}

/* Matrix rate of this machine over that of its base, for the op and type at hand. */
static double matrix_ratio(const rc_machine *m, const rc_work *w) {
    bool fp8 = w->dtype == RC_FP8;
    if (w->engine == ENGINE_GEMM)
        return m->gemm_ratio * (fp8 ? or_one(m->gemm_fp8) : 1.0);
    if (w->engine == ENGINE_ATTENTION)
        return m->attention_ratio * (fp8 ? or_one(m->attention_fp8) : 1.0);
    return 1.0;
}

/* Rounding of ratios and peaks that files give to three or four digits. */
static const double PEAK_SLACK = 1.005;

static rc_status below_peak(const rc_machine *m, const rc_work *w, double t, rc_error *err) {
    bool fp8 = w->dtype == RC_FP8, gemm = w->engine == ENGINE_GEMM;
    double peak = fp8 ? m->fp8_rate : m->bf16_rate, rate = w->flops / t;
    if (!(peak > 0.0) || rate <= peak * PEAK_SLACK)
        return RC_OK;
    return rc_fail(err, RC_E_INPUT,
                   "%s in %s would run at %.4g TFLOP/s on machine '%s', over its %s of %.4g "
                   "TFLOP/s: %s (%.4g, over '%s') is too high or %s too low; a file that leaves "
                   "calibration.transfer.%s out takes it from the peaks",
                   gemm ? "a GEMM" : "attention", rc_dtype_name(w->dtype), rate / 1e12, m->name,
                   fp8 ? "fp8_rate" : "bf16_rate", peak / 1e12,
                   gemm ? "gemm_ratio" : "attention_ratio", matrix_ratio(m, w), m->base,
                   fp8 ? "fp8_rate" : "bf16_rate", gemm ? "gemm" : "attention");
}

rc_status rc_cost_finish(const rc_costs *c, const rc_probe *p, const rc_work *w, rc_cost *out,
                         rc_error *err) {
    const rc_machine *m = &c->m;
    double matrix = matrix_ratio(m, w);
    double peak = w->dtype == RC_FP8 ? m->base_fp8_rate : m->base_bf16_rate;
    double t = fmax(exp(p->y), w->flops / peak); /* extrapolated rows may promise too much */
    bool carried = matrix != 1.0 || m->hbm_ratio != 1.0;
    if (carried)
        t = carry(t, w->flops / peak, w->bytes / (COPY_SHARE * m->base_hbm_rate), matrix,
                  m->hbm_ratio);
    if (!isfinite(t))
        return rc_fail(err, RC_E_INPUT, "a cost is out of range on machine '%s'", m->name);
    if (w->engine != ENGINE_MEMORY)
        RC_TRY(below_peak(m, w, t, err));
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
    *basis = best < 1e-9 ? RC_MEASURED : RC_MODELLED;
    return true;
}
