/* Runs worked out with pencil and paper: linear costs (a millisecond a prompt token, a step of ten and one a
 * sequence), times to the tick.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "sim/forward/forward.h"
#include "sim/serve/serve_report.h"
#include "tests/support/serve_rows.h"

#define MS ((rc_time)1000000000)
#define POOL "pools: [{name: one, tp: 8}]\n"
#define COSTS "costs: {prefill_token: 1ms, decode: 10ms, decode_sequence: 1ms}\n"

static rc_serve_result result;

static rc_served *play(const char *text, const char *rows, rc_serve_options o) {
    return serve_rows(text, rows, o, &result);
}

static rc_served *run(const char *text, const char *rows) {
    return play(text, rows, (rc_serve_options){.seed = 1});
}

static void check(const rc_served *r, rc_time first_ms, rc_time end_ms) {
    assert_int_equal(r->first, first_ms * MS);
    assert_int_equal(r->end, end_ms * MS);
}

/* A budget of 100: 100 of A; 50 of A and 50 of B, A's first token at 200; the last 30 of B beside A's step,
 * 30 + 11, at 241; then a step of two, 12. */
static void test_chunked(void **state) {
    (void)state;
    rc_served *r = run(SERVE_HEAD POOL
                       "scheduler: {policy: chunked, budget: 100}\nkv: {tokens: 10000}\n" COSTS,
                       "0,150,3\n0,80,2\n");
    check(&r[0], 200, 253);
    check(&r[1], 241, 253);
    free(r);
}

/* Whole prompts one after the other, 150 and 80; a step of two, 12; then A's last alone, 11. */
static void test_prefill_first(void **state) {
    (void)state;
    rc_served *r = run(SERVE_HEAD POOL
                       "scheduler: {policy: prefill-first, fuse: 1}\nkv: {tokens: 10000}\n" COSTS,
                       "0,150,3\n0,80,2\n");
    check(&r[0], 150, 253);
    check(&r[1], 230, 242);
    free(r);
}

/* Four blocks of 16 for two requests of 30 + 30. From 60 on two steps of 12; the third needs a third block of
 * each, so B gives way. A goes on alone, 27 steps of 11, to 381. Then B's 30 + 3 tokens are computed again, which
 * makes its fourth, at 414, and 26 steps of 11 follow. */
static void test_recompute(void **state) {
    (void)state;
    rc_served *r = run(SERVE_HEAD POOL "scheduler: {policy: prefill-first, fuse: 1}\n"
                                       "kv: {tokens: 64, block: 16}\n" COSTS,
                       "0,30,30\n0,30,30\n");
    check(&r[0], 30, 381);
    check(&r[1], 60, 700);
    assert_int_equal(result.preempted, 1);
    /* 58 gaps: 381 - 30 and 700 - 60 */
    double mean = rc_hist_mean(&result.gap) / (double)MS;
    assert_true(mean > 991.0 / 58.0 - 1e-6 && mean < 991.0 / 58.0 + 1e-6);
    free(r);
}

/* Two prompts of 100,000 on two replicas leave at 1 s for one that decodes: 2 x 13.1072 GB at its line rate, 8 x 46
 * GB/s, and 17 us of latency, 71.2516 ms. One joins at once; the other with the next step: 11, 12, 11. */
static void test_moves(void **state) {
    (void)state;
    rc_served *r =
        run(SERVE_HEAD "pools: [{name: p, role: prefill, tp: 8, replicas: 2}, "
                       "{name: d, role: decode, tp: 8}]\nkv: {tokens: 1000000}\n"
                       "costs: {prefill_token: 10us, decode: 10ms, decode_sequence: 1ms}\n",
            "0,100000,3\n0,100000,3\n");
    double moved = (1.0 + 17e-6 + 2.0 * 1e5 * 131072.0 / (8.0 * 46e9)) * 1e12;
    rc_time first = r[0].end < r[1].end ? r[0].end : r[1].end;
    rc_time last = r[0].end < r[1].end ? r[1].end : r[0].end;
    assert_int_equal(r[0].first, 1000 * MS);
    assert_int_equal(r[1].first, 1000 * MS);
    assert_true(llabs(first - (rc_time)moved - 23 * MS) < 1000);
    assert_int_equal(last - first, 11 * MS);
    free(r);
}

/* B's prompt begins with A's, which lies where A decodes; but A is there, and the other replica has nobody. So B goes there
 * with all its 1,024 tokens, and every step is of one: 11. */
static void test_decodes_where_few_are(void **state) {
    (void)state;
    rc_served *r =
        run(SERVE_HEAD "pools: [{name: p, role: prefill, tp: 8}, "
                       "{name: d, role: decode, tp: 8, replicas: 2}]\nkv: {tokens: 1000000}\n"
                       "routing: prefix\n"
                       "costs: {prefill_token: 10us, decode: 10ms, decode_sequence: 1ms}\n",
            "{\"timestamp\": 0, \"input_length\": 512, \"output_length\": 201, \"hash_ids\": [0]}\n"
            "{\"timestamp\": 1000, \"input_length\": 1024, \"output_length\": 201, "
            "\"hash_ids\": [0, 1]}\n");
    assert_int_equal(result.moved_tokens, 512 + 1024);
    for (int i = 0; i < 2; i++) {
        const double move = 17e-6 + 512.0 * (i + 1) * 131072.0 / (8.0 * 36e9);
        assert_true(llabs(r[i].end - r[i].first - (rc_time)(move * 1e12) - 200 * 11 * MS) < 1000);
    }
    free(r);
}

/* B finds 5,120 of its tokens where A left them, so that 512 are waited for there when C comes. With as many of its own C has 1,024 to
 * wait for, and 5,632 at the other replica: what was cached is waited for by nobody. */
static void test_cached_tokens_do_not_wait(void **state) {
    (void)state;
    rc_served *r =
        run(SERVE_HEAD "pools: [{name: all, tp: 8, replicas: 2}]\nkv: {tokens: 1000000}\n"
                       "routing: prefix\ncosts: {prefill_token: 10us, decode: 1ms}\n",
            "{\"timestamp\": 0, \"input_length\": 5120, \"output_length\": 1, "
            "\"hash_ids\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}\n"
            "{\"timestamp\": 1000, \"input_length\": 5632, \"output_length\": 1, "
            "\"hash_ids\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}\n"
            "{\"timestamp\": 1002, \"input_length\": 5632, \"output_length\": 1, "
            "\"hash_ids\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11]}\n");
    for (int i = 0; i < 3; i++)
        assert_true(r[i].replica == r[0].replica && r[i].cached == (i > 0 ? 5120 : 0));
    assert_true(llabs(r[1].first - r[1].arrived - 5120 * (MS / 1000)) < 1000);
    assert_true(llabs(r[2].first - r[2].arrived - (2 * 5120 - 2000) * (MS / 1000)) < 1000);
    free(r);
}

/* KV that leaves layer by layer while its prompt runs, at 8 x 36 GB/s and 131,072 bytes a token: 2,197,266 tokens a second, 31 of
 * 32 layers while the last pass runs. Behind its end `left` tokens are left to send: the last layer's, or what there was no time
 * for, and one at the least. 17 us of latency come on top, and two steps of 11 ms follow. */
static void by_layer(const char *more, const char *rows, int which, double left) {
    char text[1024];
    const double rate = 8.0 * 36e9 / 131072.0;
    (void)snprintf(
        text, sizeof text,
        SERVE_HEAD
        "pools: [{name: p, role: prefill, tp: 8, replicas: 2}, {name: d, role: decode, tp: 8}]\n"
        "routing: round-robin\nkv: {tokens: 1000000, transfer: by-layer}\n%s",
        more);
    rc_served *r = run(text, rows);
    const double move = 17e-6 + left / rate;
    if (llabs(r[which].end - r[which].first - (rc_time)(move * 1e12) - 2 * 11 * MS) > 1000)
        fail_msg("%.9f s, not %.9f", (double)(r[which].end - r[which].first) / 1e12 - 0.022, move);
    free(r);
}

#define STEPS "decode: 10ms, decode_sequence: 1ms}\n"
static void test_by_layer(void **state) {
    (void)state;
    /* A second for the prompt: the network is through with 31 layers long before its end. */
    by_layer("costs: {prefill_token: 10us, " STEPS, "0,100000,3\n", 0, 3125.0);
    /* 10 ms: 21,286 of the 100,000 have gone. */
    by_layer("costs: {prefill_token: 100ns, " STEPS, "0,100000,3\n", 0, 78714.0);
    by_layer("costs: {prefill_token: 10us, " STEPS, "0,8,3\n", 0, 1.0);
    /* In pieces of 1,000: of the last piece, 500 in 5 ms. */
    by_layer("scheduler: {policy: chunked, budget: 1000}\ncosts: {prefill_token: 10us, " STEPS,
             "0,2500,3\n", 0, 16.0);
    /* B runs whole where A has not been; what they share is there already where both decode. */
    by_layer("costs: {prefill_token: 10us, " STEPS,
             "{\"timestamp\": 0, \"input_length\": 512, \"output_length\": 3, \"hash_ids\": [0]}\n"
             "{\"timestamp\": 1000, \"input_length\": 1024, \"output_length\": 3, \"hash_ids\": "
             "[0, 1]}\n",
             1, 16.0);
    assert_int_equal(result.moved_tokens, 512 + 512);
}

/* Passes without a bound: a piece of a prompt is all of it, so B with its 40 tokens and the first of its reply waits for the 4
 * blocks of 16 that A's 30 + 10 leave it two of. A's first at 30, its tenth nine steps of 11 later; then B's 40 and a step. */
static void test_whole_pieces(void **state) {
    (void)state;
    rc_served *r =
        run(SERVE_HEAD POOL "scheduler: {policy: prefill-first, budget: 0, admission: chunk}\n"
                            "kv: {tokens: 64, block: 16}\n" COSTS,
            "0,30,10\n0.035,40,2\n");
    check(&r[0], 30, 129);
    check(&r[1], 169, 180);
    assert_int_equal(result.preempted, 0);
    free(r);
}

/* An arrival of two and a half hours to the picosecond, which a floating-point number does not hold: nothing is scaled where
 * nobody asks for it. */
static void test_late_arrival(void **state) {
    (void)state;
    static const char rows[] = "0,10,1\n9007.199254740993,10,1\n";
    rc_served *r = run(SERVE_HEAD POOL "kv: {tokens: 10000}\n" COSTS, rows);
    assert_int_equal(r[1].arrived, INT64_C(9007199254740993));
    free(r);
}

/* A request that comes while a step runs is let in at its end. Decode of A from 50 on: steps of 11 to 61, 72;
 * B comes at 65, computes from 72 to 92, and both step at 104. */
static void test_between_steps(void **state) {
    (void)state;
    rc_served *r = run(SERVE_HEAD POOL
                       "scheduler: {policy: prefill-first, fuse: 1}\nkv: {tokens: 10000}\n" COSTS,
                       "0,50,4\n0.065,20,2\n");
    check(&r[0], 50, 104);
    check(&r[1], 92, 104);
    assert_int_equal(r[1].started, 72 * MS);
    free(r);
}

/* Prompts of 5 ms each, for A has begun when B arrives; steps of a millisecond a key: A holds 10, 11, 12 keys
 * before its steps, B 20 and 21. */
static void test_keys(void **state) {
    (void)state;
    rc_served *r =
        run(SERVE_HEAD POOL "scheduler: {policy: prefill-first, fuse: 2}\n"
                            "kv: {tokens: 10000}\ncosts: {prefill: 5ms, decode_key: 1ms}\n",
            "0,10,4\n0,20,3\n");
    check(&r[0], 5, 10 + 30 + 32 + 12);
    check(&r[1], 10, 10 + 30 + 32);
    free(r);
}

/* --exact hands every pass the contexts themselves, else it gets their mean, which of equal ones is each of them. */
static void test_exact(void **state) {
    (void)state;
#define PLAIN SERVE_HEAD POOL "scheduler: {policy: prefill-first, fuse: 2}\nkv: {tokens: 100000}\n"
    rc_served *mean = run(PLAIN, "0,4000,5\n0,4000,5\n");
    rc_served *each = play(PLAIN, "0,4000,5\n0,4000,5\n", (rc_serve_options){.exact = true});
    assert_int_equal(mean[0].first, each[0].first);
    assert_int_equal(mean[0].end, each[0].end);
    free(mean);
    free(each);
}

/* A step cost of 1.5 is stated, and with it every step of a batch that decodes alone: of a prompt of 4,000 and 199 steps
 * at least nine tenths of the time, and all shares together are one. */
static void test_stated_steps(void **state) {
    (void)state;
    double share[RC_BASIS_COUNT], sum = 0.0;
    free(run(PLAIN "speculative: {tokens: [1], step_cost: 1.5}\n", "0,4000,200\n"));
    rc_serve_rests(&result, share);
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        sum += share[b];
    assert_true(fabs(sum - 1.0) < 1e-6);
    assert_true(share[RC_STATED] > 0.9 && share[RC_STATED] < 1.0);
}

/* ---- sessions ---------------------------------------------------------------------------- */

/* Eight blocks of 64. A's first turn leaves two and goes on in 10 s; B's only one leaves two; C needs six, so two must
 * go. Of ended sessions they go first: A finds its 128 tokens again. Were A taken for ended and B not, A's were gone. */
static void test_ended_sessions_go_first(void **state) {
    (void)state;
    rc_served *r =
        run(SERVE_HEAD POOL "scheduler: {policy: prefill-first, fuse: 1}\n"
                            "kv: {tokens: 512, policy: session}\n" COSTS,
            "session_id,arrival_time,round_idx,prefix_len,input_len,output_len,tool_wait_after_ms\n"
            "a,0,0,0,128,1,10000\n"
            "b,1000,0,0,128,1,0\n"
            "c,2000,0,0,380,1,0\n"
            "a,10128,1,128,8,1,0\n");
    assert_int_equal(result.done, 4);
    assert_int_equal(result.kv_hit_tokens, 128);
    assert_int_equal(r[3].first - r[3].arrived, 8 * MS);
    free(r);
    /* pools apart: the replica that prefills keeps the blocks of a session, too, when its KV has moved on */
    r = run(SERVE_HEAD "pools: [{name: p, role: prefill, tp: 8}, {name: d, role: decode, tp: 8}]\n"
                       "scheduler: {policy: prefill-first, fuse: 1}\n"
                       "kv: {tokens: 512, policy: session}\n" COSTS,
            "session_id,arrival_time,round_idx,prefix_len,input_len,output_len,tool_wait_after_ms\n"
            "a,0,0,0,128,2,10000\n"
            "b,1000,0,0,128,2,0\n"
            "c,2000,0,0,380,2,0\n"
            "a,10140,1,128,8,2,0\n");
    assert_int_equal(result.done, 4);
    assert_int_equal(r[3].first - r[3].arrived, 8 * MS);
    free(r);
}

/* ---- fewer ranks than a pool has ----------------------------------------------------------- */

static rc_serve fewer;
static rc_costs *fewer_costs;

static rc_time forward_ticks(int cp, const rc_schedule *schedule, int64_t t, int64_t p) {
    const rc_sequence seq = {t, p};
    rc_layout l = fewer.layout;
    rc_error err = {0};
    rc_forward out;
    l.tp = 8;
    l.cp = cp;
    rc_spec spec = {.model = &fewer.model,
                    .costs = fewer_costs,
                    .layout = l,
                    .phase = RC_PREFILL,
                    .schedule = schedule,
                    .seqs = &seq,
                    .seq_count = 1,
                    .eager = true,
                    .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    if (rc_forward_run(&spec, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return out.ticks;
}

/* The fastest of one, two and four ranks, where on fewer what is cached on the others comes first: 327,680 B a token (80
 * layers, 8 heads of 128, K and V in bf16) over 8 connections a rank and one hop. */
static rc_time fastest(int64_t t, int64_t p, int *best_cp) {
    rc_time best = 0;
    const rc_machine *m = &fewer.machine;
    for (int cp = 1; cp <= 4; cp *= 2) {
        const double bytes = (1.0 - cp / 4.0) * (double)p * 327680.0;
        const rc_time more =
            cp == 4 || p == 0 ? 0
                              : llround((bytes / (m->peer_rate * 8 * cp) + m->hop_latency) * 1e12);
        for (int k = 0; k < (cp > 1 ? 2 : 1); k++) {
            const rc_schedule *s = cp == 1 ? rc_schedule_usual(RC_PREFILL, 1)
                                           : rc_schedule_named(k ? "pass-q" : "pass-kv");
            rc_time took = forward_ticks(cp, s, t, p) + more;
            if (best == 0 || took < best) {
                best = took;
                *best_cp = cp;
            }
        }
    }
    return best;
}

/* Prompts that share 512 cached tokens, with 8 to 16,384 of their own. */
static void test_gathering(void **state) {
    enum { BLOCK = 512, PROMPTS = 12 };
    static const int own[PROMPTS] = {0, 8, 64, 90, 110, 130, 150, 175, 200, 225, 260, 4096};
    static const char head[] =
        "serve: fewer\nmodel: llama-3.1-70b\nmachine: h100-sxm\n"
        "pools: [{name: one, tp: 8, cp: 4, variant: oracle, dynamic_cp: true}]\n"
        "scheduler: {policy: prefill-first, fuse: 1}\n";
    char rows[4096], text[1024];
    int n = 0, id = 0, won[5] = {0}, cp = 0;
    rc_error err = {0};
    (void)state;
    for (int i = 0; i < PROMPTS; i++) {
        n += snprintf(rows + n, sizeof rows - (size_t)n,
                      "{\"timestamp\": %d, \"input_length\": %d, \"output_length\": 1, "
                      "\"hash_ids\": [0",
                      20000 * i, BLOCK + own[i]);
        for (int k = 0; k < own[i]; k += BLOCK)
            n += snprintf(rows + n, sizeof rows - (size_t)n, ", %d", ++id);
        n += snprintf(rows + n, sizeof rows - (size_t)n, "]}\n");
    }
    (void)snprintf(text, sizeof text, "%ssynthetic: {requests: 1, rate: 1}\n", head);
    assert_int_equal(serve_parse(text, &fewer, &err), RC_OK);
    assert_int_equal(rc_costs_open(NULL, &fewer.machine, &fewer_costs, &err), RC_OK);
    rc_served *r = run(head, rows);
    assert_int_equal(result.done, PROMPTS);
    for (int i = 0; i < PROMPTS; i++) {
        const rc_time took = r[i].first - r[i].arrived;
        const rc_time want = i ? fastest(own[i], BLOCK, &cp) : fastest(BLOCK, 0, &cp);
        won[cp] += i > 0;
        if (took != want)
            fail_msg("%d new tokens: %ld ps, by hand %ld", own[i], (long)took, (long)want);
    }
    print_message("of %d prompts %d ran on one rank, %d on two, %d on four\n", PROMPTS - 1, won[1],
                  won[2], won[4]);
    assert_true(won[2] > 0 && won[4] > 0);
    rc_costs_close(fewer_costs);
    free(r);
}

/* ---- faults ----------------------------------------------------------------------------------- */

/* A's first turn, 128 tokens, ends at 128 ms; its second comes 10 s later and has 8 more. The replica is lost at 5 s, for a second:
 * nothing of A is cached when it is back, so that all 136 are computed. Without the fault only the 8 are. */
static void test_lost_replica_forgets(void **state) {
#define SESSION                                                                                    \
    "session_id,arrival_time,round_idx,prefix_len,input_len,output_len,tool_wait_after_ms\n"       \
    "a,0,0,0,128,1,10000\na,10128,1,128,8,1,0\n"
#define FORGETS                                                                                    \
    SERVE_HEAD POOL                                                                                \
        "scheduler: {policy: prefill-first, fuse: 1}\nkv: {tokens: 512, policy: session}\n" COSTS
    (void)state;
    rc_served *r = run(FORGETS, SESSION);
    assert_int_equal(result.kv_hit_tokens, 128);
    assert_int_equal(r[1].first - r[1].arrived, 8 * MS);
    free(r);
    r = run(FORGETS "faults: [{kind: node-lost, at: 5s, back: 6s}]\n", SESSION);
    assert_int_equal(result.done, 2);
    assert_int_equal(result.kv_hit_tokens, 0);
    assert_int_equal(r[1].first - r[1].arrived, 136 * MS);
    free(r);
}

/* ---- rates ------------------------------------------------------------------------------------ */

/* --rate moves arrivals and keeps how they come: at even distances, or in bursts (cv 3 against 1 by Poisson). */
static void test_rate_keeps_the_process(void **state) {
    rc_error err = {0};
    rc_trace *t = NULL;
    char text[1024], path[1024];
    const char *root = getenv("RC_SOURCE_DIR");
    static rc_serve s;
    (void)state;
    (void)snprintf(path, sizeof path, "%s/scenarios/traces/mooncake_conversation.jsonl.xz",
                   root ? root : ".");
    for (int burst = 0; burst < 2; burst++) {
        (void)snprintf(text, sizeof text, "%sarrivals: {trace: %.600s, requests: 3000, %s}\n",
                       SERVE_HEAD POOL "kv: {tokens: 1M}\n", path,
                       burst ? "process: gamma, cv: 3" : "process: even");
        assert_int_equal(serve_parse(text, &s, &err), RC_OK);
        if (rc_serve_workload(&s, 1, 4.0, &t, &err) != RC_OK)
            fail_msg("%s", err.msg);
        double sum = 0.0, squares = 0.0;
        for (size_t i = 1; i < t->count; i++) {
            const double gap = (double)(t->at[i].arrival - t->at[i - 1].arrival) / RC_PS_PER_S;
            sum += gap;
            squares += gap * gap;
        }
        const double mean = sum / 2999.0,
                     cv = sqrt(fmax(squares / 2999.0 - mean * mean, 0.0)) / mean;
        assert_true(burst ? fabs(mean - 0.25) < 0.05 : fabs(mean - 0.25) < 1e-9);
        assert_true(burst ? fabs(cv - 3.0) < 0.3 : cv < 1e-3);
        rc_trace_free(t);
        t = NULL;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_prefill_first),
        cmocka_unit_test(test_recompute),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_by_layer),
        cmocka_unit_test(test_whole_pieces),
        cmocka_unit_test(test_late_arrival),
        cmocka_unit_test(test_cached_tokens_do_not_wait),
        cmocka_unit_test(test_decodes_where_few_are),
        cmocka_unit_test(test_between_steps),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_stated_steps),
        cmocka_unit_test(test_ended_sessions_go_first),
        cmocka_unit_test(test_gathering),
        cmocka_unit_test(test_lost_replica_forgets),
        cmocka_unit_test(test_rate_keeps_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
