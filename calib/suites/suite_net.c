/* NCCL in CUDA graphs, one process a GPU: on one machine those that the program forked (node.c),
 * under mpirun those of the job. A process that drives several devices cannot capture NCCL's calls.
 *
 * Which transport NCCL takes is decided by the environment when it starts, so each is measured in
 * processes of its own, which set NCCL's variables before anything touches NCCL.
 *
 * Each rank's graph is: one call that nobody times, an event, k calls, an event. The first call
 * lines the ranks up, so launching them one after another does not show; a sample is the longest of
 * the ranks' times over k.
 *
 * Under the condition `apart` a call stands between two compute kernels, as in a pass: an all-reduce
 * on the stream of the compute, every other op on a stream of its own that waits for the compute and
 * that the compute waits for. Calls that follow each other at once overlap their beginnings and
 * ends; these cannot. What is stored is what the chain takes beyond the same compute kernels alone.
 *
 * `cold` is the same with nothing in L2: what stands before a call reads twice the size of the cache.
 *
 * Under `oneshot` and `twoshot` the all-reduce is our own (kernels/all_reduce.h), held against NCCL's before it
 * is timed; `oneshot-cold` and `twoshot-cold` time it as `cold` does.
 *
 * All ranks walk the same steps with the same numbers: what one decides (how many calls make a
 * window, when samples are enough) it decides from a time that all have agreed on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/bench_kernels.h"
#include "calib/nccl_comms.h"
#include "calib/peer_reduce.h"
#include "calib/stats.h"
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef RC_HAVE_NCCL

enum { MAX_COPIES = 100, MAX_SEEN = 64, SPACER_CALLS = 32 };
#define SPACER_ELEMENTS                                                                            \
    ((int64_t)4 << 20) /* bf16 numbers of the kernel between calls: some 10 us */
#define LONGEST_S 0.25 /* sizes predicted to take longer are left out */
#define SAMPLE_CAP_S 0.1

/* The longest message of an op and a group so far: what longer ones are predicted from. */
typedef struct seen {
    const char *op;
    int64_t ranks, bytes;
    double seconds;
} seen;

typedef struct net_suite {
    rc_comms comms;
    const rc_group *procs;
    cudaStream_t stream,
        compute; /* calls run on the first; what stands between them on the second */
    cudaEvent_t start, stop, computed, arrived;
    cudaGraphExec_t graph;
    rc_buffer to, from, spacer;
    const rc_gpu *gpu;
    rc_peer_reduce own;
    ncclComm_t comm; /* of the point at hand; NULL: this process sits it out */
    bool failed;
    seen seen[MAX_SEEN];
    int nseen;
} net_suite;

/* ---- one call ------------------------------------------------------------------------------- */

static rc_status send_recv(const net_suite *s, const rc_point *p, rc_error *err) {
    const rc_nccl *nccl = s->comms.nccl;
    int n = (int)p->b, me = s->procs->rank;
    RC_NCCL(nccl, group_start());
    RC_NCCL(nccl, send(s->to.p, (size_t)p->a, ncclInt8, (me + 1) % n, s->comm, s->stream));
    RC_NCCL(nccl, recv(s->from.p, (size_t)p->a, ncclInt8, (me + n - 1) % n, s->comm, s->stream));
    RC_NCCL(nccl, group_end());
    return RC_OK;
}

static rc_status all_to_all(const net_suite *s, const rc_point *p, rc_error *err) {
    const rc_nccl *nccl = s->comms.nccl;
    size_t part = (size_t)(p->a / p->b);
    RC_NCCL(nccl, group_start());
    for (int k = 0; k < (int)p->b; k++) {
        size_t at = (size_t)k * part;
        RC_NCCL(nccl, send(s->to.p + at, part, ncclInt8, k, s->comm, s->stream));
        RC_NCCL(nccl, recv(s->from.p + at, part, ncclInt8, k, s->comm, s->stream));
    }
    RC_NCCL(nccl, group_end());
    return RC_OK;
}

static rc_status nccl_call(const net_suite *s, const rc_point *p, rc_error *err) {
    const rc_nccl *nccl = s->comms.nccl;
    size_t all = (size_t)p->a / 2, part = all / (size_t)p->b;
    if (!strcmp(p->op, "send_recv"))
        return send_recv(s, p, err);
    if (!strcmp(p->op, "all_to_all"))
        return all_to_all(s, p, err);
    if (!strcmp(p->op, "all_reduce"))
        RC_NCCL(nccl,
                all_reduce(s->to.p, s->from.p, all, ncclBfloat16, ncclSum, s->comm, s->stream));
    else if (!strcmp(p->op, "all_gather"))
        RC_NCCL(nccl, all_gather(s->to.p, s->from.p, part, ncclBfloat16, s->comm, s->stream));
    else
        RC_NCCL(nccl, reduce_scatter(s->to.p, s->from.p, part, ncclBfloat16, ncclSum, s->comm,
                                     s->stream));
    return RC_OK;
}

static rc_status call(const net_suite *s, const rc_point *p, rc_error *err) {
    if (rc_point_reads_peers(p))
        return rc_peer_reduce_launch(&s->own, s->to.p, s->from.p, (size_t)p->a,
                                     !strncmp(p->cond, "two", 3), s->stream, err);
    return nccl_call(s, p, err);
}

/* ---- between calls -------------------------------------------------------------------------- */

static bool cold(const rc_point *p) {
    return p->cond && strstr(p->cond, "cold");
}

static bool apart(const rc_point *p) {
    return p->cond && (cold(p) || !strcmp(p->cond, "apart"));
}

/* What stands between two calls of the point. */
static rc_status spacer(const net_suite *s, const rc_point *p, cudaStream_t stream, rc_error *err) {
    if (cold(p))
        return rc_kernel_check(err,
                               rc_bench_evict_l2(s->gpu->evict_buffer, s->gpu->evict_bytes, stream),
                               "rc_bench_evict_l2");
    return rc_kernel_check(
        err,
        rc_residual_add(s->spacer.p, s->spacer.p + 2 * SPACER_ELEMENTS, SPACER_ELEMENTS, stream),
        "rc_residual_add");
}

/* `from` waits for what is enqueued on `on` so far. */
static rc_status wait_for(cudaStream_t from, cudaEvent_t event, cudaStream_t on, rc_error *err) {
    RC_CUDA(cudaEventRecord(event, on));
    RC_CUDA(cudaStreamWaitEvent(from, event, 0));
    return RC_OK;
}

/* A compute kernel, then the call unless the kernel stands by itself. */
static rc_status spaced_call(const net_suite *s, const rc_point *p, bool alone, rc_error *err) {
    if (alone || !strcmp(p->op, "all_reduce")) {
        RC_TRY(spacer(s, p, s->stream, err));
        return alone ? RC_OK : call(s, p, err);
    }
    RC_TRY(spacer(s, p, s->compute, err));
    RC_TRY(wait_for(s->stream, s->computed, s->compute, err));
    RC_TRY(call(s, p, err));
    return wait_for(s->compute, s->arrived, s->stream, err);
}

/* ---- graphs --------------------------------------------------------------------------------- */

/* What is timed; `alone`: of an op that stands apart, what stands between its calls. */
static rc_status record(const net_suite *s, const rc_point *p, int copies, bool alone,
                        rc_error *err) {
    RC_TRY(call(s, p, err));
    RC_CUDA(cudaEventRecordWithFlags(s->start, s->stream, cudaEventRecordExternal));
    if (apart(p))
        RC_TRY(wait_for(s->compute, s->arrived, s->stream, err));
    for (int k = 0; k < copies; k++)
        RC_TRY(apart(p) ? spaced_call(s, p, alone, err) : call(s, p, err));
    if (apart(p))
        RC_TRY(wait_for(s->stream, s->computed, s->compute, err));
    RC_CUDA(cudaEventRecordWithFlags(s->stop, s->stream, cudaEventRecordExternal));
    return RC_OK;
}

static void release(net_suite *s) {
    if (s->graph)
        (void)cudaGraphExecDestroy(s->graph);
    s->graph = NULL;
}

/* Thread-local capture: NCCL may allocate while it connects. */
static rc_status capture(net_suite *s, const rc_point *p, int copies, bool alone, rc_error *err) {
    cudaGraph_t g = NULL;
    release(s);
    if (!s->comm)
        return RC_OK;
    RC_CUDA(cudaStreamBeginCapture(s->stream, cudaStreamCaptureModeThreadLocal));
    rc_status st = record(s, p, copies, alone, err);
    cudaError_t e = cudaStreamEndCapture(s->stream, &g);
    if (e == cudaSuccess && st == RC_OK)
        e = cudaGraphInstantiate(&s->graph, g, 0);
    if (g)
        (void)cudaGraphDestroy(g);
    RC_TRY(st);
    return e == cudaSuccess ? RC_OK
                            : rc_cuda_fail(err, e, "capture of an NCCL call", __FILE__, __LINE__);
}

/* Seconds of the slowest rank, on every rank. */
static rc_status replay(const net_suite *s, double *seconds, rc_error *err) {
    float ms = 0;
    if (s->comm) {
        RC_CUDA(cudaGraphLaunch(s->graph, s->stream));
        RC_CUDA(cudaStreamSynchronize(s->stream));
        RC_CUDA(cudaEventElapsedTime(&ms, s->start, s->stop));
    }
    *seconds = 1e-3 * (double)ms;
    return rc_group_max(s->procs, seconds, err);
}

/* ---- suite ---------------------------------------------------------------------------------- */

static void net_close(void *self) {
    net_suite *s = self;
    if (!s)
        return;
    release(s);
    rc_peer_reduce_close(&s->own);
    rc_comms_close(&s->comms, s->failed);
    if (s->start)
        (void)cudaEventDestroy(s->start);
    if (s->stop)
        (void)cudaEventDestroy(s->stop);
    if (s->computed)
        (void)cudaEventDestroy(s->computed);
    if (s->arrived)
        (void)cudaEventDestroy(s->arrived);
    if (s->stream)
        (void)cudaStreamDestroy(s->stream);
    if (s->compute)
        (void)cudaStreamDestroy(s->compute);
    rc_buffer_free(&s->to);
    rc_buffer_free(&s->from);
    rc_buffer_free(&s->spacer);
    free(s);
}

static rc_status open_parts(net_suite *s, size_t bytes, uint64_t seed, rc_error *err) {
    RC_TRY(rc_comms_open(&s->comms, s->procs, err));
    RC_CUDA(cudaStreamCreateWithFlags(&s->stream, cudaStreamNonBlocking));
    RC_CUDA(cudaStreamCreateWithFlags(&s->compute, cudaStreamNonBlocking));
    RC_CUDA(cudaEventCreate(&s->start));
    RC_CUDA(cudaEventCreate(&s->stop));
    RC_CUDA(cudaEventCreateWithFlags(&s->computed, cudaEventDisableTiming));
    RC_CUDA(cudaEventCreateWithFlags(&s->arrived, cudaEventDisableTiming));
    RC_TRY(rc_buffer_reserve(&s->to, bytes, err));
    RC_TRY(rc_buffer_reserve(&s->from, bytes, err));
    RC_TRY(rc_buffer_reserve(&s->spacer, 4 * (size_t)SPACER_ELEMENTS, err));
    RC_TRY(rc_kernel_check(
        err, rc_fill_normal(s->spacer.p, 2 * SPACER_ELEMENTS, seed + 1, 1e-3f, s->stream),
        "rc_fill_normal"));
    RC_TRY(rc_kernel_check(
        err, rc_fill_normal(s->to.p, (int64_t)(bytes / 16 * 8), seed, 1.0f, s->stream),
        "rc_fill_normal"));
    RC_CUDA(cudaStreamSynchronize(s->stream));
    return RC_OK;
}

static rc_status net_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    size_t bytes = 1024;
    for (size_t i = 0; i < points->n; i++)
        if ((size_t)points->v[i].a > bytes)
            bytes = (size_t)points->v[i].a;
    net_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    s->procs = &c->group;
    s->gpu = &c->gpu;
    rc_status st = open_parts(s, bytes, c->opt->seed + (uint64_t)c->group.rank, err);
    st = rc_group_agree(&c->group, st, err);
    if (st != RC_OK) {
        net_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

/* `between`: seconds of a call's time that are not its own. */
static rc_status sample(net_suite *s, rc_nvml *nvml, int copies, double between, rc_result *r,
                        rc_error *err) {
    double x[RC_BENCH_MAX_SAMPLES], spent = 0, t = 0;
    size_t n = 0;
    while (n < RC_BENCH_MAX_SAMPLES) {
        RC_TRY(replay(s, &t, err));
        x[n++] = fmax(t / copies - between, 1e-8);
        spent += t;
        size_t least = t > 20e-3 ? 3 : RC_BENCH_MIN_SAMPLES;
        if (n < least)
            continue;
        rc_stats_sort(x, n);
        if (spent > SAMPLE_CAP_S || rc_stats_median_spread(x, n) < RC_BENCH_SPREAD)
            break;
    }
    rc_result_set(r, x, n);
    r->health = rc_nvml_read(nvml);
    rc_health_drop_stale(&r->health, spent);
    return RC_OK;
}

static seen *longest(net_suite *s, const rc_point *p) {
    for (int i = 0; i < s->nseen; i++)
        if (!strcmp(s->seen[i].op, p->op) && s->seen[i].ranks == p->b)
            return &s->seen[i];
    return NULL;
}

static bool too_long(net_suite *s, const rc_point *p) {
    const seen *x = longest(s, p);
    return x && p->a > x->bytes && x->seconds * (double)p->a / (double)x->bytes > LONGEST_S;
}

static void remember(net_suite *s, const rc_point *p, double seconds) {
    seen *x = longest(s, p);
    if (!x && s->nseen < MAX_SEEN)
        x = &s->seen[s->nseen++];
    if (x && p->a > x->bytes)
        *x = (seen){p->op, p->b, p->a, seconds};
}

/* What stands between two calls, alone. */
static rc_status time_between(net_suite *s, rc_calib *c, const rc_point *p, double *seconds,
                              rc_error *err) {
    rc_result r;
    *seconds = 0;
    if (!apart(p))
        return RC_OK;
    RC_TRY(capture(s, p, SPACER_CALLS, true, err));
    RC_TRY(sample(s, c->gpu.nvml, SPACER_CALLS, 0, &r, err));
    *seconds = r.p50_s;
    return RC_OK;
}

/* Whether sums of our own and of NCCL, which rounds at every step, are the same but for rounding. */
static rc_status same_sums(const uint16_t *ours, const uint16_t *theirs, size_t n, rc_error *err) {
    for (size_t i = 0; i < n; i++) {
        uint32_t a = (uint32_t)ours[i] << 16, b = (uint32_t)theirs[i] << 16;
        float x, y;
        memcpy(&x, &a, 4);
        memcpy(&y, &b, 4);
        if (!(fabsf(x - y) <= 0.1f + 0.03f * fabsf(y)))
            return rc_fail(err, RC_E_INTERNAL, "the all-reduce of our own has %g at %zu, NCCL's %g",
                           (double)x, i, (double)y);
    }
    return RC_OK;
}

static rc_status sums_agree(const net_suite *s, const rc_point *p, rc_error *err) {
    const size_t bytes = (size_t)p->a;
    uint16_t *ours = malloc(2 * bytes), *theirs = ours ? ours + bytes / 2 : NULL;
    if (!ours)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu bytes", 2 * bytes);
    rc_status st = call(s, p, err);
    cudaError_t e = cudaMemcpyAsync(ours, s->from.p, bytes, cudaMemcpyDeviceToHost, s->stream);
    st = st == RC_OK ? nccl_call(s, p, err) : st;
    if (e == cudaSuccess)
        e = cudaMemcpyAsync(theirs, s->from.p, bytes, cudaMemcpyDeviceToHost, s->stream);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(s->stream);
    if (st == RC_OK && e != cudaSuccess)
        st = rc_cuda_fail(err, e, "cudaMemcpyAsync", __FILE__, __LINE__);
    if (st == RC_OK)
        st = same_sums(ours, theirs, bytes / 2, err);
    free(ours);
    return st;
}

/* Ranks of an all-reduce of our own are connected; all processes take part. */
static rc_status prepare_own(net_suite *s, const rc_point *p, rc_error *err) {
    if (!rc_point_reads_peers(p))
        return RC_OK;
    RC_TRY(rc_peer_reduce_connect(&s->own, s->procs, (int)p->b, s->stream, err));
    return rc_group_agree(s->procs, s->comm ? sums_agree(s, p, err) : RC_OK, err);
}

static rc_status run_point(net_suite *s, rc_calib *c, const rc_point *p, rc_measured *m,
                           rc_error *err) {
    double t = 0, between = 0;
    int ctas = p->cond && !strcmp(p->cond, "ctas") ? (int)p->value : 0;
    RC_TRY(rc_comms_get(&s->comms, (int)p->b, ctas, &s->comm, err));
    RC_TRY(prepare_own(s, p, err));
    if (s->comm) { /* the first call of a kind connects */
        RC_TRY(call(s, p, err));
        RC_CUDA(cudaStreamSynchronize(s->stream));
    }
    RC_TRY(time_between(s, c, p, &between, err));
    RC_TRY(capture(s, p, 1, false, err));
    RC_TRY(replay(s, &t, err));
    RC_TRY(replay(s, &t, err));
    double copies = ceil(RC_BENCH_WINDOW_S / (t > 1e-6 ? t : 1e-6));
    int k = copies < MAX_COPIES ? (int)copies : MAX_COPIES;
    if (k > 1) {
        RC_TRY(capture(s, p, k, false, err));
        RC_TRY(replay(s, &t, err));
    }
    RC_TRY(sample(s, c->gpu.nvml, k, between, &m->r, err));
    remember(s, p, m->r.p50_s);
    if (rc_point_reads_peers(p))
        rc_record_set(m->kernel, sizeof m->kernel, rc_kernel_version("all-reduce"));
    else
        rc_nccl_version(m->nccl, sizeof m->nccl);
    return RC_OK;
}

static rc_status net_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                             rc_error *err) {
    net_suite *s = self;
    if (p->b < 2 || p->b > c->group.size)
        return rc_fail(err, RC_E_UNMODELLED, "there are %d processes of one GPU each",
                       c->group.size);
    if (rc_point_reads_peers(p) && (p->a > RC_PEER_REDUCE_MAX || p->b > RC_ALL_REDUCE_RANKS))
        return rc_fail(err, RC_E_UNMODELLED, "ours takes %d bytes and %d ranks at most",
                       RC_PEER_REDUCE_MAX, RC_ALL_REDUCE_RANKS);
    if (too_long(s, p))
        return rc_fail(err, RC_E_UNMODELLED, "a call would take over %.2f s", LONGEST_S);
    rc_status st = run_point(s, c, p, m, err);
    s->failed = s->failed || st != RC_OK;
    /* Half-way through a transfer no rank can leave a point out: the others wait for it. */
    if (st == RC_E_UNMODELLED && err)
        err->status = RC_E_INTERNAL;
    return st == RC_E_UNMODELLED ? RC_E_INTERNAL : st;
}

#else

static rc_status net_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    (void)c;
    (void)points;
    (void)self;
    return rc_nccl_ready(err);
}

static rc_status net_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                             rc_error *err) {
    (void)c;
    (void)self;
    (void)p;
    (void)m;
    return rc_nccl_ready(err);
}

static void net_close(void *self) {
    (void)self;
}

#endif

const rc_suite rc_suite_net = {net_open, net_measure, net_close};
