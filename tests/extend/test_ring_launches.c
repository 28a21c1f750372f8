/* What `ringcast-calib ring` launches and what the schedules of a forecast emit are the same list:
 * for every rank, stream and op in order, with sizes and peers. The calibrator's own code runs over a
 * CUDA and an NCCL that only write down what they are asked for, so no GPU is needed.
 *
 * What an op reads and writes lies in memory that was asked for.
 *
 * Left out of the list is the clearing of two counters (8 bytes) before attention that gives way.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calib/ring/ring_layers.h"
#include "kernels/kernels.h"
#include "sim/schedule/schedule.h"
#include "sim/validate/validate.h"

enum { OPS = 512, TEXT = 160, STREAM_COMPUTE = 1, STREAM_COMM = 2 };

/* The ops of one stream, in order. */
typedef struct ops {
    char text[OPS][TEXT];
    size_t n;
} ops;

static ops run[2], forecast[2]; /* on the stream of the compute and on that of messages */
static bool recording;
static char sends[RC_RING_MAX_RANKS][TEXT]; /* of the NCCL group that is open, by peer */

__attribute__((format(printf, 2, 3))) static void add(ops *o, const char *format, ...) {
    va_list args;
    assert_true(o->n < OPS);
    va_start(args, format);
    (void)vsnprintf(o->text[o->n++], TEXT, format, args);
    va_end(args);
}

static ops *of(const void *stream) {
    uintptr_t which = (uintptr_t)stream;
    assert_true(which == STREAM_COMPUTE || which == STREAM_COMM);
    return &run[which - 1];
}

/* ---- what records ---------------------------------------------------------------------------- */

enum { ROOMS = 512 };
/* The GPU's addresses are far from all of the host's, so that a wrong one is still told from those. */
static const uintptr_t gpu_from = (uintptr_t)1 << 39, first_address = (uintptr_t)1 << 40,
                       gpu_to = (uintptr_t)1 << 41;
static uintptr_t next_address = (uintptr_t)1 << 40;
static struct {
    uintptr_t at;
    size_t bytes;
} room[ROOMS]; /* memory of the GPU that was asked for */
static size_t rooms;

static size_t memory = SIZE_MAX; /* of the GPU, left */
static cudaError_t refusal = cudaErrorMemoryAllocation;

cudaError_t cudaMalloc(void **p, size_t bytes) {
    assert_true(rooms < ROOMS);
    if (bytes > memory)
        return refusal;
    memory -= bytes;
    room[rooms].at = next_address;
    room[rooms++].bytes = bytes;
    *p = (void *)next_address;
    next_address += (bytes + 255) / 256 * 256 + 256;
    return cudaSuccess;
}

/* Whatever an op reads or writes lies in memory that was asked for. The host's is not looked at. */
static void lies_within(const char *what, const void *p, size_t bytes) {
    const uintptr_t at = (uintptr_t)p;
    if (at < gpu_from || at >= gpu_to)
        return;
    for (size_t i = 0; i < rooms; i++)
        if (at >= room[i].at && at - room[i].at + bytes <= room[i].bytes)
            return;
    fail_msg("%s: %zu bytes are not in one piece of memory", what, bytes);
}

static size_t of_bf16(int64_t rows, int64_t columns) {
    return 2 * (size_t)rows * (size_t)columns;
}

static void gemm_lies_within(int64_t m, int64_t n, int64_t k, const void *x, const void *w,
                             const void *y) {
    lies_within("x of a product", x, of_bf16(m, k));
    lies_within("weights of a product", w, of_bf16(n, k));
    lies_within("y of a product", y, of_bf16(m, n));
}

cudaError_t cudaFree(void *p) {
    (void)p;
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void) {
    return cudaSuccess;
}

cudaError_t cudaMemset(void *p, int value, size_t bytes) {
    (void)value;
    lies_within("clear", p, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream) {
    (void)value, (void)stream;
    lies_within("clear", p, bytes);
    assert_true(!recording || bytes == RC_ATTN_TICKET_BYTES);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
    (void)kind;
    lies_within("copy to", to, bytes);
    lies_within("copy from", from, bytes);
    return cudaSuccess;
}

/* Pieces of memory, in the order in which they were written or read. */
typedef struct pieces_of {
    struct {
        uintptr_t at;
        size_t bytes;
    } v[1024];
    size_t n;
} pieces_of;
static pieces_of brought,
    sent; /* what messages and copies beside them bring, and what messages take away */

static void note_piece(pieces_of *o, const void *at, size_t bytes) {
    if (!recording || o->n == sizeof o->v / sizeof o->v[0])
        return;
    o->v[o->n].at = (uintptr_t)at;
    o->v[o->n++].bytes = bytes;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    (void)kind;
    lies_within("copy to", to, bytes);
    lies_within("copy from", from, bytes);
    if (recording)
        add(of(stream), "copy %zu", bytes);
    if ((uintptr_t)stream == STREAM_COMM)
        note_piece(&brought, to, bytes);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event) {
    *event = NULL;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    (void)event;
    return cudaSuccess;
}

/* Streams that there are, and no others. */
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    (void)event, (void)of(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
    (void)of(stream), (void)event, (void)flags;
    return cudaSuccess;
}

int rc_fill_normal(void *x, int64_t n, uint64_t seed, float sigma, void *stream) {
    (void)seed, (void)sigma, (void)stream;
    lies_within("what is filled", x, of_bf16(n, 1));
    return 0;
}

int rc_rmsnorm(void *residual, const void *x, const void *w, void *y, int64_t t, int d, float eps,
               void *stream) {
    (void)eps;
    lies_within("residual", residual, of_bf16(t, d));
    lies_within("x of a norm", x, of_bf16(t, d));
    lies_within("weights of a norm", w, of_bf16(d, 1));
    lies_within("y of a norm", y, of_bf16(t, d));
    /* Without anything to add it moves as many bytes as one of half the width. */
    add(of(stream), "rmsnorm %lld x %d", (long long)t, x == NULL ? d / 2 : d);
    return 0;
}

static struct {
    int64_t first, n;
    const void *q;
} turned[64]; /* rotary embeddings of the pass: positions, and where the queries go */
static size_t turns;

int rc_rotary_kv(const void *qkv, void *q_out, void *k_cache, void *v_cache, int64_t t,
                 int64_t pos0, int hq, int hkv, float theta, void *stream) {
    const uintptr_t row = of_bf16(1, 128 * (int64_t)hkv),
                    shift = (uintptr_t)pos0 * row; /* rows from pos0 on */
    (void)theta;
    lies_within("qkv", qkv, of_bf16(t, 128 * (int64_t)(hq + 2 * hkv)));
    lies_within("queries", q_out, of_bf16(t, 128 * (int64_t)hq));
    lies_within("rotated keys", (void *)((uintptr_t)k_cache + shift),
                of_bf16(t, 128 * (int64_t)hkv));
    lies_within("rotated values", (void *)((uintptr_t)v_cache + shift),
                of_bf16(t, 128 * (int64_t)hkv));
    if (recording && turns < sizeof turned / sizeof turned[0]) {
        turned[turns].first = pos0;
        turned[turns].n = t;
        turned[turns++].q = q_out;
    }
    add(of(stream), "rotary_kv %lld, heads %d/%d", (long long)t, hq, hkv);
    return 0;
}

int rc_swiglu(const void *gate_up, void *y, int64_t t, int f, void *stream) {
    lies_within("gate and up", gate_up, of_bf16(t, 2 * (int64_t)f));
    lies_within("y of swiglu", y, of_bf16(t, f));
    add(of(stream), "swiglu %lld x %d", (long long)t, f);
    return 0;
}

int rc_residual_add(void *x, const void *y, int64_t n, void *stream) {
    (void)x, (void)y, (void)n, (void)stream;
    fail_msg("an all-reduce of virtual ranks");
    return 0;
}

int rc_merge(const void *const *o_part, const float *const *lse_part, int n, int64_t rows, void *o,
             float *lse, int sms, void *stream) {
    (void)sms;
    for (int i = 0; i < n; i++) {
        lies_within("a part", o_part[i], of_bf16(rows, 128));
        lies_within("log-sum-exp of a part", lse_part[i], (size_t)rows * sizeof(float));
    }
    lies_within("merged", o, of_bf16(rows, 128));
    lies_within("log-sum-exp", lse, (size_t)rows * sizeof(float));
    add(of(stream), "merge %lld of %d", (long long)rows, n);
    return 0;
}

/* As the kernels' own: it grows with the rows, and with SMs kept free. */
size_t rc_attn_workspace(const rc_attn_args *a) {
    return (size_t)(64 * a->tq + 16 * a->tk + (a->sms > 0 ? 4096 : 0)) * (size_t)a->hq;
}

size_t rc_decode_workspace(const rc_decode_args *a) {
    return (size_t)(a->batch * a->hq) * 1024;
}

static void attention(ops *o, int hq, int hkv, const rc_call *calls, int n) {
    char text[TEXT] = "";
    for (int i = 0; i < n; i++) {
        size_t at = strlen(text);
        (void)snprintf(text + at, sizeof text - at, ", %lld x %lld%s", (long long)calls[i].tq,
                       (long long)calls[i].tk, calls[i].causal ? " causal" : "");
    }
    add(o, "attention %d/%d%s", hq, hkv, text);
}

int rc_attn_forward(const rc_attn_args *a, void *stream) {
    rc_call calls[RC_ATTN_MAX_SEQS] = {{a->tq, a->tk, a->causal}};
    for (int i = 0; i < a->seqs; i++)
        calls[i] = (rc_call){a->q_len[i], a->k_len[i], a->causal};
    lies_within("queries", a->q, of_bf16(a->tq, 128 * (int64_t)a->hq));
    lies_within("keys", a->k, of_bf16(a->tk, 128 * (int64_t)a->hkv));
    lies_within("values", a->v, of_bf16(a->tk, 128 * (int64_t)a->hkv));
    lies_within("output", a->o, of_bf16(a->tq, 128 * (int64_t)a->hq));
    lies_within("log-sum-exp", a->lse, (size_t)(a->tq * a->hq) * sizeof(float));
    lies_within("room of attention", a->workspace, rc_attn_workspace(a));
    for (int i = 0; i < a->seqs; i++) {
        assert_true(a->q_start[i] >= 0 && a->q_start[i] + a->q_len[i] <= a->tq);
        assert_true(a->k_start[i] >= 0 && a->k_start[i] + a->k_len[i] <= a->tk);
    }
    attention(of(stream), a->hq, a->hkv, calls, a->seqs > 0 ? a->seqs : 1);
    return 0;
}

/* The contexts are filled in by ring_layers.c: all as long as the room for one. */
int rc_decode_forward(const rc_decode_args *a, void *stream) {
    lies_within("queries", a->q, of_bf16(a->batch, 128 * (int64_t)a->hq));
    lies_within("keys", a->k, of_bf16(a->batch * a->max_len, 128 * (int64_t)a->hkv));
    lies_within("values", a->v, of_bf16(a->batch * a->max_len, 128 * (int64_t)a->hkv));
    lies_within("lengths", a->lens, (size_t)a->batch * sizeof(int32_t));
    lies_within("output", a->o, of_bf16(a->batch, 128 * (int64_t)a->hq));
    lies_within("log-sum-exp", a->lse, (size_t)(a->batch * a->hq) * sizeof(float));
    lies_within("room of a step", a->workspace, rc_decode_workspace(a));
    add(of(stream), "decode %d x %lld, heads %d/%d", a->batch, (long long)a->max_len, a->hq,
        a->hkv);
    return 0;
}

rc_status rc_cublaslt_plan(rc_cublaslt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                           const void *w, void *y, cudaStream_t stream, rc_error *err) {
    (void)lt, (void)sms, (void)stream, (void)err;
    gemm_lies_within(m, n, k, x, w, y);
    return RC_OK;
}

rc_status rc_cublaslt_run(rc_cublaslt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                          const void *w, void *y, cudaStream_t stream, rc_error *err) {
    (void)lt, (void)sms, (void)err;
    gemm_lies_within(m, n, k, x, w, y);
    add(of(stream), "gemm %lld x %lld x %lld", (long long)m, (long long)n, (long long)k);
    return RC_OK;
}

rc_status rc_kernel_check(rc_error *err, int code, const char *what) {
    return code == 0 ? RC_OK : rc_fail(err, RC_E_INTERNAL, "%s: %d", what, code);
}

rc_status rc_cuda_fail(rc_error *err, cudaError_t e, const char *call, const char *file, int line) {
    return rc_fail(err, RC_E_INTERNAL, "%s: %d at %s:%d", call, (int)e, file, line);
}

rc_status rc_nccl_fail(const rc_nccl *n, rc_error *err, ncclResult_t r, const char *call,
                       int line) {
    (void)n;
    return rc_fail(err, RC_E_INTERNAL, "%s: %d at %d", call, (int)r, line);
}

rc_status rc_ring_synchronize(rc_ring_ranks *g, rc_error *err) {
    (void)g, (void)err;
    return RC_OK;
}

static ncclResult_t open_group(void) {
    memset(sends, 0, sizeof sends);
    return ncclSuccess;
}

static void put_sends(ops *o, char (*to)[TEXT]) {
    char text[TEXT] = "";
    for (int peer = 0; peer < RC_RING_MAX_RANKS; peer++)
        if (to[peer][0]) {
            size_t at = strlen(text);
            (void)snprintf(text + at, sizeof text - at, " to %d:%s", peer, to[peer]);
        }
    add(o, "send%s", text);
}

static ncclResult_t close_group(void) {
    put_sends(&run[STREAM_COMM - 1], sends);
    return ncclSuccess;
}

static void put_bytes(char *to, size_t bytes) {
    size_t at = strlen(to);
    (void)snprintf(to + at, TEXT - at, " %zu", bytes);
}

static ncclResult_t send(const void *data, size_t count, ncclDataType_t type, int peer,
                         ncclComm_t comm, cudaStream_t stream) {
    (void)comm;
    lies_within("what is sent", data, count);
    assert_true(type == ncclInt8 && (uintptr_t)stream == STREAM_COMM);
    put_bytes(sends[peer], count);
    note_piece(&sent, data, count);
    return ncclSuccess;
}

static ncclResult_t receive(void *data, size_t count, ncclDataType_t type, int peer,
                            ncclComm_t comm, cudaStream_t stream) {
    (void)type, (void)peer, (void)comm, (void)stream;
    lies_within("what is received", data, count);
    note_piece(&brought, data, count);
    return ncclSuccess;
}

static ncclResult_t all_reduce(const void *from, void *to, size_t count, ncclDataType_t type,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
    (void)op, (void)comm;
    assert_true(type == ncclBfloat16);
    lies_within("what is summed", from, of_bf16((int64_t)count, 1));
    lies_within("the sum", to, of_bf16((int64_t)count, 1));
    add(of(stream), "all_reduce %zu", 2 * count);
    return ncclSuccess;
}

static const rc_nccl nccl = {.group_start = open_group,
                             .group_end = close_group,
                             .send = send,
                             .recv = receive,
                             .all_reduce = all_reduce};

/* ---- the run --------------------------------------------------------------------------------- */

static void record_run(const rc_ring_case *c, int world) {
    static rc_ring_layers layers;
    static rc_ring_ranks ranks;
    rc_error err = {0};
    memset(&ranks, 0, sizeof ranks);
    ranks = (rc_ring_ranks){.cp = c->cp, .tp = c->tp, .local = 1, .nccl = &nccl};
    ranks.r[0] = (rc_ring_rank){.world = world,
                                .cp = world / c->tp,
                                .tp = world % c->tp,
                                .compute = (cudaStream_t)(uintptr_t)STREAM_COMPUTE,
                                .comm = (cudaStream_t)(uintptr_t)STREAM_COMM};
    run[0].n = run[1].n = 0;
    rooms = turns = brought.n = sent.n = 0;
    next_address = first_address;
    if (rc_ring_layers_open(&layers, &ranks, c, 1, &err) != RC_OK)
        fail_msg("%s", err.msg);
    run[0].n = run[1].n = 0;
    recording = true;
    if (rc_ring_pass(&layers, &err) != RC_OK)
        fail_msg("%s", err.msg);
    recording = false;
    rc_ring_layers_close(&layers);
    rc_ring_layers_close(&layers); /* nothing is left */
}

/* ---- the forecast ---------------------------------------------------------------------------- */

static void list_copies(ops *o, const rc_shape *s) {
    const int64_t piece[] = {s->a, s->b, s->c};
    for (int which = 0; which < 2; which++)
        for (int i = 0; i < 3; i++)
            if (piece[i] > 0)
                add(o, "copy %lld", (long long)piece[i]);
}

static void list_message(ops *o, const rc_shape *s, int peer) {
    const int64_t piece[] = {s->a, s->b, s->c};
    char to[RC_RING_MAX_RANKS][TEXT] = {""};
    if (s->a + s->b + s->c == 0)
        put_bytes(to[peer], (size_t)s->bytes);
    for (int which = 0; which < 2; which++)
        for (int i = 0; i < 3; i++)
            if (piece[i] > 0)
                put_bytes(to[peer], (size_t)piece[i]);
    put_sends(o, to);
}

/* To every other rank outputs, of 128 elements of 2 bytes a head, and sums of 4 bytes. */
static void list_return(ops *o, const rc_shape *s, int me) {
    char to[RC_RING_MAX_RANKS][TEXT] = {""};
    for (int peer = 0; peer < s->ranks; peer++) {
        size_t part = (size_t)(s->bytes / s->ranks);
        if (peer == me)
            continue;
        put_bytes(to[peer], part / 260 * 256);
        put_bytes(to[peer], part / 260 * 4);
    }
    put_sends(o, to);
}

static void list_elementwise(ops *o, const rc_shape *s) {
    if (strcmp(s->op, "rotary_kv") != 0) {
        add(o, "%s %lld x %lld", s->op, (long long)s->a, (long long)s->b);
        return;
    }
    for (int64_t i = 0, n = s->c > 1 ? s->c : 1; i < n; i++)
        add(o, "rotary_kv %lld, heads %d/%d", (long long)(s->a / n), s->hq, s->hkv);
}

static void list_task(ops *o, const rc_program *p, const rc_task *t, int me) {
    const rc_shape *s = &p->shapes[t->shape];
    switch (s->kind) {
    case RC_T_GEMM:
        add(o, "gemm %lld x %lld x %lld", (long long)s->a, (long long)s->b, (long long)s->c);
        break;
    case RC_T_ATTENTION:
        attention(o, s->hq, s->hkv, &p->calls[s->first_call], (int)s->calls);
        break;
    case RC_T_DECODE:
        add(o, "decode %lld x %lld, heads %d/%d", (long long)s->a, (long long)s->b, s->hq, s->hkv);
        break;
    case RC_T_MERGE:
        add(o, "merge %lld of %lld", (long long)s->a, (long long)s->b);
        break;
    case RC_T_ELEMENTWISE:
        list_elementwise(o, s);
        break;
    case RC_T_COPY:
        list_copies(o, s);
        break;
    case RC_T_MESSAGE:
        list_message(o, s, (int)(t->peer / p->gpus_per_rank));
        break;
    case RC_T_COLLECTIVE:
        if (strcmp(s->op, "all_to_all") == 0)
            list_return(o, s, me);
        else
            add(o, "%s %.0f", s->op, s->bytes);
        break;
    default:
        fail_msg("a task of kind %d", (int)s->kind);
    }
}

static const rc_schedule *schedule_of(const rc_ring_case *c) {
    static const char *const names[RC_RING_SCHEDULES] = {"pass-kv", "pass-q", "all-gather-kv",
                                                         "tp",      "pass-q", "tp"};
    return rc_schedule_named(names[c->schedule]);
}

static void build_forecast(const rc_ring_case *c, rc_model *m, rc_program *p) {
    static rc_sequence seqs[64];
    rc_error err = {0};
    *m = (rc_model){.hidden = c->width, .layers = c->layers, .vocab = 1024, .kinds = 1};
    m->kind[0] = (rc_layer_kind){.form = "dense",
                                 .heads = c->hq * c->tp,
                                 .kv_heads = c->hkv * c->tp,
                                 .head_dim = 128,
                                 .value_dim = 128,
                                 .ffn = c->ffn * c->tp};
    for (int64_t i = 0; i < c->batch; i++)
        seqs[i] = rc_run_sequence(rc_ring_is_decode(c), c->t, c->p);
    rc_request rq = {.model = m,
                     .schedule = schedule_of(c),
                     .layout = {.tp = c->tp,
                                .cp = c->cp,
                                .attn_weights = RC_BF16,
                                .ffn_weights = RC_BF16,
                                .act = RC_BF16,
                                .kv = RC_BF16},
                     .nodes_per_rank = 1,
                     .ranks_per_node = 8 / c->tp,
                     .phase = rc_ring_is_decode(c) ? RC_DECODE : RC_PREFILL,
                     .seqs = seqs,
                     .seq_count = (size_t)c->batch,
                     .rotary_by_chunk = true,
                     .plain_first_norm = true,
                     .unfold_tp = true};
    if (rc_schedule_build(&rq, p, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

static void list_forecast(const rc_program *p, int world, int cp_index) {
    forecast[0].n = forecast[1].n = 0;
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        if (t->gpu != (uint32_t)world)
            continue;
        assert_true(t->lane == RC_LANE_COMPUTE || t->lane == RC_LANE_COMM);
        list_task(&forecast[t->lane == RC_LANE_COMM], p, t, cp_index);
    }
}

/* ---- beside each other ----------------------------------------------------------------------- */

static void compare(const rc_ring_case *c) {
    static const char *const streams[] = {"compute", "messages"};
    rc_model model;
    rc_program p;
    build_forecast(c, &model, &p);
    for (int world = 0; world < c->cp * c->tp; world++) {
        record_run(c, world);
        list_forecast(&p, world, world / c->tp);
        for (int k = 0; k < 2; k++) {
            size_t n = run[k].n < forecast[k].n ? run[k].n : forecast[k].n;
            for (size_t i = 0; i < n; i++)
                if (strcmp(run[k].text[i], forecast[k].text[i]) != 0)
                    fail_msg("%s, rank %d, %s, op %zu: runs \"%s\", forecast \"%s\"", c->name,
                             world, streams[k], i, run[k].text[i], forecast[k].text[i]);
            if (run[k].n != forecast[k].n)
                fail_msg("%s, rank %d, %s: %zu ops are run, %zu forecast", c->name, world,
                         streams[k], run[k].n, forecast[k].n);
        }
        assert_true(run[0].n > 0 && (c->cp > 1) == (run[1].n > 0));
    }
    rc_program_free(&p);
}

static rc_ring_case shape(const char *name, rc_ring_schedule schedule, int cp, int tp) {
    rc_ring_case c = {.schedule = schedule,
                      .cp = cp,
                      .tp = tp,
                      .t = 4096,
                      .batch = 1,
                      .hq = 8,
                      .hkv = 2,
                      .width = 4096,
                      .ffn = 7168,
                      .layers = 3,
                      .graph = true};
    (void)snprintf(c.name, sizeof c.name, "%s, %d x %d", name, cp, tp);
    return c;
}

static const int splits[][2] = {{2, 1}, {4, 1}, {2, 2}, {4, 2}, {8, 1}};
enum { SPLITS = sizeof splits / sizeof splits[0] };

static void test_prefill(void **state) {
    (void)state;
    static const char *const names[] = {"pass-kv", "pass-q", "all-gather-kv"};
    for (int s = RC_RING_PASS_KV; s <= RC_RING_ALL_GATHER; s++)
        for (int i = 0; i < SPLITS; i++) {
            rc_ring_case c = shape(names[s], (rc_ring_schedule)s, splits[i][0], splits[i][1]);
            compare(&c);
            c.p = 8192; /* behind cached tokens */
            compare(&c);
            c.sms = 124;
            c.graph = false;
            compare(&c);
        }
}

/* Positions of the new tokens: each once over all ranks, in every layer; a rank has the chunk of its number and the one as far
 * from the end, so that all see as many keys; a step's token stands behind the cached ones. */
static void test_positions(void **state) {
    (void)state;
    for (int cp = 1; cp <= 8; cp *= 2) {
        rc_ring_case c = shape("positions", cp == 1 ? RC_RING_TP : RC_RING_PASS_KV, cp, 1);
        const int64_t chunk = cp > 1 ? c.t / (2 * cp) : c.t;
        c.p = 8192;
        for (int rank = 0; rank < cp; rank++) {
            const size_t each = cp > 1 ? 2 : 1;
            record_run(&c, rank);
            assert_int_equal(turns, each * (size_t)c.layers);
            for (size_t i = 0; i < turns; i++) {
                int64_t number = i % each == 0 ? rank : 2 * cp - 1 - rank;
                assert_int_equal(turned[i].n, chunk);
                assert_int_equal(turned[i].first, c.p + number * chunk);
                if (i % each == 1) /* behind the first one's queries */
                    assert_int_equal((uintptr_t)turned[i].q - (uintptr_t)turned[i - 1].q,
                                     of_bf16(chunk, 128 * (int64_t)c.hq));
            }
        }
    }
    rc_ring_case step = shape("a step", RC_RING_DECODE_PASS_Q, 2, 1);
    step.t = 1, step.p = 8192, step.batch = 16;
    record_run(&step, 1);
    assert_true(turns > 0);
    for (size_t i = 0; i < turns; i++)
        assert_int_equal(turned[i].first, step.p);
}

static int by_address(const void *a, const void *b) {
    const uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

/* All keys and values are gathered: in every layer the rank's own pieces and those that come fill one memory from end to end, each
 * once, and what is handed on is a piece that it has. */
static void test_gathered(void **state) {
    (void)state;
    for (int cp = 2; cp <= 4; cp *= 2)
        for (int rank = 0; rank < cp; rank++) {
            rc_ring_case c = shape("gathered", RC_RING_ALL_GATHER, cp, 1);
            c.p = 8192;
            record_run(&c, rank);
            const size_t layers = (size_t)c.layers, each = brought.n / layers,
                         all = of_bf16(2 * (c.t + c.p), 128 * (int64_t)c.hkv);
            assert_true(each * layers == brought.n && each == 2 * 3 * (size_t)cp);
            for (size_t i = 0; i < sent.n; i++) {
                size_t k = 0;
                while (k < each &&
                       (brought.v[k].at != sent.v[i].at || brought.v[k].bytes != sent.v[i].bytes))
                    k++;
                assert_true(k < each);
            }
            qsort(brought.v, each, sizeof brought.v[0], by_address);
            size_t end = 0;
            for (size_t i = 0; i < each; i++) {
                assert_int_equal(brought.v[i].at - brought.v[0].at, end);
                end += brought.v[i].bytes;
            }
            assert_int_equal(end, all);
        }
}

static void test_tensor_parallel(void **state) {
    (void)state;
    for (int tp = 1; tp <= 4; tp *= 2) {
        rc_ring_case c = shape("tp", RC_RING_TP, 1, tp);
        compare(&c);
        c.p = 8192;
        compare(&c);
        c = shape("decode-tp", RC_RING_DECODE_TP, 1, tp);
        c.t = 1, c.p = 8192, c.batch = 16;
        compare(&c);
    }
}

static void test_decode(void **state) {
    (void)state;
    for (int i = 0; i < SPLITS; i++) {
        rc_ring_case c = shape("decode-pass-q", RC_RING_DECODE_PASS_Q, splits[i][0], splits[i][1]);
        c.t = 1, c.p = 8192, c.batch = 16;
        compare(&c);
    }
}

/* All that was asked for is in the words, in GB, and what is there already can be given back. */
static void test_does_not_fit(void **state) {
    static rc_ring_layers layers;
    rc_error err = {0};
    void *p;
    (void)state;
    rooms = 0;
    memory = 5000000000u;
    assert_int_equal(rc_ring_layers_alloc(&layers, &p, 1500000000u, &err), RC_OK);
    assert_int_equal(rc_ring_layers_alloc(&layers, &p, 2000000000u, &err), RC_OK);
    assert_int_equal(rc_ring_layers_alloc(&layers, &p, 0, &err),
                     RC_OK); /* nothing is a place, too */
    assert_int_equal(rc_ring_layers_alloc(&layers, &p, 2750000000u, &err), RC_E_UNMODELLED);
    assert_string_equal(err.msg, "does not fit: over 6.2 GB on one GPU");
    assert_int_equal(layers.owned_count, 3);
    refusal = cudaErrorNotReady; /* of another fault memory is not the reason */
    assert_int_equal(rc_ring_layers_alloc(&layers, &p, 2750000000u, &err), RC_E_INTERNAL);
    assert_null(strstr(err.msg, "does not fit"));
    assert_int_equal(layers.owned_count, 3);
    rc_ring_layers_close(&layers);
    memory = SIZE_MAX;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefill),  cmocka_unit_test(test_positions),
        cmocka_unit_test(test_gathered), cmocka_unit_test(test_tensor_parallel),
        cmocka_unit_test(test_decode),   cmocka_unit_test(test_does_not_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
