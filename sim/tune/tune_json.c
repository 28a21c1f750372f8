/* A run as JSON.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include "sim/cost/basis.h"
#include "sim/tune/tune_internal.h"

static const char *const splits[RC_TUNE_SPLITS] = {"test", "train"};

static void put_score(rc_json *j, json_t *list, const rc_tune_rule *r, int split) {
    const rc_tune_score *s = &r->score[split];
    json_t *o = rc_json_object(j, list, NULL);
    bool rates = r->origin != RC_TUNE_TABLE && r->rule.kind != RC_RULE_EMPIRICAL;
    rc_json_text(j, o, "name", r->name);
    rc_json_real(j, o, "C", rates ? r->c : NAN);
    rc_json_real(j, o, "BW", rates ? r->bw : NAN);
    rc_json_int(j, o, "points", (int64_t)s->points);
    rc_json_real(j, o, "hit_rate", s->hit_rate);
    rc_json_real(j, o, "fit_error_mean_pct", s->mean_pct);
    rc_json_real(j, o, "fit_error_p95_pct", s->p95_pct);
    rc_json_real(j, o, "fit_error_worst_pct", s->worst_pct);
    rc_json_real(j, o, "fit_error_mean_ms", s->mean_ms);
    rc_json_real(j, o, "fit_error_p95_ms", s->p95_ms);
    rc_json_real(j, o, "fit_error_worst_ms", s->worst_ms);
    if (split == RC_TUNE_TEST) {
        rc_json_real(j, o, "expected_regret_pct", r->expected.mean_pct);
        rc_json_real(j, o, "expected_regret_p95_pct", r->expected.p95_pct);
    }
    rc_json_text(j, o, "split", splits[split]);
}

static void put_rules(const rc_tune *t, rc_json *j, json_t *root) {
    json_t *list = rc_json_list(j, root, "rules");
    for (int split = 0; split < RC_TUNE_SPLITS; split++)
        for (int i = 0; i < t->rules; i++)
            put_score(j, list, &t->rule[i], split);
    list = rc_json_list(j, root, "refit");
    for (int i = 0; i < t->rules; i++) {
        const rc_tune_rule *r = &t->rule[i];
        bool empirical = r->rule.kind == RC_RULE_EMPIRICAL;
        static const char *const names[] = {"alpha", "beta", "gamma"};
        const double value[] = {empirical ? r->rule.alpha : r->bw, r->rule.beta, r->rule.gamma};
        for (int c = 0; c < (empirical ? 3 : 1) && r->origin == RC_TUNE_REFIT; c++) {
            json_t *o = rc_json_object(j, list, NULL);
            rc_json_text(j, o, "rule", r->name);
            rc_json_text(j, o, "coefficient", empirical ? names[c] : "BW");
            rc_json_real(j, o, "value", value[c]);
            rc_json_real(j, o, "low", r->low[c]);
            rc_json_real(j, o, "high", r->high[c]);
        }
    }
    list = rc_json_list(j, root, "measured");
    for (int i = 0; i < t->rules && t->measured_count > 0; i++) {
        json_t *o = rc_json_object(j, list, NULL);
        rc_json_text(j, o, "name", t->rule[i].name);
        rc_json_int(j, o, "hits", t->rule[i].table_hits);
        rc_json_int(j, o, "rows", t->rule[i].table_rows);
        rc_json_real(j, o, "mean_regret_pct", t->rule[i].table_mean);
        rc_json_real(j, o, "worst_regret_pct", t->rule[i].table_worst);
    }
}

static void put_policies(const rc_tune *t, rc_json *j, json_t *root) {
    json_t *list = rc_json_list(j, root, "dynamic_cp");
    for (int w = 0; w < t->s.prices; w++) {
        for (int i = 0; i < t->policies; i++) {
            const rc_tune_policy *p = &t->policy[w][i];
            json_t *o = rc_json_object(j, list, NULL);
            rc_json_text(j, o, "policy", p->name);
            rc_json_real(j, o, "price", t->s.price[w]);
            rc_json_int(j, o, "points", (int64_t)p->points);
            rc_json_real(j, o, "mean_regret_pct", p->regret_pct);
            rc_json_real(j, o, "p95_regret_pct", p->p95_pct);
            rc_json_real(j, o, "worst_regret_pct", p->worst_pct);
            rc_json_real(j, o, "ttft_over_least", p->latency);
            rc_json_real(j, o, "gpu_seconds_over_least", p->gpu_seconds);
        }
    }
}

static void put_requests(const rc_tune *t, rc_json *j, json_t *root) {
    json_t *list = rc_json_list(j, root, "requests");
    for (int i = 0; i < t->request_files; i++) {
        const rc_tune_requests *r = &t->requests[i];
        json_t *o = rc_json_object(j, list, NULL);
        rc_json_text(j, o, "file", r->name);
        rc_json_int(j, o, "requests", (int64_t)r->requests);
        rc_json_int(j, o, "fit_nowhere", (int64_t)r->dropped);
        rc_json_int(j, o, "left_out", (int64_t)r->outside);
        rc_json_real(j, o, "pass_q_faster_share", r->q_share);
        json_t *rows = rc_json_list(j, o, "policies");
        for (int k = 0; k < r->rows; k++) {
            const rc_tune_served *s = &r->row[k];
            json_t *p = rc_json_object(j, rows, NULL);
            rc_json_text(j, p, "policy", s->policy);
            rc_json_real(j, p, "price", s->price);
            rc_json_real(j, p, "gpu_seconds", s->gpu_seconds);
            rc_json_real(j, p, "ttft_mean_ms", 1e3 * s->mean);
            rc_json_real(j, p, "ttft_p50_ms", 1e3 * s->p50);
            rc_json_real(j, p, "ttft_p95_ms", 1e3 * s->p95);
            rc_json_real(j, p, "cp_share", s->cp_share);
            rc_json_real(j, p, "pass_q_share", s->q_share);
        }
    }
}

static void put_side(rc_json *j, json_t *o, double t, int side) {
    rc_json_real(j, o, "t_star", t);
    if (side != 0)
        rc_json_text(j, o, "always",
                     rc_choice_name(side > 0 ? RC_CHOOSE_PASS_KV : RC_CHOOSE_PASS_Q));
}

static void put_curves(const rc_tune *t, rc_json *j, json_t *root) {
    json_t *list = rc_json_list(j, root, "crossovers");
    for (int d = 0; d < t->s.degrees; d++) {
        for (int i = 0; i < RC_TUNE_CROSSINGS && t->s.degree[d] > 1; i++) {
            const rc_tune_crossing *c = &t->crossing[d][i];
            json_t *o = rc_json_object(j, list, NULL);
            rc_json_int(j, o, "cp", t->s.degree[d]);
            rc_json_real(j, o, "length", c->length);
            put_side(j, o, c->t, c->side);
        }
    }
    list = rc_json_list(j, root, "thresholds");
    for (int d = 0; d < t->s.degrees; d++) {
        for (int k = 0; k < t->s.knots && t->s.degree[d] > 1; k++) {
            json_t *o = rc_json_object(j, list, NULL);
            rc_json_int(j, o, "cp", t->s.degree[d]);
            rc_json_real(j, o, "length", t->table.length[k]);
            rc_json_real(j, o, "t_star", t->table.variant[d][0][k]);
            rc_json_real(j, o, "low", t->table_low[d][k]);
            rc_json_real(j, o, "high", t->table_high[d][k]);
        }
    }
    list = rc_json_list(j, root, "sensitivity");
    for (int i = 0; i < t->variations; i++) {
        const rc_tune_variation *s = &t->variation[i];
        json_t *o = rc_json_object(j, list, NULL);
        rc_json_text(j, o, "what", s->what);
        rc_json_text(j, o, "label", s->label);
        rc_json_real(j, o, "x", s->x);
        put_side(j, o, s->t, s->side);
        rc_json_real(j, o, "algorithm_1", s->algorithm_1);
    }
}

rc_json *rc_tune_document(const rc_tune *t) {
    assert(t->rules <= RC_TUNE_RULES && t->policies <= RC_TUNE_POLICIES);
    rc_json *j = rc_json_create();
    json_t *root = rc_json_root(j);
    rc_json_text(j, root, "tune", t->s.name);
    rc_json_text(j, root, "description", t->s.description);
    rc_json_text(j, root, "machine", t->s.machine.name);
    rc_json_text(j, root, "model", t->s.model.name);
    rc_json_int(j, root, "tp", t->s.layout.tp);
    rc_json_int(j, root, "cells", (int64_t)t->count);
    rc_json_int(j, root, "forward_passes", (int64_t)t->passes);
    rc_json_int(j, root, "does_not_fit", (int64_t)t->not_fitting);
    rc_json_int(j, root, "lines", (int64_t)t->lines);
    rc_json_int(j, root, "lines_with_two_changes", (int64_t)t->ambiguous);
    rc_basis_json(j, root, t->rests);
    rc_json_real(j, root, "all_gather_fastest_share", t->gather_share);
    rc_json_real(j, root, "all_gather_mean_gain", t->gather_gain);
    rc_json_real(j, root, "achieved_C", rc_tune_rates(t)->achieved_c);
    rc_json_real(j, root, "achieved_BW", rc_tune_rates(t)->achieved_bw);
    put_rules(t, j, root);
    put_policies(t, j, root);
    put_requests(t, j, root);
    put_curves(t, j, root);
    return j;
}
