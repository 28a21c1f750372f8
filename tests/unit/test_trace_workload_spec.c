/* Workload specifications of BLIS as traces: rates and lengths by hand where nothing is drawn, moments where
 * it is, prefixes that groups share, and what is refused by its name.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "sim/trace/trace.h"
#include "tests/support/trace_check.h"

#define S INT64_C(1000000000000)
#define HEAD "version: \"2\"\nseed: 7\naggregate_rate: 8.0\nnum_requests: 20000\nclients:\n"
#define OUT "output_distribution: {type: constant, params: {value: 10}}"
#define IN "input_distribution: {type: constant, params: {value: 100}}"
#define EVEN "arrival: {process: constant}"

static rc_trace *read_well(const char *text) {
    rc_trace *t = NULL;
    rc_error e = {0};
    if (rc_trace_parse("w.yaml", text, strlen(text), NULL, &t, &e) != RC_OK)
        fail_msg("%d:%d: %s", e.line, e.col, e.msg);
    if (trace_fault(t))
        fail_msg("%s", trace_fault(t));
    assert_int_equal(t->format, RC_TRACE_BLIS_SPEC);
    return t;
}

static void refused(const char *text, int line, const char *word) {
    rc_trace *t = NULL;
    rc_error e = {0};
    const rc_trace_options o = {.format = RC_TRACE_BLIS_SPEC};
    assert_int_equal(rc_trace_parse("w.yaml", text, strlen(text), &o, &t, &e), RC_E_INPUT);
    if (e.line != line || !strstr(e.msg, word))
        fail_msg("line %d: %s", e.line, e.msg);
}

/* Three of four requests are of the first client: 6/s and 2/s, evenly, until the horizon of 3.9 s. */
static void test_by_hand(void **state) {
    (void)state;
    rc_trace *t = read_well("# two clients\naggregate_rate: 8\nhorizon: 3900000\nclients:\n"
                            "- {id: a, rate_fraction: 3, " EVEN ", " IN ", " OUT "}\n"
                            "- {id: b, rate_fraction: 1, " EVEN ", " OUT
                            ", input_distribution: {type: constant, params: {value: 7}}}\n");
    size_t first = 0;
    assert_int_equal(t->count, 23 + 7);
    for (size_t i = 0; i < t->count; i++) {
        first += t->at[i].input == 100;
        assert_true(i == 0 || t->at[i].arrival >= t->at[i - 1].arrival);
        assert_int_equal(t->at[i].output, 10);
    }
    assert_int_equal(first, 23);
    /* the first is 1/6 s after the start, where the trace begins; the second client's first 1/2 s */
    assert_true(t->at[0].arrival == 0);
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].input == 7) {
            assert_true(t->at[i].arrival == llround(1e12 * (0.5 - 1.0 / 6.0)));
            break;
        }
    rc_trace_free(t);
}

/* ---- moments ---- */

typedef struct moments {
    double mean, cv;
} moments;

static moments of_lengths(const char *type) {
    char text[600];
    (void)snprintf(text, sizeof text,
                   HEAD "- {rate_fraction: 1, " EVEN ", " OUT ", input_distribution: {%s}}\n",
                   type);
    rc_trace *t = read_well(text);
    double sum = 0.0, squares = 0.0, n = (double)t->count;
    for (size_t i = 0; i < t->count; i++) {
        sum += t->at[i].input;
        squares += (double)t->at[i].input * t->at[i].input;
    }
    rc_trace_free(t);
    return (moments){sum / n, sqrt(squares / n - sum / n * (sum / n)) / (sum / n)};
}

static moments of_gaps(const char *arrival) {
    char text[600];
    (void)snprintf(text, sizeof text, HEAD "- {rate_fraction: 1, arrival: {%s}, " IN ", " OUT "}\n",
                   arrival);
    rc_trace *t = read_well(text);
    double sum = 0.0, squares = 0.0, n = (double)t->count - 1.0;
    for (size_t i = 1; i < t->count; i++) {
        double gap = (double)(t->at[i].arrival - t->at[i - 1].arrival) / (double)S;
        sum += gap;
        squares += gap * gap;
    }
    rc_trace_free(t);
    return (moments){sum / n, sqrt(fmax(squares / n - sum / n * (sum / n), 0.0)) / (sum / n)};
}

static void near(double a, double b, double relative) {
    if (fabs(a / b - 1.0) > relative)
        fail_msg("%g, expected %g", a, b);
}

static void check(moments m, double mean, double cv, double relative) {
    near(m.mean, mean, relative);
    near(m.cv + 1.0, cv + 1.0, relative);
}

/* Of 20,000 draws. */
static void test_lengths(void **state) {
    (void)state;
    check(of_lengths("type: gaussian, params: {mean: 500, std_dev: 100, min: 1, max: 5000}"), 500,
          0.2, 0.01);
    check(of_lengths("type: gaussian, params: {mean: 500, std_dev: 100, min: 400, max: 400}"), 400,
          0.0, 1e-9);
    check(of_lengths("type: exponential, params: {mean: 800}"), 800, 1.0, 0.03);
    /* lognormal: exp(mu + s^2/2), sqrt(exp(s^2) - 1) */
    check(of_lengths("type: pareto_lognormal, params: {alpha: 3, xm: 100, mu: 6, sigma: 0.5, "
                     "mix_weight: 0}"),
          exp(6.0 + 0.125), sqrt(exp(0.25) - 1.0), 0.03);
    /* Pareto: alpha xm / (alpha - 1), 1 / sqrt(alpha (alpha - 2)) */
    check(of_lengths("type: pareto_lognormal, params: {alpha: 6, xm: 1000, mu: 6, sigma: 0.5, "
                     "mix_weight: 1}"),
          1200, 1.0 / sqrt(24.0), 0.03);
    check(of_lengths("type: empirical, params: {100: 1, 300: 1, 200: 2}"), 200, sqrt(0.5) * 0.5,
          0.02);
}

static void test_processes(void **state) {
    (void)state;
    check(of_gaps("process: constant"), 0.125, 0.0, 1e-6);
    check(of_gaps("process: poisson"), 0.125, 1.0, 0.03);
    check(of_gaps("process: gamma, cv: 0.5"), 0.125, 0.5, 0.03);
    check(of_gaps("process: weibull, cv: 0.5"), 0.125, 0.5, 0.03);
    check(of_gaps("process: weibull, cv: 2.0"), 0.125, 2.0, 0.08);
}

/* A group has its first client's prefix, 50 tokens where none is stated; other tokens are nobody else's. */
static void test_prefixes(void **state) {
    (void)state;
    rc_trace *t = read_well(
        "aggregate_rate: 4\nnum_requests: 8\nclients:\n"
        "- {rate_fraction: 1, " EVEN ", " IN ", " OUT ", prefix_group: g, prefix_length: 320}\n"
        "- {rate_fraction: 1, " EVEN ", " IN ", " OUT ", prefix_group: h}\n"
        "- {rate_fraction: 1, " EVEN ", " IN ", " OUT ", prefix_group: g, prefix_length: 9}\n"
        "- {rate_fraction: 1, " EVEN ", " IN ", " OUT "}\n");
    int seen[3] = {0};
    assert_int_equal(t->block, 16);
    assert_int_equal(t->blocks, 20 + 3);
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *q = &t->at[i];
        seen[q->input == 420 ? 0 : q->input == 150 ? 1 : 2]++;
        assert_int_equal(q->named, q->input == 420 ? 20 : q->input == 150 ? 3 : 0);
        if (q->spans > 0)
            assert_int_equal(t->spans[q->span].first, q->input == 420 ? 0 : 20);
    }
    assert_true(seen[0] == 4 && seen[1] == 2 && seen[2] == 2);
    rc_trace_free(t);
}

static void same(const rc_trace *a, const rc_trace *b, size_t count) {
    for (size_t i = 0; i < count; i++)
        assert_true(a->at[i].arrival == b->at[i].arrival && a->at[i].input == b->at[i].input &&
                    a->at[i].output == b->at[i].output);
}

static void test_seeds_and_limits(void **state) {
    (void)state;
    static const char text[] = "aggregate_rate: 4\nnum_requests: 50\nseed: %d\nclients:\n- "
                               "{rate_fraction: 1, arrival: {process: "
                               "poisson}, " IN ", " OUT "}\n";
    char one[400], two[400];
    (void)snprintf(one, sizeof one, text, 1);
    (void)snprintf(two, sizeof two, text, 2);
    rc_trace *a = read_well(one), *b = read_well(one), *c = read_well(two), *few = NULL;
    assert_int_equal(a->count, 50);
    same(a, b, 50);
    assert_true(a->at[9].arrival != c->at[9].arrival);
    const rc_trace_options o = {.limit = 10};
    assert_int_equal(rc_trace_parse("w", one, strlen(one), &o, &few, NULL), RC_OK);
    assert_int_equal(few->count, 10);
    same(a, few, 10);
    rc_trace_free(a);
    rc_trace_free(b);
    rc_trace_free(c);
    rc_trace_free(few);
}

#define CLIENT "clients:\n- {rate_fraction: 1, " EVEN ", " IN ", " OUT
#define RATE "aggregate_rate: 4\nnum_requests: 5\n"

static void test_refused(void **state) {
    (void)state;
    refused("num_requests: 5\n" CLIENT "}\n", 1, "aggregate_rate");
    refused("aggregate_rate: 4\n" CLIENT "}\n", 1, "without end");
    refused(RATE, 1, "clients");
    refused(RATE "clients: []\n", 3, "0 clients");
    refused(RATE CLIENT "}\nservegen_data: {path: x}\n", 5, "key 'servegen_data': this part");
    refused(RATE CLIENT ", multimodal: {text_distribution: {}}}\n", 4, "'multimodal'");
    refused(RATE CLIENT ", reasoning: {multi_turn: {max_rounds: 0}}}\n", 4, "max_rounds");
    refused(RATE CLIENT ", lifecycle: {windows: []}}\n", 4, "0 windows");
    refused(RATE CLIENT ", lifecycle: {windows: [{start_us: 5, end_us: 5}]}}\n", 4, "ends before");
    refused(RATE CLIENT "}\ncohorts: [{id: x}]\n", 5, "population");
    refused(RATE CLIENT ", rate_fracton: 2}\n", 4, "rate_fraction");
    refused(RATE "clients:\n- {rate_fraction: 1, arrival: {process: gamma}, " IN ", " OUT "}\n", 4,
            "cv");
    refused(RATE
            "clients:\n- {rate_fraction: 1, " EVEN ", " OUT
            ", input_distribution: {type: gaussian, params: {mean: 5, std_dev: 1, min: 9, max: "
            "8}}}\n",
            4, "min is above max");
    refused(RATE "clients:\n- {rate_fraction: 1, " EVEN ", " OUT
                 ", input_distribution: {type: empirical, params: {many: 1}}}\n",
            4, "a number of tokens");
    refused("aggregate_rate: 0.000001\nnum_requests: 50\n" CLIENT "}\n", 0, "days");
    refused("aggregate_rate: 1\nhorizon: 1\n" CLIENT "}\n", 0, "before the horizon");
    refused("aggregate_rate: 1000000\nhorizon: 1000000000\n" CLIENT "}\n", 0, "1e+09 requests");
}

/* YAML that says no rate is no workload, and is told that it is no trace. */
static void test_other_yaml(void **state) {
    (void)state;
    rc_trace *t = NULL;
    rc_error e = {0};
    static const char text[] = "# a scenario\nserve: x\n";
    assert_int_equal(rc_trace_parse("w", text, strlen(text), NULL, &t, &e), RC_E_INPUT);
    assert_non_null(strstr(e.msg, "no known trace"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),          cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_processes),        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_seeds_and_limits), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_other_yaml),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
