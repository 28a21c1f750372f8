/* How much compute and transfers slow one another down when they overlap on a GPU. One process a
 * GPU, as in suite_net.c; with one GPU alone, a device copy takes the transfer's place.
 *
 *     compute_beside    one call of attention (4096 queries of 16 heads on 16384 keys of one), of a
 *                       product (4096 x 4096 x 16384, bf16) or of a ring's merge step (4096 x 16
 *                       rows), on all SMs or fewer
 *     transfer_beside   one message: send + receive around a ring, an all-reduce, or a device copy
 *
 * What is timed is a window of a few calls between events. The background load, which is the other
 * kind of work, keeps its stream busy from before the window's start until after its end. Each
 * sample checks that: where the background load ended too soon on any GPU, every GPU gets more of
 * it and the sample is taken again. The time of a sample is that of the slowest GPU. The stream of
 * transfers has the higher priority, as an inference engine would give it.
 *
 * Transfers are always launched as one graph: one untimed call, which aligns the ranks, an event,
 * the timed calls, an event.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/nccl_comms.h"
#include "calib/cublaslt.h"
#include "calib/stats.h"
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TQ = 4096, TK = 16384, HQ = 16, HKV = 1, GM = 4096, GN = 4096, GK = 16384 };
enum { COMPUTE_CALLS = 4, MAX_COPIES = 40, SAMPLES = 12, MAX_BACKGROUND = 256 };
enum { TRIAL_COPIES = 4 }; /* transfers of the graph from which the window is sized */
#define WINDOW_S 2e-3      /* of transfers: about as long as the compute calls take */
#define SHORTEST_S 1e-7    /* of a transfer: an event's resolution is about half a microsecond */

typedef enum compute_op { ATTENTION, GEMM, MERGE, NO_COMPUTE } compute_op;

typedef struct overlap_suite {
    const rc_group *procs;
    cudaStream_t compute, transfer;
    cudaEvent_t begun, end;     /* of the background load */
    cudaEvent_t start, stop;    /* around compute calls that are timed */
    cudaEvent_t sent, received; /* inside the graph: around its timed transfers */
    rc_buffer q, k, v, o, lse, workspace, tickets, x, w, y, acc, acc_lse, to, from;
    rc_cublaslt *lt;
    bool failed;
    cudaGraphExec_t graph; /* of transfers: kind, bytes, ctas, and how many are timed */
    char kind[24];
    int64_t bytes, ctas;
    int copies;
#ifdef RC_HAVE_NCCL
    rc_comms comms;
    ncclComm_t comm;
#endif
} overlap_suite;

/* ---- compute --------------------------------------------------------------------------------- */

/* Attention on all SMs that overlaps with a transfer takes its tiles dynamically (`share`): an SM
 * that the transfer holds takes none. On fewer SMs, the others are left to the transfer. */
static rc_attn_args attention_args(const overlap_suite *s, int sms, bool overlapped) {
    return (rc_attn_args){.q = s->q.p,
                          .k = s->k.p,
                          .v = s->v.p,
                          .o = s->o.p,
                          .lse = (float *)(void *)s->lse.p,
                          .tq = TQ,
                          .tk = TK,
                          .hq = HQ,
                          .hkv = HKV,
                          .sms = sms,
                          .workspace = s->workspace.p,
                          .tickets = s->tickets.p,
                          .share = overlapped && !sms};
}

static rc_status compute(overlap_suite *s, compute_op op, int sms, bool overlapped, rc_error *err) {
    if (op == GEMM)
        return rc_cublaslt_run(s->lt, GM, GN, GK, sms, s->x.p, s->w.p, s->y.p, s->compute, err);
    if (op == MERGE)
        return rc_kernel_check(err,
                               rc_merge_step(s->q.p, (const float *)(const void *)s->lse.p,
                                             (int64_t)TQ * HQ, 0, (float *)(void *)s->acc.p,
                                             (float *)(void *)s->acc_lse.p, NULL, NULL, sms,
                                             s->compute),
                               "rc_merge_step");
    rc_attn_args a = attention_args(s, sms, overlapped);
    return rc_kernel_check(err, rc_attn_forward(&a, s->compute), "rc_attn_forward");
}

/* Workspaces and algorithms, before anything is timed. */
static rc_status prepare_compute(overlap_suite *s, compute_op op, int sms, rc_error *err) {
    if (op == GEMM)
        return rc_cublaslt_plan(s->lt, GM, GN, GK, sms, s->x.p, s->w.p, s->y.p, s->compute, err);
    if (op != ATTENTION)
        return RC_OK;
    rc_attn_args a = attention_args(s, sms, true);
    rc_attn_args b = attention_args(s, sms, false);
    RC_TRY(rc_buffer_reserve(&s->workspace, rc_attn_workspace(&b), err));
    return rc_buffer_reserve(&s->workspace, rc_attn_workspace(&a), err);
}

/* ---- transfers ------------------------------------------------------------------------------- */

#ifdef RC_HAVE_NCCL

static rc_status message(const overlap_suite *s, rc_error *err) {
    const rc_nccl *nccl = s->comms.nccl;
    int n = s->procs->size, me = s->procs->rank;
    if (!strcmp(s->kind, "all_reduce")) {
        RC_NCCL(nccl, all_reduce(s->to.p, s->from.p, (size_t)s->bytes / 2, ncclBfloat16, ncclSum,
                                 s->comm, s->transfer));
        return RC_OK;
    }
    size_t bytes = (size_t)s->bytes;
    RC_NCCL(nccl, group_start());
    RC_NCCL(nccl, send(s->to.p, bytes, ncclInt8, (me + 1) % n, s->comm, s->transfer));
    RC_NCCL(nccl, recv(s->from.p, bytes, ncclInt8, (me + n - 1) % n, s->comm, s->transfer));
    RC_NCCL(nccl, group_end());
    return RC_OK;
}

static rc_status connect(overlap_suite *s, rc_error *err) {
    if (!s->comms.nccl)
        RC_TRY(rc_comms_open(&s->comms, s->procs, err));
    return rc_comms_get(&s->comms, s->procs->size, (int)s->ctas, &s->comm, err);
}

static void disconnect(overlap_suite *s) {
    rc_comms_close(&s->comms, s->failed);
}

#else

static rc_status message(const overlap_suite *s, rc_error *err) {
    (void)s;
    return rc_nccl_ready(err);
}

static rc_status connect(overlap_suite *s, rc_error *err) {
    (void)s;
    return rc_nccl_ready(err);
}

static void disconnect(overlap_suite *s) {
    (void)s;
}

#endif

static rc_status transfer(const overlap_suite *s, rc_error *err) {
    if (strcmp(s->kind, "copy") != 0)
        return message(s, err);
    RC_CUDA(cudaMemcpyAsync(s->from.p, s->to.p, (size_t)s->bytes, cudaMemcpyDeviceToDevice,
                            s->transfer));
    return RC_OK;
}

static void release(overlap_suite *s) {
    if (s->graph)
        (void)cudaGraphExecDestroy(s->graph);
    s->graph = NULL;
    s->copies = 0;
}

static rc_status record(const overlap_suite *s, int copies, rc_error *err) {
    RC_TRY(transfer(s, err));
    RC_CUDA(cudaEventRecordWithFlags(s->sent, s->transfer, cudaEventRecordExternal));
    for (int k = 0; k < copies; k++)
        RC_TRY(transfer(s, err));
    RC_CUDA(cudaEventRecordWithFlags(s->received, s->transfer, cudaEventRecordExternal));
    return RC_OK;
}

static rc_status capture(overlap_suite *s, int copies, rc_error *err) {
    cudaGraph_t g = NULL;
    release(s);
    RC_CUDA(cudaStreamBeginCapture(s->transfer, cudaStreamCaptureModeThreadLocal));
    rc_status st = record(s, copies, err);
    cudaError_t e = cudaStreamEndCapture(s->transfer, &g);
    if (e == cudaSuccess && st == RC_OK)
        e = cudaGraphInstantiate(&s->graph, g, 0);
    if (g)
        (void)cudaGraphDestroy(g);
    RC_TRY(st);
    if (e != cudaSuccess)
        return rc_cuda_fail(err, e, "capture of transfers", __FILE__, __LINE__);
    s->copies = copies;
    return RC_OK;
}

static rc_status synchronize(overlap_suite *s, rc_error *err) {
    RC_CUDA(cudaStreamSynchronize(s->compute));
    RC_CUDA(cudaStreamSynchronize(s->transfer));
    return RC_OK;
}

/* ---- windows --------------------------------------------------------------------------------- */

typedef struct window {
    bool times_compute; /* else transfers */
    bool overlapped;    /* the background load runs */
    compute_op op;
    int sms;
    int background_launches;
} window;

/* The background load: at work before the window opens, and background_launches launches long. */
static rc_status launch_background(overlap_suite *s, const window *w, rc_error *err) {
    cudaStream_t other = w->times_compute ? s->transfer : s->compute;
    cudaStream_t timed = w->times_compute ? s->compute : s->transfer;
    for (int k = 0; k < w->background_launches; k++) {
        if (w->times_compute)
            RC_CUDA(cudaGraphLaunch(s->graph, s->transfer));
        else
            RC_TRY(compute(s, w->op, w->sms, w->overlapped, err));
        if (k > 0)
            continue;
        RC_CUDA(cudaEventRecord(s->begun, other));
        RC_CUDA(cudaStreamWaitEvent(timed, s->begun, 0));
    }
    RC_CUDA(cudaEventRecord(s->end, other));
    return RC_OK;
}

static rc_status launch_timed(overlap_suite *s, const window *w, rc_error *err) {
    if (!w->times_compute) {
        RC_CUDA(cudaGraphLaunch(s->graph, s->transfer));
        return RC_OK;
    }
    RC_CUDA(cudaEventRecord(s->start, s->compute));
    for (int k = 0; k < COMPUTE_CALLS; k++)
        RC_TRY(compute(s, w->op, w->sms, w->overlapped, err));
    RC_CUDA(cudaEventRecord(s->stop, s->compute));
    return RC_OK;
}

/* One window: the seconds of the slowest GPU, and whether the background load outlasted the window
 * on every GPU. Both are the same on all ranks. */
static rc_status time_window(overlap_suite *s, const window *w, double *seconds, bool *covered,
                             rc_error *err) {
    float ms = 0, beyond = 0;
    double ready = 0;
    RC_TRY(rc_group_max(s->procs, &ready, err)); /* the ranks start together */
    if (w->overlapped)
        RC_TRY(launch_background(s, w, err));
    RC_TRY(launch_timed(s, w, err));
    RC_TRY(synchronize(s, err));
    cudaEvent_t first = w->times_compute ? s->start : s->sent;
    cudaEvent_t last = w->times_compute ? s->stop : s->received;
    RC_CUDA(cudaEventElapsedTime(&ms, first, last));
    if (w->overlapped)
        RC_CUDA(cudaEventElapsedTime(&beyond, last, s->end));
    double uncovered = w->overlapped && beyond <= 0 ? 1 : 0;
    *seconds = 1e-3 * (double)ms;
    RC_TRY(rc_group_max(s->procs, seconds, err));
    RC_TRY(rc_group_max(s->procs, &uncovered, err));
    *covered = uncovered <= 0;
    return RC_OK;
}

static rc_status sample(overlap_suite *s, window *w, rc_nvml *nvml, rc_result *r, rc_error *err) {
    double x[SAMPLES], t = 0, spent = 0;
    int calls = w->times_compute ? COMPUTE_CALLS : s->copies, n = 0;
    bool covered = false;
    for (w->background_launches = 4; w->background_launches <= MAX_BACKGROUND;
         w->background_launches *= 2) {
        RC_TRY(time_window(s, w, &t, &covered, err));
        if (covered)
            break;
    }
    w->background_launches = 2 * w->background_launches < MAX_BACKGROUND
                                 ? 2 * w->background_launches
                                 : MAX_BACKGROUND; /* room for a slower window */
    for (int tries = 0; covered && n < SAMPLES && tries < 2 * SAMPLES; tries++) {
        bool valid = false;
        RC_TRY(time_window(s, w, &t, &valid, err));
        if (!valid)
            continue;
        x[n++] = t / calls;
        spent += t;
        rc_stats_sort(x, (size_t)n);
        if (n >= RC_BENCH_MIN_SAMPLES && rc_stats_median_spread(x, (size_t)n) < RC_BENCH_SPREAD)
            break;
    }
    if (n < RC_BENCH_MIN_SAMPLES)
        return rc_fail(err, RC_E_UNMODELLED, "the other side could not be kept busy long enough");
    rc_result_set(r, x, (size_t)n);
    r->health = rc_nvml_read(nvml);
    rc_health_drop_stale(&r->health, spent);
    return RC_OK;
}

/* ---- suite ----------------------------------------------------------------------------------- */

static void overlap_close(void *self) {
    overlap_suite *s = self;
    if (!s)
        return;
    cudaEvent_t const events[] = {s->begun, s->end, s->start, s->stop, s->sent, s->received};
    rc_buffer *const pools[] = {&s->q,         &s->k,  &s->v,    &s->o,      &s->lse,
                                &s->workspace, &s->x,  &s->w,    &s->y,      &s->acc,
                                &s->acc_lse,   &s->to, &s->from, &s->tickets};
    release(s);
    disconnect(s);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i])
            (void)cudaEventDestroy(events[i]);
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        rc_buffer_free(pools[i]);
    rc_cublaslt_close(s->lt);
    if (s->compute)
        (void)cudaStreamDestroy(s->compute);
    if (s->transfer)
        (void)cudaStreamDestroy(s->transfer);
    free(s);
}

static rc_status fill(overlap_suite *s, rc_buffer *p, size_t bytes, uint64_t seed, rc_error *err) {
    RC_TRY(rc_buffer_reserve(p, bytes, err));
    return rc_kernel_check(err, rc_fill_normal(p->p, (int64_t)(bytes / 2), seed, 1.0f, s->compute),
                           "rc_fill_normal");
}

static rc_status open_streams(overlap_suite *s, rc_error *err) {
    cudaEvent_t *const events[] = {&s->begun, &s->end, &s->start, &s->stop, &s->sent, &s->received};
    int low = 0, high = 0;
    RC_CUDA(cudaDeviceGetStreamPriorityRange(&low, &high));
    RC_CUDA(cudaStreamCreateWithPriority(&s->compute, cudaStreamNonBlocking, low));
    RC_CUDA(cudaStreamCreateWithPriority(&s->transfer, cudaStreamNonBlocking, high));
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        RC_CUDA(cudaEventCreate(events[i]));
    return RC_OK;
}

static rc_status open_buffers(overlap_suite *s, size_t message, uint64_t seed, rc_error *err) {
    const size_t rows = (size_t)TQ * HQ;
    RC_TRY(fill(s, &s->q, rows * 256, seed, err));
    RC_TRY(fill(s, &s->k, (size_t)TK * HKV * 256, seed + 1, err));
    RC_TRY(fill(s, &s->v, (size_t)TK * HKV * 256, seed + 2, err));
    RC_TRY(fill(s, &s->x, (size_t)GM * GK * 2, seed + 3, err));
    RC_TRY(fill(s, &s->w, (size_t)GN * GK * 2, seed + 4, err));
    RC_TRY(fill(s, &s->to, message, seed + 5, err));
    /* A float whose upper half is a normal bf16 number is that number, give or take its last
     * bits. */
    RC_TRY(fill(s, &s->lse, rows * sizeof(float), seed + 6, err));
    RC_TRY(fill(s, &s->acc, rows * 128 * sizeof(float), seed + 7, err));
    RC_TRY(fill(s, &s->acc_lse, rows * sizeof(float), seed + 8, err));
    RC_TRY(rc_buffer_reserve(&s->from, message, err));
    RC_TRY(rc_buffer_reserve(&s->o, rows * 256, err));
    RC_TRY(rc_buffer_reserve(&s->y, (size_t)GM * GN * 2, err));
    RC_TRY(rc_buffer_reserve(&s->tickets, RC_ATTN_TICKET_BYTES, err));
    RC_CUDA(cudaMemsetAsync(s->tickets.p, 0, RC_ATTN_TICKET_BYTES, s->compute));
    RC_CUDA(cudaStreamSynchronize(s->compute));
    return rc_cublaslt_open(&s->lt, err);
}

static rc_status overlap_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    size_t message = 1024;
    for (size_t i = 0; i < points->n; i++)
        if ((size_t)points->v[i].a > message)
            message = (size_t)points->v[i].a;
    overlap_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    s->procs = &c->group;
    rc_status st = open_streams(s, err);
    if (st == RC_OK)
        st = open_buffers(s, message, c->opt->seed, err);
    st = rc_group_agree(&c->group, st, err);
    if (st != RC_OK) {
        overlap_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

/* A graph of transfers of this kind, size and CTAs whose timed part takes about a window. */
static rc_status prepare_transfers(overlap_suite *s, const char *kind, const rc_point *p,
                                   rc_error *err) {
    window w = {.op = NO_COMPUTE};
    double t = 0;
    bool covered = false;
    if (s->copies && s->bytes == p->a && s->ctas == p->d && !strcmp(s->kind, kind))
        return RC_OK;
    release(s);
    s->bytes = p->a;
    s->ctas = p->d;
    rc_record_set(s->kind, sizeof s->kind, kind);
    if (strcmp(kind, "copy") != 0)
        RC_TRY(connect(s, err));
    RC_TRY(transfer(s, err)); /* the first call of a kind connects */
    RC_TRY(synchronize(s, err));
    RC_TRY(capture(s, TRIAL_COPIES, err));
    for (int i = 0; i < 2; i++)
        RC_TRY(time_window(s, &w, &t, &covered, err));
    double copies =
        ceil(WINDOW_S / (t / TRIAL_COPIES > SHORTEST_S ? t / TRIAL_COPIES : SHORTEST_S));
    return capture(s, copies < MAX_COPIES ? (int)copies : MAX_COPIES, err);
}

static compute_op compute_of(const char *variant) {
    return !strncmp(variant, "attention", 9) ? ATTENTION
           : !strncmp(variant, "gemm", 4)    ? GEMM
           : !strncmp(variant, "merge", 5)   ? MERGE
                                             : NO_COMPUTE;
}

static rc_status run_point(overlap_suite *s, rc_calib *c, const rc_point *p, window *w,
                           rc_measured *m, rc_error *err) {
    const char *plus = strchr(p->variant, '+');
    double t = 0;
    bool covered = false;
    if (p->a > 0)
        RC_TRY(prepare_transfers(s, plus ? plus + 1 : p->variant, p, err));
    window warm = *w;
    warm.overlapped = false;
    RC_TRY(time_window(s, &warm, &t, &covered, err));
    rc_status st = sample(s, w, c->gpu.nvml, &m->r, err);
    if (st == RC_OK && p->a > 0 && strcmp(s->kind, "copy") != 0)
        rc_nccl_version(m->nccl, sizeof m->nccl);
    return st;
}

static rc_status overlap_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                                 rc_error *err) {
    static const char *const versions[] = {"attention", "cublasLt", "merge", "NCCL"};
    overlap_suite *s = self;
    window w = {.times_compute = !strcmp(p->op, "compute_beside"),
                .overlapped = strchr(p->variant, '+') != NULL,
                .op = compute_of(p->variant),
                .sms = (int)p->b};
    rc_status st = RC_OK;
    if (p->b >= c->gpu.sms)
        st = rc_fail(err, RC_E_UNMODELLED, "this GPU has %d SMs", c->gpu.sms);
    if (st == RC_OK)
        st = prepare_compute(s, w.op, w.sms, err);
    RC_TRY(rc_group_agree(&c->group, st, err));
    st = run_point(s, c, p, &w, m, err);
    s->failed = s->failed || (st != RC_OK && st != RC_E_UNMODELLED);
    const char *own = rc_kernel_version(versions[w.op]);
    rc_record_set(m->kernel, sizeof m->kernel, own ? own : versions[w.op]);
    return st;
}

const rc_suite rc_suite_interference = {overlap_open, overlap_measure, overlap_close};
