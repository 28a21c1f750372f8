/* Ops of which few or no rows of our own exist: the surface of the rows that there are answers
 * (surface.h), else the op's work over the rates that kernels of its kind reach.
 *
 * An answer of a surface is what its rows are near to them, RC_EXTRAPOLATED where the rows say little
 * (the kriging variance is over FAR), and RC_MODELLED for heads of other sizes. A time without rows is
 * a floor, for the launch and the first bytes, and the longer of what the matrix units and what the
 * HBM of the base take at their stated shares of the peaks (rc_op_info.reach_flops and reach_bytes).
 * It is RC_MODELLED, and its spread is stated, not learnt.
 *
 * Products in fp8 with a scale for each block take longer than those with a scale a row where the matrix
 * units bind them, so rows of the latter do not answer for the former.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "sim/cost/rules.h"
#include "sim/cost/surface.h"
#include "sim/cost/weights.h"

static const double FLOOR = 4e-6;
static const double SPREAD = 0.25; /* half of p10 to p90: published kernels of one kind differ so */
static const double FAR = 0.5;
static const double OTHER_HEADS = 0.15; /* stated: spread of rows of heads of other sizes */

static rc_status by_surface(const rc_costs *c, const rc_asked *a, const rc_surface *s,
                            const rc_surface_answer *found, rc_cost *out, rc_error *err) {
    const bool heads = a->at->at[RC_AXIS_HEAD_K] == s->head_k || s->head_k == 0;
    const bool values = a->at->at[RC_AXIS_HEAD_V] == s->head_v || s->head_v == 0;
    double own = s->error * sqrt(found->variance);
    rc_probe p = {.y = found->y,
                  .basis = found->variance > FAR ? rc_worse(s->basis, RC_EXTRAPOLATED) : s->basis};
    if (!heads || !values) {
        own = hypot(own, OTHER_HEADS);
        p.basis = RC_MODELLED;
    }
    p.spread = own;
    return rc_answer_own(c, a, &p, own, out, err);
}

/* Rows of just the type asked for: a surface near the call, a curve of its sizes; where the base has measured
 * none, those of the part that stands in for it. *known: there were any. */
static rc_status by_rows(const rc_costs *c, const rc_asked *a, bool *known, rc_cost *out,
                         rc_error *err) {
    rc_surface_answer found, other;
    rc_costs there;
    const rc_surface *s = rc_surface_near(c->book, a->rows, a->d, NULL, a->at, &found);
    *known = true;
    if (a->d == RC_FP8_BLOCK && (s == NULL || s->basis != RC_MEASURED) &&
        rc_costs_on_stand_in(c, &there)) {
        const rc_surface *o = rc_surface_near(there.book, a->rows, a->d, NULL, a->at, &other);
        if (o != NULL && o->basis == RC_MEASURED)
            return by_surface(&there, a, o, &other, out, err);
    }
    if (s != NULL)
        return by_surface(c, a, s, &found, out, err);
    if (rc_book_find(c->book, a->rows, a->d, a->at) != NULL)
        return rc_price_same(c, a, out, err);
    *known = false;
    return RC_OK;
}

rc_status rc_price_reach(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    const rc_op_info *info = rc_op_info_of(a->op);
    const rc_dtype math = rc_dtype_math(a->d);
    const rc_asked rows = {a->op, a->rows, math, a->at};
    bool known = false;
    rc_work w;
    if (a->d == math || a->d == RC_FP8_BLOCK)
        RC_TRY(by_rows(c, a, &known, out, err));
    if (known)
        return RC_OK;
    double peak = math == RC_FP8 ? c->m.base_fp8_rate : c->m.base_bf16_rate;
    info->work(info, a->at, rc_weight_bytes(a->d), &w);
    double t = FLOOR + rc_most(w.flops / (info->reach_flops * peak),
                               w.bytes / (info->reach_bytes * c->m.base_hbm_rate));
    rc_probe p = {.y = log(t), .spread = SPREAD, .basis = RC_MODELLED};
    return rc_answer(c, &rows, &p, out, err);
}
