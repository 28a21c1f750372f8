/* Bytes on one GPU of a pass: what the model takes, and the buffers of the schedule.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include "sim/schedule/schedule.h"

static rc_buffer_terms terms_of(const rc_model *m, const rc_layout *l, int64_t fresh,
                                int64_t cached) {
    double heads = (double)m->heads / l->tp, act = rc_dtype_bytes(l->act);
    double kv_heads = m->kv_heads >= l->tp ? (double)m->kv_heads / l->tp : 1.0;
    return (rc_buffer_terms){.cp = l->cp,
                             .fresh = ceil((double)fresh / l->cp),
                             .cached = ceil((double)cached / l->cp),
                             .q_token = heads * m->head_dim * act,
                             .kv_token = 2.0 * kv_heads * m->head_dim * rc_dtype_bytes(l->kv),
                             .partial_token =
                                 heads * (m->head_dim * act + rc_dtype_bytes(RC_FP32))};
}

rc_status rc_pass_memory(const rc_schedule *s, const rc_model *m, const rc_layout *l,
                         int64_t tokens_new, int64_t tokens_cached, double capacity, rc_memory *out,
                         rc_error *err) {
    assert(s != NULL);
    RC_TRY(rc_model_memory(m, l, tokens_new, tokens_cached, capacity, out, err));
    assert(out->buffers == 0.0);
    if (l->cp > 1 && s->buffers) {
        rc_buffer_terms t = terms_of(m, l, tokens_new, tokens_cached);
        out->buffers = s->buffers(&t);
        out->total = out->weights + out->kv + out->activations + out->buffers + out->runtime;
    }
    return RC_OK;
}

rc_status rc_pass_kv_room(const rc_schedule *s, const rc_model *m, const rc_layout *l,
                          int64_t tokens_new, int64_t tokens_cached, double capacity,
                          rc_memory *memory, rc_kv_room *out, rc_error *err) {
    RC_TRY(rc_pass_memory(s, m, l, tokens_new, tokens_cached, capacity, memory, err));
    *out = (rc_kv_room){.bytes = capacity - (memory->total - memory->kv),
                        .token = rc_model_kv_token(m, l)};
    return RC_OK;
}
