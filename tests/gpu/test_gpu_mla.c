/* Decode attention over latents against fp64: random batches with lengths from none to all, tiles of 8 to 64
 * heads and several of them, forced and chosen splits, fewer SMs, contexts of a million keys. Outputs,
 * scratch and keys past each length are NaN beforehand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"

enum { KEY = 576, VALUE = 512, SAMPLE = 48, MAX_BATCH = 64 };

typedef struct Case {
    rc_mla_args a;
    int32_t lens[MAX_BATCH];
    float *q, *kv;
    int64_t rows[SAMPLE]; /* sequence * heads + head */
    double o[SAMPLE * VALUE], lse[SAMPLE];
} Case;

static void reference_row(void *context, int64_t i) {
    Case *c = context;
    int64_t sequence = c->rows[i] / c->a.heads;
    if (rc_mla_reference(c->q + c->rows[i] * KEY, c->kv + sequence * c->a.max_len * KEY,
                         c->o + i * VALUE, c->lse + i, 1, c->lens[sequence], (double)c->a.scale))
        c->lse[i] = (double)NAN;
}

static uint16_t *run_once(rc_mla_args *a, float **lse) {
    int64_t rows = (int64_t)a->batch * a->heads;
    size_t scratch = rc_mla_workspace(a);
    a->o = device_poison((size_t)(rows + GUARD_ROWS) * VALUE * 2);
    a->lse = device_poison((size_t)(rows + GUARD_ROWS) * 4);
    a->workspace = scratch ? device_poison(scratch + GUARD_ROWS) : NULL;
    CUDA_OK(rc_mla_decode(a, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    uint16_t *o = host_copy(a->o, (size_t)rows * VALUE * 2);
    *lse = host_copy(a->lse, (size_t)rows * 4);
    assert_true(still_poison((char *)a->o + rows * VALUE * 2, GUARD_ROWS * VALUE * 2));
    assert_true(still_poison(a->lse + rows, GUARD_ROWS * 4));
    if (scratch)
        assert_true(still_poison((char *)a->workspace + scratch, GUARD_ROWS));
    CUDA_OK(cudaFree(a->o));
    CUDA_OK(cudaFree(a->lse));
    CUDA_OK(cudaFree(a->workspace));
    return o;
}

static void make_inputs(Case *c, uint64_t seed, void **q, void **kv) {
    rc_mla_args *a = &c->a;
    int64_t rows = (int64_t)a->batch * a->heads, keys = (int64_t)a->batch * a->max_len;
    *q = device_normal(rows * KEY, seed, 1);
    *kv = device_normal(keys * KEY, seed + 1, 1);
    for (int b = 0; b < a->batch; b++)
        CUDA_OK(cudaMemset((char *)*kv + (b * a->max_len + c->lens[b]) * KEY * 2, 0xff,
                           (size_t)(a->max_len - c->lens[b]) * KEY * 2));
    c->q = host_floats(*q, rows * KEY);
    c->kv = host_floats(*kv, keys * KEY);
    a->q = *q;
    a->kv = *kv;
}

static void check_case(Case *c, uint64_t *random, Worst *worst) {
    rc_mla_args *a = &c->a;
    int64_t rows = (int64_t)a->batch * a->heads, n = rows < SAMPLE ? rows : SAMPLE;
    void *q, *kv, *lens = device_poison(sizeof c->lens);
    float *lse, *again_lse, row[VALUE];
    make_inputs(c, next_random(random), &q, &kv);
    CUDA_OK(cudaMemcpy(lens, c->lens, (size_t)a->batch * 4, cudaMemcpyHostToDevice));
    a->lens = lens;
    uint16_t *o = run_once(a, &lse), *again = run_once(a, &again_lse);
    assert_memory_equal(o, again, (size_t)rows * VALUE * 2);
    assert_memory_equal(lse, again_lse, (size_t)rows * 4);
    for (int64_t i = 0; i < rows * VALUE; i++)
        assert_false((o[i] & 0x7f80) == 0x7f80);
    for (int64_t i = 0; i < n; i++)
        c->rows[i] = rows == n ? i : uniform(random, 0, rows - 1);
    parallel(n, reference_row, c);
    Sums sums = {0, 0};
    double worst_lse = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int d = 0; d < VALUE; d++)
            row[d] = from_bf16(o[c->rows[i] * VALUE + d]);
        add_row(&sums, row, c->o + i * VALUE, VALUE);
        worst_lse = fmax(worst_lse, lse_error(lse[c->rows[i]], c->lse[i]));
    }
    double error = relative(sums);
    if (!(error <= 4e-3) || !(worst_lse <= 1e-3)) {
        printf("batch %d max_len %lld heads %d scale %g splits %d sms %d: error %.2e lse %.2e\n",
               a->batch, (long long)a->max_len, a->heads, (double)a->scale, a->splits, a->sms,
               error, worst_lse);
        fail();
    }
    worst->shapes++;
    worst->error = fmax(worst->error, error);
    worst->lse = fmax(worst->lse, worst_lse);
    free(c->q), free(c->kv), free(o), free(again), free(lse), free(again_lse);
    CUDA_OK(cudaFree(q));
    CUDA_OK(cudaFree(kv));
    CUDA_OK(cudaFree(lens));
}

static void random_case(Case *c, uint64_t *random) {
    static const int heads[] = {8, 16, 24, 32, 48, 64, 128, 192};
    static const float softmax[] = {0, 0, 0.02f, 0.2f};
    rc_mla_args *a = &c->a;
    memset(a, 0, sizeof *a);
    a->batch = (int)any_size(random, 1, MAX_BATCH);
    a->max_len = any_size(random, 1, 20000);
    a->heads = heads[uniform(random, 0, 7)];
    while (a->batch > 1 && a->batch * a->max_len > 20000)
        a->batch /= 2;
    a->scale = softmax[uniform(random, 0, 3)];
    if (uniform(random, 0, 2) == 0)
        a->splits = (int)any_size(random, 1, 250);
    if (uniform(random, 0, 3) == 0)
        a->sms = (int)uniform(random, 1, 140);
    for (int b = 0; b < a->batch; b++) {
        int64_t kind = uniform(random, 0, 5);
        c->lens[b] = (int32_t)(kind == 0  ? 0
                               : kind < 3 ? a->max_len
                                          : uniform(random, 0, a->max_len));
    }
}

static void test_random(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 11), random = seed;
    Worst worst = {0, 0, 0};
    int cases = random_cases(200);
    Case *c = malloc(sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < cases; i++) {
        random_case(c, &random);
        check_case(c, &random, &worst);
    }
    free(c);
    report("decode over latents, random", &worst, seed);
}

/* Scores that grow along the keys, so that the running maximum is renewed again and again in either
 * warpgroup: every 16th key is a multiple of the query, larger than the one before. */
static void test_rising(void **state) {
    (void)state;
    enum { KEYS = 700, HEADS = 16 };
    static uint16_t keys[KEYS * KEY];
    uint64_t random = setting("RC_GPU_TEST_SEED", 12);
    Worst worst = {0, 0, 0};
    Case *c = malloc(sizeof *c);
    assert_non_null(c);
    memset(&c->a, 0, sizeof c->a);
    c->a = (rc_mla_args){.batch = 1, .max_len = KEYS, .heads = HEADS, .splits = 1, .scale = 0.05f};
    void *q = device_normal((int64_t)HEADS * KEY, next_random(&random), 1), *kv;
    c->q = host_floats(q, (int64_t)HEADS * KEY);
    for (int j = 0; j < KEYS; j++)
        for (int d = 0; d < KEY; d++) {
            float x =
                j % 16 ? (float)normal(&random) : c->q[(j / 16 % HEADS) * KEY + d] * (float)j / 128;
            uint32_t bits;
            memcpy(&bits, &x, 4);
            keys[j * KEY + d] = (uint16_t)(bits >> 16);
        }
    CUDA_OK(cudaMalloc(&kv, sizeof keys));
    CUDA_OK(cudaMemcpy(kv, keys, sizeof keys, cudaMemcpyHostToDevice));
    c->kv = host_floats(kv, (int64_t)KEYS * KEY);
    int32_t len = KEYS, *device_len;
    CUDA_OK(cudaMalloc((void **)&device_len, 4));
    CUDA_OK(cudaMemcpy(device_len, &len, 4, cudaMemcpyHostToDevice));
    c->lens[0] = len;
    c->a.q = q, c->a.kv = kv, c->a.lens = device_len;
    float *lse, row[VALUE];
    uint16_t *o = run_once(&c->a, &lse);
    for (int64_t i = 0; i < HEADS; i++)
        c->rows[i] = i;
    parallel(HEADS, reference_row, c);
    for (int64_t i = 0; i < HEADS; i++) {
        Sums sums = {0, 0};
        for (int d = 0; d < VALUE; d++)
            row[d] = from_bf16(o[i * VALUE + d]);
        add_row(&sums, row, c->o + i * VALUE, VALUE);
        assert_true(relative(sums) < 6e-3);
        assert_true(lse_error(lse[i], c->lse[i]) < 1e-3 * fmax(1.0, fabs(c->lse[i])));
        worst.error = fmax(worst.error, relative(sums));
        worst.shapes++;
    }
    report("decode over latents, rising scores", &worst, 12);
    free(c->q), free(c->kv), free(o), free(lse), free(c);
    CUDA_OK(cudaFree(q));
    CUDA_OK(cudaFree(kv));
    CUDA_OK(cudaFree(device_len));
}

static void test_long(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 13), random = seed;
    Worst worst = {0, 0, 0};
    static const int heads[] = {16, 128};
    if (getenv("RC_GPU_TEST_CASES"))
        return; /* takes a sanitizer too long */
    Case *c = malloc(sizeof *c);
    assert_non_null(c);
    for (int i = 0; i < 2; i++) {
        c->a = (rc_mla_args){.batch = 1, .max_len = 1 << 20, .heads = heads[i]};
        c->lens[0] = (1 << 20) - 17 * i;
        check_case(c, &random, &worst);
    }
    free(c);
    report("decode over latents, long", &worst, seed);
}

static void test_refused(void **state) {
    (void)state;
    rc_mla_args good = {.batch = 1, .max_len = 64, .heads = 16};
    rc_mla_args bad[] = {good, good, good, good, good, good};
    bad[0].heads = 4;
    bad[1].heads = 12;
    bad[2].heads = 96;
    bad[3].batch = 0;
    bad[4].max_len = -1;
    bad[5].scale = -1;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(rc_mla_decode(&bad[i], NULL), RC_KERNEL_EINVAL);
    assert_int_equal(rc_mla_decode(NULL, NULL), RC_KERNEL_EINVAL);
}

int main(void) {
    need_gpu("decode over latents", "mla");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_random), cmocka_unit_test(test_rising),
                                       cmocka_unit_test(test_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
