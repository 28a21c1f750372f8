/* Prefill attention: bf16 or e4m3, grouped query heads packed into the rows of a tile; heads of 128, in bf16
 * also of 64, of 256, and of 192 with values of 128.
 *
 * nvcc -gencode arch=compute_90a,code=sm_90a -O3 -std=c++17 -I. -Xptxas -v -c kernels/attention.cu
 *
 * What earlier versions reached, and what was tried and lost, stands in docs/performance.md. Two
 * rules that cost most to learn: the loops of the producers must not spill registers (a long call
 * loses 5 %, 15 % in e4m3), and a kernel with the one behind it must fit the instruction cache of
 * 128 KB.
 *
 * FLOPs 2 * (columns of K and of V) * hq * visible (query, key) pairs; bytes: each tensor once.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/attention_core.cuh"
#include "kernels/attention_plan.h"
#include "kernels/kernels.h"
#include "kernels/launch.cuh"
#include "kernels/vec.cuh"
#include <math.h>
#include <stdlib.h>

enum {
    COMBINE_THREADS = 256,
    COMBINE_FLIGHT = 16,
    MAX_SPLITS = RC_ATTN_MAX_SPLITS,
    ATTN_SECTION = 16
};

/* ---- combine: one warp a row of a split tile ----------------------------------------------- */
/* Adds splits [from, to), at most 32 of them; lane s - from of the warp holds the weight of split
 * s. */
template <int V>
__device__ __forceinline__ void combine_some(float4 &acc, const float *row, int from, int to,
                                             float weight) {
    const int64_t next = (int64_t)ATTN_ROWS * V;
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

template <int V, bool Causal, int Seqs>
__global__ void __launch_bounds__(COMBINE_THREADS)
    attn_combine(const AttnParams p, const __grid_constant__ AttnBatch<Seqs> b) {
    if (p.early)
        dependents_may_launch();
    wait_for_primary();
    int lane = threadIdx.x % 32, tile_rows = p.group * p.tokens;
    int rows = b.first_split[b.n] * tile_rows, stride = (int)gridDim.x * (COMBINE_THREADS / 32);
    for (int i = (int)blockIdx.x * (COMBINE_THREADS / 32) + (int)threadIdx.x / 32; i < rows;
         i += stride) {
        int r = i % tile_rows, seq = attn_find<Seqs>(b.first_split, b.n, i / tile_rows);
        int nth = i / tile_rows - b.first_split[seq], splits = b.splits[seq], row_tile, kv;
        attn_tile_place<Causal>(b.whole[seq] + nth, (b.q_len[seq] + p.tokens - 1) / p.tokens,
                                p.section, row_tile, kv);
        int token = row_tile * p.tokens + r / p.group, head = kv * p.group + r % p.group;
        if (token >= b.q_len[seq])
            continue;
        int64_t first = (b.first_piece[seq] + (int64_t)nth * splits) * ATTN_ROWS + r;
        float lse[MAX_SPLITS / 32], top = -INFINITY, sum = 0.f;
#pragma unroll
        for (int j = 0; j < MAX_SPLITS / 32; j++) {
            int s = 32 * j + lane;
            lse[j] = s < splits ? p.part_lse[first + (int64_t)s * ATTN_ROWS] : -INFINITY;
            top = fmaxf(top, lse[j]);
        }
        top = warp_max(top);
        float offset = top == -INFINITY ? 0.f : top;
#pragma unroll
        for (int j = 0; j < MAX_SPLITS / 32; j++) {
            lse[j] = __expf(lse[j] - offset);
            sum += lse[j];
        }
        sum = warp_sum(sum);
        float inverse = sum == 0.f ? 0.f : 1.f / sum;
        int64_t row = (int64_t)(b.q_start[seq] + token) * p.hq + head;
#pragma unroll
        for (int part = 0; part < V;
             part += 128) { /* 64 columns: the upper lanes help with weights alone */
            int column = V < 128 ? 4 * lane % V : part + 4 * lane;
            float4 acc = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll 1
            for (int j = 0; 32 * j < splits; j++) {
                float weight = lse[0]; /* lse[j], from registers */
#pragma unroll
                for (int i = 1; i < MAX_SPLITS / 32; i++)
                    weight = i == j ? lse[i] : weight;
                combine_some<V>(acc, p.part_o + first * V + column, 32 * j,
                                min(splits, 32 * j + 32), weight);
            }
            if (V >= 128 || 4 * lane < V)
                *(uint2 *)(p.o + row * V + column) =
                    make_uint2(pack_bf16(acc.x * inverse, acc.y * inverse),
                               pack_bf16(acc.z * inverse, acc.w * inverse));
        }
        if (p.lse && lane == 0)
            p.lse[row] = sum == 0.f ? -INFINITY : top + logf(sum);
    }
}

/* No key at all: O = 0, LSE = -inf. */
__global__ void attn_nothing(__nv_bfloat16 *o, float *lse, int64_t rows, int columns) {
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x,
            stride = (int64_t)gridDim.x * blockDim.x;
    int pieces = columns / 8;
    for (; i < rows * pieces; i += stride) {
        ((uint4 *)o)[i] = make_uint4(0, 0, 0, 0);
        if (lse && i % pieces == 0)
            lse[i / pieces] = -INFINITY;
    }
}

/* ---- plan ---------------------------------------------------------------------------------- */
typedef AttnBatch<RC_ATTN_MAX_SEQS> AttnFullBatch;

struct AttnPlan {
    AttnParams p;
    AttnFullBatch b;
    int grid, sms;
};

static bool attn_length_ok(int64_t x) {
    return x >= 0 && x < (int64_t)1 << 30;
}

/* Starts and lengths inside the tensors; e4m3 values begin at a block. */
static bool attn_seqs_ok(const rc_attn_args *a) {
    if (a->seqs == 0)
        return true;
    if (a->seqs < 0 || a->seqs > RC_ATTN_MAX_SEQS || !a->q_start || !a->q_len || !a->k_start ||
        !a->k_len)
        return false;
    for (int i = 0; i < a->seqs; i++)
        if (a->q_start[i] < 0 || a->q_len[i] < 0 || a->k_start[i] < 0 || a->k_len[i] < 0 ||
            (int64_t)a->q_start[i] + a->q_len[i] > a->tq ||
            (!a->table && (int64_t)a->k_start[i] + a->k_len[i] > a->tk) ||
            (a->dtype == RC_KERNEL_E4M3 && a->k_start[i] % AttnFp8::KEYS))
            return false;
    return true;
}

/* Columns of queries and keys, and of values. */
static int attn_key_columns(const rc_attn_args *a) {
    return a->head_k ? a->head_k : 128;
}

static int attn_value_columns(const rc_attn_args *a) {
    return a->head_v ? a->head_v : attn_key_columns(a) == 192 ? 128 : attn_key_columns(a);
}

static bool attn_heads_ok(const rc_attn_args *a) {
    int k = attn_key_columns(a), v = attn_value_columns(a);
    if (a->dtype == RC_KERNEL_E4M3)
        return k == 128 && v == 128;
    return a->dtype == RC_KERNEL_BF16 &&
           ((k == v && (k == 64 || k == 128 || k == 256)) || (k == 192 && v == 128));
}

static bool attn_table_ok(const rc_attn_args *a) {
    return !a->table || (a->dtype == RC_KERNEL_BF16 && attn_key_columns(a) == 128 && a->causal &&
                         a->seqs >= 1 && a->tk % RC_KV_PAGE == 0);
}

static bool attn_valid(const rc_attn_args *a) {
    return a && a->tq >= 1 && attn_length_ok(a->tq) && attn_length_ok(a->tk) && a->hkv >= 1 &&
           a->hq >= a->hkv && a->hq % a->hkv == 0 && a->hq / a->hkv <= 16 && a->scale >= 0.f &&
           a->splits >= 0 && a->sms >= 0 && (!a->share || a->tickets) && attn_heads_ok(a) &&
           attn_seqs_ok(a) && attn_table_ok(a);
}

static int attn_row_tiles(const AttnPlan *plan, int tq) {
    return (tq + plan->p.tokens - 1) / plan->p.tokens;
}

/* KV heads whose tiles come before those of the next ones. With many at a time each SM streams keys of its own,
 * from HBM (on an H100 128 heads of 192 and 128 and 4,096 tokens ran at half the speed): so many that their
 * tiles fill the SMs, and a few where that takes less. Sections are alike. */
static int attn_section(const rc_attn_args *a, const AttnPlan *plan) {
    int row_tiles = attn_row_tiles(plan, a->seqs ? a->q_len[0] : (int)a->tq);
    int fill = row_tiles ? plan->sms / row_tiles : 1;
    int section = fill > ATTN_SECTION ? fill : (int)ATTN_SECTION;
    section = section < a->hkv ? section : a->hkv;
    while (a->hkv % section)
        section--;
    return section;
}

/* One sequence: the tiles of full waves are whole, the rest is split. */
static void attn_plan_one(const rc_attn_args *a, AttnPlan *plan) {
    AttnFullBatch *b = &plan->b;
    int row_tiles = attn_row_tiles(plan, b->q_len[0]), tiles = row_tiles * a->hkv;
    int whole = tiles / plan->sms * plan->sms, splits = 1;
    if (whole < tiles) { /* causal: the heaviest tile of the rest */
        int of_section = row_tiles * plan->p.section;
        bool in_last =
            tiles - whole <= of_section; /* what is left over; else it has heaviest tiles, too */
        int row_tile = !a->causal ? 0
                       : in_last  ? row_tiles - 1 - whole % of_section / plan->p.section
                                  : row_tiles - 1;
        int64_t blocks = rc_attn_tile_blocks(a->causal, row_tile * plan->p.tokens, plan->p.tokens,
                                             b->q_len[0], b->k_len[0]);
        splits = rc_attn_choose_splits(tiles - whole, blocks, plan->sms);
    }
    b->whole[0] = splits == 1 ? tiles : whole;
    b->splits[0] = splits;
}

static int attn_heavier(const void *x, const void *y) {
    const rc_attn_load *a = (const rc_attn_load *)x, *b = (const rc_attn_load *)y;
    return a->most != b->most ? (a->most < b->most ? 1 : -1) : (int)(a->seq - b->seq);
}

/* Several sequences: heaviest first, every tile of a sequence split alike. */
static void attn_plan_many(const rc_attn_args *a, AttnPlan *plan) {
    AttnFullBatch *b = &plan->b;
    rc_attn_load loads[RC_ATTN_MAX_SEQS];
    for (int i = 0; i < b->n; i++)
        loads[i] = rc_attn_load_of(a->causal, i, a->q_len[i], a->k_len[i], plan->p.tokens, a->hkv);
    qsort(loads, (size_t)b->n, sizeof loads[0], attn_heavier);
    double cap = rc_attn_choose_cap(loads, b->n, plan->sms);
    for (int i = 0; i < b->n; i++) {
        int from = (int)loads[i].seq;
        b->q_start[i] = a->q_start[from];
        b->q_len[i] = a->q_len[from];
        b->k_start[i] = a->k_start[from];
        b->k_len[i] = a->k_len[from];
        b->splits[i] = rc_attn_splits_under(&loads[i], cap);
        b->whole[i] = b->splits[i] == 1 ? (int)loads[i].tiles : 0;
    }
}

/* Fills everything but the pointers. */
static void attn_plan(const rc_attn_args *a, AttnPlan *plan) {
    AttnParams *p = &plan->p;
    AttnFullBatch *b = &plan->b;
    auto given = [](float scale) { return scale > 0.f ? scale : 1.f; };
    bool fp8 = a->dtype == RC_KERNEL_E4M3;
    *plan = AttnPlan{};
    p->table = a->table;
    plan->sms = rc_sm_count();
    plan->sms = a->sms > 0 && a->sms < plan->sms ? a->sms : plan->sms;
    p->tickets = (unsigned *)a->tickets;
    p->share = a->share != 0;
    p->early = !a->share && plan->sms == rc_sm_count();
    p->hq = a->hq;
    p->hkv = a->hkv;
    p->tk = (int)a->tk;
    p->group = a->hq / a->hkv;
    p->tokens = ATTN_ROWS / p->group;
    p->scale = a->scale > 0.f ? a->scale : 1.f / sqrtf((float)attn_key_columns(a));
    p->scale *= fp8 ? given(a->q_scale) * given(a->k_scale) : 1.f;
    p->scale_log2 = p->scale * 1.4426950408889634f;
    p->v_scale = fp8 ? given(a->v_scale) : 1.f;
    p->lse_shift = 0.6931471805599453f * (fp8 ? AttnFp8::exponent : AttnBf16::exponent);
    b->n = a->seqs ? a->seqs : 1;
    b->q_len[0] = (int)a->tq;
    b->k_len[0] = (int)a->tk;
    p->section = a->hkv;
    if (a->table &&
        a->seqs == 1) { /* a sequence by itself, whose pages have a place in the table */
        b->q_start[0] = a->q_start[0];
        b->q_len[0] = a->q_len[0];
        b->k_start[0] = a->k_start[0];
        b->k_len[0] = a->k_len[0];
        p->section = attn_section(a, plan);
        attn_plan_one(a, plan);
    } else if (a->seqs) {
        attn_plan_many(a, plan);
        p->section = attn_section(a, plan);
    } else {
        p->section = attn_section(a, plan);
        attn_plan_one(a, plan);
    }
    for (int i = 0; i < b->n; i++) {
        int tiles = attn_row_tiles(plan, b->q_len[i]) * a->hkv;
        if (a->splits > 0) {
            b->whole[i] = 0;
            b->splits[i] = a->splits < MAX_SPLITS ? a->splits : MAX_SPLITS;
        }
        int split = tiles - b->whole[i], pieces = split * b->splits[i];
        b->first_item[i + 1] = b->first_item[i] + b->whole[i] + pieces;
        b->first_piece[i + 1] = b->first_piece[i] + pieces;
        b->first_split[i + 1] = b->first_split[i] + split;
    }
    plan->grid = b->first_item[b->n] < plan->sms ? b->first_item[b->n] : plan->sms;
    if (b->first_item[b->n] <= plan->sms && !p->share)
        p->tickets = nullptr; /* a CTA an item: there is nothing to hand out */
}

extern "C" size_t rc_attn_workspace(const rc_attn_args *a) {
    AttnPlan plan;
    if (!attn_valid(a) || a->tk == 0)
        return 0;
    attn_plan(a, &plan);
    return (size_t)plan.b.first_piece[plan.b.n] * ATTN_ROWS * (size_t)(attn_value_columns(a) + 1) *
           sizeof(float);
}

/* ---- launch -------------------------------------------------------------------------------- */
/* Q [tq][hq][columns] as (column, head, token), a box being one 128-byte panel of a row tile. */
static int attn_map_q(CUtensorMap *map, const rc_attn_args *a, const AttnParams *p) {
    rc_map_type type = a->dtype == RC_KERNEL_E4M3 ? RC_MAP_BYTES_128 : RC_MAP_BF16_128;
    cuuint64_t columns = (cuuint64_t)attn_key_columns(a);
    cuuint64_t row = type == RC_MAP_BYTES_128 ? columns : 2 * columns;
    cuuint64_t dims[3] = {columns, (cuuint64_t)p->hq, (cuuint64_t)a->tq};
    cuuint64_t strides[2] = {row, row * (cuuint64_t)p->hq};
    cuuint32_t box[3] = {type == RC_MAP_BYTES_128 ? 128u : 64u, (cuuint32_t)p->group,
                         (cuuint32_t)p->tokens};
    return rc_tensor_map(map, type, a->q, 3, dims, strides, box);
}

/* bf16 K or V [tk][hkv][columns] as (column of a panel, head, key, panel), a box being all panels of
 * a block of `keys`. */
static int attn_map_kv(CUtensorMap *map, const void *x, const rc_attn_args *a, int columns,
                       int keys) {
    cuuint64_t row = 2 * (cuuint64_t)columns, panels = (cuuint64_t)columns / 64;
    cuuint64_t dims[4] = {64, (cuuint64_t)a->hkv, (cuuint64_t)a->tk, panels};
    cuuint64_t strides[3] = {row, row * (cuuint64_t)a->hkv, 128};
    cuuint32_t box[4] = {64, 1, (cuuint32_t)keys, (cuuint32_t)panels};
    return rc_tensor_map(map, RC_MAP_BF16_128, x, 4, dims, strides, box);
}

/* e4m3 K [tk][hkv][128] as (column, head, key). */
static int attn_map_k8(CUtensorMap *map, const rc_attn_args *a) {
    cuuint64_t dims[3] = {128, (cuuint64_t)a->hkv, (cuuint64_t)a->tk};
    cuuint64_t strides[2] = {128, 128 * (cuuint64_t)a->hkv};
    cuuint32_t box[3] = {128, 1, AttnFp8::KEYS};
    return rc_tensor_map(map, RC_MAP_BYTES_128, a->k, 3, dims, strides, box);
}

/* e4m3 V [tk / 128][hkv][128][128] as (key of a block, column, head, block). */
static int attn_map_v8(CUtensorMap *map, const rc_attn_args *a) {
    cuuint64_t dims[4] = {128, 128, (cuuint64_t)a->hkv, (cuuint64_t)(a->tk + 127) / 128};
    cuuint64_t strides[3] = {128, 128 * 128, 128 * 128 * (cuuint64_t)a->hkv};
    cuuint32_t box[4] = {128, 128, 1, 1};
    return rc_tensor_map(map, RC_MAP_BYTES_128, a->v, 4, dims, strides, box);
}

/* The first Seqs sequences' worth of a plan: what the kernels take as a parameter. */
template <int Seqs> static AttnBatch<Seqs> attn_narrow(const AttnFullBatch *from) {
    AttnBatch<Seqs> b = {};
    b.n = from->n;
    for (int i = 0; i < from->n; i++) {
        b.q_start[i] = from->q_start[i];
        b.q_len[i] = from->q_len[i];
        b.k_start[i] = from->k_start[i];
        b.k_len[i] = from->k_len[i];
        b.whole[i] = from->whole[i];
        b.splits[i] = from->splits[i];
        b.first_item[i + 1] = from->first_item[i + 1];
        b.first_piece[i + 1] = from->first_piece[i + 1];
        b.first_split[i + 1] = from->first_split[i + 1];
    }
    return b;
}

template <class T, bool Causal, int Seqs, bool Paged>
static int attn_launch(const AttnPlan *plan, const CUtensorMap (&maps)[3], cudaStream_t stream) {
    AttnBatch<Seqs> b = attn_narrow<Seqs>(&plan->b);
    auto kernel = attn_kernel<T, Causal, Seqs, Paged>;
    int e = (int)cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      AttnShared<T>::bytes);
    if (e)
        return e;
    e = rc_launch_dependent(kernel, plan->grid, ATTN_THREADS, AttnShared<T>::bytes, stream, maps[0],
                            maps[1], maps[2], plan->p, b);
    int tiles = b.first_split[b.n];
    if (e || !tiles)
        return e;
    int rows = tiles * plan->p.group * plan->p.tokens, warps = COMBINE_THREADS / 32;
    int blocks = (rows + warps - 1) / warps, most = 2 * plan->sms;
    return rc_launch_dependent(attn_combine<T::V, Causal, Seqs>, blocks < most ? blocks : most,
                               COMBINE_THREADS, 0, stream, plan->p, b);
}

template <class T>
static int attn_launch_type(const rc_attn_args *a, const AttnPlan *plan,
                            const CUtensorMap (&maps)[3], cudaStream_t stream) {
    if (plan->b.n == 1)
        return a->causal ? attn_launch<T, true, 1, false>(plan, maps, stream)
                         : attn_launch<T, false, 1, false>(plan, maps, stream);
    return a->causal ? attn_launch<T, true, RC_ATTN_MAX_SEQS, false>(plan, maps, stream)
                     : attn_launch<T, false, RC_ATTN_MAX_SEQS, false>(plan, maps, stream);
}

template <class T>
static int attn_launch_bf16(const rc_attn_args *a, const AttnPlan *plan, cudaStream_t stream) {
    CUtensorMap maps[3];
    int e = attn_map_q(&maps[0], a, &plan->p);
    e = e ? e : attn_map_kv(&maps[1], a->k, a, attn_key_columns(a), T::KEYS);
    e = e ? e : attn_map_kv(&maps[2], a->v, a, attn_value_columns(a), T::KEYS);
    return e ? e : attn_launch_type<T>(a, plan, maps, stream);
}

/* Keys and values in pages: a sequence by itself is a batch, too, for its pages have a place in the table. */
static int attn_launch_paged(const rc_attn_args *a, const AttnPlan *plan, cudaStream_t stream) {
    static_assert((int)AttnBf16::KEYS == (int)RC_KV_PAGE, "a page is a key block");
    CUtensorMap maps[3];
    int e = attn_map_q(&maps[0], a, &plan->p);
    e = e ? e : attn_map_kv(&maps[1], a->k, a, 128, RC_KV_PAGE);
    e = e ? e : attn_map_kv(&maps[2], a->v, a, 128, RC_KV_PAGE);
    if (e)
        return e;
    return plan->b.n == 1 ? attn_launch<AttnBf16, true, 1, true>(plan, maps, stream)
                          : attn_launch<AttnBf16, true, RC_ATTN_MAX_SEQS, true>(plan, maps, stream);
}

static int attn_launch_e4m3(const rc_attn_args *a, const AttnPlan *plan, cudaStream_t stream) {
    CUtensorMap maps[3];
    int e = attn_map_q(&maps[0], a, &plan->p);
    e = e ? e : attn_map_k8(&maps[1], a);
    e = e ? e : attn_map_v8(&maps[2], a);
    return e ? e : attn_launch_type<AttnFp8>(a, plan, maps, stream);
}

/* No key anywhere. */
static int attn_fill_nothing(const rc_attn_args *a, cudaStream_t stream) {
    int columns = attn_value_columns(a);
    for (int i = 0; i < (a->seqs ? a->seqs : 1); i++) {
        int64_t from = a->seqs ? a->q_start[i] : 0, tokens = a->seqs ? a->q_len[i] : a->tq;
        if (tokens > 0)
            attn_nothing<<<64, 256, 0, stream>>>((__nv_bfloat16 *)a->o + from * a->hq * columns,
                                                 a->lse ? a->lse + from * a->hq : nullptr,
                                                 tokens * a->hq, columns);
    }
    return (int)cudaGetLastError();
}

extern "C" int rc_attn_forward(const rc_attn_args *a, void *stream) {
    AttnPlan plan;
    cudaStream_t s = (cudaStream_t)stream;
    if (!attn_valid(a))
        return RC_KERNEL_EINVAL;
    int e = rc_code_check((const void *)attn_nothing, rc_capability_of("attention", false));
    if (e)
        return e;
    if (a->tk == 0)
        return attn_fill_nothing(a, s);
    attn_plan(a, &plan);
    if (plan.grid == 0)
        return 0;
    int pieces = plan.b.first_piece[plan.b.n];
    if (pieces && !a->workspace)
        return RC_KERNEL_EINVAL;
    plan.p.o = (__nv_bfloat16 *)a->o;
    plan.p.lse = a->lse;
    plan.p.part_o = (float *)a->workspace;
    plan.p.part_lse = plan.p.part_o + (size_t)pieces * ATTN_ROWS * attn_value_columns(a);
    if (a->table)
        return attn_launch_paged(a, &plan, s);
    if (a->dtype == RC_KERNEL_E4M3)
        return attn_launch_e4m3(a, &plan, s);
    switch (attn_key_columns(a)) {
    case 64:
        return attn_launch_bf16<AttnBf16Of64>(a, &plan, s);
    case 192:
        return attn_launch_bf16<AttnBf16Of192>(a, &plan, s);
    case 256:
        return attn_launch_bf16<AttnBf16Of256>(a, &plan, s);
    default:
        return attn_launch_bf16<AttnBf16>(a, &plan, s);
    }
}

extern "C" double rc_attn_pairs(int64_t tq, int64_t tk, int causal) {
    double pairs = (double)tq * (double)tk;
    if (causal) { /* query i sees min(tk, max(0, i + 1 + tk - tq)) keys */
        double rows = (double)(tk < tq ? tk : tq), off = (double)(tk > tq ? tk - tq : 0);
        pairs = rows * (rows + 1) / 2 + rows * off;
    }
    return pairs;
}

extern "C" double rc_attn_flops(int64_t tq, int64_t tk, int hq, int causal) {
    return 4.0 * 128 * hq * rc_attn_pairs(tq, tk, causal);
}

extern "C" double rc_attn_bytes(int64_t tq, int64_t tk, int hq, int hkv) {
    return 2.0 * 128 * (2.0 * (double)tq * hq + 2.0 * (double)tk * hkv) + 4.0 * (double)tq * hq;
}
