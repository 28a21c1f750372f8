/* The oracle's map: pass-KV or pass-Q, with the frontiers of the rules; and Figure 10.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include "sim/plot/gnuplot.h"
#include "sim/plot/plot_axes.h"
#include "sim/tune/tune_plots.h"

#define SEAM 1.004
#define TIE 0.015 /* nearer than this counts as a tie, as the paper's repeats differ by as much */
enum { SIDES = 4, FRONTIERS = 4, MOST_PANELS = 4 };

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

/* The last tile below a miss rate of 100 % reaches up to it. */
static double top_of(double y, double high, bool miss) {
    return miss && y * high * high >= 100.0 ? 100.0 : y * high;
}

/* Four indices: tiles as x, y and their edges. y is T + P, or the miss rate in %. */
static void put_sides(const rc_tune *t, int degree, bool miss, FILE *data) {
    /* a little wider than they are, so that no seams show */
    const double wide = SEAM * rc_tune_plot_tile(&t->s.fresh);
    const double high = SEAM * rc_tune_plot_tile(&t->s.total);
    for (int side = 0; side < SIDES; side++) {
        (void)fputs("1 - - - - -\n", data);
        for (size_t i = 0; i < t->count; i++) {
            const rc_tune_cell *c = &t->cells[i];
            double length = (double)(c->t + c->p), x = (double)c->t;
            double y = miss ? 100.0 * x / length : length;
            if (rc_tune_plot_shown(t, i) && side_of(t, i, degree) == side)
                (void)fprintf(data, "%.6g %.6g %.6g %.6g %.6g %.6g\n", x, y, x / wide, x * wide,
                              y / high, top_of(y, high, miss));
        }
        rc_plot_next(data);
    }
}

static void plot_sides(FILE *script, const char *file, int first, bool titles) {
    static const char *const colour[SIDES] = {"#0072B2", "#A6CEE8", "#F6CBA5", "#E69F00"};
    static const char *const title[SIDES] = {"pass-KV faster", "pass-KV, by < 1.5 %",
                                             "pass-Q, by < 1.5 %", "pass-Q faster"};
    (void)fputs("plot ", script);
    for (int s = 0; s < SIDES; s++)
        (void)fprintf(
            script,
            "%s'%s' index %d using 1:2:3:4:5:6 with boxxyerror fill solid 1 noborder lc rgb "
            "'%s' %s%s%s",
            s ? ", " : "", file, first + s, colour[s], titles ? "title '" : "notitle",
            titles ? title[s] : "", titles ? "'" : "");
}

static void plot_frontiers(FILE *script, const char *file, int first, bool titles) {
    for (int k = 0; k < FRONTIERS; k++) {
        (void)fprintf(script, ", '%s' index %d using 1:2 with lines lw 3 %s notitle", file,
                      first + k, frontiers[k].style);
        if (titles)
            (void)fprintf(script, ", NaN with lines lw 3 %s title '%s'", frontiers[k].style,
                          frontiers[k].title);
    }
}

static int panels_of(const rc_tune *t) {
    int n = 0;
    for (int d = 0; d < t->s.degrees; d++)
        n += t->s.degree[d] > 1;
    return n < MOST_PANELS ? n : MOST_PANELS;
}

static void begin_map(const rc_tune *t, const rc_tune_plane *p, int panels, FILE *script) {
    rc_tune_plot_title(
        t, script, "Which ring variant is faster, by the simulator, and where rules draw the line");
    (void)fprintf(script,
                  "set multiplot layout %d,%d margins 0.09,0.78,%s,0.86 spacing 0.08,0.14\n"
                  "unset grid\nset title font ',14' offset 0,-0.4\nset key off\n",
                  panels > 2 ? 2 : 1, panels > 1 ? 2 : 1, panels > 2 ? "0.08" : "0.14");
    rc_plot_log_axis(script, 'x', p->x0 / rc_tune_plot_tile(&t->s.fresh),
                     p->x1 * rc_tune_plot_tile(&t->s.fresh));
    rc_plot_log_axis(script, 'y', p->y0 / rc_tune_plot_tile(&t->s.total),
                     p->y1 * rc_tune_plot_tile(&t->s.total));
}

void rc_tune_plot_map(const void *tune, FILE *script, FILE *data) {
    const rc_tune *t = tune;
    const rc_tune_plane p = {(double)t->s.fresh.from, (double)t->s.fresh.to,
                             (double)t->s.total.from, (double)t->s.total.to, false};
    int panel = 0, panels = panels_of(t);
    begin_map(t, &p, panels, script);
    for (int d = 0; d < t->s.degrees && panel < panels; d++) {
        if (t->s.degree[d] == 1)
            continue;
        put_sides(t, d, false, data);
        for (int k = 0; k < FRONTIERS; k++)
            rc_tune_plot_frontier(t, frontiers[k].rule, &p, t->s.degree[d], data);
        (void)fprintf(script,
                      "set title '%d CP ranks'\nset xlabel 'new tokens T'\nset ylabel '%s'\n",
                      t->s.degree[d], panel % 2 == 0 ? "context T + P, tokens" : "");
        if (panel == 0)
            (void)fputs("set key at screen 0.79, screen 0.86 left top samplen 1.2\n", script);
        plot_sides(script, "map.dat", panel * (SIDES + FRONTIERS), panel == 0);
        plot_frontiers(script, "map.dat", panel * (SIDES + FRONTIERS) + SIDES, panel == 0);
        (void)fputs("\nset key off\nunset label\n", script);
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
    const rc_tune_plane p = {400.0, 128000.0, 0.004, 1.0, true};
    if (d < 0) {
        d = t->s.degrees - 1;
        n = t->s.degree[d];
    }
    put_sides(t, d, true, data);
    for (int k = 0; k < FRONTIERS; k++)
        rc_tune_plot_frontier(t, frontiers[k].rule, &p, n, data);
    put_measured(t, n, data);
    char title[128];
    (void)snprintf(
        title, sizeof title,
        "Faster variant by new tokens and miss rate, %d CP ranks (the paper's Figure 10)", n);
    rc_tune_plot_title(t, script, title);
    rc_plot_log_axis(script, 'x', 360.0, 142000.0);
    (void)fprintf(
        script,
        "set logscale y\nset yrange [0.36:100]\nset ytics (0.5, 1, 2, 5, 10, 20, 50, 100)\n"
        "set xlabel 'new tokens T'\nset ylabel 'miss rate T / (T + P), %%'\nunset grid\n"
        "set tmargin at screen 0.89\nset rmargin at screen 0.775\n"
        "set key at screen 0.79, screen 0.89 left top samplen 1.5\n"
        "set label 1 \"the rules at\\nC = %.0f TFLOP/s,\\nBW = %.3g GB/s\" at screen 0.80, screen "
        "0.40 textcolor rgb '#555555'\n",
        t->s.machine.bf16_rate / 1e12, rc_tune_rates(t)->achieved_bw / 1e9);
    plot_sides(script, "fig10.dat", 0, true);
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
