/* How large the projections of a layer are.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>

#include "sim/model/model.h"

static double attention(const rc_layer_kind *l, double d, rc_proj p) {
    const double h = l->heads, q = h * l->head_dim, o = h * l->value_dim;
    const double from = l->latent.q_rank > 0 ? l->latent.q_rank : d;
    switch (p) {
    case RC_Q:
        return from * q + (l->output_gate ? d * o : 0.0);
    case RC_Q_DOWN:
        return d * l->latent.q_rank;
    case RC_K:
        return d * l->kv_heads * l->head_dim;
    case RC_V:
        return l->values_are_keys ? 0.0 : d * l->kv_heads * l->value_dim;
    case RC_O:
        if (l->latent.o_rank > 0) /* each group of heads to its latents, and all of these back */
            return o * l->latent.o_rank + (double)l->latent.o_groups * l->latent.o_rank * d;
        return d * o;
    default:
        return 0.0;
    }
}

static double latent(const rc_layer_kind *l, double d, rc_proj p) {
    const double nope = l->head_dim - l->latent.rope;
    switch (p) {
    case RC_K:
    case RC_V:
        return 0.0;
    case RC_KV_DOWN:
        return d * (l->latent.kv_rank + l->latent.rope);
    case RC_KV_UP:
        return l->heads * (nope + l->value_dim) * l->latent.kv_rank;
    default:
        return attention(l, d, p);
    }
}

/* Queries of the indexer come from the queries' latents; its keys and weights from the layer's
 * input. */
static double index_of(const rc_layer_kind *l, double d) {
    const rc_selection *s = &l->selection;
    double from = l->latent.q_rank > 0 ? l->latent.q_rank : d;
    return s->heads > 0 ? from * s->heads * s->dim + d * (s->dim + s->heads) : 0.0;
}

static double state(const rc_layer_kind *l, double d, rc_proj p) {
    const rc_state_dims *s = &l->state;
    const double keys = (double)s->key_heads * s->key_dim, values = (double)s->heads * s->value_dim;
    if (p == RC_STATE_OUT)
        return values * d;
    if (p != RC_STATE_IN)
        return 0.0;
    return d * (2.0 * keys + 2.0 * values + s->extra) + s->low_rank * (d + keys);
}

static double ffn(const rc_layer_kind *l, double d, rc_proj p) {
    const rc_experts *x = &l->experts;
    const double wide = x->latent > 0 ? (double)x->latent : d, matrices = x->gated ? 3.0 : 2.0;
    if (l->after == RC_FFN_NONE)
        return 0.0;
    if (l->after != RC_FFN_EXPERTS)
        return p == RC_UP || p == RC_DOWN || (p == RC_GATE && l->after == RC_FFN_GATED)
                   ? d * (double)l->ffn
                   : 0.0;
    switch (p) {
    case RC_ROUTER:
        return d * x->count;
    case RC_EXPERT:
        return matrices * x->count * wide * (double)x->width;
    case RC_SHARED: /* and what takes tokens to the experts' width and back */
        return matrices * d * (double)x->shared + 2.0 * d * (double)x->latent +
               (x->shared_gate ? d : 0.0);
    default:
        return 0.0;
    }
}

double rc_projection_elements(const rc_model *m, const rc_layer_kind *l, rc_proj p) {
    const double d = (double)m->hidden;
    assert(p < RC_PROJS);
    if (p >= RC_GATE)
        return ffn(l, d, p);
    if (l->mixer == RC_MIX_STATE)
        return state(l, d, p);
    if (l->mixer == RC_MIX_NONE)
        return 0.0;
    if (p == RC_INDEX)
        return index_of(l, d);
    return l->mixer == RC_MIX_LATENT ? latent(l, d, p) : attention(l, d, p);
}
