/* A run's distributions over each other: TTFT on the left, mean gaps between tokens on the right.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/beside/server_runs.h"

#include <math.h>
#include <stdio.h>

#include "sim/plot/gnuplot.h"
#include "sim/plot/plot_axes.h"

typedef struct picture {
    const rc_beside_run *run;
    char stem[RC_PLOT_STEM];
} picture;

void rc_beside_stem(const char *run, char out[RC_PLOT_STEM]) {
    char name[128];
    (void)snprintf(name, sizeof name, "serving-%s", run);
    rc_plot_stem(name, out);
}

/* Steps up to each time; a series that nobody has still is one, so that indices hold. */
static void put_series(const rc_beside_times *t, double *lo, double *hi, FILE *data) {
    (void)fputs("1 -\n", data);
    for (size_t i = 0; i < t->count; i++) {
        const double ms = 1e3 * t->at[i];
        if (ms <= 0.0)
            continue;
        (void)fprintf(data, "%.6g %.6g\n", ms, 100.0 * (double)(i + 1) / (double)t->count);
        *lo = fmin(*lo, ms);
        *hi = fmax(*hi, ms);
    }
    rc_plot_next(data);
}

static void draw_panel(const picture *p, int first, const char *what, double lo, double hi,
                       FILE *script) {
    if (!(hi > 0.0))
        lo = 1.0, hi = 10.0;
    rc_plot_log_axis(script, 'x', lo / 1.4, hi * 1.2);
    (void)fprintf(script,
                  "set xlabel '%s, ms'\n"
                  "plot '%s.dat' index %d using 1:2 with steps lw 2.5 lc rgb '#0072B2' title "
                  "'measured', '' index %d using 1:2 with steps lw 2.5 lc rgb '#E69F00' title "
                  "'forecast'\nset key off\nset ylabel ''\n",
                  what, p->stem, first, first + 1);
}

static void draw(const void *ctx, FILE *script, FILE *data) {
    const picture *p = ctx;
    const rc_beside_play *play = p->run->play;
    double lo[2] = {INFINITY, INFINITY}, hi[2] = {0.0, 0.0};
    put_series(&play[RC_BESIDE_MEASURED].ttft, &lo[0], &hi[0], data);
    put_series(&play[RC_BESIDE_FORECAST].ttft, &lo[0], &hi[0], data);
    put_series(&play[RC_BESIDE_MEASURED].gap, &lo[1], &hi[1], data);
    put_series(&play[RC_BESIDE_FORECAST].gap, &lo[1], &hi[1], data);
    (void)fputs("set label 1 ", script);
    rc_plot_text(script, "%s on %s: a real server and its forecast, %llu requests", p->run->name,
                 p->run->machine, (unsigned long long)play[RC_BESIDE_MEASURED].done);
    (void)fputs(" at screen 0.5, screen 0.965 center font ',16'\n"
                "set key at screen 0.5, screen 0.915 center top horizontal samplen 2.5\n"
                "set multiplot layout 1,2 margins 0.085,0.98,0.14,0.86 spacing 0.07\n"
                "set yrange [0:100]\nset ylabel 'at most so long, % of requests'\n",
                script);
    draw_panel(p, 0, "TTFT", lo[0], hi[0], script);
    (void)fputs("unset label\n", script);
    draw_panel(p, 2, "mean gap between tokens", lo[1], hi[1], script);
    (void)fputs("unset multiplot\n", script);
}

rc_status rc_beside_plot(const rc_beside_run *r, const char *dir, bool overwrite, bool *drawn,
                         rc_error *err) {
    picture p = {.run = r};
    rc_beside_stem(r->name, p.stem);
    const rc_plot plot = {p.stem, 1200, 600, draw};
    return rc_gnuplot(&plot, 1, &p, dir, overwrite, drawn, err);
}
