/* Decode: one token per sequence. Tokens are dealt round-robin to the CP ranks, with the offset
 * advancing each step so that KV stays balanced (paper section 3.6); the batch is padded to a
 * multiple of N. Pass-Q decode is the ring of pass_q.c with split-KV attention over each rank's
 * share of the context; TP decode is the same attention over all of it. SPDX-License-Identifier:
 * GPL-3.0-or-later */
#include "sim/schedule/builder.h"

uint32_t rc_emit_decode(rc_builder *b, uint32_t gpu) {
    if (b->noting && b->pairs.decode != RC_TASK_NONE) {
        rc_note_shape(b, b->pairs.decode);
        return RC_TASK_NONE;
    }
    int64_t keys = 0, first = 0;
    bool padded = b->decodes % (size_t)b->n != 0, differ = false;
    for (size_t i = 0; i < b->rq->seq_count; i++) {
        if (!rc_decodes(b, i))
            continue;
        int64_t own = rc_ceil_div(b->rq->seqs[i].p + b->rq->seqs[i].t, b->n);
        differ = differ || (first > 0 && own != first);
        first = own;
        keys += own;
    }
    rc_shape s = rc_shape_of(RC_T_DECODE, RC_P_ATTENTION);
    s.dtype = b->rq->layout.kv;
    s.a = rc_decode_tokens(b);
    s.b = rc_ceil_div(keys, (int64_t)b->decodes);
    s.hq = b->hq;
    s.hkv = b->hkv;
    s.key_size = b->key_size;
    s.value_size = b->value_size;
    s.stand_in = padded || differ || b->rq->stand_in;
    uint32_t id = rc_emit(b, gpu, RC_LANE_COMPUTE, &s);
    if (b->noting)
        b->pairs.decode = b->noted[b->notes - 1];
    return id;
}
