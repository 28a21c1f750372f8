/* Drawing with gnuplot: scripts and data go into a fresh temporary folder, gnuplot is started
 * without a shell, and each finished picture is moved to its place as a whole.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PLOT_GNUPLOT_H
#define RC_PLOT_GNUPLOT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "sim/base/error.h"

typedef struct rc_plot {
    const char *name; /* file stem of the pictures */
    int width, height;
    /* Write the script body (everything but terminal and output) and its data, which the script
     * reads as 'NAME.dat'. */
    void (*draw)(const void *ctx, FILE *script, FILE *data);
} rc_plot;

/* Draw all of them as DIR/NAME.png and DIR/NAME.svg. Without gnuplot: *drawn = false and RC_OK, for
 * the caller to say so. A script that gnuplot refuses is RC_E_INTERNAL with its words. */
rc_status rc_gnuplot(const rc_plot *plots, size_t count, const void *ctx, const char *dir,
                     bool overwrite, bool *drawn, rc_error *err);

#endif
