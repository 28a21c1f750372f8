/* Products through cuBLASLt against fp64 on sampled rows, in bf16 and in e4m3 with scales of rows and of blocks: that
 * the scales lie as calib/cublaslt.h says, and that the library multiplies by them. Outputs are NaN beforehand. A few
 * rows are among them, for under scales of blocks the library takes fours.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"
#include "calib/cublaslt.h"
#include "kernels/experts.h"

enum { SAMPLE = 16 };

typedef struct Product {
    rc_cublaslt_shape shape;
    int64_t rows; /* of x and y */
    void *x, *w;
    float *x_scale, *w_scale; /* device; e4m3 alone */
    float *host_x, *host_w;   /* scaled */
} Product;

static int64_t blocks_of(int64_t n) {
    return (n + RC_SCALE_BLOCK - 1) / RC_SCALE_BLOCK;
}

/* Bytes of e4m3 of normal numbers that reach 448 in every row; their own scales are dropped. */
static void *normal_e4m3(int64_t rows, int64_t k, uint64_t seed) {
    void *x = device_normal(rows * k, seed, 1), *x8 = device_poison((size_t)(rows * k));
    float *unused = device_poison((size_t)rows * 4);
    CUDA_OK(rc_quantize_fp8(x, x8, unused, rows, (int)k, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    CUDA_OK(cudaFree(x));
    CUDA_OK(cudaFree(unused));
    return x8;
}

/* Scales that differ by up to eight times. */
static float *random_scales(int64_t n, uint64_t *random) {
    float *s = malloc((size_t)n * 4);
    assert_non_null(s);
    for (int64_t i = 0; i < n; i++)
        s[i] = 1e-3f * (float)uniform(random, 1, 8);
    return s;
}

/* One scale for every row; tensorwise: that of the first for all. */
static void scale_rows(float *x, int64_t rows, int64_t k, const float *scale, bool tensorwise) {
    for (int64_t i = 0; i < rows * k; i++)
        x[i] *= scale[tensorwise ? 0 : i / k];
}

static void make_rows(Product *p, uint64_t *random) {
    const int64_t n = p->shape.n, k = p->shape.k;
    float *x = random_scales(p->rows, random), *w = random_scales(n, random);
    p->x_scale = device_copy(x, (size_t)p->rows * 4);
    p->w_scale = device_copy(w, (size_t)n * 4);
    p->x = normal_e4m3(p->rows, k, next_random(random));
    p->w = normal_e4m3(n, k, next_random(random));
    p->host_x = host_bytes(p->x, p->rows * k, 1);
    p->host_w = host_bytes(p->w, n * k, 1);
    free(x), free(w);
}

static void make_blocks(Product *p, uint64_t *random) {
    const int64_t n = p->shape.n, k = p->shape.k, deep = (blocks_of(k) + 3) / 4 * 4;
    void *x = device_normal(p->rows * k, next_random(random), 1);
    float *w = random_scales(blocks_of(n) * deep, random);
    p->x = device_poison((size_t)(p->rows * k));
    p->x_scale = device_poison((size_t)(blocks_of(k) * p->rows) * 4);
    CUDA_OK(rc_quantize_fp8_blocks(x, p->x, p->x_scale, p->rows, p->rows, (int)k, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    p->w = normal_e4m3(n, k, next_random(random));
    p->w_scale = device_copy(w, (size_t)(blocks_of(n) * deep) * 4);
    p->host_x = host_bytes(p->x, p->rows * k, 1);
    p->host_w = host_bytes(p->w, n * k, 1);
    float *s = host_copy(p->x_scale, (size_t)(blocks_of(k) * p->rows) * 4);
    for (int64_t i = 0; i < p->rows * k; i++)
        p->host_x[i] *= s[i % k / RC_SCALE_BLOCK * p->rows + i / k];
    for (int64_t i = 0; i < n * k; i++)
        p->host_w[i] *= w[i / k / RC_SCALE_BLOCK * deep + i % k / RC_SCALE_BLOCK];
    free(s), free(w);
    CUDA_OK(cudaFree(x));
}

static void make(Product *p, uint64_t *random) {
    const int64_t n = p->shape.n, k = p->shape.k;
    p->rows = rc_product_rows(p->shape.type, p->shape.m);
    if (p->shape.type == RC_PRODUCT_FP8) {
        make_rows(p, random);
    } else if (p->shape.type == RC_PRODUCT_FP8_BLOCK) {
        make_blocks(p, random);
    } else {
        p->x = device_normal(p->rows * k, next_random(random), 1);
        p->w = device_normal(n * k, next_random(random), 1);
        p->host_x = host_floats(p->x, p->rows * k);
        p->host_w = host_floats(p->w, n * k);
    }
}

static void free_product(Product *p) {
    void *all[] = {p->x, p->w, p->x_scale, p->w_scale};
    for (int i = 0; i < 4; i++)
        CUDA_OK(cudaFree(all[i]));
    free(p->host_x), free(p->host_w);
}

typedef struct Reference {
    const Product *p;
    int64_t rows[SAMPLE];
    double *want;
} Reference;

static void reference_row(void *context, int64_t i) {
    const Reference *r = context;
    const int first = 0;
    rc_grouped_reference(r->p->host_x, r->p->host_w, &r->rows[i], &first, 1, r->p->shape.n,
                         r->p->shape.k, r->want + i * r->p->shape.n);
}

static void compare(const Product *p, const uint16_t *y, uint64_t *random, Worst *worst) {
    const int64_t m = p->shape.m, n = p->shape.n, count = m < SAMPLE ? m : SAMPLE;
    Reference r = {.p = p, .want = malloc((size_t)(SAMPLE * n) * sizeof(double))};
    float *got = malloc((size_t)n * sizeof *got);
    Sums sums = {0, 0};
    assert_non_null(r.want);
    assert_non_null(got);
    for (int64_t i = 0; i < count; i++)
        r.rows[i] = m <= SAMPLE ? i : i == 0 ? m - 1 : uniform(random, 0, m - 1);
    parallel(count, reference_row, &r);
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = 0; j < n; j++)
            got[j] = from_bf16(y[r.rows[i] * n + j]);
        add_row(&sums, got, r.want + i * n, n);
    }
    double error = relative(sums);
    if (!(error <= 4e-3)) {
        printf("m %lld n %lld k %lld type %d: error %.2e\n", (long long)m, (long long)n,
               (long long)p->shape.k, (int)p->shape.type, error);
        fail();
    }
    worst->error = fmax(worst->error, error);
    worst->shapes++;
    free(r.want), free(got);
}

/* What the library has no algorithm for is counted, not failed: *refused. */
static void check(rc_cublaslt *lt, const rc_cublaslt_shape *shape, uint64_t *random, Worst *worst,
                  int *refused) {
    Product p = {.shape = *shape};
    rc_cublaslt_plan_info info = {0};
    rc_error err = {0};
    make(&p, random);
    const size_t bytes = (size_t)(p.rows * shape->n) * 2;
    void *y = device_poison(bytes + 4096);
    rc_cublaslt_scales(lt, p.x_scale, p.w_scale);
    rc_status st = rc_cublaslt_prepare(lt, shape, p.x, p.w, y, NULL, &info, &err);
    if (st == RC_E_UNMODELLED) {
        ++*refused;
    } else {
        assert_int_equal(st, RC_OK);
        CUDA_OK(cudaMemset(y, 0xff, bytes));
        assert_int_equal(rc_cublaslt_launch(lt, shape, p.x, p.w, y, NULL, &err), RC_OK);
        CUDA_OK(cudaDeviceSynchronize());
        if (shape->type == RC_PRODUCT_FP8) {
            float *x = host_copy(p.x_scale, (size_t)p.rows * 4);
            float *w = host_copy(p.w_scale, (size_t)shape->n * 4);
            scale_rows(p.host_x, p.rows, shape->k, x, info.tensorwise);
            scale_rows(p.host_w, shape->n, shape->k, w, info.tensorwise);
            free(x), free(w);
        }
        uint16_t *got = host_copy(y, bytes);
        compare(&p, got, random, worst);
        assert_true(still_poison((char *)y + bytes, 4096));
        free(got);
    }
    CUDA_OK(cudaFree(y));
    free_product(&p);
}

static const rc_product_type types[] = {RC_PRODUCT_BF16, RC_PRODUCT_FP8, RC_PRODUCT_FP8_BLOCK};
static const char *const names[] = {"product, bf16", "product, e4m3",
                                    "product, e4m3 with scales of blocks"};

/* A handle of its own for each case: plans remember the scales that they were made with. */
static void run(const rc_cublaslt_shape *shape, uint64_t *random, Worst *worst, int *refused) {
    rc_cublaslt *lt = NULL;
    rc_error err = {0};
    assert_int_equal(rc_cublaslt_open(&lt, &err), RC_OK);
    check(lt, shape, random, worst, refused);
    rc_cublaslt_close(lt);
}

static bool multiplies(rc_product_type t) {
    const char *family = t == RC_PRODUCT_FP8_BLOCK ? "fp8-block" : "gemm";
    return rc_capability_in(rc_capability_of(family, t == RC_PRODUCT_FP8), gpu_capability());
}

static void test_random(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 31), random = seed;
    Worst worst[3] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
    int refused[3] = {0, 0, 0}, cases = random_cases(60);
    for (int i = 0; i < cases; i++) {
        const rc_cublaslt_shape s = {.m = any_size(&random, 1, 700),
                                     .n = 64 * any_size(&random, 1, 24),
                                     .k = 64 * any_size(&random, 1, 32),
                                     .type = types[i % 3]};
        if (multiplies(s.type))
            run(&s, &random, &worst[i % 3], &refused[i % 3]);
    }
    for (int t = 0; t < 3; t++) {
        report(names[t], &worst[t], seed);
        printf("%s: the library refused %d\n", names[t], refused[t]);
    }
}

/* Shapes of DeepSeek-V3, Kimi K2 and Qwen3-235B on eight GPUs: none may be refused. */
static void test_models(void **state) {
    (void)state;
    static const int64_t nk[][2] = {{2112, 7168}, {3072, 1536}, {7168, 256}, {1280, 4096}};
    static const int64_t rows[] = {1, 6, 64, 1000};
    uint64_t random = 32;
    Worst worst[3] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
    int refused = 0;
    for (int i = 0; i < 48; i++) {
        const rc_cublaslt_shape s = {
            .m = rows[i / 3 % 4], .n = nk[i / 12][0], .k = nk[i / 12][1], .type = types[i % 3]};
        if (multiplies(s.type))
            run(&s, &random, &worst[i % 3], &refused);
    }
    for (int t = 0; t < 3; t++)
        report(names[t], &worst[t], 32);
    assert_int_equal(refused, 0);
}

int main(void) {
    char version[48];
    need_gpu("test_gpu_products", "gemm");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_models)};
    rc_cublaslt_version(version, sizeof version);
    printf("library %s\n", version);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
