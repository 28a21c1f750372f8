/* What a pool computes, its least work and its KV, worked out by hand: costs of their own, requests that
 * do not meet, and the same requests all at once.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/serve.h"

/* A prompt of 1,000 tokens takes 5 + 100 ms, a step of B sequences 10 + 0.5 B ms; replies have 11
 * tokens, the first of them from the prompt. */
#define COSTS "costs: {prefill: 5ms, prefill_token: 100us, decode: 10ms, decode_sequence: 500us}\n"
#define LENGTHS "input: {kind: constant, mean: 1000}, output: {kind: constant, mean: 11}}\n"
#define ALONE                                                                                      \
    "kv: {tokens: 16000, block: 16}\nsynthetic: {requests: 10, process: even, rate: 1, " LENGTHS

static rc_serve_result r;
static rc_error err;

static void play(const char *text) {
    if (serve_text(text, (rc_serve_options){.seed = 1, .work = true}, &r, NULL, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

static void near(double a, double b) {
    if (fabs(a - b) > 1e-6 * fabs(b))
        fail_msg("%.12g, by hand %.12g", a, b);
}

/* Evenly from 1 s on: the last comes at 10 s. Passes of one request: 105 ms and ten steps of 10.5 ms. With four at a time a step is 12 ms for four
 * of them, so that a request needs 105 + 10 x 3 ms. */
static void test_one_replica(void **state) {
    (void)state;
    play(SERVE_HEAD "pools: [{name: p, tp: 8}]\nscheduler: {fuse: 1, max_batch: 4}\n" COSTS ALONE);
    assert_int_equal(r.done, 10);
    near(r.pools[0].up_s, 10.21);
    near(rc_pool_computes(&r, 0), 10 * 0.21 / 10.21);
    near(rc_pool_work(&r, 0), 10 * 0.135 / 10.21);
    near(rc_pool_most_load(&r, 0), 1.0 / 0.135);
}

/* 63 blocks of 16 tokens hold the prompt and eight tokens; a 64th is taken for the ninth step. */
static void test_kv(void **state) {
    (void)state;
    play(SERVE_HEAD "pools: [{name: p, tp: 8}]\nscheduler: {fuse: 1, max_batch: 4}\n" COSTS ALONE);
    near(r.pools[0].kv_peak, 64.0 / 1000.0);
    double each = 63 * (0.105 + 8 * 0.0105) + 64 * 2 * 0.0105;
    near(rc_pool_kv_mean(&r, 0), 10 * each / (1000 * 10.21));
}

/* KV for three sequences of 1,005.5 tokens, the mean that steps see, not for the four of
 * max_batch. Two prompts a pass: 2.5 + 100 ms. Two replicas take twice the load. */
static void test_room_and_fuse(void **state) {
    (void)state;
    play(
        SERVE_HEAD
        "pools: [{name: p, tp: 8, replicas: 2}]\nscheduler: {fuse: 2, max_batch: 4}\n" COSTS
        "kv: {tokens: 3016, block: 1}\nsynthetic: {requests: 10, process: even, rate: 1, " LENGTHS);
    near(rc_pool_most_load(&r, 0), 2.0 / (0.1025 + 10 * (0.010 / 3 + 0.0005)));
}

/* A prefix of 512 tokens that all have is held once: three sequences of 1,005.5 of their own fit. It is found
 * cached but for the first request, which computes 1,512 tokens. */
static void test_shared_prefix(void **state) {
    (void)state;
    play(SERVE_HEAD "pools: [{name: p, tp: 8}]\nscheduler: {fuse: 1, max_batch: 64}\n" COSTS
                    "kv: {tokens: 2960}\nsynthetic: {requests: 10, process: even, rate: 1, "
                    "shared_prefix: 512, " LENGTHS);
    assert_int_equal(r.kv_hit_tokens, 9 * 512);
    near(r.pools[0].work_s, 0.1562 + 9 * 0.105 + 100 * (0.010 / 3 + 0.0005));
}

/* Pieces of prompts and sequences in one pass: at these costs a step beside a prompt costs what it does
 * alone. Pools apart: each has its own work. */
static void test_chunked_and_apart(void **state) {
    (void)state;
    play(SERVE_HEAD
         "pools: [{name: p, tp: 8}]\n"
         "scheduler: {policy: chunked, budget: 2K, fuse: 1, max_batch: 4}\n" COSTS ALONE);
    near(r.pools[0].work_s, 1.35);
    play(SERVE_HEAD "pools: [{name: p, role: prefill, tp: 8}, {name: d, role: decode, tp: 8}]\n"
                    "scheduler: {fuse: 1, max_batch: 4}\n" COSTS ALONE);
    near(r.pools[0].work_s, 10 * 0.105);
    near(r.pools[1].work_s, 10 * 0.030);
    near(rc_pool_most_load(&r, 1), 1.0 / 0.030);
}

/* Sixteen requests at once, at the rate that the bound allows or less, and near to it. */
static void test_saturated(void **state) {
    (void)state;
    play(SERVE_HEAD "pools: [{name: p, tp: 8}]\nscheduler: {fuse: 1, max_batch: 4}\n" COSTS
                    "kv: {tokens: 100K, block: 16}\nsynthetic: {requests: 400, process: even, "
                    "rate: 1000, " LENGTHS);
    double rate = 400.0 / ((double)r.makespan / RC_PS_PER_S), most = rc_pool_most_load(&r, 0);
    near(most, 1.0 / 0.135);
    assert_true(rate <= most);
    assert_true(rate > 0.95 * most);
}

static void test_not_asked(void **state) {
    (void)state;
    const char *text = SERVE_HEAD "pools: [{name: p, tp: 8}]\n" COSTS ALONE;
    assert_int_equal(serve_text(text, (rc_serve_options){.seed = 1}, &r, NULL, &err), RC_OK);
    assert_true(isnan(rc_pool_work(&r, 0)));
    assert_true(isnan(rc_pool_most_load(&r, 0)));
    assert_true(rc_pool_computes(&r, 0) > 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_replica),       cmocka_unit_test(test_kv),
        cmocka_unit_test(test_room_and_fuse),     cmocka_unit_test(test_shared_prefix),
        cmocka_unit_test(test_chunked_and_apart), cmocka_unit_test(test_saturated),
        cmocka_unit_test(test_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
