/* Prompts in chunks and layers in stages: the recursion against closed forms and against the event engine,
 * chunks and stages by hand, and that what is cut is there once.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/engine/engine.h"
#include "sim/forward/scenario.h"
#include "sim/schedule/totals.h"

enum { MOST = 8 * 12 };

/* ---- the recursion ---------------------------------------------------------------------------- */

/* Two stages of 10, sends of 1: 10, 20, 30 and, each a send later, 21, 31, 41. */
static void test_by_hand(void **state) {
    (void)state;
    const rc_time work[] = {10, 10, 10, 10, 10, 10}, send[] = {1, 1, 1, 0, 0, 0};
    rc_time end[6];
    assert_true(rc_pipeline_end(work, send, 2, 3, end) == 41);
    assert_true(end[0] == 10 && end[2] == 30 && end[3] == 21 && end[4] == 31);
    /* a link that is slower than a stage decides: 10 + 3 x 25 + 10 */
    const rc_time slow[] = {25, 25, 25, 0, 0, 0};
    assert_true(rc_pipeline_end(work, slow, 2, 3, NULL) == 95);
}

/* Equal work w and sends x no longer than it: (M + S - 1) w + (S - 1) x, of which M w is work. */
static void test_bubble(void **state) {
    (void)state;
    for (int stages = 1; stages <= 8; stages++)
        for (int chunks = 1; chunks <= 12; chunks += 11) {
            rc_time work[MOST], send[MOST];
            for (int i = 0; i < stages * chunks; i++)
                work[i] = 700, send[i] = 90;
            assert_true(rc_pipeline_end(work, send, stages, chunks, NULL) ==
                        (chunks + stages - 1) * 700 + (stages - 1) * 90);
        }
}

/* The event engine: a stream for each stage and each link, fixed ops, and what waits for what. */
static rc_time played(const rc_time *work, const rc_time *send, int stages, int chunks) {
    rc_sim *s = rc_sim_create();
    rc_id run[MOST], ship[MOST], stream[8], link[8];
    rc_time last = 0;
    assert_non_null(s);
    rc_sim_keep_all(s);
    for (int k = 0; k < stages; k++) {
        stream[k] = rc_sim_stream(s, RC_NONE);
        if (k + 1 < stages)
            link[k] = rc_sim_stream(s, RC_NONE);
    }
    for (int i = 0; i < chunks; i++)
        for (int k = 0; k < stages; k++) {
            const int at = k * chunks + i;
            run[at] = rc_sim_op(
                s, &(rc_op_desc){.kind = RC_OP_FIXED, .stream = stream[k], .duration = work[at]});
            if (k > 0)
                assert_int_equal(rc_sim_after(s, run[at], ship[at - chunks], NULL), RC_OK);
            if (k + 1 == stages)
                continue;
            ship[at] = rc_sim_op(
                s, &(rc_op_desc){.kind = RC_OP_FIXED, .stream = link[k], .duration = send[at]});
            assert_int_equal(rc_sim_after(s, ship[at], run[at], NULL), RC_OK);
        }
    assert_int_equal(rc_sim_run(s, NULL), RC_OK);
    last = rc_sim_op_end(s, rc_sim_number(s, run[stages * chunks - 1], 0));
    rc_sim_destroy(s);
    return last;
}

static void test_as_the_engine(void **state) {
    (void)state;
    uint64_t x = 88172645463325252ULL;
    for (int n = 0; n < 300; n++) {
        rc_time work[MOST], send[MOST];
        const int stages = 1 + n % 8, chunks = 1 + n % 11;
        for (int i = 0; i < stages * chunks; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            work[i] = (rc_time)(x % 1000);
            send[i] = (rc_time)(x / 1000 % 400);
        }
        assert_true(rc_pipeline_end(work, send, stages, chunks, NULL) ==
                    played(work, send, stages, chunks));
    }
}

/* ---- passes ----------------------------------------------------------------------------------- */

static rc_scenario scenario;
static rc_costs *costs;
static rc_forward_ctx *ctx;

static void opened(const char *model, const char *rest) {
    char text[1024];
    rc_doc *doc = NULL;
    rc_error err = {0};
    (void)snprintf(text, sizeof text, "scenario: s\nmodel: %s\nmachine: h200-sxm\n%s\n", model,
                   rest);
    assert_int_equal(rc_doc_parse("s.yaml", text, strlen(text), &doc, &err), RC_OK);
    if (rc_scenario_read(doc, NULL, 0, &scenario, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_doc_close(doc);
    assert_int_equal(rc_costs_open(NULL, &scenario.machine, &costs, &err), RC_OK);
    ctx = rc_forward_ctx_create();
    assert_non_null(ctx);
}

static void closed(void) {
    rc_forward_ctx_destroy(ctx);
    rc_costs_close(costs);
    rc_scenario_free(&scenario);
}

static rc_time time_of(rc_spec spec, rc_sequence *one) {
    rc_forward_timing t;
    if (one) {
        spec.seqs = one;
        spec.seq_count = 1;
    }
    assert_int_equal(rc_forward_time(ctx, &spec, &t, NULL), RC_OK);
    return t.ticks;
}

/* 10,000 tokens behind 500 by 4,096, then the first 2,288 of the next prompt in the chunk that has room. */
static void test_chunks(void **state) {
    (void)state;
    opened("llama-3.1-8b", "parallel: {tp: 8, cp: 2, variant: pass-kv}\nphase: prefill\n"
                           "sequences: [{new: 10000, cached: 500}, {new: 2289}]");
    rc_chunks c;
    rc_spec spec = rc_scenario_spec(&scenario, costs);
    assert_int_equal(rc_chunks_of(&spec, 4096, &c, NULL), RC_OK);
    assert_int_equal(c.count, 4);
    const rc_sequence want[] = {{4096, 500}, {4096, 4596}, {1808, 8692}, {2288, 0}, {2, 2288}};
    assert_int_equal(c.first[4], 5); /* the last token is padded to one for each rank */
    for (int i = 0; i < 5; i++)
        assert_true(c.seqs[i].t == want[i].t && c.seqs[i].p == want[i].p);
    assert_true(c.first[2] == 2 && c.first[3] == 4);
    rc_chunks_free(&c);
    spec.phase = RC_DECODE;
    assert_int_equal(rc_chunks_of(&spec, 4096, &c, NULL), RC_E_INPUT);
    spec.phase = RC_PREFILL;
    spec.layout.dp = 2;
    assert_int_equal(rc_chunks_of(&spec, 4096, &c, NULL), RC_E_UNMODELLED);
    closed();
}

/* A prompt takes as long as its chunks one after the other, each behind all before it: on ranks, and where
 * a TP group cuts sequences over its GPUs, every further chunk of which passes over the prefix. */
static void test_sum(void **state) {
    (void)state;
    static const char *const layouts[] = {"{tp: 8, cp: 2, variant: pass-kv}",
                                          "{tp: 16, cp: 1, dcp: 2, variant: dcp-ag-rs}",
                                          "{tp: 8, cp: 1, variant: tp}"};
    for (int k = 0; k < 3; k++) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "parallel: %s\nphase: prefill\ntokens: {new: 24576, cached: 1000}",
                       layouts[k]);
        opened("llama-3.1-8b", text);
        rc_time sum = 0;
        const rc_spec spec = rc_scenario_spec(&scenario, costs);
        for (int64_t i = 0; i < 3; i++)
            sum += time_of(spec, &(rc_sequence){8192, 1000 + i * 8192});
        rc_forward_timing t;
        rc_forward whole;
        const rc_staging by_8k = {.chunk = 8192}, in_one = {.chunk = 24576};
        assert_int_equal(rc_staged_time(ctx, &spec, &by_8k, &t, NULL), RC_OK);
        assert_true(t.ticks == sum);
        assert_int_equal(rc_staged_run(ctx, &spec, &by_8k, &whole, NULL), RC_OK);
        assert_true(whole.ticks == sum);
        double critical = 0.0;
        for (int p = 0; p < RC_P_COUNT; p++)
            critical += whole.critical[p];
        assert_true(fabs(critical / whole.time - 1.0) < 1e-9);
        assert_int_equal(rc_staged_time(ctx, &spec, &in_one, &t, NULL), RC_OK);
        assert_true(t.ticks == time_of(spec, NULL));
        const rc_staging too_many = {.chunk = 1};
        assert_int_equal(rc_staged_time(ctx, &spec, &too_many, &t, NULL), RC_E_SIZE);
        closed();
    }
}

/* 61 layers in four stages, as vLLM has them: 15, 15, 16, 15. The dense three are all in the first. */
static void test_stage_models(void **state) {
    (void)state;
    opened("deepseek-v3", "parallel: {tp: 8, cp: 1, ep: 8, variant: tp}\nphase: decode\n"
                          "tokens: {cached: 1000}");
    static const int want[] = {15, 15, 16, 15};
    const rc_layout one = {.tp = 1, .cp = 1};
    rc_model part;
    double weights = 0.0, kv = 0.0;
    int layers = 0;
    for (int s = 0; s < 4; s++) {
        assert_int_equal(rc_model_stage(&scenario.model, 4, s, &part, NULL), RC_OK);
        assert_int_equal(part.layers, want[s]);
        assert_int_equal(part.kinds, s == 0 ? 2 : 1);
        rc_layout l = one;
        rc_model_dtypes(&part, &l);
        weights += rc_model_weight_bytes_of(&part, &l);
        kv += rc_model_kv_bytes(&part, RC_BF16);
        layers += part.layers;
    }
    rc_layout l = one;
    rc_model_dtypes(&scenario.model, &l);
    assert_true(layers == 61 && kv == 70272.0);
    assert_true(weights == rc_model_weight_bytes_of(&scenario.model, &l));
    assert_int_equal(rc_model_stage(&scenario.model, 62, 0, &part, NULL), RC_E_INPUT);
    closed();
}

/* A decode step in a graph passes both stages one after the other: the work of the whole, and a send between
 * of what a token carries, 2 x 7168 elements, of which a GPU sends an eighth. */
static void test_decode(void **state) {
    (void)state;
    opened("deepseek-v3", "parallel: {tp: 8, cp: 1, ep: 8, variant: tp, pp: 2}\nphase: decode\n"
                          "tokens: {cached: 1000}\nbatch: 8");
    rc_forward f;
    rc_forward_timing t;
    const rc_spec spec = rc_scenario_spec(&scenario, costs);
    assert_int_equal(scenario.staging.stages, 2);
    assert_int_equal(rc_staged_run(ctx, &spec, &scenario.staging, &f, NULL), RC_OK);
    assert_int_equal(rc_staged_time(ctx, &spec, &scenario.staging, &t, NULL), RC_OK);
    assert_true(f.ticks == t.ticks);
    rc_p2p link;
    rc_cost gather;
    const double bytes = 2.0 * 8 * 7168 * 2;
    assert_int_equal(
        rc_cost_p2p(costs, &(rc_transfer){.bytes = bytes / 8, .ranks = 2, .nodes = 2}, &link, NULL),
        RC_OK);
    assert_int_equal(rc_cost_collective(costs, "all_gather",
                                        &(rc_transfer){.bytes = bytes, .ranks = 8, .nodes = 1},
                                        &gather, NULL),
                     RC_OK);
    const double send =
        link.latency + bytes / 8 / fmin(link.peer_rate, link.link_rate) + gather.p50;
    assert_true(fabs(f.critical[RC_P_SENDRECV] - send) < 1e-12);
    assert_true(t.ticks == time_of(spec, NULL) + llround(send * 1e12));
    closed();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),       cmocka_unit_test(test_bubble),
        cmocka_unit_test(test_as_the_engine), cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_sum),           cmocka_unit_test(test_stage_models),
        cmocka_unit_test(test_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
