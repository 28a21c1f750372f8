/* Statistics of repeated timings: quantiles, and how well the median is known.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_STATS_H
#define RC_CALIB_STATS_H
#include <stdbool.h>
#include <stddef.h>

/* Sort ascending, in place. */
void rc_stats_sort(double *x, size_t n);
/* The q-quantile (0 <= q <= 1) of sorted values, linear between order statistics (R's type 7, GSL's
 * gsl_stats_quantile_from_sorted_data). NAN when n is 0. */
double rc_stats_quantile(const double *sorted, size_t n, double q);
/* 95 % confidence interval of the median of sorted values from order statistics, whatever the
 * distribution: [x(k), x(n-k+1)] with the largest k that still covers 95 %. False when n < 6: then
 * no pair of order statistics does, and *lo, *hi are the extremes. */
bool rc_stats_median_ci(const double *sorted, size_t n, double *lo, double *hi);
/* Width of that interval over the median; INFINITY when there is none. */
double rc_stats_median_spread(const double *sorted, size_t n);
/* Samples beyond p75 + 3 (p75 - p25) that are over the median by 5 %, too: an interrupt or a change
 * of clock, not noise. */
int rc_stats_outliers(const double *sorted, size_t n);

#endif
