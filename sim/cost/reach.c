/* Ops of which few or no rows exist: rows of the sizes asked for answer where there are some, else
 * the op's work over the rates that kernels of its kind reach.
 *
 * Such a time is a floor, for the launch and the first bytes, and the longer of what the matrix units
 * and what the HBM of the base take at their stated shares of the peaks (rc_op_info.reach_flops and
 * reach_bytes). It is RC_MODELLED, and its spread is stated, not learnt.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "sim/cost/rules.h"
#include "sim/cost/weights.h"

static const double FLOOR = 4e-6;
static const double SPREAD = 0.25; /* half of p10 to p90: published kernels of one kind differ so */

rc_status rc_price_reach(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    const rc_op_info *info = rc_op_info_of(a->op);
    const rc_dtype math = rc_dtype_math(a->d);
    const rc_asked rows = {a->op, a->rows, math, a->at};
    rc_work w;
    if (a->d == math && rc_book_find(c->book, a->rows, math, a->at) != NULL)
        return rc_price_same(c, &rows, out, err);
    double peak = math == RC_FP8 ? c->m.base_fp8_rate : c->m.base_bf16_rate;
    info->work(info, a->at, rc_weight_bytes(a->d), &w);
    double t = FLOOR + rc_most(w.flops / (info->reach_flops * peak),
                               w.bytes / (info->reach_bytes * c->m.base_hbm_rate));
    rc_probe p = {.y = log(t), .spread = SPREAD, .basis = RC_MODELLED};
    return rc_answer(c, &rows, &p, out, err);
}
