/* Plans over random workloads and spaces: bursts, long prompts at the end, sessions, shared prefixes,
 * objectives with shares and classes of inputs, caches that are too small.
 *
 * Every configuration of the space is played, whatever the bounds say of it:
 *   - none that holds was cut, and no outcome is below its bound;
 *   - where the simulations suffice for all, the plan costs what the cheapest that holds costs;
 *   - the plan's scenario, read and played by the serve room with the plan's seed, meets every
 *     objective, with the values that the plan states, and ends every request.
 * Costs are linear, so that a case takes milliseconds: that a real pass gets no faster by holding more,
 * within the slack of plan_bounds.c, is not tested here.
 *
 * PROP_CASES=200 runs as many spaces as an exhaustive check asks for; CI runs fewer.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>
#include "sim/plan/plan_file.h"
#include "sim/plan/plan_internal.h"
#include "tests/support/prop.h"

enum { TEXT = 4096, MOST_OPTIONS = 200 };

static char folder[] = "/tmp/ringcast-prop-plan-XXXXXX";
static char trace_path[96], out_path[96];
static rc_plan_file file;
static long spaces, options_seen, holders, cut_options, cheaper_cut, excluded_holders, promises;

/* ---- random plans ---------------------------------------------------------------------------- */

/* A trace of bursts: quiet, then many at once, then, perhaps, a few long prompts at the end. */
static bool write_trace(prop_case *c) {
    FILE *f = fopen(trace_path, "w");
    PROP_CHECK(c, f != NULL, "cannot write %s", trace_path);
    double at = 0.0;
    int requests = 10 + (int)(4 * c->size), late = (int)prop_below(c, 2) * requests / 25;
    double gap = exp((double)prop_range(c, -400, 0) / 100.0);
    (void)fprintf(f, "arrived_at,num_prefill_tokens,num_decode_tokens\n");
    for (int i = 0; i < requests; i++) {
        bool burst = prop_below(c, 8) == 0;
        int n = burst ? (int)prop_range(c, 2, 12) : 1;
        for (int k = 0; k < n && i < requests; k++, i++)
            (void)fprintf(f, "%.4f,%d,%d\n", at, (int)prop_range(c, 10, 1500),
                          (int)prop_range(c, 1, 40));
        at += gap * (double)prop_range(c, 0, 200) / 100.0;
    }
    for (int i = 0; i < late; i++)
        (void)fprintf(f, "%.4f,%d,2\n", at, (int)prop_range(c, 10000, 30000));
    return fclose(f) == 0;
}

static void objectives_of(prop_case *c, char *out, size_t size) {
    static const char *const shares[] = {"0.5", "0.9", "0.95", "0.99", "1"};
    size_t at = 0;
    int n = (int)prop_range(c, 1, 3);
    for (int i = 0; i < n; i++) {
        bool ttit = prop_below(c, 3) == 0;
        double limit = ttit ? 0.01 * exp((double)prop_range(c, 0, 250) / 100.0)
                            : 0.1 * exp((double)prop_range(c, 0, 400) / 100.0);
        char class[48] = "";
        if (prop_below(c, 3) == 0)
            (void)snprintf(class, sizeof class, ", from: %d, to: %d", (int)prop_below(c, 500),
                           (int)prop_range(c, 501, 3000));
        at += (size_t)snprintf(out + at, size - at, "%s{%s: %.4fs, share: %s%s}", i > 0 ? ", " : "",
                               ttit ? "ttit" : "ttft", limit, shares[prop_below(c, 5)], class);
    }
}

static bool text_of(prop_case *c, char *out) {
    char load[512], slo[512];
    int kind = (int)prop_below(c, 3);
    if (kind == 0 && !write_trace(c))
        return false;
    if (kind == 0)
        (void)snprintf(load, sizeof load, "arrivals: {trace: %s, format: vidur}\n", trace_path);
    else
        (void)snprintf(
            load, sizeof load,
            "synthetic: {requests: %d, process: gamma, cv: %.2f, rate: %.4f, block: 16, "
            "shared_prefix: %d, groups: %d, think: 0.2s, turns: {kind: constant, mean: %d}, "
            "input: {kind: exponential, mean: %d, hi: 4000}, output: {kind: exponential, mean: "
            "%d, hi: 60}}\n",
            8 + (int)(2 * c->size), 0.2 + (double)prop_below(c, 40) / 10.0,
            exp((double)prop_range(c, -100, 350) / 100.0), (int)prop_below(c, 400),
            (int)prop_range(c, 1, 4), kind == 1 ? 1 : (int)prop_range(c, 2, 4),
            (int)prop_range(c, 20, 1200), (int)prop_range(c, 1, 30));
    objectives_of(c, slo, sizeof slo);
    (void)snprintf(
        out, TEXT,
        "plan: p\nmodel: llama-3.1-8b\nseed: %d\n%s"
        "offers: [{machine: h100-sxm, price: 2, gpus: 16}]\nslo: [%s]\n"
        "space: {tp: [1, 2], %spools: [mixed, disaggregated], scheduler: [prefill-first, chunked], "
        "budget: [%d, %d], max_batch: [2, 16], replicas: [1, 2, 3]}\n"
        "scheduler: {fuse: %d, budget: %d%s}\nrouting: %s\nkv: {tokens: %d}\n%s"
        "search: {simulations: 200, seeds: 0}\n"
        "costs: {prefill: %dus, prefill_token: %dus, prefill_pair: %dns, decode: %dus, "
        "decode_sequence: 300us, decode_key: 20ns}\n",
        (int)prop_below(c, 1000), load, slo, prop_below(c, 3) == 0 ? "pp: [1, 3], " : "",
        (int)prop_range(c, 64, 400), (int)prop_range(c, 500, 3000), (int)prop_range(c, 1, 8),
        (int)prop_range(c, 0, 3) * 2000, prop_below(c, 8) == 0 ? ", max_waiting: 3" : "",
        prop_below(c, 2) ? "prefix" : "load",
        prop_below(c, 3) == 0 ? (int)prop_range(c, 1000, 6000) : 200000,
        prop_below(c, 5) == 0 ? "speculative: {tokens: [0.3, 0.4, 0.3], step_cost: 1.2}\n" : "",
        (int)prop_range(c, 100, 9000), (int)prop_range(c, 10, 200), (int)prop_range(c, 0, 30),
        (int)prop_range(c, 2000, 12000));
    return true;
}

/* ---- the checks ------------------------------------------------------------------------------ */

static bool no_less_than(const rc_plan_bound *bound, const rc_plan_outcome *o) {
    for (int g = 0; g < file.plan.objective_count; g++) {
        const double limit = file.plan.objectives[g].limit;
        if (o->value[g] < bound->value[g] && o->value[g] <= limit)
            return false; /* above every limit, a request may find what came much later */
    }
    return true;
}

/* The price of the cheapest that holds; what is cut is played, too. */
static bool try_all(prop_case *c, rc_plan_player *player, rc_plan_bounds *b, double *cheapest,
                    double *cheapest_cut) {
    rc_plan_option *all;
    size_t n;
    rc_error err = {0};
    PROP_CHECK(c, plan_options(&file.plan, &all, &n, &err) == RC_OK, "%.300s", err.msg);
    *cheapest = *cheapest_cut = INFINITY;
    for (size_t i = 0; i < n; i++) {
        const rc_plan_trial t = plan_trial(&file.plan, &all[i]);
        rc_plan_outcome o = {0};
        rc_plan_bound bound;
        int tightest;
        PROP_CHECK(c, rc_plan_bound_of(b, &all[i], &bound, &err) == RC_OK, "%.300s", err.msg);
        rc_status st = rc_plan_simulate(player, &t, &o, &err);
        PROP_CHECK(c, st == RC_OK || st == RC_E_NOFIT, "%.300s", err.msg);
        o.fits = st == RC_OK;
        bool holds = rc_plan_margin(&file.plan, &o, &tightest) >= 0.0;
        double price = rc_plan_price(&file.plan, &all[i]);
        options_seen++;
        holders += holds;
        cut_options += bound.cut != RC_CUT_NONE;
        *cheapest = holds ? fmin(*cheapest, price) : *cheapest;
        if (holds && bound.cut != RC_CUT_NONE)
            *cheapest_cut = fmin(*cheapest_cut, price);
        char text[200];
        if (o.fits && bound.cut == RC_CUT_NONE)
            PROP_CHECK(c, no_less_than(&bound, &o), "%s: bound %.6f, value %.6f",
                       rc_plan_option_text(&file.plan, &all[i], text, sizeof text), bound.value[0],
                       o.value[0]);
        PROP_CHECK(c, !holds || bound.cut == RC_CUT_NONE, "%s holds and is cut by %s",
                   rc_plan_option_text(&file.plan, &all[i], text, sizeof text),
                   rc_plan_cut_name(bound.cut));
    }
    free(all);
    return true;
}

/* The chosen plan as the serve room plays what was written. */
static bool kept(prop_case *c, const rc_plan_answer *a) {
    static rc_serve s;
    static rc_serve_result r;
    rc_trace *trace = NULL;
    rc_error err = {0};
    const rc_plan_outcome *o = &a->all[a->best].outcome;
    PROP_CHECK(c, rc_plan_save_scenario(&file, a, out_path, true, &err) == RC_OK, "%.300s",
               err.msg);
    PROP_CHECK(c, rc_serve_load(out_path, NULL, 0, &s, &err) == RC_OK, "%.300s", err.msg);
    PROP_CHECK(c, rc_serve_workload(&s, s.seed, 0.0, &trace, &err) == RC_OK, "%.300s", err.msg);
    const rc_serve_options options = {.seed = s.seed, .quiet = true};
    PROP_CHECK(c, rc_serve_run(&s, trace, &options, &r, &err) == RC_OK, "%.300s", err.msg);
    rc_trace_free(trace);
    PROP_CHECK(c, r.done == r.requests, "%d of %d requests done", (int)r.done, (int)r.requests);
    PROP_CHECK(c, s.objective_count == file.plan.objective_count, "objectives");
    for (int g = 0; g < s.objective_count; g++) {
        char text[RC_OBJECTIVE_TEXT];
        double v = rc_objective_value(&s.objectives[g], &r.objectives[g]);
        PROP_CHECK(c, rc_objective_met(&s.objectives[g], &r.objectives[g]), "%s: %.9g, %d of %d",
                   rc_objective_text(&s.objectives[g], text), v, (int)r.objectives[g].kept,
                   (int)r.objectives[g].asked);
        PROP_CHECK(c, v == o->value[g], "promised %.12g, got %.12g", o->value[g], v);
    }
    promises++;
    return true;
}

static bool searched(prop_case *c, rc_plan_player *player, rc_plan_bounds *b, double cheapest) {
    rc_plan_answer a;
    rc_error err = {0};
    PROP_CHECK(c, rc_plan_search(&file.plan, b, rc_plan_simulate, player, &a, &err) == RC_OK,
               "%.300s", err.msg);
    double found = a.best >= 0 ? a.all[a.best].price : INFINITY;
    excluded_holders += found > cheapest * (1.0 + 1e-9);
    PROP_CHECK(c, !(found > cheapest * (1.0 + 1e-9)), "plan costs %.2f, %.2f holds", found,
               cheapest);
    bool ok = a.best < 0 || kept(c, &a);
    rc_plan_answer_free(&a);
    return ok;
}

static bool plan_keeps_its_word(prop_case *c) {
    char text[TEXT], words[600];
    rc_doc *doc = NULL;
    rc_plan_player *player = NULL;
    rc_plan_bounds *b = NULL;
    rc_error err = {0};
    double cheapest, cheapest_cut;
    if (!text_of(c, text))
        return false;
    PROP_CHECK(c, rc_doc_parse("p.yaml", text, strlen(text), &doc, &err) == RC_OK, "%.300s", text);
    PROP_CHECK(c, rc_plan_read(doc, NULL, 0, &file, &err) == RC_OK, "%s\n%.700s",
               rc_error_text(&err, words, sizeof words), text);
    file.plan.quiet = true;
    file.plan.threads = 1;
    PROP_CHECK(c, rc_plan_player_create(&file, NULL, &player, &err) == RC_OK, "%.300s", err.msg);
    PROP_CHECK(c,
               rc_plan_bounds_create(&file.plan, rc_plan_player_load(player),
                                     rc_plan_player_costs(player), &b, &err) == RC_OK,
               "%.300s", err.msg);
    spaces++;
    bool ok = try_all(c, player, b, &cheapest, &cheapest_cut);
    cheaper_cut += ok && cheapest_cut < cheapest;
    ok = ok && searched(c, player, b, cheapest);
    rc_plan_bounds_free(b);
    rc_plan_player_free(player);
    rc_plan_close(&file);
    return ok;
}

static void test_plans(void **state) {
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(trace_path, sizeof trace_path, "%s/t.csv", folder);
    (void)snprintf(out_path, sizeof out_path, "%s/out.yaml", folder);
    bool ok = prop_run("plan_keeps_its_word", plan_keeps_its_word, 60);
    print_message(
        "%ld spaces, %ld configurations, %ld hold, %ld cut; %ld holders cut, %ld plans "
        "dearer than the cheapest that holds; %ld plans played by serve keep their word\n",
        spaces, options_seen, holders, cut_options, cheaper_cut, excluded_holders, promises);
    (void)unlink(trace_path);
    (void)unlink(out_path);
    (void)rmdir(folder);
    assert_true(ok);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans)};
    (void)setenv("PROP_CASES", getenv("RC_SHORT") ? "4" : "8", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
