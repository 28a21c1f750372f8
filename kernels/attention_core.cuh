/* The attention kernel's device half: one producer warpgroup, two consumer warpgroups of 64 rows
 * each; bf16 or e4m3, one sequence or a batch of sequences of any lengths.
 *
 * A work item is (row tile of one KV head of one sequence, range of key blocks). Row r of a tile is
 * token tok0 + r / group, query head kv * group + r % group, so that the heads that share K and V
 * fill the tile. Key blocks run right to left: masked ones first, the bulk without mask code.
 * Shared memory: Q, then K and V as rings of key blocks with barriers of their own, all swizzled.
 *
 * Pieces of a split tile meet in a second kernel.
 *
 * Two element types differ in how tiles lie in shared memory and in where products are added up
 * (AttnBf16, AttnFp8); all else is one text.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_ATTENTION_CORE_CUH
#define RC_ATTENTION_CORE_CUH
#include "kernels/hopper.cuh"
#include "kernels/wgmma.cuh"

enum {
    ATTN_ROWS = 128,
    ATTN_KEYS = 128, /* of a block */
    ATTN_CONSUMERS = 2,
    ATTN_THREADS = 128 * (1 + ATTN_CONSUMERS),
    ATTN_BAR_TURN = 1 /* named barriers 1 and 2: whose turn it is to issue products */
};

/* Rows of 256 bytes in two 64-column panels. The tensor cores add into O itself. */
struct AttnBf16 {
    enum { STAGES = 2, ROW_BYTES = 256, P_REGS = ATTN_KEYS / 4, OWN_SUM = 0, TURNS = 1 };
    static constexpr uint32_t q_panel = ATTN_ROWS * 128, panel = ATTN_KEYS * 128;
    static constexpr float exponent = 0.f; /* P is exp2 of score minus maximum plus this */

    static __device__ __forceinline__ void load_q(uint32_t dst, const CUtensorMap *map,
                                                  uint32_t bar, int head, int token) {
        tma_load_3d(dst, map, bar, 0, head, token);
        tma_load_3d(dst + q_panel, map, bar, 64, head, token);
    }
    static __device__ __forceinline__ void load_k(uint32_t dst, const CUtensorMap *map,
                                                  uint32_t bar, int kv, int key) {
        tma_load_4d(dst, map, bar, 0, kv, key, 0);
    }
    static __device__ __forceinline__ void load_v(uint32_t dst, const CUtensorMap *map,
                                                  uint32_t bar, int kv, int key) {
        tma_load_4d(dst, map, bar, 0, kv, key, 0);
    }
    static __device__ __forceinline__ uint64_t q_desc(uint32_t at, int wg) {
        return swizzled_desc(at + wg * 64 * 128, 16, 1024);
    }
    static __device__ __forceinline__ uint64_t k_desc(uint32_t at) {
        return swizzled_desc(at, 16, 1024);
    }
    static __device__ __forceinline__ uint64_t v_desc(uint32_t at) {
        return swizzled_desc(at, panel, 1024);
    }
    /* S = Q K^T over the two panels of head dimension 128. */
    static __device__ __forceinline__ void scores(float (&s)[64], uint64_t dq, uint64_t dk) {
#pragma unroll
        for (int step = 0; step < 8; step++) {
            int panels = step / 4, within = step % 4 * 2; /* descriptor units of 16 bytes */
            wgmma_ss(s, dq + panels * (q_panel >> 4) + within, dk + panels * (panel >> 4) + within,
                     step != 0);
        }
        wgmma_commit();
    }
    /* O += P V, P already in the layout of a register operand. */
    static __device__ __forceinline__ void values(float (&o)[64], const uint32_t (&pr)[P_REGS],
                                                  uint64_t dv) {
#pragma unroll
        for (int step = 0; step < ATTN_KEYS / 16; step++)
            wgmma_rs(o, pr[4 * step], pr[4 * step + 1], pr[4 * step + 2], pr[4 * step + 3],
                     dv + step * 128);
        wgmma_commit();
    }
    static __device__ __forceinline__ void pack(const float (&s)[64], uint32_t (&pr)[P_REGS]) {
#pragma unroll
        for (int i = 0; i < P_REGS; i++)
            pr[i] = pack_bf16(s[2 * i], s[2 * i + 1]);
    }
};

/* Rows of 128 bytes; V as [block of 128 keys][128 columns][128 keys], the keys of a group of 16 in
 * the order that makes a thread's scores its register operand (kernels.h). The tensor cores keep
 * only about 14 bits of a running sum, so each block's product is summed from zero and added to O
 * in fp32; that costs registers, no time: the addition replaces the multiplication that shrinks O.
 * P is scaled by 2^8 into the range of e4m3. Warpgroups do not take turns: 9 % slower with. */
struct AttnFp8 {
    enum { STAGES = 4, ROW_BYTES = 128, P_REGS = ATTN_KEYS / 8, OWN_SUM = 1, TURNS = 0 };
    static constexpr float exponent = 8.f;

    static __device__ __forceinline__ void load_q(uint32_t dst, const CUtensorMap *map,
                                                  uint32_t bar, int head, int token) {
        tma_load_3d(dst, map, bar, 0, head, token);
    }
    static __device__ __forceinline__ void load_k(uint32_t dst, const CUtensorMap *map,
                                                  uint32_t bar, int kv, int key) {
        tma_load_3d(dst, map, bar, 0, kv, key);
    }
    static __device__ __forceinline__ void load_v(uint32_t dst, const CUtensorMap *map,
                                                  uint32_t bar, int kv, int key) {
        tma_load_4d(dst, map, bar, 0, 0, kv, key / ATTN_KEYS);
    }
    static __device__ __forceinline__ uint64_t q_desc(uint32_t at, int wg) {
        return swizzled_desc(at + wg * 64 * 128, 16, 1024);
    }
    static __device__ __forceinline__ uint64_t k_desc(uint32_t at) {
        return swizzled_desc(at, 16, 1024);
    }
    static __device__ __forceinline__ uint64_t v_desc(uint32_t at) {
        return swizzled_desc(at, 16, 1024);
    }
    static __device__ __forceinline__ void scores(float (&s)[64], uint64_t dq, uint64_t dk) {
#pragma unroll
        for (int step = 0; step < 4; step++)
            wgmma_ss_e4m3(s, dq + 2 * step, dk + 2 * step, step != 0);
        wgmma_commit();
    }
    /* product = P V */
    static __device__ __forceinline__ void values(float (&product)[64],
                                                  const uint32_t (&pr)[P_REGS], uint64_t dv) {
#pragma unroll
        for (int step = 0; step < ATTN_KEYS / 32; step++)
            wgmma_rs_e4m3(product, pr[4 * step], pr[4 * step + 1], pr[4 * step + 2],
                          pr[4 * step + 3], dv + 2 * step, step != 0);
        wgmma_commit();
    }
    static __device__ __forceinline__ void pack(const float (&s)[64], uint32_t (&pr)[P_REGS]) {
#pragma unroll
        for (int i = 0; i < P_REGS; i++) {
            int at = 8 * (i / 2) + 2 * (i % 2);
            pr[i] = pack_e4m3(s[at], s[at + 1], s[at + 4], s[at + 5]);
        }
    }
};

/* The sequences of a launch, at most Seqs. */
template <int Seqs> struct AttnBatch {
    int n;
    int q_start[Seqs], q_len[Seqs], k_start[Seqs], k_len[Seqs];
    int whole[Seqs]; /* tiles [0, whole) are one item each, the others `splits` items */
    int splits[Seqs];
    int first_item[Seqs + 1];  /* first_item[n]: items in all */
    int first_piece[Seqs + 1]; /* pieces are the items of split tiles */
    int first_split[Seqs + 1]; /* split tiles before this sequence's */
};

struct AttnParams {
    __nv_bfloat16 *o;
    float *lse;
    float *part_o;   /* [piece][128 rows][128], pieces of the split tiles */
    float *part_lse; /* [piece][128 rows] */
    int hq, hkv;
    int group, tokens; /* tokens of a row tile */
    float scale, scale_log2;
    float lse_shift; /* AttnFp8: the logarithm of what P is scaled by */
    float v_scale;
};

struct AttnItem {
    int seq, tok0, kv; /* first token of the tile in its sequence, KV head */
    int lo, hi;        /* key blocks [lo, hi) */
    int piece;         /* -1: the item is the whole tile */
};

template <class T> struct AttnShared {
    static constexpr uint32_t tile = ATTN_KEYS * T::ROW_BYTES;
    static constexpr uint32_t q = 0;
    static constexpr uint32_t k = ATTN_ROWS * T::ROW_BYTES;
    static constexpr uint32_t v = k + T::STAGES * tile;
    static constexpr uint32_t bars = v + T::STAGES * tile;
    static constexpr uint32_t q_full = bars, q_empty = bars + 8;
    static constexpr uint32_t k_full = bars + 16, k_empty = k_full + 8 * T::STAGES;
    static constexpr uint32_t v_full = k_empty + 8 * T::STAGES, v_empty = v_full + 8 * T::STAGES;
    static constexpr uint32_t bytes = v_empty + 8 * T::STAGES + 1024; /* 1024: room to align */
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

/* The last i with first[i] <= index. */
template <int Seqs>
__device__ __forceinline__ int attn_find(const int (&first)[Seqs + 1], int n, int index) {
    if (Seqs == 1)
        return 0;
    int low = 0, high = n - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (first[middle] <= index)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Row tile and KV head of a sequence's tile; causal ones heaviest first. */
template <bool Causal>
__device__ __forceinline__ void attn_tile_place(int tile, int row_tiles, int hkv, int &row_tile,
                                                int &kv) {
    row_tile = Causal ? row_tiles - 1 - tile / hkv : tile % row_tiles;
    kv = Causal ? tile % hkv : tile / row_tiles;
}

template <bool Causal, int Seqs>
__device__ __forceinline__ AttnItem attn_item(const AttnParams &p, const AttnBatch<Seqs> &b,
                                              int index) {
    AttnItem w;
    int i = attn_find<Seqs>(b.first_item, b.n, index);
    int tile = index - b.first_item[i], split = 0, splits = 1;
    w.seq = i;
    w.piece = -1;
    if (tile >= b.whole[i]) {
        int piece = tile - b.whole[i];
        splits = b.splits[i];
        tile = b.whole[i] + piece / splits;
        split = piece % splits;
        w.piece = b.first_piece[i] + piece;
    }
    int row_tile, tq = b.q_len[i];
    attn_tile_place<Causal>(tile, (tq + p.tokens - 1) / p.tokens, p.hkv, row_tile, w.kv);
    w.tok0 = row_tile * p.tokens;
    int blocks = attn_tile_blocks<Causal>(w.tok0, p.tokens, tq, b.k_len[i]);
    w.lo = (int)((int64_t)blocks * split / splits);
    w.hi = (int)((int64_t)blocks * (split + 1) / splits);
    return w;
}

/* One thread feeds the rings; `n` counts blocks over all items, so stages and phases
 * never restart. */
template <class T, bool Causal, int Seqs>
__device__ __forceinline__ void attn_produce(const CUtensorMap *mq, const CUtensorMap *mk,
                                             const CUtensorMap *mv, const AttnParams &p,
                                             const AttnBatch<Seqs> &b, uint32_t base) {
    using M = AttnShared<T>;
    uint32_t n = 0, tiles = 0;
    int items = b.first_item[b.n];
    for (int round = 0; round * (int)gridDim.x < items; round++) {
        int index = attn_item_index(round);
        if (index >= items)
            continue;
        AttnItem w = attn_item<Causal>(p, b, index);
        if (w.lo == w.hi)
            continue;
        mbar_wait(base + M::q_empty, (tiles & 1) ^ 1);
        mbar_expect(base + M::q_full, (uint32_t)(T::ROW_BYTES * p.group * p.tokens));
        T::load_q(base + M::q, mq, base + M::q_full, w.kv * p.group, b.q_start[w.seq] + w.tok0);
        tiles++;
        for (int block = w.hi - 1; block >= w.lo; block--, n++) {
            uint32_t stage = n % T::STAGES, phase = n / T::STAGES & 1;
            uint32_t slot = stage * M::tile, bar = 8 * stage;
            int key = b.k_start[w.seq] + block * ATTN_KEYS;
            mbar_wait(base + M::k_empty + bar, phase ^ 1);
            mbar_expect(base + M::k_full + bar, M::tile);
            T::load_k(base + M::k + slot, mk, base + M::k_full + bar, w.kv, key);
            mbar_wait(base + M::v_empty + bar, phase ^ 1);
            mbar_expect(base + M::v_full + bar, M::tile);
            T::load_v(base + M::v + slot, mv, base + M::v_full + bar, w.kv, key);
        }
    }
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

/* s becomes exp2(s c - max c + exponent); `shrink` is what older sums and outputs are to be
 * multiplied by. */
__device__ __forceinline__ void attn_softmax(float (&s)[ATTN_KEYS / 2], AttnRows &rows, float c,
                                             float exponent, float (&shrink)[2]) {
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
        offset -= exponent;
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
__device__ __forceinline__ void attn_store(const AttnParams &p, const AttnItem &w, int q_start,
                                           int q_len, float (&o)[64], AttnRows &rows, int row0,
                                           int lane) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int r = row0 + 8 * h, token = w.tok0 + r / p.group, head = w.kv * p.group + r % p.group;
        bool live = r < p.group * p.tokens && token < q_len;
        float sum = rows.sum[h];
        sum += __shfl_xor_sync(0xffffffff, sum, 1);
        sum += __shfl_xor_sync(0xffffffff, sum, 2);
        float inverse = sum == 0.f ? 0.f : p.v_scale / sum;
        float lse = sum == 0.f ? -INFINITY : rows.max[h] * p.scale + logf(sum) - p.lse_shift;
        int64_t row = (int64_t)(q_start + token) * p.hq + head;
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

/* A consumer warpgroup's view of the rings and of its own place, and what it computes. Waits and
 * releases end with the warp together, as the aligned instructions after them require. */
template <class T> struct AttnConsumer {
    using M = AttnShared<T>;
    uint32_t base;
    int wg, lane;
    uint32_t n; /* blocks consumed so far, over all items */
    uint64_t dq, dk, dv;
    float c;
    AttnRows rows;
    float shrink[2]; /* of the latest block */
    float s[64], o[64];
    float product[T::OWN_SUM ? 64 : 1];
    uint32_t pr[T::P_REGS];

    __device__ __forceinline__ void release(uint32_t bar) const {
        if (lane == 0)
            mbar_arrive(bar);
        __syncwarp();
    }
    __device__ __forceinline__ void wait_k() const {
        mbar_wait(base + M::k_full + 8 * (n % T::STAGES), n / T::STAGES & 1);
        __syncwarp();
    }
    __device__ __forceinline__ void wait_v(uint32_t m) const {
        mbar_wait(base + M::v_full + 8 * (m % T::STAGES), m / T::STAGES & 1);
        __syncwarp();
    }
    __device__ __forceinline__ uint64_t ring(uint64_t d, uint32_t m) const {
        return d + m % T::STAGES * (M::tile >> 4);
    }
    __device__ __forceinline__ void my_turn() const {
        if constexpr (T::TURNS)
            named_sync(ATTN_BAR_TURN + wg, 256);
    }
    __device__ __forceinline__ void your_turn() const {
        if constexpr (T::TURNS)
            named_arrive(ATTN_BAR_TURN + (wg ^ 1), 256);
    }

    __device__ __forceinline__ void begin() {
        rows = {{-INFINITY, -INFINITY}, {0.f, 0.f}};
        shrink[0] = shrink[1] = 0.f;
#pragma unroll
        for (int i = 0; i < 64; i++)
            o[i] = 0.f;
    }
    __device__ __forceinline__ void start_values() {
        wait_v(n - 1);
        wgmma_fence();
        if constexpr (T::OWN_SUM)
            T::values(product, pr, ring(dv, n - 1));
        else
            T::values(o, pr, ring(dv, n - 1));
    }
    /* After all products are done. `older` is what O is multiplied by before the product is added.
     */
    __device__ __forceinline__ void take_values(const float (&older)[2]) {
        pin(pr);
        if constexpr (T::OWN_SUM) {
            pin(product);
#pragma unroll
            for (int i = 0; i < 64; i++)
                o[i] = fmaf(o[i], older[i / 2 % 2], product[i]);
        } else {
            pin(o);
        }
        release(base + M::v_empty + 8 * ((n - 1) % T::STAGES));
    }

    /* First block of an item: scores and softmax only. */
    __device__ __forceinline__ void first(int col0, const int (&limit)[2], bool masked) {
        wait_k();
        my_turn();
        wgmma_fence();
        T::scores(s, dq, ring(dk, n));
        your_turn();
        wgmma_wait<0>();
        pin(s);
        release(base + M::k_empty + 8 * (n % T::STAGES));
        if (masked)
            attn_mask(s, col0, limit);
        attn_softmax(s, rows, c, T::exponent, shrink);
        T::pack(s, pr);
        n++;
    }

    /* Scores of this block under the values of the one before it. */
    template <bool Masked> __device__ __forceinline__ void step(int col0, const int (&limit)[2]) {
        float older[2] = {shrink[0], shrink[1]};
        wait_k();
        my_turn();
        wgmma_fence();
        T::scores(s, dq, ring(dk, n));
        start_values();
        your_turn();
        wgmma_wait<1>();
        pin(s);
        release(base + M::k_empty + 8 * (n % T::STAGES));
        if (Masked)
            attn_mask(s, col0, limit);
        attn_softmax(s, rows, c, T::exponent, shrink);
        wgmma_wait<0>();
        pin(s);
        take_values(older);
        T::pack(s, pr);
        if constexpr (!T::OWN_SUM)
#pragma unroll
            for (int i = 0; i < 64; i++)
                o[i] *= shrink[i / 2 % 2];
        n++;
    }

    /* Values of the last block. */
    __device__ __forceinline__ void last() {
        start_values();
        wgmma_wait<0>();
        take_values(shrink);
    }
};

template <class T, bool Causal, int Seqs>
__device__ __forceinline__ void attn_consume(const AttnParams &p, const AttnBatch<Seqs> &b,
                                             uint32_t base, int wg) {
    using M = AttnShared<T>;
    int lane = threadIdx.x % 32, row0 = wg * 64 + threadIdx.x / 32 % 4 * 16 + lane / 4;
    AttnConsumer<T> me;
    me.base = base;
    me.wg = wg;
    me.lane = lane;
    me.n = 0;
    me.c = p.scale_log2;
    me.dq = T::q_desc(base + M::q, wg);
    me.dk = T::k_desc(base + M::k);
    me.dv = T::v_desc(base + M::v);
    uint32_t tiles = 0;
    int items = b.first_item[b.n];
    if (wg == 1)
        me.your_turn(); /* warpgroup 0 begins */
    for (int round = 0; round * (int)gridDim.x < items; round++) {
        int index = attn_item_index(round);
        if (index >= items)
            continue;
        AttnItem w = attn_item<Causal>(p, b, index);
        int tq = b.q_len[w.seq], tk = b.k_len[w.seq];
        me.begin();
        if (w.lo < w.hi) {
            int limit[2], offset = tk - tq;
#pragma unroll
            for (int h = 0; h < 2; h++)
                limit[h] =
                    Causal ? min(w.tok0 + (row0 + 8 * h) / p.group + offset, tk - 1) : tk - 1;
            int clear = Causal ? min(w.tok0 + offset + 1, tk) : tk; /* keys that every row sees */
            clear = clear < 0 ? 0 : clear / ATTN_KEYS;
            int block = w.hi - 1, mine = 2 * (lane % 4);
            mbar_wait(base + M::q_full, tiles & 1);
            __syncwarp();
            me.first(block * ATTN_KEYS + mine, limit, block >= clear);
            for (block--; block >= w.lo && block >= clear; block--)
                me.template step<true>(block * ATTN_KEYS + mine, limit);
            for (; block >= w.lo; block--)
                me.template step<false>(0, limit);
            me.release(base + M::q_empty);
            me.last();
            tiles++;
        }
        attn_store(p, w, b.q_start[w.seq], tq, me.o, me.rows, row0, lane);
    }
    if (wg == 0)
        me.my_turn(); /* takes the last hand-over, so that no barrier is left half full */
}

template <class T, bool Causal, int Seqs>
__global__ void __launch_bounds__(ATTN_THREADS, 1)
    attn_kernel(const __grid_constant__ CUtensorMap mq, const __grid_constant__ CUtensorMap mk,
                const __grid_constant__ CUtensorMap mv, const __grid_constant__ AttnParams p,
                const __grid_constant__ AttnBatch<Seqs> b) {
    using M = AttnShared<T>;
    extern __shared__ uint8_t shared[];
    uint32_t base = (smem_address(shared) + 1023) & ~1023u;
    int warpgroup = threadIdx.x / 128;
    if (threadIdx.x == 0) {
        mbar_init(base + M::q_full, 1);
        mbar_init(base + M::q_empty, 4 * ATTN_CONSUMERS);
        for (int i = 0; i < T::STAGES; i++) {
            mbar_init(base + M::k_full + 8 * i, 1);
            mbar_init(base + M::k_empty + 8 * i, 4 * ATTN_CONSUMERS);
            mbar_init(base + M::v_full + 8 * i, 1);
            mbar_init(base + M::v_empty + 8 * i, 4 * ATTN_CONSUMERS);
        }
        fence_barrier_init();
    }
    __syncthreads();
    dependents_may_launch();
    wait_for_primary();
    if (warpgroup == 0) {
        registers_down<24>(); /* 24 + 2 x 240 is all that 168 a thread gives */
        if (threadIdx.x == 0)
            attn_produce<T, Causal>(&mq, &mk, &mv, p, b, base);
    } else {
        registers_up<240>();
        attn_consume<T, Causal>(p, b, base, warpgroup - 1);
    }
}
#endif
