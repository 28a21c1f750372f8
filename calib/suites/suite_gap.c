/* What lies between two kernels: in a graph where they differ, and launched one by one.
 *
 * The other suites replay copies of one kernel behind each other, and what they time holds the gap
 * between two of the same. In a layer a kernel follows another one: a norm follows a product, a
 * product follows SwiGLU. Each call here is a chain of small kernels, named by its variant in their
 * order:
 *
 *     norm             one kernel, as the other suites would time it
 *     norm+gemm        the first, then the second; the next call begins with the first again
 *     norm|send_recv   the first on one stream, the second on another one that waits for it by an
 *                      event; the next call waits for the second likewise
 *
 * The gap of a pair is the time of `x+y` less those of `x` and `y`: of both boundaries, x to y and
 * y to x, beyond the two of equal kernels. Sizes are as small as an ordinary launch of each kernel
 * allows, so that the gap is most of what is timed.
 *
 * A variant with the condition `@eagerN` is the same chain launched one by one, N calls behind each
 * other and all of them queued before the first begins: what it takes beyond the chain in a graph is
 * what the GPU needs to go from one launch to the next, whatever the host does meanwhile.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/cublaslt.h"
#include "calib/nccl_self.h"
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 16, WIDTH = 1024, HQ = 16, PARTS = 2, QUERIES = 128, KEYS = 256, BATCH = 8 };
enum { CONTEXT = 2048, MESSAGE_BYTES = 65536, BUFFER_BYTES = 8 << 20, LONGEST = 2 };

typedef struct gap_suite gap_suite;
typedef rc_status (*gap_kernel)(gap_suite *s, cudaStream_t stream, rc_error *err);

struct gap_suite {
    rc_gpu *gpu;
    rc_buffer in, out, workspace, lens;
    rc_cublaslt *lt;
    cudaStream_t other;
    cudaEvent_t there, back;
    rc_nccl_self own;
    gap_kernel chain[LONGEST]; /* of the point at hand */
    int length;
    bool fork; /* the second kernel is on the other stream */
};

static rc_status norm(gap_suite *s, cudaStream_t stream, rc_error *err) {
    return rc_kernel_check(err,
                           rc_rmsnorm(s->out.p, s->in.p, s->in.p, s->out.p + BUFFER_BYTES / 2,
                                      TOKENS, WIDTH, 1e-5f, stream),
                           "rc_rmsnorm");
}

static rc_status rotary(gap_suite *s, cudaStream_t stream, rc_error *err) {
    return rc_kernel_check(err,
                           rc_rotary_kv(s->in.p, s->out.p, s->out.p + BUFFER_BYTES / 4,
                                        s->out.p + BUFFER_BYTES / 2, TOKENS, 0, HQ, 1, 5e5f,
                                        stream),
                           "rc_rotary_kv");
}

static rc_status swiglu(gap_suite *s, cudaStream_t stream, rc_error *err) {
    return rc_kernel_check(err, rc_swiglu(s->in.p, s->out.p, TOKENS, WIDTH, stream), "rc_swiglu");
}

static rc_status merge(gap_suite *s, cudaStream_t stream, rc_error *err) {
    const void *o[PARTS] = {s->in.p, s->in.p};
    const float *sums = (const float *)(const void *)s->in.p;
    const float *lse[PARTS] = {sums, sums};
    return rc_kernel_check(
        err, rc_merge(o, lse, PARTS, (int64_t)TOKENS * HQ, s->out.p, NULL, 0, stream), "rc_merge");
}

static rc_attn_args attention_args(const gap_suite *s) {
    return (rc_attn_args){.q = s->in.p,
                          .k = s->in.p,
                          .v = s->in.p,
                          .o = s->out.p,
                          .tq = QUERIES,
                          .tk = KEYS,
                          .hq = HQ,
                          .hkv = 1,
                          .splits = 1,
                          .workspace = s->workspace.p};
}

static rc_status attention(gap_suite *s, cudaStream_t stream, rc_error *err) {
    rc_attn_args a = attention_args(s);
    return rc_kernel_check(err, rc_attn_forward(&a, stream), "rc_attn_forward");
}

static rc_decode_args decode_args(const gap_suite *s) {
    return (rc_decode_args){.q = s->in.p,
                            .k = s->in.p,
                            .v = s->in.p,
                            .lens = (const int32_t *)(const void *)s->lens.p,
                            .o = s->out.p,
                            .batch = BATCH,
                            .max_len = CONTEXT,
                            .hq = HQ,
                            .hkv = 1,
                            .workspace = s->workspace.p};
}

static rc_status decode(gap_suite *s, cudaStream_t stream, rc_error *err) {
    rc_decode_args a = decode_args(s);
    return rc_kernel_check(err, rc_decode_forward(&a, stream), "rc_decode_forward");
}

static rc_status gemm(gap_suite *s, cudaStream_t stream, rc_error *err) {
    return rc_cublaslt_run(s->lt, TOKENS, WIDTH, WIDTH, 0, s->in.p, s->in.p, s->out.p, stream, err);
}

static rc_status copy(gap_suite *s, cudaStream_t stream, rc_error *err) {
    RC_CUDA(cudaMemcpyAsync(s->out.p, s->in.p, MESSAGE_BYTES, cudaMemcpyDeviceToDevice, stream));
    return RC_OK;
}

static rc_status clear(gap_suite *s, cudaStream_t stream, rc_error *err) {
    RC_CUDA(cudaMemsetAsync(s->out.p, 0, 1024, stream));
    return RC_OK;
}

static rc_status send_recv(gap_suite *s, cudaStream_t stream, rc_error *err) {
    return rc_nccl_self_send(&s->own, s->in.p, s->out.p, MESSAGE_BYTES, 1, stream, err);
}

static const struct {
    const char *name;
    gap_kernel kernel;
} kernels[] = {{"norm", norm},           {"rotary", rotary}, {"swiglu", swiglu},
               {"attention", attention}, {"decode", decode}, {"merge", merge},
               {"gemm", gemm},           {"copy", copy},     {"clear", clear},
               {"send_recv", send_recv}};

/* ---- one call -------------------------------------------------------------------------------- */

static rc_status gap_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    gap_suite *s = self;
    (void)slot;
    RC_TRY(s->chain[0](s, stream, err));
    if (s->length == 1)
        return RC_OK;
    if (!s->fork)
        return s->chain[1](s, stream, err);
    RC_CUDA(cudaEventRecord(s->there, stream));
    RC_CUDA(cudaStreamWaitEvent(s->other, s->there, 0));
    RC_TRY(s->chain[1](s, s->other, err));
    RC_CUDA(cudaEventRecord(s->back, s->other));
    RC_CUDA(cudaStreamWaitEvent(stream, s->back, 0));
    return RC_OK;
}

static rc_status choose(gap_suite *s, const char *variant, rc_error *err) {
    s->fork = strchr(variant, '|') != NULL;
    s->length = 0;
    for (const char *at = variant; *at;) {
        size_t n = strcspn(at, "+|");
        gap_kernel found = NULL;
        for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
            if (strlen(kernels[i].name) == n && !strncmp(kernels[i].name, at, n))
                found = kernels[i].kernel;
        if (!found || s->length == LONGEST)
            return rc_fail(err, RC_E_INTERNAL, "nothing measures a gap of %s", variant);
        if (found == send_recv)
            RC_TRY(rc_nccl_self_open(&s->own, s->gpu, err));
        s->chain[s->length++] = found;
        at += at[n] ? n + 1 : n;
    }
    assert(s->length >= 1);
    return RC_OK;
}

/* ---- suite ----------------------------------------------------------------------------------- */

static void gap_close(void *self) {
    gap_suite *s = self;
    if (!s)
        return;
    rc_nccl_self_close(&s->own);
    if (s->there)
        (void)cudaEventDestroy(s->there);
    if (s->back)
        (void)cudaEventDestroy(s->back);
    if (s->other)
        (void)cudaStreamDestroy(s->other);
    rc_cublaslt_close(s->lt);
    rc_buffer *const pools[] = {&s->in, &s->out, &s->workspace, &s->lens};
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        rc_buffer_free(pools[i]);
    free(s);
}

static rc_status prepare(rc_calib *c, gap_suite *s, rc_error *err) {
    int32_t lens[BATCH];
    RC_TRY(rc_buffer_reserve(&s->in, BUFFER_BYTES, err));
    RC_TRY(rc_buffer_reserve(&s->out, BUFFER_BYTES, err));
    RC_TRY(rc_buffer_reserve(&s->lens, sizeof lens, err));
    RC_TRY(rc_buffer_fill_bf16(&c->gpu, &s->in, c->opt->seed, err));
    RC_TRY(rc_buffer_fill_bf16(&c->gpu, &s->out, c->opt->seed + 1, err));
    for (int i = 0; i < BATCH; i++)
        lens[i] = CONTEXT;
    RC_CUDA(cudaMemcpy(s->lens.p, lens, sizeof lens, cudaMemcpyHostToDevice));
    rc_attn_args a = attention_args(s);
    rc_decode_args d = decode_args(s);
    RC_TRY(rc_buffer_reserve(&s->workspace, rc_attn_workspace(&a), err));
    RC_TRY(rc_buffer_reserve(&s->workspace, rc_decode_workspace(&d), err));
    RC_CUDA(cudaStreamCreateWithFlags(&s->other, cudaStreamNonBlocking));
    RC_CUDA(cudaEventCreateWithFlags(&s->there, cudaEventDisableTiming));
    RC_CUDA(cudaEventCreateWithFlags(&s->back, cudaEventDisableTiming));
    RC_TRY(rc_cublaslt_open(&s->lt, err));
    return rc_cublaslt_plan(s->lt, TOKENS, WIDTH, WIDTH, 0, s->in.p, s->in.p, s->out.p,
                            c->gpu.stream, err);
}

static rc_status gap_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    (void)points;
    gap_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    s->gpu = &c->gpu;
    rc_status st = prepare(c, s, err);
    if (st != RC_OK) {
        gap_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

static rc_status gap_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                             rc_error *err) {
    gap_suite *s = self;
    RC_TRY(choose(s, p->variant, err));
    rc_bench_op op = {gap_launch, s, 2.0 * BUFFER_BYTES, 1};
    if (p->cond)
        RC_TRY(rc_bench_eager(&c->bench, &op, (int)p->value, &m->r, err));
    else
        RC_TRY(rc_bench_run(&c->bench, &op, &m->r, err));
    if (strstr(p->variant, "send_recv"))
        rc_nccl_version(m->nccl, sizeof m->nccl);
    return RC_OK;
}

const rc_suite rc_suite_gap = {gap_open, gap_measure, gap_close};
