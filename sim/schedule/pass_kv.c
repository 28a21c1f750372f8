/* Ring pass-KV prefill (paper Algorithm 2): queries stay, KV travels.
 *
 * In step j rank k attends to the KV of rank (k - j) mod N while it hands that KV on to rank k+1.
 * The two message buffers are used in turn, so a message may not start before the receiver has
 * finished the attention and the message that read the buffer it overwrites, which are those of the
 * step before. The merge of the N partial outputs is local. SPDX-License-Identifier:
 * GPL-3.0-or-later */
#include "sim/schedule/builder.h"

void rc_attention_pass_kv(rc_builder *b) {
    double bytes = (double)rc_kv_message_tokens(b) * rc_kv_token_bytes(b);
    for (int j = 0; j < b->n; j++) {
        b->step = (uint16_t)j;
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            rc_emit_ring_step(b, gpu);
        if (j < b->n - 1)
            rc_emit_ring_messages(b, bytes);
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
            int k = rc_rank_of(b, gpu), s = (k - j + b->n) % b->n;
            uint32_t id = rc_emit_attention(b, gpu, k, s);
            if (j > 0)
                rc_emit_dep(b, id, b->msg[rc_next_gpu(b, gpu, b->n - 1)]);
            b->att[gpu] = id;
        }
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            b->msg[gpu] = b->mark[gpu];
    }
    b->step = 0;
    if (b->n > 1)
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            rc_emit_merge(b, gpu, rc_rank_tokens(b, rc_rank_of(b, gpu)), b->n);
}
