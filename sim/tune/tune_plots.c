/* The list of pictures, and what they share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/tune/tune_plots.h"
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/plot/gnuplot.h"

static const rc_plot plots[] = {
    {"map", 1300, 1050, rc_tune_plot_map},
    {"regret", 1200, 800, rc_tune_plot_regret},
    {"fig10", 1200, 800, rc_tune_plot_fig10},
    {"crossover", 1200, 800, rc_tune_plot_crossover},
    {"degree", 1300, 700, rc_tune_plot_degree},
    {"sensitivity", 1300, 950, rc_tune_plot_sensitivity},
};
enum { PLOTS = sizeof plots / sizeof plots[0], MAX_SHOWN = 40 };

/* The same order as `plots`. */
const char *const rc_tune_plot_names[PLOTS + 1] = {"map",    "regret",      "fig10", "crossover",
                                                   "degree", "sensitivity", NULL};

void rc_tune_plot_next(FILE *data) {
    (void)fputs("\n\n", data);
}

int rc_tune_plot_rule(const rc_tune *t, const char *name) {
    for (int i = 0; i < t->rules; i++)
        if (strcmp(t->rule[i].name, name) == 0)
            return i;
    return -1;
}

static bool shown_on(const rc_tune_axis *a, int64_t v) {
    assert(v >= a->from && v <= a->to);
    int step = (a->points + MAX_SHOWN - 1) / MAX_SHOWN;
    double at = log((double)v / (double)a->from) / log((double)a->to / (double)a->from);
    return llround(at * (a->points - 1)) % step == 0;
}

bool rc_tune_plot_shown(const rc_tune *t, size_t cell) {
    assert(cell < t->count);
    const rc_tune_cell *c = &t->cells[cell];
    return c->batch == 0 && shown_on(&t->s.fresh, c->t) && shown_on(&t->s.total, c->t + c->p);
}

rc_status rc_tune_plots(const rc_tune *t, const char *dir, bool overwrite, FILE *log,
                        rc_error *err) {
    bool drawn;
    size_t count = t->variations > 0 ? PLOTS : PLOTS - 1;
    RC_TRY(rc_gnuplot(plots, count, t, dir, overwrite, &drawn, err));
    if (!drawn && log)
        (void)fputs("# plots: SKIPPED, gnuplot was not found; everything else is written\n", log);
    return RC_OK;
}
