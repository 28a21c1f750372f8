/* Forms of layers: what a layer holds, multiplies and emits.
 *
 * A model says of each kind of its layers the form and the numbers (rc_layer_kind in
 * sim/model/model.h). The form is a value, one file layer_NAME.c, and stands on one line in the
 * table of layer_forms.c: its functions turn the numbers into matrices, bytes of KV and live
 * activations of one GPU, and into the tasks before and after attention. Attention itself belongs
 * to the schedule, which needs of a layer its heads and nothing else. Sums over all layers of a
 * model are in totals.h and pass_memory.h.
 *
 * All functions are for one GPU of a group of `tp` GPUs that is cut by tensor parallelism; with tp
 * 1 that is the whole layer. Counts and bytes are doubles that hold whole numbers exactly.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_LAYER_H
#define RC_SCHEDULE_LAYER_H
#include "sim/base/error.h"
#include "sim/model/model.h"
#include "sim/schedule/layout.h"

struct rc_builder; /* sim/schedule/builder.h */

/* One matrix of weights: every token that passes the layer is multiplied with all of it. */
typedef struct rc_matrix {
    rc_proj proj;         /* what the checkpoint says of its storage goes by this; those before
                             RC_GATE are stored in the type of attention, the others in the FFN's */
    double rows, columns; /* outputs x inputs */
    double copies;        /* matrices of this shape; 0 stands for one */
    double used;          /* of these, how many a token passes; 0 stands for all */
} rc_matrix;
static inline double rc_matrix_copies(const rc_matrix *x) {
    return x->copies > 0.0 ? x->copies : 1.0;
}
static inline double rc_matrix_used(const rc_matrix *x) {
    return x->used > 0.0 ? x->used : rc_matrix_copies(x);
}

/* At most so many matrices does a layer have. */
enum { RC_MATRICES = 16 };

typedef struct rc_layer_form {
    const char *name; /* as rc_layer_kind.form has it */
    /* What attention sees; of 0 query heads where the layer has no attention. */
    rc_heads (*heads)(const rc_layer_kind *l, int tp);
    /* Fills out[]; how many there are. */
    int (*matrices)(const rc_model *m, const rc_layer_kind *l, int tp, rc_matrix out[RC_MATRICES]);
    /* Weights beside the matrices, kept in bf16: norms and biases. */
    double (*vectors)(const rc_model *m, const rc_layer_kind *l, int tp);
    /* Bytes that one token leaves in the KV cache. */
    double (*kv_bytes)(const rc_layer_kind *l, int tp, rc_dtype kv);
    /* Bytes of the largest set of activations that live at one time, for each token. */
    double (*live_bytes)(const rc_model *m, const rc_layer_kind *l, const rc_layout *cut);
    /* Emit, on every simulated GPU, from the residual stream to queries, keys and values, and from
     * the output of attention back to the residual stream. */
    void (*before)(struct rc_builder *b);
    void (*after)(struct rc_builder *b);
} rc_layer_form;

/* Attention to chosen latents, each token with one of its own and without a window (DeepSeek's). */
static inline bool rc_selects_latents(const rc_layer_kind *l) {
    return l->mixer == RC_MIX_LATENT && l->selection.ratio == 1 && l->window == 0;
}
/* The form of a kind of layer that rc_layers_check has passed. */
const rc_layer_form *rc_layer_form_of(const rc_layer_kind *l);
/* Every kind of the model has a form of the table: RC_E_UNMODELLED names one that there is not. */
rc_status rc_layers_check(const rc_model *m, rc_error *err);
/* rc_model_load and rc_layers_check: how a model comes to whatever asks for its forms. */
rc_status rc_model_open(const char *path, rc_model *out, rc_error *err);
/* rc_layers_check; and tp and cp are at least 1, tp divides the query heads of every kind, and its
 * KV heads are a multiple of tp or divide it (of latents: tp divides the heads); ep divides tp, or is a
 * multiple of it that divides tp x cp, and divides the experts of every kind; RC_E_INPUT names the
 * numbers. */
rc_status rc_layout_check(const rc_model *m, const rc_layout *l, rc_error *err);

#endif
