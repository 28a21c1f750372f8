/* Decode attention over latents (MLA, absorbed): all query heads of a sequence read one stream of keys of 576
 * bf16, the first 512 of which are the values.
 *
 * nvcc -gencode arch=compute_90a,code=sm_90a -O3 -std=c++17 -I. -Xptxas -v -c kernels/mla.cu
 *
 * A work item is a tile of at most 64 heads of one sequence and a share of its keys. One thread of the first
 * warpgroup streams blocks of 32 keys through four stages of shared memory; the two consumer warpgroups take
 * turns: the scores, the softmax and the weights of a block are the work of the one whose turn it is, the
 * weights go to the other through shared memory, and each multiplies them with its own 256 columns of the
 * values. The scores of a warpgroup's next block run under the values of the two blocks before it. Shares of one
 * sequence meet in a second kernel.
 *
 * A block's life, seen from the warpgroup that owns it: scores issued two blocks ahead; softmax against the
 * running maximum that the other warpgroup passed on with its own block; weights and the new maximum handed
 * over; values. Named barriers carry the hand-over and its way back.
 *
 * Bytes: 1,152 a key, once for each tile of heads; FLOPs: 2 (576 + 512) a head and key.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/hopper.cuh"
#include "kernels/kernels.h"
#include "kernels/launch.cuh"
#include "kernels/mla_plan.h"
#include "kernels/vec.cuh"
#include "kernels/wgmma.cuh"
#include <math.h>

enum {
    MLA_V = RC_MLA_LATENT,
    MLA_K = RC_MLA_KEY,
    MLA_ROWS = RC_MLA_ROWS,
    MLA_KEYS = RC_MLA_KEYS,
    MLA_PANELS = MLA_K / 64, /* of 64 columns, 128 bytes */
    MLA_STAGES = 4,
    MLA_THREADS = 384,
    MLA_STEPS = MLA_K / 16,
    MLA_Q_PANEL = MLA_ROWS * 128,
    MLA_K_PANEL = MLA_KEYS * 128,
    MLA_STAGE = MLA_PANELS * MLA_K_PANEL,
    /* named barriers: weights of an even or odd block are there; may be overwritten; a warpgroup by itself;
     * both warpgroups */
    MLA_BAR_READY = 1,
    MLA_BAR_FREE = 3,
    MLA_BAR_OWN = 5,
    MLA_BAR_BOTH = 7,
    MLA_COMBINE_THREADS = 128,
    MLA_FLIGHT = 8
};

/* Weights are relative to a maximum that is renewed only when it is this much too small, in powers of two: O
 * is then seldom multiplied, and no product has to end for it. Weights of up to 2^8 lose nothing in bf16. */
#define MLA_SLACK 8.f

struct MlaParams {
    const int32_t *lens;
    __nv_bfloat16 *o;
    float *lse, *part_o, *part_lse; /* pieces: [row][split][512] and [row][split] */
    int64_t max_len;
    int heads, tile_heads, tiles; /* of a sequence; heads of a tile */
    int splits, items;
    float scale, scale_log2;
};

/* Shared memory, in bytes from a place aligned to 1024. */
struct MlaShared {
    static constexpr uint32_t q = 0, k = q + MLA_PANELS * MLA_Q_PANEL;
    static constexpr uint32_t weights =
        k + MLA_STAGES * MLA_STAGE; /* even blocks: bytes 0 to 63 of a row */
    static constexpr uint32_t top = weights + MLA_ROWS * 128; /* [2][64], even and odd blocks */
    static constexpr uint32_t shrink = top + 2 * MLA_ROWS * 4;
    static constexpr uint32_t sums = shrink + 2 * MLA_ROWS * 4; /* [2][64], a warpgroup each */
    static constexpr uint32_t q_full = sums + 2 * MLA_ROWS * 4, q_empty = q_full + 8;
    static constexpr uint32_t k_full = q_empty + 8, k_empty = k_full + 8 * MLA_STAGES;
    static constexpr uint32_t bytes = k_empty + 8 * MLA_STAGES + 1024;
};

/* Tiles of one sequence and share lie side by side, so that they find their keys in L2. */
struct MlaItem {
    int64_t row, key; /* of Q (sequence and head), of the cache */
    int split, keys, blocks;
};

__device__ __forceinline__ MlaItem mla_item(const MlaParams &p, int index) {
    MlaItem w;
    int tile = index % p.tiles, rest = index / p.tiles, batch = rest / p.splits;
    w.split = rest % p.splits;
    int len = max(0, min(p.lens[batch], (int)p.max_len));
    int blocks = (len + MLA_KEYS - 1) / MLA_KEYS;
    int lo = (int)((int64_t)blocks * w.split / p.splits),
        hi = (int)((int64_t)blocks * (w.split + 1) / p.splits);
    w.row = (int64_t)batch * p.heads + tile * p.tile_heads;
    w.key = batch * p.max_len + (int64_t)lo * MLA_KEYS;
    w.blocks = hi - lo;
    w.keys = min(hi * MLA_KEYS, len) - lo * MLA_KEYS;
    return w;
}

__device__ __forceinline__ void mla_produce(const CUtensorMap *mq, const CUtensorMap *mk,
                                            const MlaParams &p, uint32_t base) {
    using M = MlaShared;
    uint32_t n = 0, nth = 0;
    for (int i = (int)blockIdx.x; i < p.items; i += (int)gridDim.x) {
        MlaItem w = mla_item(p, i);
        if (!w.blocks)
            continue;
        mbar_wait(base + M::q_empty, (nth++ & 1) ^ 1);
        mbar_expect(base + M::q_full, (uint32_t)(MLA_PANELS * p.tile_heads * 128));
        for (int panel = 0; panel < MLA_PANELS; panel++)
            tma_load_3d(base + M::q + panel * MLA_Q_PANEL, mq, base + M::q_full, 0, (int)w.row,
                        panel);
        for (int block = 0; block < w.blocks; block++, n++) {
            uint32_t stage = n % MLA_STAGES, bar = 8 * stage;
            mbar_wait(base + M::k_empty + bar, (n / MLA_STAGES & 1) ^ 1);
            mbar_expect(base + M::k_full + bar, MLA_STAGE);
            tma_load_3d(base + M::k + stage * MLA_STAGE, mk, base + M::k_full + bar, 0,
                        (int)(w.key + block * MLA_KEYS), 0);
        }
    }
}

/* One of the two consumer warpgroups; W: which. A thread has rows row and row + 8 of the tile. */
template <int W> struct MlaConsumer {
    using M = MlaShared;
    uint32_t base, first; /* blocks of the items before */
    int lane, row;
    float c;
    float top[2], own_top[2], sum[2]; /* maximum so far; the maximum that `sum` is relative to */
    float s[MLA_KEYS / 2], o[MLA_V / 4];
    uint32_t pr[MLA_KEYS / 4];

    __device__ __forceinline__ void arrive(uint32_t bar) const {
        if (lane == 0)
            mbar_arrive(bar);
        __syncwarp();
    }
    __device__ __forceinline__ uint32_t stage(int j) const {
        return (first + (uint32_t)j) % MLA_STAGES;
    }
    __device__ __forceinline__ void release(int j) const {
        arrive(base + M::k_empty + 8 * stage(j));
    }

    __device__ __forceinline__ void issue_scores(int j) {
        uint32_t n = first + (uint32_t)j;
        mbar_wait(base + M::k_full + 8 * (n % MLA_STAGES), n / MLA_STAGES & 1);
        __syncwarp();
        uint64_t dq = swizzled_desc(base + M::q, 16, 1024);
        uint64_t dk =
            swizzled_desc(base + M::k, 16, 1024) + (uint64_t)(stage(j) * (MLA_STAGE >> 4));
        wgmma_fence();
#pragma unroll
        for (int step = 0; step < MLA_STEPS; step++) {
            int panel = step / 4, within = step % 4 * 2; /* descriptor units of 16 bytes */
            wgmma_ss_n32(s, dq + panel * (MLA_Q_PANEL >> 4) + within,
                         dk + panel * (MLA_K_PANEL >> 4) + within, step != 0);
        }
        wgmma_commit();
    }

    /* O += weights of block j times this warpgroup's columns of it. */
    template <bool Mine> __device__ __forceinline__ void issue_values(int j) {
        uint32_t columns = base + M::k + stage(j) * MLA_STAGE + W * (MLA_PANELS / 2) * MLA_K_PANEL;
        uint64_t dv = swizzled_desc(columns, MLA_K_PANEL, 1024);
        uint64_t dp = swizzled_desc(base + M::weights, 16, 1024) + (W ^ 1) * 4;
        wgmma_fence();
#pragma unroll
        for (int step = 0; step < MLA_KEYS / 16; step++)
            if (Mine)
                wgmma_rs_v256(o, pr[4 * step], pr[4 * step + 1], pr[4 * step + 2], pr[4 * step + 3],
                              dv + step * 128);
            else
                wgmma_ss_v256(o, dp + 2 * step, dv + step * 128, 1);
        wgmma_commit();
    }

    /* With Wait for the scores that run meanwhile: they end where O is touched. */
    template <bool Wait> __device__ __forceinline__ void shrink_output(const float (&by)[2]) {
        if (__any_sync(0xffffffff, by[0] != 1.f || by[1] != 1.f)) {
            if (Wait) {
                wgmma_wait<0>();
                pin(s);
            }
            pin(o);
#pragma unroll
            for (int i = 0; i < MLA_V / 4; i++)
                o[i] *= by[i / 2 % 2];
        }
    }

    /* Behind a sequence's last key may lie anything, and a NaN times a weight of zero is a NaN. */
    __device__ __forceinline__ void zero_tail(int j, int keys) const {
        uint32_t at = base + M::k + stage(j) * MLA_STAGE;
        for (int i = threadIdx.x % 128; i < (MLA_KEYS - keys) * MLA_V / 8; i += 128) {
            int key = keys + i / (MLA_V / 8), piece = i % (MLA_V / 8);
            store_zero16(at + (uint32_t)(piece / 8 * MLA_K_PANEL + key * 128 + piece % 8 * 16));
        }
        fence_shared_async();
        named_sync(MLA_BAR_OWN + W, 128);
    }

    /* s becomes the weights; `shrink` is what O is to be multiplied by. */
    __device__ __forceinline__ void softmax(int keys, float (&shrink)[2]) {
        if (keys < MLA_KEYS)
#pragma unroll
            for (int i = 0; i < MLA_KEYS / 2; i++)
                if (i / 4 * 8 + 2 * (lane % 4) + (i & 1) >= keys)
                    s[i] = -INFINITY;
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float most = top[h];
#pragma unroll
            for (int g = 0; g < MLA_KEYS / 8; g++)
                most = fmaxf(most, fmaxf(s[4 * g + 2 * h], s[4 * g + 2 * h + 1]));
            most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, 1));
            most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, 2));
            if ((most - top[h]) * c < MLA_SLACK)
                most = top[h];
            shrink[h] = exp2_fast((top[h] - most) * c);
            float total = sum[h] * exp2_fast((own_top[h] - most) * c);
#pragma unroll
            for (int g = 0; g < MLA_KEYS / 8; g++)
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    float x = exp2_fast(fmaf(s[4 * g + 2 * h + e], c, -most * c));
                    s[4 * g + 2 * h + e] = x;
                    total += x;
                }
            sum[h] = total;
            top[h] = own_top[h] = most;
        }
#pragma unroll
        for (int i = 0; i < MLA_KEYS / 4; i++)
            pr[i] = pack_bf16(s[2 * i], s[2 * i + 1]);
    }

    __device__ __forceinline__ void hand_over(const float (&shrink)[2]) const {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int r = row + 8 * h;
#pragma unroll
            for (int g = 0; g < MLA_KEYS / 8; g++)
                store_shared(base + M::weights + r * 128 + ((W * 4 + g) ^ (r & 7)) * 16 +
                                 lane % 4 * 4,
                             pr[2 * g + h]);
            if (lane % 4 == 0) {
                store_shared(base + M::top + (W * MLA_ROWS + r) * 4, __float_as_uint(top[h]));
                store_shared(base + M::shrink + (W * MLA_ROWS + r) * 4, __float_as_uint(shrink[h]));
            }
        }
        fence_shared_async();
        named_arrive(MLA_BAR_READY + W, 256);
    }

    /* The values of block j, whose weights come from the other warpgroup. */
    __device__ __forceinline__ void others(int j) {
        float shrink[2];
        named_sync(MLA_BAR_READY + (W ^ 1), 256);
#pragma unroll
        for (int h = 0; h < 2; h++) {
            uint32_t at = ((W ^ 1) * MLA_ROWS + row + 8 * h) * 4;
            top[h] = __uint_as_float(load_shared(base + M::top + at));
            shrink[h] = __uint_as_float(load_shared(base + M::shrink + at));
        }
        shrink_output<true>(shrink);
        issue_values<false>(j);
    }

    /* Block j, whose turn is this warpgroup's, behind the values of the block before it. */
    __device__ __forceinline__ void own(int j, const MlaItem &w) {
        float shrink[2];
        int keys = min(MLA_KEYS, w.keys - j * MLA_KEYS);
        issue_scores(j);
        if (j >= 1) {
            others(j - 1);
            wgmma_wait<1>();
        } else {
            wgmma_wait<0>();
        }
        pin(s);
        softmax(keys, shrink);
        if (keys < MLA_KEYS)
            zero_tail(j, keys);
        if (j >= 2)
            named_sync(MLA_BAR_FREE + W, 256);
        hand_over(shrink);
        wgmma_wait<0>();
        pin(o);
        if (j >= 1) {
            release(j - 1);
            if (j + 1 < w.blocks)
                named_arrive(MLA_BAR_FREE + (W ^ 1), 256);
        }
        shrink_output<false>(shrink);
        issue_values<true>(j);
        wgmma_wait<0>();
        pin(o);
        pin(pr);
        release(j);
    }

    __device__ __forceinline__ void start() {
#pragma unroll
        for (int i = 0; i < MLA_V / 4; i++)
            o[i] = 0.f;
        top[0] = top[1] = own_top[0] = own_top[1] = -INFINITY;
        sum[0] = sum[1] = 0.f;
    }

    /* All blocks of an item. */
    __device__ __forceinline__ void run(const MlaItem &w) {
        for (int j = W; j < w.blocks; j += 2)
            own(j, w);
        if (w.blocks % 2 == W) { /* the last one is the other's */
            others(w.blocks - 1);
            wgmma_wait<0>();
            pin(o);
            release(w.blocks - 1);
        }
        first += (uint32_t)w.blocks;
    }

    /* Sum of a row's weights over both warpgroups. */
    __device__ __forceinline__ void meet(float (&total)[2]) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float mine =
                own_top[h] == -INFINITY ? 0.f : sum[h] * exp2_fast((own_top[h] - top[h]) * c);
            mine += __shfl_xor_sync(0xffffffff, mine, 1);
            mine += __shfl_xor_sync(0xffffffff, mine, 2);
            total[h] = mine;
            if (lane % 4 == 0)
                store_shared(base + M::sums + (W * MLA_ROWS + row + 8 * h) * 4,
                             __float_as_uint(mine));
        }
        named_sync(MLA_BAR_BOTH, 256);
#pragma unroll
        for (int h = 0; h < 2; h++)
            total[h] += __uint_as_float(
                load_shared(base + M::sums + ((W ^ 1) * MLA_ROWS + row + 8 * h) * 4));
        named_sync(MLA_BAR_BOTH, 256); /* the next item's sums may be written */
    }

    __device__ __forceinline__ void store(const MlaParams &p, const MlaItem &w) {
        float total[2];
        meet(total);
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int r = row + 8 * h;
            float inverse = total[h] == 0.f ? 0.f : 1.f / total[h];
            float lse = total[h] == 0.f ? -INFINITY : top[h] * p.scale + logf(total[h]);
            bool live = r < p.tile_heads;
            int64_t piece = (w.row + r) * p.splits + w.split;
            if (W == 0 && live && lane % 4 == 0) {
                if (p.splits > 1)
                    p.part_lse[piece] = lse;
                else if (p.lse)
                    p.lse[w.row + r] = lse;
            }
            if (!live)
                continue;
            int column = W * (MLA_V / 2) + lane % 4 * 2;
#pragma unroll
            for (int g = 0; g < MLA_V / 16; g++) {
                float x = o[4 * g + 2 * h] * inverse, y = o[4 * g + 2 * h + 1] * inverse;
                if (p.splits > 1)
                    *(float2 *)(p.part_o + piece * MLA_V + column + 8 * g) = make_float2(x, y);
                else
                    *(uint32_t *)(p.o + (w.row + r) * MLA_V + column + 8 * g) = pack_bf16(x, y);
            }
        }
        __syncwarp();
    }
};

template <int W> __device__ __forceinline__ void mla_consume(const MlaParams &p, uint32_t base) {
    using M = MlaShared;
    MlaConsumer<W> me;
    me.base = base;
    me.first = 0;
    me.lane = threadIdx.x % 32;
    me.row = threadIdx.x % 128 / 32 * 16 + me.lane / 4;
    me.c = p.scale_log2;
    uint32_t nth = 0;
    for (int i = (int)blockIdx.x; i < p.items; i += (int)gridDim.x) {
        MlaItem w = mla_item(p, i);
        me.start();
        if (w.blocks) {
            mbar_wait(base + M::q_full, nth++ & 1);
            __syncwarp();
            me.run(w);
            me.arrive(base + M::q_empty);
        }
        me.store(p, w);
    }
}

__global__ void __launch_bounds__(MLA_THREADS, 1)
    mla_kernel(const __grid_constant__ CUtensorMap mq, const __grid_constant__ CUtensorMap mk,
               const __grid_constant__ MlaParams p) {
    using M = MlaShared;
    extern __shared__ uint8_t shared[];
    uint32_t base = (smem_address(shared) + 1023) & ~1023u;
    int warpgroup = threadIdx.x / 128;
    if (threadIdx.x == 0) {
        mbar_init(base + M::q_full, 1);
        mbar_init(base + M::q_empty, 8);
        for (int i = 0; i < MLA_STAGES; i++) {
            mbar_init(base + M::k_full + 8 * i, 1);
            mbar_init(base + M::k_empty + 8 * i, 8);
        }
        fence_barrier_init();
    }
    __syncthreads();
    dependents_may_launch();
    wait_for_primary();
    if (warpgroup == 0) {
        registers_down<40>();
        if (threadIdx.x == 0)
            mla_produce(&mq, &mk, p, base);
    } else {
        registers_up<232>();
        if (warpgroup == 1)
            mla_consume<0>(p, base);
        else
            mla_consume<1>(p, base);
    }
}

/* A CTA a row, four columns a thread. */
__global__ void __launch_bounds__(MLA_COMBINE_THREADS) mla_combine(const MlaParams p) {
    __shared__ float weights[RC_MLA_MAX_SPLITS];
    __shared__ float spare[2];
    dependents_may_launch();
    wait_for_primary();
    int64_t row = blockIdx.x, first = row * p.splits;
    int lane = threadIdx.x % 32;
    if (threadIdx.x < 32) {
        float top = -INFINITY, sum = 0.f;
        for (int s = lane; s < p.splits; s += 32)
            top = fmaxf(top, p.part_lse[first + s]);
        top = warp_max(top);
        for (int s = lane; s < p.splits; s += 32) {
            float x = __expf(p.part_lse[first + s] - (top == -INFINITY ? 0.f : top));
            weights[s] = x;
            sum += x;
        }
        sum = warp_sum(sum);
        if (lane == 0) {
            spare[0] = sum == 0.f ? 0.f : 1.f / sum;
            if (p.lse)
                p.lse[row] = sum == 0.f ? -INFINITY : top + logf(sum);
        }
    }
    __syncthreads();
    float4 acc = make_float4(0.f, 0.f, 0.f, 0.f);
    const float *from = p.part_o + first * MLA_V + 4 * threadIdx.x;
    for (int s0 = 0; s0 < p.splits; s0 += MLA_FLIGHT) {
        float4 x[MLA_FLIGHT];
#pragma unroll
        for (int i = 0; i < MLA_FLIGHT; i++)
            if (s0 + i < p.splits)
                x[i] = __ldcs((const float4 *)(from + (int64_t)(s0 + i) * MLA_V));
#pragma unroll
        for (int i = 0; i < MLA_FLIGHT; i++)
            if (s0 + i < p.splits) {
                float weight = weights[s0 + i];
                acc.x += weight * x[i].x;
                acc.y += weight * x[i].y;
                acc.z += weight * x[i].z;
                acc.w += weight * x[i].w;
            }
    }
    float by = spare[0];
    *(uint2 *)(p.o + row * MLA_V + 4 * threadIdx.x) =
        make_uint2(pack_bf16(acc.x * by, acc.y * by), pack_bf16(acc.z * by, acc.w * by));
}

/* ---- host ---------------------------------------------------------------------------------- */
static bool mla_valid(const rc_mla_args *a) {
    return a && a->batch >= 1 && a->max_len >= 0 && a->max_len < (int64_t)1 << 30 &&
           a->heads >= 8 && a->heads % 8 == 0 &&
           (a->heads <= MLA_ROWS || a->heads % MLA_ROWS == 0) && a->scale >= 0.f &&
           a->splits >= 0 && a->sms >= 0 && (int64_t)a->batch * a->max_len < (int64_t)1 << 31 &&
           (int64_t)a->batch * a->heads < 1 << 24;
}

static void mla_plan(const rc_mla_args *a, MlaParams *p, int *sms) {
    *p = MlaParams{};
    *sms = rc_sm_count();
    *sms = a->sms > 0 && a->sms < *sms ? a->sms : *sms;
    p->lens = a->lens;
    p->max_len = a->max_len;
    p->heads = a->heads;
    p->tile_heads = a->heads < MLA_ROWS ? a->heads : (int)MLA_ROWS;
    p->tiles = a->heads / p->tile_heads;
    int64_t units = (int64_t)a->batch * p->tiles, blocks = (a->max_len + MLA_KEYS - 1) / MLA_KEYS;
    p->splits = a->splits > 0 ? a->splits : rc_mla_choose_splits(units, blocks, *sms);
    p->splits = p->splits < RC_MLA_MAX_SPLITS ? p->splits : (int)RC_MLA_MAX_SPLITS;
    p->items = (int)units * p->splits;
    p->scale = a->scale > 0.f ? a->scale : 0.07216878364870322f; /* 1 / sqrt(192) */
    p->scale_log2 = p->scale * 1.4426950408889634f;
}

static size_t mla_pieces(const MlaParams *p, int batch) {
    return p->splits == 1 ? 0 : (size_t)p->splits * (size_t)batch * (size_t)p->heads;
}

extern "C" size_t rc_mla_workspace(const rc_mla_args *a) {
    MlaParams p;
    int sms;
    if (!mla_valid(a))
        return 0;
    mla_plan(a, &p, &sms);
    return mla_pieces(&p, a->batch) * (MLA_V + 1) * sizeof(float);
}

/* bf16 [rows][576] as (column of a panel, row, panel). */
static int mla_map(CUtensorMap *map, const void *x, int64_t rows, int box_rows, int box_panels) {
    cuuint64_t dims[3] = {64, (cuuint64_t)rows, MLA_PANELS};
    cuuint64_t strides[2] = {2 * MLA_K, 128};
    cuuint32_t box[3] = {64, (cuuint32_t)box_rows, (cuuint32_t)box_panels};
    return rc_tensor_map(map, RC_MAP_BF16_128, x, 3, dims, strides, box);
}

extern "C" int rc_mla_decode(const rc_mla_args *a, void *stream) {
    MlaParams p;
    CUtensorMap mq, mk;
    int sms;
    if (!mla_valid(a))
        return RC_KERNEL_EINVAL;
    mla_plan(a, &p, &sms);
    size_t pieces = mla_pieces(&p, a->batch);
    if (pieces && !a->workspace)
        return RC_KERNEL_EINVAL;
    p.o = (__nv_bfloat16 *)a->o;
    p.lse = a->lse;
    p.part_o = (float *)a->workspace;
    p.part_lse = p.part_o + pieces * MLA_V;
    int e = rc_code_check((const void *)mla_kernel, rc_capability_of("mla", false));
    e = e ? e : mla_map(&mq, a->q, (int64_t)a->batch * a->heads, p.tile_heads, 1);
    /* An empty cache has no map, and no block asks for one. */
    e = e ? e
          : mla_map(&mk, a->kv, a->max_len ? a->batch * a->max_len : (int64_t)MLA_KEYS, MLA_KEYS,
                    MLA_PANELS);
    e = e ? e
          : (int)cudaFuncSetAttribute(mla_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      MlaShared::bytes);
    e = e ? e
          : rc_launch_dependent(mla_kernel, p.items < sms ? p.items : sms, MLA_THREADS,
                                MlaShared::bytes, (cudaStream_t)stream, mq, mk, p);
    if (e || p.splits == 1)
        return e;
    return rc_launch_dependent(mla_combine, a->batch * a->heads, MLA_COMBINE_THREADS, 0,
                               (cudaStream_t)stream, p);
}

extern "C" double rc_mla_flops(int64_t keys, int heads) {
    return 2.0 * (MLA_K + MLA_V) * (double)keys * heads;
}
