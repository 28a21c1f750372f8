/* What the GPU tests share: a seeded generator, poisoned device buffers, host copies as float, a
 * parallel loop for the references, error figures, and the skip when there is no GPU that the kernel
 * runs on.
 *
 * Environment: RC_GPU_TEST_CASES = random cases a test (fewer under compute-sanitizer),
 * RC_GPU_TEST_SEED = where the generator starts (printed).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_GPU_SUPPORT_H
#define RC_GPU_SUPPORT_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <cuda_runtime_api.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/capability.h"
#include "kernels/kernels.h"

enum { D = 128, GUARD_ROWS = 256, MAX_THREADS = 16 };

/* ---- skip and settings ------------------------------------------------------------------- */
/* Compute capability of the first GPU, 10 * major + minor; 0 without one. */
static inline int gpu_capability(void) {
    int n = 0, major = 0, minor = 0;
    if (cudaGetDeviceCount(&n) != cudaSuccess || n == 0 ||
        cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0) != cudaSuccess ||
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0) != cudaSuccess)
        return 0;
    return 10 * major + minor;
}

/* A kernel's family, in bf16, runs here; or the whole test is skipped. */
static inline void need_gpu(const char *what, const char *family) {
    rc_capability_range needs = rc_capability_of(family, false);
    int here = gpu_capability();
    char text[32];
    if (rc_capability_in(needs, here))
        return;
    rc_capability_text(needs, text, sizeof text);
    if (here)
        printf("SKIPPED: %s needs a GPU of compute capability %s, this one has %d.%d\n", what, text,
               here / 10, here % 10);
    else
        printf("SKIPPED: %s needs a GPU of compute capability %s, and there is none\n", what, text);
    exit(77);
}

/* Whether e4m3 is multiplied here: in PTX of 8.0 (RC_OLDEST_PTX: the library holds nothing else) it
 * is not, whatever the GPU. */
static inline bool gpu_multiplies_e4m3(const char *family) {
#ifdef RC_OLDEST_PTX
    return rc_capability_in(rc_capability_of(family, true), 80);
#else
    return rc_capability_in(rc_capability_of(family, true), gpu_capability());
#endif
}

/* What main returns: 77 where a GPU left out what the test would do on another. */
static inline int ended(int failed, bool all) {
    return failed ? failed : all ? 0 : 77;
}

static inline uint64_t setting(const char *name, uint64_t fallback) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : fallback;
}

static inline int random_cases(int fallback) {
    return (int)setting("RC_GPU_TEST_CASES", (uint64_t)fallback);
}

/* ---- random numbers ------------------------------------------------------------------------ */
static inline uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline int64_t uniform(uint64_t *state, int64_t low, int64_t high) {
    return low + (int64_t)(next_random(state) % (uint64_t)(high - low + 1));
}

/* Sizes of every magnitude: uniform in the logarithm. */
static inline int64_t any_size(uint64_t *state, int64_t low, int64_t high) {
    double u = (double)(next_random(state) >> 11) * 0x1p-53;
    double x = exp(log((double)low) + u * (log((double)high + 1) - log((double)low)));
    int64_t n = (int64_t)x;
    return n < low ? low : n > high ? high : n;
}

static inline double normal(uint64_t *state) {
    double u = ((double)(next_random(state) >> 11) + 0.5) * 0x1p-53;
    double v = (double)(next_random(state) >> 11) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* ---- bf16 and e4m3 --------------------------------------------------------------------------- */
static inline float from_bf16(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static inline float from_e4m3(uint8_t x) {
    int exponent = x >> 3 & 15, mantissa = x & 7;
    double v = exponent ? ldexp(8 + mantissa, exponent - 10) : ldexp(mantissa, -9);
    if (exponent == 15 && mantissa == 7)
        v = NAN;
    return (float)(x & 128 ? -v : v);
}

/* ---- device buffers -------------------------------------------------------------------------- */
#define CUDA_OK(call) assert_int_equal((int)(call), 0)

/* Poisoned: every bf16 and float in it is NaN. */
static inline void *device_poison(size_t bytes) {
    void *p = NULL;
    CUDA_OK(cudaMalloc(&p, bytes ? bytes : 16));
    CUDA_OK(cudaMemset(p, 0xff, bytes ? bytes : 16));
    return p;
}

/* Normal bf16 numbers, then GUARD_ROWS rows of NaN that no kernel may use. */
static inline void *device_normal(int64_t n, uint64_t seed, float sigma) {
    void *p = device_poison((size_t)(n + GUARD_ROWS * D) * 2);
    CUDA_OK(rc_fill_normal(p, n, seed, sigma, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    return p;
}

static inline void *host_copy(const void *device, size_t bytes) {
    void *p = malloc(bytes ? bytes : 1);
    assert_non_null(p);
    CUDA_OK(cudaMemcpy(p, device, bytes, cudaMemcpyDeviceToHost));
    return p;
}

static inline void *device_copy(const void *host, size_t bytes) {
    void *p = device_poison(bytes);
    CUDA_OK(cudaMemcpy(p, host, bytes, cudaMemcpyHostToDevice));
    return p;
}

/* ---- pages of keys and values ---------------------------------------------------------------- */
/* What a table holds where it leads to no page: a row so far out that reading it is a fault. */
enum { NO_PAGE = INT32_MAX / RC_KV_PAGE };

static inline int64_t pages_of(int64_t keys) {
    return (keys + RC_KV_PAGE - 1) / RC_KV_PAGE;
}

/* 0 .. n - 1 in random order. */
static inline int32_t *shuffled(uint64_t *random, int64_t n) {
    int32_t *x = calloc((size_t)n + 1, sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) {
        int64_t j = uniform(random, 0, i);
        x[i] = x[j];
        x[j] = (int32_t)i;
    }
    return x;
}

/* Rows of `row` bytes into the pages that `pages` names one after the other; what is left of the last
 * page stays as it is. */
static inline void fill_pages(char *pool, const int32_t *pages, const char *from, int64_t rows,
                              size_t row) {
    for (int64_t at = 0; at < rows; at += RC_KV_PAGE) {
        int64_t n = rows - at < RC_KV_PAGE ? rows - at : RC_KV_PAGE;
        CUDA_OK(cudaMemcpy(pool + (size_t)pages[at / RC_KV_PAGE] * RC_KV_PAGE * row,
                           from + (size_t)at * row, (size_t)n * row, cudaMemcpyDeviceToDevice));
    }
}

/* Lengths around the ends of pages. */
static inline int32_t page_edge(uint64_t *random) {
    static const int32_t edges[] = {1, 127, 128, 129, 255, 256, 257};
    return edges[uniform(random, 0, 6)];
}

/* ---- parallel loop --------------------------------------------------------------------------- */
typedef struct Loop {
    void (*body)(void *context, int64_t i);
    void *context;
    int64_t n;
    atomic_llong next;
} Loop;

static inline void *loop_thread(void *arg) {
    Loop *loop = arg;
    for (int64_t i; (i = atomic_fetch_add(&loop->next, 1)) < loop->n;)
        loop->body(loop->context, i);
    return NULL;
}

static inline void parallel(int64_t n, void (*body)(void *, int64_t), void *context) {
    Loop loop = {body, context, n, 0};
    pthread_t threads[MAX_THREADS];
    int started = 0;
    while (started < MAX_THREADS && started < n - 1 &&
           pthread_create(&threads[started], NULL, loop_thread, &loop) == 0)
        started++;
    (void)loop_thread(&loop);
    for (int i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
}

typedef struct Widen {
    const uint16_t *from;
    float *to;
    int64_t n;
} Widen;

static inline void widen_piece(void *context, int64_t piece) {
    Widen *w = context;
    int64_t from = piece << 16, to = from + 65536 < w->n ? from + 65536 : w->n;
    for (int64_t i = from; i < to; i++)
        w->to[i] = from_bf16(w->from[i]);
}

/* n bf16 of the device as host floats. */
static inline float *host_floats(const void *device, int64_t n) {
    uint16_t *raw = host_copy(device, (size_t)n * 2);
    float *f = malloc((size_t)n * 4 + 4);
    assert_non_null(f);
    Widen w = {raw, f, n};
    parallel((n + 65535) >> 16, widen_piece, &w);
    free(raw);
    return f;
}

/* One head of `rows` rows of a bf16 [..][heads][D] tensor, from row `first` on, as floats. */
static inline float *host_head(const void *device, int64_t first, int64_t rows, int heads,
                               int head) {
    size_t row = (size_t)D * 2, pitch = row * (size_t)heads;
    const char *from = (const char *)device + (size_t)first * pitch + (size_t)head * row;
    uint16_t *raw = malloc((size_t)rows * row);
    float *f = malloc((size_t)rows * D * sizeof *f);
    assert_non_null(raw);
    assert_non_null(f);
    CUDA_OK(cudaMemcpy2D(raw, row, from, pitch, row, (size_t)rows, cudaMemcpyDeviceToHost));
    Widen w = {raw, f, rows * D};
    parallel((w.n + 65535) >> 16, widen_piece, &w);
    free(raw);
    return f;
}

/* ---- tensors of either type ---------------------------------------------------------------- */
/* n e4m3 of the device, times scale. */
static inline float *host_bytes(const void *device, int64_t n, float scale) {
    uint8_t *raw = host_copy(device, (size_t)n);
    float *f = malloc((size_t)n * 4 + 4);
    assert_non_null(f);
    for (int64_t i = 0; i < n; i++)
        f[i] = scale * from_e4m3(raw[i]);
    free(raw);
    return f;
}

/* Byte of (key, head, column) in V's blocks of 128 keys (kernels.h). */
static inline int64_t value_at(int64_t key, int hkv, int head, int column) {
    int in16 = (int)(key % 16);
    int place = in16 < 8 ? in16 / 2 * 4 + in16 % 2 : (in16 - 8) / 2 * 4 + 2 + in16 % 2;
    return ((key / 128 * hkv + head) * D + column) * 128 + key % 128 / 16 * 16 + place;
}

/* Blocked e4m3 values as [keys][hkv][D] floats, times scale. */
static inline float *host_values(const void *device, int64_t keys, int hkv, float scale) {
    uint8_t *raw = host_copy(device, (size_t)((keys + 127) / 128 * 128 * hkv * D));
    float *f = malloc((size_t)(keys * hkv * D) * 4 + 4);
    assert_non_null(f);
    for (int64_t i = 0; i < keys * hkv * D; i++)
        f[i] = scale * from_e4m3(raw[value_at(i / D / hkv, hkv, (int)(i / D % hkv), (int)(i % D))]);
    free(raw);
    return f;
}

/* Rows of a bf16 K and V in e4m3, both followed by NaN that no kernel may use; V's last block is
 * filled up with zeros. Frees the bf16 ones. */
static inline void quantise(void **k, void **v, int64_t keys, int hkv, float k_scale,
                            float v_scale) {
    int64_t blocks = (keys + 127) / 128;
    void *k8 = device_poison((size_t)((keys + GUARD_ROWS) * hkv * D));
    void *v8 = device_poison((size_t)((blocks + 2) * 128 * hkv * D));
    CUDA_OK(cudaMemset(v8, 0, (size_t)(blocks * 128 * hkv * D)));
    CUDA_OK(rc_kv_fp8(*k, *v, k8, v8, keys, 0, hkv, k_scale, v_scale, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    CUDA_OK(cudaFree(*k));
    CUDA_OK(cudaFree(*v));
    *k = k8;
    *v = v8;
}

/* The same for queries. */
static inline void quantise_rows(void **q, int64_t tokens, int heads, float scale) {
    void *spare = device_poison((size_t)((tokens + 127) / 128 * 128 * heads * D));
    void *q8 = device_poison((size_t)((tokens + GUARD_ROWS) * heads * D));
    CUDA_OK(rc_kv_fp8(*q, *q, q8, spare, tokens, 0, heads, scale, scale, NULL));
    CUDA_OK(cudaDeviceSynchronize());
    CUDA_OK(cudaFree(*q));
    CUDA_OK(cudaFree(spare));
    *q = q8;
}

/* ---- error figures --------------------------------------------------------------------------- */
typedef struct Worst {
    int shapes;
    double error, lse;
} Worst;

/* Of ‖o − reference‖ / ‖reference‖ and of the LSE. bf16: its rounding of P and of O. e4m3: P has
 * three bits after the point, so a weight is off by up to 2^-4 and by 2.6 % in the root mean
 * square, and so is a sum of independent values; a case of few rows may come near the largest
 * single error. Of a product in its scores the tensor cores keep what is above 2^-13 or so of the
 * largest of its group, which is about ten times the factors' deviations: 128 of them, cut by half
 * of that on average and in one direction, make 0.007 of `spread`, the scores' standard deviation.
 */
typedef struct Bounds {
    double error, lse;
} Bounds;

static inline Bounds bounds_of(int dtype, double spread) {
    return dtype == RC_KERNEL_E4M3 ? (Bounds){6.25e-2, 1e-3 + 7e-3 * spread} : (Bounds){4e-3, 1e-3};
}

/* Of the scores of normal queries (sigma) and keys. */
static inline double spread_of(double sigma, double scale) {
    return scale > 0 ? sigma * sqrt(128) * scale : sigma;
}

typedef struct Sums {
    double difference, reference;
} Sums;

static inline void add_row(Sums *s, const float *got, const double *want, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double e = (double)got[i] - want[i];
        s->difference += e * e;
        s->reference += want[i] * want[i];
    }
}

static inline double relative(Sums s) {
    if (s.reference == 0)
        return s.difference == 0 ? 0 : INFINITY;
    return sqrt(s.difference / s.reference);
}

/* Absolute error of an LSE; two equal infinities agree. */
static inline double lse_error(float got, double want) {
    if (isinf(want) || isinf(got))
        return (double)got == want ? 0 : INFINITY;
    return isnan(got) ? INFINITY : fabs((double)got - want);
}

static inline bool still_poison(const void *device, size_t bytes) {
    uint8_t *p = host_copy(device, bytes);
    bool same = true;
    for (size_t i = 0; i < bytes; i++)
        same = same && p[i] == 0xff;
    free(p);
    return same;
}

static inline void report(const char *what, const Worst *w, uint64_t seed) {
    printf("%s: %d shapes, worst error %.2e, worst lse %.2e, seed %llu\n", what, w->shapes,
           w->error, w->lse, (unsigned long long)seed);
    fflush(stdout);
}
#endif
