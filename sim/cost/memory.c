/* Ops that HBM binds: merges, elementwise work and copies.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "sim/cost/rules.h"

rc_status rc_price_merge(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    double rows = (double)a->at->at[RC_AXIS_ROWS], parts = (double)a->at->at[RC_AXIS_PARTS];
    rc_probe p;
    if (a->at->at[RC_AXIS_PARTS] == 1)
        return rc_cost_nothing(out); /* one part is the answer */
    const rc_grid *g = rc_book_find(c->book, a->rows, RC_BF16, a->at);
    const bool measured = g != NULL;
    size_t n;
    if (g == NULL) /* of another size of heads: as many elements */
        g = rc_book_grids(c->book, a->rows, &n);
    if (g == NULL)
        return rc_cost_no_rows(c, "merge", err);
    if (!measured)
        rows *= (double)a->at->at[RC_AXIS_HEAD_V] / (double)g->fixed.at[RC_AXIS_HEAD_V];
    rc_grid_at(&g->curves, log(parts), log(rc_most(rows, 1.0)), &p);
    if (!measured)
        p.basis = rc_worse(p.basis, RC_MODELLED);
    return rc_answer(c, a, &p, out, err);
}

/* Tokens of a curve's width that move as many bytes as those asked for, as a log. */
static double place_on(const rc_grid *g, const rc_asked *a) {
    const rc_op_info *info = rc_op_info_of(a->op);
    const double bytes = (double)a->at->at[RC_AXIS_TOKENS] * info->width(a->at) * info->cell_bytes;
    return log(bytes / (info->width(&g->fixed) * rc_op_info_of(a->rows)->cell_bytes));
}

/* The curve of the width nearest to the one asked for; `lone`: one point may be all of it. NULL: there is none. */
static const rc_grid *nearest_width(const rc_grid *g, size_t n, const rc_asked *a, bool lone) {
    const rc_op_info *info = rc_op_info_of(a->op);
    const rc_grid *best = NULL;
    double far = INFINITY;
    for (size_t i = 0; i < n; i++) {
        double d = fabs(log(info->width(&g[i].fixed) / info->width(a->at)));
        if (d < far && (lone || rc_series_spans(g[i].curves.series))) {
            far = d;
            best = &g[i];
        }
    }
    return best;
}

/* A width that was measured for one number of tokens alone goes on as another width of which more is known: of its
 * own no more is than how the two compare there. */
static void width_at(const rc_grid *g, const rc_grid *other, const rc_asked *a, rc_probe *p) {
    const rc_series *own = g->curves.series;
    const double x = place_on(g, a);
    rc_series_at(own, x, p);
    if (rc_series_spans(own) || other == NULL)
        return;
    const double there = place_on(other, a);
    rc_probe asked, row;
    rc_series_at(other->curves.series, there, &asked);
    rc_series_at(other->curves.series, there + own->knot[0].x - x, &row);
    p->y = own->knot[0].y + asked.y - row.y;
}

/* The base has no rows of the op under its condition: the part that stands in for it may, else the op without the
 * condition answers. */
static rc_status without_condition(const rc_costs *c, const rc_asked *a, rc_cost *out,
                                   rc_error *err) {
    rc_costs there;
    size_t n;
    if (rc_costs_on_stand_in(c, &there) && rc_book_grids(there.book, a->rows, &n) != NULL)
        return rc_price_width(&there, a, out, err);
    const rc_asked rows = {a->op, rc_op_named(rc_op_info_of(a->rows)->row_name), a->d, a->at};
    return rc_price_width(c, &rows, out, err);
}

/* Another width is as many tokens more or fewer, and so are fewer bytes for each element than the op
 * moves whose rows stand for this one: the same bytes. */
rc_status rc_price_width(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    const rc_op_info *info = rc_op_info_of(a->op);
    const rc_grid *own = rc_book_find(c->book, a->rows, RC_BF16, a->at);
    size_t n;
    const rc_grid *all = rc_book_grids(c->book, a->rows, &n);
    const bool measured = own != NULL;
    rc_probe p;
    assert(a->at->at[RC_AXIS_TOKENS] >= 1 && info->width(a->at) >= 1.0);
    if (all == NULL && rc_op_info_of(a->rows)->row_name != NULL)
        return without_condition(c, a, out, err);
    if (all == NULL)
        return rc_cost_no_rows(c, info->name, err);
    const bool alone = own == NULL || !rc_series_spans(own->curves.series);
    const rc_grid *other = alone ? nearest_width(all, n, a, false) : NULL;
    if (own == NULL)
        own = other != NULL ? other : nearest_width(all, n, a, true);
    width_at(own, other, a, &p);
    if (!measured || a->rows != a->op)
        p.basis = rc_worse(p.basis, RC_MODELLED);
    return rc_answer(c, a, &p, out, err);
}

rc_status rc_price_copy(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, a->rows, &n);
    rc_probe p;
    if (g == NULL)
        return rc_cost_no_rows(c, "copy", err);
    rc_series_at(g->curves.series, log((double)a->at->at[RC_AXIS_BYTES]), &p);
    return rc_answer(c, a, &p, out, err);
}
