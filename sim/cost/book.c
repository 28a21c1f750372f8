/* Finding grids.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/book.h"

#include <assert.h>
#include <math.h>

const rc_grid *rc_book_grids(const rc_book *b, rc_op op, size_t *n) {
    assert(op < rc_op_count());
    assert(b != NULL && n != NULL);
    *n = b->first[op + 1] - b->first[op];
    return *n > 0 ? &b->grids[b->first[op]] : NULL;
}

const rc_product_rates *rc_book_products(const rc_book *b, rc_dtype d) {
    int type = rc_product_type_of(d);
    assert(b != NULL);
    return type < RC_PRODUCT_TYPES && b->products[type].flops > 0.0 ? &b->products[type] : NULL;
}

/* Of the type and of sizes before, at or after those of a grid, in the order of the book. */
static int order(const rc_grid *g, const rc_op_info *info, rc_dtype d, const rc_axes *at) {
    if (d != g->dtype)
        return d < g->dtype ? -1 : 1;
    for (int i = 0; info->fixed[i] != RC_AXIS_NONE; i++) {
        rc_axis axis = info->fixed[i];
        if (axis != info->across && at->at[axis] != g->fixed.at[axis])
            return at->at[axis] < g->fixed.at[axis] ? -1 : 1;
    }
    return 0;
}

const rc_grid *rc_book_find(const rc_book *b, rc_op op, rc_dtype d, const rc_axes *at) {
    const rc_op_info *info = rc_op_info_of(op);
    size_t lo = b->first[op], hi = b->first[op + 1];
    assert(info->bound != RC_BOUND_LINK);
    while (lo < hi) {
        size_t middle = (lo + hi) / 2;
        int o = order(&b->grids[middle], info, d, at);
        if (o == 0)
            return &b->grids[middle];
        if (o < 0)
            hi = middle;
        else
            lo = middle + 1;
    }
    return NULL;
}

static bool same_kind(const rc_grid *g, rc_dtype d, const rc_axes *at) {
    return g->dtype == d && g->fixed.at[RC_AXIS_HEAD_K] == at->at[RC_AXIS_HEAD_K] &&
           g->fixed.at[RC_AXIS_HEAD_V] == at->at[RC_AXIS_HEAD_V] &&
           g->fixed.at[RC_AXIS_WINDOW] == at->at[RC_AXIS_WINDOW];
}

const rc_grid *rc_book_heads(const rc_book *b, rc_op op, rc_dtype d, const rc_axes *at,
                             rc_basis *basis) {
    double hq = (double)at->at[RC_AXIS_QUERY_HEADS], hkv = (double)at->at[RC_AXIS_KV_HEADS];
    assert(b->grids != NULL);
    assert(hq >= 1.0 && hkv >= 1.0);
    *basis = RC_MEASURED;
    const rc_grid *found = rc_book_find(b, op, d, at); /* most often these were measured */
    if (found != NULL)
        return found;
    double best = INFINITY, group = hq / hkv;
    for (size_t i = b->first[op]; i < b->first[op + 1]; i++) {
        const rc_grid *grid = &b->grids[i];
        if (!same_kind(grid, d, at))
            continue;
        double q = (double)grid->fixed.at[RC_AXIS_QUERY_HEADS];
        double kv = (double)grid->fixed.at[RC_AXIS_KV_HEADS];
        double g = fabs(log(q / kv / group));
        double far = fabs(log(q / hq)) + 100.0 * (g > 1e-9 ? 1.0 + g : 0.0);
        if (far >= best)
            continue;
        best = far;
        found = grid;
    }
    *basis = best < 1e-9 ? RC_MEASURED : RC_MODELLED;
    return found;
}

const rc_field *rc_book_field(const rc_book *b, bool decode, rc_dtype d, const rc_axes *at) {
    assert(b != NULL && at != NULL);
    for (const rc_field *f = b->fields; f < b->fields + b->field_count; f++)
        if (f->kind.decode == decode && f->dtype == d && f->kind.head_k == at->at[RC_AXIS_HEAD_K] &&
            f->kind.head_v == at->at[RC_AXIS_HEAD_V] && f->kind.window == at->at[RC_AXIS_WINDOW])
            return f;
    return NULL;
}
