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

/* But for the bytes behind the last member, which nobody sets. */
static void assert_rows_equal(const rc_served *a, const rc_served *b, size_t count) {
    enum { USED = offsetof(rc_served, refusal) + sizeof a->refusal };
    for (size_t i = 0; i < count; i++)
        assert_memory_equal(&a[i], &b[i], USED);
}

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
    assert_rows_equal(mine, rows, sizeof mine / sizeof mine[0]);
    free(rows);
    free(whole);
    free(r);
}

/* 200 replicas are six parts. */
#define FLEET(ROUTING, KV, LOAD)                                                                   \
    SERVE_HEAD "pools: [{name: p, tp: 8, replicas: 200}]\nkv: {tokens: " KV "}\n"                  \
               "routing: " ROUTING "\nscheduler: {max_batch: 8}\n" COSTS                           \
               "synthetic: {requests: 5K, input: {kind: uniform, lo: 40, hi: 2000}, "              \
               "output: {kind: uniform, lo: 1, hi: 60}, " LOAD "}\n"
#define IN_TURN FLEET("round-robin", "100K", "rate: 900")
#define BY_HASH FLEET("hash", "100K", "rate: 900, shared_prefix: 64, groups: 500, block: 32")
#define TIGHT FLEET("round-robin", "2500", "rate: 3000") /* some give way to others */
static const char *const fleets[] = {IN_TURN, BY_HASH, TIGHT};
enum { FLEETS = sizeof fleets / sizeof fleets[0] };

static void test_any_threads(void **state) {
    (void)state;
    static rc_served rows[2][5000];
    static const int threads[] = {2, 5};
    for (int f = 0; f < FLEETS; f++) {
        rc_serve_result *one = streamed(fleets[f], 1, rows[0]);
        assert_int_equal(one->done, 5000);
        assert_int_equal(one->pools[0].replicas, 200);
        for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
            rc_serve_result *more = streamed(fleets[f], threads[i], rows[1]);
            assert_memory_equal(one, more, sizeof *one);
            assert_rows_equal(rows[0], rows[1], sizeof rows[0] / sizeof rows[0][0]);
            free(more);
        }
        free(one);
    }
}

static void test_in_turn(void **state) {
    (void)state;
    static rc_served rows[5000];
    free(streamed(IN_TURN, 3, rows));
    for (int i = 0; i < 5000; i++)
        assert_int_equal(rows[i].replica, i % 200);
}

/* All of a group go to one replica, so each prefix is computed once: by the first of its group, and by
 * those that come before it is there. */
static void test_by_hash(void **state) {
    (void)state;
    static rc_served rows[5000];
    rc_trace *trace = NULL;
    uint32_t home[500];
    uint64_t cached = 0;
    rc_serve_result *r = streamed(BY_HASH, 3, rows);
    assert_int_equal(rc_serve_workload(&spec, 3, 0.0, &trace, &err), RC_OK);
    memset(home, 0xff, sizeof home);
    for (int i = 0; i < 5000; i++) {
        const rc_req *q = &trace->at[i];
        uint32_t group = trace->spans[q->span].first / 2;
        assert_true(group < 500);
        if (home[group] == UINT32_MAX)
            home[group] = rows[i].replica;
        assert_int_equal(rows[i].replica, home[group]);
        cached += rows[i].cached;
    }
    assert_int_equal(cached, r->kv_hit_tokens);
    assert_true(cached > 64 * (5000 - 2 * 500) && cached <= 64 * (5000 - 400));
    rc_trace_free(trace);
    free(r);
}

static void near(double a, double b) {
    assert_true(fabs(a - b) <= 1e-9 * fabs(a));
}

/* Costs of their own know nothing of other passes, so parts change only how results are added; and passes
 * that are known before they begin and end under one event are the same as one by one. */
static void parts_add_up(const char *text) {
    static rc_served one_by_one[5000];
    rc_served *rows = NULL;
    rc_serve_result *whole = malloc(sizeof *whole), *parts = streamed(text, 2, one_by_one);
    assert_non_null(whole);
    assert_int_equal(serve_text(text, (rc_serve_options){.seed = 3}, whole, &rows, &err), RC_OK);
    assert_rows_equal(rows, one_by_one, sizeof one_by_one / sizeof one_by_one[0]);
    assert_true(whole->hash == parts->hash);
    assert_int_equal(whole->makespan, parts->makespan);
    assert_int_equal(whole->events, parts->events);
    assert_int_equal(whole->preempted, parts->preempted);
    assert_memory_equal(&whole->ttft, &parts->ttft, sizeof whole->ttft);
    assert_memory_equal(&whole->ttit, &parts->ttit, sizeof whole->ttit);
    assert_memory_equal(&whole->gap, &parts->gap, sizeof whole->gap);
    assert_memory_equal(&whole->batch, &parts->batch, sizeof whole->batch);
    assert_memory_equal(&whole->pass_tokens, &parts->pass_tokens, sizeof whole->pass_tokens);
    assert_int_equal(whole->pools[0].decode_passes, parts->pools[0].decode_passes);
    assert_int_equal(whole->pools[0].decode_tokens, parts->pools[0].decode_tokens);
    near(whole->little_l, parts->little_l);
    near(whole->little_lw, parts->little_lw);
    near(whole->mfu, parts->mfu);
    near(whole->tokens_per_gpu_s, parts->tokens_per_gpu_s);
    near(whole->gpu_hours, parts->gpu_hours);
    near(whole->pools[0].batch_mean, parts->pools[0].batch_mean);
    near(whole->pools[0].busy_s, parts->pools[0].busy_s);
    near(whole->pools[0].rests[RC_STATED], parts->pools[0].rests[RC_STATED]);
    free(rows);
    free(whole);
    free(parts);
}

static void test_parts_add_up(void **state) {
    (void)state;
    for (int f = 0; f < FLEETS; f++)
        parts_add_up(fleets[f]);
    rc_serve_result *r = streamed(TIGHT, 1, NULL);
    assert_true(r->preempted > 0);
    free(r);
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
        cmocka_unit_test(test_in_turn),      cmocka_unit_test(test_by_hash),
        cmocka_unit_test(test_parts_add_up), cmocka_unit_test(test_store)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
