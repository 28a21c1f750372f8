/* Speculation by hand, histories that are kept in part, and what both assume.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"

#include <math.h>
#include <string.h>

#include "sim/forward/scenario.h"
#include "sim/schedule/totals.h"

#define HEAD                                                                                       \
    "scenario: s\nmachine: h200-sxm\nparallel: {tp: 8, variant: tp}\nphase: decode\n"              \
    "tokens: {cached: 8K}\nbatch: 4\n"

static rc_status scenario_of(const char *text, rc_scenario *out, rc_error *err) {
    rc_doc *doc = NULL;
    rc_status st = rc_doc_parse("s.yaml", text, strlen(text), &doc, err);
    if (st == RC_OK)
        st = rc_scenario_read(doc, NULL, 0, out, err);
    rc_doc_close(doc);
    return st;
}

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-9 * fabs(b);
}

static void test_tokens(void **state) {
    (void)state;
    assert_true(near(rc_speculated_tokens(&(rc_speculation){3, 0.5}), 1.875));
    assert_true(near(rc_speculated_tokens(&(rc_speculation){3, 1.0}), 4.0));
    assert_true(near(rc_speculated_tokens(&(rc_speculation){3, 0.0}), 1.0));
}

/* A step of DeepSeek-V3 with two drafts: a draft is a pass of one layer of experts, and the product
 * before it; the pass that verifies reads each key once, so it takes less than one of as many
 * sequences more, and more than a plain one. */
static void test_step(void **state) {
    (void)state;
    rc_scenario s;
    rc_error err = {0};
    rc_costs *costs;
    rc_forward_timing plain, wide;
    rc_speculated two, one;
    assert_int_equal(scenario_of(HEAD
                                 "model: deepseek-v3\nspeculative: {drafts: 2, acceptance: 0.8}\n",
                                 &s, &err),
                     RC_OK);
    assert_int_equal(s.model.nextn, 1);
    assert_int_equal(rc_costs_open(NULL, &s.machine, &costs, &err), RC_OK);
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    rc_spec spec = rc_scenario_spec(&s, costs);
    assert_int_equal(rc_forward_time(ctx, &spec, &plain, &err), RC_OK);
    assert_int_equal(rc_speculate(ctx, &spec, &s.speculation, &two, &err), RC_OK);
    assert_true(near(two.tokens, 1.0 + 0.8 + 0.64));
    assert_true(near(two.ttit, (two.verify + 2.0 * two.draft) / 2.44));
    /* one layer's share of 61 of the cache; a checkpoint with two modules keeps two */
    assert_true(fabs(two.kv / (plain.memory.kv / 61.0) - 1.0) < 1e-9);
    rc_model more = s.model;
    rc_spec doubled = spec;
    more.nextn = 2;
    doubled.model = &more;
    assert_int_equal(rc_speculate(ctx, &doubled, &s.speculation, &one, &err), RC_OK);
    assert_true(fabs(one.kv / two.kv - 2.0) < 1e-9);
    const rc_speculation half = {1, 0.8};
    assert_int_equal(rc_speculate(ctx, &spec, &half, &one, &err), RC_OK);
    assert_true(one.draft == two.draft && plain.time < one.verify && one.verify < two.verify);
    assert_true(two.draft > plain.time / 61.0 && two.draft < plain.time / 10.0);
    rc_sequence twelve[12];
    for (int i = 0; i < 12; i++)
        twelve[i] = s.seqs[0];
    spec.seqs = twelve;
    spec.seq_count = 12;
    assert_int_equal(rc_forward_time(ctx, &spec, &wide, &err), RC_OK);
    assert_true(two.verify < wide.time);
    /* 58 layers of experts hold nearly all of the weights; beside one of them 2 x 7168 x 7168 */
    const double layers = rc_model_weight_bytes_of(&s.model, &s.layout) / 58.0;
    assert_true(two.weights > 0.9 * layers && two.weights < 1.1 * layers + 2.0 * 7168 * 7168);
    spec.phase = RC_PREFILL;
    assert_int_equal(rc_speculate(ctx, &spec, &half, &one, &err), RC_E_INPUT);
    spec.phase = RC_DECODE;
    s.model.nextn = 0;
    assert_int_equal(rc_speculate(ctx, &spec, &half, &one, &err), RC_E_INPUT);
    const rc_speculation none = {0, 0.8};
    trips("how->drafts >= 1", (void)rc_speculate(ctx, &spec, &none, &one, &err));
    rc_forward_ctx_destroy(ctx);
    rc_costs_close(costs);
    rc_scenario_free(&s);
}

static void test_histories(void **state) {
    (void)state;
    const rc_history quarter = {.share = 0.25}, summary = {.share = 0.25, .anew = true};
    rc_sequence s = rc_history_left(&quarter, (rc_sequence){100, 1001});
    assert_int_equal(s.t, 100);
    assert_int_equal(s.p, 251);
    s = rc_history_left(&summary, (rc_sequence){100, 1001});
    assert_int_equal(s.t, 351);
    assert_int_equal(s.p, 0);
}

static void test_refusals(void **state) {
    (void)state;
    rc_scenario s;
    rc_error err = {0};
    assert_int_equal(scenario_of(HEAD
                                 "model: llama-3.1-8b\nspeculative: {drafts: 2, acceptance: 0.8}\n",
                                 &s, &err),
                     RC_E_INPUT);
    assert_non_null(strstr(err.msg, "llama-3.1-8b has 0"));
    assert_int_equal(
        scenario_of(HEAD "model: llama-3.1-8b\nattention: {pattern: window}\n", &s, &err),
        RC_E_INPUT);
    assert_non_null(strstr(err.msg, "missing key 'window' in 'attention'"));
}

/* What a scenario says of keys is what each layer has: a window, first keys beside it, or a choice of keys by an index. */
static void test_fewer_keys(void **state) {
    (void)state;
    rc_scenario s;
    rc_error err = {0};
#define MODEL "model: llama-3.1-8b\n"
    assert_int_equal(
        scenario_of(HEAD MODEL "attention: {pattern: window, window: 4096}\n", &s, &err), RC_OK);
    assert_true(s.model.kind[0].window == 4096 && s.model.kind[0].global == 0);
    rc_scenario_free(&s);
    assert_int_equal(scenario_of(HEAD MODEL
                                 "attention: {pattern: window-global, window: 4096, global: 64}\n",
                                 &s, &err),
                     RC_OK);
    assert_true(s.model.kind[0].window == 4096 && s.model.kind[0].global == 64);
    rc_scenario_free(&s);
    assert_int_equal(
        scenario_of(HEAD MODEL "attention: {pattern: window-global, window: 4096}\n", &s, &err),
        RC_E_INPUT);
    assert_non_null(strstr(err.msg, "missing key 'global' in 'attention'"));
    assert_int_equal(scenario_of(HEAD MODEL "attention: {pattern: top-k}\n", &s, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "missing key 'keys' in 'attention'"));
    /* a quarter of 8,000 cached tokens is kept, or computed anew */
    assert_int_equal(scenario_of(HEAD MODEL "history: {share: 0.25}\n", &s, &err), RC_OK);
    assert_true(s.seqs[0].t == 1 && s.seqs[0].p == 2000);
    rc_scenario_free(&s);
}

static void test_contracts(void **state) {
    (void)state;
    const rc_history more = {.share = 2.0};
    const rc_speculation surer = {1, 2.0};
    rc_model m = {0};
    const rc_fewer_keys both = {.window = 1, .top_k = 1};
    rc_error err = {0};
    trips("h->share >= 0.0 && h->share <= 1.0", (void)rc_history_left(&more, (rc_sequence){1, 1}));
    trips("how->drafts >= 0 && how->acceptance >= 0.0 && how->acceptance <= 1.0",
          (void)rc_speculated_tokens(&surer));
    trips("how->window >= 0 && how->top_k >= 0 && (how->window == 0 || how->top_k == 0)",
          (void)rc_model_see_fewer(&m, &both, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),     cmocka_unit_test(test_step),
        cmocka_unit_test(test_histories),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_fewer_keys), cmocka_unit_test(test_contracts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
