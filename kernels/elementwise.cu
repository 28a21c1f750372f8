/* The small operations between the products, as engines fuse them: norms, SwiGLU, fp8 rows.
 *
 * nvcc -gencode arch=compute_90,code=sm_90 -O3 -std=c++17 -I. -c kernels/elementwise.cu
 *
 * All are bound by memory, so all are 16-byte accesses with several loads in flight and one pass
 * over the data; a row that needs a reduction first is held in registers by one CTA (rows of up to
 * 32768 elements; the norms take no longer ones, a longer fp8 row is read twice).
 *
 * Version 1: one CTA a row. H200, 32768 tokens, GB/s (% of a device copy's 4270): rmsnorm of 16384
 *   3917 (92), to fp8 3985 (93), residual add 3983 (93), quantize 4090 (96), swiglu of 6656 4329
 *   (101), to fp8 3945 (92).
 *
 * Bytes an element: rmsnorm 8 (4 with x NULL, 7 to fp8), swiglu 6 an output (5 to fp8), quantize 3,
 * residual add 6.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/kernels.h"
#include "kernels/vec.cuh"
#include <math.h>

enum { FLAT_THREADS = 256, FLAT_UNROLL = 4, BLOCKS_THREADS = 512 };
static const int64_t MAX_GRID = 0x7fffffff;

/* Threads for a row of `vecs` 16-byte vectors, `each` of them a thread. */
static int row_threads(int vecs, int each) {
    int n = (vecs + each - 1) / each;
    return (n + 31) / 32 * 32;
}

/* ---- rmsnorm: residual += x; y = residual / rms(residual) * w
 * ------------------------------------ */
template <int Each, int Bound, bool Fp8>
__global__ void __launch_bounds__(Bound)
    rmsnorm_kernel(uint4 *residual, const uint4 *x, const uint4 *w, void *y, float *scale, int vecs,
                   float eps) {
    __shared__ float spare[32];
    int64_t row = blockIdx.x, at = row * vecs;
    uint4 held[Each];
    float square = 0.f, v[8], u[8];
#pragma unroll
    for (int i = 0; i < Each; i++) {
        int j = (int)(threadIdx.x + i * blockDim.x);
        held[i] = j < vecs ? residual[at + j] : make_uint4(0, 0, 0, 0);
    }
    if (x) {
        uint4 more[Each];
#pragma unroll
        for (int i = 0; i < Each; i++) {
            int j = (int)(threadIdx.x + i * blockDim.x);
            more[i] = j < vecs ? load_once(x + at + j) : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int i = 0; i < Each; i++) {
            int j = (int)(threadIdx.x + i * blockDim.x);
            unpack8(held[i], v);
            unpack8(more[i], u);
#pragma unroll
            for (int e = 0; e < 8; e++)
                v[e] += u[e];
            held[i] = pack8(v);
            if (j < vecs)
                residual[at + j] = held[i];
        }
    }
#pragma unroll
    for (int i = 0; i < Each; i++) {
        unpack8(held[i], v);
#pragma unroll
        for (int e = 0; e < 8; e++)
            square = fmaf(v[e], v[e], square);
    }
    float r = rsqrtf(block_reduce<false>(square, spare) / (8.f * (float)vecs) + eps), by = 0.f;
    if (Fp8) {
        float top = 0.f;
#pragma unroll
        for (int i = 0; i < Each; i++) {
            int j = (int)(threadIdx.x + i * blockDim.x);
            unpack8(held[i], v);
            unpack8(j < vecs ? w[j] : make_uint4(0, 0, 0, 0), u);
#pragma unroll
            for (int e = 0; e < 8; e++)
                top = fmaxf(top, fabsf(v[e] * r * u[e]));
        }
        top = block_reduce<true>(top, spare);
        by = top > 0.f ? 448.f / top : 0.f;
        if (threadIdx.x == 0)
            scale[row] = top / 448.f;
    }
#pragma unroll
    for (int i = 0; i < Each; i++) {
        int j = (int)(threadIdx.x + i * blockDim.x);
        if (j >= vecs)
            break;
        unpack8(held[i], v);
        unpack8(w[j], u);
#pragma unroll
        for (int e = 0; e < 8; e++)
            v[e] *= r * u[e];
        if (Fp8)
            ((uint2 *)y)[at + j] = pack8_e4m3(v, by);
        else
            store_once((uint4 *)y + at + j, pack8(v));
    }
}

template <bool Fp8>
static int rmsnorm_launch(void *residual, const void *x, const void *w, void *y, float *scale,
                          int64_t t, int d, float eps, cudaStream_t s) {
    if (t < 0 || t > MAX_GRID || d < 8 || d % 8 || d > 32768)
        return RC_KERNEL_EINVAL;
    if (t == 0)
        return 0;
    int vecs = d / 8;
    uint4 *r = (uint4 *)residual;
    const uint4 *in = (const uint4 *)x, *weight = (const uint4 *)w;
    unsigned grid = (unsigned)t;
    if (vecs <= 256)
        rmsnorm_kernel<1, 256, Fp8>
            <<<grid, row_threads(vecs, 1), 0, s>>>(r, in, weight, y, scale, vecs, eps);
    else if (vecs <= 512)
        rmsnorm_kernel<2, 256, Fp8>
            <<<grid, row_threads(vecs, 2), 0, s>>>(r, in, weight, y, scale, vecs, eps);
    else if (vecs <= 2048)
        rmsnorm_kernel<4, 512, Fp8>
            <<<grid, row_threads(vecs, 4), 0, s>>>(r, in, weight, y, scale, vecs, eps);
    else
        rmsnorm_kernel<4, 1024, Fp8>
            <<<grid, row_threads(vecs, 4), 0, s>>>(r, in, weight, y, scale, vecs, eps);
    return (int)cudaGetLastError();
}

extern "C" int rc_rmsnorm(void *residual, const void *x, const void *w, void *y, int64_t t, int d,
                          float eps, void *stream) {
    return rmsnorm_launch<false>(residual, x, w, y, nullptr, t, d, eps, (cudaStream_t)stream);
}

extern "C" int rc_rmsnorm_fp8(void *residual, const void *x, const void *w, void *y8, float *scale,
                              int64_t t, int d, float eps, void *stream) {
    return rmsnorm_launch<true>(residual, x, w, y8, scale, t, d, eps, (cudaStream_t)stream);
}

/* ---- swiglu and fp8 rows
 * ---------------------------------------------------------------------------- */
struct PlainRow { /* the row itself */
    const uint4 *x;
    int vecs;
    __device__ __forceinline__ void get(int64_t row, int j, float (&v)[8]) const {
        unpack8(load_once(x + row * vecs + j), v);
    }
};

struct SwigluRow { /* silu(gate) * up of a packed row */
    const uint4 *x;
    int vecs;
    __device__ __forceinline__ void get(int64_t row, int j, float (&v)[8]) const {
        float up[8];
        uint4 g = load_once(x + row * 2 * vecs + j), u = load_once(x + row * 2 * vecs + vecs + j);
        unpack8(g, v);
        unpack8(u, up);
#pragma unroll
        for (int e = 0; e < 8; e++)
            v[e] = __fdividef(v[e], 1.f + __expf(-v[e])) * up[e];
    }
};

__global__ void __launch_bounds__(FLAT_THREADS) swiglu_kernel(SwigluRow in, uint4 *y) {
    int64_t row = blockIdx.x;
#pragma unroll 4
    for (int j = (int)threadIdx.x; j < in.vecs; j += (int)blockDim.x) {
        float v[8];
        in.get(row, j, v);
        store_once(y + row * in.vecs + j, pack8(v));
    }
}

extern "C" int rc_swiglu(const void *gate_up, void *y, int64_t t, int f, void *stream) {
    if (t < 0 || t > MAX_GRID || f < 8 || f % 8)
        return RC_KERNEL_EINVAL;
    if (t == 0)
        return 0;
    int vecs = f / 8, passes = (vecs + FLAT_THREADS - 1) / FLAT_THREADS;
    SwigluRow in = {(const uint4 *)gate_up, vecs};
    swiglu_kernel<<<(unsigned)t, row_threads(vecs, passes), 0, (cudaStream_t)stream>>>(in,
                                                                                       (uint4 *)y);
    return (int)cudaGetLastError();
}

/* y8 = row / scale, scale = max|row| / 448. Each > 0: the row stays in registers; 0: it is read
 * twice. */
template <class Row, int Each, int Bound>
__global__ void __launch_bounds__(Bound) quantize_kernel(Row in, uint2 *y, float *scale) {
    __shared__ float spare[32];
    int64_t row = blockIdx.x;
    float v[Each > 0 ? Each : 1][8], top = 0.f;
    if (Each > 0) {
#pragma unroll
        for (int i = 0; i < Each; i++) {
            int j = (int)(threadIdx.x + i * blockDim.x);
#pragma unroll
            for (int e = 0; e < 8; e++)
                v[i][e] = 0.f;
            if (j < in.vecs)
                in.get(row, j, v[i]);
        }
#pragma unroll
        for (int i = 0; i < Each; i++)
#pragma unroll
            for (int e = 0; e < 8; e++)
                top = fmaxf(top, fabsf(v[i][e]));
    } else {
        for (int j = (int)threadIdx.x; j < in.vecs; j += (int)blockDim.x) {
            in.get(row, j, v[0]);
#pragma unroll
            for (int e = 0; e < 8; e++)
                top = fmaxf(top, fabsf(v[0][e]));
        }
    }
    top = block_reduce<true>(top, spare);
    float by = top > 0.f ? 448.f / top : 0.f;
    if (threadIdx.x == 0)
        scale[row] = top / 448.f;
    if (Each > 0) {
#pragma unroll
        for (int i = 0; i < Each; i++) {
            int j = (int)(threadIdx.x + i * blockDim.x);
            if (j < in.vecs)
                y[row * in.vecs + j] = pack8_e4m3(v[i], by);
        }
    } else {
        for (int j = (int)threadIdx.x; j < in.vecs; j += (int)blockDim.x) {
            in.get(row, j, v[0]);
            y[row * in.vecs + j] = pack8_e4m3(v[0], by);
        }
    }
}

template <class Row>
static int quantize_launch(const void *x, void *y8, float *scale, int64_t t, int d,
                           cudaStream_t s) {
    if (t < 0 || t > MAX_GRID || d < 8 || d % 8)
        return RC_KERNEL_EINVAL;
    if (t == 0)
        return 0;
    int vecs = d / 8;
    Row in = {(const uint4 *)x, vecs};
    uint2 *y = (uint2 *)y8;
    unsigned grid = (unsigned)t;
    if (vecs <= 256)
        quantize_kernel<Row, 1, 256><<<grid, row_threads(vecs, 1), 0, s>>>(in, y, scale);
    else if (vecs <= 1024)
        quantize_kernel<Row, 2, 512><<<grid, row_threads(vecs, 2), 0, s>>>(in, y, scale);
    else if (vecs <= 2048)
        quantize_kernel<Row, 4, 512><<<grid, row_threads(vecs, 4), 0, s>>>(in, y, scale);
    else if (vecs <= 4096)
        quantize_kernel<Row, 4, 1024><<<grid, row_threads(vecs, 4), 0, s>>>(in, y, scale);
    else
        quantize_kernel<Row, 0, 1024><<<grid, 1024, 0, s>>>(in, y, scale);
    return (int)cudaGetLastError();
}

/* The same with a scale for each 128 elements of a row, which 16 threads hold. All threads of a warp go
 * through the loop as often as one another, for they reduce together. */
template <class Row>
__global__ void __launch_bounds__(BLOCKS_THREADS)
    quantize_blocks_kernel(Row in, uint2 *y, float *scale, int64_t stride) {
    const int64_t row = blockIdx.x;
#pragma unroll 2
    for (int base = 0; base < in.vecs; base += (int)blockDim.x) {
        const int j = base + (int)threadIdx.x;
        float v[8] = {};
        if (j < in.vecs)
            in.get(row, j, v);
        const float top = half_warp_max(largest8(v));
        if (j >= in.vecs)
            continue;
        y[row * in.vecs + j] = pack8_e4m3(v, top > 0.f ? 448.f / top : 0.f);
        if (j % 16 == 0)
            scale[j / 16 * stride + row] = top / 448.f;
    }
}

template <class Row>
static int quantize_blocks_launch(const void *x, void *y8, float *scale, int64_t stride, int64_t t,
                                  int d, cudaStream_t s) {
    if (t < 0 || t > MAX_GRID || d < 8 || d % 8 || stride < t)
        return RC_KERNEL_EINVAL;
    if (t == 0)
        return 0;
    const int vecs = d / 8, passes = (vecs + BLOCKS_THREADS - 1) / BLOCKS_THREADS;
    Row in = {(const uint4 *)x, vecs};
    quantize_blocks_kernel<Row>
        <<<(unsigned)t, row_threads(vecs, passes), 0, s>>>(in, (uint2 *)y8, scale, stride);
    return (int)cudaGetLastError();
}

extern "C" int rc_swiglu_fp8_blocks(const void *gate_up, void *y8, float *scale, int64_t stride,
                                    int64_t t, int f, void *stream) {
    return quantize_blocks_launch<SwigluRow>(gate_up, y8, scale, stride, t, f,
                                             (cudaStream_t)stream);
}

extern "C" int rc_quantize_fp8_blocks(const void *x, void *y8, float *scale, int64_t stride,
                                      int64_t t, int d, void *stream) {
    return quantize_blocks_launch<PlainRow>(x, y8, scale, stride, t, d, (cudaStream_t)stream);
}

extern "C" int rc_swiglu_fp8(const void *gate_up, void *y8, float *scale, int64_t t, int f,
                             void *stream) {
    return quantize_launch<SwigluRow>(gate_up, y8, scale, t, f, (cudaStream_t)stream);
}

extern "C" int rc_quantize_fp8(const void *x, void *y8, float *scale, int64_t t, int d,
                               void *stream) {
    return quantize_launch<PlainRow>(x, y8, scale, t, d, (cudaStream_t)stream);
}

/* ---- flat: residual add, random fill, scrub
 * --------------------------------------------------------- */
static unsigned flat_grid(int64_t vecs) {
    int64_t each = FLAT_THREADS * FLAT_UNROLL;
    return (unsigned)((vecs + each - 1) / each);
}

__global__ void __launch_bounds__(FLAT_THREADS)
    residual_add_kernel(uint4 *x, const uint4 *y, int64_t vecs) {
    int64_t at = (int64_t)blockIdx.x * (FLAT_THREADS * FLAT_UNROLL) + threadIdx.x;
    uint4 a[FLAT_UNROLL], b[FLAT_UNROLL];
#pragma unroll
    for (int i = 0; i < FLAT_UNROLL; i++)
        if (at + i * FLAT_THREADS < vecs) {
            a[i] = x[at + i * FLAT_THREADS];
            b[i] = load_once(y + at + i * FLAT_THREADS);
        }
#pragma unroll
    for (int i = 0; i < FLAT_UNROLL; i++)
        if (at + i * FLAT_THREADS < vecs) {
            float u[8], v[8];
            unpack8(a[i], u);
            unpack8(b[i], v);
#pragma unroll
            for (int e = 0; e < 8; e++)
                u[e] += v[e];
            x[at + i * FLAT_THREADS] = pack8(u);
        }
}

extern "C" int rc_residual_add(void *x, const void *y, int64_t n, void *stream) {
    if (n < 0 || n % 8 || n / 8 / FLAT_THREADS > MAX_GRID)
        return RC_KERNEL_EINVAL;
    if (n == 0)
        return 0;
    residual_add_kernel<<<flat_grid(n / 8), FLAT_THREADS, 0, (cudaStream_t)stream>>>(
        (uint4 *)x, (const uint4 *)y, n / 8);
    return (int)cudaGetLastError();
}

/* A CTA a row. */
__global__ void __launch_bounds__(FLAT_THREADS)
    gather_kernel(const uint4 *x, const int32_t *rows, uint4 *y, int vecs) {
    const uint4 *from = x + (int64_t)rows[blockIdx.x] * vecs;
    uint4 *to = y + (int64_t)blockIdx.x * vecs;
    for (int i = (int)threadIdx.x; i < vecs; i += FLAT_THREADS)
        to[i] = from[i];
}

extern "C" int rc_gather_rows(const void *x, const int32_t *rows, void *y, int64_t n, int d,
                              void *stream) {
    if (n < 0 || n > MAX_GRID || d < 8 || d % 8 || !rows)
        return RC_KERNEL_EINVAL;
    if (n == 0)
        return 0;
    gather_kernel<<<(unsigned)n, FLAT_THREADS, 0, (cudaStream_t)stream>>>((const uint4 *)x, rows,
                                                                          (uint4 *)y, d / 8);
    return (int)cudaGetLastError();
}

/* Philox 4x32, 10 rounds: four random words of (counter, seed). */
__device__ __forceinline__ uint4 philox(uint64_t counter, uint64_t seed) {
    uint4 c = make_uint4((uint32_t)counter, (uint32_t)(counter >> 32), 0, 0);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
#pragma unroll
    for (int i = 0; i < 10; i++) {
        uint32_t low0 = 0xD2511F53u * c.x, high0 = __umulhi(0xD2511F53u, c.x);
        uint32_t low1 = 0xCD9E8D57u * c.z, high1 = __umulhi(0xCD9E8D57u, c.z);
        c = make_uint4(high1 ^ c.y ^ k0, low1, high0 ^ c.w ^ k1, low0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

/* Two normals of two uniform words (Box and Muller). */
__device__ __forceinline__ float2 normal_pair(uint32_t a, uint32_t b, float sigma) {
    float u = ((float)(a >> 8) + 0.5f) * 0x1p-24f,
          angle = ((float)(b >> 8) * 0x1p-24f - 0.5f) * 6.2831853f;
    float sine, cosine, radius = sigma * sqrtf(-2.f * __logf(u));
    __sincosf(angle, &sine, &cosine);
    return make_float2(radius * cosine, radius * sine);
}

/* Element 8 i + e comes from counters 2 i and 2 i + 1, whatever the grid. */
__global__ void __launch_bounds__(FLAT_THREADS)
    fill_normal_kernel(__nv_bfloat16 *x, int64_t n, uint64_t seed, float sigma) {
    int64_t i = (int64_t)blockIdx.x * FLAT_THREADS + threadIdx.x,
            stride = (int64_t)gridDim.x * FLAT_THREADS;
    for (; 8 * i < n; i += stride) {
        uint4 a = philox(2 * (uint64_t)i, seed), b = philox(2 * (uint64_t)i + 1, seed);
        float2 p0 = normal_pair(a.x, a.y, sigma), p1 = normal_pair(a.z, a.w, sigma);
        float2 p2 = normal_pair(b.x, b.y, sigma), p3 = normal_pair(b.z, b.w, sigma);
        const float v[8] = {p0.x, p0.y, p1.x, p1.y, p2.x, p2.y, p3.x, p3.y};
        if (8 * i + 8 <= n)
            ((uint4 *)x)[i] = pack8(v);
        else
#pragma unroll
            for (int e = 0; e < 8; e++)
                if (8 * i + e < n)
                    x[8 * i + e] = __float2bfloat16(v[e]);
    }
}

extern "C" int rc_fill_normal(void *x, int64_t n, uint64_t seed, float sigma, void *stream) {
    if (n < 0)
        return RC_KERNEL_EINVAL;
    if (n == 0)
        return 0;
    int64_t blocks = (n + 8 * FLAT_THREADS - 1) / (8 * FLAT_THREADS);
    fill_normal_kernel<<<(unsigned)(blocks < 8192 ? blocks : 8192), FLAT_THREADS, 0,
                         (cudaStream_t)stream>>>((__nv_bfloat16 *)x, n, seed, sigma);
    return (int)cudaGetLastError();
}

extern "C" int rc_scrub(void *buf, size_t bytes, void *stream) {
    return bytes ? (int)cudaMemsetAsync(buf, 0x5a, bytes, (cudaStream_t)stream) : 0;
}
