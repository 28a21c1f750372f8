/* Tuned rules: more new tokens never lead back to pass-Q or to fewer ranks, thresholds stay between
 * the table's entries and rise with the length when the table does, ranks at hand are kept to.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "sim/choose/select.h"
#include "tests/support/prop.h"

/* A table whose thresholds rise along the length, of 1 + size/10 knots and more. */
static rc_select_table table(prop_case *c) {
    rc_select_table s = {.tp = 8, .prices = 1};
    s.knots = (int)(2 + prop_below(c, 2 + c->size / 8));
    s.degrees = (int)(2 + prop_below(c, 4));
    s.batches = (int)(1 + prop_below(c, 3));
    double length = 10.0;
    for (int k = 0; k < s.knots; k++)
        s.length[k] = length *= 1.0 + 3.0 * prop_unit(c) + 1e-3;
    for (int d = 0, n = 1; d < s.degrees; d++)
        s.degree[d] = d == 0 ? 1 : (n += 1 + (int)prop_below(c, 5));
    for (int b = 0, n = 0; b < s.batches; b++)
        s.batch[b] = n += 1 + (int)prop_below(c, 9);
    for (int d = 0; d < s.degrees; d++) {
        for (int b = 0; b < s.batches; b++) {
            double t = 1.0;
            for (int k = 0; k < s.knots; k++) {
                s.variant[d][b][k] = t *= 1.0 + prop_unit(c);
                s.more[0][d][b][k] = exp2(14.0 * prop_unit(c));
            }
        }
    }
    return s;
}

static bool more_tokens_more_pass_kv(prop_case *c) {
    rc_select_table s = table(c);
    double length = exp2(20.0 * prop_unit(c)), batch = 1.0 + 20.0 * prop_unit(c);
    int n = (int)prop_range(c, 2, 40), ranks = (int)prop_range(c, 1, 40), least = 0;
    bool kv = false;
    for (double t = 1.0; t <= length; t *= 1.1) {
        bool now = rc_select_variant(&s, t, length - t, batch, n) == RC_CHOOSE_PASS_KV;
        int degree = rc_select_degree(&s, 0, t, length - t, batch, 1, ranks);
        PROP_CHECK(c, now || !kv, "length %g, T %g: back to pass-Q", length, t);
        PROP_CHECK(c, degree >= least, "length %g, T %g: %d ranks after %d", length, t, degree,
                   least);
        PROP_CHECK(c, degree == s.degree[0] || degree <= ranks, "%d ranks of %d", degree, ranks);
        kv = now;
        least = degree;
    }
    return true;
}

static bool thresholds_rise(prop_case *c) {
    rc_select_table s = table(c);
    double batch = 1.0 + 20.0 * prop_unit(c), last = 0.0, hi = 0.0;
    int n = (int)prop_range(c, 2, 40);
    for (int d = 1; d < s.degrees; d++)
        for (int b = 0; b < s.batches; b++)
            hi = fmax(hi, s.variant[d][b][s.knots - 1]);
    for (double length = 1.0; length < 1e7; length *= 1.3) {
        double t = rc_select_threshold(&s, length, batch, n);
        PROP_CHECK(c, t >= last * (1.0 - 1e-12), "length %g: %g after %g", length, t, last);
        PROP_CHECK(c, t >= 1.0 && t <= hi * (1.0 + 1e-12), "length %g: %g of 1..%g", length, t, hi);
        last = t;
    }
    return true;
}

static void test_more_tokens(void **state) {
    (void)state;
    assert_true(prop_run("more_tokens_more_pass_kv", more_tokens_more_pass_kv, 100));
}

static void test_thresholds(void **state) {
    (void)state;
    assert_true(prop_run("thresholds_rise", thresholds_rise, 100));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_more_tokens),
                                       cmocka_unit_test(test_thresholds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
