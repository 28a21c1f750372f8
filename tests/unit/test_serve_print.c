/* What is printed of a run, from figures that are made up: each number and each line that only some runs have.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/serve/serve_report.h"
#include "tests/support/printed.h"
#include "tests/support/serve.h"

#define MS ((rc_time)1000000000)

static rc_serve s;
static rc_serve_result r;
static rc_error err;

/* Two requests of 2 and 4 s to the first token, and so on down to the service. */
static void add(rc_hist *h, int first_ms) {
    rc_hist_init(h);
    rc_hist_add(h, first_ms * MS);
    rc_hist_add(h, 2 * first_ms * MS);
}

static int setup(void **state) {
    (void)state;
    assert_int_equal(
        serve_parse(
            SERVE_HEAD
            "pools: [{name: p, role: prefill, tp: 4, cp: 2, replicas: 3, variant: pass-kv}, "
            "{name: d, role: decode, tp: 2, pp: 4}]\n"
            "synthetic: {requests: 2, rate: 1}\n",
            &s, &err),
        RC_OK);
    memset(&r, 0, sizeof r);
    add(&r.ttft, 2000);
    add(&r.ttit, 50);
    add(&r.gap, 40);
    add(&r.e2e, 3000);
    add(&r.queue, 500);
    add(&r.service, 1000);
    rc_hist_init(&r.batch);
    r.requests = 10;
    r.done = 7;
    r.rejected = 2;
    r.lost = 1;
    r.preempted = 5;
    r.retried = 6;
    r.makespan = 12500 * MS;
    r.tokens_in = 1000;
    r.tokens_out = 300;
    r.kv_hit_tokens = 250;
    r.kv_miss_tokens = 750;
    r.goodput = 0.56;
    r.within_slo = 4;
    r.mfu = 0.125;
    r.tokens_per_gpu_s = 17.5;
    r.gpu_hours = 1.25;
    r.admitted = 8;
    r.pool_count = 2;
    r.pools[0] = (rc_pool_result){.name = "p",
                                  .gpus = 24,
                                  .replicas = 3,
                                  .groups = 1,
                                  .kv_tokens = 5000,
                                  .busy_s = 9,
                                  .up_s = 36,
                                  .work_s = 6,
                                  .kv_held_s = 10,
                                  .kv_room_s = 80,
                                  .kv_peak = 0.625,
                                  .prefill_passes = 11,
                                  .mixed_passes = 12,
                                  .decode_passes = 13};
    r.pools[0].by_schedule[rc_schedule_index(rc_schedule_named("pass-q"))] = 21;
    r.pools[0].by_schedule[rc_schedule_index(rc_schedule_named("pass-kv"))] = 22;
    r.pools[0].rests[RC_MEASURED] = 3.0;
    r.pools[1] = (rc_pool_result){.name = "d",
                                  .gpus = 8,
                                  .replicas = 1,
                                  .groups = 2,
                                  .kv_tokens = 7000,
                                  .busy_s = 6,
                                  .up_s = 12,
                                  .work_s = 3,
                                  .kv_held_s = 1,
                                  .kv_room_s = 4,
                                  .kv_peak = 0.5,
                                  .decode_passes = 14,
                                  .batch_mean = 2.75};
    r.pools[1].rests[RC_MODELLED] = 1.0;
    r.passes = (rc_pass_stats){
        .exact = 31, .reused = 32, .interpolated = 33, .simulated = 34, .cells = 35};
    r.little_l = 1.5;
    r.little_lw = 1.75;
    r.events = 99;
    r.hash = 0xabcdef;
    r.wall_s = 0.25;
    return 0;
}

static bool stats;

static void print(void) {
    assert_int_equal(rc_serve_print(&s, &r, stats, stdout, &err), RC_OK);
}

/* The work of prompts, 6 s of 36, admits 8 x 3 / 6 a second; that of steps, in two groups, 8 x 2 / 3. */
static const char tables[] = "# metric         mean      p50      p90      p95      p99      max\n"
                             "# -                ms       ms       ms       ms       ms       ms\n"
                             "  TTFT        3000.00  2000.00  4000.00  4000.00  4000.00  4000.00\n"
                             "  TTIT          75.00    50.00   100.00   100.00   100.00   100.00\n"
                             "  token gaps    60.00    40.00    80.00    80.00    80.00    80.00\n"
                             "  end to end  4500.00  3000.00  6000.00  6000.00  6000.00  6000.00\n"
                             "  queueing     750.00   500.00  1000.00  1000.00  1000.00  1000.00\n"
                             "  service     1500.00  1000.00  2000.00  2000.00  2000.00  2000.00\n"
                             "# pool  GPUs  replicas           KV  computes  work  most load  KV "
                             "held  KV peak  prefill   mixed  decode  decode batch  by pass-Q\n"
                             "# -        -         -  tokens each         %     %        1/s       "
                             " %        %   passes  passes  passes          mean     passes\n"
                             "  p       24         3         5000      25.0  16.7     4.0000     "
                             "12.5     62.5       11      12      13          0.00         21\n"
                             "  d        8         1         7000      50.0  25.0     5.3333     "
                             "25.0     50.0        0       0      14          2.75          0\n"
                             "MFU 12.50 %, 17.5 tokens per GPU-second, 1.250 GPU-hours\n"
                             "costs of the busy time: measured 75.0 %, modelled 25.0 %\n";

static void test_plain(void **state) {
    (void)state;
    char *text = printed_by(print);
    assert_holds(text,
                 "TTFT p95 4 s, TTIT p95 0.1 s; no objectives are stated\n"
                 "# serve test: llama-3.1-8b on h100-sxm, 3 x CP2+TP4 prefill (pass-kv), 1 x "
                 "CP1+TP2+PP4 decode (tp)\n"
                 "requests 10: done 7, rejected 2, lost 1; preempted 5 times, tried again 6 times\n"
                 "makespan 12.5 s, tokens in 1000, out 300\n"
                 "KV hits: 250 of 1000 prompt tokens (25.0 %)\n");
    assert_holds(text, tables);
    assert_null(strstr(text, "# simulation"));
    free(text);
    r.done = 0; /* nobody has a latency */
    text = printed_by(print);
    assert_int_equal(strncmp(text, "# serve test", 12), 0);
    free(text);
}

static void test_more(void **state) {
    (void)state;
    r.queue_full = 1;
    s.max_waiting = 44;
    r.too_large = 1;
    r.fetched_tokens = 55;
    r.moved_tokens = 66;
    r.cost = 3.5;
    r.cost_per_mtoken = 2.25;
    r.max_pass_error = 0.0125;
    s.layout.kv = RC_FP8;
    s.objective_count = r.objective_count = 2;
    s.objectives[0] = (rc_objective){.limit = 3.0, .share = 0.5, .to = INT64_MAX};
    s.objectives[1] = (rc_objective){.limit = 0.07, .share = 0.9, .to = INT64_MAX, .ttit = true};
    r.objectives[0] = (rc_objective_result){.asked = 3, .kept = 2};
    r.objectives[1] = (rc_objective_result){.asked = 30, .kept = 1};
    add(&r.objectives[0].served, 2000);
    add(&r.objectives[1].served, 50);
    stats = true;
    char *text = printed_by(print);
    stats = false;
    assert_holds(text,
                 "goodput 0.5600 requests/s: 40.00 % of all within the SLO\n"
                 "  TTFT p50 <= 3 s: met, 3 s, kept by 2 of 3\n"
                 "  TTIT p90 <= 0.07 s: not met, too few served, kept by 1 of 30\n# serve test");
    assert_holds(text, "# KV in fp8: capacity, transfers and attention\n");
    assert_holds(text, "rejected by a full queue (max_waiting 44): 1\nrejected as larger than a "
                       "replica's KV cache: 1\n");
    assert_holds(text, "(25.0 %), 55 from host memory; 66 tokens of KV moved between pools\n");
    assert_holds(text, "1.250 GPU-hours, cost 3.50, 2.2500 per million tokens\n");
    assert_holds(
        text,
        "# simulation\nLittle: L 1.5, lambda W 1.75\n"
        "passes: 31 simulated as they came, 32 met before, 33 interpolated; 34 simulations in all, "
        "35 cells\n"
        "largest error of a pass time: 1.2500 %\nevents 99, 0.250 s wall, hash 0000000000abcdef\n");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_plain, setup),
                                       cmocka_unit_test_setup(test_more, setup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
