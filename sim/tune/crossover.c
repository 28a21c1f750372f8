/* Where pass-KV and pass-Q tie: T*(T+P) by Brent's method on the simulator itself.
 *
 * At a fixed length, ln(time of pass-Q / time of pass-KV) is evaluated at ten T, evenly spaced on a
 * logarithmic axis. Of several changes of sign the last counts, because pass-KV wins from there on,
 * and Brent's method (GSL) finds the root in that interval. T is a whole number of tokens, so the
 * function is a fine staircase, and the search ends when the interval is shorter than half a token
 * or a thousandth of T.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_roots.h>
#include <math.h>
#include "sim/base/parallel.h"
#include "sim/tune/tune_internal.h"

enum {
    SAMPLES = 10, /* of the advantage along T, to find where its sign changes */
    STEPS = 60    /* of Brent's method, at most */
};

typedef struct line {
    rc_tune_timer *timer;
    int n;
    int64_t length;
    rc_status status; /* the first failure inside the solver */
    rc_error error;
} line;

/* ln(pass-Q / pass-KV) at T = exp(x); NaN where one does not fit. */
static double advantage(double x, void *ctx) {
    line *l = ctx;
    double kv = NAN, q = NAN;
    int64_t t = llround(exp(x));
    if (t > l->length)
        t = l->length;
    rc_error err = {0};
    rc_status st = rc_tune_timer_time(l->timer, l->n, RC_TUNE_KV, t, l->length - t, 1, &kv, &err);
    if (st == RC_OK)
        st = rc_tune_timer_time(l->timer, l->n, RC_TUNE_Q, t, l->length - t, 1, &q, &err);
    if (st != RC_OK && l->status == RC_OK) {
        l->status = st;
        l->error = err;
    }
    return log(q / kv);
}

static double brent(line *l, double a, double b) {
    gsl_function fn = {advantage, l};
    gsl_root_fsolver *s = gsl_root_fsolver_alloc(gsl_root_fsolver_brent);
    if (!s) {
        l->status = rc_fail(&l->error, RC_E_NOMEM, "out of memory for a root");
        return NAN;
    }
    double root = 0.5 * (a + b);
    if (gsl_root_fsolver_set(s, &fn, a, b) == GSL_SUCCESS) {
        for (int i = 0; i < STEPS && gsl_root_fsolver_iterate(s) == GSL_SUCCESS; i++) {
            double lo = exp(gsl_root_fsolver_x_lower(s)), hi = exp(gsl_root_fsolver_x_upper(s));
            root = gsl_root_fsolver_root(s);
            if (hi - lo < fmax(0.5, 1e-3 * lo))
                break;
        }
    }
    gsl_root_fsolver_free(s);
    return exp(root);
}

rc_status rc_tune_cross(rc_tune_timer *c, int n, int64_t length, int64_t lo, int64_t hi,
                        double *out, int *side, rc_error *err) {
    assert(n >= 2);
    assert(1 <= lo && lo < hi && lo < length);
    line l = {.timer = c, .n = n, .length = length};
    double a = log((double)lo), b = log((double)(hi < length ? hi : length));
    double last = NAN, from = NAN, to = NAN, x_last = a;
    *out = NAN;
    *side = 0;
    for (int i = 0; i < SAMPLES && l.status == RC_OK; i++) {
        double x = a + (b - a) * i / (SAMPLES - 1), y = advantage(x, &l);
        if (last < 0.0 && y >= 0.0) {
            from = x_last;
            to = x;
        }
        if (isfinite(y)) {
            last = y;
            x_last = x;
        }
    }
    if (l.status == RC_OK && isfinite(from))
        *out = brent(&l, from, to);
    else if (isfinite(last))
        *side = last >= 0.0 ? 1 : -1;
    if (l.status != RC_OK && err)
        *err = l.error;
    return l.status;
}

/* ---- the curves of every degree ------------------------------------------------------------- */

static rc_status one_crossing(void *ctx, size_t item, rc_error *err) {
    rc_tune *t = ctx;
    int d = (int)(item / RC_TUNE_CROSSINGS), i = (int)(item % RC_TUNE_CROSSINGS);
    rc_tune_crossing *out = &t->crossing[d][i];
    rc_tune_axis axis = {t->s.total.from, t->s.total.to, RC_TUNE_CROSSINGS};
    int64_t length = rc_tune_axis_at(&axis, i);
    rc_tune_timer timer;
    *out = (rc_tune_crossing){(double)length, NAN, 0};
    if (t->s.degree[d] == 1 || length <= t->s.fresh.from)
        return RC_OK;
    RC_TRY(rc_tune_timer_open(&t->s.model, t->costs, &t->s.layout, 1, &timer, err));
    rc_status st = rc_tune_cross(&timer, t->s.degree[d], length, t->s.fresh.from, t->s.fresh.to,
                                 &out->t, &out->side, err);
    rc_tune_timer_close(&timer);
    return st;
}

rc_status rc_tune_crossings(rc_tune *t, rc_error *err) {
    return rc_parallel((size_t)t->s.degrees * RC_TUNE_CROSSINGS, t->threads, one_crossing, t, err);
}
