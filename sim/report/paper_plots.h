/* Internal to the report room: the pictures of `ringcast paper`, one function each.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_REPORT_PAPER_PLOTS_H
#define RC_REPORT_PAPER_PLOTS_H
#include "sim/plot/gnuplot.h"
#include "sim/report/paper_internal.h"

/* A line of data: x, the seconds of the job, its p5 and p95 ("-": no result). */
void rc_plot_line(FILE *data, double x, const rc_paper *p, int job);
/* The band between columns `lo` and `lo` + 1 of that data in colour `color`, a comma behind it; and
 * what the key says of all bands, a comma before it. */
void rc_plot_band(FILE *script, const char *name, int index, int lo, int color);
void rc_plot_band_key(FILE *script);

void rc_plot_fig6a(const void *paper, FILE *script, FILE *data);
void rc_plot_fig6b(const void *paper, FILE *script, FILE *data);
void rc_plot_fig7(const void *paper, FILE *script, FILE *data);
void rc_plot_fig8(const void *paper, FILE *script, FILE *data);
void rc_plot_fig9(const void *paper, FILE *script, FILE *data);
void rc_plot_fig10(const void *paper, FILE *script, FILE *data);
void rc_plot_mfu(const void *paper, FILE *script, FILE *data);
void rc_plot_parity(const void *paper, FILE *script, FILE *data);

#endif
