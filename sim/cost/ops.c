/* The table of ops.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/ops.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const char *const axis_names[RC_AXIS_COUNT] = {
    [RC_AXIS_NONE] = "none",
    [RC_AXIS_TOKENS] = "tokens",
    [RC_AXIS_OUTPUTS] = "n",
    [RC_AXIS_INPUTS] = "k",
    [RC_AXIS_EXPERTS] = "experts",
    [RC_AXIS_TOP_K] = "experts a token",
    [RC_AXIS_QUERIES] = "tq",
    [RC_AXIS_KEYS] = "tk",
    [RC_AXIS_QUERY_HEADS] = "query heads",
    [RC_AXIS_KV_HEADS] = "KV heads",
    [RC_AXIS_HEAD_K] = "head size of keys",
    [RC_AXIS_HEAD_V] = "head size of values",
    [RC_AXIS_WINDOW] = "window",
    [RC_AXIS_BATCH] = "batch",
    [RC_AXIS_CONTEXT] = "context",
    [RC_AXIS_SEQUENCES] = "sequences",
    [RC_AXIS_LONGEST] = "longest context",
    [RC_AXIS_ROWS] = "rows",
    [RC_AXIS_PARTS] = "parts",
    [RC_AXIS_WIDTH] = "width",
    [RC_AXIS_BYTES] = "bytes",
    [RC_AXIS_RANKS] = "ranks",
    [RC_AXIS_NODES] = "nodes",
    [RC_AXIS_CALLS] = "calls",
    [RC_AXIS_SMS] = "SMs",
    [RC_AXIS_CTAS] = "CTAs",
    [RC_AXIS_KEPT] = "keys kept",
    [RC_AXIS_HEADS] = "heads",
    [RC_AXIS_ENTERING] = "tokens entering",
};

const char *rc_axis_name(rc_axis axis) {
    assert(axis < RC_AXIS_COUNT);
    return axis_names[axis];
}

bool rc_axis_may_be_zero(rc_axis axis) {
    return axis == RC_AXIS_WINDOW || axis == RC_AXIS_EXPERTS || axis == RC_AXIS_TOP_K ||
           axis == RC_AXIS_ENTERING;
}

static double of(const rc_axes *at, rc_axis axis) {
    assert(at->at[axis] >= 0);
    return (double)at->at[axis];
}

/* ---- which rows ------------------------------------------------------------------------------ */

static bool as_many_keys(const rc_axes *at) {
    return at->at[RC_AXIS_KEYS] == at->at[RC_AXIS_QUERIES];
}

static bool more_keys(const rc_axes *at) {
    return at->at[RC_AXIS_KEYS] > at->at[RC_AXIS_QUERIES];
}

/* ---- work ------------------------------------------------------------------------------------ */

static void product(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double m = of(at, RC_AXIS_TOKENS), n = of(at, RC_AXIS_OUTPUTS), k = of(at, RC_AXIS_INPUTS);
    (void)op;
    out->flops = 2.0 * m * n * k;
    out->bytes = element * (m * k + n * k) + 2.0 * m * n;
}

/* Every expert's weights are read once. */
static void grouped_product(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double m = of(at, RC_AXIS_TOKENS), n = of(at, RC_AXIS_OUTPUTS), k = of(at, RC_AXIS_INPUTS);
    (void)op;
    out->flops = 2.0 * m * n * k;
    out->bytes = element * (m * k + of(at, RC_AXIS_EXPERTS) * n * k) + 2.0 * m * n;
}

/* Q, K and V are read in `element` bytes each, O is written in bf16; `scores` are the entries of
 * the score matrix that count, of one head. */
static void attend(const rc_axes *at, double element, double scores, double queries, double keys,
                   rc_work *out) {
    double hq = of(at, RC_AXIS_QUERY_HEADS), hkv = of(at, RC_AXIS_KV_HEADS);
    double dk = of(at, RC_AXIS_HEAD_K), dv = of(at, RC_AXIS_HEAD_V);
    double sequences = at->at[RC_AXIS_SEQUENCES] > 0 ? of(at, RC_AXIS_SEQUENCES) : 1.0;
    out->flops = sequences * 2.0 * (dk + dv) * hq * scores;
    out->bytes =
        sequences * ((element * dk + 2.0 * dv) * queries * hq + element * (dk + dv) * keys * hkv);
}

static void full(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double q = of(at, RC_AXIS_QUERIES), k = of(at, RC_AXIS_KEYS);
    (void)op;
    attend(at, element, q * k, q, k, out);
}

static void causal(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double q = of(at, RC_AXIS_QUERIES), k = of(at, RC_AXIS_KEYS);
    (void)op;
    attend(at, element, q * (k - q) + q * (q + 1.0) / 2.0, q, k, out);
}

static void decode(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double batch = of(at, RC_AXIS_BATCH), keys = batch * of(at, RC_AXIS_CONTEXT);
    (void)op;
    attend(at, element, keys, batch, keys, out);
}

/* Latent attention: one stream of latents is read by all heads where it is absorbed (`streams` 1),
 * keys and values of every head where it is materialised (0: as many as heads). */
static void latent(const rc_axes *at, double element, double entries, double queries, double keys,
                   double streams, rc_work *out) {
    double h = of(at, RC_AXIS_QUERY_HEADS), dk = of(at, RC_AXIS_HEAD_K),
           dv = of(at, RC_AXIS_HEAD_V);
    double key_bytes = streams > 0.0 ? streams * dk : h * (dk + dv);
    out->flops = 2.0 * (dk + dv) * h * entries;
    out->bytes = element * keys * key_bytes + 2.0 * queries * h * (dk + dv);
}

static double causal_entries(double q, double k) {
    return q * (k - q) + q * (q + 1.0) / 2.0;
}

static void mla_prefill(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double q = of(at, RC_AXIS_QUERIES), k = of(at, RC_AXIS_KEYS), n = of(at, RC_AXIS_SEQUENCES);
    (void)op;
    latent(at, element, n * causal_entries(q, k), n * q, n * k, 0.0, out);
}

static void mla_absorbed(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double q = of(at, RC_AXIS_QUERIES), k = of(at, RC_AXIS_KEYS), n = of(at, RC_AXIS_SEQUENCES);
    (void)op;
    latent(at, element, n * causal_entries(q, k), n * q, n * k, 1.0, out);
}

static void mla_decode(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double batch = of(at, RC_AXIS_BATCH), keys = batch * of(at, RC_AXIS_CONTEXT);
    (void)op;
    latent(at, element, keys, batch, keys, 1.0, out);
}

/* One product of tokens x k with k x n for each head. */
static void mla_bmm(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double t = of(at, RC_AXIS_TOKENS), n = of(at, RC_AXIS_OUTPUTS), k = of(at, RC_AXIS_INPUTS);
    double h = of(at, RC_AXIS_HEADS);
    (void)op;
    out->flops = 2.0 * t * n * k * h;
    out->bytes = h * (element * (t * k + n * k) + 2.0 * t * n);
}

double rc_experts_hit(double rows, double experts) {
    assert(rows >= 0.0 && experts >= 1.0);
    return experts * (1.0 - pow(1.0 - 1.0 / experts, rows));
}

/* Gate, up and down of the experts that some row goes to; rows are gathered before and their results
 * written, scaled, after. */
static void moe_ffn(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double rows = of(at, RC_AXIS_ROWS), d = of(at, RC_AXIS_INPUTS), f = of(at, RC_AXIS_WIDTH);
    double hit = rc_experts_hit(rows, of(at, RC_AXIS_EXPERTS));
    (void)op;
    out->flops = 6.0 * rows * d * f;
    out->bytes = element * (hit * 3.0 * d * f + rows * (d + f)) + 2.0 * rows * (2.0 * d + 3.0 * f);
}

/* Scores in fp32 are read, the chosen experts, their weights and where each row goes are written. */
static void moe_route(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double t = of(at, RC_AXIS_TOKENS);
    (void)op, (void)element;
    out->flops = 0.0;
    out->bytes = t * (4.0 * of(at, RC_AXIS_EXPERTS) + 16.0 * of(at, RC_AXIS_TOP_K));
}

/* Scores of every query with every key, in `HEADS` heads of one stream of keys, weighted and summed
 * to one fp32 number. */
static void dsa_index(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double q = of(at, RC_AXIS_QUERIES), k = of(at, RC_AXIS_KEYS), n = of(at, RC_AXIS_SEQUENCES);
    double h = of(at, RC_AXIS_HEADS), d = of(at, RC_AXIS_HEAD_K), entries = causal_entries(q, k);
    (void)op;
    out->flops = n * 2.0 * h * d * entries;
    out->bytes = n * (element * d * (q * h + k) + 4.0 * entries);
}

static void dsa_topk(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double q = of(at, RC_AXIS_QUERIES), k = of(at, RC_AXIS_KEYS), n = of(at, RC_AXIS_SEQUENCES);
    (void)op, (void)element;
    out->flops = 0.0;
    out->bytes = n * 4.0 * (causal_entries(q, k) + q * of(at, RC_AXIS_KEPT));
}

/* Every query reads its own keys, which all its heads share. */
static void dsa_attention(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double q = of(at, RC_AXIS_QUERIES), entries = q * of(at, RC_AXIS_KEPT);
    (void)op;
    latent(at, element, entries, q, entries, 1.0, out);
}

/* The same where the heads of a group share a key and a value of their own. A tile of a kernel has 64
 * rows of one query, of which a group fills as many as it has heads. */
static void grouped_sparse(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    const double TILE = 64.0;
    double q = of(at, RC_AXIS_QUERIES), entries = q * of(at, RC_AXIS_KEPT);
    double hq = of(at, RC_AXIS_QUERY_HEADS), hkv = of(at, RC_AXIS_KV_HEADS);
    double dk = of(at, RC_AXIS_HEAD_K), dv = of(at, RC_AXIS_HEAD_V);
    (void)op;
    out->flops = 2.0 * (dk + dv) * hkv * fmax(hq / hkv, TILE) * entries;
    out->bytes = element * entries * hkv * (dk + dv) + 2.0 * q * hq * (dk + dv);
}

/* A matrix of head_k x head_v for each head and sequence is the state: a token adds to it and reads
 * from it; it is fetched and put back once a sequence, in fp32. */
static void linear_attention(const rc_op_info *op, const rc_axes *at, double element,
                             rc_work *out) {
    double t = of(at, RC_AXIS_TOKENS), n = of(at, RC_AXIS_SEQUENCES), h = of(at, RC_AXIS_HEADS);
    double dk = of(at, RC_AXIS_HEAD_K), dv = of(at, RC_AXIS_HEAD_V);
    (void)op, (void)element;
    out->flops = 6.0 * t * h * dk * dv;
    out->bytes = 8.0 * n * h * dk * dv + 2.0 * t * h * (2.0 * dk + 2.0 * dv);
}

/* A token's row is read once and written for each of its experts, or the other way round; 2 bytes of a
 * number, and `element` in the rows of experts. */
static void moved_rows(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double t = of(at, RC_AXIS_TOKENS), d = of(at, RC_AXIS_WIDTH), k = of(at, RC_AXIS_TOP_K);
    (void)op;
    out->flops = 0.0;
    out->bytes = t * d * (2.0 + element * k);
}

static void merge(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    double parts = of(at, RC_AXIS_PARTS);
    (void)op, (void)element;
    out->flops = 0.0;
    out->bytes = of(at, RC_AXIS_ROWS) * (of(at, RC_AXIS_HEAD_V) * 2.0 * (parts + 1) + 4.0 * parts);
}

static void cells(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    (void)element;
    out->flops = 0.0;
    out->bytes = of(at, RC_AXIS_TOKENS) * op->width(at) * op->cell_bytes;
}

static void moved(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    (void)op, (void)element;
    out->flops = 0.0;
    out->bytes = of(at, RC_AXIS_BYTES);
}

/* Each token goes once to every other GPU that has one of its experts: of `ranks` GPUs with as many
 * experts each, the expected number that are not its own. */
double rc_expert_ranks(double experts, double top_k, double ranks) {
    double without = 1.0; /* the chance that a GPU has none of a token's experts */
    double own = experts / ranks;
    assert(ranks >= 1.0 && top_k >= 1.0 && experts >= top_k);
    for (int64_t i = 0; (double)i < top_k && without > 0.0; i++)
        without *= fmax(experts - own - (double)i, 0.0) / (experts - (double)i);
    return (ranks - 1.0) * (1.0 - without);
}

static void expert_rows(const rc_op_info *op, const rc_axes *at, double element, rc_work *out) {
    (void)op;
    out->flops = 0.0;
    out->bytes =
        element * of(at, RC_AXIS_TOKENS) * of(at, RC_AXIS_WIDTH) *
        rc_expert_ranks(of(at, RC_AXIS_EXPERTS), of(at, RC_AXIS_TOP_K), of(at, RC_AXIS_RANKS));
}

/* ---- widths ---------------------------------------------------------------------------------- */

static double plain_width(const rc_axes *at) {
    return of(at, RC_AXIS_WIDTH);
}

/* Queries, keys and values of all heads. */
static double rotary_width(const rc_axes *at) {
    double keys = of(at, RC_AXIS_HEAD_K), values = of(at, RC_AXIS_HEAD_V);
    return keys * (of(at, RC_AXIS_QUERY_HEADS) + of(at, RC_AXIS_KV_HEADS)) +
           values * of(at, RC_AXIS_KV_HEADS);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* Heads come before their sizes, and both before the axis across. */
#define HEADS RC_AXIS_QUERY_HEADS, RC_AXIS_KV_HEADS, RC_AXIS_HEAD_K, RC_AXIS_HEAD_V, RC_AXIS_WINDOW

#define ATTENTION                                                                                  \
    .name = "attention",                                                                           \
    .column = {RC_AXIS_QUERIES, RC_AXIS_KEYS, RC_AXIS_QUERY_HEADS, RC_AXIS_KV_HEADS},              \
    .bound = RC_BOUND_ATTENTION, .type = RC_TYPE_FP8, .rises = true

#define LINK(NAME)                                                                                 \
    {                                                                                              \
        .name = (NAME), .column = {RC_AXIS_BYTES, RC_AXIS_RANKS, RC_AXIS_NODES},                   \
        .along = RC_AXIS_BYTES, .fixed = {RC_AXIS_RANKS, RC_AXIS_NODES}, .rule = RC_PRICE_LINK,    \
        .bound = RC_BOUND_LINK, .type = RC_TYPE_PREFERRED, .power = 1.0, .work = moved             \
    }

/* Reads and writes `bytes` for each element of a width. */
#define ELEMENTWISE(NAME, BYTES)                                                                   \
    {                                                                                              \
        .name = (NAME), .column = {RC_AXIS_TOKENS, RC_AXIS_WIDTH}, .along = RC_AXIS_TOKENS,        \
        .fixed = {RC_AXIS_WIDTH}, .rule = RC_PRICE_WIDTH, .bound = RC_BOUND_MEMORY, .rises = true, \
        .power = 1.0, .cell_bytes = (BYTES), .work = cells, .width = plain_width                   \
    }

/* The same, whose rows are those of another op under a condition. */
#define ELEMENTWISE_UNDER(NAME, BYTES, ROWS, CONDITION)                                            \
    {                                                                                              \
        .name = (NAME), .variant = (CONDITION), .column = {RC_AXIS_TOKENS, RC_AXIS_WIDTH},         \
        .along = RC_AXIS_TOKENS, .fixed = {RC_AXIS_WIDTH}, .rule = RC_PRICE_WIDTH,                 \
        .bound = RC_BOUND_MEMORY, .rises = true, .power = 1.0, .cell_bytes = (BYTES),              \
        .work = cells, .width = plain_width, .row_name = (ROWS)                                    \
    }

/* The same, without rows of its own: as many bytes of another op's rows. */
#define ELEMENTWISE_AS(NAME, BYTES, STANDS)                                                        \
    {                                                                                              \
        .name = (NAME), .column = {RC_AXIS_TOKENS, RC_AXIS_WIDTH}, .along = RC_AXIS_TOKENS,        \
        .fixed = {RC_AXIS_WIDTH}, .rule = RC_PRICE_WIDTH, .bound = RC_BOUND_MEMORY, .rises = true, \
        .power = 1.0, .cell_bytes = (BYTES), .work = cells, .width = plain_width,                  \
        .stands = (STANDS)                                                                         \
    }

#define ROTARY(NAME, BYTES, STANDS)                                                                \
    {                                                                                              \
        .name = (NAME),                                                                            \
        .column = {RC_AXIS_TOKENS, RC_AXIS_NONE, RC_AXIS_QUERY_HEADS, RC_AXIS_KV_HEADS},           \
        .along = RC_AXIS_TOKENS,                                                                   \
        .fixed = {RC_AXIS_QUERY_HEADS, RC_AXIS_KV_HEADS, RC_AXIS_HEAD_K, RC_AXIS_HEAD_V},          \
        .rule = RC_PRICE_WIDTH, .bound = RC_BOUND_MEMORY, .rises = true, .power = 1.0,             \
        .cell_bytes = (BYTES), .work = cells, .width = rotary_width, .stands = (STANDS)            \
    }

#define LATENT_HEADS RC_AXIS_QUERY_HEADS, RC_AXIS_HEAD_K, RC_AXIS_HEAD_V

/* Where no rows answer: shares of the part's peaks that published kernels of the kind reach on an
 * H100 (docs/models.md says whose). */
#define REACH(FLOPS, BYTES, BOUND)                                                                 \
    .rule = RC_PRICE_REACH, .bound = (BOUND), .reach_flops = (FLOPS), .reach_bytes = (BYTES)

/* Parts of moe_ffn, which forecasts ask for as a whole. */
#define ROWS_OF_EXPERTS(NAME)                                                                      \
    {                                                                                              \
        .name = (NAME), .column = {RC_AXIS_TOKENS, RC_AXIS_WIDTH}, .along = RC_AXIS_TOKENS,        \
        .fixed = {RC_AXIS_WIDTH, RC_AXIS_EXPERTS, RC_AXIS_TOP_K}, .rule = RC_PRICE_SAME,           \
        .bound = RC_BOUND_MEMORY, .type = RC_TYPE_FP8, .power = 1.0, .work = moved_rows            \
    }

/* Tokens of one GPU to the GPUs of their experts, and their results back. */
#define EXPERT_TRANSFER(NAME)                                                                      \
    {                                                                                              \
        .name = (NAME), .column = {RC_AXIS_TOKENS, RC_AXIS_WIDTH, RC_AXIS_RANKS, RC_AXIS_NODES},   \
        .along = RC_AXIS_TOKENS,                                                                   \
        .fixed = {RC_AXIS_WIDTH, RC_AXIS_RANKS, RC_AXIS_NODES, RC_AXIS_EXPERTS, RC_AXIS_TOP_K},    \
        .rule = RC_PRICE_EXPERTS, .bound = RC_BOUND_LINK, .power = 1.0, .work = expert_rows        \
    }

#define HOST(NAME)                                                                                 \
    {                                                                                              \
        .name = (NAME), .column = { RC_AXIS_CALLS }                                                \
    }

#define BESIDE(NAME)                                                                               \
    {                                                                                              \
        .name = (NAME), .column = { RC_AXIS_BYTES, RC_AXIS_SMS, RC_AXIS_RANKS, RC_AXIS_CTAS }      \
    }

static const rc_op_info table[] = {
    [RC_COST_GEMM] = {.name = "gemm",
                      .column = {RC_AXIS_TOKENS, RC_AXIS_OUTPUTS, RC_AXIS_INPUTS},
                      .along = RC_AXIS_TOKENS,
                      .fixed = {RC_AXIS_OUTPUTS, RC_AXIS_INPUTS},
                      .rule = RC_PRICE_PRODUCT,
                      .bound = RC_BOUND_GEMM,
                      .type = RC_TYPE_OWN,
                      .power = 1.0,
                      .work = product},
    [RC_COST_FULL] = {ATTENTION, .variant = "full", .along = RC_AXIS_KEYS,
                      .fixed = {HEADS, RC_AXIS_QUERIES}, .across = RC_AXIS_QUERIES,
                      .rule = RC_PRICE_FULL, .power = 1.0, .work = full},
    [RC_COST_SQUARE] = {ATTENTION, .variant = "causal", .along = RC_AXIS_QUERIES, .fixed = {HEADS},
                        .takes = as_many_keys, .rule = RC_PRICE_CAUSAL, .power = 2.0,
                        .work = causal},
    [RC_COST_PREFIX] = {ATTENTION, .variant = "causal", .along = RC_AXIS_KEYS,
                        .per = RC_AXIS_QUERIES, .fixed = {HEADS, RC_AXIS_QUERIES},
                        .across = RC_AXIS_QUERIES, .takes = more_keys, .rule = RC_PRICE_CAUSAL,
                        .straight = true, .power = 1.0, .work = causal},
    [RC_COST_DECODE] = {.name = "decode",
                        .column = {RC_AXIS_BATCH, RC_AXIS_CONTEXT, RC_AXIS_QUERY_HEADS,
                                   RC_AXIS_KV_HEADS},
                        .along = RC_AXIS_CONTEXT,
                        .fixed = {HEADS, RC_AXIS_BATCH},
                        .across = RC_AXIS_BATCH,
                        .rule = RC_PRICE_DECODE,
                        .bound = RC_BOUND_ATTENTION,
                        .type = RC_TYPE_FP8,
                        .rises = true,
                        .power = 1.0,
                        .work = decode},
    [RC_COST_MERGE] = {.name = "merge",
                       .column = {RC_AXIS_ROWS, RC_AXIS_PARTS},
                       .along = RC_AXIS_ROWS,
                       .fixed = {RC_AXIS_HEAD_V, RC_AXIS_PARTS},
                       .across = RC_AXIS_PARTS,
                       .rule = RC_PRICE_MERGE,
                       .bound = RC_BOUND_MEMORY,
                       .rises = true,
                       .power = 1.0,
                       .work = merge},
    [RC_COST_COPY] = {.name = "copy",
                      .column = {RC_AXIS_BYTES},
                      .along = RC_AXIS_BYTES,
                      .rule = RC_PRICE_COPY,
                      .bound = RC_BOUND_MEMORY,
                      .rises = true,
                      .power = 1.0,
                      .work = moved},
    [RC_COST_SEND_RECV] = LINK("send_recv"),
    [RC_COST_ALL_REDUCE] = LINK("all_reduce"),
    [RC_COST_ALL_GATHER] = LINK("all_gather"),
    [RC_COST_REDUCE_SCATTER] = LINK("reduce_scatter"),
    [RC_COST_ALL_TO_ALL] = LINK("all_to_all"),
    [RC_COST_NAMED] = ELEMENTWISE("rmsnorm", 8.0),
    ELEMENTWISE("rmsnorm_fp8", 7.0),
    ELEMENTWISE("quantize_fp8", 3.0),
    ELEMENTWISE("residual_add", 6.0),
    ELEMENTWISE("swiglu", 6.0),
    ELEMENTWISE("swiglu_fp8", 5.0),
    ELEMENTWISE_UNDER("quantize_fp8_blocks", 3.03125, "quantize_fp8", "@blocks"),
    ELEMENTWISE_UNDER("swiglu_fp8_blocks", 5.03125, "swiglu_fp8", "@blocks"),
    ROTARY("rotary_kv", 4.0, NULL),
    ROTARY("rotary_kv_fp8", 4.0, "rotary_kv"),
    {.name = "grouped_gemm",
     .column = {RC_AXIS_TOKENS, RC_AXIS_OUTPUTS, RC_AXIS_INPUTS},
     .along = RC_AXIS_TOKENS,
     .fixed = {RC_AXIS_OUTPUTS, RC_AXIS_INPUTS, RC_AXIS_EXPERTS, RC_AXIS_TOP_K},
     .rule = RC_PRICE_SAME,
     .bound = RC_BOUND_GEMM,
     .type = RC_TYPE_OWN,
     .power = 1.0,
     .work = grouped_product},
    {.name = "mla_prefill",
     .column = {RC_AXIS_QUERIES, RC_AXIS_KEYS, RC_AXIS_QUERY_HEADS, RC_AXIS_SEQUENCES},
     .along = RC_AXIS_KEYS,
     .fixed = {LATENT_HEADS, RC_AXIS_SEQUENCES, RC_AXIS_QUERIES},
     REACH(0.6, 0.8, RC_BOUND_ATTENTION),
     .type = RC_TYPE_FP8,
     .power = 1.0,
     .work = mla_prefill},
    {.name = "mla_absorbed",
     .column = {RC_AXIS_QUERIES, RC_AXIS_KEYS, RC_AXIS_QUERY_HEADS, RC_AXIS_SEQUENCES},
     .along = RC_AXIS_KEYS,
     .fixed = {LATENT_HEADS, RC_AXIS_SEQUENCES, RC_AXIS_QUERIES},
     REACH(0.6, 0.8, RC_BOUND_ATTENTION),
     .type = RC_TYPE_FP8,
     .power = 1.0,
     .work = mla_absorbed},
    {.name = "mla_decode",
     .column = {RC_AXIS_BATCH, RC_AXIS_CONTEXT, RC_AXIS_QUERY_HEADS},
     .along = RC_AXIS_CONTEXT,
     .fixed = {LATENT_HEADS, RC_AXIS_BATCH},
     .across = RC_AXIS_BATCH,
     REACH(0.6, 0.8, RC_BOUND_ATTENTION),
     .type = RC_TYPE_FP8,
     .power = 1.0,
     .work = mla_decode},
    {.name = "mla_bmm",
     .column = {RC_AXIS_TOKENS, RC_AXIS_OUTPUTS, RC_AXIS_INPUTS, RC_AXIS_HEADS},
     .along = RC_AXIS_TOKENS,
     .fixed = {RC_AXIS_OUTPUTS, RC_AXIS_INPUTS, RC_AXIS_HEADS},
     REACH(0.6, 0.8, RC_BOUND_GEMM),
     .type = RC_TYPE_OWN,
     .power = 1.0,
     .work = mla_bmm},
    {.name = "moe_ffn",
     .column = {RC_AXIS_ROWS, RC_AXIS_INPUTS, RC_AXIS_WIDTH, RC_AXIS_ENTERING},
     .along = RC_AXIS_ROWS,
     .fixed = {RC_AXIS_INPUTS, RC_AXIS_WIDTH, RC_AXIS_EXPERTS, RC_AXIS_TOP_K},
     REACH(0.5, 0.7, RC_BOUND_GEMM),
     .type = RC_TYPE_OWN,
     .published_blocks = true,
     .power = 1.0,
     .work = moe_ffn},
    {.name = "moe_route",
     .column = {RC_AXIS_TOKENS},
     .along = RC_AXIS_TOKENS,
     .fixed = {RC_AXIS_EXPERTS, RC_AXIS_TOP_K},
     REACH(1.0, 0.3, RC_BOUND_MEMORY),
     .power = 1.0,
     .work = moe_route},
    ROWS_OF_EXPERTS("moe_permute"),
    ROWS_OF_EXPERTS("moe_unpermute"),
    EXPERT_TRANSFER("ep_dispatch"),
    EXPERT_TRANSFER("ep_combine"),
    {.name = "dsa_index",
     .column = {RC_AXIS_QUERIES, RC_AXIS_KEYS, RC_AXIS_HEADS, RC_AXIS_SEQUENCES},
     .along = RC_AXIS_KEYS,
     .fixed = {RC_AXIS_HEADS, RC_AXIS_HEAD_K, RC_AXIS_SEQUENCES, RC_AXIS_QUERIES},
     REACH(0.4, 0.7, RC_BOUND_GEMM),
     .type = RC_TYPE_FP8,
     .power = 1.0,
     .work = dsa_index},
    {.name = "dsa_topk",
     .column = {RC_AXIS_QUERIES, RC_AXIS_KEYS, RC_AXIS_KEPT, RC_AXIS_SEQUENCES},
     .along = RC_AXIS_KEYS,
     .fixed = {RC_AXIS_KEPT, RC_AXIS_SEQUENCES, RC_AXIS_QUERIES},
     REACH(1.0, 0.4, RC_BOUND_MEMORY),
     .power = 1.0,
     .work = dsa_topk},
    {.name = "dsa_attention",
     .column = {RC_AXIS_QUERIES, RC_AXIS_KEPT, RC_AXIS_QUERY_HEADS},
     .along = RC_AXIS_QUERIES,
     .fixed = {LATENT_HEADS, RC_AXIS_KEPT},
     REACH(0.6, 1.0, RC_BOUND_ATTENTION),
     .type = RC_TYPE_FP8,
     .power = 1.0,
     .work = dsa_attention},
    {.name = "linear_attention",
     .column = {RC_AXIS_TOKENS, RC_AXIS_SEQUENCES, RC_AXIS_HEADS},
     .along = RC_AXIS_TOKENS,
     .fixed = {RC_AXIS_HEADS, RC_AXIS_HEAD_K, RC_AXIS_HEAD_V, RC_AXIS_SEQUENCES},
     REACH(0.2, 0.6, RC_BOUND_MEMORY),
     .power = 1.0,
     .work = linear_attention},
    /* Of decode steps, whose kernels cut the keys of a query over all SMs. The published rows of
     * dsa_index are of the kernel of prompts, which leaves them to one. */
    {.name = "dsa_index_step",
     .column = {RC_AXIS_QUERIES, RC_AXIS_KEYS, RC_AXIS_HEADS, RC_AXIS_SEQUENCES},
     .along = RC_AXIS_KEYS,
     .fixed = {RC_AXIS_HEADS, RC_AXIS_HEAD_K, RC_AXIS_SEQUENCES, RC_AXIS_QUERIES},
     REACH(0.4, 0.7, RC_BOUND_GEMM),
     .type = RC_TYPE_FP8,
     .power = 1.0,
     .work = dsa_index},
    {.name = "grouped_sparse",
     .column = {RC_AXIS_QUERIES, RC_AXIS_KEPT, RC_AXIS_QUERY_HEADS, RC_AXIS_KV_HEADS},
     .along = RC_AXIS_QUERIES,
     .fixed = {RC_AXIS_QUERY_HEADS, RC_AXIS_KV_HEADS, RC_AXIS_HEAD_K, RC_AXIS_HEAD_V, RC_AXIS_KEPT},
     REACH(0.6, 1.0, RC_BOUND_ATTENTION),
     .type = RC_TYPE_FP8,
     .power = 1.0,
     .work = grouped_sparse},
    ELEMENTWISE_AS("quantize_int4", 2.53125, "quantize_fp8"),
    ELEMENTWISE_AS("dequantize_fp8", 3.03125, "quantize_fp8"),
    ELEMENTWISE_AS("dequantize_int4", 2.53125, "quantize_fp8"),
    HOST("launch"),
    HOST("graph_launch"),
    HOST("event"),
    HOST("sync"),
    HOST("nccl_group"),
    HOST("gap"),
    BESIDE("compute_beside"),
    BESIDE("transfer_beside"),
};
enum { OPS = sizeof table / sizeof table[0] };
_Static_assert((int)OPS <= (int)RC_OPS_MAX, "RC_OPS_MAX bounds the table");

const rc_op_info *rc_op_info_of(rc_op op) {
    assert(op < OPS);
    return &table[op];
}

rc_op rc_op_count(void) {
    return OPS;
}

rc_op rc_op_named(const char *name) {
    rc_op op = 0;
    assert(name != NULL);
    while (op < OPS && (table[op].name[0] != name[0] || strcmp(table[op].name, name) != 0))
        op++;
    return op;
}

bool rc_op_has_rows(const char *name) {
    rc_op op = rc_op_named(name);
    return op < OPS && table[op].stands == NULL && table[op].row_name == NULL;
}

void rc_op_row_names(const char *names[RC_OPS_MAX + 1]) {
    size_t n = 0;
    assert(names != NULL);
    for (rc_op op = 0; op < OPS; op++)
        if (rc_op_has_rows(table[op].name) && rc_op_named(table[op].name) == op)
            names[n++] = table[op].name;
    names[n] = NULL;
}

bool rc_op_has_axis(const rc_op_info *op, rc_axis axis) {
    assert(op != NULL && axis > RC_AXIS_NONE && axis < RC_AXIS_COUNT);
    for (int i = 0; i < RC_COLUMNS; i++)
        if (op->column[i] == axis)
            return true;
    for (int i = 0; op->fixed[i] != RC_AXIS_NONE; i++)
        if (op->fixed[i] == axis)
            return true;
    return false;
}
