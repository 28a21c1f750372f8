/* Prefill attention against fp64: random shapes of every magnitude and a few large ones, forced and
 * chosen splits, SM limits, every sign of the causal offset. Outputs, scratch and what lies past
 * the inputs are NaN beforehand; each case runs twice and must agree to the bit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"

enum { SAMPLE = 160 };
static const double MAX_ERROR = 4e-3, MAX_LSE = 1e-3;

typedef struct Case {
    rc_attn_args a;
    float *q, *k, *v;
    int64_t rows[SAMPLE];
    double o[SAMPLE * D], lse[SAMPLE];
} Case;

static void reference_row(void *context, int64_t i) {
    Case *c = context;
    const rc_attn_args *a = &c->a;
    if (rc_attn_reference_rows(c->q, c->k, c->v, c->o + i * D, c->lse + i, c->rows + i, 1, a->tq,
                               a->tk, a->hq, a->hkv, a->causal, (double)a->scale))
        c->lse[i] = (double)NAN;
}

/* First and last rows, the rest at random. */
static int64_t choose_rows(Case *c, uint64_t *random, int64_t budget) {
    int64_t all = c->a.tq * c->a.hq, n = all < SAMPLE ? all : SAMPLE;
    n = n < budget ? n : budget;
    for (int64_t i = 0; i < n; i++)
        c->rows[i] = all == n ? i : uniform(random, 0, all - 1);
    c->rows[0] = 0;
    c->rows[n - 1] = all - 1;
    return n;
}

static void describe(const Case *c, double error, double lse) {
    const rc_attn_args *a = &c->a;
    printf(
        "tq %lld tk %lld hq %d hkv %d causal %d scale %g splits %d sms %d: error %.2e lse %.2e\n",
        (long long)a->tq, (long long)a->tk, a->hq, a->hkv, a->causal, (double)a->scale, a->splits,
        a->sms, error, lse);
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

static void check_case(Case *c, uint64_t *random, int64_t budget, float sigma, Worst *worst) {
    rc_attn_args *a = &c->a;
    int64_t rows = a->tq * a->hq, nq = rows * D, nk = a->tk * a->hkv * D;
    uint64_t seed = next_random(random);
    void *q = device_normal(nq, seed, sigma), *k = device_normal(nk, seed + 1, 1),
         *v = device_normal(nk, seed + 2, 1);
    float *lse, *again_lse, row[D];
    a->q = q;
    a->k = k;
    a->v = v;
    uint16_t *o = run_once(a, &lse), *again = run_once(a, &again_lse);
    assert_memory_equal(o, again, (size_t)nq * 2);
    assert_memory_equal(lse, again_lse, (size_t)rows * 4);
    for (int64_t i = 0; i < nq; i++)
        assert_false((o[i] & 0x7f80) == 0x7f80); /* neither NaN nor infinite */
    c->q = host_floats(q, nq);
    c->k = host_floats(k, nk);
    c->v = host_floats(v, nk);
    int64_t n = choose_rows(c, random, budget);
    parallel(n, reference_row, c);
    Sums sums = {0, 0};
    double worst_lse = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int d = 0; d < D; d++)
            row[d] = from_bf16(o[c->rows[i] * D + d]);
        add_row(&sums, row, c->o + i * D, D);
        worst_lse = fmax(worst_lse, lse_error(lse[c->rows[i]], c->lse[i]));
    }
    double error = relative(sums);
    if (!(error <= MAX_ERROR) || !(worst_lse <= MAX_LSE)) {
        describe(c, error, worst_lse);
        fail();
    }
    worst->shapes++;
    worst->error = fmax(worst->error, error);
    worst->lse = fmax(worst->lse, worst_lse);
    free(c->q), free(c->k), free(c->v), free(o), free(again), free(lse), free(again_lse);
    CUDA_OK(cudaFree(q));
    CUDA_OK(cudaFree(k));
    CUDA_OK(cudaFree(v));
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

static void test_random(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 1), random = seed;
    Worst worst = {0, 0, 0};
    int cases = random_cases(240);
    Case *c = malloc(sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < cases; i++) {
        c->a = random_shape(&random);
        check_case(c, &random, SAMPLE, uniform(&random, 0, 4) ? 1.f : 4.f, &worst);
    }
    free(c);
    report("attention, random", &worst, seed);
}

/* Every offset around a tile edge, for groups that fill a tile and groups that do not. */
static void test_edges(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 2), random = seed;
    Worst worst = {0, 0, 0};
    static const int64_t sizes[] = {1, 7, 8, 9, 127, 128, 129, 175, 176, 177, 352, 353};
    static const int groups[] = {1, 5, 16};
    Case *c = malloc(sizeof *c);
    assert_non_null(c);
    int count = random_cases(1000);
    for (int i = 0; i < 12 * 12 * 3 && i < count; i++) {
        c->a = (rc_attn_args){
            .tq = sizes[i % 12], .tk = sizes[i / 12 % 12], .hq = groups[i / 144], .hkv = 1};
        c->a.causal = (int)uniform(&random, 0, 2) != 0;
        c->a.splits = (int)uniform(&random, 0, 4);
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
    int count = random_cases(100) / 10;
    Case *c = malloc(sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < (int)(sizeof shapes / sizeof *shapes) && i < count; i++) {
        c->a = shapes[i];
        check_case(c, &random, c->a.tk > 50000 ? 32 : 96, 1, &worst);
    }
    free(c);
    report("attention, large", &worst, seed);
}

static void test_refusals(void **state) {
    (void)state;
    rc_attn_args a = {.tq = 0, .tk = 4, .hq = 1, .hkv = 1};
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    a.tq = 4, a.hq = 17;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    a.hq = 3, a.hkv = 2;
    assert_int_equal(rc_attn_forward(&a, NULL), RC_KERNEL_EINVAL);
    assert_int_equal((int)(rc_attn_flops(4, 4, 1, 1) / 512), 10);
    assert_int_equal((int)(rc_attn_flops(2, 4, 1, 1) / 512), 7);
    assert_int_equal((int)(rc_attn_flops(4, 2, 1, 1) / 512), 3);
    assert_int_equal((int)(rc_attn_flops(4, 2, 1, 0) / 512), 8);
}

int main(void) {
    need_gpu("test_gpu_attention");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_refusals),
    };
    printf("kernel %s\n", rc_kernel_version("attention"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
