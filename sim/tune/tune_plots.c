/* The list of pictures.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/tune/tune_plots.h"
#include "sim/plot/gnuplot.h"

static const rc_plot plots[] = {
    {"map", 1300, 1050, rc_tune_plot_map},
    {"regret", 1200, 640, rc_tune_plot_regret},
    {"fig10", 1200, 800, rc_tune_plot_fig10},
    {"crossover", 1200, 800, rc_tune_plot_crossover},
    {"degree", 1300, 700, rc_tune_plot_degree},
    {"sensitivity", 1300, 950, rc_tune_plot_sensitivity},
};
enum { PLOTS = sizeof plots / sizeof plots[0] };

/* The same order as `plots`. */
const char *const rc_tune_plot_names[PLOTS + 1] = {"map",    "regret",      "fig10", "crossover",
                                                   "degree", "sensitivity", NULL};

rc_status rc_tune_plots(const rc_tune *t, const char *dir, bool overwrite, FILE *log,
                        rc_error *err) {
    bool drawn;
    size_t count = t->variations > 0 ? PLOTS : PLOTS - 1;
    RC_TRY(rc_gnuplot(plots, count, t, dir, overwrite, &drawn, err));
    if (!drawn && log)
        (void)fputs("# plots: SKIPPED, gnuplot was not found; everything else is written\n", log);
    return RC_OK;
}
