/* What the host pays: the time a call keeps the issuing thread, by the monotonic clock.
 *
 *   launch          rc_residual_add on eight numbers, asynchronous
 *   graph_launch    cudaGraphLaunch of a graph of `a` such kernels
 *   event           cudaEventRecord
 *   sync            cudaStreamSynchronize right after such a launch: what a host waits beyond the
 * launch sync, idle      cudaStreamSynchronize with nothing pending nccl_group      ncclGroupStart,
 * ncclSend, ncclRecv, ncclGroupEnd to itself (a communicator of one)
 *
 * A sample is the mean of a short run of calls, short enough that the launch queue (about a
 * thousand entries) never fills; between samples the stream is drained, untimed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/nccl.h"
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

enum { HOST_SAMPLES = 60, HOST_CALLS = 50, MESSAGE_BYTES = 65536 };

typedef struct host_suite {
    rc_gpu *gpu;
    rc_pool buf;
    cudaEvent_t event;
    cudaGraphExec_t graph;
#ifdef RC_HAVE_NCCL
    const rc_nccl *nccl;
    ncclComm_t comm;
#endif
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

static rc_status call_nccl(host_suite *s, double *seconds, rc_error *err) {
#ifdef RC_HAVE_NCCL
    void *to = s->buf.p, *from = s->buf.p + MESSAGE_BYTES;
    double t = rc_now();
    RC_NCCL(s->nccl, group_start());
    RC_NCCL(s->nccl, send(to, MESSAGE_BYTES, ncclInt8, 0, s->comm, s->gpu->stream));
    RC_NCCL(s->nccl, recv(from, MESSAGE_BYTES, ncclInt8, 0, s->comm, s->gpu->stream));
    RC_NCCL(s->nccl, group_end());
    *seconds = rc_now() - t;
    return RC_OK;
#else
    (void)s;
    (void)seconds;
    return rc_fail(err, RC_E_UNMODELLED, "built without NCCL");
#endif
}

/* ---- suite ---------------------------------------------------------------------------------- */

static void host_close(void *self) {
    host_suite *s = self;
    if (!s)
        return;
#ifdef RC_HAVE_NCCL
    if (s->comm)
        (void)s->nccl->comm_destroy(s->comm);
#endif
    if (s->event)
        (void)cudaEventDestroy(s->event);
    if (s->graph)
        (void)cudaGraphExecDestroy(s->graph);
    rc_pool_free(&s->buf);
    free(s);
}

static rc_status prepare(rc_calib *c, host_suite *s, rc_error *err) {
    RC_TRY(rc_pool_reserve(&s->buf, 2 * MESSAGE_BYTES, err));
    RC_TRY(rc_pool_fill_bf16(&c->gpu, &s->buf, c->opt->seed, err));
    RC_CUDA(cudaEventCreateWithFlags(&s->event, cudaEventDisableTiming));
    return RC_OK;
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

static rc_status make_comm(host_suite *s, rc_error *err) {
#ifdef RC_HAVE_NCCL
    s->nccl = rc_nccl_load(err);
    if (!s->nccl)
        return RC_E_UNMODELLED;
    if (!s->comm)
        RC_NCCL(s->nccl, comm_init_all(&s->comm, 1, &s->gpu->device));
    return RC_OK;
#else
    (void)s;
    return rc_fail(err, RC_E_UNMODELLED, "built without NCCL");
#endif
}

static rc_status choose(host_suite *s, const rc_point *p, host_call *call, rc_error *err) {
    *call = NULL;
    if (!strcmp(p->op, "launch"))
        *call = call_launch;
    else if (!strcmp(p->op, "event"))
        *call = call_event;
    else if (!strcmp(p->op, "sync"))
        *call = strcmp(p->variant, "idle") ? call_sync : call_idle_sync;
    if (*call)
        return RC_OK;
    if (!strcmp(p->op, "graph_launch")) {
        *call = call_graph;
        return make_graph(s, p->a, err);
    }
    *call = call_nccl;
    return make_comm(s, err);
}

static rc_status host_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                              rc_error *err) {
    host_suite *s = self;
    host_call call = NULL;
    double x[HOST_SAMPLES];
    RC_TRY(choose(s, p, &call, err));
    int calls = p->a > 16 ? 3 : HOST_CALLS;
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
    rc_health_settle(&m->r.health, 0);
    if (call == call_nccl)
        rc_nccl_version(m->nccl, sizeof m->nccl);
    return RC_OK;
}

const rc_suite rc_suite_host = {host_open, host_measure, host_close};
