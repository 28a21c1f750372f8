/* Decode attention: one query token a sequence against its cache; split-KV, then combine. With the
 * condition "rest" the first sequence alone has b tokens of context and the others have that many.
 *
 * With the condition "paged" keys and values lie in pages, in random order, and the kernel runs as in a
 * layer: behind the rotary embedding of the same tokens, which it has to wait for. The row is the time
 * of both less that of the embedding alone, the two measured one after the other.
 *
 * Bytes: K and V once (512 B a cached token and key/value head of 128, 256 in fp8), which is nearly all
 * there is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"
#include "kernels/deal_plan.h"
#include "kernels/kernels.h"
#include "sim/base/mix.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BATCH = 256 };

typedef struct decode_suite {
    rc_pools io, io8; /* bf16, fp8 */
    rc_buffer workspace, lens, dealt, qkv;
} decode_suite;

typedef struct decode {
    rc_pools *io;
    rc_sets sets;
    rc_decode_args args;
    size_t q_bytes, k_bytes, o_bytes;
    const void *qkv; /* in pages: of the new tokens */
    const int32_t *positions, *slots;
} decode;

static bool is_fp8(const rc_point *p) {
    return !strcmp(p->dtype, "fp8");
}

/* Bytes of a query and a key, and of a value, of one head. */
static size_t key_bytes(const rc_point *p) {
    return (size_t)(p->head_k ? p->head_k : 128) * (is_fp8(p) ? 1 : 2);
}

static size_t value_bytes(const rc_point *p) {
    return (size_t)(p->head_v ? p->head_v : 128) * (is_fp8(p) ? 1 : 2);
}

/* O is of bf16 whatever the values are of. */
static size_t out_bytes(const rc_point *p) {
    return (size_t)(p->a * p->c) * 2 * (size_t)(p->head_v ? p->head_v : 128);
}

static size_t decode_q_bytes(const rc_point *p) {
    return rc_align((size_t)(p->a * p->c) * key_bytes(p));
}

static bool is_paged(const rc_point *p) {
    return p->cond && !strcmp(p->cond, "paged");
}

/* fp8 values come in whole blocks of 128 keys a sequence, and so do pages. */
static size_t decode_rows_bytes(const rc_point *p, size_t row) {
    bool blocks = is_fp8(p) || is_paged(p);
    int64_t keys = blocks ? (p->b + RC_KV_PAGE - 1) / RC_KV_PAGE * RC_KV_PAGE : p->b;
    return rc_align((size_t)(p->a * keys * p->d) * row);
}

static rc_need decode_need(const rc_point *p) {
    size_t rows = (size_t)(p->a * p->c);
    return (rc_need){decode_q_bytes(p) + decode_rows_bytes(p, key_bytes(p)) +
                         decode_rows_bytes(p, value_bytes(p)),
                     rc_align(out_bytes(p)) + rows * sizeof(float)};
}

/* Tokens of context of sequence i. */
static int64_t context(const rc_point *p, int64_t i) {
    return i > 0 && p->cond && !strcmp(p->cond, "rest") ? p->value : p->b;
}

/* Bytes that a call reads and writes: less than there are where sequences are shorter. */
static size_t touched(const rc_point *p) {
    size_t kv = (size_t)(context(p, 0) + (p->a - 1) * context(p, 1)) * (size_t)p->d;
    return decode_q_bytes(p) + kv * (key_bytes(p) + value_bytes(p)) + out_bytes(p) +
           (size_t)(p->a * p->c) * sizeof(float);
}

static void decode_close(void *self) {
    decode_suite *s = self;
    if (!s)
        return;
    rc_pools_free(&s->io);
    rc_pools_free(&s->io8);
    rc_buffer_free(&s->workspace);
    rc_buffer_free(&s->lens);
    rc_buffer_free(&s->dealt);
    rc_buffer_free(&s->qkv);
    free(s);
}

static rc_status decode_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    decode_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = rc_pools_reserve(c, points, decode_need, "bf16", &s->io, err);
    if (st == RC_OK)
        st = rc_pools_reserve(c, points, decode_need, "fp8", &s->io8, err);
    if (st == RC_OK)
        st = rc_buffer_reserve(&s->lens, MAX_BATCH * sizeof(int32_t), err);
    if (st != RC_OK) {
        decode_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

static rc_status decode_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    decode *t = self;
    rc_decode_args a = t->args;
    const unsigned char *in = t->io->in.p + (size_t)slot * t->sets.in_stride;
    unsigned char *out = t->io->out.p + (size_t)slot * t->sets.out_stride;
    a.q = in;
    a.k = in + t->q_bytes;
    a.v = in + t->q_bytes + t->k_bytes;
    a.o = out;
    a.lse = (float *)(void *)(out + t->o_bytes);
    return rc_kernel_check(err, rc_decode_forward(&a, stream), "rc_decode_forward");
}

/* ---- in pages, behind the rotary embedding --------------------------------------------------- */

/* Pages 0 to n - 1 in random order. */
static void shuffle_pages(uint64_t seed, int32_t *table, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        table[i] = (int32_t)i;
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t k = (int64_t)(rc_mix(seed++, 0) % (uint64_t)(i + 1));
        const int32_t x = table[i];
        table[i] = table[k];
        table[k] = x;
    }
}

/* In words of 4 bytes, one behind the other: pieces, first pieces, the table of pages, positions and
 * slots of the newest keys. */
typedef struct dealt {
    size_t first, table, positions, slots, words;
} dealt;

static void fill_dealt(const rc_decode_args *a, const dealt *d, const int32_t *lens, uint64_t seed,
                       int32_t *all) {
    int32_t order[MAX_BATCH];
    rc_decode_deal(lens, a->batch, a->room, (rc_decode_piece *)(void *)all, all + d->first, order);
    shuffle_pages(seed, all + d->table, a->batch * a->table_stride);
    for (int64_t i = 0; i < a->batch; i++) {
        const int64_t last = lens[i] - 1;
        const int32_t page = all[d->table + (size_t)(i * a->table_stride + last / RC_KV_PAGE)];
        all[d->positions + (size_t)i] = (int32_t)last;
        all[d->slots + (size_t)i] = page * RC_KV_PAGE + (int32_t)(last % RC_KV_PAGE);
    }
}

static rc_status deal(rc_calib *c, decode_suite *s, decode *t, const int32_t *lens, rc_error *err) {
    rc_decode_args *a = &t->args;
    const size_t batch = (size_t)a->batch;
    dealt d;
    a->table_stride = (a->max_len + RC_KV_PAGE - 1) / RC_KV_PAGE;
    a->room = rc_decode_room(a->batch, a->max_len, a->hkv, c->gpu.sms);
    d.first = 4 * (size_t)a->room;
    d.table = d.first + batch;
    d.positions = d.table + batch * (size_t)a->table_stride;
    d.slots = d.positions + batch;
    d.words = d.slots + batch;
    RC_TRY(rc_buffer_reserve(&s->dealt, d.words * sizeof(int32_t), err));
    RC_TRY(rc_buffer_reserve(&s->qkv, batch * (size_t)(a->hq + 2 * a->hkv) * 2 * 128, err));
    int32_t *all = malloc(d.words * sizeof *all);
    if (!all)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a table of pages");
    fill_dealt(a, &d, lens, c->opt->seed, all);
    const int32_t *device = (const int32_t *)(const void *)s->dealt.p;
    const cudaError_t e =
        cudaMemcpy(s->dealt.p, all, d.words * sizeof *all, cudaMemcpyHostToDevice);
    free(all);
    a->pieces = (const rc_decode_piece *)(const void *)device;
    a->first = device + d.first;
    a->table = device + d.table;
    t->qkv = s->qkv.p;
    t->positions = device + d.positions;
    t->slots = device + d.slots;
    return e == cudaSuccess ? RC_OK : rc_cuda_fail(err, e, "cudaMemcpy", __FILE__, __LINE__);
}

/* The rotary embedding puts the newest key and value, and the queries, where the kernel behind it
 * looks for them. */
static rc_status rotary_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    const decode *t = self;
    unsigned char *in = t->io->in.p + (size_t)slot * t->sets.in_stride;
    return rc_kernel_check(err,
                           rc_rotary_paged(t->qkv, in, in + t->q_bytes,
                                           in + t->q_bytes + t->k_bytes, t->positions, t->slots,
                                           t->args.batch, t->args.hq, t->args.hkv, 5e5f, stream),
                           "rc_rotary_paged");
}

static rc_status chain_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    RC_TRY(rotary_launch(self, slot, stream, err));
    return decode_launch(self, slot, stream, err);
}

static rc_status measure_behind_rotary(rc_calib *c, const rc_bench_op *op, rc_result *r,
                                       rc_error *err) {
    rc_bench_op alone = *op, chain = *op;
    rc_result before;
    alone.launch = rotary_launch;
    chain.launch = chain_launch;
    RC_TRY(rc_bench_run(&c->bench, &alone, &before, err));
    RC_TRY(rc_bench_run(&c->bench, &chain, r, err));
    r->p10_s -= before.p50_s;
    r->p50_s -= before.p50_s;
    r->p90_s -= before.p50_s;
    return RC_OK;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static rc_status decode_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                                rc_error *err) {
    rc_need need = decode_need(p);
    decode_suite *s = self;
    decode t = {.io = is_fp8(p) ? &s->io8 : &s->io, .sets = rc_sets_for(&c->gpu, need)};
    int32_t lens[MAX_BATCH];
    RC_TRY(rc_sets_check(&c->gpu, &t.sets, err));
    if (p->a > MAX_BATCH)
        return rc_fail(err, RC_E_UNMODELLED, "batches over %d are not measured", MAX_BATCH);
    for (int64_t i = 0; i < p->a; i++)
        lens[i] = (int32_t)context(p, i);
    RC_CUDA(cudaMemcpy(s->lens.p, lens, (size_t)p->a * sizeof lens[0], cudaMemcpyHostToDevice));
    t.q_bytes = decode_q_bytes(p);
    t.k_bytes = decode_rows_bytes(p, key_bytes(p));
    t.o_bytes = rc_align(out_bytes(p));
    t.args = (rc_decode_args){.lens = (const int32_t *)(const void *)s->lens.p,
                              .batch = (int)p->a,
                              .max_len = p->b,
                              .hq = (int)p->c,
                              .hkv = (int)p->d,
                              .head_k = (int)p->head_k,
                              .head_v = (int)p->head_v,
                              .dtype = is_fp8(p) ? RC_KERNEL_E4M3 : RC_KERNEL_BF16,
                              .q_scale = 1 / RC_E4M3_SPREAD,
                              .k_scale = 1 / RC_E4M3_SPREAD,
                              .v_scale = 1 / RC_E4M3_SPREAD};
    RC_TRY(rc_point_sms(c, p, &t.args.sms, err));
    if (is_paged(p))
        RC_TRY(deal(c, s, &t, lens, err));
    RC_TRY(rc_buffer_reserve(&s->workspace, rc_decode_workspace(&t.args), err));
    t.args.workspace = s->workspace.p;
    rc_bench_op op = {decode_launch, &t, touched(p), t.sets.n};
    RC_TRY(is_paged(p) ? measure_behind_rotary(c, &op, &m->r, err)
                       : rc_bench_run(&c->bench, &op, &m->r, err));
    if (is_paged(p))
        (void)snprintf(m->kernel, sizeof m->kernel, "decode-%d", RC_DECODE_DEALT);
    else
        rc_record_set(m->kernel, sizeof m->kernel, rc_kernel_version("decode"));
    return RC_OK;
}

const rc_suite rc_suite_decode = {decode_open, decode_measure, decode_close};
