/* Attention and decode: times from the fields of the base (field.h). What was measured of such heads
 * the curves tell: an answer is `measured` between rows of the heads asked for, `extrapolated` beyond
 * them, and `modelled` of heads that have none, whose plan is known and whose rows are not. Heads of a
 * size that has no field take the field of the usual size, in proportion to the elements of a key and a
 * value but for a floor: FLOPs of a prompt and bytes of a decode step both go with these.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "sim/cost/field.h"
#include "sim/cost/rules.h"

/* Types of Q, K and V of which there are rows. */
static rc_status check_type(rc_dtype d, rc_error *err) {
    if (d == RC_BF16 || d == RC_FP8)
        return RC_OK;
    return rc_fail(err, RC_E_UNMODELLED, "attention in %s has not been measured: bf16 or fp8",
                   rc_dtype_name(d));
}

/* "head dimension 128", "head dimensions 192 (keys) and 128 (values), window 4096" */
static const char *sizes_text(const rc_axes *at, char *buf, size_t size) {
    long long k = (long long)at->at[RC_AXIS_HEAD_K], v = (long long)at->at[RC_AXIS_HEAD_V];
    long long window = (long long)at->at[RC_AXIS_WINDOW];
    char heads[96], limit[48] = "";
    if (k == v)
        (void)snprintf(heads, sizeof heads, "head dimension %lld", k);
    else
        (void)snprintf(heads, sizeof heads, "head dimensions %lld (keys) and %lld (values)", k, v);
    if (window > 0)
        (void)snprintf(limit, sizeof limit, ", window %lld", window);
    (void)snprintf(buf, size, "%s%s", heads, limit);
    return buf;
}

/* Why no curve of `op` was found: other head sizes or another window than those that were measured,
 * or no rows at all. */
static rc_status not_found(const rc_costs *c, const rc_asked *a, rc_op op, const char *what,
                           rc_error *err) {
    char text[64], asked[160], measured[160];
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, op, &n);
    (void)snprintf(text, sizeof text, "%s in %s", what, rc_dtype_name(a->d));
    for (size_t i = 0; i < n; i++)
        if (g[i].dtype == a->d)
            return rc_fail(err, RC_E_UNMODELLED,
                           "%s with %s has not been measured: there are rows of %s", text,
                           sizes_text(a->at, asked, sizeof asked),
                           sizes_text(&g[i].fixed, measured, sizeof measured));
    return rc_cost_no_rows(c, a->d == RC_BF16 ? what : text, err);
}

/* The field of the sizes asked for, else that of the usual ones and how many times their elements there
 * are; NULL without either. */
static const rc_field *field_of(const rc_costs *c, const rc_asked *a, bool decode, double *times) {
    const rc_field *f = rc_book_field(c->book, decode, a->d, a->at);
    *times = 1.0;
    if (f != NULL)
        return f;
    rc_axes usual = *a->at;
    usual.at[RC_AXIS_HEAD_K] = usual.at[RC_AXIS_HEAD_V] = RC_HEAD_DEFAULT;
    *times =
        (double)(a->at->at[RC_AXIS_HEAD_K] + a->at->at[RC_AXIS_HEAD_V]) / (2.0 * RC_HEAD_DEFAULT);
    return rc_book_field(c->book, decode, a->d, &usual);
}

/* ln of the time of a call whose heads have `times` the elements of the field's. */
static double timed(const rc_field *f, const rc_plan_call *call, double times) {
    static const double FLOOR = 4e-6; /* launch, and the first bytes */
    double y = rc_field_time(f, call), t = exp(y);
    return times == 1.0 || t <= FLOOR ? y : log(FLOOR + (t - FLOOR) * times);
}

static const double SIZE_SPREAD = 0.2; /* stated, of heads whose size was not measured */

static rc_plan_call call_of(const rc_costs *c, const rc_asked *a, bool causal, const rc_field *f) {
    const int64_t *at = a->at->at;
    return (rc_plan_call){.tq = at[RC_AXIS_QUERIES],
                          .tk = at[RC_AXIS_KEYS],
                          .sequences = at[RC_AXIS_SEQUENCES] > 0 ? at[RC_AXIS_SEQUENCES] : 1,
                          .longest = at[RC_AXIS_KEYS],
                          .hq = at[RC_AXIS_QUERY_HEADS],
                          .hkv = at[RC_AXIS_KV_HEADS],
                          .causal = causal,
                          .whole = c->m.whole_tiles,
                          .version = f->version};
}

/* Spread and basis of an answer by the rows of op. u, x: logs of the axis across, if there is one,
 * and of that along. False without rows of such head sizes. */
static bool trust(const rc_costs *c, const rc_asked *a, rc_op op, double u, double x,
                  rc_probe *out) {
    rc_basis heads;
    const rc_grid *g = rc_book_heads(c->book, op, a->d, a->at, &heads);
    if (g == NULL)
        return false;
    if (rc_op_info_of(op)->across == RC_AXIS_NONE)
        rc_series_at(g->curves.series, x, out);
    else
        rc_grid_trust(&g->curves, u, x, out);
    out->basis = rc_worse(out->basis, heads);
    return true;
}

rc_status rc_price_full(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    double times;
    const rc_field *f = field_of(c, a, false, &times);
    double q = log((double)a->at->at[RC_AXIS_QUERIES]), k = log((double)a->at->at[RC_AXIS_KEYS]);
    rc_probe p = {.basis = RC_MODELLED, .spread = times == 1.0 ? 0.0 : SIZE_SPREAD};
    RC_TRY(check_type(a->d, err));
    rc_costs there;
    if (f == NULL && rc_costs_on_stand_in(c, &there))
        return rc_price_full(&there, a, out, err);
    if (f == NULL)
        return not_found(c, a, RC_COST_FULL, "attention (full)", err);
    if (!trust(c, a, RC_COST_FULL, q, k, &p))
        p.basis = RC_MODELLED;
    rc_plan_call call = call_of(c, a, false, f);
    p.y = timed(f, &call, times);
    return rc_answer(c, a, &p, out, err);
}

/* A square by its curve; behind cached keys by the rows with such keys, and a model without. */
static void trust_causal(const rc_costs *c, const rc_asked *a, rc_probe *p) {
    double tq = (double)a->at->at[RC_AXIS_QUERIES], tk = (double)a->at->at[RC_AXIS_KEYS];
    rc_probe behind;
    if (!trust(c, a, RC_COST_SQUARE, 0.0, log(tq), p))
        p->basis = RC_MODELLED;
    if (tk <= tq)
        return;
    p->basis = RC_MODELLED;
    if (!trust(c, a, RC_COST_PREFIX, log(tq), log(tk / tq), &behind))
        return;
    p->spread = behind.spread;
    if (behind.basis != RC_EXTRAPOLATED)
        p->basis = behind.basis;
}

rc_status rc_price_causal(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    double times;
    const rc_field *f = field_of(c, a, false, &times);
    rc_axes at = *a->at;
    rc_probe p = {.basis = RC_MODELLED, .spread = times == 1.0 ? 0.0 : SIZE_SPREAD};
    RC_TRY(check_type(a->d, err));
    rc_costs there;
    if (f == NULL && rc_costs_on_stand_in(c, &there))
        return rc_price_causal(&there, a, out, err);
    if (f == NULL) {
        size_t squares;
        (void)rc_book_grids(c->book, RC_COST_SQUARE, &squares);
        return not_found(c, a, squares > 0 ? RC_COST_SQUARE : RC_COST_FULL, "attention (causal)",
                         err);
    }
    bool blind = at.at[RC_AXIS_KEYS] < at.at[RC_AXIS_QUERIES]; /* the first queries see no key */
    if (blind)
        at.at[RC_AXIS_QUERIES] = at.at[RC_AXIS_KEYS];
    rc_asked seen = {a->op, a->rows, a->d, &at};
    trust_causal(c, &seen, &p);
    rc_plan_call call = call_of(c, &seen, true, f);
    if (blind)
        p.basis = RC_MODELLED;
    p.y = timed(f, &call, times);
    return rc_answer(c, &seen, &p, out, err);
}

rc_status rc_price_decode(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    double times;
    const rc_field *f = field_of(c, a, true, &times);
    int64_t batch = a->at->at[RC_AXIS_BATCH], context = a->at->at[RC_AXIS_CONTEXT];
    int64_t longest = a->at->at[RC_AXIS_LONGEST];
    rc_probe p = {.basis = RC_MODELLED, .spread = times == 1.0 ? 0.0 : SIZE_SPREAD};
    RC_TRY(check_type(a->d, err));
    rc_costs there;
    if (f == NULL && rc_costs_on_stand_in(c, &there))
        return rc_price_decode(&there, a, out, err);
    if (f == NULL)
        return not_found(c, a, a->rows, "decode", err);
    if (!trust(c, a, a->rows, log((double)batch), log((double)context), &p))
        p.basis = RC_MODELLED;
    rc_plan_call call = call_of(c, a, false, f);
    call.tq = 1;
    call.tk = context;
    call.sequences = batch;
    call.longest = longest > context ? longest : context;
    p.y = timed(f, &call, times);
    return rc_answer(c, a, &p, out, err);
}
