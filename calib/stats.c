/* Statistics of repeated timings.
 *
 * Timings are skewed (an interrupt only ever adds time), so the numbers kept are the median, p10
 * and p90, and the rule that stops a measurement is a confidence interval of the median that
 * assumes no distribution. The number of samples below the true median is binomial(n, 1/2), hence
 * the interval between the k-th smallest and the k-th largest sample covers it with probability 1 -
 * 2 P(B <= k - 1),   B ~ Binomial(n, 1/2). Six samples are the fewest for which k = 1 reaches 95 %
 * (96.9 %).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void rc_stats_sort(double *x, size_t n) {
    if (n > 1)
        qsort(x, n, sizeof *x, compare);
}

double rc_stats_quantile(const double *sorted, size_t n, double q) {
    assert(q >= 0 && q <= 1);
    assert(n == 0 || !(sorted[0] > sorted[n - 1]));
    if (n == 0)
        return NAN;
    double at = q * (double)(n - 1);
    if (at <= 0)
        return sorted[0];
    size_t i = (size_t)at;
    if (i >= n - 1)
        return sorted[n - 1];
    double f = at - (double)i;
    return sorted[i] + f * (sorted[i + 1] - sorted[i]);
}

/* The largest k (1-based) with 1 - 2 P(B <= k-1) >= 0.95, or 0. */
static size_t median_rank(size_t n) {
    if (n > 1000) { /* the normal approximation is exact to a rank here, and 2^-n underflows */
        double k = 0.5 * (double)n - 0.98 * sqrt((double)n);
        return (size_t)k;
    }
    double term = ldexp(1.0, -(int)n), below = 0;
    size_t k = 0;
    for (size_t i = 0; i < n / 2; i++) {
        below += term;
        if (1 - 2 * below < 0.95)
            break;
        k = i + 1;
        term *= (double)(n - i) / (double)(i + 1);
    }
    return k;
}

bool rc_stats_median_ci(const double *sorted, size_t n, double *lo, double *hi) {
    assert(n == 0 || sorted != NULL);
    if (n == 0) {
        *lo = *hi = NAN;
        return false;
    }
    size_t k = median_rank(n);
    *lo = sorted[k ? k - 1 : 0];
    *hi = sorted[n - (k ? k : 1)];
    return k > 0;
}

double rc_stats_median_spread(const double *sorted, size_t n) {
    double lo, hi;
    if (!rc_stats_median_ci(sorted, n, &lo, &hi))
        return INFINITY;
    double m = rc_stats_quantile(sorted, n, 0.5);
    return m > 0 ? (hi - lo) / m : INFINITY;
}

int rc_stats_outliers(const double *sorted, size_t n) {
    double q1 = rc_stats_quantile(sorted, n, 0.25), q3 = rc_stats_quantile(sorted, n, 0.75);
    double far = q3 + 3 * (q3 - q1), near = 1.05 * rc_stats_quantile(sorted, n, 0.5);
    int count = 0;
    for (size_t i = n; i-- > 0 && sorted[i] > far && sorted[i] > near;)
        count++;
    return count;
}
