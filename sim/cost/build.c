/* Building a book: points in order, cut into curves, each with its coefficients.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/build.h"

#include <assert.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_interp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/arena.h"
#include "sim/cost/field_fit.h"
#include "sim/cost/settle.h"
#include "sim/cost/surface_fit.h"

struct rc_built_book {
    rc_book book;
    rc_arena *arena;
    /* The same arrays as the book's, here to be filled. */
    rc_grid *grids;
    rc_field *fields;
    rc_surface *surfaces;
    rc_series *series;
    rc_knot *knots;
    /* Room for the points of one curve. */
    double *x, *y;
    rc_block *work;
    size_t series_count, knot_count;
    bool smooth; /* plans without waves */
    bool once;   /* few look-ups will follow: what only makes them faster is left out */
};

static rc_status no_memory(rc_error *err) {
    return rc_fail(err, RC_E_NOMEM, "out of memory for the cost series");
}

/* ---- one curve ------------------------------------------------------------------------------- */

/* The slopes at the points are Steffen's, by GSL, which gives that of the last point only as the
 * end of a cubic: it is the slope of the last straight line, as at the first point. The cubics are
 * those that meet points and slopes, rounded as GSL rounds them, so that a look-up gives the number
 * that gsl_interp_eval gives, to the bit (tests/unit/test_cost_book.c). */
static rc_status bend(rc_knot *k, size_t n, const double *x, const double *y, rc_error *err) {
    gsl_interp *curve = gsl_interp_alloc(gsl_interp_steffen, n);
    if (curve == NULL)
        return no_memory(err);
    int code = gsl_interp_init(curve, x, y, n);
    for (size_t i = 0; i + 1 < n && code == GSL_SUCCESS; i++)
        code = gsl_interp_eval_deriv_e(curve, x, y, x[i], NULL, &k[i].slope);
    gsl_interp_free(curve);
    if (code != GSL_SUCCESS)
        return rc_fail(err, RC_E_INTERNAL, "the points of a cost series are not in order");
    k[n - 1].slope = (y[n - 1] - y[n - 2]) / (x[n - 1] - x[n - 2]);
    for (size_t i = 0; i + 1 < n; i++) {
        double h = x[i + 1] - x[i], s = (y[i + 1] - y[i]) / h, m0 = k[i].slope, m1 = k[i + 1].slope;
        k[i].cube = (m0 + m1 - 2.0 * s) / h / h;
        k[i].square = (3.0 * s - 2.0 * m0 - m1) / h;
    }
    return RC_OK;
}

static rc_status add_series(rc_built_book *b, const rc_cost_point *p, size_t n, rc_error *err) {
    const rc_op_info *info = rc_op_info_of(p->op);
    rc_knot *k = &b->knots[b->knot_count];
    for (size_t i = 0; i < n; i++) {
        b->x[i] = p[i].x;
        b->y[i] = p[i].y;
    }
    if (info->rises)
        rc_isotonic(b->y, NULL, n, b->work);
    for (size_t i = 0; i < n; i++)
        b->y[i] = rc_pooled(p[i].y, b->y[i]);
    for (size_t i = 0; i < n; i++)
        k[i] = (rc_knot){.x = b->x[i], .y = b->y[i], .spread = p[i].spread, .basis = p[i].basis};
    rc_series *s = &b->series[b->series_count++];
    *s = (rc_series){.power = info->power, .n = n, .knot = k};
    if (info->across != RC_AXIS_NONE)
        s->across = log((double)p->fixed.at[info->across]);
    b->knot_count += n;
    s->curved = n > 2 && !info->straight;
    return s->curved ? bend(k, n, b->x, b->y, err) : RC_OK;
}

/* ---- all curves ------------------------------------------------------------------------------ */

static const char *keep(rc_built_book *b, const char *text, const char *before) {
    if (before != NULL && strcmp(text, before) == 0)
        return before;
    return rc_arena_strdup(b->arena, text);
}

static bool same_grid(const rc_cost_point *x, const rc_cost_point *y) {
    rc_axis across = rc_op_info_of(x->op)->across;
    rc_cost_point z = *y;
    if (across != RC_AXIS_NONE && x->op == y->op)
        z.fixed.at[across] = x->fixed.at[across];
    return rc_point_curve_order(x, &z) == 0;
}

static rc_status add_grid(rc_built_book *b, const rc_cost_point *p, rc_error *err) {
    rc_grid *g = &b->grids[b->book.count];
    const rc_grid *before = b->book.count > 0 ? g - 1 : NULL;
    rc_axis across = rc_op_info_of(p->op)->across;
    *g = (rc_grid){.op = p->op, .dtype = p->dtype, .fixed = p->fixed};
    g->machine = keep(b, p->machine, before != NULL ? before->machine : NULL);
    g->gpu = keep(b, p->gpu, before != NULL ? before->gpu : NULL);
    g->variant = keep(b, p->variant, before != NULL ? before->variant : NULL);
    g->curves.series = &b->series[b->series_count];
    if (across != RC_AXIS_NONE)
        g->fixed.at[across] = 0;
    for (int i = 0; i < 2; i++) {
        int64_t size = g->fixed.at[rc_op_info_of(p->op)->fixed[i]];
        g->logs[i] = size > 0 ? log((double)size) : 0.0;
    }
    b->book.count++;
    return g->machine && g->gpu && g->variant ? RC_OK : no_memory(err);
}

/* A grid is evaluated on the stack: say so here rather than overrun there. */
static rc_status count_in(rc_grid *g, rc_error *err) {
    if (++g->curves.n <= RC_GRID_MAX)
        return RC_OK;
    return rc_fail(err, RC_E_SCHEMA, "the store has more than %d series of %s on machine %s",
                   RC_GRID_MAX, rc_op_info_of(g->op)->name, g->machine);
}

/* ---- products ------------------------------------------------------------------------------- */

/* The best rates of all products of a type, and the SMs of the GPU they ran on. */
static void reach(rc_product_rates *r, const rc_grid *g) {
    const rc_op_info *info = rc_op_info_of(g->op);
    rc_axes at = g->fixed;
    rc_work w;
    r->sms = rc_gpu_sms(g->gpu);
    for (const rc_knot *k = g->curves.series->knot;
         k < g->curves.series->knot + g->curves.series->n; k++) {
        at.at[info->along] = llround(exp(k->x));
        info->work(info, &at, rc_dtype_bytes(g->dtype), &w);
        r->flops = fmax(r->flops, w.flops / exp(k->y));
        r->bytes = fmax(r->bytes, w.bytes / exp(k->y));
    }
}

/* log(measured / plan) at each point of the products. */
static void compare_with_plan(rc_built_book *b) {
    const rc_grid *end = b->grids + b->book.first[RC_COST_GEMM + 1];
    const rc_grid *first = b->grids + b->book.first[RC_COST_GEMM];
    for (const rc_grid *g = first; g < end; g++)
        reach(&b->book.products[rc_product_type_of(g->dtype)], g);
    for (const rc_grid *g = first; g < end; g++) {
        const rc_series *s = g->curves.series;
        rc_knot *k = &b->knots[s->knot - b->knots];
        double n = (double)g->fixed.at[RC_AXIS_OUTPUTS];
        double depth = (double)g->fixed.at[RC_AXIS_INPUTS];
        for (size_t i = 0; i < s->n; i++)
            k[i].rest = k[i].y - rc_gemm_plan(rc_book_products(&b->book, g->dtype), g->dtype,
                                              (double)llround(exp(k[i].x)), n, depth);
    }
}

/* ---- beyond the rows of what HBM binds ------------------------------------------------------ */

/* Bytes of `amount` of the running axis of a series. */
static double bytes_of(const rc_grid *g, const rc_series *s, double amount) {
    const rc_op_info *info = rc_op_info_of(g->op);
    rc_axes at = g->fixed;
    rc_work one;
    at.at[info->along] = 1;
    if (info->across != RC_AXIS_NONE)
        at.at[info->across] = llround(exp(s->across));
    info->work(info, &at, rc_dtype_bytes(g->dtype), &one);
    return one.bytes * amount;
}

/* Bytes/s of the last point of a series. */
static double last_rate(const rc_grid *g, const rc_series *s) {
    const rc_knot *end = &s->knot[s->n - 1];
    return bytes_of(g, s, exp(end->x)) / exp(end->y);
}

/* Bytes/s that the base's memory is seen to reach: the best of the last calls of all its ops. */
static double bandwidth(const rc_built_book *b) {
    double most = 0.0;
    for (const rc_grid *g = b->grids; g < b->grids + b->book.count; g++)
        for (size_t i = 0; rc_op_info_of(g->op)->bound == RC_BOUND_MEMORY && i < g->curves.n; i++)
            most = fmax(most, last_rate(g, &g->curves.series[i]));
    return most;
}

/* Beyond its points a series takes its own seconds a byte where its last call reaches half of the
 * bandwidth: every op of the H100 and the H200 reaches over 0.54 of it in its longest calls. A
 * series that ends where latency still counts goes on at the bandwidth. */
static void go_on_at_bandwidth(rc_built_book *b, const rc_grid *g, double most) {
    const double settled = 0.5;
    rc_series *s = &b->series[g->curves.series - b->series];
    for (size_t i = 0; i < g->curves.n; i++) {
        double rate = last_rate(g, &s[i]);
        s[i].unit = bytes_of(g, &s[i], 1.0) / (rate >= settled * most ? rate : most);
    }
}

/* Beyond its points a transfer takes a latency and so much a byte: as much as between the last point
 * and the one about half as large. Along the slope of its logs, which the latency keeps below 1, the
 * ring of eight H100 would move a quarter of a GB at 406 GB/s of its bus, which reaches 370 at most
 * (NVIDIA/nccl issue 2140). */
static void go_on_at_rate(rc_built_book *b, const rc_grid *g) {
    const double settled = 0.9; /* beyond it a series goes on in proportion (series.h) */
    rc_series *s = &b->series[g->curves.series - b->series];
    for (size_t i = 0; i < g->curves.n; i++) {
        const rc_knot *end = &s[i].knot[s[i].n - 1], *before = end;
        while (before > s[i].knot && end->x - before->x < 0.64)
            before--;
        double more = exp(end->x) - exp(before->x);
        double slope = end->x > before->x ? (end->y - before->y) / (end->x - before->x) : 1.0;
        if (slope > 0.0 && slope < settled)
            s[i].unit = (exp(end->y) - exp(before->y)) / more;
    }
}

static rc_status cut(rc_built_book *b, const rc_cost_point *p, size_t n, rc_error *err) {
    size_t end = 0;
    for (size_t i = 0; i < n; i = end) {
        for (end = i + 1; end < n && rc_point_curve_order(&p[i], &p[end]) == 0;)
            end++;
        if (i == 0 || !same_grid(&p[i - 1], &p[i]))
            RC_TRY(add_grid(b, &p[i], err));
        RC_TRY(count_in(&b->grids[b->book.count - 1], err));
        RC_TRY(add_series(b, &p[i], end - i, err));
    }
    double most = bandwidth(b);
    for (size_t i = 0; i < b->book.count; i++)
        if (rc_op_info_of(b->grids[i].op)->bound == RC_BOUND_MEMORY)
            go_on_at_bandwidth(b, &b->grids[i], most);
        else if (rc_op_info_of(b->grids[i].op)->bound == RC_BOUND_LINK)
            go_on_at_rate(b, &b->grids[i]);
    for (size_t i = 0; i < b->book.count; i++)
        if (!b->once && rc_op_info_of(b->grids[i].op)->rises)
            rc_curves_separate(&b->grids[i].curves);
    size_t at = 0;
    for (rc_op op = 0; op <= RC_OPS_MAX; op++) {
        while (at < b->book.count && b->grids[at].op < op)
            at++;
        b->book.first[op] = at;
    }
    compare_with_plan(b);
    return RC_OK;
}

static rc_status make_room(rc_built_book *b, size_t n, rc_error *err) {
    b->grids = rc_arena_alloc(b->arena, (n + 1) * sizeof *b->grids);
    b->series = rc_arena_alloc(b->arena, (n + 1) * sizeof *b->series);
    b->knots = rc_arena_alloc(b->arena, (n + 1) * sizeof *b->knots);
    b->x = rc_arena_alloc(b->arena, (n + 1) * sizeof *b->x);
    b->y = rc_arena_alloc(b->arena, (n + 1) * sizeof *b->y);
    b->work = rc_arena_alloc(b->arena, (n + 1) * sizeof *b->work);
    b->book.grids = b->grids;
    return b->grids && b->series && b->knots && b->x && b->y && b->work ? RC_OK : no_memory(err);
}

/* The limiter acts within the long calls of a burst: not yet in those of LONG, and in those of
 * ALL_LONG nearly from beginning to end. Between them what it adds grows as the square of the log
 * of the call's time: sustained products and attention are 1.17 to 1.20 times as long as bursts up
 * to 4 ms, 1.12 to 1.17 times at 6 to 11 ms, 1.10 to 1.13 at 23 ms and 1.02 to 1.06 from 45 ms on
 * (results/calibration, medians of both parts). */
static const double LONG = 2.5e-3, ALL_LONG = 60e-3;

static void undo_throttling(rc_cost_point *p, size_t n, const rc_power *power) {
    for (size_t i = 0; i < n; i++) {
        rc_power_class class = rc_power_class_of(p[i].op, p[i].dtype);
        double far = (p[i].y - log(LONG)) / log(ALL_LONG / LONG);
        if (p[i].own_state && rc_power_of_matrix(class) && far > 0.0 &&
            rc_op_info_of(p[i].op)->bound != RC_BOUND_LINK)
            p[i].y -= fmin(far * far, 1.0) * log(power->law[class].alone);
    }
}

/* The power model of the type of GPU and those of single cards; where only cards have rows, the
 * first stands for the type. */
static rc_status fill_power(rc_built_book *b, const rc_rows *rows, rc_error *err) {
    const char *base = b->book.base;
    int cards = 0;
    RC_TRY(rc_power_of_rows(rows, base, RC_NO_CARD, &b->book.power, err));
    RC_TRY(rc_power_cards(rows, base, &cards, err));
    rc_power *of = rc_arena_alloc(b->arena, (size_t)(cards + 1) * sizeof *of);
    if (of == NULL)
        return no_memory(err);
    for (int k = 0; k < cards; k++) {
        RC_TRY(rc_power_of_rows(rows, base, k, &of[k], err));
        if (!of[k].known)
            return rc_fail(err, RC_E_INPUT,
                           "rows of the clock of '%s' name %d cards, but those of card %d do not "
                           "tell how its clock follows its power: give it all of its suite, or "
                           "none",
                           base, cards, k);
    }
    b->book.cards = of;
    b->book.card_count = cards;
    if (cards > 0 && !b->book.power.known)
        b->book.power = of[0];
    return RC_OK;
}

static rc_status fill(rc_built_book *b, const rc_rows *rows, rc_error *err) {
    rc_cost_point *p = NULL;
    size_t n = 0;
    if (strcmp(b->book.state, RC_POWER_LIMITED) == 0)
        RC_TRY(fill_power(b, rows, err));
    RC_TRY(rc_points_of(rows, b->book.base, rc_book_rows_state(&b->book), &p, &n, err));
    if (b->book.power.known)
        undo_throttling(p, n, &b->book.power);
    rc_status st = rc_points_settle(p, &n, err);
    if (st == RC_OK)
        st = make_room(b, n, err);
    if (st == RC_OK)
        st = cut(b, p, n, err);
    if (st == RC_OK)
        st = rc_fields_of(p, n, b->smooth, b->arena, &b->fields, &b->book.field_count, err);
    b->book.fields = b->fields;
    if (st == RC_OK)
        st = rc_surfaces_of(rows, b->book.base, rc_book_rows_state(&b->book), b->arena,
                            &b->surfaces, &b->book.surface_count, err);
    b->book.surfaces = b->surfaces;
    b->book.gaps = rc_launch_gaps_of(rows, b->book.base);
    free(p);
    return st;
}

static rc_status build(const rc_rows *rows, const char *base, const char *state, bool once,
                       bool smooth, rc_built_book **out, rc_error *err) {
    assert(rows != NULL && base != NULL && state != NULL && out != NULL);
    rc_built_book *b = calloc(1, sizeof *b);
    if (b == NULL)
        return no_memory(err);
    b->once = once;
    b->smooth = smooth;
    /* GSL's own handler aborts; every call here checks what it returns. Process-wide, and
     * harmless. */
    (void)gsl_set_error_handler_off();
    b->arena = rc_arena_create();
    rc_status st = b->arena != NULL ? RC_OK : no_memory(err);
    if (st == RC_OK) {
        b->book.base = rc_arena_strdup(b->arena, base);
        b->book.state = rc_arena_strdup(b->arena, state);
        st = b->book.base && b->book.state ? fill(b, rows, err) : no_memory(err);
    }
    if (st != RC_OK) {
        rc_built_book_free(b);
        return st;
    }
    *out = b;
    return RC_OK;
}

rc_status rc_book_build(const rc_rows *rows, const char *base, const char *state,
                        rc_built_book **out, rc_error *err) {
    return build(rows, base, state, false, false, out, err);
}

rc_status rc_book_build_once(const rc_rows *rows, const char *base, const char *state,
                             rc_built_book **out, rc_error *err) {
    return build(rows, base, state, true, false, out, err);
}

rc_status rc_book_build_smooth(const rc_rows *rows, const char *base, const char *state,
                               rc_built_book **out, rc_error *err) {
    return build(rows, base, state, false, true, out, err);
}

const rc_book *rc_built_book_of(const rc_built_book *b) {
    assert(b != NULL);
    return &b->book;
}

void rc_built_book_set_errors(rc_built_book *b, const rc_class_errors *e) {
    assert(b != NULL && e != NULL);
    b->book.errors = *e;
}

void rc_built_book_free(rc_built_book *b) {
    if (b == NULL)
        return;
    rc_arena_destroy(b->arena);
    free(b);
}
