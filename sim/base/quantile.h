/* Order statistics of numbers in memory. Streams too long for that go through sim/stat/hist.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_QUANTILE_H
#define RC_BASE_QUANTILE_H
#include <stddef.h>

/* Rising order. No number may be NaN. */
void rc_sort(double *v, size_t n);
/* Of n >= 1 sorted numbers, 0 <= q <= 1: the one at place q (n - 1), between two neighbours by
 * linear interpolation. */
double rc_quantile(const double *sorted, size_t n, double q);
/* The number nearest to that place, so that it is one of the sample. */
double rc_nearest_rank(const double *sorted, size_t n, double q);

#endif
