/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/speculate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "sim/engine/engine.h"
#include "sim/schedule/kept.h"
#include "sim/schedule/totals.h"

double rc_speculated_tokens(const rc_speculation *how) {
    double tokens = 0.0, chance = 1.0;
    assert(how->drafts >= 0 && how->acceptance >= 0.0 && how->acceptance <= 1.0);
    for (int i = 0; i <= how->drafts; i++, chance *= how->acceptance)
        tokens += chance;
    return tokens;
}

/* A model of `layers` layers like the last one of *m. */
static void like_last(const rc_model *m, int layers, rc_model *out) {
    *out = *m;
    out->kind[0] = m->kind[rc_model_kind_of(m, m->layers - 1)];
    for (int p = 0; p < RC_PROJS; p++) /* as quantised as its like */
        out->kind[0].stored[p].layers = out->kind[0].stored[p].layers > 0 ? layers : 0;
    out->kinds = 1;
    out->runs = 0;
    out->layers = layers;
}

rc_status rc_drafter_own(const rc_model *m, rc_drafter *out, rc_error *err) {
    if (m->nextn == 0)
        return rc_fail(err, RC_E_INPUT, "%s has no layers that predict further tokens", m->name);
    like_last(m, 1, &out->model);
    out->joins = true;
    out->copies = m->nextn;
    return RC_OK;
}

/* Own layers have the model's embedding and LM head. */
double rc_drafter_weights(const rc_drafter *d, const rc_layout *l) {
    const rc_model *m = &d->model;
    rc_model two;
    if (!d->joins)
        return d->copies * rc_model_weight_bytes_of(m, l);
    like_last(m, 2, &two);
    const double layer = rc_model_weight_bytes_of(&two, l) - rc_model_weight_bytes_of(m, l);
    const double joins = 2.0 * (double)m->hidden * (double)m->hidden;
    return d->copies * (layer + joins * rc_dtype_bytes(l->attn_weights));
}

/* The product of a token's last state and its embedding, side by side, whole on every GPU. */
static rc_status joining(const rc_spec *spec, double *out, rc_error *err) {
    int64_t tokens = 0;
    rc_cost c;
    for (size_t i = 0; i < spec->seq_count; i++)
        tokens += spec->seqs[i].t;
    RC_TRY(rc_cost_gemm(spec->costs, spec->layout.attn_weights,
                        rc_ceil_div(tokens, spec->layout.cp), spec->model->hidden,
                        2 * spec->model->hidden, &c, err));
    *out = c.p50;
    return RC_OK;
}

rc_status rc_draft_time(rc_forward_ctx *ctx, const rc_spec *spec, const rc_drafter *d,
                        rc_forward_timing *out, rc_error *err) {
    rc_spec s = *spec;
    double joined = 0.0;
    s.model = &d->model;
    if (d->joins)
        RC_TRY(joining(spec, &joined, err));
    RC_TRY(rc_forward_time(ctx, &s, out, err));
    out->time += joined;
    out->ticks += llround(joined * RC_PS_PER_S);
    return RC_OK;
}

static rc_status verify_time(rc_forward_ctx *ctx, const rc_spec *spec, int tokens, double *out,
                             rc_error *err) {
    const size_t rows = (size_t)tokens;
    rc_spec s = *spec;
    rc_forward_timing f;
    rc_sequence *seqs = malloc(spec->seq_count * rows * sizeof *seqs);
    if (!seqs)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu sequences", spec->seq_count * rows);
    for (size_t i = 0; i < spec->seq_count * rows; i++)
        seqs[i] = spec->seqs[i / rows];
    s.seqs = seqs;
    s.seq_count *= rows;
    s.verified = tokens;
    rc_status st = rc_forward_time(ctx, &s, &f, err);
    free(seqs);
    *out = st == RC_OK ? f.time : 0.0;
    return st;
}

rc_status rc_speculate(rc_forward_ctx *ctx, const rc_spec *spec, const rc_speculation *how,
                       rc_speculated *out, rc_error *err) {
    assert(how->drafts >= 1);
    rc_drafter own;
    rc_forward_timing draft;
    if (spec->phase != RC_DECODE)
        return rc_fail(err, RC_E_INPUT, "speculation is of decode steps (phase: decode)");
    RC_TRY(rc_drafter_own(spec->model, &own, err));
    *out = (rc_speculated){.tokens = rc_speculated_tokens(how)};
    RC_TRY(verify_time(ctx, spec, how->drafts + 1, &out->verify, err));
    RC_TRY(rc_draft_time(ctx, spec, &own, &draft, err));
    out->draft = draft.time;
    out->kv = draft.memory.kv * own.copies;
    out->ttit = (out->verify + how->drafts * out->draft) / out->tokens;
    out->weights = rc_drafter_weights(&own, &spec->layout);
    return RC_OK;
}
