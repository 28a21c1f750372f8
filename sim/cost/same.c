/* Ops whose rows answer for the sizes that were measured and for no others: nobody knows a rule
 * from one size to another.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "sim/cost/rules.h"

rc_status rc_price_same(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    const rc_op_info *info = rc_op_info_of(a->op);
    const rc_grid *g = rc_book_find(c->book, a->rows, a->d, a->at);
    size_t n;
    rc_probe p;
    if (g == NULL && rc_book_grids(c->book, a->rows, &n) != NULL)
        return rc_fail(err, RC_E_UNMODELLED, "%s in %s of these sizes has not been measured",
                       info->name, rc_dtype_name(a->d));
    if (g == NULL)
        return rc_cost_no_rows(c, info->name, err);
    double x = log((double)a->at->at[info->along]);
    if (info->across == RC_AXIS_NONE)
        rc_series_at(g->curves.series, x, &p);
    else
        rc_grid_at(&g->curves, log((double)a->at->at[info->across]), x, &p);
    return rc_answer(c, a, &p, out, err);
}
