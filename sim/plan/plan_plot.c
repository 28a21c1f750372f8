/* The picture of a plan: price against p95 TTFT and p95 TTIT of everything simulated, and the front.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/plan/plan_file.h"
#include "sim/plot/gnuplot.h"
#include "sim/plot/plot_axes.h"

typedef struct picture {
    const rc_plan_file *f;
    const rc_plan_answer *a;
    char name[RC_PLOT_STEM];
} picture;

/* Price, p95 TTFT in s, p95 TTIT in ms, GPUs. */
static void point(FILE *f, const rc_plan_result *r) {
    assert(r->outcome.fits);
    (void)fprintf(f, "%.10g %.6g %.6g %d\n", r->price, r->outcome.ttft_p95,
                  1e3 * r->outcome.ttit_p95, rc_plan_gpus(&r->option));
}

/* 0: holds; 1: misses an objective; 2: holds for too few of the other seeds. */
static int kind_of(const rc_plan_result *r) {
    return r->margin < 0.0 ? 1 : r->fragile ? 2 : 0;
}

enum { KINDS = 3, FRONT = KINDS, BEST, LABELLED };
static const double LABEL_WIDTH = 0.1; /* of the axis of prices */

/* The points of the front whose GPUs can be written below them: none with a label is near, the chosen
 * one included. */
static void put_labelled(const rc_plan_answer *a, FILE *data) {
    const double own = a->best >= 0 ? a->all[a->best].price : -INFINITY;
    double most = 0.0, before = -INFINITY;
    for (size_t k = 0; k < a->all_count; k++)
        most = a->all[k].outcome.fits ? fmax(most, a->all[k].price) : most;
    for (int i = 0; i < a->front_count; i++) {
        const rc_plan_result *r = &a->all[a->front[i]];
        if (fabs(r->price - own) < LABEL_WIDTH * most || r->price - before < LABEL_WIDTH * most)
            continue;
        point(data, r);
        before = r->price;
    }
}

/* Indices: the kinds, front, best, and what of the front is labelled; each begins with a line that draws
 * nothing. */
static void put_points(const rc_plan_answer *a, FILE *data) {
    static const char nothing[] = "1 - - -\n";
    for (int index = 0; index < KINDS; index++) {
        (void)fputs(nothing, data);
        for (size_t i = 0; i < a->all_count; i++)
            if (a->all[i].outcome.fits && kind_of(&a->all[i]) == index)
                point(data, &a->all[i]);
        rc_plot_next(data);
    }
    (void)fputs(nothing, data);
    for (int i = 0; i < a->front_count; i++)
        point(data, &a->all[a->front[i]]);
    rc_plot_next(data);
    (void)fputs(nothing, data);
    if (a->best >= 0)
        point(data, &a->all[a->best]);
    rc_plot_next(data);
    (void)fputs(nothing, data);
    put_labelled(a, data);
}

/* Of the first objective on TTFT or TTIT of all requests; 0: there is none. */
static double limit_of(const rc_plan_file *f, bool ttit) {
    double limit = 0.0;
    for (int i = f->plan.objective_count; i-- > 0;) {
        const rc_objective *g = &f->plan.objectives[i];
        if (g->ttit == ttit && g->from == 0 && g->to == INT64_MAX)
            limit = g->limit;
    }
    return limit;
}

static void put_limit(double limit, FILE *script) {
    (void)fputs("unset arrow\nunset label 2\n", script);
    if (limit > 0.0)
        (void)fprintf(
            script,
            "set arrow from graph 0, first %.6g to graph 1, first %.6g nohead lc rgb '#999999' dt "
            "2 "
            "lw 2\nset label 2 'objective' at graph 0.99, first %.6g right offset 0, 0.6 tc rgb "
            "'#555555'\n",
            limit, limit, limit);
}

/* The range of a panel: all that is shown and the objective. */
static void put_range(const rc_plan_answer *a, bool ttit, double limit, FILE *script) {
    double lo = limit > 0.0 ? limit : INFINITY, hi = limit;
    for (size_t i = 0; i < a->all_count; i++) {
        const rc_plan_outcome *x = &a->all[i].outcome;
        const double y = ttit ? 1e3 * x->ttit_p95 : x->ttft_p95;
        if (!x->fits || !(y > 0.0))
            continue;
        lo = fmin(lo, y);
        hi = fmax(hi, y);
    }
    if (lo < INFINITY)
        rc_plot_log_axis(script, 'y', lo / 2.2, hi * 1.6);
}

static void put_panel(const picture *p, bool ttit, FILE *script) {
    const double limit = (ttit ? 1e3 : 1.0) * limit_of(p->f, ttit);
    const int y = ttit ? 3 : 2;
    put_limit(limit, script);
    put_range(p->a, ttit, limit, script);
    (void)fprintf(script, "set ylabel '%s'\n", ttit ? "TTIT p95, ms" : "TTFT p95, s");
    (void)fprintf(
        script,
        "plot '%s.dat' index 1 using 1:%d with points pt 2 lc rgb '#999999' ps 1 title 'misses an "
        "objective', '' index 2 using 1:%d with points pt 1 lc rgb '#CC79A7' ps 1.2 title 'misses "
        "it "
        "for other seeds', '' index 0 using 1:%d with points pt 7 lc rgb '#56B4E9' ps 1.2 title "
        "'holds', '' index %d using 1:%d with %s lt 1 lw 1.5 title 'front of what holds', '' index "
        "%d "
        "using 1:%d with points pt 7 lc rgb '#D55E00' ps 2 title 'chosen', '' index %d using "
        "1:%d:(sprintf('%%d GPUs', $4)) with labels offset 0,-1.1 font ',11' tc rgb '#333333' "
        "notitle, '' index %d using 1:%d:(sprintf('%%d GPUs', $4)) with labels left offset 1.2,0.6 "
        "font "
        "',12' tc rgb '#D55E00' notitle\n",
        p->name, y, y, y, FRONT, y, ttit ? "points pt 6 ps 1.6" : "lines", BEST, y, LABELLED, y,
        BEST, y);
}

static void draw(const void *ctx, FILE *script, FILE *data) {
    const picture *p = ctx;
    put_points(p->a, data);
    (void)fputs("set label 1 ", script);
    rc_plot_text(script, "%s: price and tail latency of every simulated configuration",
                 p->f->plan.name);
    (void)fputs(" at screen 0.5, screen 0.975 center font ',17'\nset multiplot\n"
                "set lmargin at screen 0.09\nset rmargin at screen 0.74\n"
                "set tmargin at screen 0.93\nset bmargin at screen 0.55\n"
                "set key at screen 0.75, screen 0.93 left top samplen 1.2\nset xrange [0:*]\n"
                "set offsets 0, graph 0.05, 0, 0\nset format x ''\n",
                script);
    put_panel(p, false, script);
    (void)fputs(
        "unset label 1\nset key off\nset tmargin at screen 0.5\nset bmargin at screen 0.12\n"
        "set format x '%g'\n"
        "set xlabel 'price per hour, in the currency of the offers'\n",
        script);
    put_panel(p, true, script);
    (void)fputs("unset multiplot\n", script);
}

static void plot_name(const rc_plan_file *f, char out[RC_PLOT_STEM]) {
    char name[sizeof f->plan.name + 8];
    (void)snprintf(name, sizeof name, "plan-%s", f->plan.name);
    rc_plot_stem(name, out);
}

rc_status rc_plan_plot_check(const rc_plan_file *f, const char *dir, bool overwrite,
                             rc_error *err) {
    char name[RC_PLOT_STEM];
    plot_name(f, name);
    const char *const names[] = {name, NULL};
    return rc_plot_check(names, dir, overwrite, err);
}

rc_status rc_plan_plot(const rc_plan_file *f, const rc_plan_answer *a, const char *dir,
                       bool overwrite, bool *drawn, rc_error *err) {
    picture p = {.f = f, .a = a};
    size_t shown = 0;
    *drawn = false;
    for (size_t i = 0; i < a->all_count; i++)
        shown += a->all[i].outcome.fits;
    if (shown == 0)
        return RC_OK;
    plot_name(f, p.name);
    const rc_plot plot = {.name = p.name, .width = 1100, .height = 860, .draw = draw};
    return rc_gnuplot(&plot, 1, &p, dir, overwrite, drawn, err);
}
