/* The rules of a run, and how often and how badly each is wrong.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/quantile.h"
#include "sim/tune/tune_internal.h"
#include "sim/schedule/totals.h"

rc_status rc_tune_comparisons(const rc_tune *t, rc_tune_comparison **out, size_t *count,
                              rc_error *err) {
    size_t n = 0;
    rc_tune_comparison *d = calloc(t->count * (size_t)t->s.degrees, sizeof *d);
    if (!d)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu comparisons", t->count);
    for (size_t i = 0; i < t->count; i++) {
        const rc_tune_cell *c = &t->cells[i];
        for (int k = 0; k < t->s.degrees; k++) {
            double kv = rc_tune_time_at(t, i, k, RC_TUNE_KV);
            double q = rc_tune_time_at(t, i, k, RC_TUNE_Q);
            if (t->s.degree[k] > 1 && isfinite(kv) && isfinite(q))
                d[n++] = (rc_tune_comparison){(double)c->t,   (double)c->p,         kv, q,
                                              t->s.degree[k], t->s.batch[c->batch], k,  c->train};
        }
    }
    *out = d;
    *count = n;
    return RC_OK;
}

rc_choose_input rc_tune_input(const rc_tune *t, double fresh, double cached, int n, double c,
                              double bw) {
    return rc_choose_input_of(&t->s.model, &t->s.layout, n, fresh, cached, c, bw);
}

rc_status rc_tune_covered(const rc_tune *t, double fresh, double cached, int batch, int n,
                          rc_error *err) {
    const rc_layout *l = &t->s.layout;
    const rc_select_query q = {.machine = t->s.machine.name,
                               .model = t->s.model.name,
                               .attn_weights = l->attn_weights,
                               .ffn_weights = l->ffn_weights,
                               .kv = l->kv,
                               .tp = l->tp,
                               .n = n,
                               .t = fresh,
                               .p = cached,
                               .batch = batch};
    return rc_select_covers(&t->table, &q, "the tuned rule", err);
}

const rc_choose_rates *rc_tune_rates(const rc_tune *t) {
    assert(t->s.degrees >= 1);
    return &t->rates[t->s.degrees - 1];
}

/* A degree between two of the run's has the rates of the larger one. */
static double bandwidth(const rc_tune *t, const rc_tune_rule *r, int n) {
    int k = 0;
    while (k + 1 < t->s.degrees && t->s.degree[k] < n)
        k++;
    return r->of == RC_TUNE_BW_OWN      ? r->bw
           : r->of == RC_TUNE_BW_STATED ? t->rates[k].bw
                                        : t->rates[k].achieved_bw;
}

rc_choice rc_tune_decide(const rc_tune *t, const rc_tune_rule *r, double fresh, double cached,
                         int batch, int n) {
    assert(fresh > 0.0 && cached >= 0.0);
    assert(batch >= 1 && n >= 1);
    if (r->origin == RC_TUNE_TABLE)
        return rc_select_variant(&t->table, fresh, cached, batch, n);
    rc_choose_input in = rc_tune_input(t, fresh, cached, n, r->c, bandwidth(t, r, n));
    rc_decision d;
    return rc_choose(&r->rule, &in, &d, NULL) == RC_OK ? d.choice : RC_CHOOSE_PASS_KV;
}

/* ---- the list ------------------------------------------------------------------------------- */

static rc_tune_rule *add(rc_tune *t, const char *name, const char *suffix, double c, double bw,
                         rc_tune_bw of) {
    assert(t->rules < RC_TUNE_RULES);
    rc_tune_rule *r = &t->rule[t->rules++];
    (void)snprintf(r->name, sizeof r->name, "%s%s", name, suffix);
    (void)rc_rule_named(name, &r->rule, NULL);
    r->c = c;
    r->bw = bw;
    r->of = of;
    return r;
}

/* Whether the machine states a rate of the links at every degree. */
static bool states_rates(const rc_tune *t) {
    for (int k = 0; k < t->s.degrees; k++)
        if (!(t->rates[k].bw > 0.0))
            return false;
    return true;
}

rc_status rc_tune_list_rules(rc_tune *t, rc_error *err) {
    static const char *const names[] = {"algorithm-1", "algorithm-5"};
    for (int k = 0; k < t->s.degrees; k++)
        RC_TRY(rc_choose_rates_of(t->costs, &t->s.model, t->s.layout.tp, t->s.degree[k],
                                  &t->rates[k], err));
    const rc_choose_rates *r = rc_tune_rates(t);
    for (int i = 0; i < 2; i++) {
        if (states_rates(t))
            add(t, names[i], ":nominal", r->c, r->bw, RC_TUNE_BW_STATED);
        add(t, names[i], ":achieved-bw", r->c, r->achieved_bw, RC_TUNE_BW_ACHIEVED);
        add(t, names[i], ":achieved", r->achieved_c, r->achieved_bw, RC_TUNE_BW_ACHIEVED);
        add(t, names[i], ":refit", r->c, r->achieved_bw, RC_TUNE_BW_OWN)->origin = RC_TUNE_REFIT;
    }
    add(t, "empirical", ":published", 1.0, 1.0, RC_TUNE_BW_OWN);
    add(t, "empirical", ":refit", 1.0, 1.0, RC_TUNE_BW_OWN)->origin = RC_TUNE_REFIT;
    add(t, "tuned", "", 1.0, 1.0, RC_TUNE_BW_OWN)->origin = RC_TUNE_TABLE;
    return RC_OK;
}

/* ---- scores --------------------------------------------------------------------------------- */

static double mean(const double *v, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return sum / (double)n;
}

rc_tune_score rc_tune_score_of(double *pct, double *ms, size_t n, size_t hits) {
    assert(hits <= n);
    rc_tune_score s = {.points = n};
    if (n == 0)
        return s;
    rc_sort(pct, n);
    rc_sort(ms, n);
    s.hit_rate = (double)hits / (double)n;
    s.mean_pct = mean(pct, n);
    s.p95_pct = rc_nearest_rank(pct, n, 0.95);
    s.worst_pct = pct[n - 1];
    s.mean_ms = mean(ms, n);
    s.p95_ms = rc_nearest_rank(ms, n, 0.95);
    s.worst_ms = ms[n - 1];
    return s;
}

static rc_tune_score score(const rc_tune *t, const rc_tune_rule *r,
                           const rc_tune_comparison *comparisons, size_t count, bool train,
                           double *pct, double *ms) {
    size_t n = 0, hits = 0;
    for (size_t i = 0; i < count; i++) {
        const rc_tune_comparison *d = &comparisons[i];
        if (d->train != train)
            continue;
        rc_choice c = rc_tune_decide(t, r, d->t, d->p, d->batch, d->n);
        double best = fmin(d->kv, d->q), own = c == RC_CHOOSE_PASS_KV ? d->kv : d->q;
        hits += own <= best;
        pct[n] = 100.0 * (own / best - 1.0);
        ms[n++] = 1e3 * (own - best);
    }
    return rc_tune_score_of(pct, ms, n, hits);
}

rc_status rc_tune_score_rules(rc_tune *t, const rc_tune_comparison *comparisons, size_t count,
                              rc_error *err) {
    double *scratch = calloc(2 * count + 1, sizeof *scratch);
    if (!scratch)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu regrets", count);
    for (int i = 0; i < t->rules; i++)
        for (int split = 0; split < RC_TUNE_SPLITS; split++)
            t->rule[i].score[split] = score(t, &t->rule[i], comparisons, count,
                                            split == RC_TUNE_TRAIN, scratch, scratch + count);
    free(scratch);
    return RC_OK;
}
