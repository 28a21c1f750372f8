/* The selection rules: the equations by hand, the paper's Table 4, names and refusals.
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
#include "sim/base/csv.h"
#include "sim/choose/choose.h"

#define assert_near(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))

static const double PEAK = 800e12, ACHIEVED = 26e9, NOMINAL = 50e9;

static rc_choose_input llama(double t, double p, double bw) {
    return (rc_choose_input){
        .t = t, .p = p, .n = 4, .heads = 128, .kv_heads = 8, .e = 2.0, .c = PEAK, .bw = bw};
}

/* How often the rule picks Table 4's faster variant. */
static int right_in_table_4(const char *name, double bw) {
    const char *source = getenv("RC_SOURCE_DIR");
    char path[1024];
    rc_csv *csv = NULL;
    rc_error err = {0};
    rc_rule rule;
    size_t p, t, kv, q;
    int right = 0;
    snprintf(path, sizeof path, "%s/scenarios/paper/data/table4_ttft_passkv_passq.csv",
             source ? source : ".");
    assert_int_equal(rc_csv_open(path, &csv, &err), RC_OK);
    assert_int_equal(rc_rule_named(name, &rule, &err), RC_OK);
    assert_true(rc_csv_find(csv, "P", &p) && rc_csv_find(csv, "T", &t));
    assert_true(rc_csv_find(csv, "pass_kv_ms", &kv) && rc_csv_find(csv, "pass_q_ms", &q));
    assert_int_equal(rc_csv_rows(csv), 14);
    for (size_t i = 0; i < 14; i++) {
        rc_decision d;
        rc_choose_input in = llama(atof(rc_csv_text(csv, i, t)), atof(rc_csv_text(csv, i, p)), bw);
        assert_int_equal(rc_choose(&rule, &in, &d, &err), RC_OK);
        right += d.choice ==
                 rc_choose_oracle(atof(rc_csv_text(csv, i, kv)), atof(rc_csv_text(csv, i, q)));
    }
    rc_csv_close(csv);
    return right;
}

static void table_4_counts(void **state) {
    (void)state;
    assert_int_equal(right_in_table_4("algorithm-1", ACHIEVED), 14);
    assert_int_equal(right_in_table_4("algorithm-1", NOMINAL), 12);
    assert_int_equal(right_in_table_4("algorithm-5", ACHIEVED), 13);
    assert_int_equal(right_in_table_4("algorithm-5", NOMINAL), 11);
    assert_int_equal(right_in_table_4("empirical", ACHIEVED), 4);
    assert_int_equal(right_in_table_4("empirical", NOMINAL), 4);
}

static void equations_by_hand(void **state) {
    (void)state;
    rc_choose_input in = llama(12800, 115200, NOMINAL);
    rc_choose_test t = rc_equation_1(&in);
    assert_near(t.left, 0.1, 1e-12);
    assert_near(t.right, 0.125, 1e-12);
    assert_true(t.holds);
    t = rc_equation_2(&in); /* 4 x 800e12 x 8 x 2 / (2 x 128 x 50e9) */
    assert_near(t.right, 4000.0, 1e-6);
    assert_true(t.holds);
    t = rc_equation_3(&in); /* 4 x 2 x 800e12 / (4 x 50e9) */
    assert_near(t.left, 128000.0, 1e-9);
    assert_near(t.right, 32000.0, 1e-6);
    assert_true(t.holds);
}

static void a_decision_shows_its_tests(void **state) {
    (void)state;
    rc_rule rule;
    rc_decision d;
    rc_choose_input in = llama(3200, 124800, ACHIEVED);
    assert_int_equal(rc_rule_named("algorithm-5", &rule, NULL), RC_OK);
    assert_int_equal(rc_choose(&rule, &in, &d, NULL), RC_OK);
    assert_int_equal(d.choice, RC_CHOOSE_PASS_Q);
    assert_string_equal(rc_choice_name(d.choice), "pass-q");
    assert_int_equal(d.tests, 2);
    assert_near(d.test[0].left, 3200.0, 1e-9);
    assert_near(d.test[0].right, 7692.307692, 1e-5);
    assert_near(d.test[1].left, 0.025, 1e-12);
    assert_near(d.test[1].right, 0.125 - 4.0 * 3200.0 * 26e9 / (4.0 * 800e12 * 2.0), 1e-12);
    assert_int_equal(rc_rule_named("empirical", &rule, NULL), RC_OK);
    assert_int_equal(rc_choose(&rule, &in, &d, NULL), RC_OK);
    assert_int_equal(d.tests, 1);
    assert_near(d.test[0].left, -1.059 * log(3200.0) + 1.145 * log(0.025) + 12.112, 1e-9);
}

static void other_coefficients(void **state) {
    (void)state;
    rc_rule rule = {RC_RULE_EMPIRICAL, 0.0, 1.0, 0.0}; /* ln(miss) > 0: never */
    rc_decision d;
    rc_choose_input in = llama(1000, 1000, ACHIEVED);
    assert_int_equal(rc_choose(&rule, &in, &d, NULL), RC_OK);
    assert_int_equal(d.choice, RC_CHOOSE_PASS_Q);
    rule.gamma = 1.0; /* from 1/e on */
    assert_int_equal(rc_choose(&rule, &in, &d, NULL), RC_OK);
    assert_int_equal(d.choice, RC_CHOOSE_PASS_KV);
    assert_near(rc_rule_frontier(&rule, &in), exp(-1.0), 1e-12);
    rule.beta = -1.0;
    assert_true(isnan(rc_rule_frontier(&rule, &in)));
}

static void oracle(void **state) {
    (void)state;
    assert_int_equal(rc_choose_oracle(1.0, 2.0), RC_CHOOSE_PASS_KV);
    assert_int_equal(rc_choose_oracle(2.0, 1.0), RC_CHOOSE_PASS_Q);
    assert_int_equal(rc_choose_oracle(1.0, 1.0), RC_CHOOSE_PASS_KV);
}

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-9 * fabs(want)))
        fail_msg("got %.9g, expected %.9g", got, want);
}

/* DeepSeek-V3 on TP8: a latent is 1,152 bytes whole on each GPU; 16 heads have queries of 192 and outputs
 * of 128, or of 576 and 512 absorbed. */
static void test_latents(void **state) {
    (void)state;
    rc_model m;
    rc_error err;
    char path[1024];
    const char *source = getenv("RC_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/models/deepseek-v3.json", source ? source : ".");
    if (rc_model_load(path, &m, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_layout l = {.tp = 8, .cp = 1, .mla = RC_MLA_ABSORBED};
    rc_choose_input in = rc_choose_input_of(&m, &l, 4, 100, 99900, 800e12, 50e9);
    near(in.kv_bytes, 1152);
    near(in.q_bytes, 16 * 576 * 2);
    near(in.out_bytes, 16 * 512 * 2);
    near(in.pair_flops, 2.0 * 16 * 1088);
    near(rc_equation_1(&in).right, 1.0 / 16);
    near(rc_equation_2(&in).right, 4 * 800e12 * 1152 / (2.0 * 16 * 1088 * 50e9));
    l.mla = RC_MLA_MATERIALISED; /* 2 x 512 x 16 x 256 FLOPs a latent besides */
    in = rc_choose_input_of(&m, &l, 4, 20000, 80000, 800e12, 50e9);
    near(in.kv_bytes, 1152 + 2.0 * 512 * 16 * 256 * 50e9 / 800e12);
    near(in.q_bytes, 16 * 192 * 2);
    const rc_rule five = {.kind = RC_RULE_ALGORITHM_5};
    rc_decision d;
    assert_int_equal(rc_choose(&five, &in, &d, &err), RC_OK);
    near(d.test[1].right,
         (in.kv_bytes - 20000 * in.pair_flops * 50e9 / (4 * 800e12)) / (16 * 128 * 2));
    near(rc_rule_frontier(&five, &in), fmax(0.0, rc_equation_2(&in).holds ? 0.0 : d.test[1].right));
    /* gathering queries pays behind a long cache, and never behind none */
    in.p = 800000;
    assert_true(rc_gathers_latents(&in).holds);
    in.p = 0;
    assert_false(rc_gathers_latents(&in).holds);
    rc_choose_input even =
        in; /* 4 (3 + 2) bytes of queries against 10 x 2 of the cache: nothing is gained */
    even.t = 4, even.p = 10, even.q_bytes = 3, even.out_bytes = 2, even.kv_bytes = 2;
    assert_false(rc_gathers_latents(&even).holds);
    even.p = 11;
    assert_true(rc_gathers_latents(&even).holds);
    /* the least work decides the form: few queries on a long cache absorb */
    l.mla = RC_MLA_LEAST_WORK;
    near(rc_choose_input_of(&m, &l, 4, 64, 100000, 800e12, 50e9).q_bytes, 16 * 576 * 2);
    near(rc_choose_input_of(&m, &l, 4, 64000, 0, 800e12, 50e9).q_bytes, 16 * 192 * 2);
    /* of heads, or of what no rule can be asked, nothing is said in bytes */
    rc_choose_input of[2] = {rc_choose_input_of(&m, &l, 4, 0, 100000, 800e12, 50e9)};
    m.kind[0].mixer = m.kind[1].mixer = RC_MIX_ATTENTION;
    of[1] = rc_choose_input_of(&m, &l, 4, 64, 100000, 800e12, 50e9);
    for (int i = 0; i < 2; i++)
        assert_true(of[i].kv_bytes == 0.0 && of[i].q_bytes == 0.0 && of[i].out_bytes == 0.0 &&
                    of[i].pair_flops == 0.0);
    in.q_bytes = 0;
    assert_int_equal(rc_choose_check(&in, &err), RC_E_INPUT);
}

static void refuse(rc_choose_input in, const char *expected) {
    rc_error err = {0};
    rc_decision d;
    rc_rule rule = {.kind = RC_RULE_ALGORITHM_1};
    assert_int_equal(rc_choose(&rule, &in, &d, &err), RC_E_INPUT);
    assert_string_equal(err.msg, expected);
}

static void bad_input(void **state) {
    (void)state;
    rc_choose_input in = llama(0, 10, ACHIEVED);
    refuse(in, "T is 0, expected at least one new token");
    in = llama(10, -1, ACHIEVED);
    refuse(in, "P is -1, expected 0 or more cached tokens");
    in = llama(10, 0, 0.0);
    refuse(in, "BW is 0, expected bytes/s above 0");
    in = llama(10, 0, ACHIEVED);
    in.heads = 4;
    refuse(in, "N_H is 4 and N_KV 8, expected N_H >= N_KV >= 1");
    in = llama(10, 0, ACHIEVED);
    in.n = 0;
    refuse(in, "N is 0, expected at least 1 CP rank");
    in = llama(10, 0, ACHIEVED);
    in.c = NAN;
    refuse(in, "C is nan, expected FLOP/s above 0");
    in = llama(10, 0, ACHIEVED);
    in.e = -2.0;
    refuse(in, "e is -2, expected bytes per element above 0");
}

static void names(void **state) {
    (void)state;
    rc_rule rule;
    rc_error err = {0};
    for (int k = 0; k < RC_RULE_COUNT; k++) {
        assert_int_equal(rc_rule_named(rc_rule_names()[k], &rule, &err), RC_OK);
        assert_int_equal(rule.kind, k);
        assert_string_equal(rc_rule_name(rule.kind), rc_rule_names()[k]);
    }
    assert_null(rc_rule_names()[RC_RULE_COUNT]);
    assert_int_equal(rc_rule_named("algoritm-1", &rule, &err), RC_E_INPUT);
    assert_string_equal(err.msg,
                        "unknown rule 'algoritm-1' (did you mean 'algorithm-1'?); expected "
                        "algorithm-1, algorithm-5 or empirical");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_4_counts),
        cmocka_unit_test(equations_by_hand),
        cmocka_unit_test(a_decision_shows_its_tests),
        cmocka_unit_test(other_coefficients),
        cmocka_unit_test(oracle),
        cmocka_unit_test(bad_input),
        cmocka_unit_test(test_latents),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
