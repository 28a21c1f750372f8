/* NCCL, in CUDA graphs: on the GPUs of this machine, where one thread drives all ranks with group
 * calls; or, under mpirun, on one GPU of each process.
 *
 * Which transport NCCL takes is decided by the environment when it starts, so each is measured in a
 * process of its own (net_parent.c), which sets NCCL's variables before anything touches NCCL.
 *
 * Each rank's graph is: one call that nobody times, an event, k calls, an event. The first call
 * lines the ranks up, so launching them one after another does not show; a sample is the longest of
 * the ranks' times over k. Groups of every size from 2 to all GPUs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/nccl.h"
#include "calib/stats.h"
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef RC_HAVE_NCCL

enum { MAX_RANKS = 64, MAX_COPIES = 100 };
#define LONGEST_S 0.5 /* sizes predicted to take longer are left out */
#define SAMPLE_CAP_S 0.1

typedef struct rank {
    int device;
    cudaStream_t stream;
    cudaEvent_t start, stop;
    ncclComm_t comm;
    cudaGraphExec_t graph;
    rc_pool to, from;
} rank;

typedef struct net_suite {
    const rc_nccl *nccl;
    const rc_group *procs;
    rank r[MAX_RANKS];   /* of this process */
    int gpus;            /* opened by this process */
    int first, all;      /* this process's first rank; ranks of all processes */
    int group, mine;     /* ranks in the communicator now; how many of them are here */
    const char *last_op; /* the point before, to predict the next size */
    int64_t last_bytes;
    double last_s;
} net_suite;

/* ---- one call ------------------------------------------------------------------------------- */

static rc_status send_recv(const net_suite *s, const rc_point *p, int i, rc_error *err) {
    const rank *r = &s->r[i];
    int n = s->group, me = s->first + i;
    RC_NCCL(s->nccl, send(r->to.p, (size_t)p->a, ncclInt8, (me + 1) % n, r->comm, r->stream));
    RC_NCCL(s->nccl, recv(r->from.p, (size_t)p->a, ncclInt8, (me + n - 1) % n, r->comm, r->stream));
    return RC_OK;
}

static rc_status all_to_all(const net_suite *s, const rc_point *p, int i, rc_error *err) {
    const rank *r = &s->r[i];
    size_t part = (size_t)p->a / (size_t)s->group;
    for (int k = 0; k < s->group; k++) {
        RC_NCCL(s->nccl, send(r->to.p + (size_t)k * part, part, ncclInt8, k, r->comm, r->stream));
        RC_NCCL(s->nccl, recv(r->from.p + (size_t)k * part, part, ncclInt8, k, r->comm, r->stream));
    }
    return RC_OK;
}

static rc_status call_rank(const net_suite *s, const rc_point *p, int i, rc_error *err) {
    const rank *r = &s->r[i];
    size_t all = (size_t)p->a / 2, part = all / (size_t)s->group;
    if (!strcmp(p->op, "send_recv"))
        return send_recv(s, p, i, err);
    if (!strcmp(p->op, "all_to_all"))
        return all_to_all(s, p, i, err);
    if (!strcmp(p->op, "all_reduce"))
        RC_NCCL(s->nccl,
                all_reduce(r->to.p, r->from.p, all, ncclBfloat16, ncclSum, r->comm, r->stream));
    else if (!strcmp(p->op, "all_gather"))
        RC_NCCL(s->nccl, all_gather(r->to.p, r->from.p, part, ncclBfloat16, r->comm, r->stream));
    else
        RC_NCCL(s->nccl, reduce_scatter(r->to.p, r->from.p, part, ncclBfloat16, ncclSum, r->comm,
                                        r->stream));
    return RC_OK;
}

static rc_status call_all(const net_suite *s, const rc_point *p, rc_error *err) {
    RC_NCCL(s->nccl, group_start());
    rc_status st = RC_OK;
    for (int i = 0; i < s->mine && st == RC_OK; i++)
        st = call_rank(s, p, i, err);
    if (st != RC_OK) {
        (void)s->nccl->group_end();
        return st;
    }
    RC_NCCL(s->nccl, group_end());
    return RC_OK;
}

static rc_status drain(const net_suite *s, rc_error *err) {
    for (int i = 0; i < s->mine; i++) {
        RC_CUDA(cudaSetDevice(s->r[i].device));
        RC_CUDA(cudaStreamSynchronize(s->r[i].stream));
    }
    return RC_OK;
}

/* ---- graphs --------------------------------------------------------------------------------- */

static rc_status mark(const net_suite *s, bool stop, rc_error *err) {
    for (int i = 0; i < s->mine; i++) {
        const rank *r = &s->r[i];
        RC_CUDA(cudaSetDevice(r->device));
        RC_CUDA(cudaEventRecordWithFlags(stop ? r->stop : r->start, r->stream,
                                         cudaEventRecordExternal));
    }
    return RC_OK;
}

static rc_status record(const net_suite *s, const rc_point *p, int copies, rc_error *err) {
    RC_TRY(call_all(s, p, err));
    RC_TRY(mark(s, false, err));
    for (int k = 0; k < copies; k++)
        RC_TRY(call_all(s, p, err));
    return mark(s, true, err);
}

static void release(net_suite *s) {
    for (int i = 0; i < s->gpus; i++) {
        if (s->r[i].graph)
            (void)cudaGraphExecDestroy(s->r[i].graph);
        s->r[i].graph = NULL;
    }
}

/* Thread-local capture: NCCL may allocate while it connects. */
static rc_status capture(net_suite *s, const rc_point *p, int copies, rc_error *err) {
    release(s);
    for (int i = 0; i < s->mine; i++) {
        RC_CUDA(cudaSetDevice(s->r[i].device));
        RC_CUDA(cudaStreamBeginCapture(s->r[i].stream, cudaStreamCaptureModeThreadLocal));
    }
    rc_status st = record(s, p, copies, err);
    for (int i = 0; i < s->mine; i++) {
        cudaGraph_t g = NULL;
        cudaError_t e = cudaSetDevice(s->r[i].device);
        if (e == cudaSuccess)
            e = cudaStreamEndCapture(s->r[i].stream, &g);
        if (e == cudaSuccess && st == RC_OK)
            e = cudaGraphInstantiate(&s->r[i].graph, g, 0);
        if (g)
            (void)cudaGraphDestroy(g);
        if (e != cudaSuccess && st == RC_OK)
            st = rc_cuda_fail(err, e, "capture of an NCCL call", __FILE__, __LINE__);
    }
    return st;
}

static rc_status replay(const net_suite *s, double *seconds, rc_error *err) {
    *seconds = 0;
    for (int i = 0; i < s->mine; i++) {
        RC_CUDA(cudaSetDevice(s->r[i].device));
        RC_CUDA(cudaGraphLaunch(s->r[i].graph, s->r[i].stream));
    }
    RC_TRY(drain(s, err));
    for (int i = 0; i < s->mine; i++) {
        float ms = 0;
        RC_CUDA(cudaEventElapsedTime(&ms, s->r[i].start, s->r[i].stop));
        if (1e-3 * (double)ms > *seconds)
            *seconds = 1e-3 * (double)ms;
    }
    return rc_group_max(s->procs, seconds, err);
}

/* ---- suite ---------------------------------------------------------------------------------- */

static void leave_group(net_suite *s) {
    release(s);
    for (int i = 0; i < s->gpus; i++) {
        if (s->r[i].comm)
            (void)s->nccl->comm_destroy(s->r[i].comm);
        s->r[i].comm = NULL;
    }
    s->group = s->mine = 0;
}

/* One process: all ranks at once. Several: rank 0's id goes round, and those of the first n join.
 */
static rc_status join_ranks(net_suite *s, int n, rc_error *err) {
    ncclUniqueId id;
    memset(&id, 0, sizeof id);
    if (s->procs->rank == 0)
        RC_NCCL(s->nccl, unique_id(&id));
    RC_TRY(rc_group_share(s->procs, &id, sizeof id, err));
    if (s->first >= n)
        return RC_OK;
    RC_NCCL(s->nccl, comm_init_rank(&s->r[0].comm, n, id, s->first));
    return RC_OK;
}

static rc_status join_group(net_suite *s, int n, rc_error *err) {
    ncclComm_t comms[MAX_RANKS];
    int devices[MAX_RANKS];
    if (s->group == n)
        return RC_OK;
    leave_group(s);
    s->group = n;
    if (s->procs->size > 1) {
        s->mine = s->first < n;
        return join_ranks(s, n, err);
    }
    s->mine = n;
    for (int i = 0; i < n; i++)
        devices[i] = s->r[i].device;
    RC_NCCL(s->nccl, comm_init_all(comms, n, devices));
    for (int i = 0; i < n; i++)
        s->r[i].comm = comms[i];
    return RC_OK;
}

static void net_close(void *self) {
    net_suite *s = self;
    if (!s)
        return;
    leave_group(s);
    for (int i = 0; i < s->gpus; i++) {
        rank *r = &s->r[i];
        (void)cudaSetDevice(r->device);
        if (r->start)
            (void)cudaEventDestroy(r->start);
        if (r->stop)
            (void)cudaEventDestroy(r->stop);
        if (r->stream)
            (void)cudaStreamDestroy(r->stream);
        rc_pool_free(&r->to);
        rc_pool_free(&r->from);
    }
    (void)cudaSetDevice(s->r[0].device);
    free(s);
}

static rc_status open_rank(rank *r, int device, size_t bytes, uint64_t seed, rc_error *err) {
    r->device = device;
    RC_CUDA(cudaSetDevice(device));
    RC_CUDA(cudaStreamCreateWithFlags(&r->stream, cudaStreamNonBlocking));
    RC_CUDA(cudaEventCreate(&r->start));
    RC_CUDA(cudaEventCreate(&r->stop));
    RC_TRY(rc_pool_reserve(&r->to, bytes, err));
    RC_TRY(rc_pool_reserve(&r->from, bytes, err));
    RC_TRY(rc_kernel_check(err,
                           rc_fill_normal(r->to.p, (int64_t)bytes / 16 * 8, seed, 1.0f, r->stream),
                           "rc_fill_normal"));
    RC_CUDA(cudaStreamSynchronize(r->stream));
    return RC_OK;
}

static rc_status net_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    size_t bytes = 1024;
    const rc_nccl *nccl = rc_nccl_load(err);
    if (!nccl)
        return RC_E_UNMODELLED;
    for (size_t i = 0; i < points->n; i++)
        if ((size_t)points->v[i].a > bytes)
            bytes = (size_t)points->v[i].a;
    net_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    s->nccl = nccl;
    s->procs = &c->group;
    s->first = c->group.size > 1 ? c->group.rank : 0;
    s->all = c->gpus;
    rc_status st = RC_OK;
    int here = c->group.size > 1 ? 1 : c->gpus;
    for (int i = 0; i < here && i < MAX_RANKS && st == RC_OK; i++) {
        int device = c->group.size > 1 ? c->gpu.device : i;
        s->gpus = i + 1;
        st = open_rank(&s->r[i], device, bytes, c->opt->seed + (uint64_t)(s->first + i), err);
    }
    if (st != RC_OK) {
        net_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

static rc_status sample(net_suite *s, rc_nvml *nvml, int copies, rc_result *r, rc_error *err) {
    double x[RC_BENCH_MAX_SAMPLES], spent = 0, t = 0;
    size_t n = 0;
    while (n < RC_BENCH_MAX_SAMPLES) {
        RC_TRY(replay(s, &t, err));
        x[n++] = t / copies;
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
    rc_health_settle(&r->health, spent);
    return RC_OK;
}

static bool too_long(const net_suite *s, const rc_point *p) {
    return s->last_op && !strcmp(s->last_op, p->op) && p->a > s->last_bytes &&
           s->last_s * (double)p->a / (double)s->last_bytes > LONGEST_S;
}

static rc_status net_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                             rc_error *err) {
    net_suite *s = self;
    double t = 0;
    if (p->b > s->all)
        return rc_fail(err, RC_E_UNMODELLED, "there are %d GPUs", s->all);
    RC_TRY(join_group(s, (int)p->b, err));
    if (too_long(s, p))
        return rc_fail(err, RC_E_UNMODELLED, "a call would take over %.1f s", LONGEST_S);
    RC_TRY(call_all(s, p, err)); /* connects */
    RC_TRY(drain(s, err));
    RC_TRY(capture(s, p, 1, err));
    RC_TRY(replay(s, &t, err));
    RC_TRY(replay(s, &t, err));
    double copies = ceil(RC_BENCH_WINDOW_S / (t > 1e-6 ? t : 1e-6));
    int k = copies < MAX_COPIES ? (int)copies : MAX_COPIES;
    if (k > 1) {
        RC_TRY(capture(s, p, k, err));
        RC_TRY(replay(s, &t, err));
    }
    RC_TRY(sample(s, c->gpu.nvml, k, &m->r, err));
    s->last_op = p->op;
    s->last_bytes = p->a;
    s->last_s = m->r.p50_s;
    rc_nccl_version(m->nccl, sizeof m->nccl);
    RC_CUDA(cudaSetDevice(c->gpu.device));
    return RC_OK;
}

#else

static rc_status net_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    (void)c;
    (void)points;
    (void)self;
    return rc_fail(err, RC_E_UNMODELLED, "built without NCCL: nccl.h was not found");
}

static rc_status net_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                             rc_error *err) {
    (void)c;
    (void)self;
    (void)p;
    (void)m;
    return rc_fail(err, RC_E_UNMODELLED, "built without NCCL");
}

static void net_close(void *self) {
    (void)self;
}

#endif

const rc_suite rc_suite_net = {net_open, net_measure, net_close};
