/* The elementwise kernels against double-precision loops over random shapes, long and odd rows
 * among them.
 *
 * bf16 results to 4e-3 in the norm; fp8 results to half a step of e4m3 element by element, their
 * scales to 1e-5. Outputs are NaN beforehand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gpu_support.h"

static const double MAX_ERROR = 4e-3;

typedef struct Shape {
    int64_t t;
    int d;
} Shape;

static Shape random_shape(uint64_t *random, int longest) {
    Shape s = {any_size(random, 1, 600), 8 * (int)any_size(random, 1, longest / 8)};
    while (s.t > 1 && s.t * s.d > 1 << 20)
        s.t /= 2;
    return s;
}

static void check_bf16(const char *what, const void *device, const double *want, int64_t n,
                       Worst *worst) {
    float *got = host_floats(device, n);
    Sums sums = {0, 0};
    add_row(&sums, got, want, n);
    double error = relative(sums);
    if (!(error <= MAX_ERROR)) {
        printf("%s: n %lld error %.2e\n", what, (long long)n, error);
        fail();
    }
    worst->error = fmax(worst->error, error);
    free(got);
}

/* How scales lie: block b of row r, of `block` elements (the last may have fewer), has that at b * stride + r. */
typedef struct Scales {
    int block;
    int64_t stride;
} Scales;

/* Elements [from, to) of row r, whose scale is `by`. Half a step of e4m3 is 1/16 of the value, or 2^-10 among
 * the smallest; times the scale. */
static void check_block(const char *what, const uint8_t *y, double by, const double *want, Shape s,
                        int64_t r, int from, int to) {
    double top = 0;
    for (int i = from; i < to; i++)
        top = fmax(top, fabs(want[r * s.d + i]));
    if (!(fabs(by - top / 448) <= 1e-5 * top / 448 + 1e-30)) {
        printf("%s: t %lld d %d row %lld from %d: scale %g, not %g\n", what, (long long)s.t, s.d,
               (long long)r, from, by, top / 448);
        fail();
    }
    for (int i = from; i < to; i++) {
        double x = want[r * s.d + i], e = fabs((double)from_e4m3(y[r * s.d + i]) * by - x);
        if (!(e <= fabs(x) / 16 * 1.001 + by * 0x1p-10 * 1.01)) {
            printf("%s: t %lld d %d row %lld column %d: off by %g of %g\n", what, (long long)s.t,
                   s.d, (long long)r, i, e, x);
            fail();
        }
    }
}

static void check_scaled(const char *what, const void *y8, const float *scale, const double *want,
                         Shape s, Scales of) {
    const int blocks = (s.d + of.block - 1) / of.block;
    uint8_t *y = host_copy(y8, (size_t)(s.t * s.d));
    float *sc = host_copy(scale, (size_t)(blocks * of.stride) * 4);
    for (int64_t r = 0; r < s.t; r++)
        for (int b = 0; b < blocks; b++)
            check_block(what, y, (double)sc[b * of.stride + r], want, s, r, b * of.block,
                        (b + 1) * of.block < s.d ? (b + 1) * of.block : s.d);
    for (int b = 0; b < blocks; b++) /* what lies between the rows of two blocks is left alone */
        for (int64_t r = s.t; r < of.stride; r++)
            assert_true(isnan(sc[b * of.stride + r]));
    free(y), free(sc);
}

/* One scale a row. */
static void check_fp8(const char *what, const void *y8, const float *scale, const double *want,
                      Shape s) {
    check_scaled(what, y8, scale, want, s, (Scales){s.d, s.t});
}

static double *doubles(int64_t n) {
    double *p = calloc((size_t)n + 1, sizeof *p);
    assert_non_null(p);
    return p;
}

static void rmsnorm_want(double *y, const float *residual, const float *w, Shape s, double eps) {
    for (int64_t r = 0; r < s.t; r++) {
        double sum = 0;
        for (int i = 0; i < s.d; i++)
            sum += (double)residual[r * s.d + i] * (double)residual[r * s.d + i];
        for (int i = 0; i < s.d; i++)
            y[r * s.d + i] = (double)residual[r * s.d + i] / sqrt(sum / s.d + eps) * (double)w[i];
    }
}

static void test_rmsnorm(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 7), random = seed;
    Worst worst = {0, 0, 0};
    for (int c = random_cases(60); c > 0; c--) {
        Shape s = random_shape(&random, 32768);
        int64_t n = s.t * s.d;
        bool with_x = uniform(&random, 0, 3) != 0, fp8 = c % 2;
        void *residual = device_normal(n, next_random(&random), 2),
             *x = device_normal(n, next_random(&random), 1);
        void *w = device_normal(s.d, next_random(&random), 1), *y = device_poison((size_t)n * 2);
        float *scale = device_poison((size_t)s.t * 4), *before = host_floats(residual, n),
              *more = host_floats(x, n);
        double *want = doubles(n);
        for (int64_t i = 0; i < n; i++)
            want[i] = (double)before[i] + (with_x ? (double)more[i] : 0);
        if (fp8)
            CUDA_OK(
                rc_rmsnorm_fp8(residual, with_x ? x : NULL, w, y, scale, s.t, s.d, 1e-5f, NULL));
        else
            CUDA_OK(rc_rmsnorm(residual, with_x ? x : NULL, w, y, s.t, s.d, 1e-5f, NULL));
        CUDA_OK(cudaDeviceSynchronize());
        check_bf16("rmsnorm residual", residual, want, n, &worst);
        float *after = host_floats(residual, n), *weight = host_floats(w, s.d);
        rmsnorm_want(want, after, weight, s, (double)1e-5f);
        if (fp8)
            check_fp8("rmsnorm_fp8", y, scale, want, s);
        else
            check_bf16("rmsnorm", y, want, n, &worst);
        worst.shapes++;
        free(before), free(more), free(after), free(weight), free(want);
        cudaFree(residual), cudaFree(x), cudaFree(w), cudaFree(y), cudaFree(scale);
    }
    report("rmsnorm", &worst, seed);
}

static void test_swiglu_and_quantize(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 8), random = seed;
    Worst worst = {0, 0, 0};
    for (int c = random_cases(60); c > 0; c--) {
        Shape s = random_shape(&random, c % 8 ? 20000 : 60000);
        int64_t n = s.t * s.d;
        void *x = device_normal(2 * n, next_random(&random), 2), *y = device_poison((size_t)n * 2);
        void *y8 = device_poison((size_t)n), *plain8 = device_poison((size_t)n);
        float *scale = device_poison((size_t)s.t * 4),
              *plain_scale = device_poison((size_t)s.t * 4);
        CUDA_OK(rc_swiglu(x, y, s.t, s.d, NULL));
        CUDA_OK(rc_swiglu_fp8(x, y8, scale, s.t, s.d, NULL));
        CUDA_OK(rc_quantize_fp8(x, plain8, plain_scale, s.t, s.d, NULL));
        CUDA_OK(cudaDeviceSynchronize());
        float *in = host_floats(x, 2 * n);
        double *want = doubles(n), *plain = doubles(n);
        for (int64_t r = 0; r < s.t; r++)
            for (int i = 0; i < s.d; i++) {
                double gate = (double)in[r * 2 * s.d + i], up = (double)in[r * 2 * s.d + s.d + i];
                want[r * s.d + i] = gate / (1 + exp(-gate)) * up;
                plain[r * s.d + i] = (double)in[r * s.d + i];
            }
        check_bf16("swiglu", y, want, n, &worst);
        check_fp8("swiglu_fp8", y8, scale, want, s);
        check_fp8("quantize_fp8", plain8, plain_scale, plain, s);
        worst.shapes++;
        free(in), free(want), free(plain);
        cudaFree(x), cudaFree(y), cudaFree(y8), cudaFree(plain8), cudaFree(scale),
            cudaFree(plain_scale);
    }
    report("swiglu, swiglu_fp8, quantize_fp8", &worst, seed);
}

/* One scale for each 128 of a row. A block of zeros has scale 0 and stays zero. */
static void test_blocks(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 10), random = seed;
    Worst worst = {0, 0, 0};
    for (int c = random_cases(60); c > 0; c--) {
        Shape s = random_shape(&random, c % 8 ? 20000 : 60000);
        const Scales of = {RC_SCALE_BLOCK, s.t + uniform(&random, 0, 5)};
        int64_t n = s.t * s.d, scales = (s.d + of.block - 1) / of.block * of.stride;
        void *x = device_normal(2 * n, next_random(&random), 2), *y8 = device_poison((size_t)n);
        void *plain8 = device_poison((size_t)n);
        float *scale = device_poison((size_t)scales * 4);
        float *plain_scale = device_poison((size_t)scales * 4);
        if (c % 4 == 0)
            CUDA_OK(cudaMemset(x, 0, (size_t)(s.d < 256 ? s.d : 256) * 2));
        CUDA_OK(rc_swiglu_fp8_blocks(x, y8, scale, of.stride, s.t, s.d, NULL));
        CUDA_OK(rc_quantize_fp8_blocks(x, plain8, plain_scale, of.stride, s.t, s.d, NULL));
        CUDA_OK(cudaDeviceSynchronize());
        float *in = host_floats(x, 2 * n);
        double *want = doubles(n), *plain = doubles(n);
        for (int64_t i = 0; i < n; i++) {
            int64_t r = i / s.d, at = r * 2 * s.d + i % s.d;
            double gate = (double)in[at], up = (double)in[at + s.d];
            want[i] = gate / (1 + exp(-gate)) * up;
            plain[i] = (double)in[i];
        }
        check_scaled("swiglu_fp8_blocks", y8, scale, want, s, of);
        check_scaled("quantize_fp8_blocks", plain8, plain_scale, plain, s, of);
        worst.shapes++;
        free(in), free(want), free(plain);
        cudaFree(x), cudaFree(y8), cudaFree(plain8), cudaFree(scale), cudaFree(plain_scale);
    }
    report("swiglu and quantize with scales of blocks", &worst, seed);
}

/* What rotary makes of element d of a head at a position. */
static double turned(const float *head, int d, double position, double theta) {
    double angle = position * pow(theta, -(d % 64) / 64.0), c = cos(angle), s = sin(angle);
    return d < 64 ? (double)head[d] * c - (double)head[d + 64] * s
                  : (double)head[d] * c + (double)head[d - 64] * s;
}

static void test_rotary(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 9), random = seed;
    Worst worst = {0, 0, 0};
    for (int c = random_cases(500); c > 0; c--) {
        int64_t t = any_size(&random, 1, 400), pos0 = c % 2 ? uniform(&random, 0, 40) : 0;
        int64_t base = c % 4 == 1 ? uniform(&random, 0, 1000000)
                                  : 0; /* a cache seen from far down a context */
        int hq = (int)uniform(&random, 1, 16), hkv = (int)uniform(&random, 1, 4),
            heads = hq + 2 * hkv;
        float theta = c % 3 ? 500000.f : 10000.f;
        pos0 += base;
        void *qkv = device_normal(t * heads * D, next_random(&random), 1),
             *q = device_poison((size_t)(t * hq) * D * 2);
        size_t cache = (size_t)(pos0 + t) * (size_t)hkv * D * 2;
        char *k = device_poison(cache), *v = device_poison(cache);
        CUDA_OK(rc_rotary_kv(qkv, q, k, v, t, pos0, hq, hkv, theta, NULL));
        CUDA_OK(cudaDeviceSynchronize());
        float *in = host_floats(qkv, t * heads * D);
        double *wq = doubles(t * hq * D), *wk = doubles(t * hkv * D), *wv = doubles(t * hkv * D);
        for (int64_t i = 0; i < t; i++)
            for (int h = 0; h < heads; h++)
                for (int d = 0; d < D; d++) {
                    const float *head = in + (i * heads + h) * D;
                    double x = turned(head, d, (double)(pos0 + i), (double)theta);
                    if (h < hq)
                        wq[(i * hq + h) * D + d] = x;
                    else if (h < hq + hkv)
                        wk[(i * hkv + h - hq) * D + d] = x;
                    else
                        wv[(i * hkv + h - hq - hkv) * D + d] = (double)head[d];
                }
        size_t skip = (size_t)pos0 * (size_t)hkv * D * 2;
        check_bf16("rotary q", q, wq, t * hq * D, &worst);
        check_bf16("rotary k", k + skip, wk, t * hkv * D, &worst);
        check_bf16("rotary v", v + skip, wv, t * hkv * D, &worst);
        assert_true(still_poison(k, skip < 4096 ? skip : 4096));
        worst.shapes++;
        free(in), free(wq), free(wk), free(wv);
        cudaFree(qkv), cudaFree(q), cudaFree(k), cudaFree(v);
    }
    report("rotary", &worst, seed);
}

typedef struct PagedRotary {
    int64_t t, rows; /* tokens, and rows of all pages */
    int hq, hkv;
    float theta;
    void *qkv;
    int32_t *positions, *slots; /* host */
} PagedRotary;

/* Tokens of several sequences, each from a position of its own on, to rows in random order; an eighth of
 * them is to be written nowhere. */
static PagedRotary paged_tokens(uint64_t *random) {
    PagedRotary p = {.t = any_size(random, 1, 300),
                     .hq = (int)uniform(random, 1, 16),
                     .hkv = (int)uniform(random, 1, 4),
                     .theta = 500000.f};
    p.rows = (pages_of(p.t) + uniform(random, 0, 3)) * RC_KV_PAGE;
    p.qkv = device_normal(p.t * (p.hq + 2 * p.hkv) * D, next_random(random), 1);
    p.slots = shuffled(random, p.rows);
    p.positions = calloc((size_t)p.t, sizeof *p.positions);
    assert_non_null(p.positions);
    for (int64_t i = 0; i < p.t; i++) {
        p.positions[i] = i && uniform(random, 0, 9) ? p.positions[i - 1] + 1
                                                    : (int32_t)any_size(random, 1, 1000000) - 1;
        if (uniform(random, 0, 7) == 0)
            p.slots[i] = -1 - (int32_t)uniform(random, 0, 5);
    }
    return p;
}

/* What rc_rotary_kv makes of each token by itself: its row is the first that it writes, wherever the
 * cache begins. */
static void rotary_one_by_one(const PagedRotary *p, char *q, char *k, char *v) {
    size_t row = (size_t)p->hkv * D * 2, q_row = (size_t)p->hq * D * 2;
    for (int64_t i = 0; i < p->t; i++) {
        size_t skip = (size_t)p->positions[i] * row, at = (size_t)i * row;
        CUDA_OK(rc_rotary_kv((char *)p->qkv + (size_t)i * (q_row + 2 * row), q + (size_t)i * q_row,
                             (void *)((uintptr_t)k + at - skip), (void *)((uintptr_t)v + at - skip),
                             1, p->positions[i], p->hq, p->hkv, p->theta, NULL));
    }
}

/* The rows that tokens went to are those of `want`, all others still poison. */
static void check_pages(const PagedRotary *p, const char *pages, const char *want) {
    size_t row = (size_t)p->hkv * D * 2;
    uint8_t *got = host_copy(pages, (size_t)p->rows * row);
    uint8_t *rows = host_copy(want, (size_t)p->t * row), *expected = malloc((size_t)p->rows * row);
    assert_non_null(expected);
    memset(expected, 0xff, (size_t)p->rows * row);
    for (int64_t i = 0; i < p->t; i++)
        if (p->slots[i] >= 0)
            memcpy(expected + (size_t)p->slots[i] * row, rows + (size_t)i * row, row);
    assert_memory_equal(got, expected, (size_t)p->rows * row);
    free(got), free(rows), free(expected);
}

/* To the bit what rc_rotary_kv writes. */
static void test_rotary_paged(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 16), random = seed;
    Worst worst = {0, 0, 0};
    for (int c = random_cases(100); c > 0; c--) {
        PagedRotary p = paged_tokens(&random);
        size_t row = (size_t)p.hkv * D * 2, q_bytes = (size_t)(p.t * p.hq) * D * 2;
        void *q = device_poison(q_bytes), *k = device_poison((size_t)p.rows * row),
             *v = device_poison((size_t)p.rows * row);
        void *wq = device_poison(q_bytes), *wk = device_poison((size_t)p.t * row),
             *wv = device_poison((size_t)p.t * row);
        int32_t *positions = device_copy(p.positions, (size_t)p.t * 4),
                *slots = device_copy(p.slots, (size_t)p.t * 4);
        CUDA_OK(rc_rotary_paged(p.qkv, q, k, v, positions, slots, p.t, p.hq, p.hkv, p.theta, NULL));
        rotary_one_by_one(&p, wq, wk, wv);
        CUDA_OK(cudaDeviceSynchronize());
        uint8_t *got = host_copy(q, q_bytes), *want = host_copy(wq, q_bytes);
        assert_memory_equal(got, want, q_bytes);
        check_pages(&p, k, wk);
        check_pages(&p, v, wv);
        worst.shapes++;
        free(got), free(want), free(p.positions), free(p.slots);
        void *all[] = {p.qkv, q, k, v, wq, wk, wv, positions, slots};
        for (int i = 0; i < 9; i++)
            CUDA_OK(cudaFree(all[i]));
    }
    assert_int_equal(rc_rotary_paged(NULL, NULL, NULL, NULL, NULL, NULL, 1, 1, 1, 1.f, NULL),
                     RC_KERNEL_EINVAL);
    report("rotary, in pages", &worst, seed);
}

/* Half of the last place of e4m3 at x, in units of the scale, and a little for the arithmetic. */
static void check_e4m3(const char *what, const float *got, const double *want, int64_t n,
                       double scale) {
    for (int64_t i = 0; i < n; i++) {
        double x = fmin(fmax(want[i] / scale, -448), 448) * scale, size = fabs(x);
        double most = fmax(size / 16, scale * 0x1p-10) + 1e-4 * size + 1e-6;
        if (!(fabs((double)got[i] - x) <= most)) {
            printf("%s: element %lld is %g, expected %g\n", what, (long long)i, (double)got[i], x);
            fail();
        }
    }
}

/* Into the middle of caches whose rows before and after must stay as they were. */
static void test_rotary_fp8(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 13), random = seed;
    Worst worst = {0, 0, 0};
    for (int c = random_cases(500); c > 0; c--) {
        int64_t t = any_size(&random, 1, 300), pos0 = uniform(&random, 0, 200), all = pos0 + t + 9;
        int hq = (int)uniform(&random, 1, 16), hkv = (int)uniform(&random, 1, 3),
            heads = hq + 2 * hkv;
        static const float scales[] = {1, 0.02f, 0.3f};
        float qs = scales[c % 3], ks = scales[c / 3 % 3], vs = scales[c / 9 % 3];
        void *qkv = device_normal(t * heads * D, next_random(&random), 1),
             *q = device_poison((size_t)(t * hq * D)), *k = device_poison((size_t)(all * hkv * D)),
             *v = device_poison((size_t)((all + 127) / 128 * 128 * hkv * D));
        CUDA_OK(rc_rotary_kv_fp8(qkv, q, k, v, t, pos0, hq, hkv, 500000.f, qs, ks, vs, NULL));
        CUDA_OK(cudaDeviceSynchronize());
        float *in = host_floats(qkv, t * heads * D), *q8 = host_bytes(q, t * hq * D, qs),
              *k8 = host_bytes(k, all * hkv * D, ks), *v8 = host_values(v, all, hkv, vs);
        double *wq = doubles(t * hq * D), *wk = doubles(t * hkv * D), *wv = doubles(t * hkv * D);
        for (int64_t i = 0; i < t * heads * D; i++) {
            int h = (int)(i / D % heads), d = (int)(i % D);
            int64_t token = i / D / heads;
            const float *head = in + i - d;
            double x = turned(head, d, (double)(pos0 + token), 500000);
            if (h < hq)
                wq[(token * hq + h) * D + d] = x;
            else if (h < hq + hkv)
                wk[(token * hkv + h - hq) * D + d] = x;
            else
                wv[(token * hkv + h - hq - hkv) * D + d] = (double)head[d];
        }
        check_e4m3("rotary q", q8, wq, t * hq * D, (double)qs);
        check_e4m3("rotary k", k8 + pos0 * hkv * D, wk, t * hkv * D, (double)ks);
        check_e4m3("rotary v", v8 + pos0 * hkv * D, wv, t * hkv * D, (double)vs);
        for (int64_t i = 0; i < all * hkv * D; i++)
            if (i / hkv / D < pos0 || i / hkv / D >= pos0 + t)
                assert_true(isnan(k8[i]) && isnan(v8[i]));
        worst.shapes++;
        free(in), free(q8), free(k8), free(v8), free(wq), free(wk), free(wv);
        cudaFree(qkv), cudaFree(q), cudaFree(k), cudaFree(v);
    }
    report("rotary to e4m3", &worst, seed);
}

static void test_flat(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 10), random = seed;
    Worst worst = {0, 0, 0};
    for (int c = random_cases(500); c > 0; c--) {
        int64_t n = 8 * any_size(&random, 1, 100000);
        void *x = device_normal(n, next_random(&random), 1),
             *y = device_normal(n, next_random(&random), 3);
        float *a = host_floats(x, n), *b = host_floats(y, n);
        double *want = doubles(n);
        for (int64_t i = 0; i < n; i++)
            want[i] = (double)a[i] + (double)b[i];
        CUDA_OK(rc_residual_add(x, y, n, NULL));
        CUDA_OK(cudaDeviceSynchronize());
        check_bf16("residual_add", x, want, n, &worst);
        assert_true(still_poison((char *)x + n * 2, GUARD_ROWS * D * 2));
        worst.shapes++;
        free(a), free(b), free(want);
        cudaFree(x), cudaFree(y);
    }
    assert_int_equal(rc_residual_add(NULL, NULL, 9, NULL), RC_KERNEL_EINVAL);
    report("residual_add", &worst, seed);
}

/* Rows in any order, some of them often. */
static void test_gather(void **state) {
    (void)state;
    uint64_t seed = setting("RC_GPU_TEST_SEED", 17), random = seed;
    Worst worst = {0, 0, 0};
    for (int c = random_cases(200); c > 0; c--) {
        Shape from = random_shape(&random, 20000);
        int64_t n = any_size(&random, 1, 300);
        size_t row = (size_t)from.d * 2, bytes = (size_t)n * row;
        int32_t *rows = calloc((size_t)n, sizeof *rows);
        assert_non_null(rows);
        for (int64_t i = 0; i < n; i++)
            rows[i] = (int32_t)uniform(&random, 0, from.t - 1);
        void *x = device_normal(from.t * from.d, next_random(&random), 1);
        char *y = device_poison(bytes + GUARD_ROWS);
        int32_t *device_rows = device_copy(rows, (size_t)n * 4);
        CUDA_OK(rc_gather_rows(x, device_rows, y, n, from.d, NULL));
        CUDA_OK(cudaDeviceSynchronize());
        uint8_t *in = host_copy(x, (size_t)from.t * row), *got = host_copy(y, bytes);
        for (int64_t i = 0; i < n; i++)
            assert_memory_equal(got + (size_t)i * row, in + (size_t)rows[i] * row, row);
        assert_true(still_poison(y + bytes, GUARD_ROWS));
        worst.shapes++;
        free(rows), free(in), free(got);
        cudaFree(x), cudaFree(y), cudaFree(device_rows);
    }
    assert_int_equal(rc_gather_rows(NULL, NULL, NULL, 1, 8, NULL), RC_KERNEL_EINVAL);
    int32_t zero = 0;
    assert_int_equal(rc_gather_rows(NULL, &zero, NULL, 1, 12, NULL), RC_KERNEL_EINVAL);
    report("gather_rows", &worst, seed);
}

/* Moments, the same numbers whatever the length, an odd length, and the scrub. */
static void test_fill(void **state) {
    (void)state;
    const int64_t n = 1000003;
    void *x = device_normal(n, 42, 2), *again = device_normal(n - 1234, 42, 2),
         *other = device_normal(n, 43, 2);
    float *a = host_floats(x, n), *b = host_floats(again, n - 1234), *c = host_floats(other, n);
    double sum = 0, square = 0, fourth = 0, cross = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = (double)a[i] / 2;
        sum += v, square += v * v, fourth += v * v * v * v, cross += v * (double)c[i] / 2;
    }
    assert_memory_equal(a, b, (size_t)(n - 1234) * 4);
    assert_true(fabs(sum / (double)n) < 5e-3);
    assert_true(fabs(square / (double)n - 1) < 1e-2);
    assert_true(fabs(fourth / (double)n - 3) < 6e-2);
    assert_true(fabs(cross / (double)n) < 5e-3);
    assert_true(still_poison((char *)x + n * 2, GUARD_ROWS * D * 2));
    CUDA_OK(rc_scrub(x, 1001, NULL));
    uint8_t *raw = host_copy(x, 1001);
    assert_true(raw[0] == raw[1000]);
    free(raw), free(a), free(b), free(c);
    cudaFree(x), cudaFree(again), cudaFree(other);
}

int main(void) {
    need_gpu("test_gpu_elementwise", "elementwise");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rmsnorm),    cmocka_unit_test(test_swiglu_and_quantize),
        cmocka_unit_test(test_blocks),     cmocka_unit_test(test_rotary),
        cmocka_unit_test(test_rotary_fp8), cmocka_unit_test(test_flat),
        cmocka_unit_test(test_fill),       cmocka_unit_test(test_rotary_paged),
        cmocka_unit_test(test_gather),
    };
    printf("kernel %s\n", rc_kernel_version("elementwise"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
