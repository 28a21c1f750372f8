/* The choice of experts against double precision, and rows to their experts and back, over random shapes.
 *
 * A token whose best scores lie within 1e-5 of each other may be decided either way and is left out. What
 * the GPU chose decides the rows, to the bit: those of an expert in the order of their tokens.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"
#include "kernels/experts.h"

static const double CLOSE = 1e-5;

typedef struct Chosen {
    int32_t *chosen, *place, *first;
    float *weight;
} Chosen;

static size_t pairs(const rc_route_args *a) {
    return (size_t)a->tokens * (size_t)a->top_k;
}

static int here(const rc_route_args *a) {
    return a->here > 0 ? a->here : a->experts;
}

static rc_route_args random_route(uint64_t *random, int64_t most) {
    static const int groups[] = {1, 2, 4, 8};
    rc_route_args a = {.tokens = any_size(random, 1, most), .sigmoid = (int)uniform(random, 0, 1)};
    a.groups = groups[uniform(random, 0, 3)];
    a.experts = a.groups * (int)any_size(random, 2, RC_EXPERTS_MAX / a.groups);
    a.kept = (int)uniform(random, 1, a.groups);
    int most_k = a.experts / a.groups * a.kept;
    a.top_k =
        (int)uniform(random, 1, most_k < RC_EXPERTS_TOP_K_MAX ? most_k : RC_EXPERTS_TOP_K_MAX);
    a.normalise = (int)uniform(random, 0, 1);
    a.scale = uniform(random, 0, 1) ? 2.5f : 0.f;
    if (uniform(random, 0, 1)) {
        a.here = (int)uniform(random, 1, a.experts);
        a.from = (int)uniform(random, 0, a.experts - a.here);
    }
    return a;
}

static float *normals(size_t n, double sigma, uint64_t *random) {
    float *f = malloc(n * sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        f[i] = (float)(sigma * normal(random));
    return f;
}

static void *to_device(const void *host, size_t bytes) {
    void *p = device_poison(bytes);
    CUDA_OK(cudaMemcpy(p, host, bytes, cudaMemcpyHostToDevice));
    return p;
}

static Chosen run_route(rc_route_args a, const float *logits, const float *bias) {
    void *l = to_device(logits, (size_t)(a.tokens * a.experts) * 4);
    void *b = bias ? to_device(bias, (size_t)a.experts * 4) : NULL;
    a.logits = l;
    a.bias = b;
    a.chosen = device_poison(4 * pairs(&a));
    a.weight = device_poison(4 * pairs(&a));
    a.place = device_poison(4 * pairs(&a));
    a.first = device_poison(4 * (size_t)(here(&a) + 1));
    a.workspace = device_poison(rc_route_workspace(&a));
    CUDA_OK(rc_route(&a, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    Chosen c = {host_copy(a.chosen, 4 * pairs(&a)), host_copy(a.place, 4 * pairs(&a)),
                host_copy(a.first, 4 * (size_t)(here(&a) + 1)), host_copy(a.weight, 4 * pairs(&a))};
    void *all[] = {l, b, a.chosen, a.weight, a.place, a.first, a.workspace};
    for (int i = 0; i < 7; i++)
        CUDA_OK(cudaFree(all[i]));
    return c;
}

static void free_chosen(Chosen c) {
    free(c.chosen), free(c.place), free(c.first), free(c.weight);
}

static void check_choice(const rc_route_args *a, const Chosen *got, const Chosen *want,
                         const double *margin, Worst *worst) {
    for (int64_t t = 0; t < a->tokens; t++)
        for (int j = 0; j < a->top_k && margin[t] > CLOSE; j++) {
            int64_t i = t * a->top_k + j;
            double e = fabs((double)got->weight[i] - (double)want->weight[i]);
            if (got->chosen[i] != want->chosen[i] ||
                !(e <= 1e-5 + 1e-5 * fabs((double)want->weight[i]))) {
                printf("tokens %lld experts %d of %d groups %d kept %d: token %lld choice %d is "
                       "%d, not %d; "
                       "weight %g, not %g\n",
                       (long long)a->tokens, a->top_k, a->experts, a->groups, a->kept, (long long)t,
                       j, got->chosen[i], want->chosen[i], (double)got->weight[i],
                       (double)want->weight[i]);
                fail();
            }
            worst->error = fmax(worst->error, e);
        }
    worst->shapes++;
}

/* Rows of the choices that the GPU made. */
static void check_rows(const rc_route_args *a, const Chosen *got) {
    int from = a->here > 0 ? a->from : 0;
    int32_t row = 0;
    for (int e = 0; e < here(a); e++) {
        assert_int_equal(got->first[e], row);
        for (size_t i = 0; i < pairs(a); i++)
            if (got->chosen[i] == from + e)
                assert_int_equal(got->place[i], row++);
    }
    assert_int_equal(got->first[here(a)], row);
    for (size_t i = 0; i < pairs(a); i++)
        if (got->chosen[i] < from || got->chosen[i] >= from + here(a))
            assert_int_equal(got->place[i], -1);
}

static void test_route(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 21), random = seed;
    Worst worst = {0, 0, 0};
    for (int c = random_cases(80); c > 0; c--) {
        rc_route_args a = random_route(&random, c % 8 ? 500 : 6000);
        float *logits = normals((size_t)(a.tokens * a.experts), 2, &random);
        float *bias = uniform(&random, 0, 1) ? normals((size_t)a.experts, 0.01, &random) : NULL;
        double *margin = malloc((size_t)a.tokens * sizeof *margin);
        Chosen got = run_route(a, logits, bias), again = run_route(a, logits, bias);
        Chosen want = {malloc(4 * pairs(&a)), malloc(4 * pairs(&a)),
                       malloc(4 * (size_t)(here(&a) + 1)), malloc(4 * pairs(&a))};
        assert_non_null(margin);
        rc_route_args r = a;
        r.logits = logits, r.bias = bias, r.chosen = want.chosen, r.weight = want.weight;
        r.place = want.place, r.first = want.first;
        rc_route_reference(&r, margin);
        check_choice(&a, &got, &want, margin, &worst);
        check_rows(&a, &got);
        check_rows(&a, &want);
        assert_memory_equal(got.place, again.place, 4 * pairs(&a));
        assert_memory_equal(got.weight, again.weight, 4 * pairs(&a));
        free_chosen(got), free_chosen(again), free_chosen(want);
        free(logits), free(bias), free(margin);
    }
    report("choice of experts", &worst, seed);
}

/* ---- moving rows ------------------------------------------------------------------------------- */

/* Places of tokens' pairs: a permutation, some of it not here. Returns how many rows there are. */
static int64_t random_places(int32_t *place, int64_t n, uint64_t *random) {
    int64_t rows = 0;
    for (int64_t i = 0; i < n; i++)
        place[i] = uniform(random, 0, 5) ? (int32_t)rows++ : -1;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = uniform(random, 0, i);
        int32_t x = place[i];
        place[i] = place[j];
        place[j] = x;
    }
    return rows;
}

static void check_permuted(const uint16_t *x, const int32_t *place, const uint16_t *out,
                           int64_t tokens, int k, int64_t d) {
    for (int64_t i = 0; i < tokens * k; i++)
        if (place[i] >= 0)
            assert_memory_equal(out + place[i] * d, x + i / k * d, (size_t)d * 2);
}

static void check_permuted_fp8(const void *x, const int32_t *place, const void *out8,
                               const float *scale, int64_t tokens, int k, int64_t d, int64_t rows) {
    void *y8 = device_poison((size_t)(tokens * d));
    float *s = device_poison((size_t)tokens * 4);
    CUDA_OK(rc_quantize_fp8(x, y8, s, tokens, (int)d, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    uint8_t *want = host_copy(y8, (size_t)(tokens * d)), *got = host_copy(out8, (size_t)(rows * d));
    float *want_scale = host_copy(s, (size_t)tokens * 4),
          *got_scale = host_copy(scale, (size_t)rows * 4);
    for (int64_t i = 0; i < tokens * k; i++)
        if (place[i] >= 0) {
            assert_memory_equal(got + place[i] * d, want + i / k * d, (size_t)d);
            assert_memory_equal(got_scale + place[i], want_scale + i / k, 4);
        }
    free(want), free(got), free(want_scale), free(got_scale);
    CUDA_OK(cudaFree(y8));
    CUDA_OK(cudaFree(s));
}

static void check_permuted_blocks(const void *x, const int32_t *place, const void *out8,
                                  const float *scale, int64_t tokens, int k, int64_t d,
                                  int64_t rows) {
    const int64_t blocks = (d + RC_SCALE_BLOCK - 1) / RC_SCALE_BLOCK;
    void *y8 = device_poison((size_t)(tokens * d));
    float *s = device_poison((size_t)(blocks * tokens) * 4);
    CUDA_OK(rc_quantize_fp8_blocks(x, y8, s, tokens, tokens, (int)d, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    uint8_t *want = host_copy(y8, (size_t)(tokens * d)), *got = host_copy(out8, (size_t)(rows * d));
    float *want_scale = host_copy(s, (size_t)(blocks * tokens) * 4);
    float *got_scale = host_copy(scale, (size_t)(blocks * rows) * 4);
    for (int64_t i = 0; i < tokens * k; i++)
        if (place[i] >= 0) {
            assert_memory_equal(got + place[i] * d, want + i / k * d, (size_t)d);
            for (int64_t b = 0; b < blocks; b++)
                assert_memory_equal(got_scale + b * rows + place[i],
                                    want_scale + b * tokens + i / k, 4);
        }
    free(want), free(got), free(want_scale), free(got_scale);
    CUDA_OK(cudaFree(y8));
    CUDA_OK(cudaFree(s));
}

static void check_back(const float *z, const int32_t *place, const float *weight, const void *y,
                       int64_t tokens, int k, int64_t d, Worst *worst) {
    float *got = host_floats(y, tokens * d);
    double *want = calloc((size_t)(tokens * d), sizeof *want);
    assert_non_null(want);
    for (int64_t i = 0; i < tokens * k; i++)
        for (int64_t c = 0; place[i] >= 0 && c < d; c++)
            want[i / k * d + c] += (double)weight[i] * (double)z[place[i] * d + c];
    Sums sums = {0, 0};
    add_row(&sums, got, want, tokens * d);
    double error = relative(sums);
    assert_true(error <= 4e-3);
    worst->error = fmax(worst->error, error);
    worst->shapes++;
    free(got), free(want);
}

static void test_move(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 22), random = seed;
    Worst worst = {0, 0, 0};
    for (int c = random_cases(60); c > 0; c--) {
        int64_t d = 8 * any_size(&random, 1, 2048), tokens = any_size(&random, 1, 400000 / d + 1);
        int k = (int)uniform(&random, 1, RC_EXPERTS_TOP_K_MAX);
        int32_t *place = malloc((size_t)(tokens * k) * 4);
        assert_non_null(place);
        int64_t rows = random_places(place, tokens * k, &random);
        float *weight = normals((size_t)(tokens * k), 1, &random);
        void *x = device_normal(tokens * d, next_random(&random), 1),
             *out = device_poison((size_t)(rows * d + 64) * 2);
        void *out8 = device_poison((size_t)(rows * d + 64)),
             *y = device_poison((size_t)(tokens * d) * 2);
        float *scale =
            device_poison((size_t)((d + RC_SCALE_BLOCK - 1) / RC_SCALE_BLOCK * rows) * 4);
        void *p = to_device(place, (size_t)(tokens * k) * 4),
             *w = to_device(weight, (size_t)(tokens * k) * 4);
        CUDA_OK(rc_permute(x, p, out, NULL, tokens, k, d, NULL));
        CUDA_OK(rc_permute(x, p, out8, scale, tokens, k, d, NULL));
        CUDA_OK(rc_unpermute(out, p, w, y, tokens, k, d, NULL));
        CUDA_OK(cudaDeviceSynchronize());
        assert_true(still_poison((char *)out + rows * d * 2, 128));
        uint16_t *host_x = host_copy(x, (size_t)(tokens * d) * 2),
                 *host_out = host_copy(out, (size_t)(rows * d) * 2);
        float *z = host_floats(out, rows * d);
        check_permuted(host_x, place, host_out, tokens, k, d);
        check_permuted_fp8(x, place, out8, scale, tokens, k, d, rows);
        CUDA_OK(rc_permute_blocks(x, p, out8, scale, rows, tokens, k, d, NULL));
        CUDA_OK(cudaDeviceSynchronize());
        check_permuted_blocks(x, place, out8, scale, tokens, k, d, rows);
        check_back(z, place, weight, y, tokens, k, d, &worst);
        free(place), free(weight), free(host_x), free(host_out), free(z);
        void *all[] = {x, out, out8, y, scale, p, w};
        for (int i = 0; i < 7; i++)
            CUDA_OK(cudaFree(all[i]));
    }
    report("rows to experts and back", &worst, seed);
}

static void test_refusals(void **state) {
    (void)state;
    rc_route_args a = {.tokens = 1, .experts = 8, .top_k = 9};
    assert_int_equal(rc_route(&a, NULL), RC_KERNEL_EINVAL);
    a.top_k = 5, a.groups = 4, a.kept = 2;
    assert_int_equal(rc_route(&a, NULL), RC_KERNEL_EINVAL);
    a.top_k = 4, a.groups = 3;
    assert_int_equal(rc_route(&a, NULL), RC_KERNEL_EINVAL);
    assert_int_equal(rc_permute(NULL, NULL, NULL, NULL, 1, 1, 12, NULL), RC_KERNEL_EINVAL);
    assert_int_equal(rc_unpermute(NULL, NULL, NULL, NULL, 1, 17, 16, NULL), RC_KERNEL_EINVAL);
    assert_int_equal(rc_unpermute(NULL, NULL, NULL, NULL, 0, 1, 16, NULL), 0);
}

int main(void) {
    need_gpu("test_gpu_experts", "experts");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_route), cmocka_unit_test(test_move),
                                       cmocka_unit_test(test_refusals)};
    printf("kernel %s\n", rc_kernel_version("experts"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
