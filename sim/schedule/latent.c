/* The form in which prompts attend to latents.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

/* FLOPs of one head and rank, by the formulas of both forms: scores and outputs over the pairs of a
 * query and a key that count, which are cut over the ranks, and the products that make keys and values
 * of all keys, or those on queries and outputs. */
static bool less_absorbed(const rc_request *rq, const rc_layer_kind *l) {
    const double rope = l->latent.rope, rank = l->latent.kv_rank;
    const double made = (double)l->head_dim - rope + l->value_dim;
    double pairs = 0.0, keys = 0.0, queries = 0.0;
    for (size_t i = 0; i < rq->seq_count; i++) {
        const double t = (double)rq->seqs[i].t, p = (double)rq->seqs[i].p;
        if (rq->phase == RC_MIXED && rq->seqs[i].t == 1)
            continue;
        pairs += t * p + t * (t + 1.0) / 2.0;
        keys += t + p;
        queries += t;
    }
    const double n = rq->layout.cp;
    const double materialised = (l->head_dim + l->value_dim) * pairs / n + rank * made * keys;
    const double absorbed = (2.0 * rank + rope) * pairs / n + rank * made * queries / n;
    return absorbed < materialised;
}

bool rc_absorbs(const rc_request *rq, const rc_layer_kind *l) {
    if (rq->phase == RC_DECODE || l->selection.ratio > 0)
        return true;
    return rq->layout.mla == RC_MLA_LEAST_WORK ? less_absorbed(rq, l)
                                               : rq->layout.mla == RC_MLA_ABSORBED;
}

int64_t rc_absorbed_tokens(const rc_builder *b, int rank) {
    return b->absorbed ? rc_rank_tokens(b, rank) : rc_decode_tokens(b);
}
