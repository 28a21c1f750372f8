/* Time, clock and power of an op that is at work for a share of the time only (its duty cycle).
 *
 * A ring whose GPUs wait for messages is such a load: the less a chip computes, the higher the
 * clock that its power limit allows. Calls are launched one by one. Each stands between two events
 * and is followed by a kernel that sleeps for as long as the share asks. Two batches of calls are
 * in flight, so that the GPU never waits for the host. Clock and power are read after each batch.
 * Where an op is to be timed at the clock that dense work leaves it, products run in place of the sleep.
 * The first seconds of a load are not counted: by then the driver's readings and the chip's clock
 * have followed it. From rest they are as many as a ring leaves out, and samples end as early as
 * those of a ring: a power limit that acts on a mean over a second lets a chip that was idle run
 * faster until then.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/bench.h"
#include "calib/bench_kernels.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { CALLS_MOST = 32, SAMPLES_MOST = 2048 };
#define BATCH_S 0.05 /* half the interval between two readings of the driver */

/* How long a load lasts. */
typedef struct course {
    double rest_s, settle_s, load_s; /* idle before; not counted; in all */
} course;
/* Two thirds of it counted give ten readings of the clock, which the driver renews ten times a
 * second. */
static const course steady = {0, 0.5, 1.5};
/* What ring_timing.c warms up, and samples at the least; a ring's set-up leaves the chip idle. */
static const course as_a_ring = {1.0, 0.3, 0.55};

typedef struct batch {
    cudaEvent_t start[CALLS_MOST], stop[CALLS_MOST];
    int calls;
    bool counted; /* begun after the load had settled */
} batch;

typedef struct duty_run {
    rc_bench *b;
    const rc_bench_op *op;
    const course *course;
    double share, call_s; /* what a call takes, by the last batch */
    double heat_s;        /* the same of what runs in the rest of the time */
    int turn;
    batch batches[2];
    double x[SAMPLES_MOST];
    int samples;
    rc_health sum;
    int readings;
} duty_run;

static rc_status open_events(duty_run *d, rc_error *err) {
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < CALLS_MOST; i++) {
            RC_CUDA(cudaEventCreate(&d->batches[k].start[i]));
            RC_CUDA(cudaEventCreate(&d->batches[k].stop[i]));
        }
    return RC_OK;
}

static void close_events(duty_run *d) {
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < CALLS_MOST; i++) {
            if (d->batches[k].start[i])
                (void)cudaEventDestroy(d->batches[k].start[i]);
            if (d->batches[k].stop[i])
                (void)cudaEventDestroy(d->batches[k].stop[i]);
        }
}

/* What runs between the calls: at least one launch, on its input sets in turn. */
static rc_status heat(const duty_run *d, double seconds, rc_error *err) {
    const rc_bench_op *h = d->b->heat;
    for (int i = 0; i == 0 || i * d->heat_s < seconds; i++)
        RC_TRY(h->launch(h->self, i % (h->slots > 1 ? h->slots : 1), d->b->gpu->stream, err));
    return RC_OK;
}

static rc_status rest(const duty_run *d, double seconds, rc_error *err) {
    if (d->b->heat)
        return heat(d, seconds, err);
    return seconds > 0
               ? rc_kernel_check(err, rc_bench_idle((int64_t)(1e9 * seconds), d->b->gpu->stream),
                                 "rc_bench_idle")
               : RC_OK;
}

static rc_status launch(duty_run *d, batch *x, double gap_s, rc_error *err) {
    cudaStream_t s = d->b->gpu->stream;
    int slots = d->op->slots > 1 ? d->op->slots : 1;
    for (int i = 0; i < x->calls; i++) {
        RC_CUDA(cudaEventRecord(x->start[i], s));
        RC_TRY(d->op->launch(d->op->self, d->turn++ % slots, s, err));
        RC_CUDA(cudaEventRecord(x->stop[i], s));
        RC_TRY(rest(d, gap_s, err));
    }
    return RC_OK;
}

/* Wait for a batch and count it. */
static rc_status collect(duty_run *d, batch *x, rc_error *err) {
    double sum = 0;
    RC_CUDA(cudaEventSynchronize(x->stop[x->calls - 1]));
    for (int i = 0; i < x->calls; i++) {
        float ms = 0;
        RC_CUDA(cudaEventElapsedTime(&ms, x->start[i], x->stop[i]));
        sum += 1e-3 * (double)ms;
        if (x->counted && d->samples < SAMPLES_MOST)
            d->x[d->samples++] = 1e-3 * (double)ms;
    }
    d->call_s = sum / x->calls;
    if (x->counted) {
        rc_health h = rc_nvml_read(d->b->gpu->nvml);
        d->sum.sm_mhz += h.sm_mhz;
        d->sum.power_w += h.power_w;
        d->sum.temp_c += h.temp_c;
        d->sum.throttle |= h.throttle;
        d->readings++;
    }
    x->calls = 0;
    return RC_OK;
}

static rc_status load(duty_run *d, rc_error *err) {
    double began = rc_now();
    for (int k = 0; rc_now() - began < d->course->load_s || d->samples < RC_BENCH_MIN_SAMPLES;
         k++) {
        batch *x = &d->batches[k % 2];
        if (x->calls)
            RC_TRY(collect(d, x, err));
        double period = d->call_s / d->share;
        if (period - d->call_s < d->heat_s)
            period = d->call_s + d->heat_s; /* one at the least */
        double calls = BATCH_S / period;
        x->calls = calls < 1 ? 1 : calls < CALLS_MOST ? (int)calls : CALLS_MOST;
        x->counted = rc_now() - began >= d->course->settle_s;
        RC_TRY(launch(d, x, period - d->call_s, err));
    }
    for (int k = 0; k < 2; k++)
        if (d->batches[k].calls)
            RC_TRY(collect(d, &d->batches[k], err));
    return RC_OK;
}

static rc_status estimate_heat(duty_run *d, rc_error *err) {
    const cudaEvent_t *event = d->batches[1].start;
    float ms = 0;
    if (!d->b->heat)
        return RC_OK;
    for (int i = 0; i < 2; i++) { /* the first loads modules */
        RC_CUDA(cudaEventRecord(event[0], d->b->gpu->stream));
        RC_TRY(heat(d, 0.0, err));
        RC_CUDA(cudaEventRecord(event[1], d->b->gpu->stream));
        RC_CUDA(cudaEventSynchronize(event[1]));
    }
    RC_CUDA(cudaEventElapsedTime(&ms, event[0], event[1]));
    d->heat_s = 1e-3 * (double)ms;
    return RC_OK;
}

/* A first idea of what a call takes; the first call of all loads modules. */
static rc_status estimate(duty_run *d, rc_error *err) {
    RC_TRY(estimate_heat(d, err));
    for (int i = 0; i < 2; i++) {
        d->batches[0].calls = 1;
        RC_TRY(launch(d, &d->batches[0], 0, err));
        RC_TRY(collect(d, &d->batches[0], err));
    }
    return RC_OK;
}

rc_status rc_bench_duty_cycle(rc_bench *b, const rc_bench_op *op, double share, rc_result *r,
                              rc_error *err) {
    assert(share > 0 && share <= 1);
    static duty_run d; /* too large for a stack; one process measures one point at a time */
    memset(&d, 0, sizeof d);
    d.b = b;
    d.op = op;
    d.share = share;
    d.course = b->from_rest ? &as_a_ring : &steady;
    memset(r, 0, sizeof *r);
    rc_status st = open_events(&d, err);
    if (st == RC_OK)
        st = estimate(&d, err);
    rc_nap(d.course->rest_s);
    if (st == RC_OK)
        st = load(&d, err);
    (void)cudaStreamSynchronize(b->gpu->stream);
    close_events(&d);
    RC_TRY(st);
    rc_result_set(r, d.x, (size_t)d.samples);
    double inv = d.readings ? 1.0 / d.readings : (double)NAN;
    r->health =
        (rc_health){d.sum.sm_mhz * inv, d.sum.power_w * inv, d.sum.temp_c * inv, d.sum.throttle};
    b->warmth_s += d.course->load_s * share;
    return RC_OK;
}
