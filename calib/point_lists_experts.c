/* What layers of experts ask of one GPU: DeepSeek-V3 and Kimi K2 in fp8, Qwen3-235B and Mixtral 8x22B in bf16
 * and fp8, the first three also in fp8 with scales of blocks, dealt out over the GPUs by expert (all of an expert's columns on one GPU) or cut by column (all
 * experts everywhere, an eighth of their columns).
 *
 * Tokens go from one to 64 Ki. Of `tokens` that come to a group of GPUs, each with top_k experts, a GPU with a
 * share of the experts gets that share of the pairs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/point_lists.h"

#include <string.h>

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))
#define KI ((int64_t)1024)

typedef struct layer_of_experts {
    int64_t hidden, width, experts, top_k; /* experts: of all GPUs */
    int64_t here;                          /* of this GPU */
    const char *dtype;
} layer_of_experts;

static const layer_of_experts layers[] = {
    {7168, 2048, 256, 8, 32, "fp8"},       {7168, 2048, 384, 8, 48, "fp8"},
    {4096, 1536, 128, 8, 16, "bf16"},      {6144, 16384, 8, 2, 1, "bf16"},
    {4096, 1536, 128, 8, 128, "bf16"},     {7168, 2048, 256, 8, 16, "fp8"},
    {7168, 2048, 384, 8, 24, "fp8"},       {4096, 1536, 128, 8, 8, "bf16"},
    {6144, 2048, 8, 2, 8, "bf16"},         {7168, 256, 256, 8, 256, "fp8"},
    {7168, 256, 384, 8, 384, "fp8"},       {4096, 192, 128, 8, 128, "bf16"},
    {4096, 1536, 128, 8, 16, "fp8"},       {6144, 16384, 8, 2, 1, "fp8"},
    {7168, 2048, 256, 8, 32, "bf16"},      {7168, 2048, 256, 8, 256, "fp8"},
    {6144, 16384, 8, 2, 8, "bf16"},        {4096, 1536, 128, 8, 128, "fp8"},
    {6144, 2048, 8, 2, 8, "fp8"},          {7168, 2048, 256, 8, 32, "fp8-block"},
    {7168, 2048, 384, 8, 48, "fp8-block"}, {4096, 1536, 128, 8, 16, "fp8-block"}};

/* Ends and middle of the curves first. */
static const int64_t token_counts[] = {1024, 16 * KI, 64, 1, 4 * KI, 256, 16, 4, 64 * KI};

static rc_status whole(rc_points *p, const layer_of_experts *l, int64_t tokens, bool quick,
                       rc_error *err) {
    rc_point x = {.op = "moe_ffn",
                  .variant = "",
                  .dtype = l->dtype,
                  .a = tokens * l->top_k * l->here / l->experts,
                  .b = l->hidden,
                  .c = l->width,
                  .d = tokens,
                  .experts = l->here,
                  .top_k = l->top_k,
                  .sustained = tokens == 4 * KI || tokens == 16 * KI,
                  .quick = quick};
    return x.a > 0 ? rc_points_add(p, &x, err) : RC_OK;
}

/* Gate and up, and down. */
static rc_status products(rc_points *p, const layer_of_experts *l, int64_t rows, int64_t streams,
                          rc_error *err) {
    const int64_t nk[2][2] = {{2 * l->width, l->hidden}, {l->hidden, l->width}};
    for (int i = 0; i < 2; i++) {
        rc_point x = {.op = "grouped_gemm",
                      .variant = "",
                      .dtype = l->dtype,
                      .a = rows,
                      .b = nk[i][0],
                      .c = nk[i][1],
                      .cond = streams ? "streams" : NULL,
                      .value = streams,
                      .experts = l->here,
                      .top_k = l->top_k,
                      .quick = !streams && rows == 16 * KI};
        RC_TRY(rc_points_add(p, &x, err));
    }
    return RC_OK;
}

/* Of each model on eight GPUs, in every type; by cuBLASLt in bf16 and with scales of rows. */
static rc_status all_products(rc_points *p, rc_error *err) {
    static const int64_t rows[] = {16 * KI, 256, 2 * KI, 64 * KI};
    static const char *const types[] = {"fp8", "bf16", "fp8-block"};
    for (size_t r = 0; r < COUNT(rows); r++)
        for (size_t i = 0; i < 4; i++)
            for (size_t t = 0; t < COUNT(types); t++) {
                layer_of_experts l = layers[i];
                l.dtype = types[t];
                RC_TRY(products(p, &l, rows[r], 0, err));
                if (r < 2 && t < 2)
                    RC_TRY(products(p, &l, rows[r], 4, err));
            }
    return RC_OK;
}

static rc_status choices(rc_points *p, rc_error *err) {
    static const int64_t of[][2] = {{256, 8}, {384, 8}, {128, 8}, {8, 2}};
    for (size_t i = 0; i < COUNT(token_counts); i++)
        for (size_t k = 0; k < COUNT(of); k++) {
            rc_point x = {.op = "moe_route",
                          .variant = "",
                          .dtype = "",
                          .a = token_counts[i],
                          .experts = of[k][0],
                          .top_k = of[k][1],
                          .quick = i < 3 && k == 0};
            RC_TRY(rc_points_add(p, &x, err));
        }
    return RC_OK;
}

static rc_status moves(rc_points *p, rc_error *err) {
    static const int64_t of[][3] = {{7168, 256, 8}, {4096, 128, 8}, {6144, 8, 2}};
    static const struct {
        const char *op, *dtype;
    } kinds[] = {{"moe_permute", "bf16"},
                 {"moe_permute", "fp8"},
                 {"moe_permute", "fp8-block"},
                 {"moe_unpermute", "bf16"}};
    for (size_t i = 0; i < COUNT(token_counts); i++)
        for (size_t k = 0; k < COUNT(of); k++)
            for (size_t m = 0; m < COUNT(kinds); m++) {
                rc_point x = {.op = kinds[m].op,
                              .variant = "",
                              .dtype = kinds[m].dtype,
                              .a = token_counts[i],
                              .b = of[k][0],
                              .experts = of[k][1],
                              .top_k = of[k][2],
                              .quick = i < 3 && k == 0};
                RC_TRY(rc_points_add(p, &x, err));
            }
    return RC_OK;
}

rc_status rc_points_experts(rc_points *p, int ranks, rc_error *err) {
    (void)ranks;
    for (size_t i = 0; i < COUNT(token_counts); i++)
        for (size_t k = 0; k < COUNT(layers); k++)
            RC_TRY(whole(p, &layers[k], token_counts[i], i < 3 && k < 4, err));
    RC_TRY(all_products(p, err));
    RC_TRY(choices(p, err));
    return moves(p, err);
}
