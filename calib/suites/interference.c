/* What compute and transfers lose beside one another.
 *
 *   compute_beside    one call of attention (4096 queries of 16 heads on 16384 keys of one) or of a
 *                     product (4096 x 4096 x 16384, bf16), on all SMs or fewer
 *   transfer_beside   one message: send + receive or all-reduce over all GPUs of this process; on
 * one GPU a device copy, and NCCL's send + receive to itself
 *
 * What is timed is a window of a few calls between events, while the other side keeps its stream
 * busy from before the window's start until after its end. That is checked in each sample: where
 * the other side ran out too soon it is given more and the sample is taken again. With several GPUs
 * a sample is the slowest GPU's.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/lt.h"
#include "calib/nccl.h"
#include "calib/stats.h"
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_GPUS = 16, TQ = 4096, TK = 16384, HQ = 16, HKV = 1, GM = 4096, GN = 4096, GK = 16384 };
enum { CALLS = 4, MAX_COPIES = 40, SAMPLES = 12, MAX_TURNS = 400 };
#define MESSAGE_MAX ((size_t)128 << 20)
#define WINDOW_S 2e-3 /* of transfers: about as long as the compute calls take */

typedef struct side { /* one GPU */
    int device;
    cudaStream_t compute, comm;
    cudaEvent_t begun, start, stop, end;
    rc_pool q, k, v, o, lse, workspace, x, w, y, to, from;
    rc_lt *lt;
    cudaGraphExec_t graph;
#ifdef RC_HAVE_NCCL
    ncclComm_t comm_all;
#endif
} side;

typedef struct suite {
    side s[MAX_GPUS];
    int gpus;
#ifdef RC_HAVE_NCCL
    const rc_nccl *nccl;
#endif
    char transfer[24];
    int64_t bytes;
    int copies; /* transfers in the graph */
} suite;

/* ---- both sides ------------------------------------------------------------------------------ */

static rc_status compute(suite *u, bool attention, int sms, rc_error *err) {
    for (int i = 0; i < u->gpus; i++) {
        side *s = &u->s[i];
        RC_CUDA(cudaSetDevice(s->device));
        if (!attention) {
            RC_TRY(rc_lt_run(s->lt, GM, GN, GK, sms, s->x.p, s->w.p, s->y.p, s->compute, err));
            continue;
        }
        rc_attn_args a = {.q = s->q.p,
                          .k = s->k.p,
                          .v = s->v.p,
                          .o = s->o.p,
                          .lse = (float *)(void *)s->lse.p,
                          .tq = TQ,
                          .tk = TK,
                          .hq = HQ,
                          .hkv = HKV,
                          .sms = sms};
        RC_TRY(rc_pool_reserve(&s->workspace, rc_attn_workspace(&a), err));
        a.workspace = s->workspace.p;
        RC_TRY(rc_kernel_check(err, rc_attn_forward(&a, s->compute), "rc_attn_forward"));
    }
    return RC_OK;
}

#ifdef RC_HAVE_NCCL

static rc_status one_message(suite *u, int i, rc_error *err) {
    side *s = &u->s[i];
    int n = u->gpus, next = (i + 1) % n, before = (i + n - 1) % n;
    if (!strcmp(u->transfer, "all_reduce")) {
        RC_NCCL(u->nccl, all_reduce(s->to.p, s->from.p, (size_t)u->bytes / 2, ncclBfloat16, ncclSum,
                                    s->comm_all, s->comm));
        return RC_OK;
    }
    RC_NCCL(u->nccl, send(s->to.p, (size_t)u->bytes, ncclInt8, next, s->comm_all, s->comm));
    RC_NCCL(u->nccl, recv(s->from.p, (size_t)u->bytes, ncclInt8, before, s->comm_all, s->comm));
    return RC_OK;
}

static rc_status messages(suite *u, rc_error *err) {
    RC_NCCL(u->nccl, group_start());
    rc_status st = RC_OK;
    for (int i = 0; i < u->gpus && st == RC_OK; i++)
        st = one_message(u, i, err);
    if (st != RC_OK) {
        (void)u->nccl->group_end();
        return st;
    }
    RC_NCCL(u->nccl, group_end());
    return RC_OK;
}

static rc_status connect_all(suite *u, rc_error *err) {
    ncclComm_t comms[MAX_GPUS];
    int devices[MAX_GPUS];
    u->nccl = rc_nccl_load(err);
    if (!u->nccl)
        return RC_E_UNMODELLED;
    if (u->s[0].comm_all)
        return RC_OK;
    for (int i = 0; i < u->gpus; i++)
        devices[i] = u->s[i].device;
    RC_NCCL(u->nccl, comm_init_all(comms, u->gpus, devices));
    for (int i = 0; i < u->gpus; i++)
        u->s[i].comm_all = comms[i];
    return RC_OK;
}

#else

static rc_status messages(suite *u, rc_error *err) {
    (void)u;
    return rc_fail(err, RC_E_UNMODELLED, "built without NCCL");
}

static rc_status connect_all(suite *u, rc_error *err) {
    (void)u;
    return rc_fail(err, RC_E_UNMODELLED, "built without NCCL");
}

#endif

static rc_status transfer(suite *u, rc_error *err) {
    if (strcmp(u->transfer, "copy") != 0)
        return messages(u, err);
    side *s = &u->s[0];
    RC_CUDA(
        cudaMemcpyAsync(s->from.p, s->to.p, (size_t)u->bytes, cudaMemcpyDeviceToDevice, s->comm));
    return RC_OK;
}

static rc_status drain(suite *u, rc_error *err) {
    for (int i = 0; i < u->gpus; i++) {
        RC_CUDA(cudaSetDevice(u->s[i].device));
        RC_CUDA(cudaStreamSynchronize(u->s[i].compute));
        RC_CUDA(cudaStreamSynchronize(u->s[i].comm));
    }
    return RC_OK;
}

/* ---- graphs of transfers --------------------------------------------------------------------- */

static void release(suite *u) {
    for (int i = 0; i < u->gpus; i++) {
        if (u->s[i].graph)
            (void)cudaGraphExecDestroy(u->s[i].graph);
        u->s[i].graph = NULL;
    }
}

static rc_status record(suite *u, int copies, rc_error *err) {
    release(u);
    for (int i = 0; i < u->gpus; i++) {
        RC_CUDA(cudaSetDevice(u->s[i].device));
        RC_CUDA(cudaStreamBeginCapture(u->s[i].comm, cudaStreamCaptureModeThreadLocal));
    }
    rc_status st = RC_OK;
    for (int k = 0; k < copies && st == RC_OK; k++)
        st = transfer(u, err);
    for (int i = 0; i < u->gpus; i++) {
        cudaGraph_t g = NULL;
        cudaError_t e = cudaSetDevice(u->s[i].device);
        if (e == cudaSuccess)
            e = cudaStreamEndCapture(u->s[i].comm, &g);
        if (e == cudaSuccess && st == RC_OK)
            e = cudaGraphInstantiate(&u->s[i].graph, g, 0);
        if (g)
            (void)cudaGraphDestroy(g);
        if (e != cudaSuccess && st == RC_OK)
            st = rc_cuda_fail(err, e, "capture of transfers", __FILE__, __LINE__);
    }
    u->copies = copies;
    return st;
}

static rc_status transfers(suite *u, rc_error *err) {
    for (int i = 0; i < u->gpus; i++) {
        RC_CUDA(cudaSetDevice(u->s[i].device));
        RC_CUDA(cudaGraphLaunch(u->s[i].graph, u->s[i].comm));
    }
    return RC_OK;
}

/* ---- windows --------------------------------------------------------------------------------- */

typedef struct window {
    bool compute_timed, beside; /* what is timed; whether the other side runs */
    bool attention;
    int sms, turns; /* of the other side */
} window;

static cudaStream_t timed_stream(const side *s, const window *w) {
    return w->compute_timed ? s->compute : s->comm;
}

static rc_status mark(suite *u, const window *w, bool stop, rc_error *err) {
    for (int i = 0; i < u->gpus; i++) {
        side *s = &u->s[i];
        RC_CUDA(cudaSetDevice(s->device));
        RC_CUDA(cudaEventRecord(stop ? s->stop : s->start, timed_stream(s, w)));
    }
    return RC_OK;
}

static rc_status other_side(suite *u, const window *w, rc_error *err) {
    for (int k = 0; k < w->turns; k++) {
        RC_TRY(w->compute_timed ? transfers(u, err) : compute(u, w->attention, w->sms, err));
        for (int i = 0; k == 0 && i < u->gpus;
             i++) { /* the window opens when this side is at work */
            side *s = &u->s[i];
            cudaStream_t other = w->compute_timed ? s->comm : s->compute;
            RC_CUDA(cudaSetDevice(s->device));
            RC_CUDA(cudaEventRecord(s->begun, other));
            RC_CUDA(cudaStreamWaitEvent(timed_stream(s, w), s->begun, 0));
        }
    }
    for (int i = 0; i < u->gpus; i++) {
        side *s = &u->s[i];
        RC_CUDA(cudaSetDevice(s->device));
        RC_CUDA(cudaEventRecord(s->end, w->compute_timed ? s->comm : s->compute));
    }
    return RC_OK;
}

/* One window; *covered: the other side outlasted it on every GPU. */
static rc_status take(suite *u, const window *w, double *seconds, bool *covered, rc_error *err) {
    *covered = true;
    *seconds = 0;
    if (w->beside)
        RC_TRY(other_side(u, w, err));
    RC_TRY(mark(u, w, false, err));
    for (int k = 0; k < CALLS && w->compute_timed; k++)
        RC_TRY(compute(u, w->attention, w->sms, err));
    if (!w->compute_timed)
        RC_TRY(transfers(u, err));
    RC_TRY(mark(u, w, true, err));
    RC_TRY(drain(u, err));
    for (int i = 0; i < u->gpus; i++) {
        side *s = &u->s[i];
        float ms = 0, beyond = 0;
        RC_CUDA(cudaEventElapsedTime(&ms, s->start, s->stop));
        if (w->beside)
            RC_CUDA(cudaEventElapsedTime(&beyond, s->stop, s->end));
        *covered = *covered && (!w->beside || beyond > 0);
        if (1e-3 * (double)ms > *seconds)
            *seconds = 1e-3 * (double)ms;
    }
    return RC_OK;
}

static rc_status sample(suite *u, window *w, rc_nvml *nvml, rc_result *r, rc_error *err) {
    double x[SAMPLES], t = 0, spent = 0;
    int calls = w->compute_timed ? CALLS : u->copies, n = 0;
    bool covered = false;
    for (w->turns = 4; !covered && w->turns <= MAX_TURNS; w->turns *= 2)
        RC_TRY(take(u, w, &t, &covered, err));
    while (covered && n < SAMPLES) {
        RC_TRY(take(u, w, &t, &covered, err));
        x[n++] = t / calls;
        spent += t;
        rc_stats_sort(x, (size_t)n);
        if (n >= RC_BENCH_MIN_SAMPLES && rc_stats_median_spread(x, (size_t)n) < RC_BENCH_SPREAD)
            break;
    }
    if (!covered)
        return rc_fail(err, RC_E_UNMODELLED, "the other side could not be kept busy long enough");
    rc_result_set(r, x, (size_t)n);
    r->health = rc_nvml_read(nvml);
    rc_health_settle(&r->health, spent);
    return RC_OK;
}

/* ---- suite ---------------------------------------------------------------------------------- */

static void close_side(const suite *u, side *s) {
    cudaEvent_t const events[] = {s->begun, s->start, s->stop, s->end};
    rc_pool *const pools[] = {&s->q, &s->k, &s->v, &s->o,  &s->lse, &s->workspace,
                              &s->x, &s->w, &s->y, &s->to, &s->from};
    (void)cudaSetDevice(s->device);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i])
            (void)cudaEventDestroy(events[i]);
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        rc_pool_free(pools[i]);
    rc_lt_close(s->lt);
#ifdef RC_HAVE_NCCL
    if (s->comm_all)
        (void)u->nccl->comm_destroy(s->comm_all);
#endif
    (void)u;
    if (s->compute)
        (void)cudaStreamDestroy(s->compute);
    if (s->comm)
        (void)cudaStreamDestroy(s->comm);
}

static void beside_close(void *self) {
    suite *u = self;
    if (!u)
        return;
    release(u);
    for (int i = 0; i < u->gpus; i++)
        close_side(u, &u->s[i]);
    (void)cudaSetDevice(u->s[0].device);
    free(u);
}

static rc_status fill(side *s, rc_pool *p, size_t bytes, uint64_t seed, rc_error *err) {
    RC_TRY(rc_pool_reserve(p, bytes, err));
    return rc_kernel_check(err, rc_fill_normal(p->p, (int64_t)(bytes / 2), seed, 1.0f, s->compute),
                           "rc_fill_normal");
}

static rc_status open_side(rc_calib *c, side *s, int device, rc_error *err) {
    uint64_t seed = c->opt->seed;
    s->device = device;
    RC_CUDA(cudaSetDevice(device));
    RC_CUDA(cudaStreamCreateWithFlags(&s->compute, cudaStreamNonBlocking));
    RC_CUDA(cudaStreamCreateWithFlags(&s->comm, cudaStreamNonBlocking));
    RC_CUDA(cudaEventCreate(&s->begun));
    RC_CUDA(cudaEventCreate(&s->start));
    RC_CUDA(cudaEventCreate(&s->stop));
    RC_CUDA(cudaEventCreate(&s->end));
    RC_TRY(fill(s, &s->q, (size_t)TQ * HQ * 256, seed, err));
    RC_TRY(fill(s, &s->k, (size_t)TK * HKV * 256, seed + 1, err));
    RC_TRY(fill(s, &s->v, (size_t)TK * HKV * 256, seed + 2, err));
    RC_TRY(fill(s, &s->x, (size_t)GM * GK * 2, seed + 3, err));
    RC_TRY(fill(s, &s->w, (size_t)GN * GK * 2, seed + 4, err));
    RC_TRY(fill(s, &s->to, MESSAGE_MAX, seed + 5, err));
    RC_TRY(rc_pool_reserve(&s->from, MESSAGE_MAX, err));
    RC_TRY(rc_pool_reserve(&s->o, (size_t)TQ * HQ * 256, err));
    RC_TRY(rc_pool_reserve(&s->lse, (size_t)TQ * HQ * sizeof(float), err));
    RC_TRY(rc_pool_reserve(&s->y, (size_t)GM * GN * 2, err));
    RC_CUDA(cudaStreamSynchronize(s->compute));
    return rc_lt_open(&s->lt, err);
}

static rc_status beside_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    (void)points;
    suite *u = calloc(1, sizeof *u);
    if (!u)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    bool alone = c->group.size > 1;
    rc_status st = RC_OK;
    for (int i = 0; i < (alone ? 1 : c->gpus) && i < MAX_GPUS && st == RC_OK; i++) {
        u->gpus = i + 1;
        st = open_side(c, &u->s[i], alone ? c->gpu.device : i, err);
    }
    if (st != RC_OK) {
        beside_close(u);
        return st;
    }
    *self = u;
    return RC_OK;
}

static rc_status plan(suite *u, int sms, rc_error *err) {
    for (int i = 0; i < u->gpus; i++) {
        side *s = &u->s[i];
        RC_CUDA(cudaSetDevice(s->device));
        RC_TRY(rc_lt_plan(s->lt, GM, GN, GK, sms, s->x.p, s->w.p, s->y.p, s->compute, err));
    }
    return RC_OK;
}

/* A graph of transfers of this kind and size that takes about a window. */
static rc_status prepare(suite *u, const char *name, int64_t bytes, rc_error *err) {
    window w = {.compute_timed = false};
    double t = 0;
    bool covered;
    if (u->copies && u->bytes == bytes && !strcmp(u->transfer, name))
        return RC_OK;
    u->copies = 0;
    u->bytes = bytes;
    snprintf(u->transfer, sizeof u->transfer, "%s", name);
    if (strcmp(name, "copy") != 0)
        RC_TRY(connect_all(u, err));
    RC_TRY(transfer(u, err)); /* connects */
    RC_TRY(drain(u, err));
    RC_TRY(record(u, 4, err));
    for (int i = 0; i < 2; i++)
        RC_TRY(take(u, &w, &t, &covered, err));
    double copies = ceil(WINDOW_S / (t / 4 > 1e-7 ? t / 4 : 1e-7));
    return record(u, copies < MAX_COPIES ? (int)copies : MAX_COPIES, err);
}

static rc_status beside_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                                rc_error *err) {
    suite *u = self;
    const char *plus = strchr(p->variant, '+');
    window w = {.compute_timed = !strcmp(p->op, "compute_beside"),
                .beside = plus != NULL,
                .attention = !strncmp(p->variant, "attention", 9),
                .sms = (int)p->b};
    double t = 0;
    bool covered;
    if (p->b >= c->gpu.sms)
        return rc_fail(err, RC_E_UNMODELLED, "this GPU has %d SMs", c->gpu.sms);
    if (p->a > 0)
        RC_TRY(prepare(u, plus ? plus + 1 : p->variant, p->a, err));
    if (!w.attention && (plus || w.compute_timed))
        RC_TRY(plan(u, w.sms, err));
    window warm = w;
    warm.beside = false;
    RC_TRY(take(u, &warm, &t, &covered, err));
    rc_status st = sample(u, &w, c->gpu.nvml, &m->r, err);
    (void)drain(u, NULL);
    (void)cudaSetDevice(c->gpu.device);
    if (st == RC_OK && p->a > 0 && strcmp(u->transfer, "copy") != 0)
        rc_nccl_version(m->nccl, sizeof m->nccl);
    rc_record_set(m->kernel, sizeof m->kernel,
                  w.attention ? rc_kernel_version("attention") : "cublasLt");
    return st;
}

const rc_suite rc_suite_interference = {beside_open, beside_measure, beside_close};
