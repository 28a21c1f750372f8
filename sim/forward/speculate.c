/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/speculate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

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
static rc_model drafter(const rc_model *m, int layers) {
    rc_model one = *m;
    one.kind[0] = m->kind[rc_model_kind_of(m, m->layers - 1)];
    for (int p = 0; p < RC_PROJS; p++) /* as quantised as its like */
        one.kind[0].stored[p].layers = one.kind[0].stored[p].layers > 0 ? layers : 0;
    one.kinds = 1;
    one.runs = 0;
    one.layers = layers;
    return one;
}

/* The product of a token's last state and its embedding, side by side, whole on every GPU. */
static rc_status joining(const rc_spec *spec, double *out, rc_error *err) {
    const int64_t tokens = rc_ceil_div((int64_t)spec->seq_count, spec->layout.cp);
    rc_cost c;
    RC_TRY(rc_cost_gemm(spec->costs, spec->layout.attn_weights, tokens, spec->model->hidden,
                        2 * spec->model->hidden, &c, err));
    *out = c.p50;
    return RC_OK;
}

static rc_status draft_time(rc_forward_ctx *ctx, const rc_spec *spec, rc_speculated *out,
                            rc_error *err) {
    const rc_model one = drafter(spec->model, 1);
    rc_spec s = *spec;
    rc_forward_timing f;
    double joined = 0.0;
    s.model = &one;
    RC_TRY(joining(spec, &joined, err));
    RC_TRY(rc_forward_time(ctx, &s, &f, err));
    out->draft = f.time + joined;
    out->kv = f.memory.kv * spec->model->nextn;
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
    const rc_model *m = spec->model;
    const rc_model one = drafter(m, 1), two = drafter(m, 2);
    if (spec->phase != RC_DECODE)
        return rc_fail(err, RC_E_INPUT, "speculation is of decode steps (phase: decode)");
    if (m->nextn == 0)
        return rc_fail(err, RC_E_INPUT, "%s has no layers that predict further tokens", m->name);
    *out = (rc_speculated){.tokens = rc_speculated_tokens(how)};
    RC_TRY(verify_time(ctx, spec, how->drafts + 1, &out->verify, err));
    RC_TRY(draft_time(ctx, spec, out, err));
    out->ttit = (out->verify + how->drafts * out->draft) / out->tokens;
    const double layer = rc_model_weight_bytes_of(&two, &spec->layout) -
                         rc_model_weight_bytes_of(&one, &spec->layout);
    const double joins = 2.0 * (double)m->hidden * (double)m->hidden;
    out->weights = m->nextn * (layer + joins * rc_dtype_bytes(spec->layout.attn_weights));
    return RC_OK;
}
