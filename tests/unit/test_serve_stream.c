/* Requests made as they are served: the same run as over a trace in memory, and the same for any
 * number of threads; and pass times shared by runs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
// clang-format off
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include "tests/support/serve.h"

static rc_serve spec;
static rc_error err;

static rc_serve_result *streamed(const char *text, int threads, rc_served *rows) {
    rc_serve_result *r = malloc(sizeof *r);
    const rc_serve_options o = {.seed = 3, .quiet = true, .threads = threads, .rows = rows};
    assert_non_null(r);
    assert_int_equal(serve_parse(text, &spec, &err), RC_OK);
    assert_true(rc_serve_streams(&spec));
    assert_int_equal(rc_serve_stream(&spec, 0.0, &o, r, &err), RC_OK);
    r->wall_s = 0.0;
    return r;
}

#define COSTS "costs: {prefill: 5ms, prefill_token: 20us, decode: 10ms, decode_sequence: 1ms}\n"

/* A cache, shared prefixes and preemption. */
static void test_like_a_trace(void **state) {
    static const char text[] =
        SERVE_HEAD "pools: [{name: p, tp: 8, replicas: 3}]\nkv: {tokens: 8K, block: 16}\n"
                   "scheduler: {max_batch: 8}\nrouting: prefix\n" COSTS
                   "synthetic: {requests: 400, rate: 9, shared_prefix: 300, groups: 5, "
                   "input: {kind: uniform, lo: 40, hi: 2000}, "
                   "output: {kind: uniform, lo: 1, hi: 90}}\n";
    (void)state;
    rc_serve_result *whole = malloc(sizeof *whole);
    rc_served *rows = NULL, mine[400] = {0};
    assert_non_null(whole);
    assert_int_equal(serve_text(text, (rc_serve_options){.seed = 3}, whole, &rows, &err), RC_OK);
    whole->wall_s = 0.0;
    rc_serve_result *r = streamed(text, 1, mine);
    assert_true(whole->preempted > 0);
    assert_true(whole->kv_hit_tokens > 0);
    assert_memory_equal(r, whole, sizeof *r);
    assert_memory_equal(mine, rows, sizeof mine);
    free(rows);
    free(whole);
    free(r);
}

/* 200 replicas are six parts. */
#define FLEET                                                                                      \
    SERVE_HEAD "pools: [{name: p, tp: 8, replicas: 200}]\nkv: {tokens: 100K}\n"                    \
               "routing: round-robin\n" COSTS                                                      \
               "synthetic: {requests: 5K, rate: 900, input: {kind: uniform, lo: 40, hi: 2000}, "   \
               "output: {kind: uniform, lo: 1, hi: 60}}\n"

static void test_any_threads(void **state) {
    (void)state;
    static rc_served rows[5000];
    rc_serve_result *one = streamed(FLEET, 1, rows), *more = streamed(FLEET, 3, NULL);
    assert_memory_equal(one, more, sizeof *one);
    assert_int_equal(one->done, 5000);
    assert_int_equal(one->pools[0].replicas, 200);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(rows[i].replica, i % 200);
    free(one);
    free(more);
}

static void near(double a, double b) {
    assert_true(fabs(a - b) <= 1e-9 * fabs(a));
}

/* Costs of their own know nothing of other passes, so parts change only how results are added. */
static void test_parts_add_up(void **state) {
    (void)state;
    rc_serve_result *whole = malloc(sizeof *whole), *parts = streamed(FLEET, 2, NULL);
    assert_non_null(whole);
    assert_int_equal(serve_text(FLEET, (rc_serve_options){.seed = 3}, whole, NULL, &err), RC_OK);
    assert_true(whole->hash == parts->hash);
    assert_int_equal(whole->makespan, parts->makespan);
    assert_int_equal(whole->events, parts->events);
    assert_memory_equal(&whole->ttft, &parts->ttft, sizeof whole->ttft);
    assert_memory_equal(&whole->gap, &parts->gap, sizeof whole->gap);
    near(whole->little_l, parts->little_l);
    near(whole->little_lw, parts->little_lw);
    near(whole->mfu, parts->mfu);
    near(whole->tokens_per_gpu_s, parts->tokens_per_gpu_s);
    near(whole->gpu_hours, parts->gpu_hours);
    near(whole->pools[0].batch_mean, parts->pools[0].batch_mean);
    near(whole->pools[0].busy_s, parts->pools[0].busy_s);
    free(whole);
    free(parts);
}

/* A run with a store of simulated passes gives the same bytes, whether they are there or not. */
static void test_store(void **state) {
    (void)state;
    static const char text[] =
        SERVE_HEAD "pools: [{name: p, tp: 8, replicas: 2}]\n"
                   "synthetic: {requests: 300, rate: 40, input: {kind: uniform, lo: 40, hi: 4000}, "
                   "output: {kind: uniform, lo: 1, hi: 60}}\n";
    rc_costs *costs = NULL;
    rc_pass_store *store = NULL;
    rc_trace *trace = NULL;
    rc_serve_result *r = calloc(3, sizeof *r);
    assert_non_null(r);
    assert_int_equal(serve_parse(text, &spec, &err), RC_OK);
    assert_int_equal(rc_costs_open(NULL, &spec.machine, &costs, &err), RC_OK);
    assert_int_equal(rc_pass_store_create(&store, &err), RC_OK);
    assert_int_equal(rc_serve_workload(&spec, 3, 0.0, &trace, &err), RC_OK);
    for (int i = 0; i < 3; i++) {
        const rc_serve_options o = {
            .costs = costs, .seed = 3, .quiet = true, .store = i > 0 ? store : NULL};
        assert_int_equal(rc_serve_run(&spec, trace, &o, &r[i], &err), RC_OK);
        r[i].wall_s = 0.0;
    }
    assert_memory_equal(&r[0], &r[1], sizeof *r);
    assert_memory_equal(&r[0], &r[2], sizeof *r);
    rc_trace_free(trace);
    rc_pass_store_destroy(store);
    rc_costs_close(costs);
    free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_a_trace), cmocka_unit_test(test_any_threads),
        cmocka_unit_test(test_parts_add_up), cmocka_unit_test(test_store)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
