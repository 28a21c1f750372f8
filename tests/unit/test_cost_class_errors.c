/* What the spread of an answer without rows is learnt from, of points made here: which points tell of a kind, what each needs, and
 * which of all needs is taken.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/cost/class_errors.c"

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-12 * fabs(want)))
        fail_msg("%.12g, by hand %.12g", got, want);
}

static rc_row bf16 = {.dtype = "bf16", .p50 = 1.0}, fp8 = {.dtype = "fp8", .p50 = 1.0};

/* A point that the rest is off by `factor`, with a spread of its own, at a reach of one kind. */
static rc_left_out point(double factor, double spread, rc_how how, double reach) {
    rc_left_out x = {.row = &bf16,
                     .dtype = RC_BF16,
                     .op = 3,
                     .answered = true,
                     .cost = {.p50 = factor, .spread = spread}};
    x.near.reach[how] = reach;
    return x;
}

static void test_kinds(void **state) {
    (void)state;
    const kind k = {3, RC_ERRORS_BF16, RC_HOW_BEYOND};
    const rc_left_out good = point(2.0, 0.0, RC_HOW_BEYOND, 0.5);
    assert_true(is_of(&good, &k));
    rc_left_out x[7];
    for (int i = 0; i < 7; i++)
        x[i] = good;
    x[0].answered = false;
    x[1].op = 4;
    x[2].row = &fp8;
    x[2].dtype = RC_FP8;
    x[3].near.other_heads = true;
    x[4].near.reach[RC_HOW_BEYOND] = 0.0;
    x[5].near.reach[RC_HOW_STATE] = 0.1; /* of two kinds: of neither */
    x[6].near.reach[RC_HOW_BETWEEN] = 0.1;
    for (int i = 0; i < 7; i++)
        assert_false(is_of(&x[i], &k));
    assert_true(is_of(&x[2], &(kind){3, RC_ERRORS_FP8, RC_HOW_BEYOND}));
    assert_true(is_of(&x[3], &(kind){3, RC_ERRORS_HEADS, RC_HOW_BEYOND}));
}

/* p5..p95 must hold what the row's p10..p90 does: 1.2816 of 1.6449 standard deviations; less than the answer's own spread lacks nothing. */
static void test_need(void **state) {
    (void)state;
    const double off = log(2.0) * 1.2815515655446004 / 1.6448536269514722;
    rc_left_out x = point(2.0, 0.0, RC_HOW_BEYOND, 1.0);
    near(need(&x, RC_HOW_BEYOND), off * off);
    x = point(0.5, 0.0, RC_HOW_BEYOND, 4.0);
    near(need(&x, RC_HOW_BEYOND), off * off / 4.0);
    x = point(2.0, 0.3, RC_HOW_BEYOND, 1.0);
    near(need(&x, RC_HOW_BEYOND), off * off - 0.09);
    x = point(2.0, 0.6, RC_HOW_BEYOND, 1.0);
    assert_true(need(&x, RC_HOW_BEYOND) == 0.0);
}

/* Of five points the largest need, of nineteen a nineteenth of the way from the 18th to the last, of four none. */
static void test_learn(void **state) {
    (void)state;
    const kind k = {3, RC_ERRORS_BF16, RC_HOW_BEYOND};
    rc_left_out all[20];
    double room[20];
    const double off = 1.2815515655446004 / 1.6448536269514722;
    for (int i = 0; i < 20;
         i++) /* the i-th is off by a factor of e to the i-th, in another order */
        all[i] = point(exp((i * 7) % 19 + 1), 0.0, i == 19 ? RC_HOW_STATE : RC_HOW_BEYOND, 1.0);
    double spread = -1.0;
    learn(all, 20, &k, room, &spread);
    near(spread, off * sqrt(18.0 * 18.0 + 1.0 / 19.0 * (19.0 * 19.0 - 18.0 * 18.0)));
    for (int i = 0; i < 5; i++)
        all[i] = point(exp(5 - i), 0.0, RC_HOW_BEYOND, 1.0);
    spread = -1.0;
    learn(all, 4, &k, room, &spread);
    assert_true(spread == -1.0);
    learn(all, 5, &k, room, &spread);
    near(spread, 5.0 * off);
}

/* What no row told of: a tenth between rows and of the other clock state, elsewhere the most that rows told, a tenth at the least. */
static void test_rest(void **state) {
    (void)state;
    static const struct {
        double told[RC_HOW_COUNT], is[RC_HOW_COUNT];
    } t[] = {{{NAN, NAN, NAN, NAN, NAN}, {0.1, 0.1, 0.1, 0.1, 0.1}},
             {{0.05, NAN, NAN, NAN, NAN}, {0.05, 0.1, 0.1, 0.1, 0.1}},
             {{0.05, NAN, 0.4, NAN, NAN}, {0.05, 0.4, 0.4, 0.4, 0.1}},
             {{NAN, 0.2, NAN, 0.3, 0.9}, {0.1, 0.2, 0.3, 0.3, 0.9}},
             {{0.5, NAN, NAN, NAN, NAN}, {0.5, 0.5, 0.5, 0.5, 0.1}}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        double spread[RC_HOW_COUNT];
        memcpy(spread, t[i].told, sizeof spread);
        fill_in(spread);
        for (int how = 0; how < RC_HOW_COUNT; how++)
            assert_true(spread[how] == t[i].is[how]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_need),
                                       cmocka_unit_test(test_learn), cmocka_unit_test(test_rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
