/* Order statistics: sorted arrays, read at a place.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/quantile.h"
#include <assert.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void rc_sort(double *v, size_t n) {
    assert(v != NULL || n == 0);
    if (n > 0)
        qsort(v, n, sizeof *v, by_value);
}

double rc_quantile(const double *sorted, size_t n, double q) {
    assert(n > 0);
    assert(q >= 0.0 && q <= 1.0);
    double place = q * (double)(n - 1);
    size_t i = (size_t)place;
    return i + 1 < n ? sorted[i] + (place - (double)i) * (sorted[i + 1] - sorted[i])
                     : sorted[n - 1];
}

double rc_nearest_rank(const double *sorted, size_t n, double q) {
    assert(n > 0 && q >= 0.0 && q <= 1.0);
    return sorted[(size_t)(q * (double)(n - 1) + 0.5)];
}
