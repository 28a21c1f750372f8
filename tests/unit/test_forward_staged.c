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

static void opened_with(const char *model, const char *rest, const char *set) {
    char text[1024];
    rc_doc *doc = NULL;
    rc_error err = {0};
    (void)snprintf(text, sizeof text, "scenario: s\nmodel: %s\nmachine: h200-sxm\n%s\n", model,
                   rest);
    assert_int_equal(rc_doc_parse("s.yaml", text, strlen(text), &doc, &err), RC_OK);
    if (rc_scenario_read(doc, &set, set != NULL, &scenario, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_doc_close(doc);
    assert_int_equal(rc_costs_open(NULL, &scenario.machine, &costs, &err), RC_OK);
    ctx = rc_forward_ctx_create();
    assert_non_null(ctx);
}

static void opened(const char *model, const char *rest) {
    opened_with(model, rest, NULL);
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

/* Layers that are left over: 126 and 61 in four stages as vLLM deals them, and as SGLang does; one stage has
 * all. */
static void test_rest(void **state) {
    (void)state;
    static const struct {
        int layers, stages, inner[4], last[4];
    } cases[] = {{126, 4, {31, 32, 32, 31}, {31, 31, 32, 32}},
                 {61, 4, {15, 15, 16, 15}, {15, 15, 15, 16}},
                 {61, 2, {31, 30}, {30, 31}},
                 {63, 4, {16, 16, 16, 15}, {15, 16, 16, 16}},
                 {80, 4, {20, 20, 20, 20}, {20, 20, 20, 20}},
                 {7, 1, {7}, {7}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const rc_model m = {.layers = cases[i].layers};
        int next[2] = {0, 0}, first;
        for (int s = 0; s < cases[i].stages; s++)
            for (int rest = 0; rest < 2; rest++) {
                const rc_stages of = {cases[i].stages, (rc_rest_layers)rest};
                const int n = rc_model_stage_layers(&m, &of, s, &first);
                assert_int_equal(n, rest == RC_REST_LAST ? cases[i].last[s] : cases[i].inner[s]);
                assert_int_equal(first, next[rest]);
                next[rest] += n;
            }
        assert_true(next[0] == cases[i].layers && next[1] == cases[i].layers);
    }
}

/* 61 layers in four stages: 15, 15, 16, 15. The dense three are all in the first. */
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
        assert_int_equal(rc_model_stage(&scenario.model, &(rc_stages){.count = 4}, s, &part, NULL),
                         RC_OK);
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
    assert_int_equal(rc_model_stage(&scenario.model, &(rc_stages){.count = 62}, 0, &part, NULL),
                     RC_E_INPUT);
    closed();
}

/* A decode step in a graph passes both stages one after the other: the work of the whole, and what goes between:
 * twice 8 rows of 7168 elements, of which a GPU sends an eighth and the TP group gathers the rest. */
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
    const double bytes = 8.0 * 7168 * 2;
    assert_int_equal(
        rc_cost_p2p(costs, &(rc_transfer){.bytes = bytes / 8, .ranks = 2, .nodes = 2}, &link, NULL),
        RC_OK);
    assert_int_equal(rc_cost_collective(costs, "all_gather",
                                        &(rc_transfer){.bytes = bytes, .ranks = 8, .nodes = 1},
                                        &gather, NULL),
                     RC_OK);
    const double send =
        2.0 * (link.latency + bytes / 8 / fmin(link.peer_rate, link.link_rate) + gather.p50);
    assert_true(fabs(f.critical[RC_P_SENDRECV] - send) < 1e-12);
    assert_true(fabs(f.busy[RC_P_SENDRECV] - send) < 1e-12);
    assert_true(t.ticks == time_of(spec, NULL) + llround(send * 1e12));
    closed();
}

/* Of every chunk the stages do together what one stage does. */
static rc_status sum_work(void *arg, const rc_piece_time *piece, rc_error *err) {
    (void)err;
    ((rc_time *)arg)[piece->chunk] += piece->end - piece->start;
    return RC_OK;
}

static void test_work(void **state) {
    (void)state;
    opened("llama-3.1-8b", "parallel: {tp: 8, cp: 1, pp: 5, variant: tp}\nphase: prefill\n"
                           "chunk: 8192\ntokens: {new: 24576}");
    const rc_spec spec = rc_scenario_spec(&scenario, costs);
    rc_time work[3] = {0};
    assert_int_equal(rc_staged_each(&spec, &scenario.staging, sum_work, work, NULL), RC_OK);
    for (int i = 0; i < 3; i++) {
        const double whole = (double)time_of(spec, &(rc_sequence){8192, (int64_t)i * 8192});
        assert_true(fabs((double)work[i] / whole - 1.0) <
                    1e-3); /* each stage begins with a launch */
    }
    closed();
}

/* Stages that take as long: with M equal chunks of w and sends of x, (M + S - 1) w + (S - 1) x. The first and
 * the last stage have more, so that the inner ones alone are held against it; the prefix is long enough
 * for chunks to be alike. */
static rc_status take_inner(void *arg, const rc_piece_time *piece, rc_error *err) {
    rc_time *at = arg; /* begin and end of the inner stages, work and send of the first of them */
    (void)err;
    if (piece->stage == 1 && piece->chunk == 0) {
        at[0] = piece->start;
        at[2] = piece->end - piece->start;
        at[3] = piece->comes - piece->leaves;
    }
    if (piece->stage == 2)
        at[1] = piece->end;
    return RC_OK;
}

static void test_equal_stages(void **state) {
    (void)state;
    enum { CHUNKS = 6 };
    opened("llama-3.1-8b", "parallel: {tp: 8, cp: 1, pp: 4, variant: tp}\nphase: prefill\n"
                           "chunk: 128\ntokens: {new: 768, cached: 100000}");
    const rc_spec spec = rc_scenario_spec(&scenario, costs);
    rc_time at[4];
    assert_int_equal(rc_staged_each(&spec, &scenario.staging, take_inner, at, NULL), RC_OK);
    const double formula = (CHUNKS + 2 - 1) * (double)at[2] + (double)at[3];
    assert_true(fabs((double)(at[1] - at[0]) / formula - 1.0) < 1e-3);
    closed();
}

/* Two prompts of 6,000 and 2,000 tokens, the first after 1,000 that are cached, in chunks of any size on one GPU a stage: in the
 * end each of the two stages keeps 16 layers x 9,000 tokens x 2 x 8 heads x 128 x 2 bytes, whether the last chunk holds both
 * prompts or a part of one. The stages have 16 layers of 218,112,000 parameters each, and embedding or LM head, 128,256 x
 * 4,096, the last one the final norm. */
static void test_memory(void **state) {
    (void)state;
    static const int64_t sizes[] = {700, 2000, 3000, 4096, 6000, 8000, 10000};
    opened("llama-3.1-8b", "parallel: {tp: 1, cp: 1, pp: 2, variant: tp}\nphase: prefill\n"
                           "chunk: 4096\nsequences: [{new: 6000, cached: 1000}, {new: 2000}]");
    const rc_spec spec = rc_scenario_spec(&scenario, costs);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        rc_forward f;
        rc_forward_timing t;
        scenario.staging.chunk = sizes[i];
        assert_int_equal(rc_staged_run(ctx, &spec, &scenario.staging, &f, NULL), RC_OK);
        assert_int_equal(rc_staged_time(ctx, &spec, &scenario.staging, &t, NULL), RC_OK);
        assert_true(f.memory.kv == 16.0 * 9000 * 2 * 8 * 128 * 2 && t.memory.kv == f.memory.kv);
        assert_true(f.memory.weights == 2.0 * (16 * 218112000.0 + 128256.0 * 4096 + 4096));
        assert_true(f.memory.total == t.memory.total);
        const rc_memory *m = &f.memory;
        assert_true(fabs(m->total - m->weights - m->kv - m->activations - m->buffers - m->runtime) <
                    1.0);
    }
    closed();
}

/* A pass in one stage is the pass as it is. */
static void test_one_stage(void **state) {
    (void)state;
    opened("llama-3.1-8b", "parallel: {tp: 8, cp: 2, pp: 1, variant: pass-kv}\nphase: prefill\n"
                           "tokens: {new: 16K}");
    const rc_spec spec = rc_scenario_spec(&scenario, costs);
    rc_forward one, staged;
    memset(&one, 0, sizeof one);
    memset(&staged, 0, sizeof staged);
    assert_int_equal(rc_forward_run_with(ctx, &spec, &one, NULL), RC_OK);
    assert_int_equal(rc_staged_run(ctx, &spec, &scenario.staging, &staged, NULL), RC_OK);
    assert_memory_equal(&one, &staged, sizeof one);
    closed();
}

/* A faster link never makes a pass slower. */
static void test_faster_link(void **state) {
    (void)state;
    static const char *const sets[] = {"machine.peer_rate=2GB/s", "machine.peer_rate=5GB/s",
                                       "machine.peer_rate=20GB/s", "machine.peer_rate=40GB/s"};
    rc_time before = INT64_MAX;
    for (int i = 0; i < 4; i++) {
        opened_with("llama-3.1-8b",
                    "parallel: {tp: 8, cp: 1, pp: 3, variant: tp}\nphase: prefill\nchunk: 2048\n"
                    "tokens: {new: 16K}",
                    sets[i]);
        rc_forward_timing t;
        const rc_spec spec = rc_scenario_spec(&scenario, costs);
        assert_int_equal(rc_staged_time(ctx, &spec, &scenario.staging, &t, NULL), RC_OK);
        assert_true(t.ticks < before);
        before = t.ticks;
        closed();
    }
}

/* More stages than layers, and than there are nodes for. */
static void test_refused(void **state) {
    (void)state;
    opened_with("llama-3.1-8b",
                "parallel: {tp: 8, cp: 1, pp: 3, variant: tp}\nphase: decode\n"
                "tokens: {cached: 1000}",
                "machine.max_nodes=2");
    rc_forward_timing t;
    rc_error err = {0};
    const rc_spec spec = rc_scenario_spec(&scenario, costs);
    const rc_staging fits = {.stages = 2}, many = {.stages = 33};
    assert_int_equal(rc_staged_time(ctx, &spec, &scenario.staging, &t, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "3 stages take 3 nodes"));
    assert_int_equal(rc_staged_time(ctx, &spec, &fits, &t, &err), RC_OK);
    closed();
    opened("llama-3.1-8b", "parallel: {tp: 1, cp: 1, variant: tp}\nphase: decode\n"
                           "tokens: {cached: 1000}");
    const rc_spec one = rc_scenario_spec(&scenario, costs);
    assert_int_equal(rc_staged_time(ctx, &one, &many, &t, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "33 stages of a pipeline, and llama-3.1-8b has 32 layers"));
    closed();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),       cmocka_unit_test(test_bubble),
        cmocka_unit_test(test_as_the_engine), cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_sum),           cmocka_unit_test(test_stage_models),
        cmocka_unit_test(test_decode),        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_work),          cmocka_unit_test(test_equal_stages),
        cmocka_unit_test(test_memory),        cmocka_unit_test(test_one_stage),
        cmocka_unit_test(test_faster_link),   cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
