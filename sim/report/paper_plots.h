/* Internal to the report room: the pictures of `ringcast paper`, one function each.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_REPORT_PAPER_PLOTS_H
#define RC_REPORT_PAPER_PLOTS_H
#include "sim/plot/gnuplot.h"
#include "sim/report/paper_internal.h"

void rc_plot_fig6a(const void *paper, FILE *script, FILE *data);
void rc_plot_fig6b(const void *paper, FILE *script, FILE *data);
void rc_plot_fig7(const void *paper, FILE *script, FILE *data);
void rc_plot_fig8(const void *paper, FILE *script, FILE *data);
void rc_plot_fig9(const void *paper, FILE *script, FILE *data);
void rc_plot_fig10(const void *paper, FILE *script, FILE *data);
void rc_plot_mfu(const void *paper, FILE *script, FILE *data);
void rc_plot_parity(const void *paper, FILE *script, FILE *data);

#endif
