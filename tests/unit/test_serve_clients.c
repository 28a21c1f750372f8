/* A closed loop of clients that share no history: each sends when it has its answer, worked out by hand at costs
 * of their own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/serve.h"

#define MS INT64_C(1000000000)

/* A prompt takes 5 + 100 ms, a step of B sequences 10 + 0.5 B ms; ten steps after the prompt. */
#define ONE                                                                                        \
    SERVE_HEAD                                                                                     \
    "pools: [{name: p, tp: 8}]\nscheduler: {fuse: 1, max_batch: 64}\n"                             \
    "kv: {tokens: 1M, policy: off}\n"                                                              \
    "costs: {prefill: 5ms, prefill_token: 100us, decode: 10ms, decode_sequence: 500us}\n"
#define MANY(n)                                                                                    \
    "synthetic: {requests: " #n ", input: {kind: constant, mean: 1000}, "                          \
    "output: {kind: constant, mean: 11}}\n"

static rc_serve_result r;
static rc_served *rows;

static void play(const char *text) {
    rc_error err = {0};
    if (serve_text(text, (rc_serve_options){.seed = 1}, &r, &rows, &err) != RC_OK)
        fail_msg("%s", err.msg);
    if (!rows)
        abort();
    assert_int_equal(r.done, r.requests);
}

/* Alone: one after the other, 105 + 10 x 10.5 ms each, and none waits. */
static void test_one_client(void **state) {
    (void)state;
    play(ONE "concurrency: 1\n" MANY(5));
    for (int i = 0; i < 5; i++) {
        assert_true(rows[i].arrived == i * 210 * MS);
        assert_true(rows[i].first == rows[i].arrived + 105 * MS);
    }
    assert_true(r.makespan == 5 * 210 * MS);
    assert_true(r.queue.max == 0);
    free(rows);
}

/* Two at once: the second prompt waits for the first, both decode together, 10 x 11 ms; then the next two. Its
 * TTFT counts from when it was sent, not from the start. */
static void test_two_clients(void **state) {
    (void)state;
    play(ONE "concurrency: 2\n" MANY(4));
    for (int i = 0; i < 4; i += 2) {
        rc_time sent = i / 2 * (210 + 110) * MS;
        assert_true(rows[i].arrived == sent && rows[i + 1].arrived == sent);
        assert_true(rows[i].first == sent + 105 * MS && rows[i + 1].first == sent + 210 * MS);
        assert_true(rows[i].end == sent + 320 * MS && rows[i + 1].end == sent + 320 * MS);
    }
    free(rows);
}

/* The next request is sent when any other has its answer, so no more are in the system than there are clients, and as
 * many until the last one is sent: their mean number is nearly that. */
static void test_as_many_as_clients(void **state) {
    (void)state;
    play(ONE "concurrency: 7\nsynthetic: {requests: 400, input: {kind: exponential, mean: 300}, "
             "output: {kind: exponential, mean: 40}}\n");
    for (uint64_t i = 0; i < r.requests; i++) {
        int with = 0;
        for (uint64_t k = 0; k < r.requests; k++)
            with += rows[k].arrived <= rows[i].arrived && rows[k].end > rows[i].arrived;
        assert_true(with <= 7);
        assert_true(i < 7 ? rows[i].arrived == 0
                          : rows[i].arrived >= rows[i - 1].arrived && with == 7);
    }
    if (r.little_l < 6.8 || r.little_l > 7.0)
        fail_msg("%g in the system", r.little_l);
    free(rows);
}

/* More clients than requests: all come at once. */
static void test_idle_clients(void **state) {
    (void)state;
    play(ONE "concurrency: 100\n" MANY(3));
    for (int i = 0; i < 3; i++)
        assert_true(rows[i].arrived == 0);
    free(rows);
}

static void test_refused(void **state) {
    (void)state;
    rc_error err = {0};
    static rc_serve s;
    rc_trace *t = NULL;
    assert_int_equal(serve_parse(ONE "concurrency: 4\n" MANY(8), &s, &err), RC_OK);
    assert_int_equal(rc_serve_workload(&s, 1, 2.0, &t, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "no rate to set"));
    assert_int_equal(
        serve_parse(ONE
                    "concurrency: 4\nsynthetic: {requests: 8, turns: {kind: constant, mean: 3}}\n",
                    &s, &err),
        RC_OK);
    assert_int_equal(rc_serve_workload(&s, 1, 0.0, &t, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "not dealt out to clients"));
}

/* A trace's own arrivals count no more: so many clients begin at once, and each sends when the request that stands so many
 * before has its answer. */
static void test_trace(void **state) {
    (void)state;
    enum { REQUESTS = 6 };
    static rc_serve s;
    for (uint32_t clients = 1; clients <= REQUESTS + 1; clients++) {
        char text[1024];
        rc_error err = {0};
        rc_trace *t = NULL;
        (void)snprintf(text, sizeof text,
                       ONE
                       "concurrency: %u\narrivals: {trace: azure_2023_code.csv.xz, requests: %d}\n",
                       clients, REQUESTS);
        assert_int_equal(serve_parse(text, &s, &err), RC_OK);
        assert_int_equal(rc_serve_workload(&s, 1, 0.0, &t, &err), RC_OK);
        assert_int_equal(t->count, REQUESTS);
        for (uint32_t i = 0; i < REQUESTS; i++) {
            assert_true(t->at[i].arrival == (i < clients ? 0 : RC_NO_ARRIVAL));
            assert_true(t->at[i].after == (i < clients ? RC_NO_REQUEST : i - clients));
        }
        rc_trace_free(t);
    }
    static const char *const beside[] = {"rate: 1", "spread: true", "rate_scale: 0.5",
                                         "rate_scale: 2"};
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        char text[1024];
        rc_error err = {0};
        rc_trace *t = NULL;
        (void)snprintf(
            text, sizeof text,
            ONE "concurrency: 1\narrivals: {trace: azure_2023_code.csv.xz, requests: 4, %s}\n",
            beside[i]);
        assert_int_equal(serve_parse(text, &s, &err), RC_OK);
        assert_int_equal(rc_serve_workload(&s, 1, 0.0, &t, &err), RC_E_INPUT);
        assert_non_null(strstr(err.msg, "there is no rate to set"));
        assert_null(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_client),
        cmocka_unit_test(test_two_clients),
        cmocka_unit_test(test_as_many_as_clients),
        cmocka_unit_test(test_idle_clients),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
