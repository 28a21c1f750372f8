/* Attention and decode: prices from the curves of the base.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "sim/cost/prefix.h"
#include "sim/cost/rules.h"

/* Types of Q, K and V of which there are rows. */
static rc_status check_type(rc_dtype d, rc_error *err) {
    if (d == RC_BF16 || d == RC_FP8)
        return RC_OK;
    return rc_fail(err, RC_E_UNMODELLED, "attention in %s has not been measured: bf16 or fp8",
                   rc_dtype_name(d));
}

/* "head dimension 128", "head dimensions 192 (keys) and 128 (values), window 4096" */
static const char *sizes_text(const rc_axes *at, char *buf, size_t size) {
    long long k = (long long)at->at[RC_AXIS_HEAD_K], v = (long long)at->at[RC_AXIS_HEAD_V];
    long long window = (long long)at->at[RC_AXIS_WINDOW];
    char heads[96], limit[48] = "";
    if (k == v)
        (void)snprintf(heads, sizeof heads, "head dimension %lld", k);
    else
        (void)snprintf(heads, sizeof heads, "head dimensions %lld (keys) and %lld (values)", k, v);
    if (window > 0)
        (void)snprintf(limit, sizeof limit, ", window %lld", window);
    (void)snprintf(buf, size, "%s%s", heads, limit);
    return buf;
}

/* Why no curve of `op` was found: other head sizes or another window than those that were measured,
 * or no rows at all. */
static rc_status not_found(const rc_costs *c, const rc_asked *a, rc_op op, const char *what,
                           rc_error *err) {
    char text[64], asked[160], measured[160];
    size_t n;
    const rc_grid *g = rc_book_grids(c->book, op, &n);
    (void)snprintf(text, sizeof text, "%s in %s", what, rc_dtype_name(a->d));
    for (size_t i = 0; i < n; i++)
        if (g[i].dtype == a->d)
            return rc_fail(err, RC_E_UNMODELLED,
                           "%s with %s has not been measured: there are rows of %s", text,
                           sizes_text(a->at, asked, sizeof asked),
                           sizes_text(&g[i].fixed, measured, sizeof measured));
    return rc_cost_no_rows(c, a->d == RC_BF16 ? what : text, err);
}

rc_status rc_price_full(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    rc_heads_of_call heads = {.dtype = a->d, .at = *a->at};
    double q = (double)a->at->at[RC_AXIS_QUERIES], k = (double)a->at->at[RC_AXIS_KEYS];
    rc_probe p;
    RC_TRY(check_type(a->d, err));
    if (!rc_full_at(c->book, q, k, &heads, &p))
        return not_found(c, a, RC_COST_FULL, "attention (full)", err);
    return rc_answer(c, a, &p, out, err);
}

rc_status rc_price_causal(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    rc_axes at = *a->at;
    rc_probe p;
    RC_TRY(check_type(a->d, err));
    bool blind = at.at[RC_AXIS_KEYS] < at.at[RC_AXIS_QUERIES]; /* the first queries see no key */
    if (blind)
        at.at[RC_AXIS_QUERIES] = at.at[RC_AXIS_KEYS];
    rc_heads_of_call heads = {.dtype = a->d, .at = at};
    double q = (double)at.at[RC_AXIS_QUERIES], k = (double)at.at[RC_AXIS_KEYS];
    if (!rc_causal_at(c->book, q, k, &heads, &p)) {
        size_t squares;
        (void)rc_book_grids(c->book, RC_COST_SQUARE, &squares);
        return not_found(c, a, squares > 0 ? RC_COST_SQUARE : RC_COST_FULL, "attention (causal)",
                         err);
    }
    if (blind)
        p.basis = RC_MODELLED;
    rc_asked seen = {a->op, a->rows, a->d, &at};
    return rc_answer(c, &seen, &p, out, err);
}

rc_status rc_price_decode(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    double batch = (double)a->at->at[RC_AXIS_BATCH], context = (double)a->at->at[RC_AXIS_CONTEXT];
    double hkv = (double)a->at->at[RC_AXIS_KV_HEADS];
    rc_basis heads;
    rc_probe p;
    RC_TRY(check_type(a->d, err));
    const rc_grid *g = rc_book_heads(c->book, a->rows, a->d, a->at, &heads);
    if (g == NULL)
        return not_found(c, a, a->rows, "decode", err);
    /* KV heads are streams of their own, as sequences are. */
    double streams = batch * hkv / (double)g->fixed.at[RC_AXIS_KV_HEADS];
    rc_grid_at(&g->curves, log(streams), log(context), &p);
    p.basis = rc_worse(p.basis, heads);
    return rc_answer(c, a, &p, out, err);
}
