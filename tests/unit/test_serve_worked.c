/* Runs worked out with pencil and paper: linear costs (a millisecond a prompt token, a step of ten and one a
 * sequence), times to the tick.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>
#include "tests/support/serve.h"

#define MS ((rc_time)1000000000)
#define POOL "pools: [{name: one, tp: 8}]\n"
#define COSTS "costs: {prefill_token: 1ms, decode: 10ms, decode_sequence: 1ms}\n"

static rc_serve_result result;

/* `rows` of arrival (s), prompt and reply as a trace of its own. Result: malloc'ed, by request. */
static rc_served *play(const char *text, const char *rows, rc_serve_options o) {
    char path[] = "worked-XXXXXX", all[2048];
    rc_error err = {0};
    rc_served *served = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)snprintf(all, sizeof all, "arrived_at,num_prefill_tokens,num_decode_tokens\n%s", rows);
    assert_int_equal(write(fd, all, strlen(all)), strlen(all));
    (void)close(fd);
    (void)snprintf(all, sizeof all, "%sarrivals: {trace: %s/%s}\n", text,
                   getcwd((char[1024]){0}, 1024), path);
    o.seed = 1;
    rc_serve *s = malloc(sizeof *s);
    rc_costs *costs = NULL;
    assert_non_null(s);
    rc_status st = serve_parse(all, s, &err);
    if (st == RC_OK && !strstr(all, "costs:"))
        st = rc_costs_open(NULL, &s->machine, &costs, &err);
    o.costs = costs;
    if (st == RC_OK)
        st = serve_text(all, o, &result, &served, &err);
    rc_costs_close(costs);
    free(s);
    (void)unlink(path);
    if (st != RC_OK)
        fail_msg("%s", err.msg);
    return served;
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunked),       cmocka_unit_test(test_prefill_first),
        cmocka_unit_test(test_recompute),     cmocka_unit_test(test_moves),
        cmocka_unit_test(test_between_steps), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
