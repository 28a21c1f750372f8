/* Statistics of a run that fit in fixed memory: a histogram of values and a series over time.
 *
 * Both give the same bytes for the same samples; the histogram does so in any order and however it
 * is split and merged.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_STAT_STAT_H
#define RC_STAT_STAT_H
#include <stdint.h>

/* ---------------------------------------------------------------- histogram --------------- */
/* Log-linear: each power of two is cut into 128 equal parts, so a value is known to within its part
 * and the middle of the part is at most 0.4 % off; values below 256 are exact. Count, sum, least
 * and greatest are exact. Values are whole and not negative: picoseconds, tokens, requests. 58 KB
 * each. */
enum { RC_HIST_PARTS = 128, RC_HIST_BUCKETS = 57 * RC_HIST_PARTS };
typedef struct rc_hist {
    uint64_t count, min, max; /* min = UINT64_MAX when empty */
    uint64_t sum_hi, sum_lo;  /* 128 bits */
    uint64_t bucket[RC_HIST_BUCKETS];
} rc_hist;
void rc_hist_init(rc_hist *h);
void rc_hist_add(rc_hist *h, int64_t value); /* below zero counts as zero */
void rc_hist_add_many(rc_hist *h, int64_t value, uint64_t times);
void rc_hist_merge(rc_hist *into, const rc_hist *from); /* two different ones */
double rc_hist_mean(const rc_hist *h); /* exact but for one rounding; nan when empty */
/* The value of rank ceil(q * count), at least the first; the middle of its part, not outside
 * [min, max]; nan when empty. 0 <= q <= 1. */
double rc_hist_quantile(const rc_hist *h, double q);
/* Share of values <= v, counting the part of v whole; nan when empty. */
double rc_hist_share(const rc_hist *h, int64_t v);
/* The part that `value` falls in, 0 .. RC_HIST_BUCKETS - 1. */
int rc_hist_part(uint64_t value);
/* The values of a part: *low <= v <= *high. */
void rc_hist_bounds(int part, uint64_t *low, uint64_t *high);

/* ---------------------------------------------------------------- series ------------------ */
/* A quantity that is constant between changes (queue length, blocks in use, batch size): its
 * time-weighted mean in each interval. At most RC_TIMELINE_MAX intervals: when time passes the
 * last, neighbours are joined and the interval doubles. */
enum { RC_TIMELINE_MAX = 1024 };
typedef struct rc_timeline {
    int64_t interval;             /* ps */
    int64_t now;                  /* ps of the last change */
    double value;                 /* since then */
    double area[RC_TIMELINE_MAX]; /* value * ps, by interval */
} rc_timeline;
void rc_timeline_init(rc_timeline *s, int64_t interval); /* > 0 ps; starts at 0 ps with value 0 */
/* From `now` on the quantity is `value`. `now` is not before the last change. */
void rc_timeline_set(rc_timeline *s, int64_t now, double value);
void rc_timeline_end(rc_timeline *s, int64_t now); /* the same value up to now */
int rc_timeline_count(const rc_timeline *s);       /* intervals begun */
/* Mean in interval i >= 0, as far as time has come; nan when it has not begun. */
double rc_timeline_at(const rc_timeline *s, int i);

#endif
