/* The choice of experts, and rows to their experts and back.
 *
 * nvcc -gencode arch=compute_90,code=sm_90 -O3 -std=c++17 -I. -c kernels/experts.cu
 *
 * Choice: a warp a token, its scores in registers, 32 experts apart. A score becomes an integer of the same
 * order, so that the best of a warp is one reduction and its expert another. CTAs
 * count their tokens' choices by expert; a second kernel sums the counts of each expert over the CTAs; a third gives each pair
 * its row: the rows of its expert before this CTA, those in the CTA's warps before, and those of lanes before
 * in its warp. So rows of an expert are in the order of their tokens, without atomics that could change it. A
 * single CTA does all three at once.
 *
 * Moving rows: a CTA a token, whose row is read once and written to all its experts, or gathered from all of
 * them. Bytes of a token with d numbers: permute 2 d (1 + k), to e4m3 d (2 + k), unpermute 2 d (k + 1).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/experts.h"
#include "kernels/kernels.h"
#include "kernels/vec.cuh"
#include <math.h>

enum {
    ROUTE_THREADS = 256,
    ROUTE_WARPS = ROUTE_THREADS / 32,
    SCAN_THREADS = 256,
    MANY_CTAS = 1056
};
static const unsigned ALL = 0xffffffffu;

struct route_params {
    rc_route_args a;
    int32_t *before; /* [here][blocks]: choices by this CTA, then by those before it */
    int32_t *total;  /* [here] */
    int blocks, chunk, from, here, group_size; /* chunk: tokens of a CTA */
    float scale;
};

/* An unsigned integer of the same order; no number gives 0. */
__device__ __forceinline__ uint32_t ordered(float x) {
    uint32_t u = __float_as_uint(x);
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

__device__ __forceinline__ float unordered(uint32_t u) {
    return __uint_as_float(u & 0x80000000u ? u & 0x7fffffffu : ~u);
}

/* Of a warp whose lane holds the keys of experts lane + 32 i: the groups that are kept, a bit each. Keys go
 * through `spare`, so that a lane can look at one group. */
template <int Each>
__device__ __forceinline__ unsigned kept_groups(const route_params &p, const uint32_t (&key)[Each],
                                                uint32_t *spare) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < Each; i++)
        if (lane + 32 * i < p.a.experts)
            spare[lane + 32 * i] = key[i];
    __syncwarp();
    uint32_t best = 0, second = 0;
    if (lane < p.a.groups)
        for (int i = 0; i < p.group_size; i++) {
            uint32_t x = spare[lane * p.group_size + (i + lane) % p.group_size];
            second = max(second, min(best, x));
            best = max(best, x);
        }
    float sum = lane < p.a.groups ? unordered(best) + (p.group_size > 1 ? unordered(second) : 0.f)
                                  : -INFINITY;
    int better = 0;
    for (int g = 0; g < p.a.groups; g++) {
        float other = __shfl_sync(ALL, sum, g);
        better += other > sum || (other == sum && g < lane);
    }
    unsigned kept = __ballot_sync(ALL, lane < p.a.groups && better < p.a.kept);
    __syncwarp();
    return kept;
}

/* Scores of a token: sigmoids, or a softmax over all experts. */
template <int Each>
__device__ __forceinline__ void score(const route_params &p, const float *logits,
                                      float (&s)[Each]) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < Each; i++)
        s[i] = lane + 32 * i < p.a.experts ? __ldcs(logits + lane + 32 * i) : -INFINITY;
    if (p.a.sigmoid) {
#pragma unroll
        for (int i = 0; i < Each; i++)
            s[i] = 1.f / (1.f + __expf(-s[i]));
        return;
    }
    float top = s[0], sum = 0.f;
#pragma unroll
    for (int i = 1; i < Each; i++)
        top = fmaxf(top, s[i]);
    top = warp_max(top);
#pragma unroll
    for (int i = 0; i < Each; i++) {
        s[i] = __expf(s[i] - top);
        sum += s[i];
    }
    sum = 1.f / warp_sum(sum);
#pragma unroll
    for (int i = 0; i < Each; i++)
        s[i] *= sum;
}

/* A warp chooses for one token and counts its choices. */
template <int Each>
__device__ __forceinline__ void choose(const route_params &p, int64_t token, uint32_t *spare,
                                       int *count) {
    const int lane = threadIdx.x % 32;
    float s[Each];
    uint32_t key[Each];
    score<Each>(p, p.a.logits + token * p.a.experts, s);
#pragma unroll
    for (int i = 0; i < Each; i++) {
        const int e = lane + 32 * i;
        key[i] = e < p.a.experts ? ordered(s[i] + (p.a.bias ? __ldg(p.a.bias + e) : 0.f)) : 0;
    }
    if (p.a.groups > 1) {
        const unsigned kept = kept_groups<Each>(p, key, spare);
#pragma unroll
        for (int i = 0; i < Each; i++)
            if (!(kept >> (lane + 32 * i) / p.group_size & 1))
                key[i] = 0;
    }
    float weight = 0.f, sum = 0.f;
    int chosen = 0;
    for (int j = 0; j < p.a.top_k; j++) {
        uint32_t best = key[0];
        float mine = s[0];
        int at = lane;
#pragma unroll
        for (int i = 1; i < Each; i++)
            if (key[i] > best) {
                best = key[i];
                mine = s[i];
                at = lane + 32 * i;
            }
        const uint32_t top = __reduce_max_sync(ALL, best);
        const int e = (int)__reduce_min_sync(ALL, best == top ? (unsigned)at : ~0u);
        const float w = __shfl_sync(ALL, mine, e % 32);
#pragma unroll
        for (int i = 0; i < Each; i++)
            if (lane + 32 * i == e)
                key[i] = 0;
        if (lane == j) {
            weight = w;
            chosen = e;
        }
        sum += w;
    }
    if (lane >= p.a.top_k)
        return;
    weight *= p.a.normalise ? p.scale / sum : p.scale;
    p.a.chosen[token * p.a.top_k + lane] = chosen;
    p.a.weight[token * p.a.top_k + lane] = weight;
    if (chosen >= p.from && chosen < p.from + p.here)
        atomicAdd(count + chosen - p.from, 1);
}

/* next[e]: the first row of expert e, of all CTAs' rows; from the totals. */
__device__ __forceinline__ void sum_totals(const int32_t *total, int here, int *next) {
    const int lane = threadIdx.x % 32;
    if (threadIdx.x < 32) {
        int sum = 0;
        for (int base = 0; base < here; base += 32) {
            int e = base + lane, mine = e < here ? total[e] : 0, to = mine;
            for (int d = 1; d < 32; d *= 2) {
                int before = __shfl_up_sync(ALL, to, d);
                to += lane >= d ? before : 0;
            }
            if (e < here)
                next[e] = sum + to - mine;
            sum += __shfl_sync(ALL, to, 31);
        }
        if (lane == 0)
            next[here] = sum;
    }
    __syncthreads();
}

/* Rows for the pairs of this CTA in their order; next[e]: the row of expert e's next pair. */
__device__ __forceinline__ void give_rows(const route_params &p, int64_t from, int64_t to,
                                          int *next, unsigned short (*count)[RC_EXPERTS_MAX]) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (int i = threadIdx.x; i < ROUTE_WARPS * RC_EXPERTS_MAX; i += ROUTE_THREADS)
        count[0][i] = 0;
    __syncthreads();
    for (int64_t base = from; base < to; base += ROUTE_THREADS) {
        const int64_t pair = base + threadIdx.x;
        int e = pair < to ? p.a.chosen[pair] - p.from : -1;
        if (e >= p.here)
            e = -1;
        if (e < 0)
            e = -1;
        const unsigned same = __match_any_sync(ALL, e);
        const int rank = __popc(same & ((1u << lane) - 1));
        if (e >= 0 && rank == 0)
            count[warp][e] = (unsigned short)__popc(same);
        __syncthreads();
        int row = -1;
        if (e >= 0) {
            row = next[e] + rank;
            for (int w = 0; w < warp; w++)
                row += count[w][e];
        }
        if (pair < to)
            p.a.place[pair] = row;
        __syncthreads();
        if (e >= 0 && rank == 0) {
            atomicAdd(next + e, __popc(same));
            count[warp][e] = 0;
        }
        __syncthreads();
    }
}

struct route_shared {
    int count[RC_EXPERTS_MAX], next[RC_EXPERTS_MAX + 1];
    union {
        uint32_t spare[ROUTE_WARPS][RC_EXPERTS_MAX];
        unsigned short by_warp[ROUTE_WARPS][RC_EXPERTS_MAX];
    };
};

template <int Each>
__global__ void __launch_bounds__(ROUTE_THREADS) choose_kernel(const route_params p) {
    __shared__ route_shared s;
    const int64_t from = (int64_t)blockIdx.x * p.chunk;
    const int64_t to = min(from + p.chunk, p.a.tokens);
    const int warp = threadIdx.x / 32;
    for (int e = threadIdx.x; e < p.here; e += ROUTE_THREADS)
        s.count[e] = 0;
    __syncthreads();
    for (int64_t t = from + warp; t < to; t += ROUTE_WARPS)
        choose<Each>(p, t, s.spare[warp], s.count);
    __syncthreads();
    if (p.blocks > 1) {
        for (int e = threadIdx.x; e < p.here; e += ROUTE_THREADS)
            p.before[(int64_t)e * p.blocks + blockIdx.x] = s.count[e];
        return;
    }
    sum_totals(s.count, p.here, s.next);
    for (int e = threadIdx.x; e <= p.here; e += ROUTE_THREADS)
        p.a.first[e] = s.next[e];
    give_rows(p, 0, p.a.tokens * p.a.top_k, s.next, s.by_warp);
}

/* A CTA an expert: its counts by CTA become those of the CTAs before. */
__global__ void __launch_bounds__(SCAN_THREADS) scan_kernel(const route_params p) {
    __shared__ int sums[SCAN_THREADS / 32];
    int32_t *count = p.before + (int64_t)blockIdx.x * p.blocks;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int sum = 0;
    for (int base = 0; base < p.blocks; base += SCAN_THREADS) {
        const int i = base + threadIdx.x, mine = i < p.blocks ? count[i] : 0;
        int to = mine;
        for (int d = 1; d < 32; d *= 2) {
            int before = __shfl_up_sync(ALL, to, d);
            to += lane >= d ? before : 0;
        }
        if (lane == 31)
            sums[warp] = to;
        __syncthreads();
        int all = 0;
        for (int w = 0; w < SCAN_THREADS / 32; w++) {
            to += w < warp ? sums[w] : 0;
            all += sums[w];
        }
        if (i < p.blocks)
            count[i] = sum + to - mine;
        sum += all;
        __syncthreads();
    }
    if (threadIdx.x == 0)
        p.total[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(ROUTE_THREADS) place_kernel(const route_params p) {
    __shared__ route_shared s;
    const int64_t from = (int64_t)blockIdx.x * p.chunk;
    const int64_t to = min(from + p.chunk, p.a.tokens);
    sum_totals(p.total, p.here, s.next);
    if (blockIdx.x == 0)
        for (int e = threadIdx.x; e <= p.here; e += ROUTE_THREADS)
            p.a.first[e] = s.next[e];
    __syncthreads();
    for (int e = threadIdx.x; e < p.here; e += ROUTE_THREADS)
        s.next[e] += p.before[(int64_t)e * p.blocks + blockIdx.x];
    __syncthreads();
    give_rows(p, from * p.a.top_k, to * p.a.top_k, s.next, s.by_warp);
}

/* A token a warp until the GPU is full; a few tokens go to one CTA, which spares two launches. */
static int chunk_of(const rc_route_args *a) {
    const int64_t each = (a->tokens + ROUTE_WARPS * MANY_CTAS - 1) / (ROUTE_WARPS * MANY_CTAS);
    return a->tokens <= 2 * ROUTE_WARPS ? 2 * ROUTE_WARPS : ROUTE_WARPS * (int)each;
}

static int blocks_of(const rc_route_args *a) {
    return (int)((a->tokens + chunk_of(a) - 1) / chunk_of(a));
}

static int experts_here(const rc_route_args *a) {
    return a->here > 0 ? a->here : a->experts;
}

extern "C" size_t rc_route_workspace(const rc_route_args *a) {
    return sizeof(int32_t) * (size_t)experts_here(a) * ((size_t)blocks_of(a) + 1);
}

static bool route_sound(const rc_route_args *a) {
    const int groups = a->groups > 1 ? a->groups : 1, kept = groups > 1 ? a->kept : 1;
    return a->tokens >= 1 && a->tokens <= 1 << 24 && a->experts >= 1 &&
           a->experts <= RC_EXPERTS_MAX && a->top_k >= 1 && a->top_k <= RC_EXPERTS_TOP_K_MAX &&
           groups <= RC_EXPERTS_GROUPS_MAX && a->experts % groups == 0 && kept >= 1 &&
           kept <= groups && a->top_k <= a->experts / groups * kept && a->from >= 0 &&
           a->here >= 0 && a->from + experts_here(a) <= a->experts;
}

extern "C" int rc_route(const rc_route_args *a, void *stream) {
    cudaStream_t s = (cudaStream_t)stream;
    if (!route_sound(a))
        return RC_KERNEL_EINVAL;
    route_params p;
    p.a = *a;
    p.blocks = blocks_of(a);
    p.chunk = chunk_of(a);
    p.from = a->here > 0 ? a->from : 0;
    p.here = experts_here(a);
    p.group_size = a->groups > 1 ? a->experts / a->groups : a->experts;
    p.scale = a->scale != 0.f ? a->scale : 1.f;
    p.before = (int32_t *)a->workspace;
    p.total = p.before + (int64_t)p.here * p.blocks;
    const int each = (a->experts + 31) / 32;
    if (each <= 2)
        choose_kernel<2><<<p.blocks, ROUTE_THREADS, 0, s>>>(p);
    else if (each <= 4)
        choose_kernel<4><<<p.blocks, ROUTE_THREADS, 0, s>>>(p);
    else if (each <= 8)
        choose_kernel<8><<<p.blocks, ROUTE_THREADS, 0, s>>>(p);
    else
        choose_kernel<16><<<p.blocks, ROUTE_THREADS, 0, s>>>(p);
    if (p.blocks > 1) {
        scan_kernel<<<p.here, SCAN_THREADS, 0, s>>>(p);
        place_kernel<<<p.blocks, ROUTE_THREADS, 0, s>>>(p);
    }
    return (int)cudaGetLastError();
}

/* ---- rows to their experts and back ------------------------------------------------------------ */

/* Vectors of a thread; threads of the longest row; rows of a token that are read at a time. */
enum { ROW_EACH = 4, ROW_THREADS = 512, TOGETHER = 4 };

/* With a scale for each 128 elements of a row: those of block b of row r at scale[b * stride + r]. */
__global__ void __launch_bounds__(ROW_THREADS)
    permute_blocks_kernel(const uint4 *x, const int32_t *place, uint2 *out, float *scale,
                          int64_t stride, int top_k, int vecs) {
    __shared__ int row[RC_EXPERTS_TOP_K_MAX];
    const int64_t token = blockIdx.x;
    int any = 0;
    if (threadIdx.x < top_k)
        row[threadIdx.x] = any = place[token * top_k + threadIdx.x];
    if (!__syncthreads_or(threadIdx.x < top_k && any >= 0))
        return;
    uint4 held[ROW_EACH];
    uint2 small[ROW_EACH];
    float top[ROW_EACH];
#pragma unroll
    for (int i = 0; i < ROW_EACH; i++) {
        const int j = (int)(threadIdx.x + i * blockDim.x);
        held[i] = j < vecs ? load_once(x + token * vecs + j) : make_uint4(0, 0, 0, 0);
    }
#pragma unroll
    for (int i = 0; i < ROW_EACH; i++) {
        float v[8];
        unpack8(held[i], v);
        top[i] = half_warp_max(largest8(v));
        small[i] = pack8_e4m3(v, top[i] > 0.f ? 448.f / top[i] : 0.f);
    }
    for (int k = 0; k < top_k; k++) {
        const int64_t to = row[k];
        if (to < 0)
            continue;
#pragma unroll
        for (int i = 0; i < ROW_EACH; i++) {
            const int j = (int)(threadIdx.x + i * blockDim.x);
            if (j >= vecs)
                continue;
            out[to * vecs + j] = small[i];
            if (j % 16 == 0)
                scale[j / 16 * stride + to] = top[i] / 448.f;
        }
    }
}

template <bool Fp8>
__global__ void __launch_bounds__(ROW_THREADS)
    permute_kernel(const uint4 *x, const int32_t *place, void *out, float *scale, int top_k,
                   int vecs) {
    __shared__ int row[RC_EXPERTS_TOP_K_MAX];
    __shared__ float spare[32];
    const int64_t token = blockIdx.x;
    uint4 held[ROW_EACH];
    int any = 0;
    if (threadIdx.x < top_k)
        row[threadIdx.x] = any = place[token * top_k + threadIdx.x];
    if (!__syncthreads_or(threadIdx.x < top_k && any >= 0))
        return;
    float top = 0.f;
#pragma unroll
    for (int i = 0; i < ROW_EACH; i++) {
        const int j = (int)(threadIdx.x + i * blockDim.x);
        held[i] = j < vecs ? load_once(x + token * vecs + j) : make_uint4(0, 0, 0, 0);
    }
    if (Fp8) {
#pragma unroll
        for (int i = 0; i < ROW_EACH; i++) {
            float v[8];
            unpack8(held[i], v);
#pragma unroll
            for (int e = 0; e < 8; e++)
                top = fmaxf(top, fabsf(v[e]));
        }
        top = block_reduce<true>(top, spare);
    }
    const float by = top > 0.f ? 448.f / top : 0.f;
    uint2 small[ROW_EACH];
    if (Fp8) {
#pragma unroll
        for (int i = 0; i < ROW_EACH; i++) {
            float v[8];
            unpack8(held[i], v);
            small[i] = pack8_e4m3(v, by);
        }
    }
    for (int k = 0; k < top_k; k++) {
        const int64_t to = row[k];
        if (to < 0)
            continue;
        if (Fp8 && threadIdx.x == 0)
            scale[to] = top / 448.f;
#pragma unroll
        for (int i = 0; i < ROW_EACH; i++) {
            const int j = (int)(threadIdx.x + i * blockDim.x);
            if (j < vecs) {
                if (Fp8)
                    ((uint2 *)out)[to * vecs + j] = small[i];
                else
                    ((uint4 *)out)[to * vecs + j] = held[i];
            }
        }
    }
}

static int row_threads(int vecs) {
    int n = (vecs + ROW_EACH - 1) / ROW_EACH;
    return (n + 31) / 32 * 32;
}

static bool rows_sound(int64_t tokens, int top_k, int64_t d) {
    return tokens >= 0 && tokens <= 0x7fffffff && top_k >= 1 && top_k <= RC_EXPERTS_TOP_K_MAX &&
           d >= 8 && d % 8 == 0 && d <= 8 * ROW_EACH * ROW_THREADS;
}

extern "C" int rc_permute(const void *x, const int32_t *place, void *out, float *scale,
                          int64_t tokens, int top_k, int64_t d, void *stream) {
    cudaStream_t s = (cudaStream_t)stream;
    if (!rows_sound(tokens, top_k, d))
        return RC_KERNEL_EINVAL;
    if (tokens == 0)
        return 0;
    const int vecs = (int)(d / 8), threads = row_threads(vecs);
    if (scale)
        permute_kernel<true>
            <<<(unsigned)tokens, threads, 0, s>>>((const uint4 *)x, place, out, scale, top_k, vecs);
    else
        permute_kernel<false>
            <<<(unsigned)tokens, threads, 0, s>>>((const uint4 *)x, place, out, scale, top_k, vecs);
    return (int)cudaGetLastError();
}

extern "C" int rc_permute_blocks(const void *x, const int32_t *place, void *out, float *scale,
                                 int64_t stride, int64_t tokens, int top_k, int64_t d,
                                 void *stream) {
    if (!rows_sound(tokens, top_k, d) || stride < 0)
        return RC_KERNEL_EINVAL;
    if (tokens == 0)
        return 0;
    const int vecs = (int)(d / 8);
    permute_blocks_kernel<<<(unsigned)tokens, row_threads(vecs), 0, (cudaStream_t)stream>>>(
        (const uint4 *)x, place, (uint2 *)out, scale, stride, top_k, vecs);
    return (int)cudaGetLastError();
}

__global__ void __launch_bounds__(ROW_THREADS)
    unpermute_kernel(const uint4 *z, const int32_t *place, const float *weight, uint4 *y, int top_k,
                     int vecs) {
    __shared__ int row[RC_EXPERTS_TOP_K_MAX];
    __shared__ float by[RC_EXPERTS_TOP_K_MAX];
    const int64_t token = blockIdx.x;
    if (threadIdx.x < top_k) {
        row[threadIdx.x] = place[token * top_k + threadIdx.x];
        by[threadIdx.x] = weight[token * top_k + threadIdx.x];
    }
    __syncthreads();
#pragma unroll 1
    for (int half = 0; half < ROW_EACH; half += 2) {
        float sum[2][8] = {};
        const int j0 = (int)(threadIdx.x + half * blockDim.x), j1 = j0 + (int)blockDim.x;
        for (int k0 = 0; k0 < top_k; k0 += TOGETHER) {
            uint4 a[TOGETHER], b[TOGETHER];
#pragma unroll
            for (int i = 0; i < TOGETHER; i++) {
                const int r = k0 + i < top_k ? row[k0 + i] : -1;
                const uint4 *from = z + (int64_t)r * vecs;
                a[i] = r >= 0 && j0 < vecs ? load_once(from + j0) : make_uint4(0, 0, 0, 0);
                b[i] = r >= 0 && j1 < vecs ? load_once(from + j1) : make_uint4(0, 0, 0, 0);
            }
#pragma unroll
            for (int i = 0; i < TOGETHER; i++) {
                const float w = k0 + i < top_k && row[k0 + i] >= 0 ? by[k0 + i] : 0.f;
                float v[8];
                unpack8(a[i], v);
#pragma unroll
                for (int e = 0; e < 8; e++)
                    sum[0][e] = fmaf(w, v[e], sum[0][e]);
                unpack8(b[i], v);
#pragma unroll
                for (int e = 0; e < 8; e++)
                    sum[1][e] = fmaf(w, v[e], sum[1][e]);
            }
        }
        if (j0 < vecs)
            y[token * vecs + j0] = pack8(sum[0]);
        if (j1 < vecs)
            y[token * vecs + j1] = pack8(sum[1]);
    }
}

extern "C" int rc_unpermute(const void *z, const int32_t *place, const float *weight, void *y,
                            int64_t tokens, int top_k, int64_t d, void *stream) {
    if (!rows_sound(tokens, top_k, d))
        return RC_KERNEL_EINVAL;
    if (tokens == 0)
        return 0;
    const int vecs = (int)(d / 8);
    unpermute_kernel<<<(unsigned)tokens, row_threads(vecs), 0, (cudaStream_t)stream>>>(
        (const uint4 *)z, place, weight, (uint4 *)y, top_k, vecs);
    return (int)cudaGetLastError();
}
