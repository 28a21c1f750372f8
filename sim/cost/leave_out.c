/* Leave-one-out over the rows of a store.
 *
 * A book is built for each group of points that are left out together, from the rows of their op
 * and type alone: no price asks for another's rows, save that of copies, which are few and stay.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/leave_out.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/quantile.h"
#include "sim/cost/costs.h"
#include "sim/cost/points.h"

/* Half-widths of a normal distribution, in standard deviations: p10..p90 and p5..p95. */
static const double Z_80 = 1.2815515655446004, Z_90 = 1.6448536269514722;

const char *rc_left_out_name(rc_left_out_by by) {
    static const char *const names[RC_LEFT_OUT_COUNT] = {"nothing", "row",  "line",
                                                         "shape",   "lone", "state"};
    assert(by < RC_LEFT_OUT_COUNT);
    return names[by];
}

void rc_machine_of_rows(const char *name, const char *state, rc_machine *out) {
    assert(name != NULL && state != NULL && out != NULL);
    *out = (rc_machine){.base_bf16_rate = INFINITY,
                        .base_fp8_rate = INFINITY,
                        .base_hbm_rate = INFINITY,
                        .gemm_ratio = 1.0,
                        .attention_ratio = 1.0,
                        .hbm_ratio = 1.0,
                        .nvlink_ratio = 1.0};
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    (void)snprintf(out->base, sizeof out->base, "%s", name);
    (void)snprintf(out->collectives, sizeof out->collectives, "%s", name);
    (void)snprintf(out->state, sizeof out->state, "%s", state);
}

/* A row with what the table of ops says of it. */
typedef struct point {
    const rc_row *row;
    rc_op op;   /* rc_op_count(): the row has no price */
    rc_op name; /* the first op of the row's name */
    rc_axes at;
    rc_dtype dtype; /* of the curve or surface that the row is of */
    double along;   /* the size that runs along a curve, as points.c takes it */
    bool own_state;
    bool surface; /* rows of its op make one, those of our own kernel another than published ones */
    bool measured;
    bool largest; /* of its curve */
    bool asked;   /* the point is to be left out and asked for */
    bool inside;  /* left out, it has rows of its curve on either side */
} point;

static bool makes_surface(rc_op op) {
    return op < rc_op_count() && rc_call_kind_of(op, RC_BF16, RC_PUBLISHED) != NULL;
}

/* Whether the row is of a type whose rows make curves or surfaces, and of an op that look-ups price; then its
 * type is known. */
static bool has_price(point *p) {
    if (p->op == rc_op_count() || !rc_row_type(p->row, p->op, &p->dtype))
        return false;
    const rc_op_info *info = rc_op_info_of(p->op);
    return makes_surface(p->op) || (info->bound != RC_BOUND_LINK && info->rule != RC_PRICE_NONE);
}

static double along(const point *p) {
    const rc_op_info *info = rc_op_info_of(p->op);
    double v = (double)p->at.at[info->along];
    return info->per != RC_AXIS_NONE ? v / (double)p->at.at[info->per] : v;
}

static bool same_type(const point *x, const point *y) {
    return x->name == y->name && x->dtype == y->dtype &&
           (!x->surface || x->measured == y->measured);
}

/* Whether all fixed sizes are the same; `across`: that one, too. */
static bool same_sizes(const point *x, const point *y, bool across) {
    const rc_op_info *info = rc_op_info_of(x->op);
    for (int i = 0; info->fixed[i] != RC_AXIS_NONE; i++)
        if ((across || info->fixed[i] != info->across) &&
            x->at.at[info->fixed[i]] != y->at.at[info->fixed[i]])
            return false;
    return true;
}

static bool same_curve(const point *x, const point *y) {
    return same_type(x, y) && x->op == y->op && same_sizes(x, y, true) &&
           (!x->surface || strcmp(x->row->variant, y->row->variant) == 0);
}

/* Whether `x` goes when `left` is left out. */
static bool goes(const point *x, const point *left, rc_left_out_by by) {
    switch (by) {
    case RC_LEFT_OUT_ROW:
        return same_curve(x, left) && x->along == left->along;
    case RC_LEFT_OUT_LINE:
        return same_curve(x, left);
    case RC_LEFT_OUT_SHAPE:
        return same_type(x, left) && same_sizes(left, x, false);
    case RC_LEFT_OUT_LONE:
        return same_curve(x, left) && !x->largest;
    case RC_LEFT_OUT_STATE:
        return same_curve(x, left) && x->along == left->along && x->own_state == left->own_state;
    default:
        return false;
    }
}

typedef struct job {
    const rc_machine *m;
    rc_left_out_by by;
    const rc_leaving *how;
    point *points; /* rows of the base and of one op; of transfers and the host none */
    size_t count;
    rc_left_out *out;
    size_t done;
} job;

static rc_status without(const job *j, const point *left, rc_rows **out, rc_error *err) {
    RC_TRY(rc_rows_create(out, err));
    for (size_t i = 0; i < j->count; i++) {
        const point *x = &j->points[i];
        bool of_op = same_type(x, left); /* types make curves apart */
        if ((of_op && !goes(x, left, j->by)) || (x->name != left->name && x->op == RC_COST_COPY))
            RC_TRY(rc_rows_add(*out, x->row, err));
    }
    return RC_OK;
}

static bool is_between(const job *j, const point *left, const point *p) {
    bool below = false, above = false;
    for (size_t i = 0; i < j->count; i++) {
        const point *x = &j->points[i];
        if (x->op != p->op || !same_curve(x, p) || goes(x, left, j->by))
            continue;
        below = below || x->along <= p->along;
        above = above || x->along >= p->along;
    }
    return below && above;
}

static rc_status ask(const job *j, const rc_costs *c, const point *left, const point *p,
                     rc_left_out *out, rc_error *err) {
    rc_error none = {0};
    *out = (rc_left_out){.row = p->row,
                         .op = p->op,
                         .dtype = p->dtype,
                         .between = (j->by == RC_LEFT_OUT_NOTHING && p->surface) ||
                                    is_between(j, left, p)};
    rc_status st = rc_cost_row(c, p->row, &out->cost, &none);
    out->answered = st == RC_OK;
    if (!p->surface) /* whose own rows say how far off an answer is */
        rc_nearness_of(c->book, p->op, p->dtype, &p->at, out->cost.basis, &out->near);
    bool unknown = st == RC_E_UNMODELLED || st == RC_E_INPUT; /* the rest says nothing of it */
    return out->answered || unknown ? RC_OK : rc_fail(err, st, "%s", none.msg);
}

/* Leaves out what goes with `left` and asks for all of it. asked[i] is set for what is done. */
static rc_status leave(job *j, size_t at, bool *asked, rc_error *err) {
    const point *left = &j->points[at];
    rc_rows *rest = NULL;
    rc_costs c = {.m = *j->m};
    rc_status st = without(j, left, &rest, err);
    if (st == RC_OK)
        st = rc_book_build_once(rest, j->m->base, j->m->state, &c.built, err);
    rc_rows_free(rest);
    if (st != RC_OK)
        return st;
    if (j->how->errors != NULL)
        rc_built_book_set_errors(c.built, j->how->errors);
    c.book = rc_built_book_of(c.built);
    for (size_t i = 0; i < j->count && st == RC_OK; i++) {
        const point *p = &j->points[i];
        bool with = j->by == RC_LEFT_OUT_NOTHING ? same_type(p, left) : goes(p, left, j->by);
        if (asked[i] || !p->asked || (i != at && !with))
            continue;
        asked[i] = true;
        st = ask(j, &c, left, p, &j->out[j->done++], err);
    }
    rc_built_book_free(c.built);
    return st;
}

/* rc_row_op has no error: rows of no op, and of links, are left aside. Rows that make surfaces lie
 * outside curves, so where curves alone are asked for they are not looked at. */
static size_t points_of(const rc_rows *rows, const rc_machine *m, const rc_leaving *how, point *p) {
    size_t n = 0;
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (strcmp(r->machine, m->base) != 0)
            continue;
        p[n] = (point){.row = r};
        p[n].op = rc_row_op(r, &p[n].at);
        p[n].surface = makes_surface(p[n].op);
        if (!has_price(&p[n]) || (how->curves && p[n].surface))
            continue;
        bool measured = strcmp(r->source, "measured") == 0;
        p[n].measured = measured;
        p[n].name = rc_op_named(r->op);
        p[n].along = along(&p[n]);
        /* what others published has no state where rows make surfaces */
        p[n].own_state = strcmp(r->state, m->state) == 0 || (p[n].surface && !measured);
        p[n].asked = p[n].own_state && (p[n].surface || measured) &&
                     (how->op == NULL || strcmp(how->op, r->op) == 0);
        n++;
    }
    return n;
}

/* The largest point of each curve stays, and is not asked for. */
static void leave_largest(point *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        p[i].largest = true;
        for (size_t k = 0; k < n && p[i].largest; k++)
            p[i].largest = p[k].along <= p[i].along || !same_curve(&p[k], &p[i]);
        p[i].asked = p[i].asked && !p[i].largest;
    }
}

static int in_order(const void *a, const void *b) {
    const rc_left_out *x = a, *y = b; /* rows of one array */
    return (x->row > y->row) - (x->row < y->row);
}

/* Of each op and type so many groups, evenly: whether the k-th point of `total` begins one. */
static bool is_picked(size_t k, size_t total, size_t most) {
    return total <= most || k * most / total != (k + 1) * most / total;
}

/* Where points are counted: by op, type, and whether rows of their curve are on either side. */
typedef struct tally {
    size_t of[RC_OPS_MAX][RC_DTYPES][2];
} tally;

static size_t *counter(tally *t, const point *p) {
    return &t->of[p->op][p->dtype][p->inside ? 1 : 0];
}

static rc_status leave_each(job *j, bool *asked, rc_error *err) {
    tally total = {{{{0}}}}, seen = {{{{0}}}};
    bool some = j->how->most > 0;
    for (size_t i = 0; some && i < j->count; i++) {
        point *p = &j->points[i];
        if (!p->asked)
            continue;
        p->inside = is_between(j, p, p);
        ++*counter(&total, p);
    }
    for (size_t i = 0; i < j->count; i++) {
        const point *p = &j->points[i];
        if (!p->asked)
            continue;
        bool picked = !some || is_picked((*counter(&seen, p))++, *counter(&total, p), j->how->most);
        if (picked && !asked[i])
            RC_TRY(leave(j, i, asked, err));
    }
    return RC_OK;
}

rc_status rc_leave_out(const rc_rows *rows, const rc_machine *m, const rc_leaving *how,
                       rc_left_out **out, size_t *n, rc_error *err) {
    assert(rows != NULL && m != NULL && how != NULL && out != NULL && n != NULL);
    assert(how->by < RC_LEFT_OUT_COUNT);
    size_t count = rc_rows_count(rows);
    job j = {.m = m, .by = how->by, .how = how};
    j.points = calloc(count + 1, sizeof *j.points);
    j.out = calloc(count + 1, sizeof *j.out);
    bool *asked = calloc(count + 1, sizeof *asked);
    rc_status st = j.points != NULL && j.out != NULL && asked != NULL
                       ? RC_OK
                       : rc_fail(err, RC_E_NOMEM, "out of memory for %zu cost rows", count);
    j.count = st == RC_OK ? points_of(rows, m, how, j.points) : 0;
    if (how->by == RC_LEFT_OUT_LONE)
        leave_largest(j.points, j.count);
    if (st == RC_OK)
        st = leave_each(&j, asked, err);
    free(j.points);
    free(asked);
    if (st != RC_OK) {
        free(j.out);
        return st;
    }
    qsort(j.out, j.done, sizeof *j.out, in_order);
    *out = j.out;
    *n = j.done;
    return RC_OK;
}

/* ---- how far off ----------------------------------------------------------------------------- */

static bool is_covered(const rc_left_out *x) {
    return fabs(log(x->cost.p50 / x->row->p50)) <= x->cost.spread * Z_90 / Z_80;
}

rc_status rc_left_out_errors_of(const rc_left_out *const *at, size_t n, rc_left_out_errors *out,
                                rc_error *err) {
    assert(out != NULL && (at != NULL || n == 0));
    *out = (rc_left_out_errors){0};
    double *off = calloc(n + 1, sizeof *off), most = -1.0, covered = 0.0;
    if (off == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu points", n);
    for (size_t i = 0; i < n; i++) {
        if (!at[i]->answered) {
            out->unanswered++;
            continue;
        }
        double e = fabs(at[i]->cost.p50 / at[i]->row->p50 - 1.0);
        if (e > most) {
            most = e;
            out->worst = at[i];
        }
        out->bias += log(at[i]->cost.p50 / at[i]->row->p50);
        covered += is_covered(at[i]) ? 1.0 : 0.0;
        off[out->n++] = e;
    }
    if (out->n > 0) {
        rc_sort(off, out->n);
        out->median = rc_quantile(off, out->n, 0.5);
        out->p95 = rc_quantile(off, out->n, 0.95);
        out->max = off[out->n - 1];
        out->bias /= (double)out->n;
        out->covered = covered / (double)out->n;
    }
    free(off);
    return RC_OK;
}
