/* Tokens to the GPUs of their experts, and their results back.
 *
 * A token goes once to each other GPU that has one of its experts (rc_expert_ranks), so a GPU sends
 * less than an all-to-all of whole buffers would.
 *
 * Inside a node the surfaces of published rows answer (surface.h), of kernels for many tokens and of
 * low-latency ones: the faster, for engines take the latter for the few tokens of a decode step. What a
 * time has beyond the plan's start follows the rate of the links over that of the base. Rows are of
 * eight GPUs: groups of other sizes take the plan of as many copies as a token has there, and are
 * RC_MODELLED. Elements of another size than the rows' take as long as the same bytes.
 *
 * Elsewhere the bytes are priced as an all-to-all of a buffer of which as much leaves the GPU. What a
 * kernel of its own gains or loses over that is not known: RC_MODELLED.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "sim/cost/costs.h"
#include "sim/cost/rules.h"
#include "sim/cost/surface.h"

static const double FAR = 0.5; /* of a kriging variance: there rows say little */

static void answer(const rc_costs *c, const rc_surface *s, const rc_surface_answer *found,
                   int64_t ranks, rc_cost *out) {
    double t = exp(found->y), start = rc_least(s->constants[0], t);
    double links = c->m.nvlink_ratio > 0.0 ? c->m.nvlink_ratio : 1.0;
    double own = s->error * sqrt(found->variance);
    *out = (rc_cost){.p50 = start + (t - start) / links, .spread = own, .own = own};
    out->basis = found->variance > FAR ? rc_worse(s->basis, RC_EXTRAPOLATED) : s->basis;
    if (links != 1.0) {
        out->basis = rc_worse(out->basis, RC_TRANSFERRED);
        out->spread = hypot(own, c->m.ratio_spread);
    }
    if (ranks != s->ranks)
        out->basis = RC_MODELLED;
}

/* The type whose rows an op has: dispatch was published in fp8, combine in bf16. */
static const rc_surface *surface_of(const rc_costs *c, rc_op op, const char *variant,
                                    const rc_axes *at, rc_surface_answer *found) {
    return rc_surface_near(c->book, op, RC_BF16, variant, at, found);
}

rc_status rc_price_expert_row(const rc_costs *c, const rc_row *row, const rc_axes *at, rc_op op,
                              rc_cost *out, rc_error *err) {
    rc_surface_answer found;
    const rc_surface *s = surface_of(c, op, row->variant, at, &found);
    if (s == NULL)
        return rc_cost_no_rows(c, row->op, err);
    answer(c, s, &found, row->c, out);
    return RC_OK;
}

/* The faster of the kernels that have rows; false without any. */
static bool inside_node(const rc_costs *c, rc_op op, const rc_expert_transfer *x, rc_cost *out) {
    static const char *const variants[] = {"normal", "low_latency"};
    const double rows = strcmp(rc_op_info_of(op)->name, "ep_dispatch") == 0 ? 1.0 : 2.0;
    rc_axes at = {{[RC_AXIS_TOKENS] = x->tokens,
                   [RC_AXIS_WIDTH] = llround((double)x->width * x->element / rows),
                   [RC_AXIS_RANKS] = x->ranks,
                   [RC_AXIS_NODES] = 1,
                   [RC_AXIS_EXPERTS] = x->experts,
                   [RC_AXIS_TOP_K] = x->top_k}};
    bool known = false;
    for (int i = 0; i < 2 && at.at[RC_AXIS_WIDTH] >= 1; i++) {
        rc_surface_answer found;
        rc_cost cost;
        const rc_surface *s = surface_of(c, op, variants[i], &at, &found);
        if (s == NULL)
            continue;
        answer(c, s, &found, x->ranks, &cost);
        if (!known || cost.p50 < out->p50)
            *out = cost;
        known = true;
    }
    return known;
}

rc_status rc_cost_expert_transfer(const rc_costs *c, const char *op, const rc_expert_transfer *x,
                                  rc_cost *out, rc_error *err) {
    assert(c != NULL && op != NULL && x != NULL && out != NULL);
    if (x->ranks < 1 || x->nodes < 1 || x->tokens < 0 || x->top_k < 1 || x->experts < x->top_k)
        return rc_fail(err, RC_E_INPUT, "%s: %lld tokens to %d of %d experts on %d GPUs", op,
                       (long long)x->tokens, x->top_k, x->experts, x->ranks);
    if (x->ranks == 1 || x->tokens == 0)
        return rc_cost_nothing(out);
    if (x->nodes == 1 && x->ranks <= 8 && inside_node(c, rc_op_named(op), x, out))
        return RC_OK;
    double sent = (double)x->tokens * (double)x->width * x->element *
                  rc_expert_ranks(x->experts, x->top_k, x->ranks);
    rc_transfer t = {.bytes = sent * x->ranks / (x->ranks - 1),
                     .ranks = x->ranks,
                     .nodes = x->nodes,
                     .abreast = x->abreast};
    RC_TRY(rc_cost_collective(c, "all_to_all", &t, out, err));
    out->basis = out->basis > RC_MODELLED ? out->basis : RC_MODELLED;
    return RC_OK;
}
