/* Layers made of two halves: what mixes tokens, and an FFN. "dense" is attention with grouped queries
 * and a dense FFN; "mixed" whatever the kind says (rc_layer_kind.mixer and .after). Norms of the
 * residual stream are whole on every GPU.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "sim/schedule/half.h"

static const rc_half *mixer_of(const rc_layer_kind *l) {
    static const rc_half *const mixers[] = {[RC_MIX_ATTENTION] = &rc_mixer_attention,
                                            [RC_MIX_LATENT] = &rc_mixer_latent,
                                            [RC_MIX_STATE] = &rc_mixer_state,
                                            [RC_MIX_NONE] = NULL};
    return mixers[l->mixer];
}

static const rc_half *ffn_of(const rc_layer_kind *l) {
    static const rc_half *const ffns[] = {[RC_FFN_GATED] = &rc_ffn_plain,
                                          [RC_FFN_PLAIN] = &rc_ffn_plain,
                                          [RC_FFN_EXPERTS] = &rc_ffn_experts,
                                          [RC_FFN_NONE] = NULL};
    return ffns[l->after];
}

static rc_heads heads(const rc_layer_kind *l, int tp) {
    const rc_heads none = {0};
    return l->mixer == RC_MIX_ATTENTION || l->mixer == RC_MIX_LATENT ? rc_grouped_heads(l, tp)
                                                                     : none;
}

static int matrices(const rc_model *m, const rc_layer_kind *l, int tp, rc_matrix out[RC_MATRICES]) {
    const rc_half *mixer = mixer_of(l), *ffn = ffn_of(l);
    int n = mixer ? mixer->matrices(m, l, tp, out) : 0;
    return n + (ffn ? ffn->matrices(m, l, tp, out + n) : 0);
}

static double vectors(const rc_model *m, const rc_layer_kind *l, int tp) {
    const rc_half *mixer = mixer_of(l), *ffn = ffn_of(l);
    double elements = (2.0 + l->more_norms) * (double)m->hidden;
    elements += mixer ? mixer->vectors(m, l, tp) : 0.0;
    return elements + (ffn ? ffn->vectors(m, l, tp) : 0.0);
}

static double kv_bytes(const rc_layer_kind *l, int tp, rc_dtype kv) {
    const rc_heads h = heads(l, tp);
    if (l->mixer == RC_MIX_LATENT)
        return (l->latent.kv_rank + l->latent.rope) * rc_kv_element(kv);
    const double size = h.key_size + (l->kept_once ? 0.0 : h.value_size);
    return (double)h.kv * size * rc_kv_element(kv);
}

static double live_bytes(const rc_model *m, const rc_layer_kind *l, const rc_layout *cut) {
    const rc_half *mixer = mixer_of(l), *ffn = ffn_of(l);
    const double most =
        fmax(mixer ? mixer->live_bytes(m, l, cut) : 0.0, ffn ? ffn->live_bytes(m, l, cut) : 0.0);
    return (double)m->hidden * rc_dtype_bytes(cut->act) + most;
}

static void before(rc_builder *b) {
    const rc_half *mixer = mixer_of(b->kind);
    if (mixer)
        mixer->before(b);
}

static void after(rc_builder *b) {
    const rc_half *mixer = mixer_of(b->kind), *ffn = ffn_of(b->kind);
    if (mixer)
        mixer->after(b);
    if (ffn)
        ffn->after(b);
}

#define MADE_OF_HALVES                                                                             \
    .heads = heads, .matrices = matrices, .vectors = vectors, .kv_bytes = kv_bytes,                \
    .live_bytes = live_bytes, .before = before, .after = after

const rc_layer_form rc_layer_dense = {.name = "dense", MADE_OF_HALVES};
const rc_layer_form rc_layer_mixed = {.name = "mixed", MADE_OF_HALVES};
