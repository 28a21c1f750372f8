/* How a pool is cut: what its keys make of a layout, and what that leaves of memory, worked out by hand
 * for DeepSeek-V3 (58 layers of 256 experts of 2048 over 7168 elements, in fp8 with an fp32 scale for
 * each 128 x 128).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/schedule/pass_memory.h"
#include "tests/support/serve.h"

#define HEAD "serve: test\nmodel: deepseek-v3\nmachine: h200-sxm\n"
#define LOAD "synthetic: {requests: 4, rate: 1}\n"

static rc_serve scenario;

static void reads(const char *pool) {
    char text[1024];
    rc_error err = {0};
    (void)snprintf(text, sizeof text, HEAD "pools: [{name: a, %s}]\n" LOAD, pool);
    if (serve_parse(text, &scenario, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

static void refuses(const char *pool, const char *why) {
    char text[1024];
    rc_error err = {0};
    (void)snprintf(text, sizeof text, HEAD "pools: [{name: a, %s}]\n" LOAD, pool);
    assert_int_not_equal(serve_parse(text, &scenario, &err), RC_OK);
    if (strstr(err.msg, why) == NULL)
        fail_msg("%s", err.msg);
}

static void test_keys(void **state) {
    (void)state;
    reads("tp: 8");
    rc_layout l = rc_pool_layout(&scenario, &scenario.pools[0], 1);
    assert_true(l.tp == 8 && l.cp == 1 && rc_layout_ep(&l) == 1 && !l.ffn_over_cp);
    reads("tp: 8, ep: 4, expert_skew: 0.5, mla: absorbed");
    l = rc_pool_layout(&scenario, &scenario.pools[0], 1);
    assert_true(l.ep == 4 && l.expert_skew == 0.5 && l.mla == RC_MLA_ABSORBED);
    reads("tp: 2, cp: 4, ep: 0, variant: pass-kv");
    l = rc_pool_layout(&scenario, &scenario.pools[0], 4);
    assert_true(l.ep == 8 && l.tp == 2 && l.cp == 4);
    assert_true(rc_layout_dispatches(&l));
    reads("tp: 2, cp: 4, ep: 0, expert_transfer: all-gather, variant: pass-kv");
    l = rc_pool_layout(&scenario, &scenario.pools[0], 4);
    assert_true(l.ep == 8 && !rc_layout_dispatches(&l));
    reads("tp: 8, cp: 8, ep: 0, world: tp, variant: pcp");
    l = rc_pool_layout(&scenario, &scenario.pools[0], 8);
    assert_true(l.ep == 8 && l.tp == 1 && l.cp == 8 && l.ffn_over_cp);
    assert_int_equal(scenario.pools[0].tp * scenario.pools[0].cp, 8);
}

static void test_refused(void **state) {
    (void)state;
    refuses("tp: 8, ep: 3", "ep is 3: it must divide tp (8)");
    refuses("tp: 8, cp: 3, world: tp, variant: pcp", "cp divides tp");
    refuses("tp: 1, cp: 8, ep: 8, variant: pass-kv, dynamic_cp: true", "holds all weights");
    refuses("tp: 8, dcp: 2", "it takes dcp 1, found dcp 2");
}

/* A matrix of an expert: 2048 x 7168 bytes and 16 x 56 scales. */
static double experts_of(double count) {
    return 58.0 * count * 3.0 * (2048.0 * 7168.0 + 16.0 * 56.0 * 4.0);
}

static double weights(const char *pool) {
    rc_memory mem;
    reads(pool);
    const rc_pool *p = &scenario.pools[0];
    const rc_layout l = rc_pool_layout(&scenario, p, p->cp);
    assert_int_equal(rc_pass_memory(p->pick.schedule, &scenario.model, &l, 8192, 0, 1,
                                    rc_machine_usable(&scenario.machine), &mem, NULL),
                     RC_OK);
    return mem.weights;
}

/* Dealt to eight ranks of one GPU each has 32 experts of a layer in place of 256; the rest is whole.
 * Inside a TP group dealing them moves no byte: an eighth of each, or an eighth of them. */
static void test_weights(void **state) {
    (void)state;
    const double alone = weights("tp: 1, cp: 8, variant: pass-kv");
    const double dealt = weights("tp: 1, cp: 8, ep: 8, variant: pass-kv");
    assert_true(alone - dealt == experts_of(256 - 32));
    assert_true(weights("tp: 8, ep: 8") - weights("tp: 8") == 0.0);
}

/* What the experts leave free becomes KV of 70,272 bytes a token: latents, whole on each rank, of which
 * the ranks have different tokens. */
static void test_capacity(void **state) {
    (void)state;
    rc_serve_result *r = calloc(1, sizeof *r);
    rc_error err = {0};
    double most[2];
    static const char *const pools[] = {"tp: 1, cp: 16, ep: 16, variant: pass-kv",
                                        "tp: 1, cp: 32, ep: 32, variant: pass-kv"};
    assert_non_null(r);
    for (int i = 0; i < 2; i++) {
        char text[1024];
        (void)snprintf(
            text, sizeof text,
            "serve: t\nmodel: deepseek-v3\nmachine: h200-sxm\npools: [{name: a, %s}]\n"
            "scheduler: {fuse: 1, max_batch: 1}\n"
            "synthetic: {requests: 2, rate: 1, input: {kind: constant, mean: 32}, output: "
            "{kind: constant, mean: 2}}\ncosts: {prefill: 1ms, decode: 1ms}\n",
            pools[i]);
        if (serve_text(text, (rc_serve_options){.seed = 1}, r, NULL, &err) != RC_OK)
            fail_msg("%s", err.msg);
        most[i] = (double)r->pools[0].kv_tokens;
    }
    const double more = most[1] / 32.0 - most[0] / 16.0; /* of a rank, to a block of 16 tokens */
    const double want = experts_of(256.0 / 16.0 - 256.0 / 32.0) / 70272.0;
    assert_true(more > want - 32.0 && more < want + 32.0);
    free(r);
}

/* Two prompts, one for each of two groups, and constant costs: both passes end with the longer one, 5 ms
 * and 1,000 x 10 us, and so do the steps that follow, at 10 ms each. As two replicas each has its own. */
static void served_as(const char *pool, const char *rest, rc_serve_result *r, rc_served **rows) {
    char text[1024];
    rc_error err = {0};
    (void)snprintf(text, sizeof text,
                   SERVE_HEAD
                   "pools: [{name: a, %s}]\n"
                   "synthetic: {requests: 2, rate: 1000000, process: even, input: {kind: "
                   "constant, mean: 1000}, output: {kind: constant, mean: 3}}\n"
                   "costs: {prefill: 5ms, prefill_token: 10us, decode: 10ms}\n%s",
                   pool, rest);
    if (serve_text(text, (rc_serve_options){.seed = 1}, r, rows, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

static void test_lockstep(void **state) {
    (void)state;
    const rc_time ms = 1000000000;
    rc_serve_result *r = calloc(1, sizeof *r);
    rc_served *rows = NULL;
    assert_non_null(r);
    served_as("tp: 1, dp_attention: 2", "", r, &rows);
    assert_int_equal(r->done, 2);
    assert_int_equal(r->pools[0].gpus, 2);
    assert_int_equal(r->pools[0].replicas, 1);
    /* the second comes 1 us after the first, whose pass is under way: it waits for its end */
    assert_true(rows[0].first - rows[0].arrived == 15 * ms);
    assert_true(rows[1].first == rows[0].first + 15 * ms);
    /* the first decodes twice: beside the other's prompt, and once more for 10 ms beside its first step */
    assert_true(rows[0].end == rows[1].first + 10 * ms);
    assert_true(rows[1].end == rows[1].first + 20 * ms);
    free(rows);
    served_as("tp: 1, replicas: 2", "", r, &rows);
    assert_true(rows[1].first - rows[1].arrived == 15 * ms);
    assert_true(rows[1].end == rows[1].first + 20 * ms);
    free(rows);
    free(r);
}

/* The KV of a request lies in one group: 1,600 tokens of a replica are 800 of each of two. */
static void test_group_capacity(void **state) {
    (void)state;
    rc_serve_result *r = calloc(1, sizeof *r);
    assert_non_null(r);
    served_as("tp: 1, dp_attention: 2", "kv: {tokens: 1600}\n", r, NULL);
    assert_int_equal(r->too_large, 2);
    assert_int_equal(r->pools[0].kv_tokens, 1600);
    served_as("tp: 1", "kv: {tokens: 1600}\n", r, NULL);
    assert_int_equal(r->done, 2);
    free(r);
}

/* A lost node takes all groups with it; a slow rank is one of a group, whom the others wait for. */
static void test_group_faults(void **state) {
    (void)state;
    rc_serve_result *r = calloc(1, sizeof *r);
    rc_served *rows = NULL;
    assert_non_null(r);
    served_as("tp: 1, dp_attention: 2", "faults: [{kind: node-lost, at: 20ms, back: 100ms}]\n", r,
              &rows);
    assert_true(r->done == 2 && r->retried == 2);
    assert_true(rows[0].end > 100 * (rc_time)1000000000 && rows[1].end > 100 * (rc_time)1000000000);
    free(rows);
    free(r);
    refuses("tp: 1, dp_attention: 8, ep: 0, world: tp", "cp x dp_attention divides tp");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_weights),      cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_lockstep),     cmocka_unit_test(test_group_capacity),
        cmocka_unit_test(test_group_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
