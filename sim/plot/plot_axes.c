/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/plot/plot_axes.h"
#include <assert.h>
#include <math.h>

enum { FEW_DECADES = 3 };

void rc_plot_tic(double value, char *out, size_t size) {
    assert(out != NULL && size > 0);
    if (value >= 1e6)
        (void)snprintf(out, size, "%.10gM", value / 1e6);
    else if (value >= 1e4 || (value >= 1e3 && fmod(value, 1e3) == 0.0))
        (void)snprintf(out, size, "%.10gK", value / 1e3);
    else
        (void)snprintf(out, size, "%.10g", value);
}

void rc_plot_log_axis(FILE *script, char axis, double lo, double hi) {
    static const int steps[] = {1, 2, 5}, all = (int)(sizeof steps / sizeof steps[0]);
    assert(axis == 'x' || axis == 'y');
    assert(lo > 0.0 && lo < hi);
    const int first = (int)floor(log10(lo)), last = (int)ceil(log10(hi));
    const int shown = log10(hi / lo) <= FEW_DECADES ? all : 1;
    const char *separator = "";
    (void)fprintf(script, "set logscale %c\nset %crange [%.6g:%.6g]\nset %ctics (", axis, axis, lo,
                  hi, axis);
    for (int decade = first; decade <= last; decade++)
        for (int i = 0; i < shown; i++) {
            double at = steps[i] * pow(10.0, decade);
            char label[32];
            if (at < lo * (1.0 - 1e-9) || at > hi * (1.0 + 1e-9))
                continue;
            rc_plot_tic(at, label, sizeof label);
            (void)fprintf(script, "%s'%s' %.10g", separator, label, at);
            separator = ", ";
        }
    (void)fputs(")\n", script);
}
