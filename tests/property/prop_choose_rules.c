/* What must hold of the selection rules for any input.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include "sim/choose/choose.h"
#include "tests/support/prop.h"

static double log_uniform(prop_case *c, double lo, double hi) {
    return lo * pow(hi / lo, (double)prop_below(c, 1000001) / 1e6);
}

static rc_choose_input any_input(prop_case *c) {
    rc_choose_input in = {.t = floor(log_uniform(c, 1.0, 1e7)),
                          .p = floor(log_uniform(c, 1.0, 1e8)) - 1.0,
                          .n = (int)prop_range(c, 1, 64),
                          .kv_heads = 1 << prop_below(c, 5),
                          .e = prop_below(c, 2) ? 2.0 : 1.0,
                          .c = log_uniform(c, 1e12, 1e16),
                          .bw = log_uniform(c, 1e8, 1e12)};
    in.heads = in.kv_heads * (1 << prop_below(c, 5));
    return in;
}

static rc_rule any_rule(prop_case *c) {
    rc_rule r = {.kind = (rc_rule_kind)prop_below(c, RC_RULE_COUNT)};
    r.alpha = ((double)prop_below(c, 401) - 200.0) / 100.0;
    r.beta = log_uniform(c, 0.01, 10.0);
    r.gamma = ((double)prop_below(c, 4001) - 2000.0) / 100.0;
    return r;
}

static rc_choice choose(const rc_rule *r, const rc_choose_input *in) {
    rc_decision d;
    rc_error err = {0};
    return rc_choose(r, in, &d, &err) == RC_OK ? d.choice : (rc_choice)99;
}

/* The choice is pass-KV exactly when one of the reported tests holds, and each test says left ?
 * right. */
static bool tests_explain_the_choice(prop_case *c) {
    for (unsigned i = 0; i < c->size; i++) {
        rc_choose_input in = any_input(c);
        rc_rule r = any_rule(c);
        rc_decision d;
        PROP_CHECK(c, rc_choose(&r, &in, &d, NULL) == RC_OK, "T %g P %g", in.t, in.p);
        bool any = false;
        for (int k = 0; k < d.tests; k++) {
            const rc_choose_test *t = &d.test[k];
            bool says = r.kind == RC_RULE_EMPIRICAL ? t->left > t->right : t->left >= t->right;
            PROP_CHECK(c, says == t->holds, "%s: %g against %g", t->name, t->left, t->right);
            any = any || t->holds;
        }
        PROP_CHECK(c, any == (d.choice == RC_CHOOSE_PASS_KV), "rule %s", rc_rule_name(r.kind));
    }
    return true;
}

/* At one T, pass-KV from the frontier on and pass-Q below it. */
static bool frontier_divides(prop_case *c) {
    for (unsigned i = 0; i < c->size; i++) {
        rc_choose_input in = any_input(c);
        rc_rule r = any_rule(c);
        double edge = rc_rule_frontier(&r, &in), miss = rc_miss_rate(&in);
        if (fabs(miss / edge - 1.0) < 1e-9) /* on the edge rounding decides */
            continue;
        rc_choice expected = miss >= edge ? RC_CHOOSE_PASS_KV : RC_CHOOSE_PASS_Q;
        PROP_CHECK(c, choose(&r, &in) == expected, "rule %s: miss rate %g, frontier %g",
                   rc_rule_name(r.kind), miss, edge);
    }
    return true;
}

/* Algorithm 5 charges pass-Q for its all-to-all: it never takes pass-Q where Algorithm 1 takes
 * pass-KV. */
static bool algorithm_5_leans_to_pass_kv(prop_case *c) {
    static const rc_rule one = {.kind = RC_RULE_ALGORITHM_1}, five = {.kind = RC_RULE_ALGORITHM_5};
    for (unsigned i = 0; i < c->size; i++) {
        rc_choose_input in = any_input(c);
        if (choose(&one, &in) == RC_CHOOSE_PASS_KV)
            PROP_CHECK(c, choose(&five, &in) == RC_CHOOSE_PASS_KV, "T %g P %g", in.t, in.p);
    }
    return true;
}

/* More cached tokens never turn pass-Q into pass-KV; scaling C and BW together changes nothing. */
static bool more_cache_and_scaling(prop_case *c) {
    for (unsigned i = 0; i < c->size; i++) {
        rc_choose_input in = any_input(c), more = in, scaled = in;
        rc_rule r = any_rule(c);
        more.p = in.p * 2.0 + 1.0;
        if (choose(&r, &in) == RC_CHOOSE_PASS_Q)
            PROP_CHECK(c, choose(&r, &more) == RC_CHOOSE_PASS_Q, "P %g", in.p);
        scaled.c *= 8.0; /* powers of two: exact */
        scaled.bw *= 8.0;
        PROP_CHECK(c, choose(&r, &in) == choose(&r, &scaled), "C %g BW %g", in.c, in.bw);
    }
    return true;
}

#define RUN(name)                                                                                  \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        assert_true(prop_run(#name, name, 40));                                                    \
    }
RUN(tests_explain_the_choice)
RUN(frontier_divides)
RUN(algorithm_5_leans_to_pass_kv)
RUN(more_cache_and_scaling)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tests_explain_the_choice),
        cmocka_unit_test(test_frontier_divides),
        cmocka_unit_test(test_algorithm_5_leans_to_pass_kv),
        cmocka_unit_test(test_more_cache_and_scaling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
