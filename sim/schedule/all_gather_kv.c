/* All-gather pass-KV: gather every rank's KV first (a ring of N-1 messages with no attention beside
 * it), then one attention over the whole sequence. Each of a rank's two chunks sees the cached
 * tokens and all new tokens up to its own end: two bottom-right causal calls a sequence. No merge.
 * The gathered KV is kept for one layer: the next one's messages wait until the receiver has
 * attended to it and handed it on. SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

static void gather(rc_builder *b, double bytes) {
    if (b->rq->as_template && b->n > 1) {
        rc_block_gather(b, bytes);
        return;
    }
    for (int j = 0; j < b->n - 1; j++) {
        b->step = (uint16_t)j;
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
            uint32_t ready = b->last[gpu * RC_LANE_COUNT + RC_LANE_COMPUTE];
            uint32_t to = rc_next_gpu(b, gpu, 1), from = rc_next_gpu(b, gpu, b->n - 1);
            uint32_t id = rc_emit_message(b, gpu, to, RC_LANE_COMM, RC_P_ALL_GATHER, bytes);
            rc_emit_dep(b, id, j == 0 ? ready : b->msg[from]);
            if (j == 0) {
                rc_emit_dep(b, id, b->att[to]);
                rc_emit_dep(b, id, b->msg[to]);
            }
            b->mark[gpu] = id;
        }
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            b->msg[gpu] = b->mark[gpu];
    }
    b->step = 0;
}

static void all_gather_kv(rc_builder *b) {
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        rc_emit_ring_step(b, gpu);
    gather(b, (double)rc_kv_message_tokens(b) * rc_kv_token_bytes(b));
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        uint32_t id = rc_emit_attention_gathered(b, gpu);
        b->att[gpu] = id;
        if (b->n > 1)
            rc_emit_dep(b, id, b->msg[rc_next_gpu(b, gpu, b->n - 1)]);
    }
}

/* The keys and values of all ranks. */
static double buffers(const rc_buffer_terms *t) {
    return t->cp * (t->cached + t->fresh) * t->kv_token;
}

const rc_schedule rc_schedule_all_gather_kv = {
    .name = "all-gather-kv",
    .summary = "keys and values of all ranks are gathered first, then attended to at once",
    .phases = RC_PHASE_BIT(RC_PREFILL),
    .many_ranks = true,
    .attention = all_gather_kv,
    .buffers = buffers,
};
