/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/kept.h"

#include <assert.h>
#include <math.h>

#include "sim/schedule/layer.h"

double rc_layer_index_bytes(const rc_layer_kind *l) {
    const rc_selection *s = &l->selection;
    return s->heads > 0 ? (s->dim * rc_dtype_bytes(RC_FP8) + rc_dtype_bytes(RC_FP32)) / s->ratio
                        : 0.0;
}

double rc_layer_growth(const rc_layer_kind *l, int tp, rc_dtype kv) {
    const double token = rc_layer_form_of(l)->kv_bytes(l, tp, kv);
    if (l->selection.ratio > 0)
        return token / l->selection.ratio + rc_layer_index_bytes(l);
    return l->window > 0 && !l->keeps_all ? 0.0 : token;
}

double rc_layer_state_bytes(const rc_layer_kind *l, int tp) {
    const rc_state_dims *s = &l->state;
    if (l->mixer != RC_MIX_STATE)
        return 0.0;
    const double heads = ceil((double)s->heads / tp), keys = ceil((double)s->key_heads / tp);
    const double inputs = 2.0 * keys * s->key_dim + heads * s->value_dim;
    const double taps = fmax(s->conv - 1.0, 0.0);
    return heads * s->key_dim * s->value_dim * rc_dtype_bytes(RC_FP32) +
           taps * inputs * rc_dtype_bytes(RC_BF16);
}

double rc_layer_kept(const rc_layer_kind *l, int tp, rc_dtype kv, double tokens, double sequences) {
    const double seen = l->keeps_all ? 0.0 : (double)rc_kind_seen(l);
    const double window = fmin(tokens, sequences * seen);
    assert(tokens >= 0.0 && sequences >= 0.0);
    return tokens * rc_layer_growth(l, tp, kv) + sequences * rc_layer_state_bytes(l, tp) +
           window * rc_layer_form_of(l)->kv_bytes(l, tp, kv);
}

/* The mean of min(keys, most) over keys from first + 1 to first + count. */
static double mean_of_least(double first, double count, double most) {
    const double below = fmin(fmax(most - first, 0.0), count); /* how many have no more */
    return (below * first + below * (below + 1.0) / 2.0 + (count - below) * most) / count;
}

double rc_layer_kept_mean(const rc_layer_kind *l, double t, double p) {
    const rc_selection *s = &l->selection;
    assert(t >= 1.0 && p >= 0.0);
    if (s->ratio == 0)
        return mean_of_least(p, t, l->window > 0 ? (double)rc_kind_seen(l) : p + t);
    const double ratio = s->ratio, most = s->top_k > 0 ? s->top_k : p + t;
    double kept = mean_of_least(p / ratio, t / ratio, most);
    return kept + (l->window > 0 ? mean_of_least(p, t, (double)rc_kind_seen(l)) : 0.0);
}
