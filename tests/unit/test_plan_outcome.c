/* What the outcome of a trial takes from a run: each figure of a run that is made up, in which no two are alike.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/plan/plan_file.h"

static int books, traces; /* that were opened, that were drawn */

static rc_status counted_open(const char *store, const rc_machine *m, rc_costs **out,
                              rc_error *err) {
    books++;
    return rc_costs_open(store, m, out, err);
}

static rc_status counted_workload(const rc_serve *s, uint64_t seed, double rate, rc_trace **out,
                                  rc_error *err) {
    traces++;
    return rc_serve_workload(s, seed, rate, out, err);
}

#define rc_costs_open counted_open
#define rc_serve_workload counted_workload
#include "sim/plan/plan_trial.c"

static rc_plan plan;
static rc_serve_result run;
static rc_plan_outcome out;
static double work[8];

static const int64_t MS = 1000000000; /* ps */

static void fill(rc_hist *h, int64_t step_ms) {
    rc_hist_init(h);
    for (int64_t i = 1; i <= 100; i++)
        rc_hist_add(h, step_ms * i * MS);
}

static int setup(void **state) {
    (void)state;
    plan = (rc_plan){.objective_count = 2,
                     .objectives = {{.limit = 2.0, .share = 0.95, .to = INT64_MAX},
                                    {.limit = 1.0, .share = 0.5, .to = INT64_MAX, .ttit = true}}};
    memset(&run, 0, sizeof run);
    fill(&run.ttft, 1);
    fill(&run.ttit, 2);
    fill(&run.gap, 4);
    fill(&run.queue, 8);
    fill(&run.service, 16);
    run.objectives[0].asked = run.objectives[0].kept = 100;
    run.objectives[0].served = run.ttft;
    run.objectives[1].asked = run.objectives[1].kept = 100;
    run.objectives[1].served = run.ttit;
    run.done = 90, run.rejected = 7, run.lost = 3, run.preempted = 5;
    run.kv_hit_tokens = 300, run.kv_miss_tokens = 900;
    run.makespan = (rc_time)RC_PS_PER_S * 50;
    run.gpu_hours = 0.75, run.tokens_per_gpu_s = 123.0;
    run.pool_count = 1;
    run.pools[0].busy_s = 30.0, run.pools[0].up_s = 40.0;
    run.pools[0].rests[RC_MEASURED] = 3.0, run.pools[0].rests[RC_STATED] = 1.0;
    out = (rc_plan_outcome){0};
    return 0;
}

static void near(double got, double want) {
    if (!(fabs(got - want) <= 0.004 * want)) /* half a part of a histogram */
        fail_msg("%.12g, by hand %.12g", got, want);
}

/* Quantiles of 100 values that rise from one step to a hundred, of 1, 2, 4, 8 and 16 ms. */
static void test_figures(void **state) {
    (void)state;
    summarise_run(&plan, &run, NULL, 0, work, &out);
    near(out.ttft_p50, 0.050), near(out.ttft_p95, 0.095), near(out.ttft_p99, 0.099);
    near(out.ttit_p50, 0.100), near(out.ttit_p95, 0.190);
    near(out.gap_p95, 0.380), near(out.queue_p95, 0.760), near(out.service_p95, 1.520);
    near(out.value[0], 0.095), near(out.value[1], 0.100);
    assert_true(out.ttft_p95 < out.ttft_p99);
    assert_true(out.done == 90.0 && out.rejected == 7.0 && out.lost == 3.0 && out.preempted == 5.0);
    assert_true(out.hit == 0.25 && out.makespan == 50.0);
    assert_true(out.gpu_hours == 0.75 && out.tokens_per_gpu_s == 123.0);
    assert_true(out.busy_prefill == 0.75 && out.busy_decode == 0.75);
    assert_true(out.rests[RC_MEASURED] == 0.75 && out.rests[RC_STATED] == 0.25);
}

/* Prompts are the first pool's, replies the last one's; a pool that was never up was not busy. */
static void test_pools(void **state) {
    (void)state;
    run.pool_count = 2;
    run.pools[1].busy_s = 1.0, run.pools[1].up_s = 5.0;
    summarise_run(&plan, &run, NULL, 0, work, &out);
    assert_true(out.busy_prefill == 0.75 && out.busy_decode == 0.2);
    run.pools[0].busy_s = run.pools[1].busy_s = 0.5;
    run.pools[0].up_s = run.pools[1].up_s = 0.0;
    summarise_run(&plan, &run, NULL, 0, work, &out);
    assert_true(out.busy_prefill == 0.0 && out.busy_decode == 0.0);
    run.pools[1].up_s = 0.625; /* of a second: some time all the same */
    summarise_run(&plan, &run, NULL, 0, work, &out);
    assert_true(out.busy_prefill == 0.0 && out.busy_decode == 0.8);
}

/* Half of those that came had come when the third of four, or the second of three, did, in whatever order they stand. */
static void test_midway(void **state) {
    (void)state;
    static const struct {
        rc_time arrived[5];
        size_t count;
        double midway;
    } t[] = {{{30, 10, 20, 40}, 4, 30.0},
             {{30, 10, 20}, 3, 20.0},
             {{30, -1, 10, -1, 20}, 5, 20.0},
             {{7}, 1, 7.0},
             {{-1, 0, -1}, 3, 0.0},
             {{-1, -1}, 2, 0.0},
             {{0, 0, 3, 4, 5}, 5, 3.0},
             {{40, -1, 0, 2}, 4, 2.0},
             {{0}, 0, 0.0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_served rows[5] = {{.arrived = 0}};
        for (size_t k = 0; k < 5; k++)
            rows[k].arrived = t[i].arrived[k] < 0 ? -1 : t[i].arrived[k] * (rc_time)RC_PS_PER_S;
        out.midway = -1.0;
        for (size_t k = 0; k < 8; k++)
            work[k] = 9.0;
        summarise_run(&plan, &run, rows, t[i].count, work, &out);
        if (out.midway != t[i].midway)
            fail_msg("%zu: midway at %g", i, out.midway);
    }
}

/* Where nothing was served nothing has a value: not a number is no time. */
static void test_nothing(void **state) {
    (void)state;
    rc_hist *const all[] = {&run.ttft, &run.ttit, &run.gap, &run.queue, &run.service};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        rc_hist_init(all[i]);
    run.kv_hit_tokens = run.kv_miss_tokens = 0;
    summarise_run(&plan, &run, NULL, 0, work, &out);
    assert_true(out.ttft_p50 == 0.0 && out.ttft_p95 == 0.0 && out.ttft_p99 == 0.0);
    assert_true(out.ttit_p50 == 0.0 && out.ttit_p95 == 0.0 && out.gap_p95 == 0.0);
    assert_true(out.queue_p95 == 0.0 && out.service_p95 == 0.0 && out.hit == 0.0);
    run.kv_hit_tokens = 1; /* the only token there was */
    summarise_run(&plan, &run, NULL, 0, work, &out);
    assert_true(out.hit == 1.0);
}

/* A run that ended early misses every objective, and only those there are. */
static void test_missed(void **state) {
    (void)state;
    out.value[2] = 7.0;
    summarise_miss(&plan, &out);
    assert_true(isinf(out.value[0]) && isinf(out.value[1]) && out.value[2] == 7.0);
}

/* Offers of which one is the other under another price have one book; trials of the plan's own seed and traffic play one trace, and
 * all others one of their own. */
static void test_shared(void **state) {
    (void)state;
    static rc_plan_file file;
    static const char text[] =
        "plan: p\nmodel: llama-3.1-8b\nslo: [{ttft: 2s}]\nspace: {tp: 1}\n"
        "synthetic: {requests: 5, process: poisson, rate: 2, input: {kind: constant, mean: 1K}, "
        "output: {kind: constant, mean: 2}}\nsearch: {growth: 2}\n"
        "offers: [{machine: h100-sxm, price: 2, gpus: 8}, {machine: h200-sxm, price: 3, gpus: 8}, "
        "{machine: h100-sxm, price: 2.5, gpus: 16}, {machine: h200-sxm, price: 4, gpus: 8}]\n";
    rc_doc *doc = NULL;
    rc_plan_player *player = NULL;
    rc_error err = {0};
    books = traces = 0;
    assert_int_equal(rc_doc_parse("p.yaml", text, strlen(text), &doc, &err), RC_OK);
    assert_int_equal(rc_plan_read(doc, NULL, 0, &file, &err), RC_OK);
    assert_int_equal(rc_plan_player_create(&file, NULL, &player, &err), RC_OK);
    assert_int_equal(books, 2);
    assert_int_equal(traces, 1);
    for (int i = 0; i < 4; i++) {
        rc_plan_option o = {.offer = (int16_t)i, .tp = 1, .cp = 1, .prefill = 1, .max_batch = 4};
        rc_plan_trial t = plan_trial(&file.plan, &o);
        rc_plan_outcome shown = {0};
        assert_int_equal(rc_plan_simulate(player, &t, &shown, &err), RC_OK);
        assert_true(shown.done == 5.0);
        assert_int_equal(traces, 1);
    }
    static const struct {
        uint64_t seeds;
        double growth;
        int traces;
    } own[] = {{1, 2.0, 2}, {0, 1.9, 3}, {0, 2.1, 4}, {0, 2.0, 4}};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        rc_plan_option o = {.tp = 1, .cp = 1, .prefill = 1, .max_batch = 4};
        rc_plan_trial t = plan_trial(&file.plan, &o);
        rc_plan_outcome shown = {0};
        t.seed += own[i].seeds;
        t.growth = own[i].growth;
        assert_int_equal(rc_plan_simulate(player, &t, &shown, &err), RC_OK);
        assert_int_equal(traces, own[i].traces);
    }
    rc_plan_player_free(player);
    rc_plan_player_free(NULL);
    rc_plan_close(&file);
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {T(test_figures), T(test_pools),  T(test_midway),
                                       T(test_nothing), T(test_missed), T(test_shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
