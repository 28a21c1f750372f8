/* A model whose queries see fewer keys than its file says.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>

#include "sim/model/model.h"

static bool sees_all(const rc_layer_kind *l) {
    return (l->mixer == RC_MIX_ATTENTION || l->mixer == RC_MIX_LATENT) && l->heads > 0 &&
           l->window == 0 && l->selection.ratio == 0;
}

rc_status rc_model_see_fewer(rc_model *m, const rc_fewer_keys *how, rc_error *err) {
    bool some = false;
    assert(how->window >= 0 && how->top_k >= 0 && (how->window == 0 || how->top_k == 0));
    for (int k = 0; k < m->kinds; k++) {
        rc_layer_kind *l = &m->kind[k];
        if (!sees_all(l))
            continue;
        some = true;
        l->window = how->window;
        l->global = how->global;
        l->keeps_all = how->keeps_all;
        if (how->top_k > 0)
            l->selection = (rc_selection){.heads = how->index_heads,
                                          .dim = how->index_dim,
                                          .top_k = (int)how->top_k,
                                          .ratio = 1};
    }
    return some ? RC_OK
                : rc_fail(err, RC_E_INPUT, "no layer of %s has queries that see all keys", m->name);
}
