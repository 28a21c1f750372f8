/* Traces reshaped and made up: rates, windows, sizes, processes, lengths.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/links.h"
#include "sim/trace/workload.h"
#include "tests/support/trace_sound.h"

#define S INT64_C(1000000000000) /* ps */

static rc_trace *open_file(const char *name) {
    char path[512];
    const char *root = getenv("RC_SOURCE_DIR");
    rc_trace *t = NULL;
    (void)snprintf(path, sizeof path, "%s/scenarios/traces/%s", root ? root : ".", name);
    assert_int_equal(rc_trace_read(path, NULL, &t, NULL), RC_OK);
    return t;
}

static rc_trace *parse(const char *text) {
    rc_trace *t = NULL;
    rc_error e = {0};
    if (rc_trace_parse("text", text, strlen(text), NULL, &t, &e) != RC_OK)
        fail_msg("%d: %s", e.line, e.msg);
    return t;
}

static void expect_sound(const rc_trace *t) {
    const char *wrong = trace_wrong(t, false);
    if (wrong)
        fail_msg("%s", wrong);
}

static const char four[] = "arrived_at,num_prefill_tokens,num_decode_tokens\n"
                           "0,1,1\n10,2,1\n20,3,1\n30,4,1\n";

static void test_scale(void **state) {
    (void)state;
    rc_trace *t = parse(four);
    assert_int_equal(rc_trace_scale_rate(t, 4.0, NULL), RC_OK);
    assert_int_equal(t->at[3].arrival, 30 * S / 4);
    assert_int_equal(rc_trace_scale_rate(t, 0.25, NULL), RC_OK);
    assert_int_equal(t->at[3].arrival, 30 * S);
    assert_int_equal(rc_trace_scale_rate(t, 1e-9, NULL), RC_E_INPUT);
    assert_int_equal(rc_trace_scale_rate(t, 0.0, NULL), RC_E_INPUT);
    assert_int_equal(rc_trace_scale_rate(t, NAN, NULL), RC_E_INPUT);
    assert_int_equal(t->at[3].arrival, 30 * S);
    rc_trace_free(t);
}

/* Mooncake's clock ticks every 3 s, give or take 3 ms: the least gap is 2,997 ms. */
static void test_spread(void **state) {
    (void)state;
    rc_trace *a = open_file("mooncake_conversation.jsonl.xz");
    rc_trace *b = open_file("mooncake_conversation.jsonl.xz");
    assert_int_equal(rc_trace_spread(a, 0, 7, NULL), RC_OK);
    assert_int_equal(rc_trace_spread(b, 2997 * (S / 1000), 7, NULL), RC_OK);
    assert_true(trace_equal(a, b));
    expect_sound(a);
    double sum = 0.0;
    for (size_t i = 0; i < a->count; i++) {
        assert_true(i == 0 || a->at[i].arrival >= a->at[i - 1].arrival);
        sum += (double)((a->at[i].arrival + S / 500) % (3 * S)) / (3.0 * (double)S);
    }
    assert_true(fabs(sum / (double)a->count - 0.5) < 0.01); /* sigma 0.0026, the clock's 0.001 */
    rc_trace_free(a);
    rc_trace_free(b);
}

static void test_resize_open(void **state) {
    (void)state;
    rc_trace *t = parse(four);
    assert_int_equal(rc_trace_resize(t, 10, NULL), RC_OK);
    assert_int_equal(t->count, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(t->at[i].arrival, 10 * S * i);
        assert_int_equal(t->at[i].input, 1 + i % 4);
    }
    assert_int_equal(rc_trace_resize(t, 3, NULL), RC_OK);
    assert_int_equal(t->count, 3);
    assert_int_equal(rc_trace_resize(t, (size_t)RC_TRACE_MAX_ROWS + 1, NULL), RC_E_INPUT);
    assert_int_equal(t->count, 3);
    rc_trace_free(t);
}

/* Two requests a quarter of the longest trace apart, so that the next copy begins another quarter later: two copies are as long as a
 * trace may be, three are refused. */
static void test_longest(void **state) {
    (void)state;
    char text[256];
    const long long quarter = RC_TRACE_MAX_DAYS * 86400LL / 4;
    (void)snprintf(text, sizeof text,
                   "arrived_at,num_prefill_tokens,num_decode_tokens\n0,1,1\n%lld,2,1\n", quarter);
    rc_trace *t = parse(text);
    assert_int_equal(rc_trace_resize(t, 5, NULL), RC_E_INPUT);
    assert_int_equal(t->count, 2);
    assert_int_equal(rc_trace_resize(t, 4, NULL), RC_OK);
    assert_int_equal(t->at[3].arrival, 3 * quarter * S);
    rc_trace_free(t);
}

/* Each copy has blocks of its own: 2^31 - 2 of two copies are allowed, 2^31 refused, and nothing is changed. */
static void test_most_blocks(void **state) {
    (void)state;
    for (uint32_t more = 0; more < 2; more++) {
        rc_trace *t = parse("arrived_at,num_prefill_tokens,num_decode_tokens\n0,1,1\n5,2,1\n");
        rc_error e = {0};
        t->blocks = (1u << 30) - 1 + more;
        assert_int_equal(rc_trace_resize(t, 4, &e), more ? RC_E_INPUT : RC_OK);
        assert_int_equal(t->count, more ? 2 : 4);
        assert_int_equal(t->blocks, more ? 1u << 30 : (1u << 31) - 2);
        rc_trace_free(t);
    }
}

/* Half as fast, a trace of 50 days is as long as one may be; a second more is refused, and nothing is changed. */
static void test_slower(void **state) {
    (void)state;
    const long long half = RC_TRACE_MAX_DAYS * 86400LL / 2;
    for (int more = 0; more < 2; more++) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "arrived_at,num_prefill_tokens,num_decode_tokens\n0,1,1\n%lld,2,1\n",
                       half + more);
        rc_trace *t = parse(text);
        assert_int_equal(rc_trace_scale_rate(t, 0.5, NULL), more ? RC_E_INPUT : RC_OK);
        assert_int_equal(t->at[1].arrival, (more ? half + 1 : 2 * half) * S);
        assert_int_equal(rc_trace_scale_rate(t, 0.0, NULL), RC_E_INPUT);
        assert_int_equal(rc_trace_scale_rate(t, INFINITY, NULL), RC_E_INPUT);
        assert_int_equal(rc_trace_scale_rate(t, NAN, NULL), RC_E_INPUT);
        rc_trace_free(t);
    }
}

/* A million requests: no copy shares a block with another, so every copy caches as the first. */
static void test_million(void **state) {
    (void)state;
    rc_trace *t = open_file("mooncake_conversation.jsonl.xz");
    rc_trace_stats one, many;
    assert_int_equal(rc_trace_statistics(t, NULL, &one, NULL), RC_OK);
    size_t copies = 83, n = t->count * copies;
    assert_int_equal(rc_trace_resize(t, n, NULL), RC_OK);
    assert_int_equal(t->count, n);
    assert_int_equal(rc_trace_statistics(t, NULL, &many, NULL), RC_OK);
    assert_int_equal(many.cached, one.cached * copies);
    assert_int_equal(many.input, one.input * copies);
    assert_int_equal(many.input_p50, one.input_p50);
    rc_trace_free(t);
}

static void test_resize_sessions(void **state) {
    (void)state;
    rc_trace *t = open_file("weka_sessions_58.jsonl.xz");
    size_t first = 0, second = 0;
    for (size_t i = 0; i < t->count; i++) {
        first += t->at[i].session == 0;
        second += t->at[i].session == 1;
    }
    const rc_arrival_process even = {RC_ARRIVE_EVEN, 1.0, 0.0};
    assert_int_equal(rc_trace_start_sessions(t, &even, false, 1, NULL), RC_OK);
    assert_int_equal(rc_trace_sort_arrivals(t, NULL), RC_OK);
    expect_sound(t);
    assert_int_equal(rc_trace_resize(t, first + second + 1, NULL), RC_OK);
    assert_int_equal(t->count, first + second + 1);
    assert_int_equal(t->sessions, 3);
    expect_sound(t);
    size_t left = 0;
    for (size_t i = 0; i < t->count; i++)
        left += t->at[i].session == 0;
    assert_int_equal(left, first);
    const uint32_t blocks = t->blocks;
    assert_int_equal(rc_trace_resize(t, 4 * (first + second + 1), NULL), RC_OK);
    assert_int_equal(t->blocks, 4 * blocks); /* four copies, and none that goes again */
    assert_int_equal(t->sessions, 12);
    expect_sound(t);
    rc_trace_free(t);
}

static void test_start_sessions(void **state) {
    (void)state;
    rc_trace *a = open_file("weka_sessions_58.jsonl.xz");
    rc_trace *b = open_file("weka_sessions_58.jsonl.xz");
    const rc_arrival_process p = {RC_ARRIVE_POISSON, 0.02, 0.0};
    assert_int_equal(rc_trace_start_sessions(a, &p, true, 3, NULL), RC_OK);
    assert_int_equal(rc_trace_start_sessions(b, &p, true, 3, NULL), RC_OK);
    assert_true(trace_equal(a, b));
    size_t starts = 0;
    for (size_t i = 0; i < a->count; i++)
        starts += a->at[i].arrival != RC_NO_ARRIVAL;
    assert_int_equal(starts, 58);
    expect_sound(a);
    assert_int_equal(rc_trace_start_sessions(b, &p, true, 4, NULL), RC_OK);
    assert_false(trace_equal(a, b));
    assert_int_equal(rc_trace_redraw_arrivals(a, &p, 1, NULL), RC_E_INPUT);
    rc_trace_free(a);
    rc_trace_free(b);
}

/* Without times a request of a session waits for one that it begins with; once all have begun nothing waits any more. */
static void test_start_lone_sessions(void **state) {
    (void)state;
    rc_req at[3];
    for (uint32_t i = 0; i < 3; i++)
        at[i] = (rc_req){.arrival = RC_NO_ARRIVAL,
                         .input = 10,
                         .output = 2,
                         .after = RC_NO_REQUEST,
                         .child = 77, /* nobody's */
                         .sibling = 77,
                         .session = i,
                         .prefix = -1};
    rc_trace t = {.at = at, .count = 3, .sessions = 3, .block = 16};
    rc_trace_link(&t);
    assert_true(t.closed_loop);
    const rc_arrival_process even = {RC_ARRIVE_EVEN, 2.0, 0.0};
    assert_int_equal(rc_trace_redraw_arrivals(&t, &even, 1, NULL), RC_E_INPUT);
    assert_int_equal(rc_trace_start_sessions(&t, &even, false, 1, NULL), RC_OK);
    assert_false(t.closed_loop);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(at[i].child == RC_NO_REQUEST && at[i].sibling == RC_NO_REQUEST);
        assert_true(at[i].arrival == at[0].arrival + i * (rc_time)RC_PS_PER_S / 2);
    }
    assert_int_equal(rc_trace_redraw_arrivals(&t, &even, 1, NULL), RC_OK);
    /* two clients: the third request waits for the first one's reply */
    assert_int_equal(rc_trace_clients(&t, 2, NULL), RC_OK);
    assert_true(t.closed_loop && at[0].child == 2 && at[1].child == RC_NO_REQUEST);
    assert_true(at[2].after == 0 && at[2].arrival == RC_NO_ARRIVAL && at[1].arrival == 0);
    at[2].after = RC_NO_REQUEST;
    at[1].after = 0, at[1].arrival = RC_NO_ARRIVAL, at[1].session = 0; /* a turn behind another */
    assert_int_equal(rc_trace_start_sessions(&t, &even, false, 1, NULL), RC_OK);
    assert_true(t.closed_loop && at[0].child == 1 && at[1].arrival == RC_NO_ARRIVAL);
}

static void gaps(const rc_arrival_process *p, double *mean, double *cv) {
    rc_trace *t = open_file("azure_2023_conv.csv.xz");
    double sum = 0.0, square = 0.0;
    rc_time before = 0;
    assert_int_equal(rc_trace_redraw_arrivals(t, p, 11, NULL), RC_OK);
    for (size_t i = 0; i < t->count; i++) {
        double gap = (double)(t->at[i].arrival - before) / (double)S;
        before = t->at[i].arrival;
        sum += gap;
        square += gap * gap;
    }
    double n = (double)t->count;
    *mean = sum / n;
    *cv = sqrt(square / n - *mean * *mean) / *mean;
    rc_trace_free(t);
}

/* 19,366 gaps: the mean is known to cv / 139, the cv itself to a few per cent. */
static void test_processes(void **state) {
    (void)state;
    static const rc_arrival_process p[] = {{RC_ARRIVE_POISSON, 5.0, 0.0},
                                           {RC_ARRIVE_GAMMA, 5.0, 1.0},
                                           {RC_ARRIVE_GAMMA, 5.0, 0.3},
                                           {RC_ARRIVE_GAMMA, 5.0, 2.5},
                                           {RC_ARRIVE_EVEN, 5.0, 0.0}};
    static const double cv[] = {1.0, 1.0, 0.3, 2.5, 0.0};
    for (int i = 0; i < 5; i++) {
        double mean, found;
        gaps(&p[i], &mean, &found);
        assert_true(fabs(mean * 5.0 - 1.0) <= 3.0 * cv[i] / 139.0 + 1e-9);
        assert_true(fabs(found - cv[i]) <= 0.06 * cv[i] + 1e-6);
    }
    rc_trace *t = parse(four);
    static const rc_arrival_process bad[] = {{RC_ARRIVE_POISSON, 0.0, 0.0},
                                             {RC_ARRIVE_EVEN, -1.0, 0.0},
                                             {RC_ARRIVE_GAMMA, 1.0, 0.0},
                                             {RC_ARRIVE_POISSON, 1e-9, 0.0}};
    for (int i = 0; i < 4; i++)
        assert_int_equal(rc_trace_redraw_arrivals(t, &bad[i], 1, NULL), RC_E_INPUT);
    assert_int_equal(t->at[3].arrival, 30 * S);
    rc_trace_free(t);
}

/* ---- synthetic -------------------------------------------------------------------------- */

static rc_synthetic plain(void) {
    return (rc_synthetic){.requests = 20000,
                          .arrivals = {RC_ARRIVE_POISSON, 10.0, 0.0},
                          .input = {.kind = RC_LENGTH_CONSTANT, .mean = 1000.0},
                          .output = {.kind = RC_LENGTH_CONSTANT, .mean = 100.0},
                          .turns = {.kind = RC_LENGTH_CONSTANT, .mean = 1.0},
                          .block = 16,
                          .seed = 5};
}

static rc_trace *make(const rc_synthetic *s) {
    rc_trace *t = NULL;
    rc_error e = {0};
    if (rc_trace_synthesise(s, &t, &e) != RC_OK)
        fail_msg("%s", e.msg);
    expect_sound(t);
    return t;
}

static double mean_input(const rc_synthetic *s, uint32_t *least, uint32_t *most) {
    rc_trace *t = make(s);
    double sum = 0.0;
    *least = UINT32_MAX;
    *most = 0;
    for (size_t i = 0; i < t->count; i++) {
        sum += t->at[i].input;
        *least = t->at[i].input < *least ? t->at[i].input : *least;
        *most = t->at[i].input > *most ? t->at[i].input : *most;
    }
    sum /= (double)t->count;
    rc_trace_free(t);
    return sum;
}

static void test_lengths(void **state) {
    (void)state;
    static const uint32_t values[] = {5, 5, 20, 30};
    uint32_t least, most;
    rc_synthetic s = plain();
    assert_true(fabs(mean_input(&s, &least, &most) - 1000.0) < 1e-9);
    s.input = (rc_length){.kind = RC_LENGTH_UNIFORM, .lo = 10, .hi = 19};
    assert_true(fabs(mean_input(&s, &least, &most) - 14.5) < 0.1);
    assert_int_equal(least, 10);
    assert_int_equal(most, 19);
    s.input = (rc_length){.kind = RC_LENGTH_EXPONENTIAL, .mean = 5000.0};
    assert_true(fabs(mean_input(&s, &least, &most) / 5000.0 - 1.0) < 0.022);
    s.input = (rc_length){.kind = RC_LENGTH_LOGNORMAL, .mean = 1000.0, .sigma = 0.5};
    assert_true(fabs(mean_input(&s, &least, &most) / (1000.0 * exp(0.125)) - 1.0) < 0.012);
    s.input = (rc_length){.kind = RC_LENGTH_EMPIRICAL, .values = values, .value_count = 4};
    assert_true(fabs(mean_input(&s, &least, &most) - 15.0) < 0.3);
    s.input = (rc_length){.kind = RC_LENGTH_EXPONENTIAL, .mean = 1e6, .lo = 7, .hi = 9};
    assert_true(mean_input(&s, &least, &most) > 8.9);
    assert_int_equal(most, 9);
}

/* Another rate, the same requests. */
static void test_rate_alone(void **state) {
    (void)state;
    rc_synthetic s = plain();
    s.input = (rc_length){.kind = RC_LENGTH_EXPONENTIAL, .mean = 5000.0};
    rc_trace *a = make(&s), *again = make(&s);
    assert_true(trace_equal(a, again));
    s.arrivals.rate = 3.0;
    rc_trace *b = make(&s);
    for (size_t i = 0; i < a->count; i++)
        assert_int_equal(a->at[i].input, b->at[i].input);
    s.seed++;
    rc_trace *c = make(&s);
    assert_false(trace_equal(b, c));
    rc_trace_free(a);
    rc_trace_free(again);
    rc_trace_free(b);
    rc_trace_free(c);
}

static void test_shared_prefix(void **state) {
    (void)state;
    rc_synthetic s = plain();
    s.requests = 100;
    s.shared_prefix = 160;
    s.groups = 4;
    rc_trace *t = make(&s);
    rc_trace_stats st;
    uint32_t prefix[100], zero = 0;
    assert_int_equal(t->at[0].input, 1160);
    assert_int_equal(t->block, 16);
    assert_int_equal(rc_trace_statistics(t, prefix, &st, NULL), RC_OK);
    for (int i = 0; i < 100; i++) {
        assert_true(prefix[i] == 0 || prefix[i] == 160);
        zero += prefix[i] == 0;
    }
    assert_int_equal(zero, 4); /* the first of each group */
    rc_trace_free(t);
}

/* A million groups are the most, whether they have a prefix or not. */
static void test_most_groups(void **state) {
    (void)state;
    for (uint32_t prefix = 0; prefix <= 16; prefix += 16) {
        rc_synthetic s = plain();
        rc_error e = {0};
        rc_trace *t = NULL;
        s.requests = 10;
        s.shared_prefix = prefix;
        s.groups = 1 << 20;
        rc_trace_free(make(&s));
        s.groups++;
        assert_int_equal(rc_trace_synthesise(&s, &t, &e), RC_E_INPUT);
        assert_string_equal(e.msg, "1048577 shared prefixes, at most 1048576");
    }
}

static void test_turns(void **state) {
    (void)state;
    rc_synthetic s = plain();
    s.requests = 25; /* sessions, as there are turns */
    s.turns.mean = 4.0;
    s.think_s = 10.0;
    rc_trace *t = make(&s);
    assert_true(t->closed_loop);
    assert_int_equal(t->count, 100);
    assert_int_equal(t->sessions, 25);
    uint32_t prefix[100];
    rc_trace_stats st;
    assert_int_equal(rc_trace_statistics(t, prefix, &st, NULL), RC_OK);
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t k = i % 4;
        assert_int_equal(t->at[i].turn, k);
        assert_int_equal(t->at[i].input, 1000 * (k + 1) + 100 * k);
        assert_int_equal(prefix[i], k == 0 ? 0 : (t->at[i].input - 1000 - 1) / 16 * 16);
        assert_int_equal(t->at[i].after, k == 0 ? RC_NO_REQUEST : i - 1);
    }
    rc_trace_free(t);
}

static void test_synthetic_refused(void **state) {
    (void)state;
    rc_synthetic s[9];
    for (int i = 0; i < 9; i++)
        s[i] = plain();
    s[0].requests = 0;
    s[1].arrivals.rate = 0.0;
    s[2].input.mean = -1.0;
    s[3].output = (rc_length){.kind = RC_LENGTH_UNIFORM, .lo = 9, .hi = 3};
    s[4].input = (rc_length){.kind = RC_LENGTH_EMPIRICAL};
    s[5].shared_prefix = 10;
    s[6].turns.mean = 3.0;
    s[6].block = 0;
    s[7].think_s = -1.0;
    s[8].arrivals.rate = 1e-4; /* more than 100 days */
    for (int i = 0; i < 9; i++) {
        rc_trace *t = NULL;
        rc_error e = {0};
        assert_int_equal(rc_trace_synthesise(&s[i], &t, &e), RC_E_INPUT);
        assert_null(t);
        assert_true(e.msg[0] != '\0');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_resize_open),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_most_blocks),
        cmocka_unit_test(test_slower),
        cmocka_unit_test(test_million),
        cmocka_unit_test(test_resize_sessions),
        cmocka_unit_test(test_start_sessions),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_rate_alone),
        cmocka_unit_test(test_shared_prefix),
        cmocka_unit_test(test_most_groups),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_synthetic_refused),
        cmocka_unit_test(test_start_lone_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
