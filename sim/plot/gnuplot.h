/* Drawing with gnuplot: scripts and data go into a fresh temporary folder beside the pictures,
 * gnuplot is started without a shell, and each finished picture is moved to its place as a whole.
 *
 * A gnuplot script is a program: it can start others. Whatever comes from a file goes into one by
 * rc_plot_text, and into the name of a picture by rc_plot_stem.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PLOT_GNUPLOT_H
#define RC_PLOT_GNUPLOT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "sim/base/error.h"

enum { RC_PLOT_STEM = 97 };

typedef struct rc_plot {
    const char *name; /* file stem of the pictures, as rc_plot_stem makes them */
    int width, height;
    /* Write the script body (everything but terminal and output) and its data, which the script
     * reads as 'NAME.dat'. */
    void (*draw)(const void *ctx, FILE *script, FILE *data);
} rc_plot;

/* Write a text as a gnuplot string with its quotes: it is shown as it is, nothing in it is run or
 * taken as markup. Control characters become spaces. */
void rc_plot_text(FILE *script, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* End a series of the data file: the script reads the next one by the next `index`. */
void rc_plot_next(FILE *data);
/* Sample i of n >= 2 from lo to hi, both included, evenly spaced on a logarithmic axis. */
double rc_plot_spaced(double lo, double hi, int i, int n);
/* A file stem for a picture of `name`: letters, digits, `_`, UTF-8, inner dots and `-` stay, all
 * else becomes `_`; cut at RC_PLOT_STEM - 1 bytes. */
void rc_plot_stem(const char *name, char out[RC_PLOT_STEM]);
/* Before work begins: can DIR/STEM.png and .svg be written? Creates DIR. `stems` ends with NULL. */
rc_status rc_plot_check(const char *const *stems, const char *dir, bool overwrite, rc_error *err);

/* Draw all of them as DIR/NAME.png and DIR/NAME.svg. Without gnuplot: *drawn = false and RC_OK, for
 * the caller to say so. A script that gnuplot refuses is RC_E_INTERNAL with its words. */
rc_status rc_gnuplot(const rc_plot *plots, size_t count, const void *ctx, const char *dir,
                     bool overwrite, bool *drawn, rc_error *err);

#endif
