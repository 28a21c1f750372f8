/* The oracle's map: pass-KV or pass-Q, with the frontiers of the rules; and Figure 10.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include "sim/plot/gnuplot.h"
#include "sim/tune/tune_plots.h"

#define TIE 0.015 /* nearer than this counts as a tie, as the paper's repeats differ by as much */
enum { SIDES = 4, FRONTIERS = 4 };
enum { FINE = 400, LINES = 160 }; /* samples along a line of a rule; lines across the plane */

static const struct {
    const char *rule, *title, *style;
} frontiers[FRONTIERS] = {
    {"algorithm-1:achieved-bw", "Algorithm 1", "lc rgb '#000000'"},
    {"algorithm-5:achieved-bw", "Algorithm 5", "lc rgb '#009E73'"},
    {"empirical:published", "empirical", "lc rgb '#CC79A7'"},
    {"tuned", "tuned", "lc rgb '#D00000'"},
};

/* 0: pass-KV clearly, 1: by less than 1.5 %, 2: pass-Q by less, 3: clearly; -1: one does not fit.
 */
static int side_of(const rc_tune *t, size_t cell, int degree) {
    double kv = rc_tune_time_at(t, cell, degree, RC_TUNE_KV);
    double q = rc_tune_time_at(t, cell, degree, RC_TUNE_Q);
    if (!isfinite(kv) || !isfinite(q))
        return -1;
    bool clear = fabs(kv - q) > TIE * fmin(kv, q);
    return kv <= q ? (clear ? 0 : 1) : (clear ? 3 : 2);
}

/* Four indices. y is T+P, thinned out, or the miss rate in %. */
static void put_sides(const rc_tune *t, int degree, bool miss, FILE *data) {
    for (int side = 0; side < SIDES; side++) {
        (void)fputs("1 -\n", data);
        for (size_t i = 0; i < t->count; i++) {
            const rc_tune_cell *c = &t->cells[i];
            double length = (double)(c->t + c->p), fresh = (double)c->t;
            bool shown = miss ? c->batch == 0 : rc_tune_plot_shown(t, i);
            if (shown && side_of(t, i, degree) == side)
                (void)fprintf(data, "%.6g %.6g\n", fresh, miss ? 100.0 * fresh / length : length);
        }
        rc_plot_next(data);
    }
}

typedef struct plane { /* x is T; y the length, or the miss rate as a share */
    double x0, x1, y0, y1;
    bool miss;
} plane;

static int picks(const rc_tune *t, const rc_tune_rule *r, const plane *p, int n, double x,
                 double y) {
    double length = p->miss ? x / y : y;
    if (length < x)
        return -1;
    return (int)rc_tune_decide(t, r, x, length - x, 1, n);
}

/* Where the rule changes its mind, along x and along y: a dense row of dots. */
static void put_frontier(const rc_tune *t, const char *name, const plane *p, int n, FILE *data) {
    int found = rc_tune_plot_rule(t, name);
    (void)fputs("1 -\n", data);
    for (int i = 0; i < LINES && found >= 0; i++) {
        const rc_tune_rule *r = &t->rule[found];
        double x = rc_plot_spaced(p->x0, p->x1, i, LINES),
               y = rc_plot_spaced(p->y0, p->y1, i, LINES);
        int along_x = -1, along_y = -1;
        for (int k = 0; k < FINE; k++) {
            double u = rc_plot_spaced(p->x0, p->x1, k, FINE),
                   v = rc_plot_spaced(p->y0, p->y1, k, FINE);
            int a = picks(t, r, p, n, u, y), b = picks(t, r, p, n, x, v);
            if (along_x >= 0 && a >= 0 && a != along_x)
                (void)fprintf(data, "%.6g %.6g\n", u, p->miss ? 100.0 * y : y);
            if (along_y >= 0 && b >= 0 && b != along_y)
                (void)fprintf(data, "%.6g %.6g\n", x, p->miss ? 100.0 * v : v);
            along_x = a;
            along_y = b;
        }
    }
    rc_plot_next(data);
}

static void plot_sides(FILE *script, const char *file, int first, double size, bool titles) {
    static const char *const colour[SIDES] = {"#0072B2", "#A6CEE8", "#F6CBA5", "#E69F00"};
    static const char *const title[SIDES] = {"pass-KV faster", "pass-KV, by < 1.5 %",
                                             "pass-Q, by < 1.5 %", "pass-Q faster"};
    (void)fputs("plot ", script);
    for (int s = 0; s < SIDES; s++)
        (void)fprintf(script, "%s'%s' index %d using 1:2 with points pt 5 ps %g lc rgb '%s' %s%s%s",
                      s ? ", " : "", file, first + s, size, colour[s],
                      titles ? "title '" : "notitle", titles ? title[s] : "", titles ? "'" : "");
}

static void plot_frontiers(FILE *script, const char *file, int first, bool titles) {
    for (int k = 0; k < FRONTIERS; k++) {
        (void)fprintf(script, ", '%s' index %d using 1:2 with points pt 7 ps 0.42 %s notitle", file,
                      first + k, frontiers[k].style);
        if (titles)
            (void)fprintf(script, ", NaN with lines lw 4 %s title '%s'", frontiers[k].style,
                          frontiers[k].title);
    }
}

void rc_tune_plot_map(const void *tune, FILE *script, FILE *data) {
    const rc_tune *t = tune;
    plane p = {(double)t->s.fresh.from, (double)t->s.fresh.to, (double)t->s.total.from,
               (double)t->s.total.to, false};
    int panel = 0;
    (void)fputs("set multiplot layout 2,2 margins 0.09,0.79,0.08,0.9 spacing 0.08,0.11 title ",
                script);
    rc_plot_text(script, "pass-KV or pass-Q on %s, and where the rules draw the line",
                 t->s.machine.name);
    (void)fprintf(
        script,
        " font ',17'\nset logscale xy\nset xrange [%g:%g]\nset yrange [%g:%g]\nunset grid\n"
        "set format '%%.0s%%c'\nset title font ',14' offset 0,-0.4\nset key off\n",
        0.9 * p.x0, 1.1 * p.x1, 0.9 * p.y0, 1.2 * p.y1);
    for (int d = 0; d < t->s.degrees && panel < 4; d++) {
        if (t->s.degree[d] == 1)
            continue;
        put_sides(t, d, false, data);
        for (int k = 0; k < FRONTIERS; k++)
            put_frontier(t, frontiers[k].rule, &p, t->s.degree[d], data);
        (void)fprintf(script, "set title 'CP%d'\nset xlabel '%s'\nset ylabel '%s'\n",
                      t->s.degree[d], panel >= 2 ? "new tokens T" : "",
                      panel % 2 == 0 ? "T + P" : "");
        if (panel == 1)
            (void)fputs("set key at screen 0.80, screen 0.88 left top samplen 1.2\n", script);
        plot_sides(script, "map.dat", panel * (SIDES + FRONTIERS), 0.8, panel == 1);
        plot_frontiers(script, "map.dat", panel * (SIDES + FRONTIERS) + SIDES, panel == 1);
        (void)fputs("\nset key off\n", script);
        panel++;
    }
    (void)fputs("unset multiplot\n", script);
}

/* Two indices: rows of the measured file where pass-KV, pass-Q is the faster one. */
static void put_measured(const rc_tune *t, int n, FILE *data) {
    for (int q = 0; q < 2; q++) {
        (void)fputs("1 -\n", data);
        for (size_t i = 0; i < t->measured_count; i++) {
            const rc_tune_measured *m = &t->measured[i];
            if (m->n == n && (m->pass_q < m->pass_kv) == (q == 1))
                (void)fprintf(data, "%.6g %.6g\n", m->t, 100.0 * m->t / (m->t + m->p));
        }
        rc_plot_next(data);
    }
}

void rc_tune_plot_fig10(const void *tune, FILE *script, FILE *data) {
    const rc_tune *t = tune;
    int n = t->s.sensitivity_cp ? t->s.sensitivity_cp : 4, d = rc_tune_degree_index(t, n);
    plane p = {400.0, 128000.0, 0.004, 1.0, true};
    if (d < 0) {
        d = t->s.degrees - 1;
        n = t->s.degree[d];
    }
    put_sides(t, d, true, data);
    for (int k = 0; k < FRONTIERS; k++)
        put_frontier(t, frontiers[k].rule, &p, n, data);
    put_measured(t, n, data);
    (void)fputs("set title ", script);
    rc_plot_text(script, "Figure 10 with the simulator's data: CP%d on %s", n, t->s.machine.name);
    (void)fprintf(
        script,
        "\nset logscale xy\n"
        "set xrange [360:142000]\nset yrange [0.36:115]\nset xlabel 'new tokens T'\n"
        "set ylabel 'miss rate T / (T + P), %%'\nset format x '%%.0s%%c'\n"
        "set ytics (0.5, 1, 2, 5, 10, 20, 50, 100)\nunset grid\nset rmargin at screen 0.775\n"
        "set key at screen 0.79, screen 0.9 left top samplen 1.5\n"
        "set label 1 \"the rules at\\nC = %.0f TFLOP/s,\\nBW = %.3g GB/s\" at screen 0.80, screen "
        "0.40 textcolor rgb '#555555'\n",
        t->s.machine.bf16_rate / 1e12, t->achieved_bw / 1e9);
    plot_sides(script, "fig10.dat", 0, 0.9, true);
    plot_frontiers(script, "fig10.dat", SIDES, true);
    for (int q = 0; q < 2 && t->measured_count > 0; q++)
        (void)fprintf(script,
                      ", '' index %d using 1:2 with points pt %d ps 1.6 lc rgb '#ffffff' notitle, "
                      "'' index %d using 1:2 with points pt %d ps 1.6 lw 2 lc rgb '#000000' title "
                      "'measured: pass-%s'",
                      SIDES + FRONTIERS + q, q ? 9 : 7, SIDES + FRONTIERS + q, q ? 8 : 6,
                      q ? "Q" : "KV");
    (void)fputc('\n', script);
}
