/* The picture of a plan: price against p95 TTFT of everything simulated, and the front.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/plan/plan_file.h"
#include "sim/plot/gnuplot.h"

typedef struct picture {
    const rc_plan_file *f;
    const rc_plan_answer *a;
    char name[RC_PLOT_STEM];
} picture;

static void point(FILE *f, const rc_plan_result *r) {
    assert(r->outcome.fits);
    (void)fprintf(f, "%.10g %.6g\n", r->price, r->outcome.ttft_p95);
}

/* 0: holds; 1: misses an objective; 2: holds for too few of the other seeds. */
static int kind_of(const rc_plan_result *r) {
    return r->margin < 0.0 ? 1 : r->fragile ? 2 : 0;
}

/* Indices: the kinds, front, best; each begins with a line that draws nothing. */
static void draw(const void *ctx, FILE *script, FILE *data) {
    const picture *p = ctx;
    const rc_plan_answer *a = p->a;
    double limit = 0.0;
    for (int index = 0; index < 3; index++) {
        (void)fputs("1 -\n", data);
        for (size_t i = 0; i < a->all_count; i++)
            if (a->all[i].outcome.fits && kind_of(&a->all[i]) == index)
                point(data, &a->all[i]);
        rc_plot_next(data);
    }
    (void)fputs("1 -\n", data);
    for (int i = 0; i < a->front_count; i++)
        point(data, &a->all[a->front[i]]);
    (void)fputs("\n\n1 -\n", data);
    if (a->best >= 0)
        point(data, &a->all[a->best]);
    for (int i = p->f->plan.objective_count; i-- > 0;) {
        const rc_objective *g = &p->f->plan.objectives[i];
        if (!g->ttit && g->from == 0 && g->to == INT64_MAX)
            limit = g->limit;
    }
    (void)fputs("set title ", script);
    rc_plot_text(script, "%s: price and p95 TTFT of the configurations simulated", p->f->plan.name);
    (void)fputs("\nset logscale y\nset format y '%g'\nset xrange [0:*]\n"
                "set xlabel 'price per hour'\nset ylabel 'TTFT p95, s'\nset key top right\n"
                "set offsets 0, graph 0.05, 0, 0\n",
                script);
    if (limit > 0.0)
        (void)fprintf(
            script,
            "set arrow from graph 0, first %.6g to graph 1, first %.6g nohead lc rgb "
            "'#999999' dt 2 lw 2\n"
            "set label 'limit' at graph 0.01, first %.6g offset 0, 0.7 tc rgb '#555555'\n",
            limit, limit, limit);
    (void)fprintf(script,
                  "plot '%s.dat' index 1 using 1:2 with points pt 2 lc rgb '#999999' ps 1 title "
                  "'fails: misses an objective', "
                  "'' index 2 using 1:2 with points pt 1 lc rgb '#CC79A7' ps 1.2 title "
                  "'fails for other seeds', "
                  "'' index 0 using 1:2 with points pt 7 lc rgb '#56B4E9' ps 1.2 title 'holds', "
                  "'' index 3 using 1:2 with lines lt 1 lw 1.5 title 'front of what holds', "
                  "'' index 4 using 1:2 with points pt 7 lc rgb '#D55E00' ps 2 title 'chosen'\n",
                  p->name);
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
    const rc_plot plot = {.name = p.name, .width = 1000, .height = 620, .draw = draw};
    return rc_gnuplot(&plot, 1, &p, dir, overwrite, drawn, err);
}
