/* The log-linear histogram. The part of a value is its highest bit and the seven bits below it, so
 * adding is a count of leading zeros and two shifts. The sum is kept in 128 bits, so that a mean
 * does not depend on the order of the samples.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/stat/stat.h"
#include <assert.h>
#include <math.h>
#include <string.h>

enum { PART_BITS = 7 };
typedef unsigned __int128 wide;

int rc_hist_part(uint64_t value) {
    if (value < RC_HIST_PARTS)
        return (int)value;
    if (value > INT64_MAX)
        value = INT64_MAX;
    int shift = 63 - __builtin_clzll(value) - PART_BITS;
    return shift * RC_HIST_PARTS + (int)(value >> shift);
}

void rc_hist_bounds(int part, uint64_t *low, uint64_t *high) {
    assert(part >= 0 && part < RC_HIST_BUCKETS);
    if (part < RC_HIST_PARTS) {
        *low = *high = (uint64_t)part;
        return;
    }
    int shift = part / RC_HIST_PARTS - 1;
    uint64_t top = (uint64_t)(part - shift * RC_HIST_PARTS);
    *low = top << shift;
    *high = ((top + 1) << shift) - 1;
}

void rc_hist_init(rc_hist *h) {
    memset(h, 0, sizeof *h);
    h->min = UINT64_MAX;
}

static void add_sum(rc_hist *h, uint64_t hi, uint64_t lo) {
    h->sum_lo += lo;
    h->sum_hi += hi + (h->sum_lo < lo);
}

void rc_hist_add_many(rc_hist *h, int64_t value, uint64_t times) {
    uint64_t v = value > 0 ? (uint64_t)value : 0;
    if (times == 0)
        return;
    h->count += times;
    h->bucket[rc_hist_part(v)] += times;
    if (v < h->min)
        h->min = v;
    if (v > h->max)
        h->max = v;
    const wide sum = (wide)v * times;
    add_sum(h, (uint64_t)(sum >> 64), (uint64_t)sum);
}

void rc_hist_add(rc_hist *h, int64_t value) {
    uint64_t v = value > 0 ? (uint64_t)value : 0;
    h->count++;
    h->bucket[rc_hist_part(v)]++;
    if (v < h->min)
        h->min = v;
    if (v > h->max)
        h->max = v;
    add_sum(h, 0, v);
}

void rc_hist_merge(rc_hist *into, const rc_hist *from) {
    assert(into != from);
    into->count += from->count;
    if (from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    add_sum(into, from->sum_hi, from->sum_lo);
    for (int i = 0; i < RC_HIST_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
}

double rc_hist_mean(const rc_hist *h) {
    if (h->count == 0)
        return NAN;
    return ((double)h->sum_hi * 0x1p64 + (double)h->sum_lo) / (double)h->count;
}

static double middle(const rc_hist *h, int part) {
    uint64_t low, high;
    rc_hist_bounds(part, &low, &high);
    if (low < h->min)
        low = h->min;
    if (high > h->max)
        high = h->max;
    return (double)low + (double)(high - low) / 2.0;
}

double rc_hist_quantile(const rc_hist *h, double q) {
    assert(q >= 0.0 && q <= 1.0);
    if (h->count == 0)
        return NAN;
    double rank = ceil(q * (double)h->count);
    uint64_t want = rank >= (double)h->count ? h->count : rank < 1.0 ? 1 : (uint64_t)rank, seen = 0;
    if (want == 1)
        return (double)h->min;
    if (want == h->count)
        return (double)h->max;
    for (int i = 0; i < RC_HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= want)
            return middle(h, i);
    }
    return (double)h->max;
}

double rc_hist_share(const rc_hist *h, int64_t v) {
    if (h->count == 0)
        return NAN;
    uint64_t seen = 0;
    int last = v < 0 ? -1 : rc_hist_part((uint64_t)v);
    for (int i = 0; i <= last; i++)
        seen += h->bucket[i];
    return (double)seen / (double)h->count;
}
