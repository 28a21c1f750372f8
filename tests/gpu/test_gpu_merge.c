/* Merge by log-sum-exp against fp64: 1 to 64 parts, empty parts (LSE = -inf, outputs NaN) among
 * them, rows that every part leaves empty. Outputs are NaN beforehand; each case runs twice and
 * must agree to the bit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"

enum { PARTS = 64 };
static const double MAX_ERROR = 4e-3, MAX_LSE = 1e-3;

typedef struct Case {
    int n, sms; /* sms: as in rc_merge */
    int64_t rows;
    void *o[PARTS];
    float *lse[PARTS], *host_o[PARTS], *host_lse[PARTS];
} Case;

/* LSE of a part: of any size, -inf one time in eight; rows divisible by 11 are empty everywhere. */
static void fill_lse(Case *c, int part, uint64_t *random) {
    float *lse = malloc((size_t)c->rows * 4 + 4);
    assert_non_null(lse);
    for (int64_t r = 0; r < c->rows; r++) {
        bool empty = r % 11 == 0 || uniform(random, 0, 7) == 0;
        lse[r] = empty ? -INFINITY : (float)(5 * normal(random));
        if (empty)
            CUDA_OK(cudaMemsetAsync((char *)c->o[part] + r * D * 2, 0xff, D * 2, NULL));
    }
    c->lse[part] = device_poison((size_t)c->rows * 4);
    CUDA_OK(cudaMemcpy(c->lse[part], lse, (size_t)c->rows * 4, cudaMemcpyHostToDevice));
    c->host_lse[part] = lse;
}

static uint16_t *run_once(const Case *c, float **lse, bool with_lse) {
    void *o = device_poison((size_t)(c->rows + GUARD_ROWS) * D * 2);
    float *l = device_poison((size_t)(c->rows + GUARD_ROWS) * 4);
    CUDA_OK(rc_merge((const void *const *)c->o, (const float *const *)c->lse, c->n, c->rows, o,
                     with_lse ? l : NULL, c->sms, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    uint16_t *host = host_copy(o, (size_t)c->rows * D * 2);
    *lse = host_copy(l, (size_t)c->rows * 4);
    assert_true(still_poison((char *)o + c->rows * D * 2, GUARD_ROWS * D * 2));
    assert_true(still_poison(l + (with_lse ? c->rows : 0), GUARD_ROWS * 4));
    CUDA_OK(cudaFree(o));
    CUDA_OK(cudaFree(l));
    return host;
}

static void compare(const Case *c, const uint16_t *o, const float *lse, Worst *worst) {
    double *want = malloc((size_t)c->rows * D * 8 + 8), *want_lse = malloc((size_t)c->rows * 8 + 8),
           top = 0;
    assert_non_null(want);
    assert_non_null(want_lse);
    rc_merge_reference((const float *const *)c->host_o, (const float *const *)c->host_lse, c->n,
                       c->rows, want, want_lse);
    Sums sums = {0, 0};
    for (int64_t r = 0; r < c->rows; r++) {
        float row[D];
        for (int d = 0; d < D; d++)
            row[d] = from_bf16(o[r * D + d]);
        add_row(&sums, row, want + r * D, D);
        top = fmax(top, lse_error(lse[r], want_lse[r]));
    }
    double error = relative(sums);
    if (!(error <= MAX_ERROR) || !(top <= MAX_LSE)) {
        printf("n %d rows %lld: error %.2e lse %.2e\n", c->n, (long long)c->rows, error, top);
        fail();
    }
    worst->shapes++;
    worst->error = fmax(worst->error, error);
    worst->lse = fmax(worst->lse, top);
    free(want), free(want_lse);
}

/* The same parts one at a time, on a few SMs or all. */
static void check_steps(const Case *c, Worst *worst, int sms) {
    void *o = device_poison((size_t)(c->rows + GUARD_ROWS) * D * 2);
    float *l = device_poison((size_t)(c->rows + GUARD_ROWS) * 4);
    float *acc = device_poison((size_t)(c->rows + GUARD_ROWS) * D * 4);
    float *acc_lse = device_poison((size_t)(c->rows + GUARD_ROWS) * 4);
    for (int i = 0; i < c->n; i++)
        CUDA_OK(rc_merge_step(c->o[i], c->lse[i], c->rows, i == 0, acc, acc_lse,
                              i == c->n - 1 ? o : NULL, l, sms, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    uint16_t *host = host_copy(o, (size_t)c->rows * D * 2);
    float *lse = host_copy(l, (size_t)c->rows * 4);
    assert_true(still_poison((char *)o + c->rows * D * 2, GUARD_ROWS * D * 2));
    assert_true(still_poison(acc + c->rows * D, GUARD_ROWS * D * 4));
    assert_true(still_poison(acc_lse + c->rows, GUARD_ROWS * 4));
    compare(c, host, lse, worst);
    free(host), free(lse);
    void *all[] = {o, l, acc, acc_lse};
    for (int i = 0; i < 4; i++)
        CUDA_OK(cudaFree(all[i]));
}

static void check_case(Case *c, uint64_t *random, Worst *worst, Worst *steps) {
    for (int i = 0; i < c->n; i++) {
        c->o[i] = device_normal(c->rows * D, next_random(random), 1);
        fill_lse(c, i, random);
        c->host_o[i] = host_floats(c->o[i], c->rows * D);
    }
    float *lse, *again_lse, *none;
    uint16_t *o = run_once(c, &lse, true), *again = run_once(c, &again_lse, true),
             *quiet = run_once(c, &none, false);
    assert_memory_equal(o, again, (size_t)c->rows * D * 2);
    assert_memory_equal(o, quiet, (size_t)c->rows * D * 2);
    assert_memory_equal(lse, again_lse, (size_t)c->rows * 4);
    compare(c, o, lse, worst);
    check_steps(c, steps, (int)uniform(random, 0, 20));
    free(o), free(again), free(quiet), free(lse), free(again_lse), free(none);
    for (int i = 0; i < c->n; i++) {
        free(c->host_o[i]), free(c->host_lse[i]);
        CUDA_OK(cudaFree(c->o[i]));
        CUDA_OK(cudaFree(c->lse[i]));
    }
}

static void test_random(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 6), random = seed;
    Worst worst = {0, 0, 0}, steps = {0, 0, 0};
    int cases = random_cases(500);
    for (int i = 0; i < cases; i++) {
        Case c = {.n = i < PARTS ? i + 1 : (int)uniform(&random, 1, PARTS)};
        c.sms = i % 3 ? 0 : (int)uniform(&random, 1, 140);
        c.rows = any_size(&random, 1, 5000);
        c.rows = c.rows * c.n > 20000 ? 20000 / c.n : c.rows;
        check_case(&c, &random, &worst, &steps);
    }
    report("merge", &worst, seed);
    report("merge, one at a time", &steps, seed);
}

static void test_refusals(void **state) {
    (void)state;
    const void *o[1] = {NULL};
    const float *lse[1] = {NULL};
    assert_int_equal(rc_merge(o, lse, 0, 1, NULL, NULL, 0, NULL), RC_KERNEL_EINVAL);
    assert_int_equal(rc_merge(o, lse, 65, 1, NULL, NULL, 0, NULL), RC_KERNEL_EINVAL);
    assert_int_equal(rc_merge(o, lse, 1, 0, NULL, NULL, 0, NULL), 0);
    assert_int_equal(rc_merge_step(NULL, NULL, 1, 1, NULL, NULL, NULL, NULL, 0, NULL),
                     RC_KERNEL_EINVAL);
    assert_string_equal(rc_kernel_version("merge"), "merge-2");
    assert_null(rc_kernel_version("nothing"));
}

int main(void) {
    need_gpu("test_gpu_merge", "merge");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_refusals)};
    printf("kernel %s\n", rc_kernel_version("merge"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
