/* Runs whose outcome is known: one request against the forward room, to the tick; rejection, loss,
 * retry, preemption, pools apart, host memory, the same bytes twice.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/forward/forward.h"
#include "tests/support/serve.h"

static rc_serve_result result;

static rc_served *run(const char *text, uint64_t seed, const rc_costs *costs) {
    rc_error err = {0};
    rc_served *rows = NULL;
    const rc_serve_options o = {.seed = seed, .costs = costs};
    if (serve_text(text, o, &result, &rows, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(result.done + result.rejected + result.lost, result.requests);
    return rows;
}

/* ---- one request ---------------------------------------------------------------------- */

static rc_time ticks(const rc_serve *s, const rc_costs *costs, rc_phase phase, int64_t t,
                     int64_t p) {
    const rc_sequence seq = {t, p};
    rc_layout l = s->layout;
    rc_error err = {0};
    rc_forward out;
    l.tp = s->pools[0].tp;
    l.cp = s->pools[0].cp;
    bool prefill = phase == RC_PREFILL;
    rc_spec spec = {.model = &s->model,
                    .costs = costs,
                    .layout = l,
                    .phase = phase,
                    .schedule = rc_schedule_usual(phase, l.cp),
                    .seqs = &seq,
                    .seq_count = 1,
                    .eager = prefill,
                    .serial_ring = !prefill,
                    .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    if (rc_forward_run(&spec, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return out.ticks;
}

/* First token after one prefill; then a decode step a token, each over one key more. */
static void check_one(const char *text, int64_t input, int64_t output) {
    rc_error err = {0};
    rc_serve *s = malloc(sizeof *s);
    rc_costs *costs = NULL;
    assert_non_null(s);
    assert_int_equal(serve_parse(text, s, &err), RC_OK);
    assert_int_equal(rc_costs_open(NULL, &s->machine, &costs, &err), RC_OK);
    rc_served *rows = run(text, 1, costs);
    rc_time end = ticks(s, costs, RC_PREFILL, input, 0);
    assert_int_equal(rows[0].first - rows[0].arrived, end);
    for (int64_t i = 1; i < output; i++)
        end += ticks(s, costs, RC_DECODE, 1, input + i - 1);
    assert_int_equal(rows[0].end - rows[0].arrived, end);
    free(rows);
    rc_costs_close(costs);
    free(s);
}

static void test_one_request(void **state) {
    (void)state;
    check_one("serve: one\nmodel: llama-3.1-70b\nmachine: h100-sxm\n"
              "pools: [{name: one, tp: 8, cp: 2}]\n"
              "synthetic: {requests: 1, rate: 1, input: {kind: constant, mean: 20001}, "
              "output: {kind: constant, mean: 40}}\n",
              20001, 40);
    check_one("serve: one\nmodel: llama-3.1-8b\nmachine: h100-sxm\n"
              "pools: [{name: one, tp: 8}]\n"
              "synthetic: {requests: 1, rate: 1, input: {kind: constant, mean: 3}, "
              "output: {kind: constant, mean: 5}}\n",
              3, 5);
}

/* A cache in fp8 is timed as the forward room times it, and holds twice as many tokens. */
static void test_fp8_cache(void **state) {
    (void)state;
#define ONE                                                                                        \
    "serve: one\nmodel: llama-3.1-8b\nmachine: h100-sxm\npools: [{name: one, tp: 1}]\n"            \
    "synthetic: {requests: 1, rate: 1, input: {kind: constant, mean: 32000}, "                     \
    "output: {kind: constant, mean: 3}}\n"
    check_one(ONE, 32000, 3);
    double tokens = (double)result.pools[0].kv_tokens;
    check_one(ONE "dtypes: {kv: fp8}\n", 32000, 3);
    assert_true(fabs((double)result.pools[0].kv_tokens / tokens / 2.0 - 1.0) < 1e-4);
}

/* The memo answers within 0.5 % of a simulation, in every pass of a run long enough to use it. */
static void test_compare(void **state) {
    (void)state;
    static const char *const scheds[] = {
        "scheduler: {fuse: 1, budget: 0}\n",
        "scheduler: {policy: chunked, budget: 2048, max_batch: 24}\n"};
    rc_error err = {0};
    for (int i = 0; i < 2; i++) {
        char text[1024];
        rc_serve *s = malloc(sizeof *s);
        rc_costs *costs = NULL;
        assert_non_null(s);
        (void)snprintf(text, sizeof text, "%s%s%s",
                       "serve: memo\nmodel: llama-3.1-8b\nmachine: h100-sxm\n"
                       "pools: [{name: one, tp: 8, cp: 2, variant: oracle}]\n",
                       scheds[i],
                       "synthetic: {requests: 400, rate: 30, input: {kind: lognormal, median: "
                       "3000, sigma: 1, hi: 60K}, output: {kind: lognormal, median: 60, sigma: 1, "
                       "hi: 400}}\n");
        assert_int_equal(serve_parse(text, s, &err), RC_OK);
        assert_int_equal(rc_costs_open(NULL, &s->machine, &costs, &err), RC_OK);
        const rc_serve_options o = {.seed = 5, .costs = costs, .compare = true};
        if (serve_text(text, o, &result, NULL, &err) != RC_OK)
            fail_msg("%s", err.msg);
        assert_true(result.passes.interpolated > 200);
        assert_true(result.max_pass_error > 0.0 && result.max_pass_error <= 0.005);
        rc_costs_close(costs);
        free(s);
    }
}

/* Interpolated passes, mixed ones too, show users the same figures as simulated ones. */
static void test_figures(void **state) {
    (void)state;
    static rc_serve_result exact;
    rc_error err = {0};
    rc_costs *costs = NULL;
    rc_serve *s = malloc(sizeof *s);
    static const char text[] =
        "serve: figures\nmodel: llama-3.1-70b\nmachine: h100-sxm\ndtypes: {ffn_weights: fp8}\n"
        "pools: [{name: one, tp: 8, cp: 2, variant: pass-kv}]\n"
        "scheduler: {policy: chunked, budget: 2048, fuse: 1, max_batch: 32}\n"
        "synthetic: {requests: 900, rate: 1.0, input: {kind: lognormal, median: 12000, sigma: 0.6, "
        "hi: 60K}, output: {kind: lognormal, median: 120, sigma: 0.8, hi: 600}}\n";
    assert_non_null(s);
    assert_int_equal(serve_parse(text, s, &err), RC_OK);
    assert_int_equal(rc_costs_open(NULL, &s->machine, &costs, &err), RC_OK);
    rc_serve_options o = {.seed = 3, .costs = costs};
    assert_int_equal(serve_text(text, o, &result, NULL, &err), RC_OK);
    o.exact = true;
    assert_int_equal(serve_text(text, o, &exact, NULL, &err), RC_OK);
    assert_true(result.pools[0].mixed_passes > 5000);
    assert_true(result.passes.interpolated > result.pools[0].decode_passes - 500);
    const rc_hist *a[] = {&result.ttft, &result.ttit, &result.e2e, &result.gap};
    const rc_hist *b[] = {&exact.ttft, &exact.ttit, &exact.e2e, &exact.gap};
    for (int i = 0; i < 4; i++) {
        const double p95 =
            (double)rc_hist_quantile(a[i], 0.95) / (double)rc_hist_quantile(b[i], 0.95);
        assert_true(fabs(rc_hist_mean(a[i]) / rc_hist_mean(b[i]) - 1.0) <= 0.005);
        assert_true(fabs(p95 - 1.0) <= 0.01); /* bins are 0.4 % apart */
    }
    rc_costs_close(costs);
    free(s);
}

/* ---- ends ----------------------------------------------------------------------------- */

#define LINEAR "costs: {prefill: 1ms, prefill_token: 50us, decode: 5ms, decode_sequence: 100us}\n"

static void test_too_long_is_rejected(void **state) {
    (void)state;
    rc_served *rows = run(SERVE_HEAD "pools: [{name: one, tp: 8}]\nkv: {tokens: 1600}\n" LINEAR
                                     "synthetic: {requests: 3, rate: 1, input: {kind: constant, "
                                     "mean: 1590}, output: {kind: constant, mean: 11}}\n",
                          1, NULL);
    assert_int_equal(result.rejected, 3);
    assert_int_equal(result.too_large, 3);
    assert_int_equal(rows[0].refusal, RC_TOO_LARGE);
    assert_true(rows[0].end == rows[0].arrived && rows[0].first < 0);
    free(rows);
}

static void test_full_queue_rejects(void **state) {
    (void)state;
    rc_served *rows =
        run(SERVE_HEAD "pools: [{name: one, tp: 8}]\nscheduler: {max_waiting: 2, fuse: 1}\n"
                       "costs: {prefill: 1000s}\n"
                       "synthetic: {requests: 10, process: even, rate: 1, output: {kind: constant, "
                       "mean: 1}}\n",
            1, NULL);
    assert_int_equal(result.done, 3); /* one in service, two waiting */
    assert_int_equal(result.rejected, 7);
    assert_int_equal(result.queue_full, 7);
    assert_int_equal(rows[9].refusal, RC_QUEUE_FULL);
    free(rows);
}

static const char *const faulty =
    "pools: [{name: one, tp: 8, replicas: 2}]\n"
    "synthetic: {requests: 400, rate: 10, input: {kind: constant, mean: 800}, output: {kind: "
    "constant, mean: 100}}\n"
    "faults: [{kind: node-lost, replica: 1, at: 10s, back: 20s}]\n" LINEAR;

static void test_node_lost(void **state) {
    (void)state;
    char text[1024];
    (void)snprintf(text, sizeof text, "%s%s", SERVE_HEAD, faulty);
    free(run(text, 1, NULL));
    assert_int_equal(result.done, 400);
    assert_true(result.retried > 0 && result.lost == 0);
    (void)snprintf(text, sizeof text, "%s%s%s", SERVE_HEAD, faulty, "on_loss: lose\n");
    free(run(text, 1, NULL));
    assert_true(result.lost > 0 && result.retried == 0);
}

/* The only replica goes and does not come back: who waits is lost. */
static void test_all_lost(void **state) {
    (void)state;
    rc_served *rows = run(SERVE_HEAD "pools: [{name: one, tp: 8}]\n" LINEAR
                                     "synthetic: {requests: 50, process: even, rate: 10}\n"
                                     "faults: [{kind: node-lost, at: 2s}]\n",
                          1, NULL);
    assert_true(result.done > 0 && result.lost > 30);
    assert_int_equal(rows[49].outcome, RC_LOST);
    free(rows);
}

static void test_preemption(void **state) {
    (void)state;
    static const char *const ways[] = {"recompute", "swap"};
    for (int i = 0; i < 2; i++) {
        char text[1024];
        (void)snprintf(text, sizeof text,
                       SERVE_HEAD "pools: [{name: one, tp: 8}]\nkv: {tokens: 4096}\n"
                                  "scheduler: {preemption: %s}\n" LINEAR
                                  "synthetic: {requests: 40, rate: 20, input: {kind: constant, "
                                  "mean: 400}, output: {kind: constant, mean: 700}}\n",
                       ways[i]);
        rc_served *rows = run(text, 1, NULL);
        assert_int_equal(result.done, 40);
        assert_true(result.preempted > 0);
        assert_int_equal(result.recomputed_tokens > 0, i == 0);
        free(rows);
    }
}

/* KV moves once per request, at the cluster's rate: 1,000 tokens of 131,072 B over 8 connections.
 */
static void test_pools_apart(void **state) {
    (void)state;
    rc_served *rows =
        run(SERVE_HEAD "pools: [{name: p, role: prefill, tp: 8}, {name: d, role: decode, tp: 8}]\n"
                       "costs: {prefill: 1s, decode: 1s}\n"
                       "synthetic: {requests: 1, rate: 1, input: {kind: constant, mean: 1000}, "
                       "output: {kind: constant, mean: 3}}\n",
            1, NULL);
    double move = 17e-6 + 1000.0 * 131072.0 / (8.0 * 36e9);
    double e2e = (double)(rows[0].end - rows[0].arrived) / RC_PS_PER_S;
    assert_int_equal(result.moved_tokens, 1000);
    assert_true(fabs(e2e - (3.0 + move)) < 1e-9);
    free(rows);
}

/* Two requests whose KV leaves one prefill replica at once for one decode replica share the links:
 * together they run at the line rate, 46 GB/s a GPU, not at twice a connection's 36. */
static void test_flows_share(void **state) {
    (void)state;
    rc_served *rows =
        run(SERVE_HEAD "pools: [{name: p, role: prefill, tp: 8}, {name: d, role: decode, tp: 8}]\n"
                       "costs: {prefill: 100s, decode: 1us}\n"
                       "synthetic: {requests: 3, process: even, rate: 1, input: {kind: constant, "
                       "mean: 1000}, output: {kind: constant, mean: 2}}\n",
            1, NULL);
    double both = 17e-6 + 2000.0 * 131072.0 / (8.0 * 46e9);
    double last = (double)(rows[2].end - rows[2].first) / RC_PS_PER_S;
    assert_true(fabs(last - both - 1e-6) < 2e-6);
    free(rows);
}

static void test_speculative_and_patterns(void **state) {
    (void)state;
    const char *plain = SERVE_HEAD "pools: [{name: one, tp: 8}]\ncosts: {decode: 10ms}\n"
                                   "synthetic: {requests: 200, rate: 1, input: {kind: constant, "
                                   "mean: 100}, output: {kind: constant, mean: 301}}\n";
    char text[1024];
    free(run(plain, 1, NULL));
    double one = rc_hist_mean(&result.e2e);
    (void)snprintf(text, sizeof text, "%s%s", plain, "speculative: {tokens: [0, 0, 1]}\n");
    free(run(text, 1, NULL));
    double three = rc_hist_mean(&result.e2e);
    assert_true(fabs(one / three - 3.0) < 0.05);
    (void)snprintf(text, sizeof text, "%s%s", plain, "speculative: {tokens: [0.5, 0.5]}\n");
    free(run(text, 1, NULL));
    assert_true(fabs(one / rc_hist_mean(&result.e2e) - 1.5) < 0.05);
}

/* With a window of 50 every step sees 50 keys: the step costs 49 cached tokens. */
static void test_window(void **state) {
    (void)state;
    free(run(SERVE_HEAD "pools: [{name: one, tp: 8}]\ncosts: {decode_key: 1ms}\n"
                        "attention: {pattern: window, window: 50}\n"
                        "synthetic: {requests: 1, rate: 1, input: {kind: constant, mean: 20}, "
                        "output: {kind: constant, mean: 101}}\n",
             1, NULL));
    double keys = 0.0; /* of steps 1..100: 20, 21, ... cached, at most 49 */
    for (int i = 0; i < 100; i++)
        keys += fmin(20 + i, 49);
    assert_true(fabs(rc_hist_mean(&result.e2e) / RC_PS_PER_S - keys * 1e-3) < 1e-9);
}

/* Twice eleven ways to run a prefill, the fastest of which is taken. */
static void test_dynamic_over_many_ranks(void **state) {
    (void)state;
    rc_served *rows = run("serve: many\nmodel: llama-3.1-405b\nmachine: gtt\n"
                          "pools: [{name: p, tp: 8, cp: 1024, variant: oracle, dynamic_cp: true}]\n"
                          "kv: {tokens: 100000}\n"
                          "synthetic: {requests: 1, rate: 1, input: {kind: constant, mean: 6000}, "
                          "output: {kind: constant, mean: 2}}\n"
                          "costs: {prefill: 5ms, decode: 10ms}\n",
                          1, NULL);
    assert_int_equal(rows[0].outcome, RC_DONE);
    free(rows);
}

static void test_same_bytes(void **state) {
    (void)state;
    char text[1024];
    (void)snprintf(text, sizeof text, "%s%s", SERVE_HEAD, faulty);
    free(run(text, 9, NULL));
    uint64_t first = result.hash;
    free(run(text, 9, NULL));
    assert_true(result.hash == first);
    free(run(text, 10, NULL));
    assert_true(result.hash != first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_request),
        cmocka_unit_test(test_fp8_cache),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_too_long_is_rejected),
        cmocka_unit_test(test_full_queue_rejects),
        cmocka_unit_test(test_node_lost),
        cmocka_unit_test(test_all_lost),
        cmocka_unit_test(test_preemption),
        cmocka_unit_test(test_pools_apart),
        cmocka_unit_test(test_flows_share),
        cmocka_unit_test(test_speculative_and_patterns),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_dynamic_over_many_ranks),
        cmocka_unit_test(test_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
