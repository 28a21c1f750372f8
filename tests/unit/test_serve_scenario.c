/* Serving scenarios: what is read, and that what is wrong is named by file, line and key.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/serve.h"

static rc_serve scenario;

#define POOL "pools: [{name: a, tp: 8}]\n"
#define LOAD "synthetic: {requests: 10, rate: 1}\n"

static void test_shipped(void **state) {
    (void)state;
    static const char *const names[] = {"mooncake", "azure-code", "azure-conv", "coding-mixed",
                                        "coding-split"};
    for (size_t i = 0; i < 5; i++) {
        char path[512];
        rc_error err = {0};
        (void)snprintf(path, sizeof path, "%s/scenarios/serve/%s.yaml", getenv("RC_SOURCE_DIR"),
                       names[i]);
        if (rc_serve_load(path, NULL, 0, &scenario, &err) != RC_OK)
            fail_msg("%s:%d: %s", err.file, err.line, err.msg);
        assert_string_equal(scenario.name, names[i]);
    }
    assert_int_equal(scenario.pool_count, 2);
    assert_int_equal(scenario.pools[1].role, RC_POOL_DECODE);
    assert_int_equal(scenario.sched, RC_SCHED_CHUNKED);
    assert_true(scenario.draw && scenario.process.rate == 0.02);
}

static void test_defaults(void **state) {
    (void)state;
    rc_error err = {0};
    assert_int_equal(serve_parse(SERVE_HEAD POOL LOAD, &scenario, &err), RC_OK);
    assert_int_equal(scenario.sched, RC_SCHED_PREFILL_FIRST);
    assert_int_equal(scenario.budget, 8192);
    assert_int_equal(scenario.max_batch, 256);
    assert_int_equal(scenario.kv_policy, RC_KV_LRU);
    assert_string_equal(rc_pick_name(&scenario.pools[0].pick), "tp");
    assert_int_equal(scenario.seed, 1);
}

/* One thing under two keys. */
static void test_kv_dtype(void **state) {
    (void)state;
    static const char *const texts[] = {"dtypes: {kv: fp8}\n", "kv: {dtype: fp8}\n",
                                        "dtypes: {kv: fp8}\nkv: {dtype: fp8}\n"};
    for (int i = 0; i < 3; i++) {
        char text[1024];
        (void)snprintf(text, sizeof text, "%s%s", SERVE_HEAD POOL LOAD, texts[i]);
        assert_int_equal(serve_parse(text, &scenario, NULL), RC_OK);
        assert_int_equal(scenario.layout.kv, RC_FP8);
    }
}

/* kv.memory is machine.memory_fraction. */
static void test_kv_memory(void **state) {
    (void)state;
    static const char *const set[] = {"machine.memory_fraction=0.8"};
    static const char text[] = SERVE_HEAD POOL LOAD "kv: {memory: 85%}\n";
    rc_error err = {0};
    rc_doc *doc = NULL;
    assert_int_equal(serve_parse(SERVE_HEAD POOL LOAD, &scenario, NULL), RC_OK);
    assert_true(scenario.machine.memory_fraction == 0.9);
    assert_int_equal(serve_parse(text, &scenario, NULL), RC_OK);
    assert_true(scenario.machine.memory_fraction == 0.85);
    assert_int_equal(rc_doc_parse("test.yaml", text, strlen(text), &doc, NULL), RC_OK);
    assert_int_equal(rc_serve_read(doc, set, 1, &scenario, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "0.85 here and 0.8 in machine.memory_fraction"));
    rc_doc_close(doc);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int line;
        const char *word;
    } bad[] = {
        {SERVE_HEAD LOAD, 1, "pools"},
        {SERVE_HEAD POOL, 1, "arrivals"},
        {SERVE_HEAD POOL LOAD "pols: 3\n", 6, "pools"},
        {SERVE_HEAD "pools: [{name: a, tp: 3}]\n" LOAD, 4, "divide"},
        {SERVE_HEAD "pools: [{name: a, tp: 8, cp: 2, variant: tp}]\n" LOAD, 4, "variant"},
        {SERVE_HEAD "pools: [{name: a, tp: 8}, {name: a, tp: 8}]\n" LOAD, 4, "two pools"},
        {SERVE_HEAD "pools: [{name: a, tp: 8, role: decode}]\n" LOAD, 4, "1 decode"},
        {SERVE_HEAD "pools: [{name: a, tp: 8, replicas: 0}]\n" LOAD, 4, "replicas"},
        {SERVE_HEAD POOL LOAD "scheduler: {policy: chunkd}\n", 6, "chunked"},
        {SERVE_HEAD POOL LOAD "scheduler: {policy: chunked, budget: 0}\n", 6, "budget"},
        {SERVE_HEAD "pools: [{name: a, tp: 8, cp: 2, variant: all-gather-kv}]\n" LOAD
                    "scheduler: {policy: chunked}\n",
         6, "all-gather-kv"},
        {SERVE_HEAD POOL LOAD "kv: {dtype: fp16}\n", 6, "dtype"},
        {SERVE_HEAD POOL LOAD "dtypes: {kv: bf16, activations: fp8}\n", 6,
         "activations are bf16, found fp8"},
        {SERVE_HEAD POOL LOAD "dtypes: {kv: fp8}\nkv: {dtype: bf16}\n", 7, "state it once"},
        {SERVE_HEAD POOL LOAD "kv: {memory: 120%}\n", 6, "memory"},
        {SERVE_HEAD POOL LOAD "faults: [{kind: node-lost, at: 9s, back: 8s}]\n", 6, "back"},
        {SERVE_HEAD POOL LOAD "faults: [{kind: node-lost, at: 9s, replica: 1}]\n", 6, "replica"},
        {SERVE_HEAD POOL LOAD "faults: [{kind: slow-rank, at: 9s}]\n", 6, "speed"},
        {SERVE_HEAD POOL LOAD "speculative: {tokens: [0.5, 0.6]}\n", 6, "add up"},
        {SERVE_HEAD POOL LOAD "attention: {pattern: window}\n", 6, "window"},
        {SERVE_HEAD POOL LOAD "slo: {ttft: -1s}\n", 6, "ttft"},
        {SERVE_HEAD POOL "synthetic: {requests: 10, rate: 0}\n", 5, "rate"},
        {SERVE_HEAD POOL "synthetic: {requests: 10, rate: 1, input: {kind: normal}}\n", 5, "kind"},
        {SERVE_HEAD POOL "arrivals: {trace: nothing.csv}\n", 5, "nothing"},
        {SERVE_HEAD POOL LOAD "arrivals: {trace: /tmp/x}\n", 1, "arrivals"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rc_error err = {0};
        rc_status st = serve_parse(bad[i].text, &scenario, &err);
        if (rc_exit_code(st) != 2 || err.line != bad[i].line || !strstr(err.msg, bad[i].word))
            fail_msg("case %zu: status %d, line %d: %s", i, st, err.line, err.msg);
        assert_string_equal(err.file, "test.yaml");
    }
}

/* The hundredth arrival, ps, of the trace that a seed gives. */
static rc_time hundredth(uint64_t seed) {
    rc_trace *t = NULL;
    rc_error err = {0};
    if (rc_serve_workload(&scenario, seed, 0.0, &t, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_true(t->count > 1600 && t->count < 2400);
    rc_time at = t->at[100].arrival;
    rc_trace_free(t);
    return at;
}

/* Seeds draw a trace anew where that is asked for, and only arrivals that are the trace's own. */
static void test_resample(void **state) {
    (void)state;
    rc_error err = {0};
    rc_trace *t = NULL;
    assert_int_equal(serve_parse(SERVE_HEAD POOL
                                 "arrivals: {trace: azure_2023_code.csv.xz, requests: "
                                 "2000, resample: true}\n",
                                 &scenario, &err),
                     RC_OK);
    assert_true(hundredth(1) == hundredth(1));
    assert_true(hundredth(1) != hundredth(2));
    assert_int_equal(rc_serve_workload(&scenario, 1, 3.0, &t, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "resample"));
    scenario.resample = false;
    assert_true(hundredth(1) == hundredth(2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped),  cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_kv_dtype), cmocka_unit_test(test_kv_memory),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_resample)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
