/* What the host pays: the time a call keeps the issuing thread, by the monotonic clock.
 *
 *     launch                    rc_residual_add on eight numbers, asynchronous
 *     launch, gemm              a cuBLASLt product whose algorithm is chosen
 *     launch, attention         rc_attn_forward in one kernel, its tensor maps encoded
 *     launch, attention-split   the same in pieces of keys, and the kernel that combines them
 *     launch, decode            rc_decode_forward, split and combined
 *     launch, merge             rc_merge of four parts
 *     graph_launch              cudaGraphLaunch of a graph of `a` of the first kernel
 *     event; event, wait        cudaEventRecord; cudaStreamWaitEvent on another stream
 *     sync                      cudaStreamSynchronize right after a launch: what a host waits
 *                               beyond it
 *     sync, idle                cudaStreamSynchronize with nothing pending
 *     nccl_group                ncclGroupStart, a / 2 sends and as many receives, ncclGroupEnd, to
 *                               itself (a communicator of one)
 *     nccl_group, all_reduce    ncclAllReduce by itself
 *
 * A sample is the mean of a short run of calls, short enough that the launch queue (about a
 * thousand entries) never fills; between samples the stream is drained, untimed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/cublaslt.h"
#include "calib/nccl_self.h"
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

enum { HOST_SAMPLES = 60, HOST_CALLS = 50, MESSAGE_BYTES = 65536, PARTS = 4 };
/* Shapes as small as a kernel's usual way of launching allows. */
enum { GM = 16, GN = 256, GK = 256, TOKENS = 128, HQ = 16, CONTEXT = 4096, BATCH = 4 };

typedef struct host_suite {
    rc_gpu *gpu;
    rc_buffer buf, q, kv, o, workspace, lens;
    rc_cublaslt *lt;
    cudaStream_t other;
    cudaEvent_t event;
    int64_t a; /* of the point at hand */
    cudaGraphExec_t graph;
    rc_nccl_self own;
} host_suite;

/* One call, and how long the host was held. */
typedef rc_status (*host_call)(host_suite *s, double *seconds, rc_error *err);

static rc_status tiny(host_suite *s, rc_error *err) {
    return rc_kernel_check(err, rc_residual_add(s->buf.p, s->buf.p + 1024, 8, s->gpu->stream),
                           "rc_residual_add");
}

static rc_status call_launch(host_suite *s, double *seconds, rc_error *err) {
    double t = rc_now();
    RC_TRY(tiny(s, err));
    *seconds = rc_now() - t;
    return RC_OK;
}

static rc_status call_event(host_suite *s, double *seconds, rc_error *err) {
    double t = rc_now();
    RC_CUDA(cudaEventRecord(s->event, s->gpu->stream));
    *seconds = rc_now() - t;
    return RC_OK;
}

static rc_status call_sync(host_suite *s, double *seconds, rc_error *err) {
    RC_TRY(tiny(s, err));
    double t = rc_now();
    RC_CUDA(cudaStreamSynchronize(s->gpu->stream));
    *seconds = rc_now() - t;
    return RC_OK;
}

static rc_status call_idle_sync(host_suite *s, double *seconds, rc_error *err) {
    double t = rc_now();
    RC_CUDA(cudaStreamSynchronize(s->gpu->stream));
    *seconds = rc_now() - t;
    return RC_OK;
}

static rc_status call_graph(host_suite *s, double *seconds, rc_error *err) {
    double t = rc_now();
    RC_CUDA(cudaGraphLaunch(s->graph, s->gpu->stream));
    *seconds = rc_now() - t;
    return RC_OK;
}

/* ---- our kernels and cuBLASLt ---------------------------------------------------------------- */

static rc_status call_gemm(host_suite *s, double *seconds, rc_error *err) {
    double t = rc_now();
    RC_TRY(rc_cublaslt_run(s->lt, GM, GN, GK, 0, s->q.p, s->kv.p, s->o.p, s->gpu->stream, err));
    *seconds = rc_now() - t;
    return RC_OK;
}

static rc_attn_args attention_args(const host_suite *s, bool split) {
    return (rc_attn_args){.q = s->q.p,
                          .k = s->kv.p,
                          .v = s->kv.p,
                          .o = s->o.p,
                          .tq = split ? 16 : TOKENS,
                          .tk = split ? CONTEXT : TOKENS,
                          .hq = HQ,
                          .hkv = 1,
                          .splits = split ? 8 : 1,
                          .workspace = s->workspace.p};
}

static rc_status attention(host_suite *s, bool split, double *seconds, rc_error *err) {
    rc_attn_args a = attention_args(s, split);
    double t = rc_now();
    RC_TRY(rc_kernel_check(err, rc_attn_forward(&a, s->gpu->stream), "rc_attn_forward"));
    *seconds = rc_now() - t;
    return RC_OK;
}

static rc_status call_attention(host_suite *s, double *seconds, rc_error *err) {
    return attention(s, false, seconds, err);
}

static rc_status call_attention_split(host_suite *s, double *seconds, rc_error *err) {
    return attention(s, true, seconds, err);
}

static rc_decode_args decode_args(const host_suite *s) {
    return (rc_decode_args){.q = s->q.p,
                            .k = s->kv.p,
                            .v = s->kv.p,
                            .lens = (const int32_t *)(const void *)s->lens.p,
                            .o = s->o.p,
                            .batch = BATCH,
                            .max_len = CONTEXT,
                            .hq = HQ,
                            .hkv = 1,
                            .splits = 8,
                            .workspace = s->workspace.p};
}

static rc_status call_decode(host_suite *s, double *seconds, rc_error *err) {
    rc_decode_args a = decode_args(s);
    double t = rc_now();
    RC_TRY(rc_kernel_check(err, rc_decode_forward(&a, s->gpu->stream), "rc_decode_forward"));
    *seconds = rc_now() - t;
    return RC_OK;
}

static rc_status call_merge(host_suite *s, double *seconds, rc_error *err) {
    const void *o[PARTS];
    const float *lse[PARTS];
    for (int i = 0; i < PARTS; i++) {
        o[i] = s->kv.p;
        lse[i] = (const float *)(const void *)s->q.p;
    }
    double t = rc_now();
    RC_TRY(rc_kernel_check(err, rc_merge(o, lse, PARTS, HQ, s->o.p, NULL, 0, s->gpu->stream),
                           "rc_merge"));
    *seconds = rc_now() - t;
    return RC_OK;
}

static rc_status call_wait(host_suite *s, double *seconds, rc_error *err) {
    RC_CUDA(cudaEventRecord(s->event, s->gpu->stream));
    double t = rc_now();
    RC_CUDA(cudaStreamWaitEvent(s->other, s->event, 0));
    *seconds = rc_now() - t;
    return RC_OK;
}

/* Buffers for these, and what they need before they are timed. */
static rc_status open_kernels(rc_calib *c, host_suite *s, rc_error *err) {
    int32_t lens[BATCH];
    RC_TRY(rc_buffer_reserve(&s->q, (size_t)TOKENS * HQ * 256, err));
    RC_TRY(rc_buffer_reserve(&s->kv, (size_t)BATCH * CONTEXT * 256, err));
    RC_TRY(rc_buffer_reserve(&s->o, (size_t)TOKENS * HQ * 256, err));
    RC_TRY(rc_buffer_reserve(&s->lens, sizeof lens, err));
    RC_TRY(rc_buffer_fill_bf16(&c->gpu, &s->q, c->opt->seed, err));
    RC_TRY(rc_buffer_fill_bf16(&c->gpu, &s->kv, c->opt->seed + 1, err));
    for (int i = 0; i < BATCH; i++)
        lens[i] = CONTEXT;
    RC_CUDA(cudaMemcpy(s->lens.p, lens, sizeof lens, cudaMemcpyHostToDevice));
    rc_attn_args whole = attention_args(s, false), split = attention_args(s, true);
    rc_decode_args step = decode_args(s);
    RC_TRY(rc_buffer_reserve(&s->workspace, rc_attn_workspace(&whole), err));
    RC_TRY(rc_buffer_reserve(&s->workspace, rc_attn_workspace(&split), err));
    RC_TRY(rc_buffer_reserve(&s->workspace, rc_decode_workspace(&step), err));
    RC_CUDA(cudaStreamCreateWithFlags(&s->other, cudaStreamNonBlocking));
    RC_TRY(rc_cublaslt_open(&s->lt, err));
    return rc_cublaslt_plan(s->lt, GM, GN, GK, 0, s->q.p, s->kv.p, s->o.p, c->gpu.stream, err);
}

/* ---- NCCL ------------------------------------------------------------------------------------ */

static rc_status call_all_reduce(host_suite *s, double *seconds, rc_error *err) {
    double t = rc_now();
    RC_TRY(rc_nccl_self_all_reduce(&s->own, s->buf.p, s->buf.p + MESSAGE_BYTES, MESSAGE_BYTES / 2,
                                   s->gpu->stream, err));
    *seconds = rc_now() - t;
    return RC_OK;
}

static rc_status call_nccl(host_suite *s, double *seconds, rc_error *err) {
    double t = rc_now();
    RC_TRY(rc_nccl_self_send(&s->own, s->buf.p, s->buf.p + MESSAGE_BYTES, MESSAGE_BYTES, s->a / 2,
                             s->gpu->stream, err));
    *seconds = rc_now() - t;
    return RC_OK;
}

/* ---- suite ---------------------------------------------------------------------------------- */

static void host_close(void *self) {
    host_suite *s = self;
    if (!s)
        return;
    rc_nccl_self_close(&s->own);
    if (s->event)
        (void)cudaEventDestroy(s->event);
    if (s->graph)
        (void)cudaGraphExecDestroy(s->graph);
    if (s->other)
        (void)cudaStreamDestroy(s->other);
    rc_cublaslt_close(s->lt);
    rc_buffer *const pools[] = {&s->buf, &s->q, &s->kv, &s->o, &s->workspace, &s->lens};
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        rc_buffer_free(pools[i]);
    free(s);
}

static rc_status prepare(rc_calib *c, host_suite *s, rc_error *err) {
    RC_TRY(rc_buffer_reserve(&s->buf, 2 * MESSAGE_BYTES, err));
    RC_TRY(rc_buffer_fill_bf16(&c->gpu, &s->buf, c->opt->seed, err));
    RC_CUDA(cudaEventCreateWithFlags(&s->event, cudaEventDisableTiming));
    return open_kernels(c, s, err);
}

static rc_status host_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    (void)points;
    host_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    s->gpu = &c->gpu;
    rc_status st = prepare(c, s, err);
    if (st != RC_OK) {
        host_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

static rc_status make_graph(host_suite *s, int64_t nodes, rc_error *err) {
    cudaGraph_t graph = NULL;
    rc_status st = RC_OK;
    if (s->graph)
        RC_CUDA(cudaGraphExecDestroy(s->graph));
    s->graph = NULL;
    RC_CUDA(cudaStreamBeginCapture(s->gpu->stream, cudaStreamCaptureModeThreadLocal));
    for (int64_t i = 0; i < nodes && st == RC_OK; i++)
        st = tiny(s, err);
    cudaError_t e = cudaStreamEndCapture(s->gpu->stream, &graph);
    if (st == RC_OK && e == cudaSuccess)
        e = cudaGraphInstantiate(&s->graph, graph, 0);
    if (graph)
        (void)cudaGraphDestroy(graph);
    RC_TRY(st);
    RC_CUDA(e);
    return RC_OK;
}

static rc_status choose(host_suite *s, const rc_point *p, host_call *call, rc_error *err) {
    static const struct {
        const char *op, *variant;
        host_call call;
    } calls[] = {{"launch", "", call_launch},
                 {"launch", "gemm", call_gemm},
                 {"launch", "attention", call_attention},
                 {"launch", "attention-split", call_attention_split},
                 {"launch", "decode", call_decode},
                 {"launch", "merge", call_merge},
                 {"event", "", call_event},
                 {"event", "wait", call_wait},
                 {"sync", "", call_sync},
                 {"sync", "idle", call_idle_sync},
                 {"graph_launch", "", call_graph},
                 {"nccl_group", "", call_nccl},
                 {"nccl_group", "all_reduce", call_all_reduce}};
    *call = NULL;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (!strcmp(p->op, calls[i].op) && !strcmp(p->variant, calls[i].variant))
            *call = calls[i].call;
    s->a = p->a;
    if (!*call)
        return rc_fail(err, RC_E_INTERNAL, "nothing measures %s %s", p->op, p->variant);
    if (*call == call_graph)
        return make_graph(s, p->a, err);
    return strcmp(p->op, "nccl_group") ? RC_OK : rc_nccl_self_open(&s->own, s->gpu, err);
}

static rc_status host_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                              rc_error *err) {
    host_suite *s = self;
    host_call call = NULL;
    double x[HOST_SAMPLES];
    RC_TRY(choose(s, p, &call, err));
    int calls = p->a > 16 ? 3 : p->a > 1 ? HOST_CALLS / 2 : HOST_CALLS;
    for (int i = -3; i < HOST_SAMPLES; i++) {
        double sum = 0, t = 0;
        for (int k = 0; k < calls; k++) {
            RC_TRY(call(s, &t, err));
            sum += t;
        }
        RC_CUDA(cudaStreamSynchronize(c->gpu.stream));
        if (i >= 0)
            x[i] = sum / calls;
    }
    rc_result_set(&m->r, x, HOST_SAMPLES);
    m->r.health = rc_nvml_read(c->gpu.nvml);
    rc_health_drop_stale(&m->r.health, 0);
    if (call == call_nccl || call == call_all_reduce)
        rc_nccl_version(m->nccl, sizeof m->nccl);
    return RC_OK;
}

const rc_suite rc_suite_host = {host_open, host_measure, host_close};
