/* What the forms of layers are made of, the same for every schedule: GEMMs over the rank's own
 * tokens, elementwise passes and all-reduces over the TP group. Norms carry the residual addition,
 * and the quantisation where the GEMM that follows is fp8.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>

#include "sim/schedule/builder.h"

int64_t rc_decode_tokens(const rc_builder *b) {
    return rc_ceil_div((int64_t)b->decodes, rc_schedule_dealt(b->rq->schedule, b->n));
}

int64_t rc_prompt_tokens(const rc_builder *b) {
    return rc_step_tokens(b) - rc_decode_tokens(b);
}

int64_t rc_rank_tokens(const rc_builder *b, int rank) {
    int64_t tokens = rc_decode_tokens(b);
    for (size_t i = 0; i < b->prompts_end; i++)
        if (!rc_decodes(b, i))
            tokens += rc_shard_tokens(b->rq->seqs[i].t, b->n, rank);
    return tokens;
}

int64_t rc_step_tokens(const rc_builder *b) {
    int64_t tokens = rc_decode_tokens(b);
    for (size_t i = 0; i < b->prompts_end; i++)
        if (!rc_decodes(b, i))
            tokens += rc_ceil_div(b->rq->seqs[i].t, b->n);
    return tokens;
}

int64_t rc_kv_message_tokens(const rc_builder *b) {
    int64_t tokens = 0;
    for (size_t i = 0; i < b->prompts_end; i++)
        if (!rc_decodes(b, i))
            tokens +=
                rc_shard_cached(b->rq->seqs[i].p, b->n, 0) + rc_ceil_div(b->rq->seqs[i].t, b->n);
    return tokens;
}

/* Attention in fp8 takes its queries in fp8 too: they are quantised as they are rotated. */
double rc_q_token_bytes(const rc_builder *b) {
    return (double)b->hq * b->key_size * rc_dtype_bytes(rc_layout_query_type(&b->rq->layout));
}

double rc_kv_token_bytes(const rc_builder *b) {
    return b->form->kv_bytes(b->kind, b->rq->layout.tp, b->rq->layout.kv);
}

void rc_emit_gemm(rc_builder *b, uint32_t gpu, rc_part part, rc_dtype w, int64_t m, int64_t n,
                  int64_t k) {
    rc_shape s = rc_shape_of(RC_T_GEMM, part);
    assert(m >= 1 && n >= 1 && k >= 1);
    s.dtype = w;
    s.a = m;
    s.b = n;
    s.c = k;
    rc_emit(b, gpu, RC_LANE_COMPUTE, &s);
}

void rc_emit_elementwise(rc_builder *b, uint32_t gpu, rc_part part, const char *op, int64_t tokens,
                         int64_t width) {
    rc_shape s = rc_shape_of(RC_T_ELEMENTWISE, part);
    assert(op != NULL && tokens >= 1 && width >= 1);
    s.op = op;
    s.a = tokens;
    s.b = width;
    if (part == RC_P_ROTARY) {
        s.c = b->rq->rotary_by_chunk && b->n > 1 && rc_prefills(b) ? 2 : 0;
        s.hq = b->hq;
        s.hkv = b->hkv;
        s.key_size = b->key_size;
        s.value_size = b->value_size;
    }
    rc_emit(b, gpu, RC_LANE_COMPUTE, &s);
}

void rc_emit_copy(rc_builder *b, uint32_t gpu, rc_part part, double bytes) {
    rc_shape s = rc_shape_of(RC_T_ELEMENTWISE, part);
    assert(bytes >= 1.0);
    s.op = "copy";
    s.bytes = 2.0 * bytes;
    rc_emit(b, gpu, RC_LANE_COMPUTE, &s);
}

void rc_emit_rotary(rc_builder *b, uint32_t gpu, int64_t tokens, rc_heads h) {
    rc_shape s = rc_shape_of(RC_T_ELEMENTWISE, RC_P_ROTARY);
    s.op = "rotary_kv";
    s.a = tokens;
    s.b = (int64_t)h.key_size * (h.query + h.kv) + (int64_t)h.value_size * h.kv;
    s.hq = h.query;
    s.hkv = h.kv;
    s.key_size = h.key_size;
    s.value_size = h.value_size;
    rc_emit(b, gpu, RC_LANE_COMPUTE, &s);
}

void rc_emit_op(rc_builder *b, uint32_t gpu, rc_part part, const char *op, rc_dtype d,
                const rc_op_sizes *at) {
    rc_shape s = rc_shape_of(RC_T_OP, part);
    assert(op != NULL && at->a >= 1);
    s.op = op;
    s.dtype = d;
    s.a = at->a;
    s.b = at->b;
    s.c = at->c;
    s.d = at->d;
    s.key_size = at->key_size;
    s.value_size = at->value_size;
    s.experts = at->experts;
    s.top_k = at->top_k;
    rc_emit(b, gpu, RC_LANE_COMPUTE, &s);
}

void rc_emit_blocks(rc_builder *b, uint32_t gpu, rc_part part, rc_dtype next, int64_t tokens,
                    int64_t width) {
    if (next == RC_FP8_BLOCK)
        rc_emit_elementwise(b, gpu, part, "quantize_fp8_blocks", tokens, width);
}

const char *rc_swiglu_for(rc_dtype next) {
    if (next == RC_FP8_BLOCK)
        return "swiglu_fp8_blocks";
    return rc_dtype_math(next) == RC_FP8 ? "swiglu_fp8" : "swiglu";
}

static void emit_norm(rc_builder *b, uint32_t gpu, rc_dtype next, int64_t tokens, int64_t width) {
    const double from = b->rq->quantised_from, row = rc_dtype_bytes(b->rq->layout.act);
    const bool fp8 = next != RC_FP8_BLOCK && rc_dtype_math(next) == RC_FP8;
    const bool apart =
        fp8 && from != 0.0 && (double)tokens * (double)b->rq->model->hidden * row > from;
    rc_emit_elementwise(b, gpu, RC_P_NORM, fp8 && !apart ? "rmsnorm_fp8" : "rmsnorm", tokens,
                        width);
    if (fp8 && from != 0.0) { /* a program has the same tasks for every number of tokens */
        rc_shape s = rc_shape_of(RC_T_ELEMENTWISE, RC_P_NORM);
        s.op = "quantize_fp8";
        s.a = apart ? tokens : 0;
        s.b = b->rq->model->hidden;
        rc_emit(b, gpu, RC_LANE_COMPUTE, &s);
    }
    rc_emit_blocks(b, gpu, RC_P_NORM, next, tokens, b->rq->model->hidden);
}

void rc_emit_norm(rc_builder *b, uint32_t gpu, rc_dtype next, int64_t tokens) {
    emit_norm(b, gpu, next, tokens, b->rq->model->hidden);
}

/* A norm reads the residual stream and what is added to it, and writes the sum and the normed
 * input. Nothing is added before the first layer, so that norm reads and writes half of it: as many
 * bytes as a norm of half the width. */
void rc_emit_input_norm(rc_builder *b, uint32_t gpu, rc_dtype next, int64_t tokens) {
    const int64_t width = b->rq->model->hidden;
    bool plain = b->rq->plain_first_norm && !b->rq->as_template && b->layer == 0;
    emit_norm(b, gpu, next, tokens, plain ? rc_ceil_div(width, 2) : width);
}

static double residual_bytes(const rc_builder *b, int rank) {
    return (double)rc_rank_tokens(b, rank) * (double)b->rq->model->hidden *
           rc_dtype_bytes(b->rq->layout.act);
}

/* ---- an all-reduce whose way between nodes is packed ------------------------------------------ */

static int node_gpus(const rc_builder *b) { /* of a TP group */
    return b->rq->layout.tp / b->rq->nodes_per_rank;
}

static double shard_bytes(const rc_builder *b, int rank) {
    const double wide = rc_dtype_bytes(b->rq->layout.act);
    return residual_bytes(b, rank) / node_gpus(b) * rc_packed_element(b->rq->layout.tp_wire) / wide;
}

static bool packs_between_nodes(const rc_builder *b) {
    return b->rq->layout.tp_wire != RC_BF16 && b->rq->nodes_per_rank > 1 &&
           b->rq->layout.tp % b->rq->nodes_per_rank == 0 && rc_prefills(b);
}

static int64_t shard_tokens(const rc_builder *b, uint32_t gpu, int parts) {
    return rc_ceil_div(rc_rank_tokens(b, rc_rank_of(b, gpu)), parts);
}

/* A reduce-scatter inside each node, as the residual stream is; each GPU's shard packed, swapped with
 * those of its place on the other nodes, unpacked and summed, packed again and gathered; an all-gather
 * inside each node. What is summed is unpacked by the pass that adds it up. */
static void emit_packed_all_reduce(rc_builder *b) {
    const int own = node_gpus(b), nodes = b->rq->nodes_per_rank;
    const rc_group inside = {.size = own, .stride = 1}, across = {.size = nodes, .stride = own};
    const rc_dtype wire = b->rq->layout.tp_wire;
    const int64_t width = b->rq->model->hidden;
    if (own > 1)
        rc_emit_collective(b, inside, RC_LANE_COMPUTE, RC_P_ALL_REDUCE, "reduce_scatter",
                           residual_bytes);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        rc_emit_packed(b, gpu, wire, shard_tokens(b, gpu, own), width);
    rc_emit_collective(b, across, RC_LANE_COMPUTE, RC_P_ALL_REDUCE, "all_to_all", shard_bytes);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        rc_emit_unpacking(b, gpu, wire, shard_tokens(b, gpu, own), width);
        rc_emit_packed(b, gpu, wire, shard_tokens(b, gpu, own * nodes), width);
    }
    rc_emit_collective(b, across, RC_LANE_COMPUTE, RC_P_ALL_REDUCE, "all_gather", shard_bytes);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        rc_emit_unpacking(b, gpu, wire, shard_tokens(b, gpu, own), width);
    if (own > 1)
        rc_emit_collective(b, inside, RC_LANE_COMPUTE, RC_P_ALL_REDUCE, "all_gather",
                           residual_bytes);
}

void rc_emit_all_reduce(rc_builder *b) {
    if (packs_between_nodes(b))
        emit_packed_all_reduce(b);
    else if (b->rq->layout.tp > 1)
        rc_emit_collective(b, rc_group_tp(b), RC_LANE_COMPUTE, RC_P_ALL_REDUCE, "all_reduce",
                           residual_bytes);
}

void rc_emit_out(rc_builder *b, int64_t width) {
    const rc_dtype w = b->rq->layout.attn_weights;
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu)) {
        const int64_t t = rc_rank_tokens(b, rc_rank_of(b, gpu));
        rc_emit_blocks(b, gpu, RC_P_OUT, w, t, width);
        rc_emit_gemm(b, gpu, RC_P_OUT, w, t, b->rq->model->hidden, width);
    }
    rc_emit_all_reduce(b);
}

/* ---- an FFN over the GPUs of all ranks -------------------------------------------------------- */

static bool over_ranks(const rc_builder *b) {
    return b->rq->layout.ffn_over_cp && (b->n > 1 || rc_layout_dp(&b->rq->layout) > 1);
}

/* Whether every rank has the rows of sequences that decode. */
static bool all_alike(const rc_builder *b) {
    return b->rq->schedule->decodes_everywhere && b->n > 1;
}

/* Rows of the residual stream that ranks have of different tokens. */
static int64_t apart(const rc_builder *b) {
    return all_alike(b) ? rc_prompt_tokens(b) : rc_step_tokens(b);
}

/* The same of all ranks of all groups. */
static int64_t apart_in_all(const rc_builder *b) {
    return b->n * apart(b) + b->rq->elsewhere.tokens;
}

static double apart_bytes(const rc_builder *b, int rank) {
    (void)rank;
    return (double)apart_in_all(b) * (double)b->rq->model->hidden *
           rc_dtype_bytes(b->rq->layout.act);
}

static double alike_bytes(const rc_builder *b, int rank) {
    (void)rank;
    return (double)rc_decode_tokens(b) * (double)b->rq->model->hidden *
           rc_dtype_bytes(b->rq->layout.act);
}

/* Rows that every rank has alike are reduced over all GPUs; of the others every rank keeps its own:
 * a reduce-scatter over the ranks, and the sum over a rank's TP group. */
static void reduce_over_ranks(rc_builder *b) {
    const rc_group all = {.size = b->rq->layout.tp * b->n, .stride = 1};
    if (all_alike(b) && b->decodes > 0)
        rc_emit_collective(b, all, RC_LANE_COMPUTE, RC_P_ALL_REDUCE, "all_reduce", alike_bytes);
    if (apart(b) == 0)
        return;
    rc_emit_collective(b, rc_group_all_ranks(b), RC_LANE_COMPUTE, RC_P_REDUCE_SCATTER,
                       "reduce_scatter", apart_bytes);
    rc_emit_all_reduce(b);
}

/* ---- an FFN ------------------------------------------------------------------------------------ */

static void emit_products(rc_builder *b, uint32_t gpu, int64_t t, int64_t own) {
    const rc_layout *l = &b->rq->layout;
    const int64_t d = b->rq->model->hidden, parts = b->kind->after == RC_FFN_PLAIN ? 1 : 2;
    rc_emit_gemm(b, gpu, RC_P_GATE_UP, l->ffn_weights, t, parts * own, d);
    rc_emit_elementwise(b, gpu, RC_P_SWIGLU, rc_swiglu_for(l->ffn_weights), t, own);
    rc_emit_gemm(b, gpu, RC_P_DOWN, l->ffn_weights, t, d, own);
}

/* Every rank's rows go to all, whose GPUs have a part of the FFN each. */
static void emit_wide_ffn(rc_builder *b, int64_t width) {
    const rc_layout *l = &b->rq->layout;
    int64_t all = apart_in_all(b) + (rc_step_tokens(b) - apart(b));
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu))
        rc_emit_norm(b, gpu, l->ffn_weights, rc_rank_tokens(b, rc_rank_of(b, gpu)));
    if (apart(b) > 0)
        rc_emit_collective(b, rc_group_all_ranks(b), RC_LANE_COMPUTE, RC_P_ALL_GATHER, "all_gather",
                           apart_bytes);
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu))
        emit_products(b, gpu, all, rc_ceil_div(width, rc_layout_gpus(l)));
    reduce_over_ranks(b);
}

void rc_emit_ffn(rc_builder *b, int64_t width) {
    const rc_layout *l = &b->rq->layout;
    if (over_ranks(b)) {
        emit_wide_ffn(b, width);
        return;
    }
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu)) {
        int64_t t = rc_rank_tokens(b, rc_rank_of(b, gpu));
        rc_emit_norm(b, gpu, l->ffn_weights, t);
        emit_products(b, gpu, t, rc_ceil_div(width, l->tp));
    }
    rc_emit_all_reduce(b);
}

/* The last position of each sequence goes through the final norm and the LM head (bf16 unless the
 * checkpoint quantises it). In a prefill rank 0 owns the last chunk of every sequence; the
 * others do as much, for all must end together. */
static int64_t head_rows(const rc_builder *b) {
    return (int64_t)(b->rq->seq_count - b->decodes) + rc_decode_tokens(b);
}

static double head_bytes(const rc_builder *b, int rank) {
    (void)rank;
    return (double)(head_rows(b) + b->rq->elsewhere.sequences) * (double)b->rq->model->hidden *
           rc_dtype_bytes(b->rq->layout.act);
}

/* Where the LM head is cut over the GPUs of all groups, all rows go to all of them. */
void rc_emit_head(rc_builder *b) {
    const rc_model *m = b->rq->model;
    const rc_layout *l = &b->rq->layout;
    const int ways = rc_layout_head_ways(l);
    int64_t rows = head_rows(b);
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu))
        rc_emit_norm(b, gpu, m->quant.head, rows);
    if (ways > l->tp) {
        rc_emit_collective(b, rc_group_all_ranks(b), RC_LANE_COMPUTE, RC_P_ALL_GATHER, "all_gather",
                           head_bytes);
        rows += b->rq->elsewhere.sequences;
    }
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu))
        rc_emit_gemm(b, gpu, RC_P_LM_HEAD, m->quant.head, rows, rc_ceil_div(m->vocab, ways),
                     m->hidden);
}

void rc_emit_merge(rc_builder *b, uint32_t gpu, int64_t tokens, int parts) {
    rc_shape s = rc_shape_of(RC_T_MERGE, RC_P_MERGE);
    assert(tokens >= 1 && parts >= 1 && b->hq >= 1);
    s.a = tokens * b->hq;
    s.b = parts;
    s.value_size = b->value_size;
    rc_emit(b, gpu, RC_LANE_COMPUTE, &s);
}
