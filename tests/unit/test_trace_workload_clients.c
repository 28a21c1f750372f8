/* Who sends when: windows, cohorts, stages and sessions of workload specifications, worked out by hand where
 * nothing is drawn and by counts where arrivals are; and GuideLLM's synthetic text.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/trace/trace.h"
#include "tests/support/trace_check.h"

#define S INT64_C(1000000000000)
#define OUT "output_distribution: {type: constant, params: {value: 10}}"
#define IN "input_distribution: {type: constant, params: {value: 100}}"
#define EVEN "arrival: {process: constant}"
#define POISSON "arrival: {process: poisson}"
#define CLIENT(fraction, more) "- {rate_fraction: " #fraction ", " EVEN ", " IN ", " OUT more "}\n"

static rc_trace *read_well(const char *text) {
    rc_trace *t = NULL;
    rc_error e = {0};
    if (rc_trace_parse("w.yaml", text, strlen(text), NULL, &t, &e) != RC_OK)
        fail_msg("%d:%d: %s", e.line, e.col, e.msg);
    if (trace_fault(t))
        fail_msg("%s", trace_fault(t));
    return t;
}

static void refused(const char *text, const char *word) {
    rc_trace *t = NULL;
    rc_error e = {0};
    assert_int_equal(rc_trace_parse("w.yaml", text, strlen(text), NULL, &t, &e), RC_E_INPUT);
    if (!strstr(e.msg, word))
        fail_msg("line %d: %s", e.line, e.msg);
}

static size_t between(const rc_trace *t, double from, double to, double first) {
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        const double s = first + (double)t->at[i].arrival / (double)S;
        n += s >= from && s < to;
    }
    return n;
}

/* One a second of active time: 1 s into the first window, at the begin of the second, and no more. */
static void test_windows(void **state) {
    (void)state;
    rc_trace *t = read_well("aggregate_rate: 1\nclients:\n" CLIENT(
        1, ", lifecycle: {windows: [{start_us: 6000000, end_us: 7000000}, {start_us: 2000000, "
           "end_us: 4000000}]}"));
    assert_int_equal(t->count, 2);
    assert_true(t->at[0].arrival == 0 && t->at[1].arrival == 3 * S);
    rc_trace_free(t);
}

/* Clients who are never active together do not share the rate; those who are do. */
static void test_rates_of_windows(void **state) {
    (void)state;
    rc_trace *t = read_well(
        "aggregate_rate: 8\nclients:\n" CLIENT(
            1, ", lifecycle: {windows: [{start_us: 0, end_us: 10000000}]}")
            CLIENT(3, ", lifecycle: {windows: [{start_us: 10000000, end_us: 20000000}]}"));
    assert_int_equal(between(t, 0.0, 10.0, 0.125), 79);
    assert_int_equal(t->count, 79 + 79);
    rc_trace_free(t);
    t = read_well("aggregate_rate: 8\nclients:\n" CLIENT(
        1, ", lifecycle: {windows: [{start_us: 0, end_us: 9900000}]}")
                      CLIENT(3, ", lifecycle: {windows: [{start_us: 0, end_us: 9900000}]}"));
    assert_int_equal(t->count, 19 + 59);
    rc_trace_free(t);
}

/* Four of a cohort send what one client of its fraction would. */
static void test_population(void **state) {
    (void)state;
    rc_trace *t = read_well("aggregate_rate: 8\nhorizon: 10000001\ncohorts:\n" CLIENT(
        1, ", population: 4") "clients:\n" CLIENT(1, ""));
    assert_int_equal(t->count, 4 * 10 + 40);
    rc_trace_free(t);
}

#define COHORT(what) "aggregate_rate: 1\ncohorts:\n" CLIENT(1, ", population: 1, " what)

/* A whole hour at the peak, a quarter twelve hours from it, 0.25 + 0.75 / 2 of one six hours from it. */
static void test_day(void **state) {
    (void)state;
    rc_trace *t = read_well(COHORT("diurnal: {peak_hour: 12, peak_to_trough_ratio: 4}"));
    static const struct {
        int hour;
        double active;
    } by_hand[] = {{0, 900}, {6, 2250}, {12, 3600}, {18, 2250}};
    for (size_t i = 0; i < 4; i++) {
        const double from = 3600.0 * by_hand[i].hour;
        const double n = (double)between(t, from, from + 3600.0, 1.0);
        assert_true(fabs(n - by_hand[i].active) <= 1.0);
    }
    rc_trace_free(t);
}

static void test_spike_and_drain(void **state) {
    (void)state;
    rc_trace *t = read_well(COHORT("spike: {start_time_us: 5000000, duration_us: 3500000}"));
    assert_int_equal(t->count, 3); /* at 6, 7 and 8 s */
    assert_true(t->at[2].arrival == 2 * S);
    rc_trace_free(t);
    /* 10 s, then 1.0, 0.9, ... 0.1 of each tenth of a ramp of 10 s: 15.5 s, the last at 15 of them */
    t = read_well(COHORT("drain: {start_time_us: 10000000, ramp_duration_us: 10000000}"));
    assert_int_equal(t->count, 15);
    /* the 15th second of active time ends 0.1 s into the seventh tenth's 0.4: 1 + .9 + .8 + .7 + .6 + .5 = 4.5,
     * and 0.4 more are in it, so it is the eighth's first 0.1 */
    assert_true(llabs(t->at[14].arrival + S - (17 * S + S / 10)) < 1000);
    rc_trace_free(t);
}

/* ---- sessions ---- */

#define TALK                                                                                       \
    ", prefix_group: g, prefix_length: 40, reasoning: {multi_turn: {max_rounds: 3, "               \
    "think_time_us: 500000, context_growth: "

/* Two whole blocks are shared; the rest of the prefix, and all that was said, are the session's own. */
static void test_sessions(void **state) {
    (void)state;
    static const uint32_t input[] = {140, 250, 360}, named[] = {9, 16, 23};
    rc_trace *t =
        read_well("aggregate_rate: 1\nnum_requests: 5\nclients:\n" CLIENT(1, TALK "accumulate}}"));
    assert_int_equal(t->count, 5);
    assert_int_equal(t->sessions, 2);
    assert_true(t->closed_loop);
    for (uint32_t i = 0; i < 5; i++) {
        const rc_req *q = &t->at[i];
        assert_int_equal(q->session, i / 3);
        assert_int_equal(q->turn, i % 3);
        assert_int_equal(q->input, input[i % 3]);
        assert_int_equal(q->named, named[i % 3]);
        assert_int_equal(q->after, i % 3 == 0 ? RC_NO_REQUEST : i - 1);
        assert_true(q->think == (i % 3 == 0 ? 0 : S / 2));
        assert_true(q->arrival == (i == 0 ? 0 : i == 3 ? S : RC_NO_ARRIVAL));
        assert_int_equal(t->spans[q->span].count, 2);
        assert_int_equal(t->spans[q->span].first, 0);
        assert_int_equal(t->spans[q->span + 1].first, i < 3 ? 2 : 2 + 21);
    }
    rc_trace_free(t);
    t = read_well("aggregate_rate: 1\nnum_requests: 3\nclients:\n" CLIENT(1, TALK "''}}"));
    for (size_t i = 0; i < 3; i++)
        assert_true(t->at[i].input == 140 && t->at[i].named == 2);
    rc_trace_free(t);
}

/* ---- inference-perf ---- */

#define PERF(stages, more)                                                                         \
    "inference_perf:\n  stages: [" stages "]\n  shared_prefix: {num_unique_system_prompts: 2, "    \
    "num_users_per_system_prompt: 3, system_prompt_len: 64, question_len: 30, output_len: 7" more  \
    "}\n"

/* 50 requests of six clients: two have nine, four have eight; each one's last at the end of the stage. */
static void test_one_stage(void **state) {
    (void)state;
    rc_trace *t = read_well(PERF("{rate: 5, duration: 10}", ""));
    const rc_time last = t->at[49].arrival;
    size_t at_end = 0, of[2] = {0};
    assert_int_equal(t->count, 50);
    assert_int_equal(t->blocks, 8);
    for (size_t i = 0; i < 50; i++) {
        assert_true(t->at[i].input == 94 && t->at[i].output == 7 && t->at[i].named == 4);
        at_end += last - t->at[i].arrival < 1000;
        of[t->spans[t->at[i].span].first / 4]++;
    }
    assert_int_equal(at_end, 6);
    assert_int_equal(of[0], 9 + 9 + 8);
    assert_int_equal(of[1], 3 * 8);
    rc_trace_free(t);
}

/* Poisson's counts are within five deviations of their means. */
static void test_stages(void **state) {
    (void)state;
    rc_trace *t = read_well(PERF("{rate: 20, duration: 100}, {rate: 80, duration: 50}", ""));
    const double first = (double)between(t, 0.0, 100.0, 0.0), all = (double)t->count;
    assert_true(fabs(first - 2000.0) < 5.0 * sqrt(2000.0));
    assert_true(fabs(all - first - 4000.0) < 5.0 * sqrt(4000.0));
    rc_trace_free(t);
}

/* Six sessions share 20 rounds, a round every 6 / 2 s after the reply. */
static void test_chats(void **state) {
    (void)state;
    rc_trace *t = read_well(PERF("{rate: 2, duration: 10}", ", enable_multi_turn_chat: true"));
    size_t rounds[6] = {0};
    assert_int_equal(t->count, 20);
    assert_int_equal(t->sessions, 6);
    for (size_t i = 0; i < 20; i++) {
        rounds[t->at[i].session]++;
        assert_int_equal(t->at[i].input, 94);
        assert_true(t->at[i].turn == 0 || t->at[i].think == 3 * S);
    }
    size_t four = 0;
    for (size_t s = 0; s < 6; s++)
        four += rounds[s] == 4;
    assert_int_equal(four, 2);
    rc_trace_free(t);
}

/* ---- GuideLLM ---- */

static void moments(const char *text, double *mean, double *deviation, double *lo, double *hi) {
    rc_trace *t = read_well(text);
    double sum = 0.0, squares = 0.0, n = (double)t->count;
    *lo = INFINITY;
    *hi = 0.0;
    for (size_t i = 0; i < t->count; i++) {
        const double v = t->at[i].input;
        sum += v;
        squares += v * v;
        *lo = fmin(*lo, v);
        *hi = fmax(*hi, v);
    }
    *mean = sum / n;
    *deviation = sqrt(fmax(squares / n - *mean * *mean, 0.0));
    rc_trace_free(t);
}

static void test_guidellm_lengths(void **state) {
    (void)state;
    double mean, deviation, lo, hi;
    rc_trace *t = read_well("kind: synthetic_text\nprompt_tokens: 256\noutput_tokens: 128\n");
    assert_int_equal(t->format, RC_TRACE_GUIDELLM_SYNTHETIC);
    assert_int_equal(t->count, 1000);
    assert_true(t->timeless && t->blocks == 0);
    for (size_t i = 0; i < t->count; i++)
        assert_true(t->at[i].input == 256 && t->at[i].output == 128);
    rc_trace_free(t);
#define MANY "output_tokens: 1\nsamples: 20000\nprompt_tokens: 500\n"
    moments(MANY "prompt_tokens_stdev: 50\n", &mean, &deviation, &lo, &hi);
    assert_true(fabs(mean - 500.0) < 2.0 && fabs(deviation - 50.0) < 1.5 && lo >= 250 && hi <= 750);
    moments(MANY "prompt_tokens_min: 101\nprompt_tokens_max: 300\n", &mean, &deviation, &lo, &hi);
    assert_true(fabs(mean - 200.5) < 2.0 && fabs(deviation - 200.0 / sqrt(12.0)) < 1.0);
    assert_true(lo == 101 && hi == 300);
}

/* Weights of 3 to 1: of the second bucket's prefixes each an eighth. A bucket of no tokens shares nothing. */
static void test_guidellm_prefixes(void **state) {
    (void)state;
    rc_trace *t = read_well("prompt_tokens: 10\noutput_tokens: 5\nsamples: 8000\nprefix_buckets:\n"
                            "- {bucket_weight: 300}\n"
                            "- {bucket_weight: 100, prefix_count: 2, prefix_tokens: 160}\n");
    size_t of[3] = {0};
    assert_int_equal(t->blocks, 20);
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *q = &t->at[i];
        assert_int_equal(q->input, q->named > 0 ? 170 : 10);
        of[q->named > 0 ? 1 + t->spans[q->span].first / 10 : 0]++;
    }
    assert_true(fabs((double)of[0] - 6000.0) < 200.0 && fabs((double)of[1] - 1000.0) < 150.0);
    assert_int_equal(of[0] + of[1] + of[2], 8000);
    rc_trace_free(t);
}

/* Three turns of 100 and 10 tokens: each holds all before it. */
static void test_guidellm_turns(void **state) {
    (void)state;
    rc_trace *t = read_well("prompt_tokens: 100\noutput_tokens: 10\nturns: 3\nsamples: 4\n");
    assert_int_equal(t->count, 12);
    assert_int_equal(t->sessions, 4);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(t->at[i].input, 100 + 110 * (i % 3));
        assert_true(t->at[i].arrival == RC_NO_ARRIVAL && t->at[i].think == 0);
    }
    rc_trace_free(t);
}

static void test_refused(void **state) {
    (void)state;
    refused("prompt_tokens: 5\n", "output_tokens");
    refused("prompt_tokens: 5\noutput_tokens: 5\nprompt_tokens_min: 9\n", "min is above max");
    refused("prompt_tokens: 5\noutput_tokens: 5\ntool_call_turns: 1\n", "tool_call_turns");
    refused("prompt_tokens: 5\noutput_tokens: 5\nkind: synthetic_image\n", "synthetic_image");
    refused("prompt_tokens: 5\noutput_tokens: 5\nprefix_tokens: 9\nprefix_buckets: [{}]\n",
            "not both");
    refused("prompt_tokens: 5\noutput_tokens: 5\nsamples: 100000000\nturns: 9\n", "more than");
    refused(PERF("{rate: 1, duration: 3}", ""), "3 requests for 6 clients");
    refused(PERF("", ""), "0 stages");
    refused(PERF("{rate: 1, duration: 0}", ""), "duration");
    refused("aggregate_rate: 1\nnum_requests: 1\nclients: []\n" PERF("{rate: 9, duration: 9}", ""),
            "instead of clients");
    refused(COHORT("diurnal: {peak_hour: 24, peak_to_trough_ratio: 4}"), "peak_hour");
    refused(COHORT("spike: {start_time_us: 1, duration_us: 0}"), "no duration");
    refused("aggregate_rate: 1\ncohorts:\n" CLIENT(1, ", population: 5"), "without end");
    refused("aggregate_rate: 1\nnum_requests: 9\ncohorts:\n" CLIENT(1, ", population: 100000")
                CLIENT(1, ", population: 1"),
            "clients");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_rates_of_windows),
        cmocka_unit_test(test_population),
        cmocka_unit_test(test_day),
        cmocka_unit_test(test_spike_and_drain),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_one_stage),
        cmocka_unit_test(test_stages),
        cmocka_unit_test(test_chats),
        cmocka_unit_test(test_guidellm_lengths),
        cmocka_unit_test(test_guidellm_prefixes),
        cmocka_unit_test(test_guidellm_turns),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
