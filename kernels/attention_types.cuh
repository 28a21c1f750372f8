/* The element types of the attention kernel: how tiles of bf16 and of e4m3 lie in shared memory,
 * and how they are multiplied and added up.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_ATTENTION_TYPES_CUH
#define RC_ATTENTION_TYPES_CUH
#include "kernels/hopper.cuh"
#include "kernels/wgmma.cuh"

enum {
    ATTN_ROWS = 128,
    ATTN_CONSUMERS = 2,
    ATTN_THREADS = 128 * (1 + ATTN_CONSUMERS),
    ATTN_BAR_TURN = 1, /* named barriers 1 and 2: whose turn it is to issue products */
    ATTN_ITEM_BYTES = 64,
    ATTN_CUT_BYTES = 16,
    ATTN_END = -2,
    ATTN_AHEAD = 3 /* key blocks before an item's end at which the next is asked for */
};

/* Heads of Qk columns of queries and keys and of Dv columns of values, in panels of 64 columns (128
 * bytes). The tensor cores add into O itself. */
template <int Qk, int Dv, int Keys, int QSlots> struct AttnHeads {
    enum {
        V = Dv,
        KEYS = Keys,
        STAGES = 2,
        K_ROW = 2 * Qk,
        V_ROW = 2 * Dv,
        P_REGS = Keys / 4,
        OWN_SUM = 0,
        TURNS = 1,
        V_BLOCKS = 0,
        Q_SLOTS = QSlots
    };
    static constexpr uint32_t q_panel = ATTN_ROWS * 128, panel = Keys * 128;
    static constexpr float exponent = 0.f; /* P is exp2 of score minus maximum plus this */

    static __device__ __forceinline__ void load_q(uint32_t dst, const CUtensorMap *map,
                                                  uint32_t bar, int head, int token) {
#pragma unroll
        for (int i = 0; i < Qk / 64; i++)
            tma_load_3d(dst + i * q_panel, map, bar, 64 * i, head, token);
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
    /* V's rows from `keys` on become zero: what lies behind a sequence may be anything, and a NaN
     * times a weight of zero is a NaN. The 32 lanes of a warp together. */
    static __device__ __forceinline__ void zero_tail(uint32_t v, int keys, int lane) {
        const int pieces = Dv / 8; /* of a row */
        for (int i = keys * pieces + lane; i < Keys * pieces; i += 32)
            store_zero16(v + i % pieces / 8 * panel + i / pieces * 128 + i % 8 * 16);
    }
    static __device__ __forceinline__ void product_of_scores(float (&s)[64], uint64_t dq,
                                                             uint64_t dk, int accumulate) {
        wgmma_ss(s, dq, dk, accumulate);
    }
    static __device__ __forceinline__ void product_of_scores(float (&s)[32], uint64_t dq,
                                                             uint64_t dk, int accumulate) {
        wgmma_ss_n64(s, dq, dk, accumulate);
    }
    /* S = Q K^T over the panels of the head dimension. */
    static __device__ __forceinline__ void scores(float (&s)[Keys / 2], uint64_t dq, uint64_t dk) {
#pragma unroll
        for (int step = 0; step < Qk / 16; step++) {
            int panels = step / 4, within = step % 4 * 2; /* descriptor units of 16 bytes */
            product_of_scores(s, dq + panels * (q_panel >> 4) + within,
                              dk + panels * (panel >> 4) + within, step != 0);
        }
        wgmma_commit();
    }
    static __device__ __forceinline__ void add_values(float (&o)[32], const uint32_t *p,
                                                      uint64_t dv) {
        wgmma_rs_v64(o, p[0], p[1], p[2], p[3], dv);
    }
    static __device__ __forceinline__ void add_values(float (&o)[64], const uint32_t *p,
                                                      uint64_t dv) {
        wgmma_rs(o, p[0], p[1], p[2], p[3], dv);
    }
    static __device__ __forceinline__ void add_values(float (&o)[128], const uint32_t *p,
                                                      uint64_t dv) {
        wgmma_rs_v256(o, p[0], p[1], p[2], p[3], dv);
    }
    /* O += P V, P already in the layout of a register operand. */
    static __device__ __forceinline__ void values(float (&o)[Dv / 2], const uint32_t (&pr)[P_REGS],
                                                  uint64_t dv) {
#pragma unroll
        for (int step = 0; step < Keys / 16; step++)
            add_values(o, pr + 4 * step, dv + step * 128);
        wgmma_commit();
    }
    static __device__ __forceinline__ void pack(const float (&s)[Keys / 2],
                                                uint32_t (&pr)[P_REGS]) {
#pragma unroll
        for (int i = 0; i < P_REGS; i++)
            pr[i] = pack_bf16(s[2 * i], s[2 * i + 1]);
    }
};

/* Heads of 128; of 64; latents made into keys of 192 and values of 128, as other models' heads are by
 * themselves; of 256, whose O leaves registers for half as many scores. */
typedef AttnHeads<128, 128, 128, 2> AttnBf16;
typedef AttnHeads<64, 64, 128, 2> AttnBf16Of64;
typedef AttnHeads<192, 128, 128, 1> AttnBf16Of192;
typedef AttnHeads<256, 256, 64, 1> AttnBf16Of256;

/* Rows of 128 bytes; V as [block of 128 keys][128 columns][128 keys], the keys of a group of 16 in
 * the order that makes a thread's scores its register operand (kernels.h). The tensor cores keep
 * only about 14 bits of a running sum, so each block's product is summed from zero and added to O
 * in fp32; that costs registers, no time: the addition replaces the multiplication that shrinks O.
 * P is scaled by 2^8 into the range of e4m3. Warpgroups do not take turns: 9 % slower with. */
struct AttnFp8 {
    enum {
        V = 128,
        KEYS = 128,
        STAGES = 4,
        K_ROW = 128,
        V_ROW = 128,
        P_REGS = KEYS / 8,
        OWN_SUM = 1,
        TURNS = 0,
        V_BLOCKS = 1,
        Q_SLOTS = 1
    };
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
        tma_load_4d(dst, map, bar, 0, 0, kv, key / KEYS);
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
    /* As for bf16. A column's keys lie in groups of 16 bytes, in the order given above. */
    static __device__ __forceinline__ void zero_tail(uint32_t v, int keys, int lane) {
        for (int i = keys / 16 * KEYS + lane; i < 8 * KEYS; i += 32) {
            int group = i / KEYS, column = i % KEYS;
            uint32_t at = v + column * 128 + (group ^ (column & 7)) * 16;
            for (int q = 0; q < 4; q++) { /* bytes of a word: keys 2q, 2q + 1, 2q + 8, 2q + 9 */
                int left = keys - 16 * group - 2 * q;
                uint32_t keep = (left > 0 ? 0xffu : 0) | (left > 1 ? 0xff00u : 0) |
                                (left > 8 ? 0xff0000u : 0) | (left > 9 ? 0xff000000u : 0);
                store_shared(at + 4 * q, load_shared(at + 4 * q) & keep);
            }
        }
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
        for (int step = 0; step < KEYS / 32; step++)
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
#endif
