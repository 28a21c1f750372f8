/* How one point is timed. docs/calibration.md says why; the numbers are here.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_BENCH_H
#define RC_CALIB_BENCH_H
#include <stdbool.h>
#include <stdint.h>
#include "calib/gpu.h"

#define RC_BENCH_EVENTS 16 /* timed windows in flight at once */
#define RC_BENCH_MAX_SAMPLES 200
#define RC_BENCH_MIN_SAMPLES 7
#define RC_BENCH_FEW_SAMPLES 3   /* of calls over 20 ms; in a burst, fewer than 7 from 4 ms on */
#define RC_BENCH_MAX_COPIES 512  /* calls in one graph */
#define RC_BENCH_WINDOW_S 300e-6 /* a timed window is at least about this long */
#define RC_BENCH_EAGER_S 1e-3    /* calls longer than this are timed one by one, without a graph */
#define RC_BENCH_SPREAD 0.01     /* stop when the median's 95 % interval is this narrow */
#define RC_BENCH_BURST_CAP_S                                                                       \
    0.028 /* GPU time of one point's samples, after the least number of them */
#define RC_BENCH_SUSTAINED_CAP_S 0.25
#define RC_BENCH_NVML_LAG_S 0.1 /* readings are renewed about ten times a second */
#define RC_BENCH_PAUSE 1.5      /* burst: idle seconds before the samples for each second of load */
#define RC_BENCH_PAUSE_MAX_S 0.3
#define RC_BENCH_PRELOAD_S                                                                         \
    0.3 /* sustained: continuous load of the same op before the first sample */

typedef struct rc_bench_op rc_bench_op;

typedef struct rc_bench {
    rc_gpu *gpu;
    cudaEvent_t start[RC_BENCH_EVENTS], stop[RC_BENCH_EVENTS];
    bool sustained;
    double duty_cycle; /* share of the time at work, 0..1, instead of a state; 0: none */
    bool from_rest;    /* at a duty cycle: the chip idles before, and samples follow as in a ring */
    const rc_bench_op
        *heat; /* at a duty cycle: runs in the rest of the time, in place of nothing; or NULL */
    double warmth_s; /* GPU time spent since the last pause: burst pauses pay it back */
} rc_bench;

/* One op: `launch` enqueues one call on `stream`, on input set `slot` of 0..slots-1, and must be
 * capturable. */
struct rc_bench_op {
    rc_status (*launch)(void *self, int slot, cudaStream_t stream, rc_error *err);
    void *self;
    size_t footprint; /* bytes that one call touches */
    int slots;        /* input sets there are */
};

typedef struct rc_result {
    double p10_s, p50_s, p90_s; /* of one call */
    int64_t samples;
    double interval;  /* width of the median's 95 % interval over the median */
    int outliers;     /* samples beyond p75 + 3 (p75 - p25) that are 5 % over the median, too */
    rc_health health; /* means over the readings; see rc_health_drop_stale */
} rc_result;

rc_status rc_bench_open(rc_bench *b, rc_gpu *g, rc_error *err);
void rc_bench_close(rc_bench *b);
/* Input sets that keep a call of this footprint out of L2: enough for twice the cache. */
int rc_bench_slots_wanted(const rc_gpu *g, size_t footprint);
/* Time one point in the state that b->sustained says, or at the duty cycle that b->duty_cycle
 * says. */
rc_status rc_bench_run(rc_bench *b, const rc_bench_op *op, rc_result *r, rc_error *err);
/* bench_duty_cycle.c: time calls that are separated by idle gaps, so that the GPU is at work for
 * `share` of the time. Samples count once clock and power have settled or, with b->from_rest, as
 * long after a rest as those of a ring (calib/ring/ring_timing.c); *r gets the times of the calls
 * and the mean clock and power. */
rc_status rc_bench_duty_cycle(rc_bench *b, const rc_bench_op *op, double share, rc_result *r,
                              rc_error *err);
/* bench_eager.c: time stretches of `calls` calls that the host launches one by one, no graph, all of
 * them queued before the first begins; *r is of one call. RC_E_UNMODELLED when the host cannot queue
 * so many ahead. */
rc_status rc_bench_eager(rc_bench *b, const rc_bench_op *op, int calls, rc_result *r,
                         rc_error *err);
/* Keep the GPU busy with the op for that long. */
rc_status rc_bench_heat(rc_bench *b, const rc_bench_op *op, double seconds, rc_error *err);
/* The driver renews clock and power about ten times a second, so after a load of less than that
 * they tell of what was before: they become NAN. The temperature stays. */
void rc_health_drop_stale(rc_health *h, double loaded_s);
/* Quantiles, interval and outliers of n samples (sorted in place). */
void rc_result_set(rc_result *r, double *samples, size_t n);

#endif
