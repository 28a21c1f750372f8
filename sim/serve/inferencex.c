/* A run as InferenceX keeps its results: one flat object a run, times in seconds, so that a forecast
 * stands beside the runs of its dashboard. A pool that takes prompts and answers is both its
 * `prefill` and its `decode`. `framework` says that nothing was measured.
 *
 * Source of the keys: SemiAnalysisAI/InferenceX, utils/process_result.py.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include "sim/base/json.h"
#include "sim/engine/ticks.h"
#include "sim/schedule/layout.h"
#include "sim/serve/serve_report.h"

typedef struct role {
    const char *name;
    rc_pool_role other; /* the role of pools that have no part in it */
} role;

static void number(rc_json *j, json_t *to, const char *name, const char *key, int64_t v) {
    char text[64];
    (void)snprintf(text, sizeof text, "%s_%s", name, key);
    rc_json_int(j, to, text, v);
}

/* The first pool that takes part says how the model is cut; GPUs are those of all. */
static void put_role(const rc_serve *s, rc_json *j, json_t *to, const role *r) {
    const rc_pool *first = NULL;
    int64_t workers = 0, gpus = 0;
    char key[64];
    for (int i = 0; i < s->pool_count; i++) {
        const rc_pool *p = &s->pools[i];
        if (p->role == r->other)
            continue;
        first = first ? first : p;
        workers += p->replicas;
        gpus += (int64_t)p->replicas * rc_pool_gpus(p);
    }
    if (first == NULL)
        return;
    const rc_layout l = rc_pool_layout(s, first, first->cp);
    number(j, to, r->name, "tp", l.ffn_over_cp ? rc_layout_gpus(&l) : l.tp);
    number(j, to, r->name, "pp", rc_pool_stages(first));
    number(j, to, r->name, "ep", rc_layout_ep(&l));
    number(j, to, r->name, "dcp_size", rc_layout_dcp(&l));
    number(j, to, r->name, "pcp_size", l.cp);
    (void)snprintf(key, sizeof key, "%s_dp_attention", r->name);
    rc_json_bool(j, to, key, rc_layout_dp(&l) > 1);
    number(j, to, r->name, "num_workers", workers);
    (void)snprintf(key, sizeof key, "num_%s_gpu", r->name);
    rc_json_int(j, to, key, gpus);
}

static void put_times(rc_json *j, json_t *to, const char *name, const rc_hist *h) {
    static const struct {
        const char *name;
        double q;
    } at[] = {{"median", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
    char key[64];
    (void)snprintf(key, sizeof key, "mean_%s", name);
    rc_json_real(j, to, key, rc_hist_mean(h) / RC_PS_PER_S);
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        (void)snprintf(key, sizeof key, "%s_%s", at[i].name, name);
        rc_json_real(j, to, key, rc_hist_quantile(h, at[i].q) / RC_PS_PER_S);
    }
}

static int64_t gpus_of(const rc_serve *s) {
    int64_t all = 0;
    for (int i = 0; i < s->pool_count; i++)
        all += (int64_t)s->pools[i].replicas * rc_pool_gpus(&s->pools[i]);
    return all;
}

rc_status rc_serve_inferencex(const rc_serve *s, const rc_serve_result *r, const char *path,
                              bool overwrite, rc_error *err) {
    assert(s->pool_count >= 1);
    static const role roles[] = {{"prefill", RC_POOL_DECODE}, {"decode", RC_POOL_PREFILL}};
    rc_json *j = rc_json_create();
    json_t *root = rc_json_root(j);
    const int64_t gpus = gpus_of(s);
    const double seconds = (double)r->makespan / RC_PS_PER_S;
    const double each = seconds > 0.0 ? 1.0 / (seconds * (double)gpus) : NAN;
    bool apart = false;
    for (int i = 0; i < s->pool_count; i++)
        apart = apart || s->pools[i].role != RC_POOL_MIXED;
    rc_json_text(j, root, "hw", s->machine.name);
    rc_json_int(j, root, "conc", llround(r->little_l));
    rc_json_text(j, root, "model", s->model.name);
    rc_json_text(j, root, "framework", "ringcast (forecast)");
    rc_json_text(j, root, "precision", rc_dtype_name(s->layout.ffn_weights));
    rc_json_text(j, root, "spec_decoding", s->step_kinds > 0 ? "mtp" : "none");
    rc_json_bool(j, root, "disagg", apart);
    rc_json_bool(j, root, "is_multinode", gpus > s->machine.gpus_per_node);
    rc_json_int(j, root, "isl", llround(rc_hist_mean(&r->input)));
    rc_json_int(j, root, "osl", llround(rc_hist_mean(&r->output)));
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        put_role(s, j, root, &roles[i]);
    rc_json_real(j, root, "tput_per_gpu", (double)(r->tokens_in + r->tokens_out) * each);
    rc_json_real(j, root, "input_tput_per_gpu", (double)r->tokens_in * each);
    rc_json_real(j, root, "output_tput_per_gpu", (double)r->tokens_out * each);
    put_times(j, root, "ttft", &r->ttft);
    put_times(j, root, "tpot", &r->ttit);
    put_times(j, root, "itl", &r->gap);
    put_times(j, root, "e2el", &r->e2e);
    rc_json_real(j, root, "median_intvty", RC_PS_PER_S / rc_hist_quantile(&r->ttit, 0.5));
    return rc_json_finish_as(j, path, overwrite, err);
}
