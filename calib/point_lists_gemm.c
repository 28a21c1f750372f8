/* The matrix products of a transformer layer, as tensor parallelism cuts them.
 *
 * y[M,N] = x[M,K] W[N,K]^T. For TP degree t, query heads, key/value heads and FFN columns are
 * divided by t (key/value heads are replicated below one a GPU):
 *
 *     qkv      N = (Hq/t + 2 max(1, Hkv/t)) 128    K = D
 *     o        N = D                               K = D/t
 *     gate_up  N = 2 F/t                           K = D
 *     down     N = D                               K = F/t
 *     lm_head  N = ceil16(V/t)                     K = D, M <= 8: only last tokens reach it
 *
 * As in the paper, attention projections run in bf16 and the FFN in fp8; the main shape (TP8) is
 * measured in both. In bf16 alone are the shapes that unquantised models run on one node: 70B,
 * Qwen2.5-72B and Mistral Large 123B on TP 1 to 8, 8B on TP 1 to 4, 405B on TP4; in fp8 with scales of
 * blocks are models that are published so, on TP8. A call over 60 ms
 * (at 650 or 1250 TFLOP/s) is left out, save M = 131072 on TP8.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/point_lists.h"

#include <string.h>

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))
#define GEMM_LIMIT_S 0.060

typedef struct llama {
    int64_t d, f, hq, hkv, vocab;
} llama;

static const llama llama_405b = {16384, 53248, 128, 8, 128256};
static const llama llama_70b = {8192, 28672, 64, 8, 128256};
static const llama llama_8b = {4096, 14336, 32, 8, 128256};
static const llama qwen_72b = {8192, 29568, 64, 8, 152064};     /* Qwen2.5: the 70B's attention */
static const llama mistral_123b = {12288, 28672, 96, 8, 32768}; /* Mistral Large 2 */

/* Which M to take in --quick and hot. */
typedef enum effort { EFFORT_MAIN, EFFORT_SOME, EFFORT_FEW } effort;

/* Few rows are bound by HBM, many by the matrix units: the clocks of a hot chip touch the second
 * alone, so both ends are measured hot. */
static bool hot(int64_t m, effort e) {
    bool power_of_two = (m & (m - 1)) == 0;
    if (m == 1 || m == 16 || m == 64)
        return e != EFFORT_FEW;
    if (e == EFFORT_MAIN)
        return power_of_two && m >= 256;
    if (e == EFFORT_SOME)
        return power_of_two && m >= 512 && m <= 32768;
    return m == 1024 || m == 4096 || m == 16384;
}

static bool quick(int64_t m, effort e) {
    if (e == EFFORT_MAIN)
        return m == 1 || m == 16 || m == 128 || m == 512 || m == 2048 || m == 8192 || m == 32768;
    return e == EFFORT_SOME && (m == 16 || m == 512 || m == 8192);
}

static const int64_t all_rows[] = {1,    2,    4,    8,     16,    32,    64,    96,   128,
                                   192,  256,  384,  512,   768,   1024,  1536,  2048, 3072,
                                   4096, 6144, 8192, 16384, 32768, 65536, 131072};
/* Enough for a curve. */
static const int64_t first_rows[] = {1, 8, 64, 256, 1024, 2048, 4096, 8192, 16384, 32768};

static rc_status shape_at(rc_points *p, int64_t n, int64_t k, const char *dtype,
                          const int64_t *rows, size_t count, int64_t max_m, effort e,
                          bool keep_longest, rc_error *err) {
    const double rate = strcmp(dtype, "bf16") ? 1250e12 : 650e12;
    for (size_t i = 0; i < count && rows[i] <= max_m; i++) {
        int64_t m = rows[i];
        double seconds = 2.0 * (double)m * (double)n * (double)k / rate;
        if (seconds > GEMM_LIMIT_S && !(keep_longest && m == 131072))
            continue;
        rc_point x = {.op = "gemm",
                      .variant = "",
                      .dtype = dtype,
                      .a = m,
                      .b = n,
                      .c = k,
                      .sustained = hot(m, e),
                      .quick = quick(m, e)};
        RC_TRY(rc_points_add(p, &x, err));
    }
    return RC_OK;
}

static rc_status shape(rc_points *p, int64_t n, int64_t k, bool fp8, int64_t max_m, effort e,
                       bool keep_longest, rc_error *err) {
    return shape_at(p, n, k, fp8 ? "fp8" : "bf16", all_rows, COUNT(all_rows), max_m, e,
                    keep_longest, err);
}

/* The four products of a layer on one GPU; `swapped` takes the other dtype for each. */
static rc_status layer(rc_points *p, const llama *l, int64_t t, bool swapped, effort e,
                       rc_error *err) {
    int64_t kv = l->hkv / t > 1 ? l->hkv / t : 1;
    int64_t qkv = (l->hq / t + 2 * kv) * 128;
    bool longest = t == 8;
    const int64_t max_m = 131072;
    RC_TRY(shape(p, qkv, l->d, swapped, max_m, e, longest, err));
    RC_TRY(shape(p, l->d, l->d / t, swapped, max_m, e, longest, err));
    RC_TRY(shape(p, 2 * l->f / t, l->d, !swapped, max_m, e, longest, err));
    return shape(p, l->d, l->f / t, !swapped, max_m, e, longest, err);
}

/* All four products of a layer in bf16, as a model runs that was not quantised. */
static rc_status layer_bf16(rc_points *p, const llama *l, int64_t t, const int64_t *rows,
                            size_t count, rc_error *err) {
    int64_t kv = l->hkv / t > 1 ? l->hkv / t : 1;
    const int64_t nk[][2] = {{2 * l->f / t, l->d},
                             {l->d, l->f / t},
                             {(l->hq / t + 2 * kv) * 128, l->d},
                             {l->d, l->d / t}};
    for (size_t i = 0; i < COUNT(nk); i++)
        RC_TRY(
            shape_at(p, nk[i][0], nk[i][1], "bf16", rows, count, 131072, EFFORT_FEW, false, err));
    return RC_OK;
}

/* What rings on one node run unquantised: a curve for every shape first, then its other rows. */
static rc_status unquantised(rc_points *p, rc_error *err) {
    static const int64_t tp70[] = {4, 2, 8, 1}, tp8[] = {1, 2, 4};
    for (int pass = 0; pass < 2; pass++) {
        const int64_t *rows = pass ? all_rows : first_rows;
        size_t count = pass ? COUNT(all_rows) : COUNT(first_rows);
        for (size_t i = 0; i < COUNT(tp70); i++)
            RC_TRY(layer_bf16(p, &llama_70b, tp70[i], rows, count, err));
        RC_TRY(layer_bf16(p, &llama_405b, 4, rows, count, err));
        for (size_t i = 0; i < COUNT(tp8); i++)
            RC_TRY(layer_bf16(p, &llama_8b, tp8[i], rows, count, err));
        for (size_t i = 0; i < COUNT(tp70); i++)
            RC_TRY(layer_bf16(p, &qwen_72b, tp70[i], rows, count, err));
        for (size_t i = 0; i < COUNT(tp70); i++)
            RC_TRY(layer_bf16(p, &mistral_123b, tp70[i], rows, count, err));
    }
    return RC_OK;
}

/* Scales of blocks: what DeepSeek-V3, Kimi K2 and Qwen3-235B have on each of eight GPUs. */
static rc_status blocks(rc_points *p, rc_error *err) {
    static const int64_t nk[][2] = {{2112, 7168}, {3072, 1536}, {7168, 2048}, {512, 7168},
                                    {7168, 256},  {1280, 4096}, {4096, 1024}, {7168, 1024},
                                    {1536, 1536}, {4608, 7168}, {7168, 2304}};
    for (size_t i = 0; i < COUNT(nk); i++)
        RC_TRY(shape_at(p, nk[i][0], nk[i][1], "fp8-block", first_rows, COUNT(first_rows), 131072,
                        EFFORT_FEW, false, err));
    return RC_OK;
}

static rc_status head(rc_points *p, const llama *l, int64_t t, rc_error *err) {
    int64_t n = ((l->vocab + t - 1) / t + 15) / 16 * 16;
    return shape(p, n, l->d, false, 8, EFFORT_FEW, false, err);
}

rc_status rc_points_gemm(rc_points *p, int ranks, rc_error *err) {
    static const struct {
        int64_t t;
        effort e;
    } tp405[] = {{16, EFFORT_SOME}, {32, EFFORT_SOME}, {64, EFFORT_SOME},
                 {4, EFFORT_SOME},  {2, EFFORT_FEW},   {1, EFFORT_FEW}},
      tp70[] = {{4, EFFORT_FEW}, {2, EFFORT_FEW}, {1, EFFORT_FEW}, {16, EFFORT_FEW}};
    (void)ranks;
    RC_TRY(layer(p, &llama_405b, 8, false, EFFORT_MAIN, err));
    RC_TRY(head(p, &llama_405b, 8, err));
    RC_TRY(unquantised(p, err));
    for (size_t i = 0; i < 3; i++)
        RC_TRY(layer(p, &llama_405b, tp405[i].t, false, tp405[i].e, err));
    RC_TRY(layer(p, &llama_405b, 8, true, EFFORT_SOME, err));
    for (size_t i = 3; i < COUNT(tp405); i++)
        RC_TRY(layer(p, &llama_405b, tp405[i].t, false, tp405[i].e, err));
    for (int64_t t = 1; t <= 64; t *= 2)
        RC_TRY(head(p, &llama_405b, t, err));
    RC_TRY(layer(p, &llama_70b, 8, false, EFFORT_SOME, err));
    for (size_t i = 0; i < COUNT(tp70); i++)
        RC_TRY(layer(p, &llama_70b, tp70[i].t, false, tp70[i].e, err));
    RC_TRY(layer(p, &llama_70b, 8, true, EFFORT_FEW, err));
    for (int64_t t = 1; t <= 16; t *= 2)
        RC_TRY(head(p, &llama_70b, t, err));
    return blocks(p, err);
}
