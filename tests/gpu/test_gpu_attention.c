/* Prefill attention against fp64, bf16 and e4m3: random shapes of every magnitude and a few large
 * ones, batches of sequences with gaps between them or in pages, forced and chosen splits, SM limits,
 * every sign of the causal offset. Outputs, scratch and what lies past the inputs are NaN beforehand;
 * each case runs twice and must agree to the bit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"

enum { SAMPLE = 160 };

typedef struct Row { /* of the output: a sequence, and token * hq + head in it */
    int seq;
    int64_t row;
} Row;

typedef struct Case {
    rc_attn_args a;
    int n; /* sequences; one that is all of Q and K when a.seqs is 0 */
    int32_t q_start[RC_ATTN_MAX_SEQS], q_len[RC_ATTN_MAX_SEQS], k_start[RC_ATTN_MAX_SEQS],
        k_len[RC_ATTN_MAX_SEQS];
    int64_t spare;                        /* pages of no sequence; 0: the keys are not in pages */
    int32_t first_page[RC_ATTN_MAX_SEQS]; /* places in the table */
    float *q, *k, *v;
    Row rows[SAMPLE];
    double o[SAMPLE * D], lse[SAMPLE];
} Case;

static void reference_row(void *context, int64_t i) {
    Case *c = context;
    const rc_attn_args *a = &c->a;
    int seq = c->rows[i].seq;
    int64_t kv = (int64_t)c->k_start[seq] * a->hkv * D;
    if (rc_attn_reference_rows(c->q + (int64_t)c->q_start[seq] * a->hq * D, c->k + kv, c->v + kv,
                               c->o + i * D, c->lse + i, &c->rows[i].row, 1, c->q_len[seq],
                               c->k_len[seq], a->hq, a->hkv, a->causal, (double)a->scale))
        c->lse[i] = (double)NAN;
}

static int64_t all_rows(const Case *c) {
    int64_t rows = 0;
    for (int i = 0; i < c->n; i++)
        rows += (int64_t)c->q_len[i] * c->a.hq;
    return rows;
}

/* First and last rows, the rest at random. */
static int64_t choose_rows(Case *c, uint64_t *random, int64_t budget) {
    int64_t all = all_rows(c), n = all < SAMPLE ? all : SAMPLE;
    n = n < budget ? n : budget;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = all == n     ? i
                      : i == 0     ? 0
                      : i == n - 1 ? all - 1
                                   : uniform(random, 0, all - 1);
        int seq = 0;
        for (; row >= (int64_t)c->q_len[seq] * c->a.hq; seq++)
            row -= (int64_t)c->q_len[seq] * c->a.hq;
        c->rows[i] = (Row){seq, row};
    }
    return n;
}

static void describe(const Case *c, double error, double lse) {
    const rc_attn_args *a = &c->a;
    printf("tq %lld tk %lld hq %d hkv %d causal %d scale %g splits %d sms %d dtype %d seqs %d "
           "tickets %d "
           "share %d spare pages %lld: error %.2e lse %.2e\n",
           (long long)a->tq, (long long)a->tk, a->hq, a->hkv, a->causal, (double)a->scale,
           a->splits, a->sms, a->dtype, a->seqs, a->tickets != NULL, a->share, (long long)c->spare,
           error, lse);
}

/* Runs once into fresh poison; returns host copies of O (bf16) and LSE. */
static uint16_t *run_once(rc_attn_args *a, float **lse) {
    int64_t rows = a->tq * a->hq;
    size_t scratch = rc_attn_workspace(a);
    a->o = device_poison((size_t)(rows + GUARD_ROWS) * D * 2);
    a->lse = device_poison((size_t)(rows + GUARD_ROWS) * 4);
    a->workspace = scratch ? device_poison(scratch + GUARD_ROWS) : NULL;
    CUDA_OK(rc_attn_forward(a, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    uint16_t *o = host_copy(a->o, (size_t)rows * D * 2);
    *lse = host_copy(a->lse, (size_t)rows * 4);
    assert_true(still_poison((char *)a->o + rows * D * 2, GUARD_ROWS * D * 2));
    assert_true(still_poison(a->lse + rows, GUARD_ROWS * 4));
    if (scratch)
        assert_true(still_poison((char *)a->workspace + scratch, GUARD_ROWS));
    CUDA_OK(cudaFree(a->o));
    CUDA_OK(cudaFree(a->lse));
    CUDA_OK(cudaFree(a->workspace));
    return o;
}

/* Counters that are zero before and after each launch. */
static void *new_tickets(void) {
    void *p = NULL;
    CUDA_OK(cudaMalloc(&p, RC_ATTN_TICKET_BYTES));
    CUDA_OK(cudaMemset(p, 0, RC_ATTN_TICKET_BYTES));
    return p;
}

static void drop_tickets(void *tickets) {
    static const uint8_t zero[RC_ATTN_TICKET_BYTES];
    if (!tickets)
        return;
    uint8_t *left = host_copy(tickets, RC_ATTN_TICKET_BYTES);
    assert_memory_equal(left, zero, sizeof zero);
    free(left);
    CUDA_OK(cudaFree(tickets));
}

/* Keys and values of no sequence become NaN. */
static void poison_gaps(const Case *c, void *k, void *v) {
    const rc_attn_args *a = &c->a;
    bool fp8 = a->dtype == RC_KERNEL_E4M3;
    size_t row = (size_t)(a->hkv * D) * (fp8 ? 1 : 2);
    int64_t v_rows = fp8 ? (a->tk + 127) / 128 * 128 : a->tk;
    uint8_t *hk = host_copy(k, (size_t)a->tk * row), *hv = host_copy(v, (size_t)v_rows * row);
    bool *used = calloc((size_t)v_rows + 1, sizeof *used);
    assert_non_null(used);
    for (int i = 0; i < c->n; i++)
        for (int64_t j = 0; j < c->k_len[i]; j++)
            used[c->k_start[i] + j] = true;
    for (int64_t j = 0; j < v_rows; j++) {
        if (used[j])
            continue;
        if (j < a->tk)
            memset(hk + (size_t)j * row, 0xff, row);
        for (int i = 0; fp8 && i < a->hkv * D; i++)
            hv[value_at(j, a->hkv, i / D, i % D)] = 0xff;
        if (!fp8)
            memset(hv + (size_t)j * row, 0xff, row);
    }
    CUDA_OK(cudaMemcpy(k, hk, (size_t)a->tk * row, cudaMemcpyHostToDevice));
    CUDA_OK(cudaMemcpy(v, hv, (size_t)v_rows * row, cudaMemcpyHostToDevice));
    free(hk), free(hv), free(used);
}

/* Rows of a sequence are finite, all others still poison. */
static void check_written(const Case *c, const uint16_t *o) {
    int64_t row = c->a.hq * D;
    char *mine = calloc((size_t)c->a.tq, 1);
    assert_non_null(mine);
    for (int i = 0; i < c->n; i++)
        memset(mine + c->q_start[i], 1, (size_t)c->q_len[i]);
    for (int64_t i = 0; i < c->a.tq * row; i++)
        assert_true(mine[i / row] ? (o[i] & 0x7f80) != 0x7f80 : o[i] == 0xffff);
    free(mine);
}

/* Makes Q, K and V on the device and, as floats, on the host. */
static void make_inputs(Case *c, uint64_t seed, float sigma, void **q, void **k, void **v) {
    rc_attn_args *a = &c->a;
    int64_t nq = a->tq * a->hq * D, nk = a->tk * a->hkv * D;
    *q = device_normal(nq, seed, sigma);
    *k = device_normal(nk, seed + 1, 1);
    *v = device_normal(nk, seed + 2, 1);
    if (a->dtype == RC_KERNEL_E4M3) {
        float qs = a->q_scale > 0 ? a->q_scale : 1, ks = a->k_scale > 0 ? a->k_scale : 1,
              vs = a->v_scale > 0 ? a->v_scale : 1;
        quantise_rows(q, a->tq, a->hq, qs);
        quantise(k, v, a->tk, a->hkv, ks, vs);
        c->q = host_bytes(*q, nq, qs);
        c->k = host_bytes(*k, nk, ks);
        c->v = host_values(*v, a->tk, a->hkv, vs);
    } else {
        c->q = host_floats(*q, nq);
        c->k = host_floats(*k, nk);
        c->v = host_floats(*v, nk);
    }
    a->q = *q;
    a->k = *k;
    a->v = *v;
}

/* Moves keys and values into pages in random order. The spare ones and the ends of last pages stay NaN,
 * and between two sequences the table leads nowhere. */
static int32_t *into_pages(Case *c, uint64_t *random, void **k, void **v) {
    rc_attn_args *a = &c->a;
    size_t row = (size_t)a->hkv * D * 2;
    int64_t pages = c->spare, used = 0, at = 0;
    for (int i = 0; i < c->n; i++)
        pages += pages_of(c->k_len[i]);
    char *pools[] = {device_poison((size_t)pages * RC_KV_PAGE * row),
                     device_poison((size_t)pages * RC_KV_PAGE * row)};
    int32_t *order = shuffled(random, pages), *table = calloc((size_t)(pages + 2 * c->n), 4);
    assert_non_null(table);
    for (int64_t i = 0; i < pages + 2 * c->n; i++)
        table[i] = NO_PAGE;
    for (int i = 0; i < c->n; i++) {
        size_t from = (size_t)c->k_start[i] * row;
        at += uniform(random, 0, 2);
        c->first_page[i] = (int32_t)at;
        memcpy(table + at, order + used, (size_t)pages_of(c->k_len[i]) * 4);
        fill_pages(pools[0], order + used, (char *)*k + from, c->k_len[i], row);
        fill_pages(pools[1], order + used, (char *)*v + from, c->k_len[i], row);
        used += pages_of(c->k_len[i]);
        at += pages_of(c->k_len[i]);
    }
    int32_t *device = device_copy(table, (size_t)(pages + 2 * c->n) * 4);
    free(order), free(table);
    CUDA_OK(cudaFree(*k));
    CUDA_OK(cudaFree(*v));
    a->k = *k = pools[0];
    a->v = *v = pools[1];
    a->tk = pages * RC_KV_PAGE;
    a->k_start = c->first_page;
    return device;
}

static void check_case(Case *c, uint64_t *random, int64_t budget, float sigma, Worst *worst) {
    rc_attn_args *a = &c->a;
    if (a->seqs == 0) {
        c->n = 1;
        c->q_start[0] = c->k_start[0] = 0;
        c->q_len[0] = (int32_t)a->tq;
        c->k_len[0] = (int32_t)a->tk;
    }
    float *lse, *again_lse, row[D];
    void *q, *k, *v;
    make_inputs(c, next_random(random), sigma, &q, &k, &v);
    if (a->seqs)
        poison_gaps(c, k, v);
    int32_t *table = c->spare ? into_pages(c, random, &k, &v) : NULL;
    a->table = table;
    int order = (int)uniform(random, 0, 2); /* fixed, by ticket, beside other kernels */
    a->tickets = order ? new_tickets() : NULL;
    a->share = order == 2;
    uint16_t *o = run_once(a, &lse), *again = run_once(a, &again_lse);
    assert_memory_equal(o, again, (size_t)(a->tq * a->hq * D) * 2);
    assert_memory_equal(lse, again_lse, (size_t)(a->tq * a->hq) * 4);
    check_written(c, o);
    int64_t n = choose_rows(c, random, budget);
    parallel(n, reference_row, c);
    Sums sums = {0, 0};
    double worst_lse = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = (int64_t)c->q_start[c->rows[i].seq] * a->hq + c->rows[i].row;
        for (int d = 0; d < D; d++)
            row[d] = from_bf16(o[at * D + d]);
        add_row(&sums, row, c->o + i * D, D);
        worst_lse = fmax(worst_lse, lse_error(lse[at], c->lse[i]));
    }
    double error = relative(sums);
    Bounds most = bounds_of(a->dtype, spread_of((double)sigma, (double)a->scale));
    if (!(error <= most.error) || !(worst_lse <= most.lse)) {
        describe(c, error, worst_lse);
        fail();
    }
    drop_tickets(a->tickets);
    worst->shapes++;
    worst->error = fmax(worst->error, error);
    worst->lse = fmax(worst->lse, worst_lse);
    free(c->q), free(c->k), free(c->v), free(o), free(again), free(lse), free(again_lse);
    CUDA_OK(cudaFree(q));
    CUDA_OK(cudaFree(k));
    CUDA_OK(cudaFree(v));
    CUDA_OK(cudaFree(table));
}

static rc_attn_args random_shape(uint64_t *random) {
    rc_attn_args a = {0};
    int64_t longest = getenv("RC_GPU_TEST_CASES") ? 700 : 5000; /* a sanitizer is slow */
    a.tq = uniform(random, 0, 3) ? any_size(random, 1, longest) : uniform(random, 1, longest);
    a.tk = uniform(random, 0, 3) ? any_size(random, 1, longest) : uniform(random, 1, longest);
    if (uniform(random, 0, 19) == 0)
        a.tk = 0;
    if (uniform(random, 0, 7) == 0)
        a.tk = a.tq;
    int group = (int)uniform(random, 1, 16);
    a.hkv = (int)uniform(random, 1, 8);
    while (a.hkv > 1 && (a.tq * a.hkv * group > 8 * longest || a.tk * a.hkv > 4 * longest))
        a.hkv--;
    a.hq = a.hkv * group;
    a.causal = (int)uniform(random, 0, 1);
    static const float scales[] = {0, 0, 0, 0.05f, 0.3f};
    a.scale = scales[uniform(random, 0, 4)];
    if (uniform(random, 0, 2) == 0)
        a.splits = (int)uniform(random, 1, 20);
    if (uniform(random, 0, 3) == 0)
        a.sms = (int)uniform(random, 1, 140);
    return a;
}

static void random_scales(rc_attn_args *a, uint64_t *random) {
    static const float scales[] = {0, 1, 0.5f, 0.03f};
    a->q_scale = scales[uniform(random, 0, 3)];
    a->k_scale = scales[uniform(random, 0, 3)];
    a->v_scale = scales[uniform(random, 0, 3)];
}

static void run_random(const char *what, int dtype, uint64_t start) {
    uint64_t seed = setting("RC_GPU_TEST_SEED", start), random = seed;
    Worst worst = {0, 0, 0};
    int cases = random_cases(520);
    Case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < cases; i++) {
        c->a = random_shape(&random);
        c->a.dtype = dtype;
        random_scales(&c->a, &random);
        check_case(c, &random, SAMPLE, uniform(&random, 0, 4) ? 1.f : 4.f, &worst);
    }
    free(c);
    report(what, &worst, seed);
}

static void test_random(void **state) {
    (void)state;
    run_random("attention bf16, random", RC_KERNEL_BF16, 1);
}

static void test_random_fp8(void **state) {
    (void)state;
    run_random("attention e4m3, random", RC_KERNEL_E4M3, 11);
}

/* Lengths of every magnitude with gaps between them; sometimes only the first half of the keys, as
 * a CP rank sees another's. */
static void random_batch(Case *c, uint64_t *random, int dtype) {
    rc_attn_args *a = &c->a;
    int64_t longest = getenv("RC_GPU_TEST_CASES") ? 300 : 1500, q = 0, k = 0;
    memset(a, 0, sizeof *a);
    a->dtype = dtype;
    c->n = a->seqs = (int)any_size(random, 1, 24);
    if (uniform(random, 0, 15) == 0)
        c->n = a->seqs = RC_ATTN_MAX_SEQS, longest = 40;
    for (int i = 0; i < c->n; i++) {
        int64_t tq = uniform(random, 0, 9) ? any_size(random, 1, longest) : 0;
        int64_t tk = uniform(random, 0, 9) ? any_size(random, 1, longest) : 0;
        q += uniform(random, 0, 2) ? 0 : uniform(random, 1, 9);
        k = dtype == RC_KERNEL_E4M3 ? (k + 127) / 128 * 128 : k + uniform(random, 0, 5);
        c->q_start[i] = (int32_t)q;
        c->k_start[i] = (int32_t)k;
        c->q_len[i] = (int32_t)tq;
        c->k_len[i] = (int32_t)(uniform(random, 0, 3) ? tk : (tk + 1) / 2);
        q += tq;
        k += tk;
    }
    a->tq = q + 1;
    a->tk = k;
    a->q_start = c->q_start;
    a->q_len = c->q_len;
    a->k_start = c->k_start;
    a->k_len = c->k_len;
    a->hkv = (int)uniform(random, 1, 2);
    a->hq = a->hkv * (int)uniform(random, 1, 16);
    a->causal = (int)uniform(random, 0, 1);
    if (uniform(random, 0, 3) == 0)
        a->splits = (int)uniform(random, 1, 6);
    if (uniform(random, 0, 3) == 0)
        a->sms = (int)uniform(random, 1, 140);
    random_scales(a, random);
}

static void test_batches(void **state) {
    (void)state;
    static const char *const names[] = {"attention bf16, batches", "attention e4m3, batches"};
    for (int dtype = 0; dtype < 2; dtype++) {
        uint64_t seed = setting("RC_GPU_TEST_SEED", 12), random = seed;
        Worst worst = {0, 0, 0};
        int cases = random_cases(500);
        Case *c = calloc(1, sizeof *c);
        assert_non_null(c);
        for (int i = 0; i < cases; i++) {
            random_batch(c, &random, dtype);
            check_case(c, &random, SAMPLE, 1, &worst);
        }
        free(c);
        report(names[dtype], &worst, seed);
    }
}

/* A batch, or one sequence, whose keys lie behind one another without gaps; lengths around the ends of
 * pages among them. */
static void paged_batch(Case *c, uint64_t *random, bool far) {
    rc_attn_args *a = &c->a;
    random_batch(c, random, RC_KERNEL_BF16);
    if (uniform(random, 0, 2) == 0)
        c->n = a->seqs = 1;
    if (far)
        a->hkv = 8, a->hq = 16;
    int64_t k = 0;
    for (int i = 0; i < c->n; i++) {
        c->k_len[i] = uniform(random, 0, 1) ? page_edge(random) : c->k_len[i];
        c->k_start[i] = (int32_t)k;
        k += c->k_len[i];
    }
    a->tk = k;
    a->causal = 1;
    a->splits = uniform(random, 0, 2) ? a->splits : 1;
    c->spare = far ? 20000 : any_size(random, 1, 40);
}

/* The last case's pool is so large that byte offsets go beyond 2^32. */
static void test_paged(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 15), random = seed;
    Worst worst = {0, 0, 0};
    int cases = random_cases(400);
    Case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < cases; i++) {
        paged_batch(c, &random, i == cases - 1 && !getenv("RC_GPU_TEST_CASES"));
        check_case(c, &random, SAMPLE, 1, &worst);
    }
    free(c);
    report("attention bf16, in pages", &worst, seed);
}

/* Every offset around a tile edge, for groups that fill a tile and groups that do not. */
static void test_edges(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 2), random = seed;
    Worst worst = {0, 0, 0};
    static const int64_t sizes[] = {1, 7, 8, 9, 63, 64, 127, 128, 129, 191, 256, 257};
    static const int groups[] = {1, 5, 16};
    Case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    int count = random_cases(1000);
    for (int i = 0; i < 12 * 12 * 3 && i < count; i++) {
        c->a = (rc_attn_args){
            .tq = sizes[i % 12], .tk = sizes[i / 12 % 12], .hq = groups[i / 144], .hkv = 1};
        c->a.causal = (int)uniform(&random, 0, 2) != 0;
        c->a.splits = (int)uniform(&random, 0, 4);
        c->a.dtype = i / 3 % 2;
        check_case(c, &random, 48, 1, &worst);
    }
    free(c);
    report("attention, edges", &worst, seed);
}

static void test_large(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 3), random = seed;
    Worst worst = {0, 0, 0};
    static const rc_attn_args shapes[] = {
        {.tq = 64, .tk = 131072, .hq = 16, .hkv = 1, .causal = 1},
        {.tq = 8192, .tk = 8192, .hq = 16, .hkv = 1},
        {.tq = 8192, .tk = 8192, .hq = 16, .hkv = 1, .causal = 1},
        {.tq = 800, .tk = 32000, .hq = 16, .hkv = 1},
        {.tq = 3200, .tk = 32000, .hq = 16, .hkv = 1, .causal = 1},
        {.tq = 4097, .tk = 4099, .hq = 8, .hkv = 8, .causal = 1},
        {.tq = 5000, .tk = 3000, .hq = 12, .hkv = 4, .causal = 1},
        {.tq = 1, .tk = 100001, .hq = 16, .hkv = 1},
        {.tq = 300, .tk = 65537, .hq = 6, .hkv = 2, .sms = 108},
    };
    int count = random_cases(100) / 5, n = (int)(sizeof shapes / sizeof *shapes);
    Case *c = calloc(1, sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < 2 * n && i < count; i++) {
        c->a = shapes[i / 2];
        c->a.dtype = i % 2;
        check_case(c, &random, c->a.tk > 50000 ? 32 : 96, 1, &worst);
    }
    free(c);
    report("attention, large", &worst, seed);
}

/* Byte offsets beyond 2^32: the second of two sequences of a million keys and eight heads. */
static void test_far(void **state) {
    (void)state;
    enum { KEYS = 1 << 20, HEADS = 8, GROUP = 2, TOKENS = 40, ROWS = 3 };
    if (getenv("RC_GPU_TEST_CASES"))
        return; /* takes a sanitizer too long */
    int32_t q_start[] = {0, TOKENS}, q_len[] = {TOKENS, TOKENS}, k_start[] = {0, KEYS};
    int32_t k_len[] = {KEYS, KEYS - 77};
    rc_attn_args a = {.tq = 2 * TOKENS, .tk = 2 * (int64_t)KEYS, .hq = HEADS * GROUP, .hkv = HEADS};
    a.seqs = 2, a.q_start = q_start, a.q_len = q_len, a.k_start = k_start, a.k_len = k_len;
    int64_t nk = a.tk * HEADS * D, nq = a.tq * a.hq * D;
    void *q = device_normal(nq, 5, 1), *k = device_normal(nk, 6, 1), *v = device_normal(nk, 7, 1);
    a.q = q, a.k = k, a.v = v;
    float *lse = NULL, *hq = host_floats(q, nq), row[D];
    uint16_t *o = run_once(&a, &lse);
    for (int i = 0; i < 4; i++) {
        int seq = i / 2, head = i % 2 * (HEADS - 1);
        float *hk = host_head(k, k_start[seq], k_len[seq], HEADS, head);
        float *hv = host_head(v, k_start[seq], k_len[seq], HEADS, head);
        Sums sums = {0, 0};
        for (int r = 0; r < ROWS; r++) {
            int64_t at =
                (int64_t)(q_start[seq] + r * (TOKENS - 1) / 2) * a.hq + head * GROUP + r % GROUP;
            int64_t zero = 0;
            double want[D], want_lse;
            assert_int_equal(rc_attn_reference_rows(hq + at * D, hk, hv, want, &want_lse, &zero, 1,
                                                    1, k_len[seq], 1, 1, 0, 0),
                             0);
            for (int d = 0; d < D; d++)
                row[d] = from_bf16(o[at * D + d]);
            add_row(&sums, row, want, D);
            assert_true(lse_error(lse[at], want_lse) < 1e-3);
        }
        assert_true(relative(sums) < 4e-3);
        free(hk), free(hv);
    }
    free(o), free(lse), free(hq);
    CUDA_OK(cudaFree(q));
    CUDA_OK(cudaFree(k));
    CUDA_OK(cudaFree(v));
    printf("attention, far: offsets to %.1f GB\n", 2e-9 * (double)nk);
}

static void test_refusals(void **state) {
    (void)state;
    rc_attn_args a = {.tq = 0, .tk = 4, .hq = 1, .hkv = 1};
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    a.tq = 4, a.share = 1;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL); /* without tickets */
    a.share = 0;
    a.tq = 4, a.dtype = 2;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    int32_t start[] = {0, 2}, len[] = {2, 3};
    a.dtype = 0, a.seqs = 2, a.q_start = a.k_start = start, a.q_len = a.k_len = len;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL); /* past the end */
    len[1] = 2, a.dtype = RC_KERNEL_E4M3;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL); /* not at a block */
    a.dtype = 0, a.seqs = 0, a.hq = 17;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    a.hq = 3, a.hkv = 2;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    assert_int_equal((int)(rc_attn_flops(4, 4, 1, 1) / 512), 10);
    assert_int_equal((int)(rc_attn_flops(2, 4, 1, 1) / 512), 7);
    assert_int_equal((int)(rc_attn_flops(4, 2, 1, 1) / 512), 3);
    assert_int_equal((int)(rc_attn_flops(4, 2, 1, 0) / 512), 8);
}

/* Pages are for causal batches in bf16 with heads of 128, and all of a pool's are whole. */
static void test_paged_refusals(void **state) {
    (void)state;
    int32_t zero = 0, len = 100, table = 0;
    const rc_attn_args good = {.tq = 100,
                               .tk = 128,
                               .hq = 1,
                               .hkv = 1,
                               .causal = 1,
                               .seqs = 1,
                               .q_start = &zero,
                               .q_len = &len,
                               .k_start = &zero,
                               .k_len = &len,
                               .table = &table};
    rc_attn_args a = good;
    a.causal = 0;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    a = good, a.seqs = 0;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    a = good, a.tk = 127;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    a = good, a.dtype = RC_KERNEL_E4M3;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    static const int heads[] = {64, 192, 256};
    for (int i = 0; i < 3; i++) {
        a = good, a.head_k = heads[i];
        assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    }
}

int main(void) {
    need_gpu("test_gpu_attention", "attention");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),         cmocka_unit_test(test_random_fp8),
        cmocka_unit_test(test_batches),        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_large),          cmocka_unit_test(test_far),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_paged),
        cmocka_unit_test(test_paged_refusals),
    };
    printf("kernel %s\n", rc_kernel_version("attention"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
