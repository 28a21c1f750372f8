/* Attention of heads of other sizes than 128 against fp64, prefill and decode: 64, 256, and keys of 192 with
 * values of 128. Random shapes, batches with gaps, forced and chosen splits. Outputs and scratch are NaN
 * beforehand, and so is what lies between sequences and past their lengths.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"

enum { SAMPLE = 64, MAX_SEQS = 8, WIDEST = 256 };

typedef struct Heads {
    int k, v;
} Heads;

static const Heads sizes[] = {{64, 64}, {192, 128}, {256, 256}};

typedef struct Case {
    Heads of;
    int hq, hkv, causal, n; /* sequences */
    double scale;
    int64_t tq, tk; /* rows of Q, and of K and V */
    int32_t q_start[MAX_SEQS], q_len[MAX_SEQS], k_start[MAX_SEQS], k_len[MAX_SEQS];
    float *q, *k, *v;
    int64_t rows[SAMPLE]; /* token of Q * hq + head */
    double o[SAMPLE * WIDEST], lse[SAMPLE];
} Case;

static int sequence_of(const Case *c, int64_t token) {
    for (int i = 0; i < c->n; i++)
        if (token >= c->q_start[i] && token < c->q_start[i] + c->q_len[i])
            return i;
    return -1;
}

static void reference_row(void *context, int64_t i) {
    Case *c = context;
    int s = sequence_of(c, c->rows[i] / c->hq);
    int64_t row = c->rows[i] - (int64_t)c->q_start[s] * c->hq;
    if (rc_attn_reference_heads(c->q + (int64_t)c->q_start[s] * c->hq * c->of.k,
                                c->k + (int64_t)c->k_start[s] * c->hkv * c->of.k,
                                c->v + (int64_t)c->k_start[s] * c->hkv * c->of.v,
                                c->o + i * c->of.v, c->lse + i, &row, 1, c->q_len[s], c->k_len[s],
                                c->hq, c->hkv, c->of.k, c->of.v, c->causal, c->scale))
        c->lse[i] = (double)NAN;
}

/* Holds a sample of the rows of O and LSE, of rows that belong to a sequence, against the reference. */
static void compare(Case *c, const void *o, const void *lse, uint64_t *random, Worst *worst) {
    uint16_t *got = host_copy(o, (size_t)(c->tq * c->hq * c->of.v) * 2);
    float *got_lse = host_copy(lse, (size_t)(c->tq * c->hq) * 4), row[WIDEST];
    int64_t n = 0;
    for (int tries = 0; tries < 4 * SAMPLE && n < SAMPLE; tries++) {
        int64_t at = uniform(random, 0, c->tq * c->hq - 1);
        if (sequence_of(c, at / c->hq) >= 0)
            c->rows[n++] = at;
    }
    parallel(n, reference_row, c);
    Sums sums = {0, 0};
    double worst_lse = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int d = 0; d < c->of.v; d++)
            row[d] = from_bf16(got[c->rows[i] * c->of.v + d]);
        add_row(&sums, row, c->o + i * c->of.v, c->of.v);
        worst_lse = fmax(worst_lse, lse_error(got_lse[c->rows[i]], c->lse[i]));
    }
    double error = relative(sums);
    if (!(error <= 4e-3) || !(worst_lse <= 1e-3)) {
        printf("heads %d/%d of %d/%d, %lld queries, %lld keys, %d sequences, causal %d: error %.2e "
               "lse %.2e\n",
               c->hq, c->hkv, c->of.k, c->of.v, (long long)c->tq, (long long)c->tk, c->n, c->causal,
               error, worst_lse);
        fail();
    }
    worst->shapes++;
    worst->error = fmax(worst->error, error);
    worst->lse = fmax(worst->lse, worst_lse);
    free(got), free(got_lse);
}

/* NaN over the rows of a tensor that belong to no sequence. */
static void poison_gaps(const Case *c, void *x, int columns) {
    char *p = x;
    for (int64_t key = 0; key < c->tk; key++) {
        bool used = false;
        for (int i = 0; i < c->n; i++)
            used = used || (key >= c->k_start[i] && key < c->k_start[i] + c->k_len[i]);
        if (!used)
            CUDA_OK(
                cudaMemset(p + key * c->hkv * columns * 2, 0xff, (size_t)(c->hkv * columns) * 2));
    }
}

typedef struct Tensors {
    void *q, *k, *v, *o, *lse, *scratch;
} Tensors;

static Tensors make_inputs(Case *c, uint64_t seed) {
    int64_t nq = c->tq * c->hq, nk = c->tk * c->hkv;
    Tensors t = {device_normal(nq * c->of.k, seed, 1),
                 device_normal(nk * c->of.k, seed + 1, 1),
                 device_normal(nk * c->of.v, seed + 2, 1),
                 device_poison((size_t)((nq + GUARD_ROWS) * c->of.v) * 2),
                 device_poison((size_t)(nq + GUARD_ROWS) * 4),
                 NULL};
    c->q = host_floats(t.q, nq * c->of.k);
    c->k = host_floats(t.k, nk * c->of.k);
    c->v = host_floats(t.v, nk * c->of.v);
    poison_gaps(c, t.k, c->of.k);
    poison_gaps(c, t.v, c->of.v);
    return t;
}

static void release(Case *c, Tensors *t, size_t scratch) {
    int64_t rows = c->tq * c->hq;
    assert_true(
        still_poison((char *)t->o + rows * c->of.v * 2, (size_t)(GUARD_ROWS * c->of.v) * 2));
    assert_true(still_poison((char *)t->lse + rows * 4, GUARD_ROWS * 4));
    if (scratch)
        assert_true(still_poison((char *)t->scratch + scratch, GUARD_ROWS));
    void *all[] = {t->q, t->k, t->v, t->o, t->lse, t->scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        CUDA_OK(cudaFree(all[i]));
    free(c->q), free(c->k), free(c->v);
}

/* Sequences with gaps between them, of queries and of keys. */
static void lay_out(Case *c, uint64_t *random, int64_t most_q, int64_t most_k) {
    c->tq = c->tk = 0;
    for (int i = 0; i < c->n; i++) {
        c->q_start[i] = (int32_t)c->tq;
        c->k_start[i] = (int32_t)c->tk;
        c->q_len[i] = (int32_t)any_size(random, 1, most_q);
        c->k_len[i] =
            (int32_t)(c->n > 1 && uniform(random, 0, 7) == 0 ? 0 : any_size(random, 1, most_k));
        c->tq += c->q_len[i] + (c->n > 1 ? uniform(random, 0, 3) : 0);
        c->tk += c->k_len[i] + (c->n > 1 ? uniform(random, 0, 40) : 0);
    }
    c->tk = c->tk ? c->tk : 1;
}

static void prefill_case(Case *c, uint64_t *random, Worst *worst) {
    c->n = uniform(random, 0, 1) ? 1 : (int)uniform(random, 2, MAX_SEQS);
    c->hkv = (int)uniform(random, 1, 4);
    c->hq = c->hkv * (int)uniform(random, 1, 16);
    c->causal = (int)uniform(random, 0, 1);
    c->scale = 0;
    lay_out(c, random, 600, 3000);
    Tensors t = make_inputs(c, next_random(random));
    void *tickets;
    CUDA_OK(cudaMalloc(&tickets, RC_ATTN_TICKET_BYTES));
    CUDA_OK(cudaMemset(tickets, 0, RC_ATTN_TICKET_BYTES));
    rc_attn_args a = {.q = t.q,
                      .k = t.k,
                      .v = t.v,
                      .o = t.o,
                      .lse = t.lse,
                      .tq = c->tq,
                      .tk = c->tk,
                      .hq = c->hq,
                      .hkv = c->hkv,
                      .causal = c->causal,
                      .head_k = c->of.k,
                      .head_v = uniform(random, 0, 1) ? c->of.v : 0};
    if (c->n > 1) {
        a.seqs = c->n;
        a.q_start = c->q_start, a.q_len = c->q_len, a.k_start = c->k_start, a.k_len = c->k_len;
    } else if (c->k_len[0] < c->tk) {
        a.tk = c->k_len[0];
    }
    a.tickets = uniform(random, 0, 1) ? tickets : NULL;
    a.splits = uniform(random, 0, 2) == 0 ? (int)any_size(random, 1, 40) : 0;
    a.sms = uniform(random, 0, 3) == 0 ? (int)uniform(random, 1, 140) : 0;
    size_t scratch = rc_attn_workspace(&a);
    t.scratch = scratch ? device_poison(scratch + GUARD_ROWS) : NULL;
    a.workspace = t.scratch;
    CUDA_OK(rc_attn_forward(&a, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    compare(c, t.o, t.lse, random, worst);
    release(c, &t, scratch);
    CUDA_OK(cudaFree(tickets));
}

/* One query a sequence; sequences lie max_len keys apart. */
static void decode_case(Case *c, uint64_t *random, Worst *worst) {
    int64_t max_len = any_size(random, 1, 6000);
    int32_t *lens;
    c->n = (int)uniform(random, 1, MAX_SEQS);
    c->hkv = (int)uniform(random, 1, 4);
    c->hq = c->hkv * (int)uniform(random, 1, 16);
    c->causal = 0;
    c->scale = 0;
    c->tq = c->n;
    c->tk = c->n * max_len;
    for (int i = 0; i < c->n; i++) {
        c->q_start[i] = i;
        c->q_len[i] = 1;
        c->k_start[i] = (int32_t)(i * max_len);
        c->k_len[i] = (int32_t)(uniform(random, 0, 1) ? max_len : uniform(random, 0, max_len));
    }
    Tensors t = make_inputs(c, next_random(random));
    CUDA_OK(cudaMalloc((void **)&lens, sizeof c->k_len));
    CUDA_OK(cudaMemcpy(lens, c->k_len, sizeof c->k_len, cudaMemcpyHostToDevice));
    rc_decode_args a = {.q = t.q,
                        .k = t.k,
                        .v = t.v,
                        .lens = lens,
                        .o = t.o,
                        .lse = t.lse,
                        .batch = c->n,
                        .max_len = max_len,
                        .hq = c->hq,
                        .hkv = c->hkv,
                        .head_k = c->of.k,
                        .head_v = c->of.v};
    a.splits = uniform(random, 0, 2) == 0 ? (int)any_size(random, 1, 300) : 0;
    a.sms = uniform(random, 0, 3) == 0 ? (int)uniform(random, 1, 140) : 0;
    size_t scratch = rc_decode_workspace(&a);
    t.scratch = scratch ? device_poison(scratch + GUARD_ROWS) : NULL;
    a.workspace = t.scratch;
    CUDA_OK(rc_decode_forward(&a, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    compare(c, t.o, t.lse, random, worst);
    release(c, &t, scratch);
    CUDA_OK(cudaFree(lens));
}

static void all_sizes(const char *what, uint64_t seed,
                      void (*run)(Case *c, uint64_t *random, Worst *worst)) {
    uint64_t random = setting("RC_GPU_TEST_SEED", seed);
    int cases = random_cases(80);
    Case *c = malloc(sizeof *c);
    assert_non_null(c);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        Worst worst = {0, 0, 0};
        char text[64];
        for (int n = 0; n < cases; n++) {
            memset(c, 0, sizeof *c);
            c->of = sizes[i];
            run(c, &random, &worst);
        }
        snprintf(text, sizeof text, "%s, heads of %d/%d", what, sizes[i].k, sizes[i].v);
        report(text, &worst, seed);
    }
    free(c);
}

static void test_prefill(void **state) {
    (void)state;
    all_sizes("prefill", 21, prefill_case);
}

static void test_decode(void **state) {
    (void)state;
    all_sizes("decode", 22, decode_case);
}

static void test_refused(void **state) {
    (void)state;
    static const Heads bad[] = {{96, 96}, {192, 192}, {128, 64}, {512, 512}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rc_attn_args a = {
            .tq = 1, .tk = 1, .hq = 1, .hkv = 1, .head_k = bad[i].k, .head_v = bad[i].v};
        rc_decode_args d = {
            .batch = 1, .max_len = 1, .hq = 1, .hkv = 1, .head_k = bad[i].k, .head_v = bad[i].v};
        assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
        assert_int_equal(rc_decode_forward(&d, NULL), RC_KERNEL_EINVAL);
    }
    rc_attn_args a = {.tq = 1, .tk = 1, .hq = 1, .hkv = 1, .head_k = 64, .dtype = RC_KERNEL_E4M3};
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
}

int main(void) {
    need_gpu("attention of heads of other sizes", "attention");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_prefill),
                                       cmocka_unit_test(test_decode)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
