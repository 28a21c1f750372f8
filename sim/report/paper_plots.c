/* The list of pictures.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/report/paper_plots.h"
#include "sim/base/file.h"
#include "sim/plot/gnuplot.h"

static const rc_plot plots[] = {
    {"fig6a", 1200, 800, rc_plot_fig6a}, {"fig6b", 1200, 800, rc_plot_fig6b},
    {"fig7", 1200, 800, rc_plot_fig7},   {"fig8", 1200, 800, rc_plot_fig8},
    {"fig9", 1200, 800, rc_plot_fig9},   {"fig10", 1200, 800, rc_plot_fig10},
    {"mfu", 1200, 800, rc_plot_mfu},     {"ttft-parity", 1200, 900, rc_plot_parity},
};
enum { PLOTS = sizeof plots / sizeof plots[0] };

/* The same order as `plots`. */
const char *const rc_paper_plot_names[PLOTS + 1] = {"fig6a", "fig6b", "fig7",        "fig8", "fig9",
                                                    "fig10", "mfu",   "ttft-parity", NULL};

rc_status rc_paper_write_plots(const rc_paper *p, const char *dir, bool overwrite, FILE *log,
                               rc_error *err) {
    char folder[RC_PATH_SIZE];
    bool drawn;
    assert(p->options.figures); /* their jobs were planned */
    RC_TRY(rc_path_in(folder, dir, err, "plots"));
    RC_TRY(rc_gnuplot(plots, PLOTS, p, folder, overwrite, &drawn, err));
    if (!drawn && log)
        (void)fputs("# plots: SKIPPED, gnuplot was not found; everything else is written\n", log);
    return RC_OK;
}
