/* Steps with drafts that are priced: by hand, against a forward pass, at the limits, and what is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "sim/serve/passes.h"
#include "sim/serve/serve_report.h"
#include "tests/support/serve_rows.h"

#define MS ((rc_time)1000000000)

static rc_serve_result result, other;

static rc_served *run(const char *text, const char *rows) {
    return serve_rows(text, rows, (rc_serve_options){.seed = 1}, &result);
}

/* ---- by hand ----------------------------------------------------------------------------------- */

#define WORKED(acceptance)                                                                         \
    SERVE_HEAD "pools: [{name: one, tp: 8}]\nkv: {tokens: 200000}\n"                               \
               "speculative: {drafts: 3, acceptance: " acceptance ", model: llama-3.1-8b}\n"       \
               "costs: {prefill_token: 1ms, decode: 10ms, draft: 2ms}\n"

/* A step of 10 with three drafts of 2 is 16 and makes four tokens when all are accepted, else one. Of nine tokens
 * the prompt makes the first, at 100. */
static void test_limits(void **state) {
    (void)state;
    rc_served *r = run(WORKED("1"), "0,100,9\n");
    assert_int_equal(r[0].first, 100 * MS);
    assert_int_equal(r[0].end, 132 * MS);
    free(r);
    r = run(WORKED("0"), "0,100,9\n");
    assert_int_equal(r[0].first, 100 * MS);
    assert_int_equal(r[0].end, 228 * MS);
    free(r);
    /* the last step makes no more tokens than are asked for */
    r = run(WORKED("1"), "0,100,7\n");
    assert_int_equal(r[0].end, 132 * MS);
    free(r);
}

/* Three drafts at 0.7: 1 + 0.7 + 0.49 + 0.343 tokens a step, in the mean. One step spreads by 1.24 tokens, so that 1 %
 * of some 39,500 steps is four times what their mean spreads by. */
static void test_tokens_of_a_step(void **state) {
    (void)state;
    rc_served *r = run(WORKED("0.7"), "0,100,100001\n");
    const double each = 100000.0 / (double)result.pools[0].decode_tokens;
    assert_true(fabs(each / (1.0 + 0.7 + 0.49 + 0.343) - 1.0) < 0.01);
    assert_int_equal(r[0].end - r[0].first, (rc_time)result.pools[0].decode_passes * 16 * MS);
    free(r);
}

static void test_no_drafts(void **state) {
    (void)state;
    const char *rows = "0,500,40\n0.01,900,30\n0.02,100,50\n";
    rc_served *r = run(SERVE_HEAD "pools: [{name: one, tp: 1}]\n", rows);
    free(r);
    other = result;
    r = run(SERVE_HEAD "pools: [{name: one, tp: 1}]\n"
                       "speculative: {drafts: 0, acceptance: 0.5}\n",
            rows);
    assert_true(result.hash == other.hash && result.makespan == other.makespan);
    assert_true(result.pools[0].kv_tokens == other.pools[0].kv_tokens);
    free(r);
}

/* ---- against a forward pass -------------------------------------------------------------------- */

#define OWN                                                                                        \
    "serve: test\nmodel: deepseek-v3\nmachine: h200-sxm\npools: [{name: one, tp: 8}]\n"            \
    "speculative: {drafts: 2, acceptance: 1}\n"
#define ANOTHER                                                                                    \
    "serve: test\nmodel: llama-3.1-70b\nmachine: h100-sxm\npools: [{name: one, tp: 8}]\n"          \
    "speculative: {drafts: 2, acceptance: 1, model: llama-3.1-8b}\n"

static rc_serve serve; /* too large for a stack */
static rc_costs *costs;
static rc_layout layout;

static rc_spec open_spec(const char *text, rc_phase phase, const rc_sequence *seqs, size_t count) {
    char all[1024];
    rc_error err = {0};
    (void)snprintf(all, sizeof all, "%ssynthetic: {requests: 1, rate: 1}\n", text);
    assert_int_equal(serve_parse(all, &serve, &err), RC_OK);
    assert_int_equal(rc_costs_open(NULL, &serve.machine, &costs, &err), RC_OK);
    layout = rc_pool_layout(&serve, &serve.pools[0], 1);
    return (rc_spec){.model = &serve.model,
                     .costs = costs,
                     .layout = layout,
                     .phase = phase,
                     .schedule = serve.pools[0].pick.schedule,
                     .seqs = seqs,
                     .seq_count = count,
                     .eager = phase == RC_PREFILL,
                     .serial_ring = phase == RC_DECODE,
                     .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
}

/* Four sequences of DeepSeek-V3 decode together, ten steps of three tokens: as `ringcast forward` has each step,
 * within the bound of what is interpolated. A lone one's first step to the tick, but for what is rounded. */
static void test_own_layers(void **state) {
    (void)state;
    rc_error err = {0};
    const rc_speculation how = {2, 1.0};
    rc_speculated step;
    rc_sequence seqs[4];
    double all = 0.0;
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    assert_non_null(ctx);
    rc_spec spec = open_spec(OWN, RC_DECODE, seqs, 4);
    for (int i = 0; i < 10; i++) {
        for (int k = 0; k < 4; k++)
            seqs[k] = (rc_sequence){1, 4000 + 3 * i};
        assert_int_equal(rc_speculate(ctx, &spec, &how, &step, &err), RC_OK);
        all += step.verify + 2.0 * step.draft;
    }
    rc_served *r = run(OWN, "0,4000,31\n0,4000,31\n0,4000,31\n0,4000,31\n");
    for (int k = 0; k < 4; k++)
        if (r[k].first == r[3].first) /* those whose prompts were done last decode from then on */
            assert_true(fabs((double)(r[k].end - r[k].first) / RC_PS_PER_S / all - 1.0) < 0.005);
    free(r);
    spec.seq_count = 1;
    seqs[0] = (rc_sequence){1, 4000};
    assert_int_equal(rc_speculate(ctx, &spec, &how, &step, &err), RC_OK);
    r = run(OWN, "0,4000,4\n");
    const double one = (step.verify + 2.0 * step.draft) * RC_PS_PER_S;
    assert_true(fabs((double)(r[0].end - r[0].first) - one) < 10.0);
    free(r);
    rc_forward_ctx_destroy(ctx);
    rc_costs_close(costs);
}

/* Llama 3.1 8B drafts for 70B: it passes over the prompt, too, and each draft is a step of its own. */
static void test_another_model(void **state) {
    (void)state;
    rc_error err = {0};
    rc_forward_timing large, small;
    const rc_sequence prompt = {4000, 0}, rows[3] = {{1, 4000}, {1, 4000}, {1, 4000}};
    rc_served *r = run(ANOTHER, "0,4000,4\n");
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    assert_non_null(ctx);
    rc_spec spec = open_spec(ANOTHER, RC_PREFILL, &prompt, 1);
    assert_int_equal(rc_forward_time(ctx, &spec, &large, &err), RC_OK);
    spec.model = &serve.drafter.model;
    assert_string_equal(spec.model->name, "llama-3.1-8b");
    assert_int_equal(rc_forward_time(ctx, &spec, &small, &err), RC_OK);
    assert_int_equal(r[0].first, large.ticks + small.ticks);
    rc_costs_close(costs);
    spec = open_spec(ANOTHER, RC_DECODE, rows, 3);
    spec.verified = 3;
    rc_forward_ctx_forget(ctx);
    assert_int_equal(rc_forward_time(ctx, &spec, &large, &err), RC_OK);
    spec.model = &serve.drafter.model;
    spec.verified = 0;
    spec.seq_count = 1;
    assert_int_equal(rc_forward_time(ctx, &spec, &small, &err), RC_OK);
    assert_int_equal(r[0].end - r[0].first, large.ticks + 2 * small.ticks);
    rc_forward_ctx_destroy(ctx);
    rc_costs_close(costs);
    free(r);
}

/* What a step rests on is what its rows and its drafts rest on, each as long as it takes; of the two the shares differ. */
static void test_rests(void **state) {
    (void)state;
    rc_error err = {0};
    rc_forward_timing large, small;
    const rc_sequence rows[3] = {{1, 4000}, {1, 4000}, {1, 4000}};
    const rc_pass step = {.decodes = 1, .context = 4000};
    const rc_what_if none = {.slow_rank = -1, .slow_link_rank = -1};
    rc_pass_cost cost = {0};
    rc_pass_forward *f = NULL;
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    assert_non_null(ctx);
    rc_spec spec = open_spec(ANOTHER, RC_DECODE, rows, 3);
    assert_int_equal(
        rc_pass_forward_create(&serve, costs, &layout, spec.schedule, NULL, &none, &f, &err),
        RC_OK);
    assert_int_equal(rc_pass_forward_time(f, &step, &cost, &err), RC_OK);
    spec.verified = 3;
    assert_int_equal(rc_forward_time(ctx, &spec, &large, &err), RC_OK);
    spec.model = &serve.drafter.model;
    spec.verified = 0;
    spec.seq_count = 1;
    assert_int_equal(rc_forward_time(ctx, &spec, &small, &err), RC_OK);
    assert_int_equal(cost.time, large.ticks + 2 * small.ticks);
    double apart = 0.0;
    for (int b = 0; b < RC_BASIS_COUNT; b++) {
        const double work = (double)large.ticks * large.busy_basis[b] +
                            2.0 * (double)small.ticks * small.busy_basis[b];
        assert_true(fabs((double)cost.rests[b] - work / (double)cost.time) < 1e-6);
        apart = fmax(apart, fabs(large.busy_basis[b] - small.busy_basis[b]));
    }
    assert_true(apart > 0.01);
    rc_pass_forward_destroy(f);
    rc_forward_ctx_destroy(ctx);
    rc_costs_close(costs);
}

/* ---- memory ------------------------------------------------------------------------------------ */

/* The weights of what drafts go off, and a token takes its KV there, too. */
static void test_room(void **state) {
    (void)state;
    static const char *const texts[] = {OWN, ANOTHER};
    for (int i = 0; i < 2; i++) {
        rc_error err = {0};
        rc_memory memory;
        rc_kv_room with, without, drafter;
        const rc_spec spec = open_spec(texts[i], RC_DECODE, NULL, 0);
        const double weights = rc_drafter_weights(&serve.drafter, &spec.layout);
        const rc_kv_passes passes = {.longest = 8000,
                                     .largest = rc_serve_largest(&serve, RC_POOL_MIXED, 8000)};
        assert_int_equal(rc_pool_room(&serve, &serve.pools[0], 8000, &memory, &with, &err), RC_OK);
        assert_int_equal(rc_pass_kv_room(spec.schedule, &serve.model, &layout, &passes,
                                         rc_machine_usable(&serve.machine), &memory, &without,
                                         &err),
                         RC_OK);
        assert_int_equal(rc_pass_kv_room(spec.schedule, &serve.drafter.model, &layout, &passes,
                                         rc_machine_usable(&serve.machine), &memory, &drafter,
                                         &err),
                         RC_OK);
        assert_true(weights > 0.0 && drafter.token > 0.0);
        assert_true(with.bytes == without.bytes - weights);
        assert_true(with.token == without.token + drafter.token);
        assert_true(with.tokens == floor(with.bytes / with.token) * with.ranks);
        rc_costs_close(costs);
    }
}

/* ---- refusals ---------------------------------------------------------------------------------- */

static void refuses(const char *model, const char *pool, const char *more, const char *why) {
    char text[1024];
    rc_error err = {0};
    (void)snprintf(text, sizeof text,
                   "serve: test\nmodel: %s\nmachine: h200-sxm\npools: [{name: one, %s}]\n"
                   "synthetic: {requests: 1, rate: 1}\n%s\n",
                   model, pool, more);
    assert_int_not_equal(serve_parse(text, &serve, &err), RC_OK);
    if (!strstr(err.msg, why))
        fail_msg("%s", err.msg);
}

#define TWO "speculative: {drafts: 2, acceptance: 0.8}"

static void test_refused(void **state) {
    (void)state;
    refuses("llama-3.1-8b", "tp: 1", TWO, "has no layers that predict further tokens");
    refuses("deepseek-v3", "tp: 8", "speculative: {drafts: 2}", "missing key 'acceptance'");
    refuses("deepseek-v3", "tp: 8", "speculative: {acceptance: 0.8}", "missing key 'tokens'");
    refuses("deepseek-v3", "tp: 8", "speculative: {drafts: 16, acceptance: 0.8}", "from 0 to 15");
    refuses("deepseek-v3", "tp: 8", "speculative: {drafts: 2, acceptance: 0.8, step_cost: 2}",
            "stands beside 'tokens' or 'step_cost'");
    refuses("deepseek-v3", "tp: 8, pp: 2", TWO, "not modelled");
    refuses("deepseek-v3", "tp: 1, dp_attention: 8, ep: 0", TWO, "not modelled");
    refuses("deepseek-v3", "tp: 8", TWO "\nattention: {pattern: window, window: 100}",
            "under an attention pattern are not modelled");
    refuses("llama-3.1-70b", "tp: 8",
            "speculative: {drafts: 2, acceptance: 0.8, model: qwen2.5-7b-instruct-1m}",
            "pool 'one'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_tokens_of_a_step),
        cmocka_unit_test(test_no_drafts),     cmocka_unit_test(test_own_layers),
        cmocka_unit_test(test_another_model), cmocka_unit_test(test_rests),
        cmocka_unit_test(test_room),          cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
