/* Tokens to the GPUs of their experts, and their results back.
 *
 * A token goes once to each other GPU that has one of its experts (rc_expert_ranks), so a GPU sends
 * less than an all-to-all of whole buffers would; its bytes are priced as an all-to-all of a buffer of
 * which as much leaves the GPU. What a kernel of its own for such transfers gains or loses over that
 * is not known without rows: RC_MODELLED.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>

#include "sim/cost/costs.h"

rc_status rc_cost_expert_transfer(const rc_costs *c, const char *op, const rc_expert_transfer *x,
                                  rc_cost *out, rc_error *err) {
    assert(c != NULL && op != NULL && x != NULL && out != NULL);
    if (x->ranks < 1 || x->nodes < 1 || x->tokens < 0 || x->top_k < 1 || x->experts < x->top_k)
        return rc_fail(err, RC_E_INPUT, "%s: %lld tokens to %d of %d experts on %d GPUs", op,
                       (long long)x->tokens, x->top_k, x->experts, x->ranks);
    if (x->ranks == 1 || x->tokens == 0)
        return rc_cost_nothing(out);
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
