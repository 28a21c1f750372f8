/* Regret, crossovers, degrees, sensitivity.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>
#include "sim/plot/gnuplot.h"
#include "sim/tune/tune_plots.h"

enum { STEPS = 160, CURVES = 7, FINE = 200 };

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
    double lo = 1e-3, hi = 100.0;
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
    (void)fputs("set title ", script);
    rc_plot_text(script,
                 "How much slower than the faster variant, %s, the half that no fit has seen",
                 t->s.machine.name);
    (void)fputs("\nset logscale x\nset xrange [0.001:100]\nset yrange [*:100.6]\n"
                "set xlabel 'regret at most, %'\nset ylabel 'share of comparisons, %'\n"
                "set key bottom right\nset xtics (0.001, 0.01, 0.1, 1, 10, 100)\nplot ",
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
    (void)fputs("set title ", script);
    rc_plot_text(script, "New tokens from which on pass-KV is faster, %s", t->s.machine.name);
    (void)fprintf(script,
                  "\nset logscale xy\n"
                  "set xrange [1000:%g]\nset yrange [%lld:*]\nset xlabel 'T + P'\nset ylabel 'T*'\n"
                  "set format '%%.0s%%c'\nset key top left\nplot ",
                  1.1 * (double)t->s.total.to, (long long)t->s.fresh.from);
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
        (void)fprintf(script,
                      "%s'crossover.dat' index %d using 1:2 with lines lt %d lw 2 title 'CP%d, "
                      "tuned', '' index %d using 1:2 with points lt %d pt 6 ps 1.5 title 'CP%d, "
                      "simulator (Brent)', '' index %d using 1:2:3:4 with yerrorbars lt %d pt 0 lw "
                      "1 notitle",
                      index ? ", " : "", 3 * index + 1, index + 1, t->s.degree[d], 3 * index,
                      index + 1, t->s.degree[d], 3 * index + 2, index + 1);
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

static void put_degrees(const rc_tune *t, double price, FILE *data) {
    for (int d = 0; d < t->s.degrees; d++) {
        (void)fputs("1 -\n", data);
        for (size_t i = 0; i < t->count; i++) {
            const rc_tune_cell *c = &t->cells[i];
            if (rc_tune_plot_shown(t, i) && best_degree(t, i, price) == d)
                (void)fprintf(data, "%lld %lld\n", (long long)c->t,
                              (long long)c->t + (long long)c->p);
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
    (void)fprintf(script,
                  "set multiplot layout 1,%d margins 0.09,0.89,0.11,0.84 spacing 0.07,0.1 title ",
                  panels);
    rc_plot_text(script, "How many CP ranks on %s (dots: simulator; lines: tuned rule)",
                 t->s.machine.name);
    (void)fprintf(
        script,
        " font ',17'\nset logscale xy\nset xrange [%g:%g]\nset yrange [%g:%g]\nunset grid\n"
        "set format '%%.0s%%c'\nset title font ',14' offset 0,-0.4\nset key off\n"
        "set xlabel 'new tokens T'\n",
        0.9 * (double)t->s.fresh.from, 1.1 * (double)t->s.fresh.to, 0.9 * (double)t->s.total.from,
        1.2 * (double)t->s.total.to);
    for (int w = 0; w < panels; w++) {
        put_degrees(t, t->s.price[w], data);
        put_steps(t, w, data);
        (void)fprintf(script, "set title 'least time x ranks^{%g}'\nset ylabel '%s'\n",
                      t->s.price[w], w ? "" : "T + P");
        if (w == panels - 1)
            (void)fputs("set key at screen 0.9, screen 0.82 left top samplen 1\n", script);
        for (int d = 0; d < t->s.degrees; d++)
            (void)fprintf(script,
                          "%s'degree.dat' index %d using 1:2 with points pt 5 ps 0.9 lc rgb '%s' "
                          "notitle, NaN with points pt 5 lc rgb '%s' title '%s%.0d'",
                          d ? ", " : "plot ", w * per + d, colour[d], colour[d],
                          t->s.degree[d] == 1 ? "no CP" : "CP",
                          t->s.degree[d] == 1 ? 0 : t->s.degree[d]);
        for (int d = 0; d + 1 < t->s.degrees; d++)
            (void)fprintf(script,
                          ", 'degree.dat' index %d using 1:2 with lines lw 2 lc rgb '#000000' "
                          "notitle",
                          w * per + t->s.degrees + d);
        (void)fputc('\n', script);
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

void rc_tune_plot_sensitivity(const void *tune, FILE *script, FILE *data) {
    static const struct {
        const char *what, *label;
        double unit;
    } panel[4] = {{"bandwidth", "GB/s of one connection", 1e9},
                  {"ranks", "CP ranks N", 1.0},
                  {"KV heads", "KV heads (of as many query heads)", 1.0},
                  {"attention rate", "attention rate, times this machine''s", 1.0}};
    const rc_tune *t = tune;
    (void)fputs("set multiplot layout 2,2 margins 0.1,0.97,0.09,0.89 spacing 0.1,0.13 title ",
                script);
    rc_plot_text(script, "How T* moves: %s, T + P = %lld, CP%d, one thing changed at a time",
                 t->s.machine.name, (long long)t->s.sensitivity_total, t->s.sensitivity_cp);
    (void)fputs(" font ',17'\nset logscale xy\nset ylabel 'T*'\nset format y '%.0s%c'\n", script);
    for (int k = 0; k < 4; k++) {
        put_variations(t, panel[k].what, panel[k].unit, data);
        (void)fprintf(script,
                      "set xlabel '%s'\nset key %s\nplot 'sensitivity.dat' index %d using 1:2 with "
                      "linespoints lt 1 title 'simulator', '' index %d using 1:3 with linespoints "
                      "lt 2 dt 2 pt 6 title 'Algorithm 1, achieved BW'\n",
                      panel[k].label,
                      k == 0   ? "bottom left"
                      : k == 3 ? "bottom right"
                               : "top left",
                      k, k);
    }
    (void)fputs("unset multiplot\n", script);
}
