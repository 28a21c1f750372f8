/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/routing.h"

#include <assert.h>
#include <math.h>

/* The share of all pairs of the i-th expert, i from 1, is `scale` i^-skew, at most 1 / top_k: every
 * token chooses it then. How many are so bound, and the scale with which shares add up to one. */
static double scale_of(int experts, int top_k, double skew, int *bound) {
    double rest = 0.0, scale = 0.0;
    for (int i = 1; i <= experts; i++)
        rest += pow(i, -skew);
    for (*bound = 0; *bound < top_k; (*bound)++) {
        scale = (1.0 - (double)*bound / top_k) / rest;
        if (scale * pow(*bound + 1, -skew) <= 1.0 / top_k)
            break;
        rest -= pow(*bound + 1, -skew);
    }
    return scale;
}

double rc_busiest_share(int experts, int top_k, int groups, double skew) {
    int bound = 0;
    double share = 0.0;
    assert(experts >= 1 && top_k >= 1 && top_k <= experts && groups >= 1 && skew >= 0.0);
    if (skew <= 0.0 || groups == 1)
        return 1.0 / groups;
    const double scale = scale_of(experts, top_k, skew, &bound);
    for (int i = 1; i <= experts; i += groups)
        share += i <= bound ? 1.0 / top_k : scale * pow(i, -skew);
    return share;
}
