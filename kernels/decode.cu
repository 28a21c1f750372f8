/* Decode attention: one query token a sequence, all query heads of a KV head in one 16-row tile.
 *
 * nvcc -gencode arch=compute_90a,code=sm_90a -O3 -std=c++17 -I. -Xptxas -v -c kernels/decode.cu
 *
 * The job is to stream K and V once at memory speed. A CTA of four warps takes a contiguous share
 * of one sequence's keys; each warp streams its own 16-key chunks through a private ring of shared
 * memory (no barrier in the loop), multiplies them on the tensor cores and keeps its own softmax
 * state; the four states meet once at the end. Shares of one sequence meet in a second kernel,
 * which starts early and waits.
 *
 * Version 1: cp.async rings of three 8 KB stages a warp, mma.m16n8k16, two CTAs an SM, up to 264
 *   splits. H200, 16 heads on 1 KV head, us: batch 1 at 8K 11.4, 32K 22.4, 128K 29.5, 1M 143.7;
 *   batch 256 at 8K 261.
 * Version 2: the second kernel has up to 32 warps with eight loads each in flight, the warps'
 *   states meet four columns a lane, splits follow a fitted cost. Batch 1, us, and cuDNN 9.19:
 *   8K 8.9 (9.4), 32K 12.5 (13.3), 64K 16.8 (18.3), 128K 24.9 (28.4), 256K 39.9 (47.3),
 *   512K 72.9 (85.6), 1M 138.5 (162), which is 3875 GB/s; at 8K batch 8 16.6, 64 72.3,
 *   256 261 (4113 GB/s). One CTA an SM with six stages is no faster overall.
 *
 * Bytes: K and V of every visible key once, 512 a key and KV head.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/hopper.cuh"
#include "kernels/kernels.h"
#include "kernels/launch.cuh"
#include "kernels/vec.cuh"
#include <math.h>

enum {
    DEC_WARPS = 4,
    DEC_THREADS = 32 * DEC_WARPS,
    DEC_CTAS = 2,              /* of an SM */
    DEC_KEYS = 16,             /* of a chunk */
    DEC_TILE = DEC_KEYS * 256, /* bytes of a chunk of K, or of V */
    DEC_STAGES = 3,
    DEC_SHARED = DEC_WARPS * DEC_STAGES * 2 * DEC_TILE,
    DEC_MAX_SPLITS = 512,
    DEC_COMBINE_WARPS = 32, /* at most */
    DEC_FLIGHT = 8          /* pieces that a warp of the second kernel loads at a time */
};

struct DecodeParams {
    const __nv_bfloat16 *q;
    const uint8_t *k, *v;
    const int32_t *lens;
    __nv_bfloat16 *o;
    float *lse, *part_o, *part_lse; /* pieces: [batch * hq][split][128] and [batch * hq][split] */
    int64_t max_len;
    int hq, hkv, group, splits;
    float scale, scale_log2;
};

/* ---- pieces of the loop ---------------------------------------------------------------------- */
__device__ __forceinline__ void copy16(uint32_t dst, const void *src, bool real) {
    int bytes = real ? 16 : 0;
    asm volatile("cp.async.cg.shared.global.L2::256B [%0], [%1], 16, %2;" ::"r"(dst), "l"(src),
                 "r"(bytes)
                 : "memory");
}

__device__ __forceinline__ void copy_commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

template <int Pending> __device__ __forceinline__ void copy_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

/* Four 8x8 matrices; the transposed form gives the second product its operand. */
template <bool Transposed>
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], uint32_t address) {
    if (Transposed)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(address)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                     : "r"(address)
                     : "memory");
}

__device__ __forceinline__ void mma(float (&d)[4], const uint32_t (&a)[4], uint32_t b0,
                                    uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* 16-byte chunk c of key row r of a tile, swizzled against bank conflicts. */
__device__ __forceinline__ uint32_t tile_at(int r, int c) {
    return (uint32_t)(r * 256 + (c ^ (r & 7)) * 16);
}

/* The 16 query rows as register operands; rows past the group are zero. */
__device__ __forceinline__ void load_queries(uint32_t (&q)[8][4], const __nv_bfloat16 *from,
                                             int group, int lane) {
#pragma unroll
    for (int step = 0; step < 8; step++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int row = lane / 4 + 8 * (i & 1), column = 16 * step + 8 * (i / 2) + 2 * (lane % 4);
            q[step][i] = row < group ? *(const uint32_t *)(from + row * 128 + column) : 0;
        }
}

struct DecodeState { /* a thread's share of 16 rows x 128 columns: rows lane/4 and lane/4 + 8 */
    float o[16][4], max[2], sum[2];
};

/* One chunk of up to 16 keys (`keys` of them real, at least one). */
__device__ __forceinline__ void decode_chunk(DecodeState &st, const uint32_t (&q)[8][4],
                                             uint32_t k_tile, uint32_t v_tile, int keys, float c,
                                             int lane) {
    float s[2][4] = {};
    uint32_t b[4], p[4];
#pragma unroll
    for (int step = 0; step < 8; step++) {
        load_matrices<false>(b,
                             k_tile + tile_at(lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2));
        mma(s[0], q[step], b[0], b[1]);
        mma(s[1], q[step], b[2], b[3]);
    }
    if (keys < DEC_KEYS)
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (i / 4 * 8 + 2 * (lane % 4) + (i & 1) >= keys)
                s[i / 4][i % 4] = -INFINITY;
    float shrink[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float top = fmaxf(fmaxf(s[0][2 * h], s[0][2 * h + 1]), fmaxf(s[1][2 * h], s[1][2 * h + 1]));
        top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 2));
        top = fmaxf(top, st.max[h]);
        shrink[h] = exp2_fast((st.max[h] - top) * c);
        st.max[h] = top;
        st.sum[h] *= shrink[h];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float &x = s[i / 2][2 * h + i % 2];
            x = exp2_fast(fmaf(x, c, -top * c));
            st.sum[h] += x;
        }
        p[h] = pack_bf16(s[0][2 * h], s[0][2 * h + 1]);
        p[h + 2] = pack_bf16(s[1][2 * h], s[1][2 * h + 1]);
    }
    if (__any_sync(0xffffffff, shrink[0] != 1.f || shrink[1] != 1.f))
#pragma unroll
        for (int i = 0; i < 64; i++)
            st.o[i / 4][i % 4] *= shrink[i / 2 % 2];
#pragma unroll
    for (int j = 0; j < 8; j++) {
        load_matrices<true>(b, v_tile + tile_at(lane % 16, 2 * j + lane / 16));
        mma(st.o[2 * j], p, b[0], b[1]);
        mma(st.o[2 * j + 1], p, b[2], b[3]);
    }
}

/* The warp's walk over its chunks of keys [lo, hi): chunk i holds keys lo + 16 (warp + 4 i). */
__device__ __forceinline__ void decode_stream(DecodeState &st, const uint32_t (&q)[8][4],
                                              const uint8_t *k, const uint8_t *v, int64_t row_bytes,
                                              int lo, int hi, uint32_t ring, float c, int lane) {
    int warp = threadIdx.x / 32, chunks = (hi - lo + DEC_KEYS - 1) / DEC_KEYS;
    int mine = chunks > warp ? (chunks - warp + DEC_WARPS - 1) / DEC_WARPS : 0;
    auto fetch = [&](int i) {
        if (i < mine) {
            int key = lo + (warp + i * DEC_WARPS) * DEC_KEYS;
            uint32_t slot = ring + (uint32_t)(i % DEC_STAGES) * 2 * DEC_TILE;
#pragma unroll
            for (int r = lane / 16; r < DEC_KEYS; r += 2) {
                bool real = key + r < hi;
                int64_t from = (int64_t)(real ? key + r : key) * row_bytes + lane % 16 * 16;
                copy16(slot + tile_at(r, lane % 16), k + from, real);
                copy16(slot + DEC_TILE + tile_at(r, lane % 16), v + from, real);
            }
        }
        copy_commit();
    };
    for (int i = 0; i < DEC_STAGES - 1; i++)
        fetch(i);
    for (int i = 0; i < mine; i++) {
        copy_wait<DEC_STAGES - 2>();
        __syncwarp();
        fetch(i + DEC_STAGES - 1);
        uint32_t slot = ring + (uint32_t)(i % DEC_STAGES) * 2 * DEC_TILE;
        int left = hi - (lo + (warp + i * DEC_WARPS) * DEC_KEYS);
        decode_chunk(st, q, slot, slot + DEC_TILE, left < DEC_KEYS ? left : DEC_KEYS, c, lane);
    }
    copy_wait<0>();
}

/* Puts the warps' states together: after it, acc[row] is column threadIdx.x of the CTA's unscaled
 * output. */
struct DecodeMeeting {
    float o[DEC_WARPS][16][128 + 4], max[DEC_WARPS][16], sum[DEC_WARPS][16];
};
static_assert(sizeof(DecodeMeeting) <= DEC_SHARED, "the meeting reuses the rings");

__device__ __forceinline__ void decode_meet(DecodeMeeting *m, const DecodeState &st, int lane) {
    int warp = threadIdx.x / 32;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = lane / 4 + 8 * h;
        float sum = st.sum[h];
        sum += __shfl_xor_sync(0xffffffff, sum, 1);
        sum += __shfl_xor_sync(0xffffffff, sum, 2);
        if (lane % 4 == 0) {
            m->max[warp][row] = st.max[h];
            m->sum[warp][row] = sum;
        }
#pragma unroll
        for (int j = 0; j < 16; j++)
            *(float2 *)&m->o[warp][row][8 * j + 2 * (lane % 4)] =
                make_float2(st.o[j][2 * h], st.o[j][2 * h + 1]);
    }
}

/* Rows over the warps, four columns a lane: to O and LSE, or to the piece of this split. */
__device__ __forceinline__ void decode_store(const DecodeParams &p, const DecodeMeeting *m,
                                             int64_t unit, int split, int64_t first_row, int lane) {
    int warp = threadIdx.x / 32;
#pragma unroll
    for (int row = warp; row < 16; row += DEC_WARPS) {
        if (row >= p.group)
            break;
        float top = -INFINITY, sum = 0.f;
        float4 acc = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll
        for (int w = 0; w < DEC_WARPS; w++)
            top = fmaxf(top, m->max[w][row]);
        float offset = top == -INFINITY ? 0.f : top;
#pragma unroll
        for (int w = 0; w < DEC_WARPS; w++) {
            float weight = exp2_fast((m->max[w][row] - offset) * p.scale_log2);
            float4 x = *(const float4 *)&m->o[w][row][4 * lane];
            sum += weight * m->sum[w][row];
            acc.x += weight * x.x;
            acc.y += weight * x.y;
            acc.z += weight * x.z;
            acc.w += weight * x.w;
        }
        float by = sum == 0.f ? 0.f : 1.f / sum,
              lse = sum == 0.f ? -INFINITY : top * p.scale + logf(sum);
        if (p.splits > 1) {
            int64_t piece = (unit * p.group + row) * p.splits + split;
            *(float4 *)(p.part_o + piece * 128 + 4 * lane) =
                make_float4(acc.x * by, acc.y * by, acc.z * by, acc.w * by);
            if (lane == 0)
                p.part_lse[piece] = lse;
        } else {
            int64_t out = first_row + row;
            *(uint2 *)(p.o + out * 128 + 4 * lane) =
                make_uint2(pack_bf16(acc.x * by, acc.y * by), pack_bf16(acc.z * by, acc.w * by));
            if (p.lse && lane == 0)
                p.lse[out] = lse;
        }
    }
}

__global__ void __launch_bounds__(DEC_THREADS, DEC_CTAS) decode_kernel(const DecodeParams p) {
    extern __shared__ __align__(1024) uint8_t shared[];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int split = blockIdx.x % p.splits, unit = blockIdx.x / p.splits, kv = unit % p.hkv;
    int64_t batch = unit / p.hkv;
    int len = max(0, min(p.lens[batch], (int)p.max_len)), chunks = (len + DEC_KEYS - 1) / DEC_KEYS;
    int share = chunks / p.splits,
        extra = chunks % p.splits; /* the first `extra` splits take one more chunk */
    int lo = (share * split + min(split, extra)) * DEC_KEYS;
    int hi = min(lo + (share + (split < extra)) * DEC_KEYS, len);
    int64_t row_bytes = (int64_t)p.hkv * 256, at = batch * p.max_len * row_bytes + kv * 256;
    int64_t first_row = batch * p.hq + (int64_t)kv * p.group;
    dependents_may_launch();
    DecodeState st;
    uint32_t q[8][4];
    load_queries(q, p.q + first_row * 128, p.group, lane);
#pragma unroll
    for (int i = 0; i < 64; i++)
        st.o[i / 4][i % 4] = 0.f;
    st.max[0] = st.max[1] = -INFINITY;
    st.sum[0] = st.sum[1] = 0.f;
    decode_stream(st, q, p.k + at, p.v + at, row_bytes, lo, hi,
                  smem_address(shared) + (uint32_t)warp * DEC_STAGES * 2 * DEC_TILE, p.scale_log2,
                  lane);
    DecodeMeeting *m = (DecodeMeeting *)shared;
    __syncthreads();
    decode_meet(m, st, lane);
    __syncthreads();
    decode_store(p, m, unit, split, first_row, lane);
}

/* One CTA a query head, of at most `splits` warps: each takes every blockDim/32-th split and works
 * out all weights by itself, its first loads under way meanwhile. */
__global__ void __launch_bounds__(32 * DEC_COMBINE_WARPS) decode_combine(const DecodeParams p) {
    __shared__ float partial[DEC_COMBINE_WARPS][128];
    wait_for_primary();
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = (int)blockDim.x / 32;
    int64_t row = blockIdx.x, first = row * p.splits;
    const float *lse = p.part_lse + first;
    float4 x[DEC_FLIGHT], acc = make_float4(0.f, 0.f, 0.f, 0.f);
    float top = -INFINITY, sum = 0.f;
    for (int s = lane; s < p.splits; s += 32)
        top = fmaxf(top, lse[s]);
    for (int s0 = warp; s0 < p.splits; s0 += warps * DEC_FLIGHT) {
#pragma unroll
        for (int i = 0; i < DEC_FLIGHT; i++)
            if (s0 + i * warps < p.splits)
                x[i] = *(const float4 *)(p.part_o + (first + s0 + i * warps) * 128 + 4 * lane);
        if (s0 == warp)
            top = warp_max(top);
        float offset = top == -INFINITY ? 0.f : top;
#pragma unroll
        for (int i = 0; i < DEC_FLIGHT; i++)
            if (s0 + i * warps < p.splits) {
                float weight = __expf(lse[s0 + i * warps] - offset);
                acc.x += weight * x[i].x;
                acc.y += weight * x[i].y;
                acc.z += weight * x[i].z;
                acc.w += weight * x[i].w;
            }
    }
    *(float4 *)&partial[warp][4 * lane] = acc;
    for (int s = lane; s < p.splits; s += 32)
        sum += __expf(lse[s] - (top == -INFINITY ? 0.f : top));
    sum = warp_sum(sum);
    float inverse = sum == 0.f ? 0.f : 1.f / sum;
    __syncthreads();
    for (int column = (int)threadIdx.x; column < 128; column += (int)blockDim.x) {
        float total = 0.f;
        for (int w = 0; w < warps; w++)
            total += partial[w][column];
        p.o[row * 128 + column] = __float2bfloat16(total * inverse);
    }
    if (p.lse && threadIdx.x == 0)
        p.lse[row] = sum == 0.f ? -INFINITY : top + logf(sum);
}

/* ---- host --------------------------------------------------------------------------------------
 */
static bool decode_valid(const rc_decode_args *a) {
    return a && a->batch >= 1 && a->max_len >= 0 && a->max_len < (int64_t)1 << 30 && a->hkv >= 1 &&
           a->hq >= a->hkv && a->hq % a->hkv == 0 && a->hq / a->hkv <= 16 && a->scale >= 0.f &&
           a->splits >= 0 && (int64_t)a->batch * a->hkv <= 1 << 20;
}

/* Microseconds of `s` splits that all run at once, fitted to an H200: a CTA alone streams a key
 * in 8.8 ns, the memory gives 4.2 TB/s; then the fixed part, larger with a second kernel. */
static double decode_cost(int64_t units, int64_t keys, int s) {
    double alone = (double)keys / s * 8.8e-3, memory = (double)units * (double)keys * 512 / 4.2e6;
    double stream = pow(pow(alone, 4) + pow(memory, 4), 0.25); /* a soft maximum */
    return stream + (s > 1 ? 6.3 + 0.015 * s + 0.004 * (double)units * s : 4.0);
}

/* More CTAs than SMs never paid, so a batch that fills the SMs is not split. */
static int decode_splits(const rc_decode_args *a) {
    if (a->splits > 0)
        return a->splits < DEC_MAX_SPLITS ? a->splits : DEC_MAX_SPLITS;
    int64_t units = (int64_t)a->batch * a->hkv;
    int best = 1, most = (int)((int64_t)rc_sm_count() / units);
    double least = decode_cost(units, a->max_len, 1);
    for (int s = 2; s <= most && a->max_len >= (int64_t)DEC_WARPS * DEC_KEYS * s; s++) {
        double cost = decode_cost(units, a->max_len, s);
        if (cost < least) {
            best = s;
            least = cost;
        }
    }
    return best < DEC_MAX_SPLITS ? best : DEC_MAX_SPLITS;
}

extern "C" size_t rc_decode_workspace(const rc_decode_args *a) {
    if (!decode_valid(a))
        return 0;
    int splits = decode_splits(a);
    return splits == 1
               ? 0
               : (size_t)splits * (size_t)a->batch * (size_t)a->hq * (128 + 1) * sizeof(float);
}

extern "C" int rc_decode_forward(const rc_decode_args *a, void *stream) {
    if (!decode_valid(a))
        return RC_KERNEL_EINVAL;
    DecodeParams p = {};
    p.q = (const __nv_bfloat16 *)a->q;
    p.k = (const uint8_t *)a->k;
    p.v = (const uint8_t *)a->v;
    p.lens = a->lens;
    p.o = (__nv_bfloat16 *)a->o;
    p.lse = a->lse;
    p.max_len = a->max_len;
    p.hq = a->hq;
    p.hkv = a->hkv;
    p.group = a->hq / a->hkv;
    p.splits = decode_splits(a);
    p.scale = a->scale > 0.f ? a->scale : 0.08838834764831845f;
    p.scale_log2 = p.scale * 1.4426950408889634f;
    if (p.splits > 1 && !a->workspace)
        return RC_KERNEL_EINVAL;
    p.part_o = (float *)a->workspace;
    p.part_lse = p.part_o + (size_t)p.splits * (size_t)a->batch * (size_t)a->hq * 128;
    int e = (int)cudaFuncSetAttribute(decode_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      DEC_SHARED);
    if (e)
        return e;
    cudaStream_t s = (cudaStream_t)stream;
    decode_kernel<<<(unsigned)(a->batch * a->hkv * p.splits), DEC_THREADS, DEC_SHARED, s>>>(p);
    e = (int)cudaGetLastError();
    if (e || p.splits == 1)
        return e;
    int warps = (p.splits + DEC_FLIGHT - 1) / DEC_FLIGHT;
    warps = warps < DEC_COMBINE_WARPS ? warps : DEC_COMBINE_WARPS;
    return rc_launch_dependent(decode_combine, a->batch * a->hq, 32 * warps, 0, s, p);
}
