/* Halves of a layer: what mixes tokens, and the FFN behind it. A form of the table of layer_forms.c
 * that is made of two halves finds them by the numbers of its kind (layer_mixed.c).
 *
 * As in layer.h, all functions are for one GPU of a group of `tp` GPUs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_HALF_H
#define RC_SCHEDULE_HALF_H
#include "sim/schedule/builder.h"

typedef struct rc_half {
    /* Fills out[]; how many there are. A layer has at most RC_MATRICES. */
    int (*matrices)(const rc_model *m, const rc_layer_kind *l, int tp, rc_matrix *out);
    /* Norms and biases of the half, but for norms of the residual stream. */
    double (*vectors)(const rc_model *m, const rc_layer_kind *l, int tp);
    /* Bytes of the largest set of activations that live at one time, for each token, beside the
     * residual stream. */
    double (*live_bytes)(const rc_model *m, const rc_layer_kind *l, const rc_layout *cut);
    void (*before)(rc_builder *b); /* up to attention; NULL: nothing. An FFN has none */
    void (*after)(rc_builder *b);
} rc_half;

extern const rc_half rc_mixer_attention, rc_mixer_latent, rc_mixer_state;
extern const rc_half rc_ffn_plain; /* with a gate or without */
extern const rc_half rc_ffn_experts;

/* mixer_attention.c: heads of one GPU, of grouped queries. */
rc_heads rc_grouped_heads(const rc_layer_kind *l, int tp);
/* The largest of `count` numbers. */
double rc_largest(const double *of, int count);

#endif
