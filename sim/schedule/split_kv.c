/* Attention of sequences that decode: one token each, over a share of the context that each was cut
 * into. Tokens are dealt round-robin to the CP ranks, with the offset advancing each step so that
 * KV stays balanced (paper section 3.6); the batch is padded to a multiple of N. Pass-Q decode is
 * the ring of pass_q.c with split-KV attention over each rank's share of the context; TP decode is
 * the same attention over all of it.
 *
 * Sequences are dealt to the ranks one by one, and a ring step sees those of one rank. A rank meets
 * each of these groups in one of its N steps, so a long context makes one step long and not all of them:
 * every step stands for the mean over the groups, of the keys and of the group's longest.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/schedule/builder.h"

/* Keys of sequence i on one of `shares` GPUs. */
static int64_t own_keys(const rc_builder *b, size_t i, int shares) {
    int64_t seen = b->rq->seqs[i].p + b->rq->seqs[i].t;
    if (b->window > 0 && b->window < seen)
        seen = b->window;
    return rc_ceil_div(seen, shares);
}

/* The mean over `groups` of the longest of each, which has `mean` where it has none. */
static int64_t mean_longest(const rc_builder *b, int shares, int groups, int64_t mean) {
    int64_t sum = 0;
    for (int g = 0; g < groups; g++) {
        int64_t longest = 0;
        int at = 0;
        for (size_t i = 0; i < b->rq->seq_count; i++) {
            if (!rc_decodes(b, i))
                continue;
            const int64_t own = at == g ? own_keys(b, i, shares) : 0;
            longest = own > longest ? own : longest;
            at = at + 1 < groups ? at + 1 : 0;
        }
        sum += longest > 0 ? longest : mean;
    }
    return rc_ceil_div(sum, groups);
}

/* `groups` of sequences are seen one after the other. */
static uint32_t emit_decode(rc_builder *b, uint32_t gpu, int hq, int hkv, int64_t batch, int shares,
                            int groups) {
    int64_t keys = 0, first = 0, longest = 0;
    const int rows =
        b->rq->verified > 1 ? b->rq->verified : 1; /* of a sequence, over the same keys */
    bool padded = b->decodes % (size_t)rc_schedule_dealt(b->rq->schedule, b->n) != 0;
    bool differ = false;
    for (size_t i = 0; i < b->rq->seq_count; i++) {
        if (!rc_decodes(b, i))
            continue;
        const int64_t own = own_keys(b, i, shares);
        differ = differ || (first > 0 && own != first);
        first = own;
        longest = own > longest ? own : longest;
        keys += own;
    }
    rc_shape s = rc_shape_of(RC_T_DECODE, RC_P_ATTENTION);
    s.dtype = b->rq->layout.kv;
    s.a = rc_ceil_div(batch, rows);
    s.b = rc_ceil_div(keys, (int64_t)b->decodes);
    s.c = groups > 1 && differ ? mean_longest(b, shares, groups, s.b) : longest;
    s.hq = hq * rows;
    s.hkv = hkv;
    s.op = b->latent ? "mla_decode" : NULL;
    s.key_size = b->one.key_size;
    s.value_size = b->one.value_size;
    s.stand_in = padded || differ || b->rq->stand_in;
    return rc_emit(b, gpu, RC_LANE_COMPUTE, &s);
}

uint32_t rc_emit_decode_of(rc_builder *b, uint32_t gpu, int hq, int hkv, int64_t batch,
                           int shares) {
    assert(hq >= 1 && hkv >= 1 && batch >= 1 && shares >= 1);
    return emit_decode(b, gpu, hq, hkv, batch, shares, 1);
}

uint32_t rc_emit_decode(rc_builder *b, uint32_t gpu) {
    if (b->noting && b->pairs.decode != RC_TASK_NONE) {
        rc_note_shape(b, b->pairs.decode);
        return RC_TASK_NONE;
    }
    const int groups = rc_schedule_dealt(b->rq->schedule, b->n);
    uint32_t id = emit_decode(b, gpu, b->one.query, b->one.kv, rc_decode_tokens(b), b->n, groups);
    if (b->noting)
        b->pairs.decode = b->noted[b->notes - 1];
    return id;
}
