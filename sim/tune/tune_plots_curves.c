/* Regret, crossovers, degrees, sensitivity.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>
#include "sim/plot/gnuplot.h"
#include "sim/plot/plot_axes.h"
#include "sim/tune/tune_plots.h"

enum { STEPS = 160, CURVES = 7, FINE = 200 };
#define SEAM 1.004        /* tiles are a little wider, so that no seams show */
#define LEAST_REGRET 1e-3 /* of the picture, per cent */
#define MOST_REGRET 1e3

static const struct {
    const char *rule, *title;
} curves[CURVES] = {
    {"tuned", "tuned"},
    {"algorithm-1:nominal", "Algorithm 1, nominal"},
    {"algorithm-1:achieved-bw", "Algorithm 1, achieved BW"},
    {"algorithm-5:nominal", "Algorithm 5, nominal"},
    {"algorithm-5:achieved", "Algorithm 5, achieved"},
    {"empirical:refit", "empirical, refitted"},
    {"empirical:published", "empirical, as published"},
};

/* ---- regret --------------------------------------------------------------------------------- */

static double regret_of(const rc_tune *t, const rc_tune_rule *r, size_t cell, int d) {
    const rc_tune_cell *c = &t->cells[cell];
    double kv = rc_tune_time_at(t, cell, d, RC_TUNE_KV);
    double q = rc_tune_time_at(t, cell, d, RC_TUNE_Q);
    if (c->train || t->s.degree[d] == 1 || !isfinite(kv) || !isfinite(q))
        return NAN;
    bool pass_kv = rc_tune_decide(t, r, (double)c->t, (double)c->p, t->s.batch[c->batch],
                                  t->s.degree[d]) == RC_CHOOSE_PASS_KV;
    return 100.0 * ((pass_kv ? kv : q) / fmin(kv, q) - 1.0);
}

/* Share of the unseen half whose regret is at most x, from a histogram over log x. */
static void put_regret(const rc_tune *t, const rc_tune_rule *r, FILE *data) {
    size_t bin[STEPS + 1] = {0}, total = 0, sum = 0;
    const double lo = LEAST_REGRET, hi = MOST_REGRET;
    for (size_t i = 0; i < t->count; i++) {
        for (int d = 0; d < t->s.degrees; d++) {
            double x = regret_of(t, r, i, d);
            if (!isfinite(x))
                continue;
            double at = ceil(log(fmax(x, lo) / lo) / log(hi / lo) * (STEPS - 1));
            bin[(int)fmin(at, STEPS)]++;
            total++;
        }
    }
    for (int k = 0; k < STEPS; k++) {
        sum += bin[k];
        (void)fprintf(data, "%.6g %.6g\n", rc_plot_spaced(lo, hi, k, STEPS),
                      100.0 * (double)sum / (double)(total ? total : 1));
    }
    rc_plot_next(data);
}

void rc_tune_plot_regret(const void *tune, FILE *script, FILE *data) {
    const rc_tune *t = tune;
    rc_tune_plot_title(
        t, script,
        "How much slower than the faster variant: each rule, on comparisons it was not fitted on");
    rc_plot_log_axis(script, 'x', LEAST_REGRET, MOST_REGRET);
    (void)fputs("set yrange [0:101]\nset xlabel 'slower by at most, %'\n"
                "set ylabel 'share of comparisons, %'\nset tmargin at screen 0.89\n"
                "set rmargin at screen 0.7\nset key at screen 0.72, screen 0.89 left top\nplot ",
                script);
    for (int k = 0, index = 0; k < CURVES; k++) {
        int found = rc_tune_plot_rule(t, curves[k].rule);
        if (found < 0)
            continue;
        put_regret(t, &t->rule[found], data);
        (void)fprintf(script, "%s'regret.dat' index %d using 1:2 with lines lw 3 %s title '%s'",
                      index ? ", " : "", index,
                      k == 0            ? "lc rgb '#D00000'"
                      : k == CURVES - 1 ? "lc rgb '#888888'"
                                        : "",
                      curves[k].title);
        index++;
    }
    (void)fputc('\n', script);
}

/* ---- crossovers ----------------------------------------------------------------------------- */

void rc_tune_plot_crossover(const void *tune, FILE *script, FILE *data) {
    const rc_tune *t = tune;
    int index = 0;
    rc_tune_plot_title(t, script, "New tokens from which on pass-KV is faster than pass-Q");
    rc_plot_log_axis(script, 'x', 1000.0, 1.1 * (double)t->s.total.to);
    rc_plot_log_axis(script, 'y', (double)t->s.fresh.from, 1.1 * (double)t->s.fresh.to);
    (void)fputs(
        "set xlabel 'context T + P, tokens'\nset ylabel 'crossover T*, new tokens'\n"
        "set tmargin at screen 0.89\nset key top left\nplot NaN with lines lw 2 lc rgb "
        "'#444444' title 'the tuned rule', NaN with points pt 6 ps 1.5 lc rgb '#444444' title "
        "'simulator, each found by itself'",
        script);
    if (t->s.bootstrap > 0)
        (void)fputs(", NaN with filledcurves fill solid 0.3 lc rgb '#888888' title "
                    "'the rule refitted to resampled cells, p5 to p95'",
                    script);
    for (int d = 0; d < t->s.degrees; d++) {
        if (t->s.degree[d] == 1)
            continue;
        (void)fputs("1 -\n", data);
        for (int i = 0; i < RC_TUNE_CROSSINGS; i++)
            if (isfinite(t->crossing[d][i].t))
                (void)fprintf(data, "%.6g %.6g\n", t->crossing[d][i].length, t->crossing[d][i].t);
        rc_plot_next(data);
        for (int i = 0; i < FINE; i++) {
            double length = rc_plot_spaced((double)t->s.total.from, (double)t->s.total.to, i, FINE);
            (void)fprintf(data, "%.6g %.6g\n", length,
                          rc_select_threshold(&t->table, length, 1.0, t->s.degree[d]));
        }
        rc_plot_next(data);
        (void)fputs("1 - - -\n", data);
        for (int k = 0; k < t->s.knots && t->s.bootstrap > 0; k++)
            (void)fprintf(data, "%.6g %.6g %.6g %.6g\n", t->table.length[k],
                          t->table.variant[d][0][k], t->table_low[d][k], t->table_high[d][k]);
        rc_plot_next(data);
        (void)fprintf(
            script,
            ", 'crossover.dat' index %d using 1:3:4 with filledcurves lt %d fill solid 0.3 "
            "noborder notitle, '' index %d using 1:2 with lines lt %d lw 2 title '%d CP "
            "ranks', '' index %d using 1:2 with points lt %d pt 6 ps 1.5 notitle",
            3 * index + 2, index + 1, 3 * index + 1, index + 1, t->s.degree[d], 3 * index,
            index + 1);
        index++;
    }
    (void)fputc('\n', script);
}

/* ---- degrees -------------------------------------------------------------------------------- */

static int best_degree(const rc_tune *t, size_t cell, double price) {
    int best = -1;
    double least = HUGE_VAL;
    for (int d = 0; d < t->s.degrees; d++) {
        for (int v = RC_TUNE_KV; v <= RC_TUNE_Q; v++) {
            double cost = rc_tune_time_at(t, cell, d, v) * pow(t->s.degree[d], price);
            if (cost < least) {
                least = cost;
                best = d;
            }
        }
    }
    return best;
}

/* What is least in a panel: time, GPU time, or something between. */
static void put_price(double price, FILE *script) {
    if (price == 0.0)
        (void)fputs("set title 'the fastest'\n", script);
    else if (price == 1.0)
        (void)fputs("set title 'the least GPU time'\n", script);
    else
        (void)fprintf(script, "set title 'the least time x ranks^{%g}'\n", price);
}

static void put_degrees(const rc_tune *t, double price, FILE *data) {
    const double wide = SEAM * rc_tune_plot_tile(&t->s.fresh);
    const double high = SEAM * rc_tune_plot_tile(&t->s.total);
    for (int d = 0; d < t->s.degrees; d++) {
        (void)fputs("1 - - - - -\n", data);
        for (size_t i = 0; i < t->count; i++) {
            const rc_tune_cell *c = &t->cells[i];
            const double x = (double)c->t, y = (double)(c->t + c->p);
            if (rc_tune_plot_shown(t, i) && best_degree(t, i, price) == d)
                (void)fprintf(data, "%.10g %.10g %.6g %.6g %.6g %.6g\n", x, y, x / wide, x * wide,
                              y / high, y * high);
        }
        rc_plot_next(data);
    }
}

static void put_steps(const rc_tune *t, int w, FILE *data) {
    for (int d = 0; d + 1 < t->s.degrees; d++) {
        (void)fputs("1 -\n", data);
        for (int k = 0; k < t->s.knots; k++)
            if (t->table.more[w][d][0][k] <= t->table.length[k])
                (void)fprintf(data, "%.6g %.6g\n", t->table.more[w][d][0][k], t->table.length[k]);
        rc_plot_next(data);
    }
}

void rc_tune_plot_degree(const void *tune, FILE *script, FILE *data) {
    static const char *const colour[] = {"#dddddd", "#56B4E9", "#009E73", "#E69F00",
                                         "#D55E00", "#CC79A7", "#0072B2", "#555555"};
    const rc_tune *t = tune;
    int panels = t->s.prices < 2 ? t->s.prices : 2, per = 2 * t->s.degrees - 1;
    const double wide = rc_tune_plot_tile(&t->s.fresh), high = rc_tune_plot_tile(&t->s.total);
    rc_tune_plot_title(
        t, script, "How many CP ranks: tiles by the simulator, lines where the tuned rule changes");
    (void)fprintf(script,
                  "set multiplot layout 1,%d margins 0.09,0.87,0.12,0.8 spacing 0.07,0.1\n"
                  "unset grid\nset title font ',14' offset 0,-0.4\nset key off\n"
                  "set xlabel 'new tokens T'\n",
                  panels);
    rc_plot_log_axis(script, 'x', (double)t->s.fresh.from / wide, (double)t->s.fresh.to * wide);
    rc_plot_log_axis(script, 'y', (double)t->s.total.from / high, (double)t->s.total.to * high);
    for (int w = 0; w < panels; w++) {
        put_degrees(t, t->s.price[w], data);
        put_steps(t, w, data);
        put_price(t->s.price[w], script);
        (void)fprintf(script, "set ylabel '%s'\n", w ? "" : "context T + P, tokens");
        if (w == panels - 1)
            (void)fputs("set key at screen 0.88, screen 0.8 left top samplen 1\n", script);
        for (int d = 0; d < t->s.degrees; d++)
            (void)fprintf(
                script,
                "%s'degree.dat' index %d using 1:2:3:4:5:6 with boxxyerror fill solid 1 "
                "noborder lc rgb '%s' notitle, NaN with points pt 5 ps 1.6 lc rgb '%s' title "
                "'%d rank%s'",
                d ? ", " : "plot ", w * per + d, colour[d], colour[d], t->s.degree[d],
                t->s.degree[d] == 1 ? "" : "s");
        for (int d = 0; d + 1 < t->s.degrees; d++)
            (void)fprintf(script,
                          ", 'degree.dat' index %d using 1:2 with lines lw 2 lc rgb '#000000' "
                          "notitle",
                          w * per + t->s.degrees + d);
        (void)fputs("\nunset label\n", script);
    }
    (void)fputs("unset multiplot\n", script);
}

/* ---- sensitivity ---------------------------------------------------------------------------- */

static void put_variations(const rc_tune *t, const char *what, double unit, FILE *data) {
    (void)fputs("1 - -\n", data);
    for (int i = 0; i < t->variations; i++) {
        const rc_tune_variation *s = &t->variation[i];
        if (strcmp(s->what, what) != 0)
            continue;
        (void)fprintf(data, "%.6g ", s->x / unit);
        (void)fprintf(data, isfinite(s->t) ? "%.6g" : "-", s->t);
        (void)fprintf(data, " %.6g\n", s->algorithm_1);
    }
    rc_plot_next(data);
}

/* The range of crossovers of all panels, which share it. */
static void range_of(const rc_tune *t, double *lo, double *hi) {
    *lo = INFINITY;
    *hi = 0.0;
    for (int i = 0; i < t->variations; i++) {
        const double at[] = {t->variation[i].t, t->variation[i].algorithm_1};
        for (int k = 0; k < 2; k++) {
            *lo = isfinite(at[k]) && at[k] > 0.0 ? fmin(*lo, at[k]) : *lo;
            *hi = isfinite(at[k]) ? fmax(*hi, at[k]) : *hi;
        }
    }
    if (!(*hi > 0.0))
        *lo = *hi = 1000.0;
    *lo /= 2.0;
    *hi *= 2.0;
}

/* Tics where the values are. */
static void put_tics(const rc_tune *t, const char *what, double unit, FILE *script) {
    double lo = INFINITY, hi = 0.0;
    const char *separator = "set xtics (";
    for (int i = 0; i < t->variations; i++) {
        const double x = t->variation[i].x / unit;
        if (strcmp(t->variation[i].what, what) != 0)
            continue;
        (void)fprintf(script, "%s'%.3g' %.6g", separator, x, x);
        separator = ", ";
        lo = fmin(lo, x);
        hi = fmax(hi, x);
    }
    if (hi > 0.0)
        (void)fprintf(script, ")\nset xrange [%.6g:%.6g]\n", lo / 1.2, hi * 1.2);
}

void rc_tune_plot_sensitivity(const void *tune, FILE *script, FILE *data) {
    static const struct {
        const char *what, *label;
        double unit;
    } panel[4] = {{"bandwidth", "bandwidth of one connection, GB/s", 1e9},
                  {"ranks", "CP ranks N", 1.0},
                  {"KV heads", "KV heads (query heads as they are)", 1.0},
                  {"attention rate", "attention rate, times this machine''s", 1.0}};
    const rc_tune *t = tune;
    double lo, hi;
    char title[160], length[32];
    range_of(t, &lo, &hi);
    rc_plot_tic((double)t->s.sensitivity_total, length, sizeof length);
    (void)snprintf(title, sizeof title,
                   "What moves T* (from so many new tokens on pass-KV is faster): a context of %s "
                   "tokens, %d CP ranks",
                   length, t->s.sensitivity_cp);
    rc_tune_plot_title(t, script, title);
    (void)fputs(
        "set label 97 'no simulator point: one variant is the faster one for any number of new "
        "tokens' at screen 0.5, screen 0.018 center font ',11' textcolor rgb '#666666'\n"
        "set multiplot layout 2,2 margins 0.1,0.97,0.12,0.82 spacing 0.11,0.14\n"
        "set key at screen 0.5, screen 0.915 center top horizontal maxrows 1\nset logscale x\n",
        script);
    rc_plot_log_axis(script, 'y', lo, hi);
    for (int k = 0; k < 4; k++) {
        put_variations(t, panel[k].what, panel[k].unit, data);
        put_tics(t, panel[k].what, panel[k].unit, script);
        (void)fprintf(
            script,
            "set xlabel '%s'\nset ylabel '%s'\nplot 'sensitivity.dat' index %d using 1:2 "
            "with linespoints lt 1 title 'simulator', '' index %d using 1:3 with linespoints "
            "lt 2 dt 2 pt 6 title 'Algorithm 1 at the achieved bandwidth'\n"
            "unset label\nset key off\n",
            panel[k].label, k % 2 == 0 ? "T*, new tokens" : "", k, k);
    }
    (void)fputs("unset multiplot\n", script);
}
