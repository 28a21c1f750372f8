/* Speculative decoding, with a model's own layers that predict further tokens (multi-token prediction) or with a
 * model that drafts.
 *
 * A step drafts k tokens one after the other, each by a pass of one such layer, with the product before
 * it and the LM head behind it, or by a pass of the model that drafts, and verifies them in one pass of the model
 * over k + 1 tokens of every sequence, which reads each key once for all of them. With every draft accepted with probability a
 * where those before it were, a step makes (1 - a^(k+1)) / (1 - a) tokens.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_SPECULATE_H
#define RC_FORWARD_SPECULATE_H
#include "sim/forward/forward.h"

typedef struct rc_speculation {
    int drafts; /* k; 0: none */
    double acceptance;
} rc_speculation;

typedef struct rc_speculated {
    double verify, draft; /* s of the pass that verifies, and of one draft */
    double tokens;        /* of a step, expected */
    double ttit;          /* s a token */
    double weights, kv;   /* bytes of the layers that draft, on one GPU */
} rc_speculated;

/* What drafts a token. */
typedef struct rc_drafter {
    rc_model model; /* that is passed through for one */
    bool joins;     /* behind the product of a token's last state and its embedding */
    int copies;     /* of the model that are kept */
} rc_drafter;
/* The own layers of *m: each like its last one. RC_E_INPUT: it has none. */
rc_status rc_drafter_own(const rc_model *m, rc_drafter *out, rc_error *err);
double rc_drafter_weights(const rc_drafter *d, const rc_layout *l); /* bytes on one GPU */
/* A draft, behind the tokens of a pass `spec`. */
rc_status rc_draft_time(rc_forward_ctx *ctx, const rc_spec *spec, const rc_drafter *d,
                        rc_forward_timing *out, rc_error *err);

/* Expected tokens of a step. */
double rc_speculated_tokens(const rc_speculation *how);
/* `spec` is a plain decode step. RC_E_INPUT for another phase or a model without such layers. */
rc_status rc_speculate(rc_forward_ctx *ctx, const rc_spec *spec, const rc_speculation *how,
                       rc_speculated *out, rc_error *err);

#endif
