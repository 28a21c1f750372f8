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
 * (attention_types.cuh); all else is one text.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_ATTENTION_CORE_CUH
#define RC_ATTENTION_CORE_CUH
#include "kernels/attention_types.cuh"

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
    float *part_o;     /* [piece][128 rows][columns of V], pieces of the split tiles */
    float *part_lse;   /* [piece][128 rows] */
    unsigned *tickets; /* [0] items handed out, [1] CTAs that found none left; NULL: fixed order */
    int hq, hkv, tk;   /* tk: rows of K and V */
    int group, tokens; /* tokens of a row tile */
    int section;       /* KV heads whose causal tiles come before those of the next heads */
    bool share;        /* a CTA's first item is a ticket too */
    bool early;        /* dependents may launch once a CTA has its last item */
    float scale, scale_log2;
    float lse_shift; /* AttnFp8: the logarithm of what P is scaled by */
    float v_scale;
    const int32_t *table; /* of pages of keys and values, each a key block */
};

struct AttnItem {
    int tok0, kv; /* first token of the tile in its sequence, KV head */
    int lo, hi;   /* key blocks [lo, hi) */
    int piece;    /* -1: the item is the whole tile; ATTN_END: there are no more items */
    int q_start, q_len, k_start, k_len;
};

/* Q and items are handed over through slots, so that the next item's Q is there when its turn
 * comes. An item's words are read until its output is written, which is during the item behind it:
 * hence twice as many slots for them. */
template <class T> struct AttnShared {
    static constexpr uint32_t k_tile = T::KEYS * T::K_ROW, v_tile = T::KEYS * T::V_ROW;
    static constexpr uint32_t q_tile = ATTN_ROWS * T::K_ROW;
    static constexpr uint32_t q = 0;
    static constexpr uint32_t k = T::Q_SLOTS * q_tile;
    static constexpr uint32_t v = k + T::STAGES * k_tile;
    static constexpr uint32_t items = v + T::STAGES * v_tile;
    static constexpr uint32_t CUTS = 2 * T::STAGES, cuts = items + 2 * T::Q_SLOTS * ATTN_ITEM_BYTES;
    static constexpr uint32_t bars = cuts + CUTS * ATTN_CUT_BYTES;
    static constexpr uint32_t q_full = bars, q_empty = q_full + 8 * T::Q_SLOTS;
    static constexpr uint32_t k_full = q_empty + 8 * T::Q_SLOTS, k_empty = k_full + 8 * T::STAGES;
    static constexpr uint32_t v_full = k_empty + 8 * T::STAGES, v_empty = v_full + 8 * T::STAGES;
    static constexpr uint32_t cut_full = v_empty + 8 * T::STAGES;
    static constexpr uint32_t bytes = cut_full + 8 * CUTS + 1024; /* 1024: room to align */
};

/* Keys [0, visible) are those that the last token of a tile sees. */
template <class T, bool Causal>
__device__ __forceinline__ int attn_tile_blocks(int tok0, int tokens, int tq, int tk) {
    int visible = tk;
    if (Causal) {
        int last = (tok0 + tokens < tq ? tok0 + tokens : tq) - 1;
        visible = last + (tk - tq) + 1;
        visible = visible < 0 ? 0 : visible > tk ? tk : visible;
    }
    return (visible + T::KEYS - 1) / T::KEYS;
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

/* Row tile and KV head of a sequence's tile; causal ones heaviest first, of so many KV heads at a time
 * that the tiles under way find their keys and values in L2. */
template <bool Causal>
__device__ __forceinline__ void attn_tile_place(int tile, int row_tiles, int section, int &row_tile,
                                                int &kv) {
    int nth = Causal ? tile % (row_tiles * section) : 0;
    row_tile = Causal ? row_tiles - 1 - nth / section : tile % row_tiles;
    kv = Causal ? tile / (row_tiles * section) * section + nth % section : tile / row_tiles;
}

__device__ __forceinline__ void attn_put_item(uint32_t at, const AttnItem &w) {
    const int words[] = {w.tok0, w.kv, w.lo, w.hi, w.piece, w.q_start, w.q_len, w.k_start, w.k_len};
#pragma unroll
    for (int i = 0; i < (int)(sizeof words / sizeof words[0]); i++)
        store_shared(at + 4 * i, (uint32_t)words[i]);
}

__device__ __forceinline__ AttnItem attn_read_item(uint32_t at) {
    int x[9];
#pragma unroll
    for (int i = 0; i < 9; i++)
        x[i] = (int)load_shared(at + 4 * i);
    return {x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8]};
}

/* A word as lane 0 reads it, for all lanes: the compiler then knows it to be the same in all of
 * them, so that loops over it and the descriptors that it moves stay in uniform registers; and the
 * lane that hands the place back is the only one that has read it. */
__device__ __forceinline__ uint32_t attn_word(uint32_t at) {
    uint32_t x = threadIdx.x % 32 == 0 ? load_shared(at) : 0;
    return __shfl_sync(0xffffffff, x, 0);
}

__device__ __forceinline__ AttnItem attn_get_item(uint32_t at) {
    int x[9];
#pragma unroll
    for (int i = 0; i < 9; i++)
        x[i] = (int)attn_word(at + 4 * i);
    return {x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8]};
}

template <class T, bool Causal, int Seqs>
__device__ __forceinline__ AttnItem attn_item(const AttnParams &p, const AttnBatch<Seqs> &b,
                                              int index) {
    AttnItem w;
    int i = attn_find<Seqs>(b.first_item, b.n, index);
    int tile = index - b.first_item[i], split = 0, splits = 1;
    w.piece = -1;
    if (tile >= b.whole[i]) {
        int piece = tile - b.whole[i];
        splits = b.splits[i];
        tile = b.whole[i] + piece / splits;
        split = piece % splits;
        w.piece = b.first_piece[i] + piece;
    }
    int row_tile, tq = b.q_len[i];
    attn_tile_place<Causal>(tile, (tq + p.tokens - 1) / p.tokens, p.section, row_tile, w.kv);
    w.tok0 = row_tile * p.tokens;
    int blocks = attn_tile_blocks<T, Causal>(w.tok0, p.tokens, tq, b.k_len[i]);
    w.lo = (int)((int64_t)blocks * split / splits);
    w.hi = (int)((int64_t)blocks * (split + 1) / splits);
    w.q_start = b.q_start[i];
    w.q_len = tq;
    w.k_start = b.k_start[i];
    w.k_len = b.k_len[i];
    return w;
}

/* The order in which a CTA takes items: by ticket, or in rounds that snake, so that unequal tiles
 * even out over the CTAs. */
struct AttnOrder {
    int round, index;

    __device__ __forceinline__ int fixed() const {
        int place = round & 1 ? (int)(gridDim.x - 1 - blockIdx.x) : (int)blockIdx.x;
        return round * (int)gridDim.x + place;
    }
    __device__ __forceinline__ void first(const AttnParams &p) {
        round = 0;
        index = p.share ? (int)atomicAdd(p.tickets, 1) : fixed();
    }
    __device__ __forceinline__ void next(const AttnParams &p) {
        round++;
        if (p.tickets)
            index = (p.share ? 0 : (int)gridDim.x) + (int)atomicAdd(p.tickets, 1);
        else
            index = fixed();
    }
    /* The last CTA to find nothing left zeroes the counters for the launch behind. */
    __device__ __forceinline__ static void finish(const AttnParams &p) {
        if (p.tickets && atomicAdd(p.tickets + 1, 1) == gridDim.x - 1) {
            p.tickets[0] = 0;
            p.tickets[1] = 0;
        }
    }
};

/* A block of V whose sequence ends inside it, handed from the producer to the cutter. */
struct AttnCut {
    uint32_t v, full; /* where it lies, and the barrier that says it is ready */
    int keys;         /* of the sequence; 0: there are no more blocks */
};

/* Registers a thread of either kind: together all that 168 a thread of the block gives. Producers
 * want 40, or their loops spill; the causal kernel of e4m3 loses more by consumers of 232 (an
 * eighth of its speed) than by producers of 24 with loops that are not unrolled. */
template <class T, bool Causal> struct AttnShares {
    static constexpr bool wide = T::OWN_SUM && Causal;
    enum { PRODUCER = wide ? 24 : 40, CONSUMER = wide ? 240 : 232, UNROLL = wide ? 1 : 4 };
};

/* The row of K and V at which key block `block` of an item begins. A page is a block, so that the table
 * is read once a block. */
template <class T, bool Paged>
__device__ __forceinline__ int attn_block_row(const AttnParams &p, int k_start, int block) {
    if constexpr (Paged)
        return p.table[k_start + block] * T::KEYS;
    else
        return k_start + block * T::KEYS;
}

/* One thread takes items, hands them over with their Q, and feeds the ring of K. `n` counts blocks
 * over all items, so stages and phases never restart. */
template <class T, bool Causal, int Seqs, bool Paged>
__device__ __forceinline__ void attn_produce_k(const CUtensorMap *mq, const CUtensorMap *mk,
                                               const AttnParams &p, const AttnBatch<Seqs> &b,
                                               uint32_t base) {
    using M = AttnShared<T>;
    AttnOrder order;
    uint32_t n = 0;
    int items = b.first_item[b.n];
    order.first(p);
    for (uint32_t t = 0;; t++) {
        uint32_t slot = t % T::Q_SLOTS, full = base + M::q_full + 8 * slot;
        AttnItem w = {0, 0, 0, 0, ATTN_END, 0, 0, 0, 0};
        bool more = order.index < items;
        if (more)
            w = attn_item<T, Causal>(p, b, order.index);
        mbar_wait(base + M::q_empty + 8 * slot, (t / T::Q_SLOTS & 1) ^ 1);
        attn_put_item(base + M::items + t % (2 * T::Q_SLOTS) * ATTN_ITEM_BYTES, w);
        if (w.lo < w.hi) {
            mbar_expect(full, (uint32_t)(T::K_ROW * p.group * p.tokens));
            T::load_q(base + M::q + slot * M::q_tile, mq, full, w.kv * p.group, w.q_start + w.tok0);
        } else {
            mbar_arrive(full);
        }
        if (!more)
            break;
        int ask = w.hi - w.lo > ATTN_AHEAD ? w.lo + ATTN_AHEAD : w.hi - 1;
        if (w.lo == w.hi)
            order.next(p);
#pragma unroll(AttnShares <T, Causal>::UNROLL)
        for (int block = w.hi - 1; block >= w.lo; block--, n++) {
            uint32_t stage = n % T::STAGES, bar = 8 * stage;
            if (block == ask)
                order.next(p);
            mbar_wait(base + M::k_empty + bar, (n / T::STAGES & 1) ^ 1);
            mbar_expect(base + M::k_full + bar, M::k_tile);
            T::load_k(base + M::k + stage * M::k_tile, mk, base + M::k_full + bar, w.kv,
                      attn_block_row<T, Paged>(p, w.k_start, block));
        }
    }
    AttnOrder::finish(p);
    if (p.early)
        dependents_may_launch();
}

/* The place of the next cut and, returned, the barrier at which its block has arrived. A place is
 * free again before it comes round: a cut block holds a stage of V until it is done, and there are
 * twice as many places as stages. */
template <class T>
__device__ __forceinline__ uint32_t attn_put_cut(uint32_t base, uint32_t nth, const AttnCut &cut) {
    using M = AttnShared<T>;
    uint32_t place = nth % M::CUTS, at = base + M::cuts + place * ATTN_CUT_BYTES;
    store_shared(at, cut.v);
    store_shared(at + 4, cut.full);
    store_shared(at + 8, (uint32_t)cut.keys);
    return base + M::cut_full + 8 * place;
}

/* Another thread feeds the ring of V for the items that the first hands over. */
template <class T, bool Causal, bool Paged>
__device__ __forceinline__ void attn_produce_v(const CUtensorMap *mv, const AttnParams &p,
                                               uint32_t base) {
    using M = AttnShared<T>;
    uint32_t n = 0, cuts = 0;
    for (uint32_t t = 0;; t++) {
        uint32_t slot = t % T::Q_SLOTS;
        mbar_wait(base + M::q_full + 8 * slot, t / T::Q_SLOTS & 1);
        AttnItem w = attn_read_item(base + M::items + t % (2 * T::Q_SLOTS) * ATTN_ITEM_BYTES);
        mbar_arrive(base + M::q_empty +
                    8 * slot); /* lest the barrier be a phase ahead of this thread */
        if (w.piece == ATTN_END)
            break;
#pragma unroll(AttnShares <T, Causal>::UNROLL)
        for (int block = w.hi - 1; block >= w.lo; block--, n++) {
            uint32_t stage = n % T::STAGES, bar = 8 * stage;
            uint32_t v = base + M::v + stage * M::v_tile, full = base + M::v_full + bar;
            int left = w.k_len - block * T::KEYS;
            mbar_wait(base + M::v_empty + bar, (n / T::STAGES & 1) ^ 1);
            /* Rows past a tensor's end read as zero; those past a sequence's end inside it do not.
             */
            if (left < T::KEYS && (T::V_BLOCKS || Paged || w.k_start + w.k_len < p.tk))
                full = attn_put_cut<T>(base, cuts++, {v, full, left});
            mbar_expect(full, M::v_tile);
            T::load_v(v, mv, full, w.kv, attn_block_row<T, Paged>(p, w.k_start, block));
        }
    }
    mbar_arrive(attn_put_cut<T>(base, cuts, {0, 0, 0}));
}

/* One warp zeroes V behind the ends of sequences before the consumers see it. */
template <class T> __device__ __forceinline__ void attn_cut(uint32_t base) {
    using M = AttnShared<T>;
    int lane = threadIdx.x % 32;
    for (uint32_t n = 0;; n++) {
        uint32_t place = n % M::CUTS, at = base + M::cuts + place * ATTN_CUT_BYTES;
        mbar_wait(base + M::cut_full + 8 * place, n / M::CUTS & 1);
        __syncwarp();
        int keys = (int)attn_word(at + 8);
        uint32_t v = attn_word(at), full = attn_word(at + 4);
        if (keys == 0)
            return;
        T::zero_tail(v, keys, lane);
        fence_shared_async();
        __syncwarp();
        if (lane == 0)
            mbar_arrive(full);
    }
}

struct AttnRows { /* softmax state of a thread's two rows; max in score units, sum of this thread's
                     share */
    float max[2], sum[2];
};

/* Hides columns past limit[h] of the block whose first key, seen from this thread, is col0. */
template <int N>
__device__ __forceinline__ void attn_mask(float (&s)[N], int col0, const int (&limit)[2]) {
#pragma unroll
    for (int i = 0; i < N; i++)
        if (col0 + i / 4 * 8 + (i & 1) > limit[i / 2 % 2])
            s[i] = -INFINITY;
}

/* s becomes exp2(s c - max c + exponent); `shrink` is what older sums and outputs are to be
 * multiplied by. */
template <int N>
__device__ __forceinline__ void attn_softmax(float (&s)[N], AttnRows &rows, float c, float exponent,
                                             float (&shrink)[2]) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float top = rows.max[h];
#pragma unroll
        for (int j = 0; j < N / 4; j++)
            top = fmaxf(top, fmaxf(s[4 * j + 2 * h], s[4 * j + 2 * h + 1]));
        top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 2));
        float offset = top == -INFINITY ? 0.f : top * c;
        shrink[h] = exp2_fast(rows.max[h] * c - offset);
        offset -= exponent;
        rows.max[h] = top;
        float sum = rows.sum[h] * shrink[h];
#pragma unroll
        for (int j = 0; j < N / 4; j++)
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

/* The first of a consumer thread's two rows of a tile; the other lies eight rows on. */
__device__ __forceinline__ int attn_row() {
    return (threadIdx.x - 128) / 32 * 16 + threadIdx.x % 32 / 4;
}

/* Normalises and writes a warpgroup's 64 rows: bf16 O and LSE, or the fp32 piece of a split tile.
 */
template <int N>
__device__ __forceinline__ void attn_store(const AttnParams &p, const AttnItem &w, float (&o)[N],
                                           const AttnRows &rows, int lane) {
    int row0 = attn_row();
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int r = row0 + 8 * h, token = w.tok0 + r / p.group, head = w.kv * p.group + r % p.group;
        bool live = r < p.group * p.tokens && token < w.q_len;
        float sum = rows.sum[h];
        sum += __shfl_xor_sync(0xffffffff, sum, 1);
        sum += __shfl_xor_sync(0xffffffff, sum, 2);
        float inverse = sum == 0.f ? 0.f : p.v_scale / sum;
        float lse = sum == 0.f ? -INFINITY : rows.max[h] * p.scale + logf(sum) - p.lse_shift;
        int64_t row = (int64_t)(w.q_start + token) * p.hq + head;
        if (w.piece >= 0)
            row = (int64_t)w.piece * ATTN_ROWS + r;
        float *lse_out = w.piece >= 0 ? p.part_lse : p.lse;
        if (live && lse_out && lane % 4 == 0)
            lse_out[row] = lse;
        if (w.piece >= 0) {
#pragma unroll
            for (int j = 0; j < N / 4; j++)
                if (live)
                    *(float2 *)(p.part_o + row * (2 * N) + 8 * j + lane % 4 * 2) =
                        make_float2(o[4 * j + 2 * h] * inverse, o[4 * j + 2 * h + 1] * inverse);
            continue;
        }
#pragma unroll
        for (int i = 0; i < N / 16; i++) {
            uint32_t x[4];
#pragma unroll
            for (int j = 0; j < 4; j++)
                x[j] = pack_bf16(o[16 * i + 4 * j + 2 * h] * inverse,
                                 o[16 * i + 4 * j + 2 * h + 1] * inverse);
            quad_transpose(x, lane);
            if (live)
                *(uint4 *)(p.o + row * (2 * N) + 32 * i + lane % 4 * 8) =
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
    float s[T::KEYS / 2], o[T::V / 2];
    float product[T::OWN_SUM ? T::V / 2 : 1];
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
    __device__ __forceinline__ uint64_t ring(uint64_t d, uint32_t m, uint32_t tile) const {
        return d + m % T::STAGES * (tile >> 4);
    }
    __device__ __forceinline__ void my_turn() const {
        if constexpr (T::TURNS)
            named_sync(ATTN_BAR_TURN + wg, 256);
    }
    __device__ __forceinline__ void your_turn() const {
        if constexpr (T::TURNS)
            named_arrive(ATTN_BAR_TURN + (wg ^ 1), 256);
    }

    __device__ __forceinline__ void start_values() {
        wait_v(n - 1);
        wgmma_fence();
        if constexpr (T::OWN_SUM)
            T::values(product, pr, ring(dv, n - 1, M::v_tile));
        else
            T::values(o, pr, ring(dv, n - 1, M::v_tile));
    }
    /* After all products are done. `older` is what O is multiplied by before the product is added.
     */
    __device__ __forceinline__ void take_values(const float (&older)[2]) {
        pin(pr);
        if constexpr (T::OWN_SUM) {
            pin(product);
#pragma unroll
            for (int i = 0; i < T::V / 2; i++)
                o[i] = fmaf(o[i], older[i / 2 % 2], product[i]);
        } else {
            pin(o);
        }
        release(base + M::v_empty + 8 * ((n - 1) % T::STAGES));
    }

    __device__ __forceinline__ void fresh_rows() {
        rows = {{-INFINITY, -INFINITY}, {0.f, 0.f}};
    }
    __device__ __forceinline__ void fresh_output() {
#pragma unroll
        for (int i = 0; i < T::V / 2; i++)
            o[i] = 0.f;
    }

    /* Issues the scores of block n, and with Pending the values of the block before it; returns
     * when the scores are there. */
    template <bool Pending> __device__ __forceinline__ void issue() {
        wait_k();
        my_turn();
        wgmma_fence();
        T::scores(s, dq, ring(dk, n, M::k_tile));
        if constexpr (Pending)
            start_values();
        your_turn();
        wgmma_wait<Pending>();
        pin(s);
        release(base + M::k_empty + 8 * (n % T::STAGES));
    }

    /* The first block of an item. With Pending the item before it still lacks the values of its
     * last block: they run beside these scores, and its output is written. */
    template <bool Pending>
    __device__ __forceinline__ void first(const AttnParams &p, uint32_t older_item, int col0,
                                          const int (&limit)[2], bool masked) {
        float older[2] = {shrink[0], shrink[1]};
        AttnRows older_rows = rows;
        issue<Pending>();
        fresh_rows();
        if (masked)
            attn_mask(s, col0, limit);
        attn_softmax(s, rows, c, T::exponent, shrink);
        if constexpr (Pending) {
            pin(s);
            wgmma_wait<0>();
            take_values(older);
            attn_store(p, attn_get_item(older_item), o, older_rows, lane);
        }
        T::pack(s, pr);
        fresh_output();
        n++;
    }

    /* Scores of this block under the values of the one before it. */
    template <bool Masked> __device__ __forceinline__ void step(int col0, const int (&limit)[2]) {
        float older[2] = {shrink[0], shrink[1]};
        issue<true>();
        if (Masked)
            attn_mask(s, col0, limit);
        attn_softmax(s, rows, c, T::exponent, shrink);
        pin(s); /* the exponentials belong under the products that the next line waits for */
        wgmma_wait<0>();
        take_values(older);
        T::pack(s, pr);
        if constexpr (!T::OWN_SUM)
#pragma unroll
            for (int i = 0; i < T::V / 2; i++)
                o[i] *= shrink[i / 2 % 2];
        n++;
    }

    /* Values of the last block, and the output of its item. */
    __device__ __forceinline__ void last(const AttnParams &p, uint32_t item) {
        start_values();
        wgmma_wait<0>();
        take_values(shrink);
        attn_store(p, attn_get_item(item), o, rows, lane);
    }
};

/* The blocks that every row sees whole: where a long call spends its time. The slot of Q is known
 * to the compiler, because the descriptor of the first operand must not cost instructions here (5 %
 * of a long call). */
template <int Slot, class T>
__device__ __forceinline__ void attn_consume_clear(AttnConsumer<T> &me, int block, int lo) {
    using M = AttnShared<T>;
    const int everything[2] = {T::KEYS, T::KEYS};
    if constexpr (T::Q_SLOTS > 1)
        me.dq = T::q_desc(me.base + M::q + Slot * M::q_tile, me.wg);
    for (; block >= lo; block--)
        me.template step<false>(0, everything);
}

/* An item's key blocks, right to left. All but the loop above is there once for both slots: what a
 * kernel and the one behind it take together must stay within the instruction cache (128 KB), or a
 * call of some ten microseconds waits for its own instructions. */
template <class T, bool Causal>
__device__ __forceinline__ void attn_consume_item(AttnConsumer<T> &me, const AttnParams &p,
                                                  uint32_t slot, uint32_t item, uint32_t older_item,
                                                  bool pending) {
    using M = AttnShared<T>;
    me.dq = T::q_desc(me.base + M::q + slot * M::q_tile, me.wg);
    AttnItem w = attn_get_item(item);
    int limit[2], offset = w.k_len - w.q_len;
#pragma unroll
    for (int h = 0; h < 2; h++)
        limit[h] = Causal ? min(w.tok0 + (attn_row() + 8 * h) / p.group + offset, w.k_len - 1)
                          : w.k_len - 1;
    int clear = Causal ? min(w.tok0 + offset + 1, w.k_len) : w.k_len; /* keys that every row sees */
    clear = clear < 0 ? 0 : clear / T::KEYS;
    int block = w.hi - 1, lo = w.lo, mine = 2 * (me.lane % 4);
    if (pending)
        me.template first<true>(p, older_item, block * T::KEYS + mine, limit, block >= clear);
    else
        me.template first<false>(p, 0, block * T::KEYS + mine, limit, block >= clear);
    block--;
    /* Without a causal mask no block but an item's first is cut. The loop stays in the kernel of
     * e4m3 all the same: without it the compiler makes the one below a fifth slower. */
    if constexpr (Causal || T::OWN_SUM)
        for (; block >= lo && block >= clear; block--)
            me.template step<true>(block * T::KEYS + mine, limit);
    if (T::Q_SLOTS == 2 && slot)
        attn_consume_clear<T::Q_SLOTS - 1>(me, block, lo);
    else
        attn_consume_clear<0>(me, block, lo);
}

template <class T, bool Causal>
__device__ __forceinline__ void attn_consume(const AttnParams &p, uint32_t base, int wg) {
    using M = AttnShared<T>;
    AttnConsumer<T> me;
    me.base = base;
    me.wg = wg;
    me.lane = threadIdx.x % 32;
    me.n = 0;
    me.c = p.scale_log2;
    me.dk = T::k_desc(base + M::k);
    me.dv = T::v_desc(base + M::v);
    me.shrink[0] = me.shrink[1] = 0.f;
    bool pending = false; /* the item before lacks its last values */
    uint32_t older = 0;
    if (wg == 1)
        me.your_turn(); /* warpgroup 0 begins */
    for (uint32_t t = 0;; t++) {
        uint32_t slot = t % T::Q_SLOTS;
        uint32_t item = base + M::items + t % (2 * T::Q_SLOTS) * ATTN_ITEM_BYTES;
        mbar_wait(base + M::q_full + 8 * slot, t / T::Q_SLOTS & 1);
        __syncwarp();
        AttnItem w = attn_get_item(item);
        if (w.lo < w.hi) {
            attn_consume_item<T, Causal>(me, p, slot, item, older, pending);
            me.release(base + M::q_empty + 8 * slot);
            older = item;
            pending = true;
            continue;
        }
        if (pending)
            me.last(p, older);
        pending = false;
        if (w.piece == ATTN_END)
            break;
        me.fresh_rows();
        me.fresh_output();
        attn_store(p, w, me.o, me.rows, me.lane);
        me.release(base + M::q_empty + 8 * slot);
    }
    if (wg == 0)
        me.my_turn(); /* takes the last hand-over, so that no barrier is left half full */
}

template <class T, bool Causal, int Seqs, bool Paged>
__global__ void __launch_bounds__(ATTN_THREADS, 1)
    attn_kernel(const __grid_constant__ CUtensorMap mq, const __grid_constant__ CUtensorMap mk,
                const __grid_constant__ CUtensorMap mv, const __grid_constant__ AttnParams p,
                const __grid_constant__ AttnBatch<Seqs> b) {
    using M = AttnShared<T>;
    using Shares = AttnShares<T, Causal>;
    extern __shared__ uint8_t shared[];
    uint32_t base = (smem_address(shared) + 1023) & ~1023u;
    int warpgroup = threadIdx.x / 128;
    if (threadIdx.x == 0) {
        for (int i = 0; i < T::Q_SLOTS; i++) {
            mbar_init(base + M::q_full + 8 * i, 1);
            mbar_init(base + M::q_empty + 8 * i, 4 * ATTN_CONSUMERS + 1);
        }
        for (int i = 0; i < T::STAGES; i++) {
            mbar_init(base + M::k_full + 8 * i, 1);
            mbar_init(base + M::k_empty + 8 * i, 4 * ATTN_CONSUMERS);
            mbar_init(base + M::v_full + 8 * i, 1);
            mbar_init(base + M::v_empty + 8 * i, 4 * ATTN_CONSUMERS);
        }
        for (int i = 0; i < (int)M::CUTS; i++)
            mbar_init(base + M::cut_full + 8 * i, 1);
        fence_barrier_init();
    }
    __syncthreads();
    if (p.early && b.first_item[b.n] <= (int)gridDim.x) /* each CTA has its last item already */
        dependents_may_launch();
    wait_for_primary();
    if (warpgroup == 0) {
        registers_down<Shares::PRODUCER>();
        if (threadIdx.x == 0)
            attn_produce_k<T, Causal, Seqs, Paged>(&mq, &mk, p, b, base);
        else if (threadIdx.x == 64)
            attn_produce_v<T, Causal, Paged>(&mv, p, base);
        else if (threadIdx.x / 32 == 1)
            attn_cut<T>(base);
    } else {
        registers_up<Shares::CONSUMER>();
        attn_consume<T, Causal>(p, base, warpgroup - 1);
    }
}
#endif
