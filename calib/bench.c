/* How one point is timed.
 *
 *   1. One warm-up call (module load, lazy set-up), then one call between events as a first
 *      estimate.
 *   2. Calls under a millisecond go into a CUDA graph, as many copies as make a window of 300 us.
 *      Each copy works on the next of several input sets, which together exceed twice the L2, so
 *      that a call finds its inputs in HBM as it would in a model. Where even the largest graph
 *      stays inside the L2 (ops of a few tokens), the cache is evicted before each window instead,
 *      outside of the timed part. Longer calls are timed one by one, after an eviction unless they
 *      replace the contents of the cache themselves.
 *   3. Burst: an idle pause in proportion to the GPU time spent since the last one, one untimed
 *      window, then samples. Sustained: 0.3 s of the same op without a gap, then samples at once.
 *   4. Windows are enqueued in batches between events, so that the GPU never waits for the host.
 *      Clock, power and temperature are read while a batch runs. Sampling stops when the median's
 *      95 % interval is under 1 %, or at the limit of GPU time. The limit of a burst is short
 *      because a dense op reaches the power limit within some 30 ms: sampled for 150 ms, an H200's
 *      bf16 products showed two modes 13 % apart.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/bench.h"
#include "calib/stats.h"
#include "calib/bench_kernels.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define SHORTEST_CALL_S 1e-7 /* an event's resolution is about half a microsecond */
#define ALL_SETS_S 3e-3      /* a window is lengthened to visit every input set up to this */
#define UNDERFILLED 0.7      /* of RC_BENCH_WINDOW_S: the first estimate was too long, size again */
#define LOAD_BATCH_S 20e-3   /* windows enqueued at a time under continuous load */
#define LONG_WINDOW_S 20e-3  /* windows of this length are sampled one at a time */
#define SAMPLES_AT_A_TIME 6  /* of shorter ones, between two looks at the interval */
#define NEAR_THE_CAP 0.9     /* the next batch would go beyond the cap of GPU time */
enum { HEALTH_READINGS = 8 }; /* of one point: enough for a mean */

/* What is launched and timed as one. */
typedef struct window {
    const rc_bench_op *op;
    cudaGraphExec_t graph; /* NULL: one eager call */
    int copies, slots;
    bool evict;     /* the L2, before each window */
    double seconds; /* estimate of the whole window */
} window;

rc_status rc_bench_open(rc_bench *b, rc_gpu *g, rc_error *err) {
    memset(b, 0, sizeof *b);
    b->gpu = g;
    for (int i = 0; i < RC_BENCH_EVENTS; i++) {
        RC_CUDA(cudaEventCreate(&b->start[i]));
        RC_CUDA(cudaEventCreate(&b->stop[i]));
    }
    return RC_OK;
}

void rc_bench_close(rc_bench *b) {
    for (int i = 0; i < RC_BENCH_EVENTS; i++) {
        if (b->start[i])
            (void)cudaEventDestroy(b->start[i]);
        if (b->stop[i])
            (void)cudaEventDestroy(b->stop[i]);
    }
    memset(b, 0, sizeof *b);
}

int rc_bench_slots_wanted(const rc_gpu *g, size_t footprint) {
    size_t n = footprint ? (2 * g->l2_bytes + footprint - 1) / footprint : RC_BENCH_MAX_COPIES;
    if (footprint && footprint >= 2 * g->l2_bytes)
        return 1;
    return n + 1 < RC_BENCH_MAX_COPIES ? (int)n + 1 : RC_BENCH_MAX_COPIES;
}

void rc_result_set(rc_result *r, double *samples, size_t n) {
    assert(n >= 1);
    rc_stats_sort(samples, n);
    r->p10_s = rc_stats_quantile(samples, n, 0.1);
    r->p50_s = rc_stats_quantile(samples, n, 0.5);
    r->p90_s = rc_stats_quantile(samples, n, 0.9);
    r->samples = (int64_t)n;
    r->interval = rc_stats_median_spread(samples, n);
    r->outliers = rc_stats_outliers(samples, n);
}

void rc_health_drop_stale(rc_health *h, double loaded_s) {
    if (loaded_s < RC_BENCH_NVML_LAG_S)
        h->sm_mhz = h->power_w = (double)NAN;
}

/* ---- windows -------------------------------------------------------------------------------- */

static rc_status capture(rc_bench *b, window *w, rc_error *err) {
    cudaStream_t s = b->gpu->stream;
    cudaGraph_t graph = NULL;
    rc_status st = RC_OK;
    RC_CUDA(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
    for (int i = 0; i < w->copies && st == RC_OK; i++)
        st = w->op->launch(w->op->self, i % w->slots, s, err);
    cudaError_t e = cudaStreamEndCapture(s, &graph);
    if (st == RC_OK && e != cudaSuccess)
        st = rc_cuda_fail(err, e, "cudaStreamEndCapture", __FILE__, __LINE__);
    if (st == RC_OK) {
        e = cudaGraphInstantiate(&w->graph, graph, 0);
        if (e != cudaSuccess)
            st = rc_cuda_fail(err, e, "cudaGraphInstantiate", __FILE__, __LINE__);
    }
    if (st != RC_OK)
        (void)cudaGetLastError();
    if (graph)
        (void)cudaGraphDestroy(graph);
    return st;
}

static void release(window *w) {
    if (w->graph)
        (void)cudaGraphExecDestroy(w->graph);
    w->graph = NULL;
}

static rc_status launch_window(rc_bench *b, const window *w, int turn, rc_error *err) {
    if (!w->graph)
        return w->op->launch(w->op->self, turn % w->slots, b->gpu->stream, err);
    RC_CUDA(cudaGraphLaunch(w->graph, b->gpu->stream));
    return RC_OK;
}

static rc_status evict_cache(rc_bench *b, rc_error *err) {
    rc_gpu *g = b->gpu;
    return rc_kernel_check(err, rc_bench_evict_l2(g->evict_buffer, g->evict_bytes, g->stream),
                           "rc_bench_evict_l2");
}

/* Seconds of one window between events, from an empty stream. */
static rc_status time_once(rc_bench *b, const window *w, double *seconds, rc_error *err) {
    float ms = 0;
    RC_CUDA(cudaEventRecord(b->start[0], b->gpu->stream));
    RC_TRY(launch_window(b, w, 0, err));
    RC_CUDA(cudaEventRecord(b->stop[0], b->gpu->stream));
    RC_CUDA(cudaEventSynchronize(b->stop[0]));
    RC_CUDA(cudaEventElapsedTime(&ms, b->start[0], b->stop[0]));
    *seconds = 1e-3 * (double)ms;
    b->warmth_s += *seconds;
    return RC_OK;
}

/* Copies for calls of `t` seconds, and the input sets they take turns on. */
static void size_window(const rc_bench *b, window *w, double t) {
    assert(t >= 0);
    int wanted = rc_bench_slots_wanted(b->gpu, w->op->footprint);
    double copies = ceil(RC_BENCH_WINDOW_S / (t > SHORTEST_CALL_S ? t : SHORTEST_CALL_S));
    if (copies < wanted && wanted * t < ALL_SETS_S)
        copies = wanted;
    w->copies = copies < RC_BENCH_MAX_COPIES ? (int)copies : RC_BENCH_MAX_COPIES;
    w->slots = wanted < w->op->slots ? wanted : w->op->slots;
    if (w->slots > w->copies)
        w->slots = w->copies;
    if (w->slots < 1)
        w->slots = 1;
    w->evict = (double)w->slots * (double)w->op->footprint < 2.0 * (double)b->gpu->l2_bytes;
    w->seconds = w->copies * t;
}

/* Steps 1 and 2 of the file's head. */
static rc_status prepare(rc_bench *b, const rc_bench_op *op, window *w, rc_error *err) {
    double t = 0;
    memset(w, 0, sizeof *w);
    w->op = op;
    w->copies = w->slots = 1;
    RC_TRY(launch_window(b, w, 0, err));
    RC_CUDA(cudaStreamSynchronize(b->gpu->stream));
    RC_TRY(time_once(b, w, &t, err));
    b->warmth_s += t;
    if (t >= RC_BENCH_EAGER_S) {
        w->evict = op->footprint < 2 * b->gpu->l2_bytes;
        w->seconds = t;
        return RC_OK;
    }
    size_window(b, w, t);
    rc_status st = capture(b, w, err);
    if (st == RC_OK)
        st = time_once(b, w, &t, err); /* uploads the graph */
    if (st == RC_OK)
        st = time_once(b, w, &t, err);
    /* The first estimate holds the cost of an eager launch: size again when it was far off. */
    if (st == RC_OK && t < UNDERFILLED * RC_BENCH_WINDOW_S && w->copies < RC_BENCH_MAX_COPIES) {
        int copies = w->copies;
        release(w);
        size_window(b, w, t / copies);
        st = capture(b, w, err);
        if (st == RC_OK)
            st = time_once(b, w, &t, err);
    }
    w->seconds = t;
    if (st != RC_OK)
        release(w);
    return st;
}

/* ---- states --------------------------------------------------------------------------------- */

/* Launch windows back to back, two batches of them in flight, for at least `seconds`. The stream
 * may still be busy on return. */
static rc_status load(rc_bench *b, const window *w, double seconds, rc_error *err) {
    double chunk = ceil(LOAD_BATCH_S / (w->seconds > 1e-6 ? w->seconds : 1e-6)), t0 = rc_now();
    int n = chunk < 256 ? (int)chunk : 256, turn = 0;
    for (int k = 0; rc_now() - t0 < seconds; k++) {
        for (int i = 0; i < n; i++)
            RC_TRY(launch_window(b, w, turn++, err));
        RC_CUDA(cudaEventRecord(b->stop[k % 2], b->gpu->stream));
        if (k > 0)
            RC_CUDA(cudaEventSynchronize(b->stop[(k - 1) % 2]));
    }
    return RC_OK;
}

/* Bring the chip to the state that the samples are to show. */
static rc_status set_state(rc_bench *b, const window *w, rc_error *err) {
    if (b->sustained)
        return load(b, w, RC_BENCH_PRELOAD_S, err);
    double pause = RC_BENCH_PAUSE * b->warmth_s;
    rc_nap(pause < RC_BENCH_PAUSE_MAX_S ? pause : RC_BENCH_PAUSE_MAX_S);
    b->warmth_s = 0;
    return launch_window(b, w, 0, err);
}

/* ---- sampling ------------------------------------------------------------------------------- */

typedef struct health_sum {
    rc_health sum;
    int n;
} health_sum;

static void read_health(rc_bench *b, health_sum *h) {
    rc_health x = rc_nvml_read(b->gpu->nvml);
    h->sum.sm_mhz += x.sm_mhz;
    h->sum.power_w += x.power_w;
    h->sum.temp_c += x.temp_c;
    h->sum.throttle |= x.throttle;
    h->n++;
}

/* Enqueue `n` windows between events, read the chip's state meanwhile, collect seconds a call. */
static rc_status batch(rc_bench *b, const window *w, int n, double *out, health_sum *h,
                       rc_error *err) {
    cudaStream_t s = b->gpu->stream;
    for (int i = 0; i < n; i++) {
        if (w->evict)
            RC_TRY(evict_cache(b, err));
        RC_CUDA(cudaEventRecord(b->start[i], s));
        RC_TRY(launch_window(b, w, i, err));
        RC_CUDA(cudaEventRecord(b->stop[i], s));
    }
    if (n > 1) /* read while the last window runs: by then the readings tell of this load */
        RC_CUDA(cudaEventSynchronize(b->stop[n - 2]));
    if (h->n < HEALTH_READINGS)
        read_health(b, h);
    RC_CUDA(cudaEventSynchronize(b->stop[n - 1]));
    for (int i = 0; i < n; i++) {
        float ms = 0;
        RC_CUDA(cudaEventElapsedTime(&ms, b->start[i], b->stop[i]));
        out[i] = 1e-3 * (double)ms / w->copies;
    }
    return RC_OK;
}

/* Samples taken before anything is decided. A long burst is cut short of the power limit. */
static int least_samples(const rc_bench *b, const window *w) {
    if (b->sustained)
        return w->seconds > LONG_WINDOW_S ? RC_BENCH_FEW_SAMPLES : RC_BENCH_MIN_SAMPLES;
    double fit = RC_BENCH_BURST_CAP_S / w->seconds;
    if (fit >= RC_BENCH_MIN_SAMPLES)
        return RC_BENCH_MIN_SAMPLES;
    return fit > RC_BENCH_FEW_SAMPLES ? (int)fit : RC_BENCH_FEW_SAMPLES;
}

static rc_status sample(rc_bench *b, const window *w, rc_result *r, rc_error *err) {
    double x[RC_BENCH_MAX_SAMPLES], spent = 0;
    double cap = b->sustained ? RC_BENCH_SUSTAINED_CAP_S : RC_BENCH_BURST_CAP_S;
    int n = 0, least = least_samples(b, w);
    health_sum h = {{0, 0, 0, 0}, 0};
    while (n < RC_BENCH_MAX_SAMPLES) {
        int k = n == 0 ? least : w->seconds > LONG_WINDOW_S ? 1 : SAMPLES_AT_A_TIME;
        if (k > RC_BENCH_MAX_SAMPLES - n)
            k = RC_BENCH_MAX_SAMPLES - n;
        RC_TRY(batch(b, w, k, x + n, &h, err));
        for (int i = n; i < n + k; i++)
            spent += x[i] * w->copies;
        n += k;
        rc_stats_sort(x, (size_t)n);
        if (rc_stats_median_spread(x, (size_t)n) < RC_BENCH_SPREAD || spent > NEAR_THE_CAP * cap)
            break;
    }
    b->warmth_s += spent;
    rc_result_set(r, x, (size_t)n);
    double inv = h.n ? 1.0 / h.n : (double)NAN;
    r->health =
        (rc_health){h.sum.sm_mhz * inv, h.sum.power_w * inv, h.sum.temp_c * inv, h.sum.throttle};
    rc_health_drop_stale(&r->health, b->sustained ? RC_BENCH_PRELOAD_S : spent);
    return RC_OK;
}

rc_status rc_bench_run(rc_bench *b, const rc_bench_op *op, rc_result *r, rc_error *err) {
    window w;
    assert(op->launch != NULL);
    assert(op->slots >= 0);
    memset(r, 0, sizeof *r);
    if (b->duty_cycle > 0)
        return rc_bench_duty_cycle(b, op, b->duty_cycle, r, err);
    RC_TRY(prepare(b, op, &w, err));
    rc_status st = set_state(b, &w, err);
    if (st == RC_OK)
        st = sample(b, &w, r, err);
    if (st != RC_OK)
        (void)cudaStreamSynchronize(b->gpu->stream);
    release(&w);
    return st;
}

rc_status rc_bench_heat(rc_bench *b, const rc_bench_op *op, double seconds, rc_error *err) {
    window w;
    RC_TRY(prepare(b, op, &w, err));
    rc_status st = load(b, &w, seconds, err);
    cudaError_t e = cudaStreamSynchronize(b->gpu->stream);
    release(&w);
    RC_TRY(st);
    return e == cudaSuccess ? RC_OK
                            : rc_cuda_fail(err, e, "cudaStreamSynchronize", __FILE__, __LINE__);
}
