/* Internal to the tune room: its pictures, one function each.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TUNE_TUNE_PLOTS_H
#define RC_TUNE_TUNE_PLOTS_H
#include "sim/plot/gnuplot.h"
#include "sim/tune/tune_internal.h"

extern const char *const rc_tune_plot_names[]; /* NULL-terminated */
void rc_tune_plot_map(const void *tune, FILE *script, FILE *data);
void rc_tune_plot_regret(const void *tune, FILE *script, FILE *data);
void rc_tune_plot_fig10(const void *tune, FILE *script, FILE *data);
void rc_tune_plot_crossover(const void *tune, FILE *script, FILE *data);
void rc_tune_plot_degree(const void *tune, FILE *script, FILE *data);
void rc_tune_plot_sensitivity(const void *tune, FILE *script, FILE *data);

int rc_tune_plot_rule(const rc_tune *t, const char *name); /* -1: none of that name */
/* A fine grid is drawn thinned out, batch[0] alone. */
bool rc_tune_plot_shown(const rc_tune *t, size_t cell);
/* The tile of a value that is shown reaches from value / factor to value * factor. */
double rc_tune_plot_tile(const rc_tune_axis *a);

/* The plane of a picture: x is T, y the length T + P, or with `miss` the miss rate T / (T + P) as a
 * share. */
typedef struct rc_tune_plane {
    double x0, x1, y0, y1;
    bool miss;
} rc_tune_plane;
/* Lines where the rule `name` changes between pass-KV and pass-Q on so many ranks, one data set; the
 * miss rate in per cent. */
void rc_tune_plot_frontier(const rc_tune *t, const char *name, const rc_tune_plane *p, int ranks,
                           FILE *data);
/* A title, and below it the machine in the words of its file, as label 99. */
void rc_tune_plot_title(const rc_tune *t, FILE *script, const char *title);

#endif
