/* The answer of a plan as text, as JSON, and as a scenario of `ringcast serve`.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sim/base/file.h"
#include "sim/base/json.h"
#include "sim/base/quote.h"
#include "sim/base/style.h"
#include "sim/base/table.h"
#include "sim/cost/basis.h"
#include "sim/base/find.h"
#include "sim/model/notes.h"
#include "sim/plan/plan_file.h"
#include "sim/plan/plan_internal.h"

static const char *const resources[RC_PLAN_RESOURCES] = {"prefill", "decode", "network", "memory"};
static const char *const stands_for[RC_PLAN_RESOURCES] = {"matrix rate", "HBM rate", "network rate",
                                                          "memory"};

#define LEAST_GAIN 0.01 /* of margin: what other request meets which changes as much */

/* The resource of which a quarter more adds the most margin; -1: none adds 1 %. */
static int binding(const rc_plan_answer *a) {
    int most = -1;
    for (int i = 0; i < RC_PLAN_RESOURCES; i++)
        if (a->slack[i] > LEAST_GAIN && (most < 0 || a->slack[i] > a->slack[most]))
            most = i;
    return most;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void print_counts(const rc_plan_file *f, const rc_plan_answer *a) {
    printf("# plan %s: %s on %d offer%s, rate x %g\n", f->plan.name, f->plan.model.name,
           f->plan.offer_count, f->plan.offer_count > 1 ? "s" : "", f->plan.growth);
    printf("considered %lld configurations\n", (long long)a->considered);
    for (int i = 1; i < RC_CUT_COUNT; i++)
        if (a->cut[i] > 0)
            printf("  cut by %-8s %lld\n", rc_plan_cut_name((rc_plan_cut)i), (long long)a->cut[i]);
    printf(
        "simulated %lld with the whole workload; %lld left out, as the same with more replicas "
        "failed\n%lld cheaper than the best were not simulated; an estimate says that %lld of them "
        "would hold\n",
        (long long)a->simulated, (long long)a->excluded, (long long)a->open, (long long)a->hopeful);
}

static rc_status print_objectives(const rc_plan_file *f, const rc_plan_answer *a, rc_error *err) {
    assert(a->best >= 0 && (size_t)a->best < a->all_count);
    static const rc_column columns[] = {
        {"objective", "objective", "", RC_LEFT}, {"value_s", "value", "s", RC_RIGHT},
        {"lo_s", "least", "s", RC_RIGHT},        {"hi_s", "most", "s", RC_RIGHT},
        {"margin_pct", "margin", "%", RC_RIGHT},
    };
    const rc_plan_result *b = &a->all[a->best];
    rc_table *t = RC_TABLE_WITH(columns);
    char text[RC_OBJECTIVE_TEXT];
    if (f->plan.check_seeds == 0)
        rc_table_note(t,
                      "objectives; no other seeds were tried, and how much of this is luck is not "
                      "known");
    else if (f->plan.own_arrivals)
        rc_table_note(
            t,
            "objectives; the interval is over the trace drawn anew by pieces of time (a block "
            "bootstrap) with %d other seeds, %.0f %% of which meet all",
            a->seeds, 100.0 * a->seeds_met);
    else
        rc_table_note(t,
                      "objectives; the interval is over %d other seeds, %.0f %% of which meet all",
                      a->seeds, 100.0 * a->seeds_met);
    for (int i = 0; i < f->plan.objective_count; i++) {
        rc_table_text(t, rc_objective_text(&f->plan.objectives[i], text));
        rc_table_real(t, b->outcome.value[i], 4);
        rc_table_real(t, a->seeds_lo[i], 4);
        rc_table_real(t, a->seeds_hi[i], 4);
        rc_table_real(t, 100.0 * (f->plan.objectives[i].limit / b->outcome.value[i] - 1.0), 1);
    }
    return rc_table_finish(t, false, stdout, err);
}

static void result_row(rc_table *t, const rc_plan_file *f, const rc_plan_result *r,
                       const char *what) {
    char text[200];
    rc_table_text(t, what);
    rc_table_real(t, r->price, 2);
    rc_table_int(t, rc_plan_gpus(&r->option));
    rc_table_real(t, r->outcome.ttft_p95, 3);
    rc_table_real(t, 1e3 * r->outcome.ttit_p95, 1);
    rc_table_real(t, 1e3 * r->outcome.gap_p95, 1);
    rc_table_real(t, 100.0 * r->margin, 1);
    rc_table_text(t, f->plan.offers[r->option.offer].machine.name);
    rc_table_text(t, rc_plan_option_text(&f->plan, &r->option, text, sizeof text));
}

static rc_status print_results(const rc_plan_file *f, const rc_plan_answer *a, bool csv,
                               rc_error *err) {
    static const rc_column columns[] = {
        {"what", "what", "", RC_LEFT},
        {"price", "price", "/h", RC_RIGHT},
        {"gpus", "GPUs", "", RC_RIGHT},
        {"ttft_p95_s", "TTFT p95", "s", RC_RIGHT},
        {"ttit_p95_ms", "TTIT p95", "ms", RC_RIGHT},
        {"token_gap_p95_ms", "gaps p95", "ms", RC_RIGHT},
        {"margin_pct", "margin", "%", RC_RIGHT},
        {"machine", "machine", "", RC_LEFT},
        {"plan", "plan", "", RC_LEFT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(
        t, "the best, the cheapest of each kind of pools, the runners-up (fragile: too few of "
           "the other seeds hold), and the front of price against p95 TTFT of those that hold");
    if (a->best >= 0)
        result_row(t, f, &a->all[a->best], "best");
    for (int k = 0; k < RC_PLAN_KINDS; k++)
        if (a->kind_best[k] >= 0 && a->kind_best[k] != a->best)
            result_row(t, f, &a->all[a->kind_best[k]], rc_plan_kind_name(k));
    for (int i = 0; i < a->runner_count; i++)
        result_row(t, f, &a->all[a->runners[i]],
                   a->all[a->runners[i]].fragile ? "fragile" : "runner-up");
    for (int i = 0; i < a->front_count; i++)
        result_row(t, f, &a->all[a->front[i]], "front");
    return rc_table_finish(t, csv, stdout, err);
}

#define SAME_GROWTH 1e-9 /* relative: the trial of the largest growth, computed by a power */

static void print_about(const rc_plan_file *f, const rc_plan_answer *a) {
    assert(a->best >= 0 && (size_t)a->best < a->all_count);
    const rc_plan_result *b = &a->all[a->best];
    const rc_plan_outcome *o = &b->outcome;
    char text[200];
    int binds = binding(a);
    printf("time with a pass running, however full: prefill %.0f %%, decode %.0f %%; KV hits %.1f "
           "%% of input tokens; queue p95 %.3f s\n",
           100.0 * o->busy_prefill, 100.0 * o->busy_decode, 100.0 * o->hit, o->queue_p95);
    char rests[RC_BASIS_TEXT];
    printf("costs of the busy time: %s\n", rc_basis_text(o->rests, rests, sizeof rests));
    printf("binds: %s\n", binds >= 0 ? resources[binds] : "nothing that a quarter more would ease");
    for (int i = 0; i < RC_PLAN_RESOURCES; i++)
        printf("  margin with 25 %% more %-13s %+.1f points\n", stands_for[i], 100.0 * a->slack[i]);
    printf("growth: holds up to x %.2f of this traffic%s\n", a->growth,
           a->growth >= a->growth_limit * (1.0 - SAME_GROWTH) ? ", the most that was tried" : "");
    if (a->has_lost)
        printf("one replica lost: %s, margin %+.1f %%, TTFT p95 %.3f s, TTIT p95 %.1f ms\n",
               a->lost_margin >= 0.0 ? "still holds" : "does not hold", 100.0 * a->lost_margin,
               a->lost.ttft_p95, 1e3 * a->lost.ttit_p95);
    else
        printf("one replica lost: nothing of its kind is left\n");
    if (a->has_next)
        printf("one more: %s, %+.2f /h: margin %+.1f %%, TTFT p95 %.3f s, holds up to x %.2f\n",
               rc_plan_option_text(&f->plan, &a->next.option, text, sizeof text),
               a->next.price - b->price, 100.0 * a->next.margin, a->next.outcome.ttft_p95,
               a->next_growth);
    else
        printf("one more: the offer has no GPUs left for it\n");
}

static rc_status print_flips(const rc_plan_file *f, const rc_plan_answer *a, rc_error *err) {
    static const rc_column columns[] = {
        {"assumption", "assumption", "", RC_LEFT}, {"margin_pct", "margin", "%", RC_RIGHT},
        {"price", "price", "/h", RC_RIGHT},        {"gpus", "GPUs", "", RC_RIGHT},
        {"machine", "machine", "", RC_LEFT},       {"plan", "then the cheapest", "", RC_LEFT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    char text[200];
    rc_table_note(t,
                  "what flips the plan: one assumption changed at a time, the margin of the best "
                  "then, and the cheapest of those simulated that then holds");
    for (int i = 0; i < a->flip_count; i++) {
        const rc_plan_flip *x = &a->flips[i];
        const rc_plan_option *o = &x->then.option;
        rc_table_text(t, x->assumption);
        rc_table_real(t, 100.0 * x->margin, 1);
        rc_table_real(t, x->found ? x->then.price : NAN, 2);
        if (x->found) {
            rc_table_int(t, rc_plan_gpus(o));
            rc_table_text(t, f->plan.offers[o->offer].machine.name);
            rc_table_text(t, rc_plan_option_text(&f->plan, o, text, sizeof text));
        } else {
            rc_table_real(t, NAN, 0);
            rc_table_text(t, "-");
            rc_table_text(t, "none of them");
        }
    }
    return rc_table_finish(t, false, stdout, err);
}

/* When nothing holds: how near the space could come, and how near its simulations came. */
static rc_status print_least(const rc_plan_file *f, const rc_plan_answer *a, rc_error *err) {
    static const rc_column columns[] = {
        {"objective", "objective", "", RC_LEFT},
        {"least_possible_s", "least possible", "s", RC_RIGHT},
        {"least_seen_s", "least seen", "s", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    char text[RC_OBJECTIVE_TEXT];
    rc_table_note(t, "least possible: no configuration of the space can come below, each objective "
                     "by itself; least seen: of the simulations, each by itself");
    for (int i = 0; i < f->plan.objective_count; i++) {
        double seen = INFINITY;
        for (size_t k = 0; k < a->all_count; k++)
            if (a->all[k].outcome.fits)
                seen = fmin(seen, a->all[k].outcome.value[i]);
        rc_table_text(t, rc_objective_text(&f->plan.objectives[i], text));
        rc_table_real(t, isfinite(a->least[i]) ? a->least[i] : NAN, 4);
        rc_table_real(t, isfinite(seen) ? seen : NAN, 4);
    }
    return rc_table_finish(t, false, stdout, err);
}

rc_status rc_plan_print(const rc_plan_file *f, const rc_plan_answer *a, rc_error *err) {
    const char *answer = rc_style_on(stdout, RC_STYLE_ANSWER);
    const char *end = rc_style_on(stdout, RC_STYLE_END);
    char text[200];
    if (a->best < 0) {
        printf("%sno configuration holds%s\n", answer, end);
        print_counts(f, a);
        RC_TRY(print_least(f, a, err));
        return print_results(f, a, false, err);
    }
    const rc_plan_result *b = &a->all[a->best];
    printf("%sbest: %s on %s, %d GPUs, %.2f per hour%s\n", answer,
           rc_plan_option_text(&f->plan, &b->option, text, sizeof text),
           f->plan.offers[b->option.offer].machine.name, rc_plan_gpus(&b->option), b->price, end);
    print_counts(f, a);
    RC_TRY(print_objectives(f, a, err));
    print_about(f, a);
    if (a->flip_count > 0)
        RC_TRY(print_flips(f, a, err));
    return print_results(f, a, false, err);
}

rc_status rc_plan_csv(const rc_plan_file *f, const rc_plan_answer *a, rc_error *err) {
    return print_results(f, a, true, err);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_outcome(rc_json *j, json_t *o, const rc_plan_file *f, const rc_plan_outcome *v) {
    json_t *values = rc_json_list(j, o, "objectives");
    char text[RC_OBJECTIVE_TEXT];
    for (int i = 0; i < f->plan.objective_count; i++) {
        json_t *e = rc_json_object(j, values, NULL);
        rc_json_text(j, e, "objective", rc_objective_text(&f->plan.objectives[i], text));
        rc_json_real(j, e, "limit_s", f->plan.objectives[i].limit);
        rc_json_real(j, e, "value_s", v->value[i]);
    }
    rc_json_real(j, o, "ttft_p50_s", v->ttft_p50);
    rc_json_real(j, o, "ttft_p95_s", v->ttft_p95);
    rc_json_real(j, o, "ttft_p99_s", v->ttft_p99);
    rc_json_real(j, o, "ttit_p50_s", v->ttit_p50);
    rc_json_real(j, o, "ttit_p95_s", v->ttit_p95);
    rc_json_real(j, o, "token_gap_p95_s", v->gap_p95);
    rc_json_real(j, o, "queue_p95_s", v->queue_p95);
    rc_json_real(j, o, "busy_prefill", v->busy_prefill);
    rc_json_real(j, o, "busy_decode", v->busy_decode);
    rc_json_real(j, o, "kv_hit", v->hit);
    rc_json_real(j, o, "done", v->done);
    rc_json_real(j, o, "rejected", v->rejected);
    rc_json_real(j, o, "lost", v->lost);
    if (v->fits)
        rc_basis_json(j, o, v->rests);
}

static void json_result(rc_json *j, json_t *o, const rc_plan_file *f, const rc_plan_result *r) {
    const rc_plan_option *c = &r->option;
    char text[200];
    rc_json_text(j, o, "plan", rc_plan_option_text(&f->plan, c, text, sizeof text));
    rc_json_text(j, o, "machine", f->plan.offers[c->offer].machine.name);
    rc_json_real(j, o, "price_per_hour", r->price);
    rc_json_int(j, o, "gpus", rc_plan_gpus(c));
    rc_json_int(j, o, "tp", c->tp);
    rc_json_int(j, o, "cp", c->cp);
    rc_json_int(j, o, "replicas", c->decode > 0 ? 0 : c->prefill);
    rc_json_int(j, o, "prefill_replicas", c->decode > 0 ? c->prefill : 0);
    rc_json_int(j, o, "decode_replicas", c->decode);
    rc_json_int(j, o, "decode_cp", c->decode_cp);
    if (c->dcp > 1)
        rc_json_int(j, o, "dcp", c->dcp);
    if (c->dp > 1)
        rc_json_int(j, o, "dp_attention", c->dp);
    if (c->ep > 1 || c->ep < 0)
        rc_json_int(j, o, "ep", c->ep < 0 ? 0 : c->ep);
    if (c->pp > 1)
        rc_json_int(j, o, "pp", c->pp);
    rc_json_text(j, o, "variant", rc_plan_pick_name(&f->plan, c));
    rc_json_bool(j, o, "dynamic_cp", c->dynamic);
    rc_json_text(j, o, "scheduler", c->chunked ? "chunked" : "prefill-first");
    rc_json_int(j, o, "budget", c->budget);
    rc_json_int(j, o, "max_batch", c->max_batch);
    rc_json_text(j, o, "kv", rc_dtype_name((rc_dtype)c->kv));
    rc_json_real(j, o, "margin", r->margin);
    rc_json_bool(j, o, "fragile", r->fragile);
    json_outcome(j, o, f, &r->outcome);
}

static void json_about(rc_json *j, json_t *root, const rc_plan_file *f, const rc_plan_answer *a) {
    int binds = binding(a);
    rc_json_text(j, root, "binding", binds >= 0 ? resources[binds] : "none");
    json_t *s = rc_json_object(j, root, "margin_with_25_pct_more");
    for (int i = 0; i < RC_PLAN_RESOURCES; i++)
        rc_json_real(j, s, resources[i], a->slack[i]);
    json_t *seeds = rc_json_object(j, root, "other_seeds");
    rc_json_int(j, seeds, "seeds", a->seeds);
    rc_json_bool(j, seeds, "trace_drawn_anew", f->plan.own_arrivals && a->seeds > 0);
    rc_json_real(j, seeds, "met", a->seeds_met);
    json_t *spread = rc_json_list(j, seeds, "values_s");
    for (int i = 0; i < f->plan.objective_count; i++) {
        json_t *e = rc_json_object(j, spread, NULL);
        rc_json_real(j, e, "least", a->seeds_lo[i]);
        rc_json_real(j, e, "most", a->seeds_hi[i]);
    }
    rc_json_real(j, root, "growth", a->growth);
    rc_json_real(j, root, "growth_tried", a->growth_limit);
    json_t *flips = rc_json_list(j, root, "flips");
    for (int i = 0; i < a->flip_count; i++) {
        json_t *e = rc_json_object(j, flips, NULL);
        rc_json_text(j, e, "assumption", a->flips[i].assumption);
        rc_json_real(j, e, "margin", a->flips[i].margin);
        if (a->flips[i].found)
            json_result(j, rc_json_object(j, e, "then"), f, &a->flips[i].then);
        else
            rc_json_null(j, e, "then");
    }
    json_t *lost = rc_json_object(j, root, "one_lost");
    rc_json_bool(j, lost, "holds", a->has_lost && a->lost_margin >= 0.0);
    rc_json_real(j, lost, "margin", a->has_lost ? a->lost_margin : -1.0);
    json_outcome(j, lost, f, &a->lost);
    if (!a->has_next)
        return;
    json_t *next = rc_json_object(j, root, "one_more");
    json_result(j, next, f, &a->next);
    rc_json_real(j, next, "growth", a->next_growth);
}

rc_status rc_plan_json(const rc_plan_file *f, const rc_plan_answer *a, rc_error *err) {
    rc_json *j = rc_json_create();
    json_t *root = rc_json_root(j);
    rc_json_text(j, root, "schema", "plan-1");
    rc_json_text(j, root, "plan", f->plan.name);
    rc_json_text(j, root, "description", f->plan.description);
    rc_json_int(j, root, "considered", a->considered);
    json_t *cut = rc_json_object(j, root, "cut");
    for (int i = 1; i < RC_CUT_COUNT; i++)
        rc_json_int(j, cut, rc_plan_cut_name((rc_plan_cut)i), a->cut[i]);
    rc_json_int(j, root, "excluded", a->excluded);
    rc_json_int(j, root, "untried_cheaper", a->open);
    rc_json_int(j, root, "untried_cheaper_expected_to_hold", a->hopeful);
    rc_json_int(j, root, "simulated", a->simulated);
    json_t *least = rc_json_list(j, root, "least_possible");
    for (int i = 0; i < f->plan.objective_count; i++) {
        char text[RC_OBJECTIVE_TEXT];
        json_t *e = rc_json_object(j, least, NULL);
        rc_json_text(j, e, "objective", rc_objective_text(&f->plan.objectives[i], text));
        rc_json_real(j, e, "limit_s", f->plan.objectives[i].limit);
        rc_json_real(j, e, "value_s", a->least[i]);
    }
    rc_json_real(j, root, "wall_s", a->wall_s);
    rc_notes_json(j, root, &a->notes);
    if (a->best >= 0)
        json_result(j, rc_json_object(j, root, "best"), f, &a->all[a->best]);
    else
        rc_json_null(j, root, "best");
    json_t *kinds = rc_json_object(j, root, "best_of_kind");
    for (int k = 0; k < RC_PLAN_KINDS; k++)
        if (a->kind_best[k] >= 0)
            json_result(j, rc_json_object(j, kinds, rc_plan_kind_name(k)), f,
                        &a->all[a->kind_best[k]]);
    json_t *runners = rc_json_list(j, root, "runners_up"), *front = rc_json_list(j, root, "pareto");
    for (int i = 0; i < a->runner_count; i++)
        json_result(j, rc_json_object(j, runners, NULL), f, &a->all[a->runners[i]]);
    for (int i = 0; i < a->front_count; i++)
        json_result(j, rc_json_object(j, front, NULL), f, &a->all[a->front[i]]);
    if (a->best >= 0)
        json_about(j, root, f, a);
    else
        rc_json_null(j, root, "binding");
    return rc_json_finish(j, stdout, err);
}

/* ---- as a scenario --------------------------------------------------------------------------- */

/* Bare where YAML cannot take it for anything but these characters. */
static bool plain(const char *s) {
    if (!isalnum((unsigned char)*s) && *s != '/' && *s != '.')
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("./-_%+", *s))
            return false;
    return true;
}

/* A bare word in the file stays one: what YAML reads as null or true is not the text. */
static void write_scalar(FILE *f, const char *s, bool quoted) {
    if (plain(s) && !quoted)
        (void)fputs(s, f);
    else
        rc_quote_yaml(f, s);
}

static void write_key(FILE *f, const char *key) {
    write_scalar(f, key, false);
    (void)fputs(": ", f);
}

static void write_node(FILE *f, const rc_node *n) {
    bool map = rc_node_kind_of(n) == RC_NODE_MAP;
    if (rc_node_kind_of(n) == RC_NODE_SCALAR) {
        write_scalar(f, rc_node_text(n), rc_node_quoted(n));
        return;
    }
    (void)fputc(map ? '{' : '[', f);
    for (size_t i = 0; i < rc_node_count(n); i++) {
        (void)fputs(i > 0 ? ", " : "", f);
        if (map)
            write_key(f, rc_node_key(n, i));
        write_node(f, rc_node_at(n, i));
    }
    (void)fputc(map ? '}' : ']', f);
}

/* What a pool has beside tp, cp and its schedule, as keys. */
static const char *cut_text(const rc_pool *pool, char *buf, size_t size) {
    static const char *const mla[] = {"least-work", "materialised", "absorbed"};
    char dcp[24] = "", dp[32] = "", ep[24] = "", skew[48] = "", form[32] = "", pp[40] = "";
    if (pool->dcp > 1)
        (void)snprintf(dcp, sizeof dcp, ", dcp: %d", pool->dcp);
    if (pool->dp > 1)
        (void)snprintf(dp, sizeof dp, ", dp_attention: %d", pool->dp);
    if (pool->ep > 1)
        (void)snprintf(ep, sizeof ep, ", ep: %d", pool->ep);
    if (pool->expert_skew > 0.0)
        (void)snprintf(skew, sizeof skew, ", expert_skew: %.10g", pool->expert_skew);
    if (pool->mla != RC_MLA_LEAST_WORK)
        (void)snprintf(form, sizeof form, ", mla: %s", mla[pool->mla]);
    if (rc_pool_stages(pool) > 1)
        (void)snprintf(pp, sizeof pp, ", pp: %d%s", rc_pool_stages(pool),
                       pool->stages.rest == RC_REST_LAST ? ", pp_rest: last" : "");
    (void)snprintf(buf, size, "%s%s%s%s%s%s", dcp, dp, ep, skew, form, pp);
    return buf;
}

static void pool_text(const rc_plan *p, const rc_plan_option *o, char *buf, size_t size) {
    const char *variant = rc_plan_pick_name(p, o), *dynamic = o->dynamic ? "true" : "false";
    rc_pool pools[2];
    char first[208], last[208], cut[48] = "";
    const int n = plan_pools(p, o, pools);
    (void)cut_text(&pools[0], first, sizeof first);
    if (n == 1) {
        (void)snprintf(buf, size,
                       "[{name: all, replicas: %d, tp: %d, cp: %d, variant: %s, dynamic_cp: %s%s}]",
                       o->prefill, o->tp, o->cp, variant, dynamic, first);
        return;
    }
    (void)cut_text(&pools[1], last, sizeof last);
    if (pools[1].dcp > 1)
        (void)snprintf(cut, sizeof cut, ", variant: %s", rc_pick_name(&pools[1].pick));
    (void)snprintf(buf, size,
                   "[{name: prefill, role: prefill, replicas: %d, tp: %d, cp: %d, variant: %s, "
                   "dynamic_cp: %s%s}, {name: decode, role: decode, replicas: %d, tp: %d, cp: "
                   "%d%s%s}]",
                   o->prefill, o->tp, o->cp, variant, dynamic, first, o->decode, o->tp,
                   o->decode_cp, cut, last);
}

static rc_status set_int(rc_doc *doc, const char *key, int64_t v, rc_error *err) {
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)v);
    return rc_doc_set(doc, key, text, err);
}

static rc_status put_option(rc_plan_file *f, const rc_plan_option *o, rc_error *err) {
    char text[1024];
    rc_doc *d = f->doc;
    RC_TRY(rc_doc_set_text(d, "machine", f->plan.offers[o->offer].file, err));
    (void)snprintf(text, sizeof text, "%.17g", f->plan.offers[o->offer].price);
    RC_TRY(rc_doc_set(d, "price", text, err));
    pool_text(&f->plan, o, text, sizeof text);
    RC_TRY(rc_doc_set(d, "pools", text, err));
    RC_TRY(rc_doc_set(d, "scheduler.policy", o->chunked ? "chunked" : "prefill-first", err));
    if (o->chunked)
        RC_TRY(set_int(d, "scheduler.budget", o->budget, err));
    RC_TRY(set_int(d, "scheduler.max_batch", o->max_batch, err));
    RC_TRY(
        rc_doc_set(d, "kv.dtype", rc_dtype_name((rc_dtype)o->kv), err)); /* as dtypes.kv, if any */
    bool made = rc_doc_has(rc_doc_root(d), "synthetic");
    double rate = made ? f->serve.synthetic.arrivals.rate : f->serve.rate_scale;
    (void)snprintf(text, sizeof text, "%.17g", rate * f->plan.growth);
    return rc_doc_set(d, made ? "synthetic.rate" : "arrivals.rate_scale", text, err);
}

/* A name that would be another file, or none, beside the scenario that is written becomes a path.
 */
static rc_status keep_file(rc_doc *d, const char *key, const char *folder, const char *ext,
                           const char *to, rc_error *err) {
    char here[1024], there[1024];
    struct stat a, b;
    const rc_node *n = rc_doc_root(d);
    const char *last = strrchr(key, '.');
    if (last)
        n = rc_node_get(n, "arrivals");
    n = n ? rc_node_get(n, last ? last + 1 : key) : NULL;
    if (!n)
        return RC_OK;
    RC_TRY(rc_find_named(n, key, folder, ext, here, sizeof here, err));
    if (rc_find_file(to, folder, rc_node_text(n), ext, there, sizeof there, NULL) == RC_OK &&
        stat(here, &a) == 0 && stat(there, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return RC_OK;
    char cwd[1024], path[2064];
    if (!getcwd(cwd, sizeof cwd))
        return rc_fail(err, RC_E_IO, "the current folder has no name");
    (void)snprintf(path, sizeof path, "%s%s%s", here[0] == '/' ? "" : cwd,
                   here[0] == '/' ? "" : "/", here);
    return rc_doc_set_text(d, key, path, err);
}

static rc_status keep_files(rc_doc *d, const char *to, rc_error *err) {
    RC_TRY(keep_file(d, "model", "models", ".json", to, err));
    RC_TRY(keep_file(d, "machine", "scenarios/machines", ".yaml", to, err));
    return keep_file(d, "arrivals.trace", "scenarios/traces", "", to, err);
}

rc_status rc_plan_save_scenario(rc_plan_file *f, const rc_plan_answer *a, const char *path,
                                bool overwrite, rc_error *err) {
    rc_outfile o;
    assert(path != NULL);
    if (a->best < 0)
        return rc_fail(err, RC_E_CHECK, "plan '%s': no configuration holds, so none is written",
                       f->plan.name);
    RC_TRY(put_option(f, &a->all[a->best].option, err));
    RC_TRY(keep_files(f->doc, path, err));
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    const rc_node *root = rc_doc_root(f->doc);
    (void)fprintf(o.f,
                  "# The plan that `ringcast plan` chose for %s: run it with `ringcast serve`.\n",
                  f->plan.name);
    for (size_t i = 0; i < rc_node_count(root); i++) {
        write_key(o.f, rc_node_key(root, i));
        write_node(o.f, rc_node_value(root, i));
        (void)fputc('\n', o.f);
    }
    return rc_outfile_commit(&o, err);
}
