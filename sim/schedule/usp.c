/* Unified sequence parallelism (Ulysses x ring, arXiv 2405.07719): the ranks are N / U groups of U
 * neighbours. Inside a group all-to-alls swap tokens for heads as in ulysses.c; between groups keys and
 * values of these heads travel in a ring as in pass_kv.c, from each rank to the one of its place in
 * the next group. U is the layout's `ulysses`; with U = N the all-to-alls are all that is left.
 *
 * The new tokens of a prompt are cut into two chunks for each group; the ranks of a group have equal
 * parts of both between the projections, and both whole in attention. Cached tokens lie evenly on
 * the groups, by heads on the ranks of one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

static int groups_of(const rc_builder *b) {
    return rc_layout_ring(&b->rq->layout);
}

/* Ranks of a group that hold different KV heads. */
static int apart(int kv_heads, int ranks) {
    return kv_heads < ranks ? kv_heads : ranks;
}

static int kv_ranks(int kv_heads, const rc_layout *l) {
    return rc_layout_ring(l) * apart(kv_heads, rc_layout_ulysses(l));
}

static rc_status check(const rc_model *m, const rc_layout *l, rc_error *err) {
    const int u = rc_layout_ulysses(l);
    if (l->cp > 1 && u == 1)
        return rc_fail(
            err, RC_E_INPUT,
            "usp has groups of ranks: ulysses is at least 2 (with 1 it is a ring, pass-kv)");
    if (l->cp % u != 0)
        return rc_fail(err, RC_E_INPUT, "ulysses is %d, which does not divide cp %d", u, l->cp);
    for (int k = 0; k < m->kinds; k++) {
        if (m->kind[k].mixer == RC_MIX_LATENT)
            return rc_fail(err, RC_E_INPUT,
                           "usp cuts keys and values by heads, and the latents of %s have none",
                           m->name);
        const rc_heads h = rc_layer_form_of(&m->kind[k])->heads(&m->kind[k], l->tp);
        int ways = h.kv > 0 ? apart(h.kv, u) : 1;
        if (h.query % u != 0 || u % ways != 0 || h.kv % ways != 0)
            return rc_fail(
                err, RC_E_INPUT,
                "usp cuts the heads of a GPU, %d and %d of KV, over the ranks of a group: "
                "ulysses %d does not divide them",
                h.query, h.kv, u);
    }
    return RC_OK;
}

/* Keys and values of a rank's heads, over those of all its GPU's heads. */
static double share_of_kv(const rc_builder *b) {
    return 1.0 / apart(b->hkv, rc_layout_ulysses(&b->rq->layout));
}

static double heads_bytes(const rc_builder *b, int rank) {
    double copies = rc_layout_ulysses(&b->rq->layout) * share_of_kv(b);
    (void)rank;
    return (double)rc_step_tokens(b) * (rc_q_token_bytes(b) + copies * rc_kv_token_bytes(b));
}

static double output_bytes(const rc_builder *b, int rank) {
    (void)rank;
    return (double)rc_step_tokens(b) * b->hq * b->value_size * rc_dtype_bytes(b->rq->layout.act);
}

/* Tokens of a group, padded to those of the largest, of a rank's heads. */
static double message(const rc_builder *b) {
    int64_t tokens = 0;
    for (size_t i = 0; i < b->rq->seq_count; i++)
        tokens += rc_ceil_div(b->rq->seqs[i].p, groups_of(b)) +
                  rc_ceil_div(b->rq->seqs[i].t, groups_of(b));
    return (double)tokens * rc_kv_token_bytes(b) * share_of_kv(b);
}

static uint32_t attend(rc_builder *b, uint32_t gpu, int here, int from) {
    const int u = rc_layout_ulysses(&b->rq->layout);
    return rc_emit_attention_between(b, gpu, here / u, from / u, groups_of(b), b->hq / u,
                                     b->hkv / apart(b->hkv, u));
}

static void exchange(rc_builder *b, rc_bytes_fn bytes) {
    const rc_group g = {.size = rc_layout_ulysses(&b->rq->layout), .stride = b->rq->layout.tp};
    if (g.size > 1)
        rc_emit_collective(b, g, RC_LANE_COMPUTE, RC_P_ALL2ALL, "all_to_all", bytes);
}

static void usp(rc_builder *b) {
    exchange(b, heads_bytes);
    if (b->n > 1)
        rc_emit_rings(b, rc_layout_ulysses(&b->rq->layout), attend);
    for (uint32_t gpu = 0; gpu < b->p->gpus && b->n == 1; gpu++)
        (void)rc_emit_attention(b, gpu, 0, 0);
    for (uint32_t gpu = 0; gpu < b->p->gpus && groups_of(b) > 1; gpu++)
        rc_emit_merge(b, gpu, rc_rank_tokens(b, rc_rank_of(b, gpu)), groups_of(b));
    exchange(b, output_bytes);
}

/* Two messages, one arriving and one being sent; the partial output of every step; queries, outputs,
 * keys and values with their copies, as they are sent and as they come. */
static double buffers(const rc_buffer_terms *t) {
    const double ways = apart(t->kv_heads, t->ulysses), group = t->ulysses * (t->fresh + t->cached);
    const int steps = t->cp / t->ulysses;
    return 2.0 * group * t->kv_token / ways + steps * t->fresh * t->partial_token +
           2.0 * t->fresh * (2.0 * t->q_token + t->ulysses / ways * t->kv_token);
}

const rc_schedule rc_schedule_usp = {
    .name = "usp",
    .summary = "groups of ranks swap tokens for heads, and keys and values travel in rings between "
               "them",
    .phases = RC_PHASE_BIT(RC_PREFILL),
    .many_ranks = true,
    .groups = RC_OVER_CP,
    .two_levels = true,
    .check = check,
    .attention = usp,
    .message = message,
    .buffers = buffers,
    .kv_ranks = kv_ranks,
};
