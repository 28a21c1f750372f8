/* Products of experts against fp64 on sampled rows: any number of experts, of rows of each (none, among
 * them), of columns and of inputs, in bf16 and e4m3. Outputs are NaN beforehand; rows of no expert stay so.
 * Each case runs twice and must agree to the bit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"
#include "kernels/experts.h"

enum { SAMPLE = 24 };

typedef struct Case {
    int64_t rows, used, n, k; /* used: rows that belong to an expert */
    int experts, dtype, sms;
    int32_t first[RC_EXPERTS_MAX + 1];
    void *x, *w, *first_device;
    float *x_scale, *w_scale; /* device; e4m3 alone */
    int64_t stride;           /* of x_scale under scales of blocks */
    float *host_x, *host_w;
} Case;

/* Rows over the experts: evenly, or with few for most. */
static void deal(Case *c, uint64_t *random) {
    bool skewed = uniform(random, 0, 2) == 0;
    int64_t at = 0;
    for (int e = 0; e < c->experts; e++) {
        int64_t even = c->used / c->experts + 1;
        int64_t mine = skewed ? any_size(random, 1, 4 * even) - 1 : uniform(random, 0, 2 * even);
        mine = e == c->experts - 1 ? c->used - at : mine;
        c->first[e] = (int32_t)at;
        at = at + mine > c->used ? c->used : at + mine;
    }
    c->first[c->experts] = (int32_t)c->used;
}

static float *e4m3_floats(const void *x8, const float *scale, int64_t rows, int64_t k) {
    float *f = host_bytes(x8, rows * k, 1), *s = host_copy(scale, (size_t)rows * 4);
    for (int64_t i = 0; i < rows * k; i++)
        f[i] *= s[i / k];
    free(s);
    return f;
}

/* Normal numbers, in e4m3 with a scale a row where asked for. */
static void *operand(int dtype, int64_t rows, int64_t k, uint64_t seed, float **scale,
                     float **host) {
    void *x = device_normal(rows * k, seed, 1);
    if (dtype == RC_KERNEL_BF16) {
        *host = host_floats(x, rows * k);
        return x;
    }
    void *x8 = device_poison((size_t)(rows * k) + 65536);
    *scale = device_poison((size_t)rows * 4);
    CUDA_OK(rc_quantize_fp8(x, x8, *scale, rows, (int)k, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    *host = e4m3_floats(x8, *scale, rows, k);
    CUDA_OK(cudaFree(x));
    return x8;
}

static int64_t blocks_of(int64_t n) {
    return (n + RC_SCALE_BLOCK - 1) / RC_SCALE_BLOCK;
}

/* Rows with a scale for each 128 of k, which lie `stride` apart from block to block. */
static void *blocks_of_rows(Case *c, uint64_t seed) {
    int64_t n = c->rows * c->k;
    void *x = device_normal(n, seed, 1), *x8 = device_poison((size_t)n + 65536);
    c->x_scale = device_poison((size_t)(blocks_of(c->k) * c->stride) * 4);
    CUDA_OK(rc_quantize_fp8_blocks(x, x8, c->x_scale, c->stride, c->rows, (int)c->k, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    c->host_x = host_bytes(x8, n, 1);
    float *s = host_copy(c->x_scale, (size_t)(blocks_of(c->k) * c->stride) * 4);
    for (int64_t i = 0; i < n; i++)
        c->host_x[i] *= s[i % c->k / RC_SCALE_BLOCK * c->stride + i / c->k];
    free(s);
    CUDA_OK(cudaFree(x));
    return x8;
}

/* Matrices of e4m3 under scales of 128 x 128 that differ by up to eight times. */
static void *blocks_of_matrices(Case *c, uint64_t *random) {
    int64_t n = c->experts * c->n * c->k, high = blocks_of(c->n), wide = blocks_of(c->k);
    void *w = device_normal(n, next_random(random), 1), *w8 = device_poison((size_t)n + 65536);
    float *unused = device_poison((size_t)(c->experts * c->n) * 4);
    CUDA_OK(rc_quantize_fp8(w, w8, unused, c->experts * c->n, (int)c->k, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    float *s = malloc((size_t)(c->experts * high * wide) * 4);
    assert_non_null(s);
    for (int64_t i = 0; i < c->experts * high * wide; i++)
        s[i] = 1e-3f * (float)uniform(random, 1, 8);
    c->host_w = host_bytes(w8, n, 1);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = i / c->k % c->n, e = i / c->k / c->n;
        c->host_w[i] *= s[(e * high + row / RC_SCALE_BLOCK) * wide + i % c->k / RC_SCALE_BLOCK];
    }
    c->w_scale = device_copy(s, (size_t)(c->experts * high * wide) * 4);
    free(s);
    CUDA_OK(cudaFree(w));
    CUDA_OK(cudaFree(unused));
    return w8;
}

static void make(Case *c, uint64_t *random) {
    deal(c, random);
    if (c->dtype == RC_KERNEL_E4M3_BLOCKS) {
        c->stride = c->rows + uniform(random, 0, 7);
        c->x = blocks_of_rows(c, next_random(random));
        c->w = blocks_of_matrices(c, random);
    } else {
        c->x = operand(c->dtype, c->rows, c->k, next_random(random), &c->x_scale, &c->host_x);
        c->w = operand(c->dtype, c->experts * c->n, c->k, next_random(random), &c->w_scale,
                       &c->host_w);
    }
    c->first_device = device_poison(sizeof c->first);
    CUDA_OK(cudaMemcpy(c->first_device, c->first, sizeof c->first, cudaMemcpyHostToDevice));
}

static uint16_t *run_once(const Case *c) {
    void *y = device_poison((size_t)((c->rows + 8) * c->n) * 2);
    rc_grouped_args a = {.x = c->x,
                         .w = c->w,
                         .y = y,
                         .first = c->first_device,
                         .x_scale = c->x_scale,
                         .w_scale = c->w_scale,
                         .rows = c->rows,
                         .n = c->n,
                         .k = c->k,
                         .experts = c->experts,
                         .dtype = c->dtype,
                         .sms = c->sms,
                         .scale_stride = c->stride};
    CUDA_OK(rc_grouped_gemm(&a, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    uint16_t *host = host_copy(y, (size_t)(c->used * c->n) * 2);
    assert_true(
        still_poison((char *)y + c->used * c->n * 2, (size_t)((c->rows + 8 - c->used) * c->n) * 2));
    CUDA_OK(cudaFree(y));
    return host;
}

typedef struct Reference {
    const Case *c;
    int64_t rows[SAMPLE];
    int expert[SAMPLE];
    double *want;
} Reference;

static void reference_row(void *context, int64_t i) {
    Reference *r = context;
    rc_grouped_reference(r->c->host_x, r->c->host_w, &r->rows[i], &r->expert[i], 1, r->c->n,
                         r->c->k, r->want + i * r->c->n);
}

/* The first and last rows of experts, where tiles begin and end, and others. */
static int64_t sample(const Case *c, uint64_t *random, Reference *r) {
    int64_t n = c->used < SAMPLE ? c->used : SAMPLE;
    for (int64_t i = 0; i < n; i++) {
        int e = (int)uniform(random, 0, c->experts - 1);
        int64_t row = i % 3 == 0   ? c->first[e]
                      : i % 3 == 1 ? c->first[e + 1] - 1
                                   : uniform(random, 0, c->used - 1);
        row = row < 0 ? 0 : row >= c->used ? c->used - 1 : row;
        for (e = 0; row >= c->first[e + 1];)
            e++;
        r->rows[i] = row;
        r->expert[i] = e;
    }
    return n;
}

static void compare(const Case *c, const uint16_t *y, uint64_t *random, Worst *worst) {
    Reference r = {.c = c, .want = malloc((size_t)(SAMPLE * c->n) * sizeof(double))};
    assert_non_null(r.want);
    int64_t n = sample(c, random, &r);
    parallel(n, reference_row, &r);
    Sums sums = {0, 0};
    float *got = malloc((size_t)c->n * sizeof *got);
    assert_non_null(got);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < c->n; j++)
            got[j] = from_bf16(y[r.rows[i] * c->n + j]);
        add_row(&sums, got, r.want + i * c->n, c->n);
    }
    double error = relative(sums);
    if (!(error <= 4e-3)) {
        printf("rows %lld of %lld, n %lld, k %lld, experts %d, dtype %d: error %.2e\n",
               (long long)c->used, (long long)c->rows, (long long)c->n, (long long)c->k, c->experts,
               c->dtype, error);
        fail();
    }
    worst->shapes++;
    worst->error = fmax(worst->error, error);
    free(r.want), free(got);
}

static void check(Case *c, uint64_t *random, Worst *worst) {
    make(c, random);
    uint16_t *y = run_once(c), *again = run_once(c);
    assert_memory_equal(y, again, (size_t)(c->used * c->n) * 2);
    compare(c, y, random, worst);
    free(y), free(again), free(c->host_x), free(c->host_w);
    void *all[] = {c->x, c->w, c->first_device, c->x_scale, c->w_scale};
    for (int i = 0; i < 5; i++)
        CUDA_OK(cudaFree(all[i]));
}

static void test_random(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 11), random = seed;
    static const int types[] = {RC_KERNEL_BF16, RC_KERNEL_E4M3, RC_KERNEL_E4M3_BLOCKS};
    Worst worst[3] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
    for (int i = random_cases(90); i > 0; i--) {
        Case c = {.dtype = types[i % 3]};
        c.experts = (int)any_size(&random, 1, i % 8 ? 24 : RC_EXPERTS_MAX);
        c.n = 8 * any_size(&random, 1, i % 8 ? 160 : 16);
        c.k = 16 * any_size(&random, 1, i % 8 ? 100 : 16);
        c.rows = any_size(&random, 1, 3000);
        c.used = i % 5 ? c.rows : uniform(&random, 1, c.rows);
        c.sms = i % 4 ? 0 : (int)uniform(&random, 1, 140);
        check(&c, &random, &worst[i % 3]);
    }
    report("grouped product, bf16", &worst[0], seed);
    report("grouped product, e4m3", &worst[1], seed);
    report("grouped product, e4m3 with scales of blocks", &worst[2], seed);
}

/* Products of DeepSeek-V3 on eight GPUs and of Mixtral. */
static void test_large(void **state) {
    (void)state;
    static const int64_t all[][4] = {
        {32, 2000, 4096, 7168}, {32, 6, 7168, 2048}, {8, 5000, 2048, 6144}};
    uint64_t random = 12;
    Worst worst = {0, 0, 0};
    for (int i = 0; i < 9; i++) {
        const int64_t *s = all[i / 3];
        Case c = {.experts = (int)s[0], .rows = s[1], .used = s[1], .n = s[2], .k = s[3]};
        c.dtype = i % 3; /* all of them */
        check(&c, &random, &worst);
    }
    report("grouped product, large", &worst, 12);
}

static void test_refusals(void **state) {
    (void)state;
    rc_grouped_args a = {.rows = 1, .n = 12, .k = 8, .experts = 1};
    assert_int_equal(rc_grouped_gemm(&a, NULL), RC_KERNEL_EINVAL);
    a.n = 16, a.k = 12;
    assert_int_equal(rc_grouped_gemm(&a, NULL), RC_KERNEL_EINVAL);
    a.k = 8, a.dtype = RC_KERNEL_E4M3;
    assert_int_equal(rc_grouped_gemm(&a, NULL), RC_KERNEL_EINVAL);
    a.k = 16, a.dtype = RC_KERNEL_E4M3_BLOCKS; /* no room between the scales of two blocks */
    assert_int_equal(rc_grouped_gemm(&a, NULL), RC_KERNEL_EINVAL);
    a.dtype = RC_KERNEL_E4M3, a.experts = RC_EXPERTS_MAX + 1;
    assert_int_equal(rc_grouped_gemm(&a, NULL), RC_KERNEL_EINVAL);
    a.experts = 1, a.rows = 0;
    assert_int_equal(rc_grouped_gemm(&a, NULL), 0);
}

int main(void) {
    need_gpu("test_gpu_grouped", "grouped");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_large),
                                       cmocka_unit_test(test_refusals)};
    printf("kernel %s\n", rc_kernel_version("grouped"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
