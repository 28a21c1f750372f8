/* A run as tables for people.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include "sim/base/style.h"
#include "sim/base/table.h"
#include "sim/cost/basis.h"
#include "sim/tune/tune_internal.h"

/* The answer: what the tuned rule is worth on comparisons that it was not fitted on. */
static void answer(const rc_tune *t, FILE *f) {
    for (int i = 0; i < t->rules; i++) {
        const rc_tune_score *s = &t->rule[i].score[RC_TUNE_TEST];
        if (t->rule[i].origin == RC_TUNE_TABLE)
            (void)fprintf(
                f,
                "%s%s rule: the faster ring in %.2f %% of %zu comparisons that it was not fitted "
                "on, mean regret %.4f %%, worst %.2f %%%s\n",
                rc_style_on(f, RC_STYLE_ANSWER), t->rule[i].name, 100.0 * s->hit_rate, s->points,
                s->mean_pct, s->worst_pct, rc_style_on(f, RC_STYLE_END));
    }
}

static void head(const rc_tune *t, FILE *f) {
    const rc_tune_scenario *s = &t->s;
    size_t train = 0;
    char rests[RC_BASIS_TEXT], stated[32] = "none stated";
    const rc_choose_rates *rates = rc_tune_rates(t);
    const char *caution = rc_forward_caution(&s->machine, rc_tune_schedule(RC_TUNE_GATHER),
                                             s->degree[s->degrees - 1], RC_PREFILL);
    for (size_t i = 0; i < t->count; i++)
        train += t->cells[i].train;
    (void)fprintf(f, "# tune %s: %s on %s, TP%d, CP", s->name, s->model.name, s->machine.name,
                  s->layout.tp);
    for (int d = 0; d < s->degrees; d++)
        (void)fprintf(f, "%s%d", d ? "," : " ", s->degree[d]);
    (void)fprintf(f, "\n# cells %zu (T %lld..%lld, T+P %lld..%lld, batch", t->count,
                  (long long)s->fresh.from, (long long)s->fresh.to, (long long)s->total.from,
                  (long long)s->total.to);
    for (int b = 0; b < s->batches; b++)
        (void)fprintf(f, "%s%d", b ? "," : " ", s->batch[b]);
    (void)fprintf(f, "), %zu for fitting; %zu forward passes\n", train, t->passes);
    if (rates->bw > 0.0)
        (void)snprintf(stated, sizeof stated, "%.1f", rates->bw / 1e9);
    (void)fprintf(f, "# costs of these passes: %s\n", rc_basis_text(t->rests, rests, sizeof rests));
    (void)fprintf(
        f,
        "# achieved: C %.1f TFLOP/s of %.0f, BW %.2f GB/s of %s, a GPU\n"
        "# does not fit into memory: %zu of cells x degrees; winner changes more than "
        "once along T: %zu of %zu lines\n"
        "# all-gather pass-KV is faster than both in %.1f %% of cells x degrees, there by "
        "%.1f %% on average; the rules choose between the two rings\n",
        rates->achieved_c / 1e12, rates->c / 1e12, rates->achieved_bw / 1e9, stated, t->not_fitting,
        t->ambiguous, t->lines, 100.0 * t->gather_share, 100.0 * t->gather_gain);
    if (caution)
        (void)fprintf(f, "# all-gather pass-KV %s\n", caution);
}

/* Without a bootstrap there is none. */
static void interval(const rc_tune *t, rc_table *out, const rc_tune_rule *r) {
    if (r->origin != RC_TUNE_REFIT)
        rc_table_missing(out);
    else if (r->rule.kind == RC_RULE_EMPIRICAL)
        rc_table_textf(out, "%.3f ln T %+.3f ln miss %+.3f", r->rule.alpha, r->rule.beta,
                       r->rule.gamma);
    else if (t->s.bootstrap == 0)
        rc_table_missing(out);
    else
        rc_table_textf(out, "BW %.2f..%.2f", r->low[0] / 1e9, r->high[0] / 1e9);
}

static rc_status rules(const rc_tune *t, bool csv, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"rule", "rule", "-", RC_LEFT},
        {"C", "C", "TFLOP/s", RC_RIGHT},
        {"BW", "BW", "GB/s", RC_RIGHT},
        {"points", "points", "-", RC_RIGHT},
        {"hit_pct", "right", "%", RC_RIGHT},
        {"mean", "fit error", "%", RC_RIGHT},
        {"p95", "p95", "%", RC_RIGHT},
        {"worst", "worst", "%", RC_RIGHT},
        {"mean_ms", "fit error", "ms", RC_RIGHT},
        {"worst_ms", "worst", "ms", RC_RIGHT},
        {"expected", "expected", "%", RC_RIGHT},
        {"expected_p95", "95 % below", "%", RC_RIGHT},
        {"fit", "fitted (90 %)", "", RC_LEFT},
    };
    rc_table *out = RC_TABLE_WITH(columns);
    rc_table_note(
        out, "pass-KV or pass-Q: what each rule loses on comparisons that it was not fitted on. "
             "Fit error: the loss were all costs exactly as estimated");
    if (t->s.draws > 0 && t->rules > 0)
        rc_table_note(
            out, "expected: the mean loss over %d draws of the costs, on %zu of the comparisons",
            t->s.draws, t->rule[0].expected.points);
    for (int i = 0; i < t->rules; i++) {
        const rc_tune_rule *r = &t->rule[i];
        const rc_tune_score *s = &r->score[RC_TUNE_TEST];
        bool rates = r->origin != RC_TUNE_TABLE && r->rule.kind != RC_RULE_EMPIRICAL;
        rc_table_text(out, r->name);
        rc_table_real(out, rates ? r->c / 1e12 : NAN, 0);
        rc_table_real(out, rates ? r->bw / 1e9 : NAN, 2);
        rc_table_int(out, (int64_t)s->points);
        rc_table_real(out, 100.0 * s->hit_rate, 2);
        rc_table_real(out, s->mean_pct, 4);
        rc_table_real(out, s->p95_pct, 3);
        rc_table_real(out, s->worst_pct, 2);
        rc_table_real(out, s->mean_ms, 3);
        rc_table_real(out, s->worst_ms, 1);
        rc_table_real(out, r->expected.mean_pct, 4);
        rc_table_real(out, r->expected.p95_pct, 4);
        interval(t, out, r);
    }
    return rc_table_finish(out, csv, f, err);
}

static rc_status measured(const rc_tune *t, FILE *f, rc_error *err) {
    if (t->measured_count == 0)
        return RC_OK;
    static const rc_column columns[] = {
        {"rule", "rule", "-", RC_LEFT},    {"C", "C", "TFLOP/s", RC_RIGHT},
        {"BW", "BW", "GB/s", RC_RIGHT},    {"hits", "right", "rows", RC_RIGHT},
        {"rows", "of", "rows", RC_RIGHT},  {"mean", "mean regret", "%", RC_RIGHT},
        {"worst", "worst", "%", RC_RIGHT},
    };
    rc_table *out = RC_TABLE_WITH(columns);
    rc_table_note(out, "the same rules on measured times, on which none was fitted");
    for (int i = 0; i < t->rules; i++) {
        const rc_tune_rule *r = &t->rule[i];
        bool rates = r->origin != RC_TUNE_TABLE && r->rule.kind != RC_RULE_EMPIRICAL;
        rc_table_text(out, r->name);
        rc_table_real(out, rates ? r->c / 1e12 : NAN, 0);
        rc_table_real(out, rates ? r->bw / 1e9 : NAN, 2);
        rc_table_int(out, r->table_hits);
        rc_table_int(out, r->table_rows);
        rc_table_real(out, r->table_mean, 3);
        rc_table_real(out, r->table_worst, 2);
    }
    return rc_table_finish(out, false, f, err);
}

static void side_or(rc_table *out, double t, int side) {
    if (isfinite(t))
        rc_table_real(out, t, 0);
    else
        rc_table_text(out, side > 0 ? "always KV" : side < 0 ? "always Q" : "no fit");
}

static rc_status crossings(const rc_tune *t, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"length", "T + P", "tokens", RC_RIGHT},
    };
    rc_table *out = RC_TABLE_WITH(columns);
    char name[32];
    rc_table_note(out, "number of new tokens T* from which on pass-KV is the faster ring, by the "
                       "simulator and by the tuned rule");
    for (int d = 0; d < t->s.degrees; d++) {
        if (t->s.degree[d] == 1)
            continue;
        (void)snprintf(name, sizeof name, "CP%d", t->s.degree[d]);
        rc_table_column(out, name, name, "tokens", RC_RIGHT);
        (void)snprintf(name, sizeof name, "tuned%d", t->s.degree[d]);
        rc_table_column(out, name, "tuned", "tokens", RC_RIGHT);
    }
    for (int i = 0; i < RC_TUNE_CROSSINGS; i++) {
        double length = t->crossing[t->s.degrees - 1][i].length;
        if (length <= (double)t->s.fresh.from)
            continue;
        rc_table_real(out, length, 0);
        for (int d = 0; d < t->s.degrees; d++) {
            if (t->s.degree[d] == 1)
                continue;
            side_or(out, t->crossing[d][i].t, t->crossing[d][i].side);
            double own = rc_select_threshold(&t->table, length, 1.0, t->s.degree[d]);
            if (own <= (double)t->s.fresh.from)
                rc_table_text(out, "always KV");
            else
                rc_table_real(out, own, 0);
        }
    }
    return rc_table_finish(out, false, f, err);
}

static rc_status policies(const rc_tune *t, int w, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"policy", "policy", "-", RC_LEFT},      {"points", "points", "-", RC_RIGHT},
        {"mean", "mean regret", "%", RC_RIGHT},  {"p95", "p95", "%", RC_RIGHT},
        {"worst", "worst", "%", RC_RIGHT},       {"latency", "TTFT / least", "x", RC_RIGHT},
        {"gpu", "GPU-s / least", "x", RC_RIGHT},
    };
    rc_table *out = RC_TABLE_WITH(columns);
    rc_table_note(out, "with CP at all, and of what degree: least time x nodes^%g, the unseen half",
                  t->s.price[w]);
    for (int i = 0; i < t->policies; i++) {
        const rc_tune_policy *p = &t->policy[w][i];
        rc_table_text(out, p->name);
        rc_table_int(out, (int64_t)p->points);
        rc_table_real(out, p->regret_pct, 3);
        rc_table_real(out, p->p95_pct, 2);
        rc_table_real(out, p->worst_pct, 2);
        rc_table_real(out, p->latency, 3);
        rc_table_real(out, p->gpu_seconds, 3);
    }
    return rc_table_finish(out, false, f, err);
}

static rc_status requests(const rc_tune *t, const rc_tune_requests *r, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"policy", "policy", "-", RC_LEFT},
        {"price", "price", "-", RC_RIGHT},
        {"gpu_hours", "GPU time", "GPU-h", RC_RIGHT},
        {"mean_ms", "mean TTFT", "ms", RC_RIGHT},
        {"p50_ms", "p50", "ms", RC_RIGHT},
        {"p95_ms", "p95", "ms", RC_RIGHT},
        {"cp_pct", "with CP", "%", RC_RIGHT},
        {"q_pct", "by pass-Q", "%", RC_RIGHT},
    };
    rc_table *out = RC_TABLE_WITH(columns);
    rc_table_note(out,
                  "%s: %zu requests, each alone (no queueing), %zu more left out, which the tuned "
                  "rule does not cover, %zu fit nowhere; pass-Q the faster for %.1f %% of them on "
                  "CP%d",
                  r->name, r->requests, r->outside, r->dropped, 100.0 * r->q_share,
                  t->s.degree[t->s.degrees - 1]);
    for (int i = 0; i < r->rows; i++) {
        const rc_tune_served *s = &r->row[i];
        rc_table_text(out, s->policy);
        rc_table_real(out, s->price, 1);
        rc_table_real(out, s->gpu_seconds / 3600.0, 2);
        rc_table_real(out, 1e3 * s->mean, 1);
        rc_table_real(out, 1e3 * s->p50, 1);
        rc_table_real(out, 1e3 * s->p95, 1);
        rc_table_real(out, 100.0 * s->cp_share, 1);
        rc_table_real(out, 100.0 * s->q_share, 1);
    }
    return rc_table_finish(out, false, f, err);
}

static rc_status sensitivity(const rc_tune *t, FILE *f, rc_error *err) {
    if (t->variations == 0)
        return RC_OK;
    static const rc_column columns[] = {
        {"what", "what", "-", RC_LEFT},
        {"value", "value", "", RC_LEFT},
        {"t_star", "T*", "tokens", RC_RIGHT},
        {"algorithm_1", "Algorithm 1", "tokens", RC_RIGHT},
    };
    rc_table *out = RC_TABLE_WITH(columns);
    rc_table_note(
        out,
        "what moves T*, the number of new tokens from which on pass-KV is the faster ring: "
        "CP%d, T + P = %lld, one thing changed at a time",
        t->s.sensitivity_cp, (long long)t->s.sensitivity_total);
    for (int i = 0; i < t->variations; i++) {
        const rc_tune_variation *s = &t->variation[i];
        rc_table_text(out, s->what);
        rc_table_text(out, s->label);
        side_or(out, s->t, s->side);
        rc_table_real(out, s->algorithm_1, 0);
    }
    return rc_table_finish(out, false, f, err);
}

rc_status rc_tune_print(const rc_tune *t, FILE *f, rc_error *err) {
    answer(t, f);
    head(t, f);
    RC_TRY(rules(t, false, f, err));
    RC_TRY(measured(t, f, err));
    RC_TRY(crossings(t, f, err));
    for (int w = 0; w < t->s.prices; w++)
        RC_TRY(policies(t, w, f, err));
    for (int i = 0; i < t->request_files; i++)
        RC_TRY(requests(t, &t->requests[i], f, err));
    return sensitivity(t, f, err);
}

rc_status rc_tune_csv(const rc_tune *t, FILE *f, rc_error *err) {
    return rules(t, true, f, err);
}
