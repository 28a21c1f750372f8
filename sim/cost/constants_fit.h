/* Fitting the few constants of a plan to rows: weighted Gauss-Newton steps on log time.
 *
 * Errors count as sqrt(r^2 + 0.05^2): rows that the plan does not explain, of which there are few, do
 * not bend it. Each constant is held near where it begins by a ridge.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_CONSTANTS_FIT_H
#define RC_COST_CONSTANTS_FIT_H
#include <stdbool.h>
#include <stddef.h>

enum { RC_FIT_CONSTANTS = 8 };

typedef struct rc_constants_fit {
    const void *of;      /* what the functions below are asked of */
    size_t n, constants; /* rows; constants, at most RC_FIT_CONSTANTS */
    /* Constants of the plan from those that are fitted (logs, most often). */
    void (*plan)(const void *of, const double *theta, double *c);
    /* Log time of a row less the plan's, by constants of the plan. */
    double (*off)(const void *of, size_t row, const double *c);
    double ridge[RC_FIT_CONSTANTS]; /* over 0 */
} rc_constants_fit;

/* theta: in, where to begin; out, the best that was found. Both hold RC_FIT_CONSTANTS numbers, those
 * beyond `constants` 0. */
void rc_fit_constants(const rc_constants_fit *f, double theta[RC_FIT_CONSTANTS]);

#endif
