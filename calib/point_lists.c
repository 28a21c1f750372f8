/* Lists of points of what one GPU does alone; gemm has its own file, and so has what several do
 * together.
 *
 * Sizes follow what a ring over the nodes asks for: query blocks of T/N tokens (128 K over 4 nodes:
 * 320 at a 1 % miss rate, 3200 at 10 %, 32000 for full prefill), key blocks from 1 K to 1 M, and
 * powers of two in between so that interpolation in log space has even support. Main head shape: 16
 * query heads on one key/value head, Llama 3 405B on TP8.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/point_lists.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))
#define KI ((int64_t)1024)

void rc_points_free(rc_points *p) {
    free(p->v);
    memset(p, 0, sizeof *p);
}

static bool same_word(const char *x, const char *y) {
    return x == y || (x && y && !strcmp(x, y));
}

void rc_point_variant(const rc_point *p, const char *base, char *out, size_t size) {
    assert(size > 0);
    const char *v = base ? base : p->variant;
    if (!p->cond)
        snprintf(out, size, "%s", v);
    else if (p->value > 0)
        snprintf(out, size, "%s@%s%lld", v, p->cond, (long long)p->value);
    else
        snprintf(out, size, "%s@%s", v, p->cond);
}

rc_status rc_points_add(rc_points *p, const rc_point *x, rc_error *err) {
    assert(x->op != NULL && x->variant != NULL && x->dtype != NULL);
    assert(x->a >= 0 && x->b >= 0 && x->c >= 0 && x->d >= 0);
    for (size_t i = 0; i < p->n; i++) {
        rc_point *y = &p->v[i];
        if (y->a == x->a && y->b == x->b && y->c == x->c && y->d == x->d && !strcmp(y->op, x->op) &&
            y->value == x->value && y->head_k == x->head_k && y->head_v == x->head_v &&
            y->experts == x->experts && y->top_k == x->top_k && same_word(y->cond, x->cond) &&
            !strcmp(y->variant, x->variant) && !strcmp(y->dtype, x->dtype)) {
            y->sustained |= x->sustained;
            y->quick |= x->quick;
            return RC_OK;
        }
    }
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 256;
        rc_point *v = realloc(p->v, cap * sizeof *v);
        if (!v)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu points", cap);
        p->v = v;
        p->cap = cap;
    }
    p->v[p->n++] = *x;
    return RC_OK;
}

static bool one_of(int64_t x, const int64_t *set, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (set[i] == x)
            return true;
    return false;
}

/* ---- attention ------------------------------------------------------------------------------ */

/* Longest single call worth timing, by an optimistic 600 TFLOP/s. */
#define ATTN_LIMIT_S 0.4

static rc_status attn_in(rc_points *p, const char *dtype, bool causal, int64_t tq, int64_t tk,
                         int64_t hq, int64_t hkv, bool quick, bool sustained, rc_error *err) {
    double seen = causal ? (double)tq * ((double)tk - 0.5 * (double)tq) : (double)tq * (double)tk;
    if (4.0 * 128.0 * (double)hq * seen / 600e12 > ATTN_LIMIT_S)
        return RC_OK;
    rc_point x = {.op = "attention",
                  .variant = causal ? "causal" : "full",
                  .dtype = dtype,
                  .a = tq,
                  .b = tk,
                  .c = hq,
                  .d = hkv,
                  .sustained = sustained,
                  .quick = quick};
    return rc_points_add(p, &x, err);
}

static rc_status attn(rc_points *p, bool causal, int64_t tq, int64_t tk, int64_t hq, int64_t hkv,
                      bool quick, bool sustained, rc_error *err) {
    return attn_in(p, "bf16", causal, tq, tk, hq, hkv, quick, sustained, err);
}

static const int64_t attn_tk[] = {1024,  4096,   8192,   16384,  32000,
                                  64000, 128000, 256000, 512000, 1024000};

static rc_status attn_full(rc_points *p, int64_t hq, int64_t hkv, bool small, rc_error *err) {
    static const int64_t tq_all[] = {1,   16,   64,   128,  256,   320,   512,
                                     800, 1600, 3200, 6400, 12800, 25600, 32768};
    static const int64_t tq_small[] = {64, 512, 3200, 12800}, tk_small[] = {8192, 32000, 128000};
    static const int64_t tq_quick[] = {1, 64, 256, 800, 3200, 12800};
    static const int64_t tk_quick[] = {8192, 32000, 128000};
    bool main_shape = hq == 16 && hkv == 1, one_kv_head = hkv == 1;
    for (size_t i = 0; i < COUNT(tq_all); i++) {
        for (size_t j = 0; j < COUNT(attn_tk); j++) {
            int64_t tq = tq_all[i], tk = attn_tk[j];
            bool quick = one_of(tq, tq_quick, COUNT(tq_quick)) && one_of(tk, tk_quick, 3);
            bool in_small = one_of(tq, tq_small, COUNT(tq_small)) && one_of(tk, tk_small, 3);
            bool hot =
                main_shape ? tq >= 16 && tk >= 4096 && tk <= 128000 : in_small && one_kv_head;
            if ((tk > 128000 && tq > 6400) || (small && !in_small))
                continue;
            RC_TRY(attn(p, false, tq, tk, hq, hkv, quick && main_shape, hot, err));
        }
    }
    return RC_OK;
}

static rc_status attn_square(rc_points *p, int64_t hq, int64_t hkv, bool small, rc_error *err) {
    static const int64_t t_all[] = {512,   1024,  2048,  4096,  8192,  16384,
                                    32768, 49152, 65536, 98304, 131072};
    bool main_shape = hq == 16 && hkv == 1;
    for (size_t i = 0; i < COUNT(t_all); i++) {
        int64_t t = t_all[i];
        if (small && t != 2048 && t != 8192 && t != 32768)
            continue;
        bool quick = main_shape && (t == 2048 || t == 8192 || t == 32768 || t == 131072);
        bool hot = main_shape ? t >= 2048 : hkv == 1 && (t == 8192 || t == 32768 || t == 131072);
        RC_TRY(attn(p, true, t, t, hq, hkv, quick, hot, err));
    }
    return RC_OK;
}

/* New tokens behind a cached prefix: every query sees the prefix, and its own block causally. */
static rc_status attn_prefix(rc_points *p, int64_t hq, int64_t hkv, rc_error *err) {
    static const int64_t tq_all[] = {16, 64, 256, 512, 1600, 3200, 6400, 12800};
    static const int64_t prefix[] = {4096, 16384, 32000, 64000, 128000};
    for (size_t i = 0; i < COUNT(tq_all); i++)
        for (size_t j = 0; j < COUNT(prefix); j++) {
            int64_t tq = tq_all[i];
            bool hot = tq >= 256 && (prefix[j] == 32000 || prefix[j] == 128000);
            bool quick = (tq == 256 || tq == 3200) && prefix[j] == 32000;
            RC_TRY(attn(p, true, tq, prefix[j] + tq, hq, hkv, quick, hot, err));
        }
    return RC_OK;
}

/* A batch of new sequences in one launch: `value` of them, each of tq = tk tokens. */
static rc_status attn_batches(rc_points *p, rc_error *err) {
    static const int64_t kv_heads[] = {16, 4, 2}; /* groups of 1, 4 and 8 query heads */
    static const int64_t lengths[][2] = {{4096, 4}, {1024, 16}, {8192, 2}, {2048, 8},
                                         {1024, 4}, {4096, 16}, {2048, 32}};
    for (size_t i = 0; i < COUNT(lengths); i++)
        for (size_t k = 0; k < COUNT(kv_heads); k++) {
            rc_point x = {.op = "attention",
                          .variant = "causal",
                          .dtype = "bf16",
                          .a = lengths[i][0],
                          .b = lengths[i][0],
                          .c = 16,
                          .d = kv_heads[k],
                          .cond = "seqs",
                          .value = lengths[i][1]};
            RC_TRY(rc_points_add(p, &x, err));
        }
    return RC_OK;
}

/* Eight query heads a key/value head, as 70B has them on TP 1, 2 and 4. */
static rc_status attn_groups_of_8(rc_points *p, rc_error *err) {
    static const int64_t heads[][2] = {{64, 8}, {16, 2}, {32, 4}};
    static const int64_t tq_all[] = {64, 3200, 12800, 800, 1, 256};
    static const int64_t tk_all[] = {32000, 8192, 128000, 1024};
    static const int64_t square[] = {8192, 2048, 32768, 512};
    for (size_t h = 0; h < COUNT(heads); h++) {
        for (size_t i = 0; i < COUNT(square); i++)
            RC_TRY(
                attn(p, true, square[i], square[i], heads[h][0], heads[h][1], false, false, err));
        for (size_t i = 0; i < COUNT(tq_all); i++)
            for (size_t j = 0; j < COUNT(tk_all); j++)
                RC_TRY(attn(p, false, tq_all[i], tk_all[j], heads[h][0], heads[h][1], false, false,
                            err));
    }
    return RC_OK;
}

/* The main shape in fp8: enough for a curve over each axis. */
static rc_status attn_fp8(rc_points *p, rc_error *err) {
    static const int64_t tq_all[] = {1, 16, 64, 256, 800, 3200, 12800, 32768};
    static const int64_t tk_all[] = {1024, 8192, 32000, 128000, 512000, 1024000};
    static const int64_t square[] = {512, 2048, 8192, 32768, 131072};
    for (size_t i = 0; i < COUNT(tq_all); i++)
        for (size_t j = 0; j < COUNT(tk_all); j++) {
            bool hot = tq_all[i] >= 64 && (tk_all[j] == 32000 || tk_all[j] == 128000);
            bool quick = (tq_all[i] == 64 || tq_all[i] == 3200) && tk_all[j] == 32000;
            if (tk_all[j] <= 128000 || tq_all[i] <= 3200)
                RC_TRY(attn_in(p, "fp8", false, tq_all[i], tk_all[j], 16, 1, quick, hot, err));
        }
    for (size_t i = 0; i < COUNT(square); i++)
        RC_TRY(attn_in(p, "fp8", true, square[i], square[i], 16, 1, square[i] == 8192,
                       square[i] >= 8192, err));
    for (int64_t tq = 256; tq <= 16384; tq *= 4) {
        RC_TRY(attn_in(p, "fp8", true, tq, 32000 + tq, 16, 1, false, true, err));
        RC_TRY(attn_in(p, "fp8", true, tq, 128000 + tq, 16, 1, false, false, err));
    }
    return RC_OK;
}

/* ---- heads of other sizes ------------------------------------------------------------------- */

static rc_status decode_others(rc_points *p, rc_error *err);

/* Steps over latents, as long as the cache fits well: 1,152 bytes a key. */
static rc_status mla_steps(rc_points *p, rc_error *err) {
    static const int64_t heads[] = {16, 128, 32, 64, 8};
    static const int64_t batches[] = {1, 32, 8, 128, 4, 64, 2, 16};
    static const int64_t contexts[] = {8 * KI, 128 * KI, 32 * KI, KI,
                                       4 * KI, 64 * KI,  16 * KI, 2 * KI};
    for (size_t h = 0; h < COUNT(heads); h++)
        for (size_t b = 0; b < COUNT(batches); b++)
            for (size_t i = 0; i < COUNT(contexts); i++) {
                rc_point x = {.op = "mla_decode",
                              .variant = "",
                              .dtype = "bf16",
                              .a = batches[b],
                              .b = contexts[i],
                              .c = heads[h],
                              .head_k = 576,
                              .head_v = 512};
                x.quick = h == 0 && b < 3 && i < 3;
                bool some = h < 2 || (b < 4 && i < 4);
                if (some && x.a * x.b <= 4096 * KI)
                    RC_TRY(rc_points_add(p, &x, err));
            }
    return RC_OK;
}

/* gpt-oss; MiMo, and DeepSeek's latents made into keys and values; Gemma and Qwen3.5. */
static const int64_t other_heads[][2] = {{64, 64}, {192, 128}, {256, 256}};

static rc_status attn_others(rc_points *p, rc_error *err) {
    static const int64_t heads[][2] = {{16, 2}, {8, 1}, {64, 8}, {16, 1}};
    static const int64_t square[] = {8192, 1024, 32768, 4096, 512, 2048, 16384};
    static const int64_t beside[][2] = {{800, 32000},   {64, 8192},    {3200, 32000},
                                        {64, 128000},   {1, 32000},    {256, 8192},
                                        {12800, 32000}, {800, 128000}, {3200, 128000}};
    for (size_t k = 0; k < COUNT(other_heads); k++)
        for (size_t h = 0; h < COUNT(heads); h++) {
            rc_point x = {.op = "attention",
                          .variant = "causal",
                          .dtype = "bf16",
                          .c = heads[h][0],
                          .d = heads[h][1],
                          .head_k = other_heads[k][0],
                          .head_v = other_heads[k][1]};
            for (size_t i = 0; i < COUNT(square); i++) {
                x.a = x.b = square[i];
                x.quick = h == 0 && i < 3;
                if (h < 2 || i < 4)
                    RC_TRY(rc_points_add(p, &x, err));
            }
            for (size_t i = 0; i < 2; i++) { /* behind a prefix */
                x.a = beside[i][0];
                x.b = x.a + 32000;
                x.quick = false;
                RC_TRY(rc_points_add(p, &x, err));
            }
            x.variant = "full";
            for (size_t i = 0; i < COUNT(beside); i++) {
                x.a = beside[i][0];
                x.b = beside[i][1];
                if (h < 2 || i < 4)
                    RC_TRY(rc_points_add(p, &x, err));
            }
        }
    return RC_OK;
}

/* Latents made into keys and values of every head: c heads, d sequences. */
static rc_status mla_prompts(rc_points *p, rc_error *err) {
    static const int64_t heads[] = {16, 128, 32, 64, 8};
    static const int64_t square[] = {8192,  1024, 32768, 4096, 2048, 16384, 512,  256,
                                     12288, 3072, 6144,  1536, 768,  384,   24576};
    static const int64_t prefix[][2] = {
        {2048, 32768}, {512, 8192},  {2048, 131072}, {8192, 131072}, {128, 32768},
        {8192, 32768}, {512, 32768}, {4096, 32768},  {1024, 8192},   {2048, 65536},
        {4096, 65536}, {256, 16384}, {8192, 16384}};
    static const int64_t batches[][2] = {{1024, 8}, {4096, 4}, {512, 32}, {2048, 2}};
    for (size_t h = 0; h < COUNT(heads); h++) {
        rc_point x = {.op = "mla_prefill",
                      .variant = "",
                      .dtype = "bf16",
                      .c = heads[h],
                      .d = 1,
                      .head_k = 192,
                      .head_v = 128};
        for (size_t i = 0; i < COUNT(square); i++) {
            x.a = x.b = square[i];
            x.quick = h == 0 && i < 3;
            RC_TRY(rc_points_add(p, &x, err));
        }
        x.quick = false;
        for (size_t i = 0; i < COUNT(prefix); i++) {
            x.a = prefix[i][0];
            x.b = prefix[i][0] + prefix[i][1];
            if (heads[h] < 128 || prefix[i][1] < 131072)
                RC_TRY(rc_points_add(p, &x, err));
        }
        for (size_t i = 0; i < COUNT(batches) && h < 3; i++) {
            x.a = x.b = batches[i][0];
            x.d = batches[i][1];
            RC_TRY(rc_points_add(p, &x, err));
        }
    }
    return RC_OK;
}

rc_status rc_points_heads(rc_points *p, int ranks, rc_error *err) {
    (void)ranks;
    RC_TRY(attn_others(p, err));
    return decode_others(p, err);
}

rc_status rc_points_mla(rc_points *p, int ranks, rc_error *err) {
    (void)ranks;
    RC_TRY(mla_steps(p, err));
    return mla_prompts(p, err);
}

rc_status rc_points_attention(rc_points *p, int ranks, rc_error *err) {
    static const int64_t more[][2] = {{8, 1}, {4, 1}, {2, 1}}, few[][2] = {{32, 2}, {64, 8}};
    (void)ranks;
    RC_TRY(attn_square(p, 16, 1, false, err));
    RC_TRY(attn_full(p, 16, 1, false, err));
    RC_TRY(attn_prefix(p, 16, 1, err));
    RC_TRY(attn_batches(p, err));
    RC_TRY(attn_groups_of_8(p, err));
    for (size_t i = 0; i < COUNT(more); i++) {
        RC_TRY(attn_full(p, more[i][0], more[i][1], false, err));
        RC_TRY(attn_square(p, more[i][0], more[i][1], false, err));
    }
    for (size_t i = 0; i < COUNT(few); i++) {
        RC_TRY(attn_full(p, few[i][0], few[i][1], true, err));
        RC_TRY(attn_square(p, few[i][0], few[i][1], true, err));
    }
    RC_TRY(attn_fp8(p, err));
    return RC_OK;
}

/* ---- decode, merge -------------------------------------------------------------------------- */

/* One long sequence of `longest` among a batch whose others have `rest` tokens. */
static rc_status decode_ragged(rc_points *p, rc_error *err) {
    static const int64_t all[][3] = {{32, KI * KI, KI},
                                     {32, 128 * KI, KI},
                                     {160, 128 * KI, KI},
                                     {8, KI * KI, KI},
                                     {64, 256 * KI, 4 * KI}};
    for (size_t i = 0; i < COUNT(all); i++) {
        rc_point x = {.op = "decode",
                      .variant = "",
                      .dtype = "bf16",
                      .a = all[i][0],
                      .b = all[i][1],
                      .c = 16,
                      .d = 1,
                      .cond = "rest",
                      .value = all[i][2]};
        RC_TRY(rc_points_add(p, &x, err));
    }
    return RC_OK;
}

/* As engines that keep keys in pages run it: heads of Llama 8B on one GPU and of 70B on four. */
static rc_status decode_paged(rc_points *p, rc_error *err) {
    static const int64_t heads[][2] = {{32, 8}, {16, 2}};
    static const int64_t sizes[][2] = {{1, KI}, {8, 4 * KI}, {32, 2 * KI}};
    for (size_t h = 0; h < COUNT(heads); h++)
        for (size_t i = 0; i < COUNT(sizes); i++) {
            rc_point x = {.op = "decode",
                          .variant = "",
                          .dtype = "bf16",
                          .a = sizes[i][0],
                          .b = sizes[i][1],
                          .c = heads[h][0],
                          .d = heads[h][1],
                          .cond = "paged"};
            RC_TRY(rc_points_add(p, &x, err));
        }
    return RC_OK;
}

static rc_status decode_others(rc_points *p, rc_error *err) {
    static const int64_t heads[][2] = {{16, 2}, {8, 1}, {64, 8}};
    static const int64_t batches[] = {1, 32, 8, 128}, contexts[] = {8 * KI, 128 * KI, 32 * KI, KI};
    for (size_t k = 0; k < COUNT(other_heads); k++)
        for (size_t h = 0; h < COUNT(heads); h++)
            for (size_t b = 0; b < COUNT(batches); b++)
                for (size_t i = 0; i < COUNT(contexts); i++) {
                    rc_point x = {.op = "decode",
                                  .variant = "",
                                  .dtype = "bf16",
                                  .a = batches[b],
                                  .b = contexts[i],
                                  .c = heads[h][0],
                                  .d = heads[h][1],
                                  .head_k = other_heads[k][0],
                                  .head_v = other_heads[k][1]};
                    x.quick = h == 0 && b < 2 && i < 2;
                    if (x.a * x.b * x.d <= 8192 * KI)
                        RC_TRY(rc_points_add(p, &x, err));
                }
    return RC_OK;
}

rc_status rc_points_decode(rc_points *p, int ranks, rc_error *err) {
    static const int64_t heads[] = {16, 8, 4, 2};
    (void)ranks;
    RC_TRY(decode_ragged(p, err));
    RC_TRY(decode_paged(p, err));
    for (size_t h = 0; h < COUNT(heads); h++)
        for (int64_t batch = 1; batch <= 256; batch *= 2)
            for (int64_t ctx = KI; ctx <= KI * KI; ctx *= 2) {
                bool every = h == 0, fourth = ctx == KI || ctx == 4 * KI || ctx == 16 * KI ||
                                              ctx == 64 * KI || ctx == 256 * KI || ctx == KI * KI;
                if (!every && !fourth)
                    continue;
                rc_point x = {.op = "decode",
                              .variant = "",
                              .dtype = "bf16",
                              .a = batch,
                              .b = ctx,
                              .c = heads[h],
                              .d = 1};
                x.quick = every && fourth && ctx > KI && (batch == 1 || batch == 8 || batch == 64);
                RC_TRY(rc_points_add(p, &x, err));
                if (!every || !fourth || batch == 2 || batch == 32 || batch == 128)
                    continue;
                x.dtype = "fp8";
                x.quick = x.quick && batch != 8;
                RC_TRY(rc_points_add(p, &x, err));
            }
    return RC_OK;
}

rc_status rc_points_merge(rc_points *p, int ranks, rc_error *err) {
    /* Both ends of the curves first, then halves of what is left out. */
    static const int64_t all_rows[] = {512 * KI, 16,      8 * KI, 64 * KI, KI, 128,
                                       256 * KI, 32 * KI, 4 * KI, 512,     64, 128 * KI,
                                       16 * KI,  2 * KI,  256,    32};
    static const int64_t all_parts[] = {4, 8, 16, 2};
    (void)ranks;
    for (size_t i = 0; i < COUNT(all_rows); i++)
        for (size_t k = 0; k < COUNT(all_parts); k++) {
            int64_t rows = all_rows[i], parts = all_parts[k];
            rc_point x = {.op = "merge", .variant = "", .dtype = "bf16", .a = rows, .b = parts};
            x.quick = (parts == 4 || parts == 16) &&
                      (rows == 16 || rows == 2 * KI || rows == 32 * KI || rows == 512 * KI);
            RC_TRY(rc_points_add(p, &x, err));
        }
    return RC_OK;
}

/* ---- elementwise ---------------------------------------------------------------------------- */

static rc_status tokens(rc_points *p, rc_point x, bool hot, bool quick, rc_error *err) {
    for (int64_t t = 1; t <= 128 * KI; t *= 2) {
        x.a = t;
        x.quick = quick && (t == 1 || t == 64 || t == KI || t == 16 * KI);
        x.sustained = hot && (t == 2 * KI || t == 16 * KI || t == 128 * KI);
        RC_TRY(rc_points_add(p, &x, err));
    }
    return RC_OK;
}

rc_status rc_points_elementwise(rc_points *p, int ranks, rc_error *err) {
    static const char *const wide[] = {"rmsnorm", "rmsnorm_fp8", "residual_add", "quantize_fp8"};
    static const int64_t widths[] = {16384, 8192, 53248 / 8};
    static const char *const act[] = {"swiglu", "swiglu_fp8"};
    static const int64_t ffn[] = {53248 / 8, 53248 / 16, 53248, 28672 / 8};
    static const int64_t heads[][2] = {{16, 1}, {8, 1}, {64, 8}};
    (void)ranks;
    for (size_t w = 0; w < COUNT(widths); w++)
        for (size_t i = 0; i < COUNT(wide); i++) {
            rc_point x = {.op = wide[i], .variant = "", .dtype = "bf16", .b = widths[w]};
            RC_TRY(tokens(p, x, w == 0, w == 0, err));
        }
    for (size_t w = 0; w < COUNT(ffn); w++)
        for (size_t i = 0; i < COUNT(act); i++) {
            rc_point x = {.op = act[i], .variant = "", .dtype = "bf16", .b = ffn[w]};
            RC_TRY(tokens(p, x, w == 0, w == 0, err));
        }
    for (size_t i = 0; i < 2; i++) {
        rc_point x = {.op = i ? "swiglu_fp8" : "quantize_fp8",
                      .variant = "",
                      .dtype = "bf16",
                      .b = i ? 2048 : 7168,
                      .cond = "blocks"};
        RC_TRY(tokens(p, x, false, false, err));
    }
    for (size_t h = 0; h < COUNT(heads); h++) {
        rc_point x = {
            .op = "rotary_kv", .variant = "", .dtype = "bf16", .c = heads[h][0], .d = heads[h][1]};
        RC_TRY(tokens(p, x, h == 0, h == 0, err));
    }
    return RC_OK;
}

/* ---- memory, host ---------------------------------------------------------------------- */

rc_status rc_points_memory(rc_points *p, int ranks, rc_error *err) {
    (void)ranks;
    int step = 0;
    for (int64_t bytes = 64 * KI; bytes <= 8 * KI * KI * KI; bytes *= 2, step++) {
        rc_point x = {.op = "copy", .variant = "", .dtype = "", .a = 2 * bytes};
        x.quick = step % 4 == 0 || bytes == 4 * KI * KI * KI;
        x.sustained = bytes == 256 * KI * KI || bytes == 4 * KI * KI * KI;
        RC_TRY(rc_points_add(p, &x, err));
    }
    return RC_OK;
}

static rc_status gap(rc_points *p, const char *chain, int64_t eager, rc_error *err) {
    rc_point x = {.op = "gap",
                  .variant = chain,
                  .dtype = "",
                  .a = strpbrk(chain, "+|") ? 2 : 1,
                  .cond = eager ? "eager" : NULL,
                  .value = eager,
                  .quick = true};
    return rc_points_add(p, &x, err);
}

/* Each kernel by itself, in a graph and launched one by one in stretches of 256 calls; pairs that
 * meet in a layer; then shorter stretches, which show what the ends of one take, and two pairs
 * launched one by one, which show that gaps add up. */
rc_status rc_points_gap(rc_points *p, int ranks, rc_error *err) {
    enum { LONG = 256 };
    static const int64_t shorter[] = {64, 16};
    static const char *const single[] = {"norm",      "gemm",  "rotary", "swiglu", "decode",
                                         "attention", "merge", "copy",   "clear",  "send_recv"};
    static const char *const pairs[] = {
        "norm+gemm",       "rotary+gemm",         "swiglu+gemm",      "decode+gemm",
        "attention+gemm",  "merge+gemm",          "rotary+decode",    "attention+rotary",
        "attention+merge", "decode+merge",        "attention+clear",  "decode+clear",
        "attention+copy",  "norm+send_recv",      "gemm+send_recv",   "norm|norm",
        "norm|send_recv",  "attention|send_recv", "decode|send_recv", "gemm|send_recv",
        "norm|copy"};
    static const char *const eager_pairs[] = {"norm+gemm", "norm|send_recv"};
    (void)ranks;
    for (size_t i = 0; i < COUNT(single); i++)
        RC_TRY(gap(p, single[i], 0, err));
    for (size_t i = 0; i < COUNT(single); i++)
        RC_TRY(gap(p, single[i], LONG, err));
    for (size_t i = 0; i < COUNT(pairs); i++)
        RC_TRY(gap(p, pairs[i], 0, err));
    for (size_t k = 0; k < COUNT(shorter); k++)
        for (size_t i = 0; i < COUNT(single); i++)
            RC_TRY(gap(p, single[i], shorter[k], err));
    for (size_t i = 0; i < COUNT(eager_pairs); i++)
        RC_TRY(gap(p, eager_pairs[i], LONG, err));
    return RC_OK;
}

rc_status rc_points_host(rc_points *p, int ranks, rc_error *err) {
    static const rc_point all[] = {
        {.op = "launch", .variant = "", .dtype = "", .a = 1, .quick = true},
        {.op = "launch", .variant = "gemm", .dtype = "bf16", .a = 1, .quick = true},
        {.op = "launch", .variant = "attention", .dtype = "bf16", .a = 1, .quick = true},
        {.op = "launch", .variant = "attention-split", .dtype = "bf16", .a = 2, .quick = true},
        {.op = "launch", .variant = "decode", .dtype = "bf16", .a = 2, .quick = true},
        {.op = "launch", .variant = "merge", .dtype = "bf16", .a = 1, .quick = true},
        {.op = "event", .variant = "wait", .dtype = "", .a = 1, .quick = true},
        {.op = "event", .variant = "", .dtype = "", .a = 1, .quick = true},
        {.op = "sync", .variant = "", .dtype = "", .a = 1, .quick = true},
        {.op = "sync", .variant = "idle", .dtype = "", .a = 1, .quick = true},
        {.op = "graph_launch", .variant = "", .dtype = "", .a = 1, .quick = true},
        {.op = "graph_launch", .variant = "", .dtype = "", .a = 16, .quick = true},
        {.op = "graph_launch", .variant = "", .dtype = "", .a = 4, .quick = true},
        {.op = "graph_launch", .variant = "", .dtype = "", .a = 64, .quick = true},
        {.op = "graph_launch", .variant = "", .dtype = "", .a = 128, .quick = true},
        {.op = "graph_launch", .variant = "", .dtype = "", .a = 256, .quick = true},
        {.op = "graph_launch", .variant = "", .dtype = "", .a = 1024, .quick = true},
        {.op = "nccl_group", .variant = "", .dtype = "", .a = 2, .quick = true},
        {.op = "nccl_group", .variant = "", .dtype = "", .a = 4, .quick = true},
        {.op = "nccl_group", .variant = "", .dtype = "", .a = 8, .quick = true},
        {.op = "nccl_group", .variant = "all_reduce", .dtype = "", .a = 1, .quick = true},
    };
    (void)ranks;
    for (size_t i = 0; i < COUNT(all); i++)
        RC_TRY(rc_points_add(p, &all[i], err));
    return RC_OK;
}
