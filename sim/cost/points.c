/* From rows of the store to points of curves.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/points.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cost/call_plan.h"

static const int64_t HEADS_MAX = 1000000;

static void read_axes(const rc_row *r, const rc_op_info *info, rc_axes *at) {
    const int64_t column[RC_COLUMNS] = {r->a, r->b, r->c, r->d};
    memset(at, 0, sizeof *at);
    for (int i = 0; i < RC_COLUMNS; i++)
        if (info->column[i] != RC_AXIS_NONE)
            at->at[info->column[i]] = column[i];
    at->at[RC_AXIS_HEAD_K] = r->head_k;
    at->at[RC_AXIS_HEAD_V] = r->head_v;
    at->at[RC_AXIS_WINDOW] = r->window;
    at->at[RC_AXIS_EXPERTS] = r->experts;
    at->at[RC_AXIS_TOP_K] = r->top_k;
    if (rc_op_has_axis(info, RC_AXIS_NODES) && at->at[RC_AXIS_NODES] == 0)
        at->at[RC_AXIS_NODES] = 1;
}

/* A limit on NCCL's CTAs, standing between compute kernels, and an all-reduce of our own in place of NCCL's
 * make curves of their own, which transfers are priced by. */
static bool prices(const char *condition) {
    return strncmp(condition, "@ctas", 5) == 0 || strcmp(condition, "@apart") == 0 ||
           strcmp(condition, "@oneshot") == 0 || strcmp(condition, "@twoshot") == 0;
}

static bool takes_condition(const rc_op_info *info, const rc_row *r) {
    const char *condition = strchr(r->variant, '@');
    return condition == NULL || info->row_name != NULL ||
           (info->rule == RC_PRICE_LINK && prices(condition));
}

rc_op rc_row_op(const rc_row *r, rc_axes *at) {
    assert(r != NULL && at != NULL);
    for (rc_op op = rc_op_named(r->op); op < rc_op_count(); op++) {
        const rc_op_info *info = rc_op_info_of(op);
        if (strcmp(info->row_name != NULL ? info->row_name : info->name, r->op) != 0 ||
            !takes_condition(info, r))
            continue;
        read_axes(r, info, at);
        bool wanted = info->variant == NULL || strcmp(info->variant, r->variant) == 0;
        if (wanted && (info->takes == NULL || info->takes(at)))
            return info->along != RC_AXIS_NONE ? op : rc_op_count();
    }
    return rc_op_count();
}

static bool sound(const rc_op_info *info, const rc_axes *at) {
    for (int i = 0; info->fixed[i] != RC_AXIS_NONE; i++)
        if (at->at[info->fixed[i]] <= 0 && !rc_axis_may_be_zero(info->fixed[i]))
            return false;
    int64_t hq = at->at[RC_AXIS_QUERY_HEADS], hkv = at->at[RC_AXIS_KV_HEADS];
    return info->bound != RC_BOUND_ATTENTION || (hq <= HEADS_MAX && hkv <= hq);
}

/* Fills op, fixed and x; false when the row is of no use. */
static bool place(const rc_row *r, rc_cost_point *p) {
    rc_axes at = {{0}};
    p->op = rc_row_op(r, &at);
    if (p->op >= rc_op_count())
        return false;
    const rc_op_info *info = rc_op_info_of(p->op);
    double along = (double)at.at[info->along];
    if (info->per != RC_AXIS_NONE)
        along = at.at[info->per] > 0 ? along / (double)at.at[info->per] : 0.0;
    if (!(along > 0.0) || !sound(info, &at))
        return false;
    for (int i = 0; info->fixed[i] != RC_AXIS_NONE; i++)
        p->fixed.at[info->fixed[i]] = at.at[info->fixed[i]];
    p->x = log(along);
    return true;
}

/* Rows of transfers differ in the type of their elements, which a link does not see; a reduction
 * does, so two-byte types come first. */
static int preference(const char *dtype) {
    static const char *const order[] = {"bf16", "fp16", "bytes", ""};
    for (int i = 0; i < 4; i++) {
        if (strcmp(dtype, order[i]) == 0)
            return i;
    }
    return 4;
}

bool rc_row_type(const rc_row *r, rc_op op, rc_dtype *out) {
    assert(r != NULL && op < rc_op_count() && out != NULL);
    rc_type_rule rule = rc_op_info_of(op)->type;
    bool fp8 = strcmp(r->dtype, rc_dtype_name(RC_FP8)) == 0;
    bool blocks = strcmp(r->dtype, rc_dtype_name(RC_FP8_BLOCK)) == 0;
    bool apart = rule == RC_TYPE_OWN || rule == RC_TYPE_FP8;
    *out = !apart ? RC_BF16 : blocks ? RC_FP8_BLOCK : fp8 ? RC_FP8 : RC_BF16;
    if (blocks) /* scales of blocks are those of products; any other work with them is nobody else's */
        return apart && rc_op_info_of(op)->bound != RC_BOUND_ATTENTION;
    return rule != RC_TYPE_OWN || fp8 || strcmp(r->dtype, rc_dtype_name(RC_BF16)) == 0;
}

/* How far two calibrations of one GPU type lie apart, which p10 to p90 of one run do not show: 80 %
 * of the GEMMs of two H200 runs (results/calibration/h200-sxm) are within 2.2 % of each other in
 * bursts and 3.5 % at sustained clocks; a run's own share is that over the square root of two. */
static double between_runs(const rc_row *r) {
    return strcmp(r->state, "sustained") == 0 ? 0.025 : 0.016;
}

/* The number that a kernel's name ends with, 0 without one. */
static int version_of(const char *kernel) {
    const char *dash = strrchr(kernel, '-');
    long v = dash != NULL ? strtol(dash + 1, NULL, 10) : 0;
    return v > 0 && v < INT_MAX ? (int)v : 0;
}

static bool point_of(const rc_row *r, const char *base, const char *state, rc_cost_point *p) {
    memset(p, 0, sizeof *p);
    if (!place(r, p))
        return false;
    const rc_op_info *info = rc_op_info_of(p->op);
    bool moves = info->bound == RC_BOUND_LINK;
    if (!rc_row_type(r, p->op, &p->dtype) ||
        rc_call_kind_of(p->op, p->dtype, RC_PUBLISHED) != NULL ||
        (!moves && strcmp(r->machine, base) != 0))
        return false;
    bool published = strcmp(r->source, "measured") != 0;
    bool modelled = strncmp(r->source, "modelled", 8) == 0;
    p->machine = r->machine;
    p->gpu = r->gpu;
    p->variant = moves ? r->variant : "";
    p->y = log(r->p50);
    p->version = version_of(r->kernel);
    p->spread = (r->p90 - r->p10) / (2.0 * r->p50);
    if (!published)
        p->spread = hypot(p->spread, between_runs(r));
    p->own_state = moves || strcmp(r->state, state) == 0;
    p->basis = modelled ? RC_MODELLED : published ? RC_PUBLISHED : RC_MEASURED;
    p->rank = (published ? 10 : 0) + (moves ? preference(r->dtype) : 0);
    return isfinite(p->x) && isfinite(p->y);
}

rc_status rc_points_of(const rc_rows *rows, const char *base, const char *state,
                       rc_cost_point **out, size_t *n, rc_error *err) {
    assert(rows != NULL && base != NULL && state != NULL);
    size_t count = rc_rows_count(rows);
    rc_cost_point *p = calloc(count + 1, sizeof *p);
    if (p == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu cost rows", count);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        kept += point_of(rc_rows_at(rows, i), base, state, &p[kept]) ? 1 : 0;
    *out = p;
    *n = kept;
    return RC_OK;
}

int rc_point_curve_order(const rc_cost_point *x, const rc_cost_point *y) {
    if (x->op != y->op)
        return x->op < y->op ? -1 : 1;
    int o = strcmp(x->machine, y->machine);
    o = o != 0 ? o : strcmp(x->variant, y->variant);
    if (o == 0 && x->dtype != y->dtype)
        o = x->dtype < y->dtype ? -1 : 1;
    const rc_axis *fixed = rc_op_info_of(x->op)->fixed;
    for (int i = 0; o == 0 && fixed[i] != RC_AXIS_NONE; i++)
        o = (x->fixed.at[fixed[i]] > y->fixed.at[fixed[i]]) -
            (x->fixed.at[fixed[i]] < y->fixed.at[fixed[i]]);
    return o;
}
