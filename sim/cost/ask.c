/* Look-ups of well-known ops: their sizes by name, for rc_cost_op.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>

#include "sim/cost/cost.h"

rc_status rc_cost_gemm(const rc_costs *c, rc_dtype d, int64_t m, int64_t n, int64_t k, rc_cost *out,
                       rc_error *err) {
    rc_axes at = {{[RC_AXIS_TOKENS] = m, [RC_AXIS_OUTPUTS] = n, [RC_AXIS_INPUTS] = k}};
    return rc_cost_op(c, RC_COST_GEMM, d, &at, out, err);
}

static rc_axes axes_of(const rc_heads *h) {
    return (rc_axes){{[RC_AXIS_QUERY_HEADS] = h->query,
                      [RC_AXIS_KV_HEADS] = h->kv,
                      [RC_AXIS_HEAD_K] = h->key_size,
                      [RC_AXIS_HEAD_V] = h->value_size}};
}

rc_status rc_cost_attention_alike(const rc_costs *c, rc_dtype d, int causal, int64_t sequences,
                                  int64_t tq, int64_t tk, rc_heads heads, rc_cost *out,
                                  rc_error *err) {
    rc_axes at = axes_of(&heads);
    assert(sequences >= 1);
    at.at[RC_AXIS_QUERIES] = tq;
    at.at[RC_AXIS_KEYS] = tk;
    at.at[RC_AXIS_SEQUENCES] = sequences;
    rc_op op = !causal ? RC_COST_FULL : tk > tq ? RC_COST_PREFIX : RC_COST_SQUARE;
    RC_TRY(rc_cost_op(c, op, d, &at, out, err));
    if (sequences > 1)
        out->basis = out->basis > RC_MODELLED ? out->basis : RC_MODELLED;
    return RC_OK;
}

rc_status rc_cost_attention(const rc_costs *c, rc_dtype d, int causal, int64_t tq, int64_t tk,
                            rc_heads heads, rc_cost *out, rc_error *err) {
    return rc_cost_attention_alike(c, d, causal, 1, tq, tk, heads, out, err);
}

/* Tiles of keys are read whole: on either side of the window that a tile of queries sees, one more. */
rc_status rc_cost_attention_within(const rc_costs *c, rc_dtype d, int64_t tq, int64_t tk,
                                   int64_t window, rc_heads heads, rc_cost *out, rc_error *err) {
    enum { TILE = 128 };
    rc_cost whole;
    assert(window >= 1);
    RC_TRY(rc_cost_attention(c, d, 1, tq, tk, heads, out, err));
    if (window >= tk)
        return RC_OK;
    whole = *out;
    RC_TRY(
        rc_cost_attention(c, d, 0, tq, window + TILE < tk ? window + TILE : tk, heads, out, err));
    if (out->p50 > whole.p50)
        *out = whole;
    out->basis = out->basis > RC_MODELLED ? out->basis : RC_MODELLED;
    return RC_OK;
}

rc_status rc_cost_attention_fused(const rc_costs *c, rc_dtype d, int64_t rows, int64_t entries,
                                  const rc_cost *longest, rc_heads heads, rc_cost *out,
                                  rc_error *err) {
    assert(longest != NULL && rows >= 1 && entries >= 0);
    int64_t keys = entries / rows + (entries % rows != 0);
    RC_TRY(rc_cost_attention(c, d, 0, rows, keys > 0 ? keys : 1, heads, out, err));
    out->p50 = fmax(out->p50, longest->p50);
    out->basis = out->basis > RC_MODELLED ? out->basis : RC_MODELLED;
    return RC_OK;
}

rc_status rc_cost_decode(const rc_costs *c, rc_dtype d, int64_t batch, int64_t context,
                         rc_heads heads, rc_cost *out, rc_error *err) {
    rc_axes at = axes_of(&heads);
    at.at[RC_AXIS_BATCH] = batch;
    at.at[RC_AXIS_CONTEXT] = context;
    return rc_cost_op(c, RC_COST_DECODE, d, &at, out, err);
}

rc_status rc_cost_decode_ragged(const rc_costs *c, rc_dtype d, int64_t batch, int64_t context,
                                int64_t longest, rc_heads heads, rc_cost *out, rc_error *err) {
    rc_axes at = axes_of(&heads);
    assert(longest >= context);
    at.at[RC_AXIS_BATCH] = batch;
    at.at[RC_AXIS_CONTEXT] = context;
    at.at[RC_AXIS_LONGEST] = longest;
    RC_TRY(rc_cost_op(c, RC_COST_DECODE, d, &at, out, err));
    out->basis = out->basis > RC_MODELLED ? out->basis : RC_MODELLED;
    return RC_OK;
}

rc_status rc_cost_merge(const rc_costs *c, int64_t rows, int parts, int value_size, rc_cost *out,
                        rc_error *err) {
    rc_axes at = {{[RC_AXIS_ROWS] = rows, [RC_AXIS_PARTS] = parts, [RC_AXIS_HEAD_V] = value_size}};
    return rc_cost_op(c, RC_COST_MERGE, RC_BF16, &at, out, err);
}

static rc_status no_such_op(const char *name, rc_error *err) {
    const char *names[RC_OPS_MAX + 1] = {NULL};
    for (rc_op op = 0; op < rc_op_count(); op++)
        names[op] = rc_op_info_of(op)->name;
    const char *near = rc_nearest(name, names);
    return rc_fail(err, RC_E_INPUT, "'%.40s' is no op%s%s%s", name, near ? "; did you mean '" : "",
                   near ? near : "", near ? "'?" : "");
}

rc_status rc_cost_named(const rc_costs *c, const char *name, rc_dtype d, const rc_axes *at,
                        rc_cost *out, rc_error *err) {
    assert(c != NULL && name != NULL && at != NULL);
    rc_op op = rc_op_named(name);
    return op < rc_op_count() ? rc_cost_op(c, op, d, at, out, err) : no_such_op(name, err);
}
