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

#endif
