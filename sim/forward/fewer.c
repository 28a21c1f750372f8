/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/fewer.h"

#include <assert.h>
#include <math.h>

static rc_status needed(const rc_section *s, const char *key, int64_t *out, rc_error *err) {
    if (!rc_section_has(s, key))
        return rc_node_fail(s->map, err, RC_E_INPUT, "missing key '%s' in 'attention'", key);
    return rc_section_whole(s, key, out, err);
}

rc_status rc_scenario_attention(const rc_section *root, rc_model *m, rc_error *err) {
    enum { FULL, WINDOW, WINDOW_GLOBAL, TOP_K };
    rc_section s;
    rc_fewer_keys how = {0};
    int pattern = FULL, keep = 0;
    int64_t heads = 0, dim = 0;
    RC_TRY(rc_section_enter(root, "attention", &s, err));
    if (!s.map)
        return RC_OK;
    RC_TRY(rc_section_choice(&s, "pattern", &pattern, err));
    RC_TRY(rc_section_choice(&s, "keep", &keep, err));
    RC_TRY(rc_section_whole(&s, "index_heads", &heads, err));
    RC_TRY(rc_section_whole(&s, "index_dim", &dim, err));
    if (pattern == FULL)
        return RC_OK;
    if (pattern == TOP_K)
        RC_TRY(needed(&s, "keys", &how.top_k, err));
    else
        RC_TRY(needed(&s, "window", &how.window, err));
    if (pattern == WINDOW_GLOBAL)
        RC_TRY(needed(&s, "global", &how.global, err));
    how.index_heads = (int)heads;
    how.index_dim = (int)dim;
    how.keeps_all = keep == 1;
    return rc_model_see_fewer(m, &how, err);
}

rc_status rc_scenario_history(const rc_section *root, rc_history *out, rc_error *err) {
    rc_section s;
    int kept = 0;
    *out = (rc_history){.share = 1.0};
    RC_TRY(rc_section_enter(root, "history", &s, err));
    if (!s.map)
        return RC_OK;
    RC_TRY(rc_section_number(&s, "share", &out->share, err));
    RC_TRY(rc_section_choice(&s, "kept", &kept, err));
    out->anew = kept == 1;
    return RC_OK;
}

rc_sequence rc_history_left(const rc_history *h, rc_sequence s) {
    const int64_t kept = (int64_t)ceil(h->share * (double)s.p);
    assert(h->share >= 0.0 && h->share <= 1.0);
    return h->anew ? (rc_sequence){s.t + kept, 0} : (rc_sequence){s.t, kept};
}
