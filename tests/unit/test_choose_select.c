/* Tuned rules as tables: look-ups by hand, JSON both ways, refusals.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/choose/select.h"

#define assert_near(a, b) assert_true(fabs((a) - (b)) <= 1e-12 * fabs(b))

/* Two lengths, degrees 1, 2, 4, batches 1 and 3. */
static rc_select_table small(void) {
    rc_select_table s = {.name = "small",
                         .machine = "m",
                         .model = "x",
                         .tp = 8,
                         .ffn_weights = RC_FP8,
                         .fresh_from = 10.0,
                         .fresh_to = 2500.0,
                         .knots = 2,
                         .degrees = 3,
                         .batches = 2,
                         .prices = 1,
                         .length = {1000.0, 3000.0},
                         .degree = {1, 2, 4},
                         .batch = {1, 3}};
    const double kv[3][2][2] = {{{7, 7}, {7, 7}}, {{100, 300}, {200, 600}}, {{400, 800}, {0, 0}}};
    const double more[2][2][2] = {{{500, 100}, {900, 300}}, {{2000, 1000}, {2000, 1000}}};
    for (int d = 0; d < 3; d++)
        for (int b = 0; b < 2; b++)
            for (int k = 0; k < 2; k++) {
                s.variant[d][b][k] = kv[d][b][k];
                if (d < 2)
                    s.more[0][d][b][k] = more[d][b][k];
            }
    return s;
}

static void thresholds_by_hand(void **state) {
    (void)state;
    rc_select_table s = small();
    assert_near(rc_select_threshold(&s, 1000, 1, 2), 100.0);
    rc_select_table alone = s; /* of one degree, which is no CP: its row is all there is */
    alone.degrees = 1;
    alone.degree[0] = 1;
    alone.variant[0][0][0] = 77.0;
    alone.variant[1][0][0] = 78.0;
    assert_near(rc_select_threshold(&alone, alone.length[0], alone.batch[0], 1), 77.0);
    rc_select_table two =
        s; /* of one that is CP: on however many ranks that row, for no CP has no variant */
    two.degrees = 2;
    two.degree[1] = 4;
    for (int n = 1; n < 6; n++)
        assert_near(rc_select_threshold(&two, 1000, 1, n), 100.0);
    assert_near(rc_select_threshold(&s, 2000, 1, 2), 200.0); /* between the lengths */
    assert_near(rc_select_threshold(&s, 2000, 2, 2), 300.0); /* and between the batches */
    assert_near(rc_select_threshold(&s, 2000, 1, 3), 400.0); /* and between the degrees */
    assert_near(rc_select_threshold(&s, 10, 1, 2), 100.0);   /* held beyond the ends */
    assert_near(rc_select_threshold(&s, 1e9, 99, 2), 600.0);
    assert_near(rc_select_threshold(&s, 1e9, 1, 64), 800.0);
}

static void variants_by_hand(void **state) {
    (void)state;
    rc_select_table s = small();
    assert_int_equal(rc_select_variant(&s, 200, 1800, 1, 2), RC_CHOOSE_PASS_KV);
    assert_int_equal(rc_select_variant(&s, 199, 1801, 1, 2), RC_CHOOSE_PASS_Q);
    assert_int_equal(rc_select_variant(&s, 199, 1801, 1, 1), RC_CHOOSE_PASS_KV);
    assert_int_equal(rc_select_variant(&s, 1, 0, 1, 2), RC_CHOOSE_PASS_Q); /* T = 1, P = 0 */
}

static void degrees_by_hand(void **state) {
    (void)state;
    rc_select_table s = small();
    assert_int_equal(rc_select_degree(&s, 0, 299, 1701, 1, 1, 4), 1);
    assert_int_equal(rc_select_degree(&s, 0, 300, 1700, 1, 1, 4), 2);
    assert_int_equal(rc_select_degree(&s, 0, 1500, 500, 1, 1, 4), 4);
    assert_int_equal(rc_select_degree(&s, 0, 1500, 500, 1, 1, 3), 2); /* ranks at hand */
    assert_int_equal(rc_select_degree(&s, 0, 1500, 500, 1, 1, 1), 1);
    assert_int_equal(rc_select_degree(&s, 0, 1, 1999, 1, 2, 4), 2); /* what fits */
    assert_int_equal(rc_select_degree(&s, 0, 1, 1999, 1, 3, 4), 4);
}

static void json_keeps_every_bit(void **state) {
    (void)state;
    rc_select_table s = small(), back;
    char text[8192];
    rc_error err = {0};
    s.variant[1][0][0] = 1234.5678901234;
    s.price[0] = 0.125;
    rc_select_round(&s);
    assert_near(s.variant[1][0][0], 1234.57);
    rc_json *j = rc_json_create();
    rc_select_json(&s, j, rc_json_root(j));
    FILE *f = fmemopen(text, sizeof text, "w");
    assert_int_equal(rc_json_write(j, f, NULL), RC_OK);
    (void)fclose(f);
    rc_json_destroy(j);
    assert_int_equal(rc_select_parse("s.json", text, strlen(text), &back, &err), RC_OK);
    assert_true(back.attn_weights == s.attn_weights && back.ffn_weights == s.ffn_weights &&
                back.kv == s.kv && back.fresh_from == s.fresh_from && back.fresh_to == s.fresh_to);
    assert_memory_equal(&back.length, &s.length, sizeof s.length);
    assert_memory_equal(&back.variant, &s.variant, sizeof s.variant);
    assert_memory_equal(&back.more, &s.more, sizeof s.more);
    assert_int_equal(back.degree[2], 4);
    assert_int_equal(back.prices, 1);
    assert_true(back.price[0] == 0.125);
    assert_string_equal(back.machine, "m");
}

static void refuse(const char *text, const char *expected) {
    rc_select_table s;
    rc_error err = {0};
    char full[1200];
    assert_int_equal(rc_select_parse("s.json", text, strlen(text), &s, &err), RC_E_INPUT);
    assert_string_equal(rc_error_text(&err, full, sizeof full), expected);
}

#define SCOPE "dtypes: {attention_weights: bf16, ffn_weights: fp8, kv: bf16}, new: [1, 9], "

static void refused_query(rc_select_query q, const char *found) {
    rc_select_table s = small();
    rc_error err = {0};
    assert_int_equal(rc_select_covers(&s, &q, NULL, &err), RC_E_INPUT);
    if (!strstr(err.msg, found))
        fail_msg("'%s' lacks '%s'", err.msg, found);
    assert_non_null(strstr(err.msg, "small covers x on m (attention weights bf16, FFN weights fp8, "
                                    "KV bf16), TP8, CP1 to CP4, T 10 to 2500, T + P 1000 to 3000, "
                                    "batches 1 to 3; found "));
}

static void knows_what_it_covers(void **state) {
    (void)state;
    const rc_select_query good = {.machine = "m",
                                  .model = "x",
                                  .ffn_weights = RC_FP8,
                                  .tp = 8,
                                  .n = 4,
                                  .t = 10,
                                  .p = 990,
                                  .batch = 3};
    rc_select_table s = small();
    rc_error err = {0};
    assert_int_equal(rc_select_covers(&s, &good, NULL, &err), RC_OK);
    rc_select_query q = good;
    q.t = 2500, q.p = 500, q.batch = 1, q.n = 1;
    assert_int_equal(rc_select_covers(&s, &q, NULL, &err), RC_OK); /* both ends are covered */
    q = good, q.model = "y";
    refused_query(q, "found model y");
    q = good, q.machine = "n";
    refused_query(q, "found machine n");
    q = good, q.ffn_weights = RC_BF16;
    refused_query(q, "found FFN weights bf16");
    q = good, q.attn_weights = RC_FP8;
    refused_query(q, "found attention weights fp8");
    q = good, q.kv = RC_FP8;
    refused_query(q, "found KV fp8");
    q = good, q.tp = 4;
    refused_query(q, "found TP4");
    q = good, q.n = 8;
    refused_query(q, "found CP8");
    q = good, q.t = 9;
    refused_query(q, "found T = 9");
    q = good, q.t = 2501, q.p = 0;
    refused_query(q, "found T = 2501");
    q = good, q.p = 900;
    refused_query(q, "found T + P = 910");
    q = good, q.p = 3000;
    refused_query(q, "found T + P = 3010");
    q = good, q.batch = 4;
    refused_query(q, "found a batch of 4");
}

/* A table's numbers have six digits: its ends are met to a hundred-thousandth, and not by one bit more. */
static void ends_to_their_digits(void **state) {
    (void)state;
    const double slack = 1e-5;
    const struct {
        double low, high;
    } ends[] = {{10.0, 2500.0}, {1000.0, 3000.0}, {1.0, 3.0}}; /* T, T + P, batch */
    rc_select_table s = small();
    rc_error err = {0};
    for (int what = 0; what < 3; what++)
        for (int end = 0; end < 2; end++)
            for (int beyond = 0; beyond < 2; beyond++) {
                double v = end ? ends[what].high * (1.0 + slack) : ends[what].low * (1.0 - slack);
                v = beyond ? nextafter(v, end ? 1e9 : 0.0) : v;
                rc_select_query q = {
                    .machine = "m", .model = "x", .ffn_weights = RC_FP8, .tp = 8, .n = 2};
                s.fresh_from =
                    what == 1 ? 0.0 : 10.0; /* so that the sum is what is asked for, to the bit */
                q.t = what == 0 ? v : what == 1 ? 0.0 : 2000.0;
                q.p = what == 0 ? fmax(2000.0 - v, 0.0) : what == 1 ? v : 0.0;
                q.batch = what == 2 ? v : 2.0;
                assert_int_equal(rc_select_covers(&s, &q, NULL, &err), beyond ? RC_E_INPUT : RC_OK);
            }
}

static void bad_json(void **state) {
    (void)state;
    refuse("{\"name\": \"a\", \"machine\": \"m\", \"model\": \"x\"}",
           "s.json:1:1: missing key 'tp' at the top level");
    refuse("{name: a, machine: m, model: x, tp: 8, length: [10, 20]}",
           "s.json:1:1: missing key 'dtypes' at the top level");
    refuse("{name: a, machine: m, model: x, tp: 8, " SCOPE "length: []}",
           "s.json:1:124: key 'length' has 0 items, expected 1 to 24");
    refuse("{name: a, machine: m, model: x, tp: 8, " SCOPE "length: [10, 20], degree: [1, 2], "
           "batch: [1], price: [0], pass_kv_from: [[[1, 2]]], more_ranks_from: []}",
           "s.json:1:188: key 'pass_kv_from' has 1 items, expected 2 to 2");
}

/* A whole table of one degree pair, of which one part is replaced. */
static rc_status with(const char *key, const char *value, char *said, size_t size) {
    static const char *const parts[][2] = {
        {"name", "a"},
        {"machine", "m"},
        {"model", "x"},
        {"tp", "8"},
        {"dtypes", "{attention_weights: bf16, ffn_weights: fp8, kv: bf16}"},
        {"new", "[1, 9]"},
        {"length", "[10, 20]"},
        {"degree", "[1, 2]"},
        {"batch", "[1]"},
        {"price", "[0]"},
        {"pass_kv_from", "[[[1, 2]], [[3, 4]]]"},
        {"more_ranks_from", "[[[[5, 6]]]]"}};
    char text[1024] = "{";
    rc_select_table s;
    rc_error err = {0};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s: %s",
                       i > 0 ? ", " : "", parts[i][0],
                       strcmp(parts[i][0], key) == 0 ? value : parts[i][1]);
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "}");
    const rc_status st = rc_select_parse("s.json", text, strlen(text), &s, &err);
    (void)snprintf(said, size, "%s", err.msg);
    return st;
}

/* Each part at its bounds: what is just within, and what is just beyond. */
static void bounds_of_json(void **state) {
    (void)state;
    static const struct {
        const char *key, *good, *bad;
    } t[] = {
        {"tp", "4096", "4097"},
        {"tp", "1", "0"},
        {"new", "[1, 1]", "[2, 1]"},
        {"new", "[1, 9]", "[0.5, 9]"},
        {"new", "[1, 9]", "[1]"},
        {"new", "[1, 9]", "[1, 9, 10]"},
        {"length", "[1, 20]", "[0.5, 20]"},
        {"length", "[10, 10.1]", "[10, 10]"},
        {"degree", "[1, 65536]", "[1, 65537]"},
        {"degree", "[1, 2]", "[0, 2]"},
        {"degree", "[1, 2]", "[2, 2]"},
        {"batch", "[65536]", "[65537]"},
        {"batch", "[1]", "[0]"},
        {"batch", "[1]", "[]"},
        {"price", "[1]", "[1.01]"},
        {"price", "[0]", "[-0.01]"},
        {"pass_kv_from", "[[[0, 2]], [[3, 4]]]", "[[[-1, 2]], [[3, 4]]]"},
        {"pass_kv_from", "[[[1, 2]], [[3, 4]]]", "[[[1, 2]], [[3]]]"},
        {"pass_kv_from", "[[[1, 2]], [[3, 4]]]", "[[[1, 2]], [[3, 4, 5]]]"},
        {"pass_kv_from", "[[[1, 2]], [[3, 4]]]", "[[[1, 2]], [7]]"},
        {"pass_kv_from", "[[[1, 2]], [[3, 4]]]", "[[[1, 2]], [[3, 4], [3, 4]]]"},
        {"pass_kv_from", "[[[1, 2]], [[3, 4]]]", "[[[1, 2]], 7]"},
        {"pass_kv_from", "[[[1, 2]], [[3, 4]]]", "[[[1, 2]], {a: [3, 4]}]"},
        {"more_ranks_from", "[[[[5, 6]]]]", "[[[[5]]]]"},
        {"more_ranks_from", "[[[[5, 6]]]]", "[[[[5, 6]], [[5, 6]]]]"},
        {"more_ranks_from", "[[[[5, 6]]]]", "[[]]"},
        {"more_ranks_from", "[[[[5, 6]]]]", "[]"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char said[512];
        if (with(t[i].key, t[i].good, said, sizeof said) != RC_OK)
            fail_msg("%s: %s: %s", t[i].key, t[i].good, said);
        if (with(t[i].key, t[i].bad, said, sizeof said) != RC_E_INPUT || !strstr(said, t[i].key))
            fail_msg("%s: %s: '%s'", t[i].key, t[i].bad, said);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_by_hand),   cmocka_unit_test(variants_by_hand),
        cmocka_unit_test(degrees_by_hand),      cmocka_unit_test(json_keeps_every_bit),
        cmocka_unit_test(ends_to_their_digits), cmocka_unit_test(bad_json),
        cmocka_unit_test(knows_what_it_covers), cmocka_unit_test(bounds_of_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
