/* The attention kernel's device half: one producer warpgroup, two consumer warpgroups of 64 rows
 * each.
 *
 * A work item is (row tile of one KV head, range of key blocks). Row r of a tile is token tok0 + r
 * / group, query head kv * group + r % group, so that the heads that share K and V fill the tile.
 * Key blocks run right to left: masked ones first, the bulk without mask code. Shared memory: Q as
 * two 64-column panels, K and V as two-stage rings of two panels each, all 128-byte swizzled, then
 * the barriers.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_ATTENTION_CORE_CUH
#define RC_ATTENTION_CORE_CUH
#include "kernels/hopper.cuh"
#include "kernels/wgmma.cuh"

enum {
    ATTN_ROWS = 128,
    ATTN_KEYS = 128, /* of a block */
    ATTN_STAGES = 2,
    ATTN_CONSUMERS = 2,
    ATTN_THREADS = 128 * (1 + ATTN_CONSUMERS),
    ATTN_Q_PANEL = ATTN_ROWS * 128,
    ATTN_BAR_TURN = 1 /* named barriers 1 and 2: whose turn it is to issue products */
};

struct AttnParams {
    __nv_bfloat16 *o;
    float *lse;
    float *part_o;   /* [piece][128 rows][128], pieces of the split tiles */
    float *part_lse; /* [piece][128 rows] */
    int tq, tk, hq, hkv;
    int group, tokens; /* tokens of a row tile */
    int row_tiles;     /* tiles of one KV head */
    int whole;         /* tiles [0, whole) are one item each, the others `splits` items */
    int splits, items;
    float scale, scale_log2;
};

struct AttnItem {
    int tok0, kv; /* first token of the tile, KV head */
    int lo, hi;   /* key blocks [lo, hi) */
    int piece;    /* -1: the item is the whole tile */
};

struct AttnShared {
    static constexpr uint32_t panel = ATTN_KEYS * 128;
    static constexpr uint32_t q = 0;
    static constexpr uint32_t k = 2 * ATTN_Q_PANEL;
    static constexpr uint32_t v = k + ATTN_STAGES * 2 * panel;
    static constexpr uint32_t bars = v + ATTN_STAGES * 2 * panel;
    static constexpr uint32_t q_full = bars, q_empty = bars + 8;
    static constexpr uint32_t k_full = bars + 16, k_empty = k_full + 8 * ATTN_STAGES;
    static constexpr uint32_t v_full = k_empty + 8 * ATTN_STAGES,
                              v_empty = v_full + 8 * ATTN_STAGES;
    static constexpr uint32_t bytes = v_empty + 8 * ATTN_STAGES + 1024; /* 1024: room to align */
};

/* Keys [0, visible) are those that the last token of a tile sees. */
template <bool Causal>
__host__ __device__ __forceinline__ int attn_tile_blocks(int tok0, int tokens, int tq, int tk) {
    int visible = tk;
    if (Causal) {
        int last = (tok0 + tokens < tq ? tok0 + tokens : tq) - 1;
        visible = last + (tk - tq) + 1;
        visible = visible < 0 ? 0 : visible > tk ? tk : visible;
    }
    return (visible + ATTN_KEYS - 1) / ATTN_KEYS;
}

/* Item of this CTA in round `round`: the order snakes, so that unequal tiles even out over the
 * CTAs. */
__device__ __forceinline__ int attn_item_index(int round) {
    int place = round & 1 ? (int)(gridDim.x - 1 - blockIdx.x) : (int)blockIdx.x;
    return round * (int)gridDim.x + place;
}

template <bool Causal>
__device__ __forceinline__ AttnItem attn_item(const AttnParams &p, int index) {
    AttnItem w;
    int tile = index, split = 0, splits = 1;
    w.piece = -1;
    if (index >= p.whole) {
        w.piece = index - p.whole;
        splits = p.splits;
        tile = p.whole + w.piece / splits;
        split = w.piece % splits;
    }
    int row_tile;
    if (Causal) { /* heaviest first */
        row_tile = p.row_tiles - 1 - tile / p.hkv;
        w.kv = tile % p.hkv;
    } else {
        row_tile = tile % p.row_tiles;
        w.kv = tile / p.row_tiles;
    }
    w.tok0 = row_tile * p.tokens;
    int blocks = attn_tile_blocks<Causal>(w.tok0, p.tokens, p.tq, p.tk);
    w.lo = (int)((int64_t)blocks * split / splits);
    w.hi = (int)((int64_t)blocks * (split + 1) / splits);
    return w;
}

/* One thread feeds the rings; `n` counts blocks over all items, so stages and phases
 * never restart. */
template <bool Causal>
__device__ __forceinline__ void attn_produce(const CUtensorMap *mq, const CUtensorMap *mk,
                                             const CUtensorMap *mv, const AttnParams &p,
                                             uint32_t base) {
    using M = AttnShared;
    uint32_t n = 0, tiles = 0;
    for (int round = 0;; round++) {
        int index = attn_item_index(round);
        if (round * (int)gridDim.x >= p.items)
            break;
        if (index >= p.items)
            continue;
        AttnItem w = attn_item<Causal>(p, index);
        if (w.lo == w.hi)
            continue;
        mbar_wait(base + M::q_empty, (tiles & 1) ^ 1);
        mbar_expect(base + M::q_full, 2u * 128 * (uint32_t)(p.group * p.tokens));
        for (int panel = 0; panel < 2; panel++)
            tma_load_3d(base + M::q + panel * ATTN_Q_PANEL, mq, base + M::q_full, 64 * panel,
                        w.kv * p.group, w.tok0);
        tiles++;
        for (int block = w.hi - 1; block >= w.lo; block--, n++) {
            uint32_t stage = n % ATTN_STAGES, phase = n / ATTN_STAGES & 1;
            uint32_t slot = stage * 2 * M::panel, bar = 8 * stage;
            mbar_wait(base + M::k_empty + bar, phase ^ 1);
            mbar_expect(base + M::k_full + bar, 2 * M::panel);
            tma_load_4d(base + M::k + slot, mk, base + M::k_full + bar, 0, w.kv, block * ATTN_KEYS,
                        0);
            mbar_wait(base + M::v_empty + bar, phase ^ 1);
            mbar_expect(base + M::v_full + bar, 2 * M::panel);
            tma_load_4d(base + M::v + slot, mv, base + M::v_full + bar, 0, w.kv, block * ATTN_KEYS,
                        0);
        }
    }
}

/* S = Q K^T over the two panels of head dimension 128. */
__device__ __forceinline__ void attn_scores(float (&s)[ATTN_KEYS / 2], uint64_t dq, uint64_t dk) {
#pragma unroll
    for (int step = 0; step < 8; step++) {
        int panel = step / 4, within = step % 4 * 2; /* descriptor units of 16 bytes */
        wgmma_ss(s, dq + (panel * ATTN_Q_PANEL >> 4) + within,
                 dk + (panel * (int)AttnShared::panel >> 4) + within, step != 0);
    }
    wgmma_commit();
}

/* O += P V, P already in the layout of a register operand. */
__device__ __forceinline__ void attn_values(float (&o)[64], const uint32_t (&pr)[ATTN_KEYS / 4],
                                            uint64_t dv) {
#pragma unroll
    for (int step = 0; step < ATTN_KEYS / 16; step++)
        wgmma_rs(o, pr[4 * step], pr[4 * step + 1], pr[4 * step + 2], pr[4 * step + 3],
                 dv + step * 128);
    wgmma_commit();
}

struct AttnRows { /* softmax state of a thread's two rows; max in score units, sum of this thread's
                     share */
    float max[2], sum[2];
};

/* Hides columns past limit[h] of the block whose first key, seen from this thread, is col0. */
__device__ __forceinline__ void attn_mask(float (&s)[ATTN_KEYS / 2], int col0,
                                          const int (&limit)[2]) {
#pragma unroll
    for (int i = 0; i < ATTN_KEYS / 2; i++)
        if (col0 + i / 4 * 8 + (i & 1) > limit[i / 2 % 2])
            s[i] = -INFINITY;
}

/* s becomes exp2(s c - max c); `shrink` is what older sums and outputs are to be multiplied by. */
__device__ __forceinline__ void attn_softmax(float (&s)[ATTN_KEYS / 2], AttnRows &rows, float c,
                                             float (&shrink)[2]) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float top = rows.max[h];
#pragma unroll
        for (int j = 0; j < ATTN_KEYS / 8; j++)
            top = fmaxf(top, fmaxf(s[4 * j + 2 * h], s[4 * j + 2 * h + 1]));
        top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 2));
        float offset = top == -INFINITY ? 0.f : top * c;
        shrink[h] = exp2_fast(rows.max[h] * c - offset);
        rows.max[h] = top;
        float sum = rows.sum[h] * shrink[h];
#pragma unroll
        for (int j = 0; j < ATTN_KEYS / 8; j++)
#pragma unroll
            for (int e = 0; e < 2; e++) {
                float x = exp2_fast(fmaf(s[4 * j + 2 * h + e], c, -offset));
                s[4 * j + 2 * h + e] = x;
                sum += x;
            }
        rows.sum[h] = sum;
    }
}

__device__ __forceinline__ void attn_pack(const float (&s)[ATTN_KEYS / 2],
                                          uint32_t (&pr)[ATTN_KEYS / 4]) {
#pragma unroll
    for (int i = 0; i < ATTN_KEYS / 4; i++)
        pr[i] = pack_bf16(s[2 * i], s[2 * i + 1]);
}

/* After it, lane q of a quad holds what all four lanes held of column group q. */
__device__ __forceinline__ void quad_transpose(uint32_t (&x)[4], int lane) {
    bool odd = lane & 1, high = lane & 2;
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
        uint32_t got = __shfl_xor_sync(0xffffffff, odd ? x[i] : x[i + 1], 1);
        if (odd)
            x[i] = got;
        else
            x[i + 1] = got;
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
        uint32_t got = __shfl_xor_sync(0xffffffff, high ? x[i] : x[i + 2], 2);
        if (high)
            x[i] = got;
        else
            x[i + 2] = got;
    }
}

/* Normalises and writes a warpgroup's 64 rows: bf16 O and LSE, or the fp32 piece of a split tile.
 */
__device__ __forceinline__ void attn_store(const AttnParams &p, const AttnItem &w, float (&o)[64],
                                           AttnRows &rows, int row0, int lane) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int r = row0 + 8 * h, token = w.tok0 + r / p.group, head = w.kv * p.group + r % p.group;
        bool live = r < p.group * p.tokens && token < p.tq;
        float sum = rows.sum[h];
        sum += __shfl_xor_sync(0xffffffff, sum, 1);
        sum += __shfl_xor_sync(0xffffffff, sum, 2);
        float inverse = sum == 0.f ? 0.f : 1.f / sum;
        float lse = sum == 0.f ? -INFINITY : rows.max[h] * p.scale + logf(sum);
        int64_t row = (int64_t)token * p.hq + head;
        if (w.piece >= 0)
            row = (int64_t)w.piece * ATTN_ROWS + r;
        float *lse_out = w.piece >= 0 ? p.part_lse : p.lse;
        if (live && lse_out && lane % 4 == 0)
            lse_out[row] = lse;
        if (w.piece >= 0) {
#pragma unroll
            for (int j = 0; j < 16; j++)
                if (live)
                    *(float2 *)(p.part_o + row * 128 + 8 * j + lane % 4 * 2) =
                        make_float2(o[4 * j + 2 * h] * inverse, o[4 * j + 2 * h + 1] * inverse);
            continue;
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
            uint32_t x[4];
#pragma unroll
            for (int j = 0; j < 4; j++)
                x[j] = pack_bf16(o[16 * i + 4 * j + 2 * h] * inverse,
                                 o[16 * i + 4 * j + 2 * h + 1] * inverse);
            quad_transpose(x, lane);
            if (live)
                *(uint4 *)(p.o + row * 128 + 32 * i + lane % 4 * 8) =
                    make_uint4(x[0], x[1], x[2], x[3]);
        }
    }
    __syncwarp();
}

/* A consumer warpgroup's view of the rings and of its own place. Waits and releases end with the
 * warp together, as the aligned instructions after them require. */
struct AttnConsumer {
    using M = AttnShared;
    uint32_t base;
    int wg, lane;
    uint32_t n; /* blocks consumed so far, over all items */
    uint64_t dq, dk, dv;
    float c;

    __device__ __forceinline__ void release(uint32_t bar) const {
        if (lane == 0)
            mbar_arrive(bar);
        __syncwarp();
    }
    __device__ __forceinline__ void wait_k() const {
        mbar_wait(base + M::k_full + 8 * (n % ATTN_STAGES), n / ATTN_STAGES & 1);
        __syncwarp();
    }
    __device__ __forceinline__ void wait_v(uint32_t m) const {
        mbar_wait(base + M::v_full + 8 * (m % ATTN_STAGES), m / ATTN_STAGES & 1);
        __syncwarp();
    }
    __device__ __forceinline__ uint64_t ring(uint64_t d, uint32_t m) const {
        return d + m % ATTN_STAGES * (2 * M::panel >> 4);
    }
    __device__ __forceinline__ void my_turn() const {
        named_sync(ATTN_BAR_TURN + wg, 256);
    }
    __device__ __forceinline__ void your_turn() const {
        named_arrive(ATTN_BAR_TURN + (wg ^ 1), 256);
    }

    /* First block of an item: scores and softmax only. */
    __device__ __forceinline__ void first(float (&s)[ATTN_KEYS / 2], uint32_t (&pr)[ATTN_KEYS / 4],
                                          AttnRows &rows, int col0, const int (&limit)[2],
                                          bool masked) {
        float shrink[2];
        wait_k();
        my_turn();
        wgmma_fence();
        attn_scores(s, dq, ring(dk, n));
        your_turn();
        wgmma_wait<0>();
        pin(s);
        release(base + M::k_empty + 8 * (n % ATTN_STAGES));
        if (masked)
            attn_mask(s, col0, limit);
        attn_softmax(s, rows, c, shrink);
        attn_pack(s, pr);
        n++;
    }

    /* Scores of this block under the values of the one before it. */
    template <bool Masked>
    __device__ __forceinline__ void step(float (&s)[ATTN_KEYS / 2], uint32_t (&pr)[ATTN_KEYS / 4],
                                         float (&o)[64], AttnRows &rows, int col0,
                                         const int (&limit)[2]) {
        float shrink[2];
        wait_k();
        my_turn();
        wgmma_fence();
        attn_scores(s, dq, ring(dk, n));
        wait_v(n - 1);
        wgmma_fence();
        attn_values(o, pr, ring(dv, n - 1));
        your_turn();
        wgmma_wait<1>();
        pin(s);
        release(base + M::k_empty + 8 * (n % ATTN_STAGES));
        if (Masked)
            attn_mask(s, col0, limit);
        attn_softmax(s, rows, c, shrink);
        wgmma_wait<0>();
        pin(o);
        pin(pr);
        pin(s);
        release(base + M::v_empty + 8 * ((n - 1) % ATTN_STAGES));
        attn_pack(s, pr);
#pragma unroll
        for (int i = 0; i < 64; i++)
            o[i] *= shrink[i / 2 % 2];
        n++;
    }

    /* Values of the last block. */
    __device__ __forceinline__ void last(uint32_t (&pr)[ATTN_KEYS / 4], float (&o)[64]) {
        wait_v(n - 1);
        wgmma_fence();
        attn_values(o, pr, ring(dv, n - 1));
        wgmma_wait<0>();
        pin(o);
        pin(pr);
        release(base + M::v_empty + 8 * ((n - 1) % ATTN_STAGES));
    }
};

template <bool Causal>
__device__ __forceinline__ void attn_consume(const AttnParams &p, uint32_t base, int wg) {
    using M = AttnShared;
    int lane = threadIdx.x % 32, row0 = wg * 64 + threadIdx.x / 32 % 4 * 16 + lane / 4;
    AttnConsumer me = {base, wg, lane, 0, 0, 0, 0, p.scale_log2};
    me.dq = swizzled_desc(base + M::q + wg * 64 * 128, 16, 1024);
    me.dk = swizzled_desc(base + M::k, 16, 1024);
    me.dv = swizzled_desc(base + M::v, M::panel, 1024);
    uint32_t tiles = 0;
    if (wg == 1)
        me.your_turn(); /* warpgroup 0 begins */
    for (int round = 0; round * (int)gridDim.x < p.items; round++) {
        int index = attn_item_index(round);
        if (index >= p.items)
            continue;
        AttnItem w = attn_item<Causal>(p, index);
        AttnRows rows = {{-INFINITY, -INFINITY}, {0.f, 0.f}};
        float s[ATTN_KEYS / 2], o[64];
        uint32_t pr[ATTN_KEYS / 4];
#pragma unroll
        for (int i = 0; i < 64; i++)
            o[i] = 0.f;
        if (w.lo < w.hi) {
            int limit[2], offset = p.tk - p.tq;
#pragma unroll
            for (int h = 0; h < 2; h++)
                limit[h] =
                    Causal ? min(w.tok0 + (row0 + 8 * h) / p.group + offset, p.tk - 1) : p.tk - 1;
            int clear =
                Causal ? min(w.tok0 + offset + 1, p.tk) : p.tk; /* keys that every row sees */
            clear = clear < 0 ? 0 : clear / ATTN_KEYS;
            int block = w.hi - 1, mine = 2 * (lane % 4);
            mbar_wait(base + M::q_full, tiles & 1);
            __syncwarp();
            me.first(s, pr, rows, block * ATTN_KEYS + mine, limit, block >= clear);
            for (block--; block >= w.lo && block >= clear; block--)
                me.step<true>(s, pr, o, rows, block * ATTN_KEYS + mine, limit);
            for (; block >= w.lo; block--)
                me.step<false>(s, pr, o, rows, 0, limit);
            me.release(base + M::q_empty);
            me.last(pr, o);
            tiles++;
        }
        attn_store(p, w, o, rows, row0, lane);
    }
    if (wg == 0)
        me.my_turn(); /* takes the last hand-over, so that no barrier is left half full */
}

template <bool Causal>
__global__ void __launch_bounds__(ATTN_THREADS, 1)
    attn_kernel(const __grid_constant__ CUtensorMap mq, const __grid_constant__ CUtensorMap mk,
                const __grid_constant__ CUtensorMap mv, const __grid_constant__ AttnParams p) {
    using M = AttnShared;
    extern __shared__ uint8_t shared[];
    uint32_t base = (smem_address(shared) + 1023) & ~1023u;
    int warpgroup = threadIdx.x / 128;
    if (threadIdx.x == 0) {
        mbar_init(base + M::q_full, 1);
        mbar_init(base + M::q_empty, 4 * ATTN_CONSUMERS);
        for (int i = 0; i < ATTN_STAGES; i++) {
            mbar_init(base + M::k_full + 8 * i, 1);
            mbar_init(base + M::k_empty + 8 * i, 4 * ATTN_CONSUMERS);
            mbar_init(base + M::v_full + 8 * i, 1);
            mbar_init(base + M::v_empty + 8 * i, 4 * ATTN_CONSUMERS);
        }
        fence_barrier_init();
    }
    __syncthreads();
    dependents_may_launch();
    if (warpgroup == 0) {
        registers_down<24>();
        if (threadIdx.x == 0)
            attn_produce<Causal>(&mq, &mk, &mv, p, base);
    } else {
        registers_up<240>();
        attn_consume<Causal>(p, base, warpgroup - 1);
    }
}
#endif
