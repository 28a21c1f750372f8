/* Prefill attention: bf16, head dimension 128, grouped query heads packed into the rows of a tile.
 *
 * nvcc -gencode arch=compute_90a,code=sm_90a -O3 -std=c++17 -I. -Xptxas -v -c kernels/attention.cu
 *
 * Version 1: 128-row tiles, key blocks of 128 (causal) or 176 (full), TMA into two-stage rings,
 *   wgmma with P in registers, two consumer warpgroups taking turns, scores of one block under the
 *   values of the one before; persistent grid, heaviest tiles first in a snake; tiles of an
 *   incomplete last wave are split along the keys into fp32 pieces that a second kernel combines.
 *   H200, 16 query heads on 1 KV head, TFLOP/s: full 16K 648, 32K 663; causal 16K 642, 32K 672;
 *   64 x 32000 keys 435.
 * Version 2: key blocks of 128 throughout, combine with eight loads in flight. Bursts, TFLOP/s, and
 *   cuDNN 9.19 in turn with it on the same tensors:
 *     full 8K 731 (cuDNN 681), 16K 689 (605), 32K 684 (603); causal 16K 715 (576), 32K 680 (567);
 *     queries x 32000 keys: 64 531 (45), 256 674 (181), 800 667 (569), 3200 744 (545),
 *     12800 690 (586); x 128000 keys: 64 661 (46), 256 728 (185), 800 712 (575), 3200 727 (501),
 *     12800 703 (583).
 *   Longer runs are slower (causal 32K down to 632). Tried beside it: no turns 1 to 2 % slower,
 *   three stages 1 to 6 %, rescaling O only when a maximum moved 2 to 3 %.
 *
 * FLOPs 4 * 128 * hq * visible (query, key) pairs; bytes: each tensor once.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/attention_core.cuh"
#include "kernels/kernels.h"
#include "kernels/launch.cuh"
#include "kernels/vec.cuh"
#include <math.h>

enum { COMBINE_THREADS = 512, COMBINE_FLIGHT = 8, MAX_SPLITS = 128 };

/* ---- combine: one warp a row of a split tile ----------------------------------------------- */
/* Adds splits [from, to), at most 32 of them; lane s - from of the warp holds the weight of split
 * s. */
__device__ __forceinline__ void combine_some(float4 &acc, const float *row, int from, int to,
                                             float weight) {
    const int64_t next = (int64_t)ATTN_ROWS * 128;
    for (int s = from; s < to; s += COMBINE_FLIGHT) {
        float4 x[COMBINE_FLIGHT];
#pragma unroll
        for (int i = 0; i < COMBINE_FLIGHT; i++)
            x[i] = s + i < to ? __ldcs((const float4 *)(row + (s + i) * next))
                              : make_float4(0, 0, 0, 0);
#pragma unroll
        for (int i = 0; i < COMBINE_FLIGHT; i++) {
            float w = __shfl_sync(0xffffffff, weight, (s + i - from) % 32);
            w = s + i < to ? w : 0.f;
            acc.x += w * x[i].x;
            acc.y += w * x[i].y;
            acc.z += w * x[i].z;
            acc.w += w * x[i].w;
        }
    }
}

__global__ void __launch_bounds__(COMBINE_THREADS) attn_combine(const AttnParams p, int causal) {
    wait_for_primary();
    int lane = threadIdx.x % 32, tile_rows = p.group * p.tokens;
    int rows = (p.items - p.whole) / p.splits * tile_rows;
    int stride = (int)gridDim.x * (COMBINE_THREADS / 32);
    for (int i = (int)blockIdx.x * (COMBINE_THREADS / 32) + (int)threadIdx.x / 32; i < rows;
         i += stride) {
        int r = i % tile_rows, split_tile = i / tile_rows, tile = p.whole + split_tile;
        int row_tile = causal ? p.row_tiles - 1 - tile / p.hkv : tile % p.row_tiles;
        int kv = causal ? tile % p.hkv : tile / p.row_tiles;
        int token = row_tile * p.tokens + r / p.group, head = kv * p.group + r % p.group;
        if (token >= p.tq)
            continue;
        int64_t first = (int64_t)split_tile * p.splits * ATTN_ROWS + r;
        float lse[MAX_SPLITS / 32], top = -INFINITY, sum = 0.f;
#pragma unroll
        for (int j = 0; j < MAX_SPLITS / 32; j++) {
            int s = 32 * j + lane;
            lse[j] = s < p.splits ? p.part_lse[first + (int64_t)s * ATTN_ROWS] : -INFINITY;
            top = fmaxf(top, lse[j]);
        }
        top = warp_max(top);
        float offset = top == -INFINITY ? 0.f : top;
        float4 acc = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll
        for (int j = 0; j < MAX_SPLITS / 32; j++) {
            lse[j] = __expf(lse[j] - offset);
            sum += lse[j];
            if (32 * j < p.splits)
                combine_some(acc, p.part_o + first * 128 + 4 * lane, 32 * j,
                             min(p.splits, 32 * j + 32), lse[j]);
        }
        sum = warp_sum(sum);
        float inverse = sum == 0.f ? 0.f : 1.f / sum;
        int64_t row = (int64_t)token * p.hq + head;
        *(uint2 *)(p.o + row * 128 + 4 * lane) =
            make_uint2(pack_bf16(acc.x * inverse, acc.y * inverse),
                       pack_bf16(acc.z * inverse, acc.w * inverse));
        if (p.lse && lane == 0)
            p.lse[row] = sum == 0.f ? -INFINITY : top + logf(sum);
    }
}

/* No key at all: O = 0, LSE = -inf. */
__global__ void attn_nothing(__nv_bfloat16 *o, float *lse, int64_t rows) {
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x,
            stride = (int64_t)gridDim.x * blockDim.x;
    for (; i < rows * 16; i += stride) {
        ((uint4 *)o)[i] = make_uint4(0, 0, 0, 0);
        if (lse && i % 16 == 0)
            lse[i / 16] = -INFINITY;
    }
}

/* ---- plan ---------------------------------------------------------------------------------- */
static bool attn_valid(const rc_attn_args *a) {
    return a && a->tq >= 1 && a->tk >= 0 && a->tq < (int64_t)1 << 30 && a->tk < (int64_t)1 << 30 &&
           a->hkv >= 1 && a->hq >= a->hkv && a->hq % a->hkv == 0 && a->hq / a->hkv <= 16 &&
           a->scale >= 0.f && a->splits >= 0 && a->sms >= 0;
}

/* Cost, in key blocks of one CTA, of running `tiles` tiles of `blocks` blocks split `s` ways on
 * `sms`. */
static double attn_split_cost(int64_t tiles, int blocks, int s, int sms) {
    const double start = 1.5, combine = 2.0, piece = 0.02;
    int64_t rounds = (tiles * s + sms - 1) / sms;
    return (double)rounds * ((blocks + s - 1) / s + start) +
           (s > 1 ? combine + piece * (double)(tiles * s) : 0.0);
}

static int attn_choose_splits(int64_t tiles, int blocks, int sms) {
    int best = 1;
    double least = attn_split_cost(tiles, blocks, 1, sms);
    for (int s = 2; s <= MAX_SPLITS && s <= blocks; s++) {
        double cost = attn_split_cost(tiles, blocks, s, sms);
        if (cost < 0.98 * least) {
            least = cost;
            best = s;
        }
    }
    return best;
}

/* Fills everything but the pointers; sets the grid. */
static void attn_plan(const rc_attn_args *a, AttnParams *p, int *grid) {
    int sms = rc_sm_count();
    sms = a->sms > 0 && a->sms < sms ? a->sms : sms;
    *p = AttnParams{};
    p->tq = (int)a->tq;
    p->tk = (int)a->tk;
    p->hq = a->hq;
    p->hkv = a->hkv;
    p->group = a->hq / a->hkv;
    p->tokens = ATTN_ROWS / p->group;
    p->row_tiles = (p->tq + p->tokens - 1) / p->tokens;
    p->scale = a->scale > 0.f ? a->scale : 0.08838834764831845f;
    p->scale_log2 = p->scale * 1.4426950408889634f;
    int tiles = p->row_tiles * p->hkv, blocks = (p->tk + ATTN_KEYS - 1) / ATTN_KEYS;
    p->whole = tiles / sms * sms;
    p->splits = 1;
    if (a->splits > 0) {
        p->whole = 0;
        p->splits = a->splits < MAX_SPLITS ? a->splits : MAX_SPLITS;
    } else if (p->whole < tiles) {
        if (a->causal) {
            int tok0 = (p->row_tiles - 1 - p->whole / p->hkv) * p->tokens;
            blocks = attn_tile_blocks<true>(tok0, p->tokens, p->tq, p->tk);
        }
        p->splits = attn_choose_splits(tiles - p->whole, blocks, sms);
    }
    if (p->splits == 1)
        p->whole = tiles;
    p->items = p->whole + (tiles - p->whole) * p->splits;
    *grid = p->items < sms ? p->items : sms;
}

extern "C" size_t rc_attn_workspace(const rc_attn_args *a) {
    AttnParams p;
    int grid;
    if (!attn_valid(a) || a->tk == 0)
        return 0;
    attn_plan(a, &p, &grid);
    return (size_t)(p.items - p.whole) * ATTN_ROWS * (128 + 1) * sizeof(float);
}

/* ---- launch -------------------------------------------------------------------------------- */
/* Q [tq][hq][128] as (column, head, token), a box being one panel of a row tile. */
static int attn_map_q(CUtensorMap *map, const rc_attn_args *a, const AttnParams *p) {
    cuuint64_t dims[3] = {128, (cuuint64_t)p->hq, (cuuint64_t)p->tq};
    cuuint64_t strides[2] = {256, 256 * (cuuint64_t)p->hq};
    cuuint32_t box[3] = {64, (cuuint32_t)p->group, (cuuint32_t)p->tokens};
    return rc_tensor_map(map, a->q, 3, dims, strides, box);
}

/* K or V [tk][hkv][128] as (column of a panel, head, key, panel), a box being both panels of a
 * block. */
static int attn_map_kv(CUtensorMap *map, const void *x, const AttnParams *p) {
    cuuint64_t dims[4] = {64, (cuuint64_t)p->hkv, (cuuint64_t)p->tk, 2};
    cuuint64_t strides[3] = {256, 256 * (cuuint64_t)p->hkv, 128};
    cuuint32_t box[4] = {64, 1, ATTN_KEYS, 2};
    return rc_tensor_map(map, x, 4, dims, strides, box);
}

template <bool Causal>
static int attn_launch(const rc_attn_args *a, const AttnParams *p, int grid, cudaStream_t stream) {
    CUtensorMap q, k, v;
    int e = attn_map_q(&q, a, p);
    e = e ? e : attn_map_kv(&k, a->k, p);
    e = e ? e : attn_map_kv(&v, a->v, p);
    e = e ? e
          : (int)cudaFuncSetAttribute(attn_kernel<Causal>,
                                      cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      AttnShared::bytes);
    if (e)
        return e;
    attn_kernel<Causal><<<grid, ATTN_THREADS, AttnShared::bytes, stream>>>(q, k, v, *p);
    return (int)cudaGetLastError();
}

extern "C" int rc_attn_forward(const rc_attn_args *a, void *stream) {
    AttnParams p;
    int grid;
    cudaStream_t s = (cudaStream_t)stream;
    if (!attn_valid(a))
        return RC_KERNEL_EINVAL;
    if (a->tk == 0) {
        attn_nothing<<<64, 256, 0, s>>>((__nv_bfloat16 *)a->o, a->lse, a->tq * a->hq);
        return (int)cudaGetLastError();
    }
    attn_plan(a, &p, &grid);
    p.o = (__nv_bfloat16 *)a->o;
    p.lse = a->lse;
    int pieces = p.items - p.whole;
    if (pieces && !a->workspace)
        return RC_KERNEL_EINVAL;
    p.part_o = (float *)a->workspace;
    p.part_lse = p.part_o + (size_t)pieces * ATTN_ROWS * 128;
    int e = a->causal ? attn_launch<true>(a, &p, grid, s) : attn_launch<false>(a, &p, grid, s);
    if (e || !pieces)
        return e;
    int rows = pieces / p.splits * p.group * p.tokens, blocks = (rows + 15) / 16;
    int sms = rc_sm_count();
    sms = a->sms > 0 && a->sms < sms ? a->sms : sms;
    return rc_launch_dependent(attn_combine, blocks < sms ? blocks : sms, COMBINE_THREADS, 0, s, p,
                               a->causal);
}

extern "C" double rc_attn_flops(int64_t tq, int64_t tk, int hq, int causal) {
    double pairs = (double)tq * (double)tk;
    if (causal) { /* query i sees min(tk, max(0, i + 1 + tk - tq)) keys */
        double rows = (double)(tk < tq ? tk : tq), off = (double)(tk > tq ? tk - tq : 0);
        pairs = rows * (rows + 1) / 2 + rows * off;
    }
    return 4.0 * 128 * hq * pairs;
}

extern "C" double rc_attn_bytes(int64_t tq, int64_t tk, int hq, int hkv) {
    return 2.0 * 128 * (2.0 * (double)tq * hq + 2.0 * (double)tk * hkv) + 4.0 * (double)tq * hq;
}
