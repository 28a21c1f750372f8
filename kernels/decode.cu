/* Decode attention: one query token a sequence, all query heads of a KV head in one 16-row tile.
 *
 * nvcc -gencode arch=compute_90,code=sm_90 -O3 -std=c++17 -I. -Xptxas -v -c kernels/decode.cu
 *
 * The job is to stream K and V once at memory speed. A CTA of four warps takes a contiguous share
 * of one sequence's keys, an even one or, where they lie in pages, one of those that the host has
 * dealt (deal_plan.h); each warp streams its own chunks (16 keys of bf16, 32 of e4m3)
 * through a private ring of shared memory (no barrier in the loop), multiplies them on the tensor
 * cores and keeps its own softmax state; the four states meet once at the end. Shares of one
 * sequence meet in a second kernel. Both kernels start while the one before them ends, and wait.
 *
 * What earlier versions reached, and what was tried and lost, stands in docs/performance.md.
 *
 * Heads of 128, in bf16 also of 64, of 256, and of 192 with values of 128.
 *
 * Bytes: K and V of every visible key once: for heads of 128 512 a key and KV head in bf16, 256 in e4m3.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/deal_plan.h"
#include "kernels/hopper.cuh"
#include "kernels/kernels.h"
#include "kernels/launch.cuh"
#include "kernels/vec.cuh"
#include <math.h>

enum {
    DEC_WARPS = RC_DECODE_WARPS,
    DEC_THREADS = 32 * DEC_WARPS,
    DEC_ALONE = 120 << 10,   /* shared memory of a CTA that is to have its SM for itself; less
                                where a CTA may not take so much and two do not fit anyway */
    DEC_PREFETCH = 48 << 10, /* bytes of K and V of a share that are asked for early */
    DEC_MAX_SPLITS = RC_DECODE_MAX_SPLITS,
    DEC_COMBINE_WARPS = 32, /* at most */
    DEC_DEALT_WARPS = 4,    /* where nobody knows yet how many pieces there are */
    DEC_FLIGHT = 8 /* pieces of 128 columns that a warp of the second kernel loads at a time */
};

struct DecodeParams {
    const uint8_t *q, *k, *v;
    const int32_t *lens;
    __nv_bfloat16 *o;
    float *lse, *part_o,
        *part_lse; /* pieces: [batch * hq][split][columns of V] and [batch * hq][split] */
    int64_t max_len;
    int hq, hkv, group, splits;
    int shares, sms; /* shares = batch * hkv * splits */
    float scale, scale_log2, lse_shift, v_scale;
    /* Pages of sequence b from b * table_stride on; NULL: keys lie in a row. Last, so that the code of
     * kernels without pages is what it would be without these. */
    const int32_t *table;
    int64_t table_stride;
    const rc_decode_piece *pieces; /* with pages: what is dealt, and each sequence's first */
    const int32_t *first;
};

/* ---- single instructions
 * ---------------------------------------------------------------------- */
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

__device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0,
                                         uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Needs 8.9; older GPUs are refused before the launch. */
__device__ __forceinline__ void mma_e4m3(float (&d)[4], const uint32_t (&a)[4], uint32_t b0,
                                         uint32_t b1) {
#if __CUDA_ARCH__ >= 890
    asm("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    __trap();
#endif
}

/* ---- the two element types
 * --------------------------------------------------------------------- */
/* Both: scores of a chunk are s[KEYS / 8][4], a thread's two rows by two keys of each eight; P and
 * O as mma.m16n8 wants them. Tiles in shared memory are swizzled against bank conflicts. */
template <int Qk, int Dv, int Stages, int Ctas> struct DecHeads {
    enum {
        KEYS = 16,
        V = Dv,
        K_ROW = 2 * Qk,
        V_ROW = 2 * Dv,
        K_TILE = KEYS * K_ROW,
        V_TILE = KEYS * V_ROW,
        STAGES = Stages,
        CTAS = Ctas, /* of an SM */
        Q_STEPS = Qk / 16
    };
    static constexpr float exponent = 0.f;
    /* 16-byte piece c of row r, of so many bytes a row */
    template <int Row> static __device__ __forceinline__ uint32_t at(int r, int c) {
        return (uint32_t)(r * Row + (c ^ (r & 7)) * 16);
    }
    /* Bytes before sequence `batch` of a cache of `hkv` heads, in K and in V. */
    static __device__ __forceinline__ int64_t base(const DecodeParams &p, int64_t batch, int kv) {
        return (batch * p.max_len * p.hkv + kv) * K_ROW;
    }
    static __device__ __forceinline__ int64_t v_base(const DecodeParams &p, int64_t batch, int kv) {
        return (batch * p.max_len * p.hkv + kv) * V_ROW;
    }
    /* From there, the V_ROW bytes of V that hold a key, or as many among which each key's share
     * is. */
    static __device__ __forceinline__ int64_t v_row(int64_t key, int hkv) {
        return key * hkv * V_ROW;
    }
    /* Rows of values that are as long as those of keys go along with them. */
    template <int Row, bool Both>
    static __device__ __forceinline__ void fetch_rows(uint32_t tile, const uint8_t *from,
                                                      const uint8_t *v, int hkv, int key, int hi,
                                                      int lane) {
        const int pieces = Row / 16;
#pragma unroll
        for (int i = 0; i < KEYS * pieces / 32; i++) {
            int r = (32 * i + lane) / pieces, c = (32 * i + lane) % pieces;
            bool real = key + r < hi;
            int64_t at_key = (int64_t)(real ? key + r : key) * hkv * Row + c * 16;
            copy16(tile + at<Row>(r, c), from + at_key, real);
            if (Both)
                copy16(tile + K_TILE + at<Row>(r, c), v + at_key, real);
        }
    }
    static __device__ __forceinline__ void fetch(uint32_t slot, const uint8_t *k, const uint8_t *v,
                                                 int hkv, int key, int hi, int lane) {
        fetch_rows<K_ROW, K_ROW == V_ROW>(slot, k, v, hkv, key, hi, lane);
        if (K_ROW != V_ROW)
            fetch_rows<V_ROW, false>(slot + K_TILE, v, nullptr, hkv, key, hi, lane);
    }
    static __device__ __forceinline__ void scores(float (&s)[2][4], const uint32_t (&q)[Q_STEPS][4],
                                                  uint32_t tile, int lane) {
        uint32_t b[4];
#pragma unroll
        for (int step = 0; step < Q_STEPS; step++) {
            load_matrices<false>(
                b, tile + at<K_ROW>(lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2));
            mma_bf16(s[0], q[step], b[0], b[1]);
            mma_bf16(s[1], q[step], b[2], b[3]);
        }
    }
    static __device__ __forceinline__ void pack(uint32_t (&p)[4], const float (&s)[2][4]) {
#pragma unroll
        for (int i = 0; i < 4; i++)
            p[i] = pack_bf16(s[i / 2][2 * (i % 2)], s[i / 2][2 * (i % 2) + 1]);
    }
    static __device__ __forceinline__ void values(float (&o)[V / 8][4], const uint32_t (&p)[4],
                                                  uint32_t tile, int lane) {
        uint32_t b[4];
#pragma unroll
        for (int j = 0; j < V / 16; j++) {
            load_matrices<true>(b, tile + at<V_ROW>(lane % 16, 2 * j + lane / 16));
            mma_bf16(o[2 * j], p, b[0], b[1]);
            mma_bf16(o[2 * j + 1], p, b[2], b[3]);
        }
    }
};

/* Stages and CTAs so that some 100 KB of an SM's shared memory are on their way. */
typedef DecHeads<128, 128, 3, RC_DECODE_CTAS> DecBf16;
typedef DecHeads<64, 64, 6, RC_DECODE_CTAS> DecBf16Of64;
typedef DecHeads<192, 128, 4, 1> DecBf16Of192;
typedef DecHeads<256, 256, 3, 1> DecBf16Of256;

struct DecFp8 {
    enum {
        KEYS = 32,
        V = 128,
        K_ROW = 128,
        V_ROW = 128,
        K_TILE = KEYS * K_ROW,
        V_TILE = KEYS * V_ROW,
        STAGES = 3,
        CTAS = RC_DECODE_CTAS,
        Q_STEPS = 4
    };
    static constexpr float exponent = 8.f; /* P fills the range of e4m3 */
    static __device__ __forceinline__ uint32_t k_at(int r, int c) {
        return (uint32_t)(r * 128 + (c ^ (r & 7)) * 16);
    }
    /* 16 keys c of column r */
    static __device__ __forceinline__ uint32_t v_at(int r, int c) {
        return (uint32_t)(r * 32 + (c ^ (r >> 2 & 1)) * 16);
    }
    static __device__ __forceinline__ int64_t base(const DecodeParams &p, int64_t batch, int kv) {
        return (batch * p.max_len * p.hkv + kv) * 128;
    }
    static __device__ __forceinline__ int64_t v_base(const DecodeParams &p, int64_t batch, int kv) {
        return (batch * ((p.max_len + 127) / 128) * p.hkv + kv) * (128 * 128);
    }
    static __device__ __forceinline__ int64_t v_row(int64_t key, int hkv) {
        return key / 128 * hkv * (128 * 128) + key % 128 * V_ROW;
    }
    static __device__ __forceinline__ void fetch(uint32_t slot, const uint8_t *k, const uint8_t *v,
                                                 int hkv, int key, int hi, int lane) {
        const uint8_t *mine = v + (int64_t)(key / 128) * hkv * (128 * 128) + key % 128;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            int r = lane / 8 + 4 * i, column = lane / 2 + 16 * i;
            bool real = key + r < hi;
            int64_t from = (int64_t)(real ? key + r : key) * hkv * 128 + lane % 8 * 16;
            copy16(slot + k_at(r, lane % 8), k + from, real);
            copy16(slot + K_TILE + v_at(column, lane % 2), mine + column * 128 + lane % 2 * 16,
                   true);
        }
    }
    static __device__ __forceinline__ void scores(float (&s)[4][4], const uint32_t (&q)[Q_STEPS][4],
                                                  uint32_t tile, int lane) {
        uint32_t b[4];
#pragma unroll
        for (int step = 0; step < 4; step++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                load_matrices<false>(
                    b, tile + k_at(16 * half + lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2));
                mma_e4m3(s[2 * half], q[step], b[0], b[1]);
                mma_e4m3(s[2 * half + 1], q[step], b[2], b[3]);
            }
    }
    static __device__ __forceinline__ void pack(uint32_t (&p)[4], const float (&s)[4][4]) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int g = 2 * (i / 2), h = 2 * (i % 2);
            p[i] = pack_e4m3(s[g][h], s[g][h + 1], s[g + 1][h], s[g + 1][h + 1]);
        }
    }
    static __device__ __forceinline__ void values(float (&o)[16][4], const uint32_t (&p)[4],
                                                  uint32_t tile, int lane) {
        uint32_t b[4];
#pragma unroll
        for (int j = 0; j < 8; j++) {
            load_matrices<false>(b, tile + v_at(16 * j + lane / 16 * 8 + lane % 8, lane / 8 % 2));
            mma_e4m3(o[2 * j], p, b[0], b[1]);
            mma_e4m3(o[2 * j + 1], p, b[2], b[3]);
        }
    }
};

/* ---- one share of a sequence
 * --------------------------------------------------------------------- */
/* The 16 query rows as register operands; rows past the group are zero. A 16-byte piece of a row is
 * four lanes wide in either type. */
template <class T>
__device__ __forceinline__ void load_queries(uint32_t (&q)[T::Q_STEPS][4], const uint8_t *from,
                                             int group, int lane) {
#pragma unroll
    for (int step = 0; step < T::Q_STEPS; step++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int row = lane / 4 + 8 * (i & 1), byte = 32 * step + 16 * (i / 2) + 4 * (lane % 4);
            q[step][i] = row < group ? *(const uint32_t *)(from + row * T::K_ROW + byte) : 0;
        }
}

template <class T>
struct DecodeState { /* a thread's share of 16 rows: rows lane/4 and lane/4 + 8 */
    float o[T::V / 8][4], max[2], sum[2];
};

template <class T> struct DecodeRing {
    static constexpr uint32_t slot = T::K_TILE + T::V_TILE;
    static constexpr uint32_t bytes = DEC_WARPS * T::STAGES * slot; /* of a CTA */
};

/* One chunk, `keys` of it real (at least one). */
template <class T>
__device__ __forceinline__ void decode_chunk(DecodeState<T> &st, const uint32_t (&q)[T::Q_STEPS][4],
                                             uint32_t tile, int keys, float c, int lane) {
    constexpr int GROUPS = T::KEYS / 8;
    float s[GROUPS][4] = {};
    uint32_t p[4];
    T::scores(s, q, tile, lane);
    if (keys < T::KEYS)
#pragma unroll
        for (int i = 0; i < 4 * GROUPS; i++)
            if (i / 4 * 8 + 2 * (lane % 4) + (i & 1) >= keys)
                s[i / 4][i % 4] = -INFINITY;
    float shrink[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float top = s[0][2 * h];
#pragma unroll
        for (int g = 0; g < GROUPS; g++)
            top = fmaxf(top, fmaxf(s[g][2 * h], s[g][2 * h + 1]));
        top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 1));
        top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 2));
        top = fmaxf(top, st.max[h]);
        shrink[h] = exp2_fast((st.max[h] - top) * c);
        st.max[h] = top;
        st.sum[h] *= shrink[h];
#pragma unroll
        for (int i = 0; i < 2 * GROUPS; i++) {
            float &x = s[i / 2][2 * h + i % 2];
            x = exp2_fast(fmaf(x, c, T::exponent - top * c));
            st.sum[h] += x;
        }
    }
    T::pack(p, s);
    if (__any_sync(0xffffffff, shrink[0] != 1.f || shrink[1] != 1.f))
#pragma unroll
        for (int i = 0; i < T::V / 2; i++)
            st.o[i / 4][i % 4] *= shrink[i / 2 % 2];
    T::values(st.o, p, tile + T::K_TILE, lane);
}

/* The warp's walk over its chunks of keys [lo, hi): chunk i holds keys from lo + KEYS (warp + 4
 * i). */
template <class T, bool Paged> struct DecodeWalk {
    const uint8_t *k, *v;
    const int32_t *pages; /* of the sequence */
    int hkv, lo, hi, mine, warp, lane;
    uint32_t ring;

    __device__ __forceinline__ int key(int i) const {
        return lo + (warp + i * DEC_WARPS) * T::KEYS;
    }
    __device__ __forceinline__ uint32_t slot(int i) const {
        return ring + (uint32_t)(i % T::STAGES) * DecodeRing<T>::slot;
    }
    __device__ __forceinline__ void fetch(int i) const {
        if (i < mine) {
            if constexpr (Paged) {
                /* A chunk never crosses a page, so that one look at the table places it. */
                int from = key(i),
                    moved = pages[from / RC_KV_PAGE] * RC_KV_PAGE + from % RC_KV_PAGE;
                T::fetch(slot(i), k, v, hkv, moved, moved + hi - from, lane);
            } else {
                T::fetch(slot(i), k, v, hkv, key(i), hi, lane);
            }
        }
        copy_commit();
    }
    __device__ __forceinline__ void start() const {
        for (int i = 0; i < T::STAGES - 1; i++)
            fetch(i);
    }
    __device__ __forceinline__ void run(DecodeState<T> &st, const uint32_t (&q)[T::Q_STEPS][4],
                                        float c) const {
        for (int i = 0; i < mine; i++) {
            copy_wait<T::STAGES - 2>();
            __syncwarp();
            fetch(i + T::STAGES - 1);
            int left = hi - key(i);
            decode_chunk<T>(st, q, slot(i), left < T::KEYS ? left : (int)T::KEYS, c, lane);
        }
        copy_wait<0>();
    }
};

/* Puts the warps' states together: after it, acc[row] is column threadIdx.x of the CTA's unscaled
 * output. */
template <class T> struct DecodeMeeting {
    float o[DEC_WARPS][16][T::V + 4], max[DEC_WARPS][16], sum[DEC_WARPS][16];
};

template <class T>
__device__ __forceinline__ void decode_meet(DecodeMeeting<T> *m, const DecodeState<T> &st,
                                            int lane) {
    static_assert(sizeof(DecodeMeeting<T>) <= DecodeRing<T>::bytes, "the meeting reuses the rings");
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
        for (int j = 0; j < T::V / 8; j++)
            *(float2 *)&m->o[warp][row][8 * j + 2 * (lane % 4)] =
                make_float2(st.o[j][2 * h], st.o[j][2 * h + 1]);
    }
}

/* What a CTA takes at a time: keys [lo, hi) of one sequence in one KV head. */
struct DecodeShare {
    int64_t batch;
    int kv, lo, hi;
    int index;  /* of the split, or of the piece; below 0: nothing to do */
    bool whole; /* the sequence has no other */
};

/* Where what row `row` of a share makes lies among all pieces. */
template <bool Paged>
__device__ __forceinline__ int64_t decode_piece(const DecodeParams &p, const DecodeShare &x,
                                                int row) {
    if constexpr (Paged)
        return (int64_t)x.index * p.hq + (int64_t)x.kv * p.group + row;
    return ((x.batch * p.hkv + x.kv) * p.group + row) * p.splits + x.index;
}

/* Rows over the warps, four columns a lane at a time: to O and LSE, or to the piece of this split. */
template <class T, bool Paged>
__device__ __forceinline__ void decode_store(const DecodeParams &p, const DecodeMeeting<T> *m,
                                             const DecodeShare &x, int lane) {
    int warp = threadIdx.x / 32;
    int64_t first_row = x.batch * p.hq + (int64_t)x.kv * p.group;
#pragma unroll
    for (int row = warp; row < 16; row += DEC_WARPS) {
        if (row >= p.group)
            break;
        float top = -INFINITY, sum = 0.f, weight[DEC_WARPS];
#pragma unroll
        for (int w = 0; w < DEC_WARPS; w++)
            top = fmaxf(top, m->max[w][row]);
        float offset = top == -INFINITY ? 0.f : top;
#pragma unroll
        for (int w = 0; w < DEC_WARPS; w++) {
            weight[w] = exp2_fast((m->max[w][row] - offset) * p.scale_log2);
            sum += weight[w] * m->sum[w][row];
        }
        float by = sum == 0.f ? 0.f : p.v_scale / sum,
              lse = sum == 0.f ? -INFINITY : top * p.scale + logf(sum) - p.lse_shift;
        int64_t piece = decode_piece<Paged>(p, x, row), out = first_row + row;
        if (!x.whole && lane == 0)
            p.part_lse[piece] = lse;
        if (x.whole && p.lse && lane == 0)
            p.lse[out] = lse;
#pragma unroll
        for (int column = 4 * lane; column < T::V; column += 128) {
            float4 acc = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll
            for (int w = 0; w < DEC_WARPS; w++) {
                float4 part = *(const float4 *)&m->o[w][row][column];
                acc.x += weight[w] * part.x;
                acc.y += weight[w] * part.y;
                acc.z += weight[w] * part.z;
                acc.w += weight[w] * part.w;
            }
            if (!x.whole)
                *(float4 *)(p.part_o + piece * T::V + column) =
                    make_float4(acc.x * by, acc.y * by, acc.z * by, acc.w * by);
            else
                *(uint2 *)(p.o + out * T::V + column) = make_uint2(
                    pack_bf16(acc.x * by, acc.y * by), pack_bf16(acc.z * by, acc.w * by));
        }
    }
}

/* Share i of a launch. Without pages a sequence's chunks are dealt evenly, the first shares take one
 * more; with pages the host has dealt them. */
template <class T, bool Paged>
__device__ __forceinline__ DecodeShare decode_share_of(const DecodeParams &p, int i) {
    if constexpr (Paged) {
        const int4 x = ((const int4 *)p.pieces)[i / p.hkv];
        return {x.x, i % p.hkv, x.y, x.z, x.x < 0 ? -1 : i / p.hkv, x.w == 1};
    }
    int unit = i / p.splits, split = i % p.splits, batch = unit / p.hkv;
    int len = max(0, min(p.lens[batch], (int)p.max_len)), chunks = (len + T::KEYS - 1) / T::KEYS;
    int share = chunks / p.splits, extra = chunks % p.splits;
    int lo = (share * split + min(split, extra)) * T::KEYS;
    return {batch, unit % p.hkv, lo, min(lo + (share + (split < extra)) * T::KEYS, len),
            split, p.splits == 1};
}

/* Of use before wait_for_primary alone, so that GPUs which have nothing to wait for do without. */
__device__ __forceinline__ void prefetch_l2(const uint8_t *from, uint32_t bytes) {
#if __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
#endif
}

/* Asks for the first keys and values of a share to be brought into L2, which may be done before the
 * kernel that this one waits for has ended: what that one still writes, the length included, is
 * read after the wait, and L2 is where its writes arrive. A table of pages must have been written by the
 * kernel before that one at the latest, and so must what was dealt. */
template <class T, bool Paged>
__device__ __forceinline__ void decode_prefetch(const DecodeParams &p, const DecodeShare &r) {
    int keys = min(r.hi - r.lo, DEC_PREFETCH / (T::K_ROW + T::V_ROW));
    const uint8_t *k = p.k + T::base(p, Paged ? 0 : r.batch, r.kv),
                  *v = p.v + T::v_base(p, Paged ? 0 : r.batch, r.kv);
    if (keys <= 0)
        return;
    if (!Paged && p.hkv == 1) {
        if (threadIdx.x == 0)
            prefetch_l2(k + (int64_t)r.lo * T::K_ROW, (uint32_t)(keys * T::K_ROW));
        if (threadIdx.x == 32)
            prefetch_l2(v + (int64_t)r.lo * T::V_ROW, (uint32_t)(keys * T::V_ROW));
        return;
    }
    for (int i = (int)threadIdx.x; i < keys; i += DEC_THREADS) {
        int64_t key = r.lo + i;
        if constexpr (Paged) {
            const int32_t *pages = p.table + r.batch * p.table_stride;
            key = (int64_t)pages[key / RC_KV_PAGE] * RC_KV_PAGE + key % RC_KV_PAGE;
        }
        prefetch_l2(k + key * p.hkv * T::K_ROW, T::K_ROW);
        prefetch_l2(v + T::v_row(key, p.hkv), T::V_ROW);
    }
}

template <class T, bool Paged>
__device__ __forceinline__ void decode_share(const DecodeParams &p, uint8_t *shared,
                                             const DecodeShare &x) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int chunks = (x.hi - x.lo + T::KEYS - 1) / T::KEYS;
    int64_t first_row = x.batch * p.hq + (int64_t)x.kv * p.group;
    int64_t begins = Paged ? 0 : x.batch; /* pages are counted from the pool's first */
    DecodeWalk<T, Paged> walk = {p.k + T::base(p, begins, x.kv),
                                 p.v + T::v_base(p, begins, x.kv),
                                 Paged ? p.table + x.batch * p.table_stride : nullptr,
                                 p.hkv,
                                 x.lo,
                                 x.hi,
                                 chunks > warp ? (chunks - warp + DEC_WARPS - 1) / DEC_WARPS : 0,
                                 warp,
                                 lane,
                                 smem_address(shared) +
                                     (uint32_t)warp * T::STAGES * DecodeRing<T>::slot};
    walk.start();
    DecodeState<T> st;
    uint32_t q[T::Q_STEPS][4];
    load_queries<T>(q, p.q + first_row * T::K_ROW, p.group, lane);
#pragma unroll
    for (int i = 0; i < T::V / 2; i++)
        st.o[i / 4][i % 4] = 0.f;
    st.max[0] = st.max[1] = -INFINITY;
    st.sum[0] = st.sum[1] = 0.f;
    walk.run(st, q, p.scale_log2);
    DecodeMeeting<T> *m = (DecodeMeeting<T> *)shared;
    __syncthreads();
    decode_meet(m, st, lane);
    __syncthreads();
    decode_store<T, Paged>(p, m, x, lane);
}

/* A CTA a share, or with p.sms fewer CTAs that take several each. Dependents may launch early only
 * where no SM is to be kept free: they would take it. */
template <class T, bool Paged>
__global__ void __launch_bounds__(DEC_THREADS, T::CTAS) decode_kernel(const DecodeParams p) {
    extern __shared__ __align__(1024) uint8_t shared[];
    if (!p.sms)
        dependents_may_launch();
    decode_prefetch<T, Paged>(p, decode_share_of<T, Paged>(p, (int)blockIdx.x));
    wait_for_primary();
    for (int i = (int)blockIdx.x; i < p.shares; i += (int)gridDim.x) {
        const DecodeShare x = decode_share_of<T, Paged>(p, i);
        if (Paged && x.index < 0)
            return; /* what was dealt stands in front of what was not */
        if (i != (int)blockIdx.x)
            __syncthreads(); /* the last share's states have been read */
        decode_share<T, Paged>(p, shared, x);
    }
}

/* One CTA a query head, of at most `splits` warps: each takes every blockDim/32-th split and works
 * out all weights by itself, its first loads under way meanwhile. Four columns a lane, twice where there
 * are 256; of 64 columns the upper lanes read what the lower ones do. */
template <int V, bool Paged>
__global__ void __launch_bounds__(32 * DEC_COMBINE_WARPS) decode_combine(const DecodeParams p) {
    constexpr int TURNS = V > 128 ? V / 128 : 1, FLIGHT = DEC_FLIGHT / TURNS;
    __shared__ float partial[DEC_COMBINE_WARPS][V];
    if (!p.sms)
        dependents_may_launch();
    wait_for_primary();
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = (int)blockDim.x / 32;
    int column = 4 * lane % V;
    int64_t row = blockIdx.x, first = row * p.splits, step = 1;
    int splits = p.splits;
    if constexpr (Paged) {
        const int32_t piece = p.first[row / p.hq];
        splits = p.pieces[piece].parts;
        first = (int64_t)piece * p.hq + row % p.hq;
        step = p.hq;
        if (splits == 1)
            return; /* the first kernel has written it */
    }
    const float *lse = p.part_lse + first;
    float4 x[TURNS][FLIGHT], acc[TURNS];
    float top = -INFINITY, sum = 0.f;
#pragma unroll
    for (int t = 0; t < TURNS; t++)
        acc[t] = make_float4(0.f, 0.f, 0.f, 0.f);
    for (int s = lane; s < splits; s += 32)
        top = fmaxf(top, lse[s * step]);
    if (Paged) /* there may be more warps than pieces, and all need it */
        top = warp_max(top);
    for (int s0 = warp; s0 < splits; s0 += warps * FLIGHT) {
#pragma unroll
        for (int i = 0; i < FLIGHT; i++)
#pragma unroll
            for (int t = 0; t < TURNS; t++)
                if (s0 + i * warps < splits)
                    x[t][i] = *(const float4 *)(p.part_o + (first + (s0 + i * warps) * step) * V +
                                                128 * t + column);
        if (!Paged && s0 == warp)
            top = warp_max(top);
        float offset = top == -INFINITY ? 0.f : top;
#pragma unroll
        for (int i = 0; i < FLIGHT; i++)
            if (s0 + i * warps < splits) {
                float weight = __expf(lse[(s0 + i * warps) * step] - offset);
#pragma unroll
                for (int t = 0; t < TURNS; t++) {
                    acc[t].x += weight * x[t][i].x;
                    acc[t].y += weight * x[t][i].y;
                    acc[t].z += weight * x[t][i].z;
                    acc[t].w += weight * x[t][i].w;
                }
            }
    }
#pragma unroll
    for (int t = 0; t < TURNS; t++)
        if (4 * lane < V)
            *(float4 *)&partial[warp][128 * t + column] = acc[t];
    for (int s = lane; s < splits; s += 32)
        sum += __expf(lse[s * step] - (top == -INFINITY ? 0.f : top));
    sum = warp_sum(sum);
    float inverse = sum == 0.f ? 0.f : 1.f / sum;
    __syncthreads();
    for (int c = (int)threadIdx.x; c < V; c += (int)blockDim.x) {
        float total = 0.f;
        for (int w = 0; w < warps; w++)
            total += partial[w][c];
        p.o[row * V + c] = __float2bfloat16(total * inverse);
    }
    if (p.lse && threadIdx.x == 0)
        p.lse[row] = sum == 0.f ? -INFINITY : top + logf(sum);
}

/* ---- host
 * -------------------------------------------------------------------------------------- */
/* Columns of queries and keys, and of values. */
static int decode_key_columns(const rc_decode_args *a) {
    return a->head_k ? a->head_k : 128;
}

static int decode_value_columns(const rc_decode_args *a) {
    int k = decode_key_columns(a);
    return a->head_v ? a->head_v : k == 192 ? 128 : k;
}

static bool decode_heads_ok(const rc_decode_args *a) {
    int k = decode_key_columns(a), v = decode_value_columns(a);
    if (a->dtype == RC_KERNEL_E4M3)
        return k == 128 && v == 128;
    return a->dtype == RC_KERNEL_BF16 &&
           ((k == v && (k == 64 || k == 128 || k == 256)) || (k == 192 && v == 128));
}

/* Pages hold heads of 128 in bf16, and a sequence has as many as its longest needs. */
static bool decode_table_ok(const rc_decode_args *a) {
    return !a->table || (a->dtype == RC_KERNEL_BF16 && decode_key_columns(a) == 128 &&
                         a->table_stride * RC_KV_PAGE >= a->max_len && a->pieces && a->first &&
                         a->room >= a->batch && a->room * a->hkv <= 1 << 20);
}

static bool decode_valid(const rc_decode_args *a) {
    return a && a->batch >= 1 && a->max_len >= 0 && a->max_len < (int64_t)1 << 30 && a->hkv >= 1 &&
           a->hq >= a->hkv && a->hq % a->hkv == 0 && a->hq / a->hkv <= 16 && a->scale >= 0.f &&
           a->splits >= 0 && a->sms >= 0 && (int64_t)a->batch * a->hkv <= 1 << 20 &&
           decode_heads_ok(a) && decode_table_ok(a);
}

static int decode_sms(const rc_decode_args *a) {
    int sms = rc_sm_count();
    return a->sms > 0 && a->sms < sms ? a->sms : sms;
}

static int decode_splits(const rc_decode_args *a) {
    if (a->splits > 0)
        return a->splits < DEC_MAX_SPLITS ? a->splits : DEC_MAX_SPLITS;
    int columns = (decode_key_columns(a) + decode_value_columns(a)) / 2;
    int row = a->dtype == RC_KERNEL_E4M3 ? columns : 2 * columns;
    return rc_decode_choose_splits((int64_t)a->batch * a->hkv, a->max_len, row, decode_sms(a),
                                   RC_DECODE_VERSION);
}

/* Pieces, of all query heads each, that wait for the second kernel; 0: there is none. */
static size_t decode_pieces(const rc_decode_args *a) {
    if (a->table)
        return a->room > a->batch ? (size_t)a->room : 0;
    size_t splits = (size_t)decode_splits(a);
    return splits == 1 ? 0 : splits * (size_t)a->batch;
}

extern "C" size_t rc_decode_workspace(const rc_decode_args *a) {
    if (!decode_valid(a))
        return 0;
    size_t pieces = decode_pieces(a);
    return pieces == 0
               ? 0
               : pieces * (size_t)a->hq * (size_t)(decode_value_columns(a) + 1) * sizeof(float);
}

template <class T, bool Paged>
static int decode_launch(const rc_decode_args *a, const DecodeParams &p, cudaStream_t s) {
    auto kernel = decode_kernel<T, Paged>;
    int most = rc_shared_most(), ring = (int)DecodeRing<T>::bytes;
    int alone = ring > DEC_ALONE ? ring : most < DEC_ALONE ? most : (int)DEC_ALONE;
    int e =
        rc_code_check((const void *)kernel, rc_capability_of("decode", a->dtype == RC_KERNEL_E4M3));
    if (!e && ring > most)
        return RC_KERNEL_ECAPABILITY;
    e = e ? e
          : (int)cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, alone);
    /* A CTA an SM: were there room for two, those of the call behind, which come while this one
     * ends, would lie in pairs where it ended first. */
    size_t shared = !a->sms && p.shares <= rc_sm_count() ? (size_t)alone : (size_t)ring;
    int grid = a->sms ? T::CTAS * decode_sms(a) : p.shares;
    e = e ? e
          : rc_launch_dependent(kernel, p.shares < grid ? p.shares : grid, DEC_THREADS, shared, s,
                                p);
    if (e || decode_pieces(a) == 0)
        return e;
    int warps = (p.splits + DEC_FLIGHT - 1) / DEC_FLIGHT;
    warps = Paged ? (int)DEC_DEALT_WARPS : warps < DEC_COMBINE_WARPS ? warps : DEC_COMBINE_WARPS;
    return rc_launch_dependent(decode_combine<T::V, Paged>, a->batch * a->hq, 32 * warps, 0, s, p);
}

extern "C" int rc_decode_forward(const rc_decode_args *a, void *stream) {
    if (!decode_valid(a))
        return RC_KERNEL_EINVAL;
    auto given = [](float scale) { return scale > 0.f ? scale : 1.f; };
    bool fp8 = a->dtype == RC_KERNEL_E4M3;
    DecodeParams p = {};
    p.q = (const uint8_t *)a->q;
    p.k = (const uint8_t *)a->k;
    p.v = (const uint8_t *)a->v;
    p.lens = a->lens;
    p.o = (__nv_bfloat16 *)a->o;
    p.lse = a->lse;
    p.max_len = a->max_len;
    p.hq = a->hq;
    p.hkv = a->hkv;
    p.group = a->hq / a->hkv;
    p.splits = a->table ? 1 : decode_splits(a);
    p.shares = (int)(a->table ? a->room : (int64_t)a->batch * p.splits) * a->hkv;
    p.sms = a->sms;
    p.scale = a->scale > 0.f ? a->scale : 1.f / sqrtf((float)decode_key_columns(a));
    p.scale *= fp8 ? given(a->q_scale) * given(a->k_scale) : 1.f;
    p.scale_log2 = p.scale * 1.4426950408889634f;
    p.lse_shift = 0.6931471805599453f * (fp8 ? DecFp8::exponent : DecBf16::exponent);
    p.v_scale = fp8 ? given(a->v_scale) : 1.f;
    size_t pieces = decode_pieces(a);
    if (pieces > 0 && !a->workspace)
        return RC_KERNEL_EINVAL;
    p.part_o = (float *)a->workspace;
    p.part_lse = p.part_o + pieces * (size_t)a->hq * (size_t)decode_value_columns(a);
    p.table = a->table;
    p.table_stride = a->table_stride;
    p.pieces = (const rc_decode_piece *)a->pieces;
    p.first = a->first;
    if (a->table)
        return decode_launch<DecBf16, true>(a, p, (cudaStream_t)stream);
    if (fp8)
        return decode_launch<DecFp8, false>(a, p, (cudaStream_t)stream);
    switch (decode_key_columns(a)) {
    case 64:
        return decode_launch<DecBf16Of64, false>(a, p, (cudaStream_t)stream);
    case 192:
        return decode_launch<DecBf16Of192, false>(a, p, (cudaStream_t)stream);
    case 256:
        return decode_launch<DecBf16Of256, false>(a, p, (cudaStream_t)stream);
    default:
        return decode_launch<DecBf16, false>(a, p, (cudaStream_t)stream);
    }
}
