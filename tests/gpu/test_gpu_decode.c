/* Decode attention against fp64: random batches with lengths from none to all, groups of 1 to 16,
 * forced and chosen splits, contexts to a million keys. Outputs, scratch and keys past each length
 * are NaN beforehand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"

enum { SAMPLE = 96, MAX_BATCH = 256 };
static const double MAX_ERROR = 4e-3, MAX_LSE = 1e-3;

typedef struct Case {
    rc_decode_args a;
    int32_t lens[MAX_BATCH];
    float *q, *k, *v;
    int64_t rows[SAMPLE]; /* sequence * hq + head */
    double o[SAMPLE * D], lse[SAMPLE];
} Case;

static void reference_row(void *context, int64_t i) {
    Case *c = context;
    const rc_decode_args *a = &c->a;
    int64_t sequence = c->rows[i] / a->hq, head = c->rows[i] % a->hq,
            at = sequence * a->max_len * a->hkv * D;
    if (rc_attn_reference_rows(c->q + sequence * a->hq * D, c->k + at, c->v + at, c->o + i * D,
                               c->lse + i, &head, 1, 1, c->lens[sequence], a->hq, a->hkv, 0,
                               (double)a->scale))
        c->lse[i] = (double)NAN;
}

static uint16_t *run_once(rc_decode_args *a, float **lse) {
    int64_t rows = (int64_t)a->batch * a->hq;
    size_t scratch = rc_decode_workspace(a);
    a->o = device_poison((size_t)(rows + GUARD_ROWS) * D * 2);
    a->lse = device_poison((size_t)(rows + GUARD_ROWS) * 4);
    a->workspace = scratch ? device_poison(scratch + GUARD_ROWS) : NULL;
    CUDA_OK(rc_decode_forward(a, NULL));
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

/* Fills the cache, then poisons each sequence past its length. */
static void *device_cache(const Case *c, uint64_t seed) {
    const rc_decode_args *a = &c->a;
    int64_t row = a->hkv * D * 2;
    char *p = device_normal((int64_t)a->batch * a->max_len * a->hkv * D, seed, 1);
    for (int b = 0; b < a->batch; b++)
        CUDA_OK(cudaMemset(p + (b * a->max_len + c->lens[b]) * row, 0xff,
                           (size_t)((a->max_len - c->lens[b]) * row)));
    return p;
}

static void check_case(Case *c, uint64_t *random, Worst *worst) {
    rc_decode_args *a = &c->a;
    int64_t rows = (int64_t)a->batch * a->hq, cache = (int64_t)a->batch * a->max_len * a->hkv * D;
    uint64_t seed = next_random(random);
    void *q = device_normal(rows * D, seed, 1), *k = device_cache(c, seed + 1),
         *v = device_cache(c, seed + 2);
    void *lens = device_poison(sizeof c->lens);
    CUDA_OK(cudaMemcpy(lens, c->lens, (size_t)a->batch * 4, cudaMemcpyHostToDevice));
    float *lse, *again_lse, row[D];
    a->q = q;
    a->k = k;
    a->v = v;
    a->lens = lens;
    uint16_t *o = run_once(a, &lse), *again = run_once(a, &again_lse);
    assert_memory_equal(o, again, (size_t)rows * D * 2);
    assert_memory_equal(lse, again_lse, (size_t)rows * 4);
    for (int64_t i = 0; i < rows * D; i++)
        assert_false((o[i] & 0x7f80) == 0x7f80);
    c->q = host_floats(q, rows * D);
    c->k = host_floats(k, cache);
    c->v = host_floats(v, cache);
    int64_t n = rows < SAMPLE ? rows : SAMPLE;
    for (int64_t i = 0; i < n; i++)
        c->rows[i] = rows == n ? i : uniform(random, 0, rows - 1);
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
        printf("batch %d max_len %lld hq %d hkv %d scale %g splits %d: error %.2e lse %.2e\n",
               a->batch, (long long)a->max_len, a->hq, a->hkv, (double)a->scale, a->splits, error,
               worst_lse);
        fail();
    }
    worst->shapes++;
    worst->error = fmax(worst->error, error);
    worst->lse = fmax(worst->lse, worst_lse);
    free(c->q), free(c->k), free(c->v), free(o), free(again), free(lse), free(again_lse);
    CUDA_OK(cudaFree(q));
    CUDA_OK(cudaFree(k));
    CUDA_OK(cudaFree(v));
    CUDA_OK(cudaFree(lens));
}

static void random_case(Case *c, uint64_t *random) {
    rc_decode_args *a = &c->a;
    memset(a, 0, sizeof *a);
    a->batch = (int)any_size(random, 1, MAX_BATCH);
    a->max_len = any_size(random, 1, 20000);
    a->hkv = (int)uniform(random, 1, 8);
    while (a->hkv > 1 && a->batch * a->max_len * a->hkv > 60000)
        a->hkv--;
    while (a->batch > 1 && a->batch * a->max_len > 60000)
        a->batch /= 2;
    a->hq = a->hkv * (int)uniform(random, 1, 16);
    static const float scales[] = {0, 0, 0, 0.05f, 0.3f};
    a->scale = scales[uniform(random, 0, 4)];
    if (uniform(random, 0, 2) == 0)
        a->splits = (int)any_size(random, 1, 300);
    for (int b = 0; b < a->batch; b++) {
        int64_t kind = uniform(random, 0, 5);
        c->lens[b] = (int32_t)(kind == 0  ? 0
                               : kind < 3 ? a->max_len
                                          : uniform(random, 0, a->max_len));
    }
}

static void test_random(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 4), random = seed;
    Worst worst = {0, 0, 0};
    int cases = random_cases(240);
    Case *c = malloc(sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < cases; i++) {
        random_case(c, &random);
        check_case(c, &random, &worst);
    }
    free(c);
    report("decode, random", &worst, seed);
}

static void test_large(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 5), random = seed;
    Worst worst = {0, 0, 0};
    static const int64_t lengths[] = {131072, 1 << 20};
    Case *c = malloc(sizeof *c);
    assert_non_null(c);
    int count = random_cases(20) / 10;
    for (int i = 0; i < 2 && i < count; i++) {
        c->a = (rc_decode_args){.batch = 1, .max_len = lengths[i], .hq = 16, .hkv = 1};
        c->lens[0] = (int32_t)lengths[i];
        check_case(c, &random, &worst);
    }
    free(c);
    report("decode, large", &worst, seed);
}

int main(void) {
    need_gpu("test_gpu_decode");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_large)};
    printf("kernel %s\n", rc_kernel_version("decode"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
