/* Attention that is not the schedule's.
 *
 * Windows under CP. A query sees the last `window` keys, so a rank needs of the others what lies just
 * before its two chunks: all ranks gather the last `window` keys and values of every chunk, and each
 * attends to its own chunks and these.
 *
 * Selections. An indexer scores every key for every query, the best `top_k` are chosen, and attention
 * reads those alone. The indexer is whole on every GPU of a TP group. Over CP ranks each has queries of
 * its own and gathers what all tokens left, latents and keys of the indexer. Of layers that compress,
 * scores and keys are one for every `ratio` tokens, beside a window.
 *
 * Of a decode step over CP ranks every rank has a share of what was kept and all keys of the indexer:
 * queries are gathered, chosen keys are looked at where they lie, and partial outputs go back.
 *
 * Sequences that prefill are taken to be as long as they are on average.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "sim/schedule/builder.h"
#include "sim/schedule/kept.h"

bool rc_attends_apart(const rc_builder *b) {
    if (b->hq == 0 || (rc_layout_dcp(&b->rq->layout) > 1 && rc_selects_latents(b->kind)))
        return false;
    return b->kind->selection.ratio > 0 || (b->window > 0 && b->n > 1 && rc_prefills(b));
}

/* ---- what ranks gather ----------------------------------------------------------------------- */

static double tails(const rc_builder *b, int rank) {
    double tokens = 0.0;
    (void)rank;
    for (size_t i = 0; i < b->rq->seq_count; i++)
        if (!rc_decodes(b, i))
            tokens += 2.0 * b->n *
                          fmin((double)b->kind->window,
                               (double)rc_ceil_div(b->rq->seqs[i].t, 2 * (int64_t)b->n)) +
                      fmin((double)b->kind->global, (double)(b->rq->seqs[i].t + b->rq->seqs[i].p));
    return tokens * rc_kv_token_bytes(b);
}

static double everything(const rc_builder *b, int rank) {
    const rc_layout *l = &b->rq->layout;
    double tokens = 0.0;
    (void)rank;
    for (size_t i = 0; i < b->rq->seq_count; i++)
        if (!rc_decodes(b, i))
            tokens += (double)(b->rq->seqs[i].t + b->rq->seqs[i].p);
    return tokens * rc_layer_growth(b->kind, l->tp, l->kv) + (b->window > 0 ? tails(b, rank) : 0.0);
}

static double queries(const rc_builder *b, int rank) {
    (void)rank;
    return (double)b->n * (double)rc_decode_tokens(b) * b->one.query * b->one.key_size *
           rc_dtype_bytes(b->rq->layout.act);
}

/* The next task of each GPU waits for what was gathered: marks of the collective. */
static void gather(rc_builder *b, rc_bytes_fn bytes) {
    if (b->n > 1)
        rc_emit_collective(b, rc_group_cp(b), RC_LANE_COMM, RC_P_ALL_GATHER, "all_gather", bytes);
}

/* ---- prompts --------------------------------------------------------------------------------- */

/* Sizes of a pass over a selection on one rank. */
typedef struct selected {
    int64_t sequences, tq,
        tk;       /* of a rank: queries of a sequence, and keys that make as many pairs as
                                  it has, one for every `ratio` tokens */
    int64_t kept; /* keys that a query attends to, on average */
    bool steps;   /* of sequences that decode */
} selected;

static int64_t at_least_one(double v) {
    return v > 1.0 ? (int64_t)ceil(v) : 1;
}

static selected of_prompts(const rc_builder *b) {
    const int64_t count = (int64_t)(b->rq->seq_count - b->decodes);
    double t = 0.0, p = 0.0;
    for (size_t i = 0; i < b->rq->seq_count; i++) {
        t += rc_decodes(b, i) ? 0.0 : (double)b->rq->seqs[i].t / (double)count;
        p += rc_decodes(b, i) ? 0.0 : (double)b->rq->seqs[i].p / (double)count;
    }
    selected s = {.sequences = count, .tq = at_least_one(t / b->n)};
    const double ratio = b->kind->selection.ratio;
    s.tk = at_least_one((p + (t + 1.0) / 2.0) / ratio + ((double)s.tq - 1.0) / 2.0);
    s.kept = at_least_one(rc_layer_kept_mean(b->kind, t, p));
    return s;
}

/* One of the 2N chunks that prompts are cut into: its queries, over all keys before its end. */
static selected of_chunk(const rc_builder *b, int chunk) {
    const int64_t count = (int64_t)(b->rq->seq_count - b->decodes);
    const double ratio = b->kind->selection.ratio;
    double t = 0.0, p = 0.0;
    for (size_t i = 0; i < b->rq->seq_count; i++) {
        t += rc_decodes(b, i) ? 0.0 : (double)b->rq->seqs[i].t / (double)count;
        p += rc_decodes(b, i) ? 0.0 : (double)b->rq->seqs[i].p / (double)count;
    }
    const double own = fmax(t / (2.0 * b->n), 1.0), before = p + chunk * own;
    selected s = {.sequences = count, .tq = at_least_one(own)};
    s.tk = at_least_one((before + (own + 1.0) / 2.0) / ratio + ((double)s.tq - 1.0) / 2.0);
    s.kept = at_least_one(rc_layer_kept_mean(b->kind, own, before));
    return s;
}

static selected of_decodes(const rc_builder *b) {
    double keys = 0.0;
    for (size_t i = 0; i < b->rq->seq_count; i++)
        keys += rc_decodes(b, i) ? (double)(b->rq->seqs[i].p + 1) / (double)b->decodes : 0.0;
    const int rows = b->rq->verified > 1 ? b->rq->verified : 1;
    return (selected){
        .steps = true,
        .sequences = rc_ceil_div((int64_t)b->decodes, rows), /* what pads a batch has no keys */
        .tq = rows,
        .tk = at_least_one(keys / b->kind->selection.ratio),
        .kept = at_least_one(rc_layer_kept_mean(b->kind, 1.0, keys - 1.0) / b->n)};
}

/* Scores and choice, where the layer has an indexer, and attention to what was chosen. The first task
 * waits for `have`. */
static void select_and_attend(rc_builder *b, uint32_t gpu, const selected *s, int heads,
                              uint32_t have) {
    const rc_selection *x = &b->kind->selection;
    const rc_op_sizes score = {
        .a = s->tq, .b = s->tk, .c = x->heads, .d = s->sequences, .key_size = x->dim};
    const rc_op_sizes choose = {.a = s->tq, .b = s->tk, .c = x->top_k, .d = s->sequences};
    const bool grouped = b->kind->mixer == RC_MIX_ATTENTION && !b->kind->kept_once;
    const rc_op_sizes attend = {.a = s->tq * s->sequences,
                                .b = s->kept,
                                .c = heads,
                                .d = grouped ? b->one.kv : 0,
                                .key_size = b->one.key_size,
                                .value_size = b->one.value_size};
    uint32_t first = b->at;
    if (x->heads > 0) {
        rc_emit_op(b, gpu, RC_P_INDEX, s->steps ? "dsa_index_step" : "dsa_index", RC_FP8, &score);
        rc_emit_op(b, gpu, RC_P_INDEX, "dsa_topk", RC_BF16, &choose);
    }
    rc_emit_op(b, gpu, RC_P_ATTENTION, grouped ? "grouped_sparse" : "dsa_attention",
               b->rq->layout.kv, &attend);
    rc_emit_dep(b, first, have);
    b->att[gpu] = b->last[gpu * RC_LANE_COUNT + RC_LANE_COMPUTE];
}

static void prompts(rc_builder *b) {
    const bool selects = b->kind->selection.ratio > 0;
    gather(b, selects ? everything : tails);
    const selected s = selects ? of_prompts(b) : (selected){0};
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        uint32_t have = b->n > 1 ? b->mark[gpu] : RC_TASK_NONE;
        if (selects && b->n > 1 && b->rq->layout.zigzag) {
            const int rank = rc_rank_of(b, gpu);
            const selected first = of_chunk(b, rank), second = of_chunk(b, 2 * b->n - 1 - rank);
            select_and_attend(b, gpu, &first, b->one.query, have);
            select_and_attend(b, gpu, &second, b->one.query, RC_TASK_NONE);
            continue;
        }
        if (selects) {
            select_and_attend(b, gpu, &s, b->one.query, have);
            continue;
        }
        b->att[gpu] = rc_emit_attention_of(b, gpu, b->hq, b->hkv, rc_both_chunks);
        rc_emit_dep(b, b->att[gpu], have);
    }
}

/* ---- decode steps ---------------------------------------------------------------------------- */

static void steps(rc_builder *b) {
    const bool selects = b->kind->selection.ratio > 0;
    gather(b, queries);
    const selected s = selects ? of_decodes(b) : (selected){0};
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        uint32_t have = b->n > 1 ? b->mark[gpu] : RC_TASK_NONE;
        if (selects) {
            select_and_attend(b, gpu, &s, b->one.query, have);
            continue;
        }
        b->att[gpu] =
            rc_emit_decode_of(b, gpu, b->one.query, b->one.kv, rc_decode_tokens(b) * b->n, b->n);
        rc_emit_dep(b, b->att[gpu], have);
    }
    if (b->n > 1)
        rc_emit_return(b, rc_decode_tokens(b));
}

void rc_emit_selected_share(rc_builder *b, uint32_t gpu, int heads, int shares) {
    for (int decodes = 0; decodes < 2; decodes++) {
        if (decodes ? b->decodes == 0 : !rc_prefills(b))
            continue;
        selected s = decodes ? of_decodes(b) : of_prompts(b);
        s.kept = rc_ceil_div(s.kept, shares);
        select_and_attend(b, gpu, &s, heads, RC_TASK_NONE);
    }
}

void rc_emit_apart(rc_builder *b) {
    if (rc_prefills(b))
        prompts(b);
    if (b->decodes > 0)
        steps(b);
}
