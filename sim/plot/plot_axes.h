/* Axes that read well: tics where a reader looks for them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PLOT_AXES_H
#define RC_PLOT_AXES_H
#include <stdio.h>

/* A logarithmic axis (`x` or `y`) over 0 < lo < hi, with tics at 1, 2 and 5 of each decade where there
 * are up to three decades, else at 1. Thousands and millions are 1K and 1M. */
void rc_plot_log_axis(FILE *script, char axis, double lo, double hi);
/* A label of a tic: 0.05, 20, 128K, 1M. */
void rc_plot_tic(double value, char *out, size_t size);

#endif
