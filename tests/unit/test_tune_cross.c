/* Where two schedules tie, of times that the test states; and scores of rules by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#define rc_tune_timer_time stated_time
#include "sim/tune/crossover.c"

/* Pass-Q takes (t / tie)^power times as long as pass-KV; below `second` the other way round; from `none` on it does not fit. */
static double tie, power, second, none;
static int64_t most, least;
static int asked, n_asked, fails_at;

rc_status stated_time(rc_tune_timer *timer, int n, int variant, int64_t t, int64_t p, int batch,
                      double *out, rc_error *err) {
    (void)timer;
    asked++;
    n_asked = n;
    assert_true(batch == 1 && t >= 1 && t + p == 100000 && p >= 0);
    most = t > most ? t : most;
    least = least == 0 || t < least ? t : least;
    if (asked == fails_at)
        return rc_fail(err, RC_E_INPUT, "no time of %lld", (long long)t);
    const double ratio = pow((double)t / tie, power);
    *out = variant == RC_TUNE_KV ? 2.0 : 2.0 * ((double)t < second ? 1.0 / ratio : ratio);
    if ((double)t >= none)
        *out = NAN;
    return RC_OK;
}

static double crossed(int64_t lo, int64_t hi, int *side) {
    double out = -1.0;
    rc_error err = {0};
    most = least = asked = 0;
    gsl_set_error_handler_off();
    if (rc_tune_cross(NULL, 4, 100000, lo, hi, &out, side, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(n_asked, 4);
    return out;
}

static void set(double tie_, double power_, double second_, double none_) {
    tie = tie_, power = power_, second = second_, none = none_;
    fails_at = 0;
}

/* Within half a token or a thousandth, wherever it lies; T goes from the least to the most of the axis, and no further than all. */
static void test_tie(void **state) {
    (void)state;
    int side = 7;
    static const double ties[] = {101.5, 350.0, 2000.0, 44444.0, 99000.0};
    for (size_t i = 0; i < sizeof ties / sizeof ties[0]; i++) {
        set(ties[i], 0.3, 0.0, 1e9);
        const double t = crossed(100, 1000000, &side);
        if (!(fabs(t - ties[i]) <= fmax(1.0, 2e-3 * ties[i])))
            fail_msg("%g, not %g", t, ties[i]);
        assert_true(side == 0 && least == 100 && most == 100000 && asked < 100);
    }
    set(2000.0, 1.0, 0.0, 1e9);
    (void)crossed(1000, 8000, &side);
    assert_true(least == 1000 && most == 8000);
}

/* None: which of the two is faster all along. Of two changes the last counts. Where one does not fit is not looked at. */
static void test_sides(void **state) {
    (void)state;
    int side = 7;
    set(10.0, 1.0, 0.0, 1e9); /* pass-KV all along */
    assert_true(isnan(crossed(100, 50000, &side)) && side == 1);
    set(90000.0, 1.0, 0.0, 1e9);
    assert_true(isnan(crossed(100, 50000, &side)) && side == -1);
    set(5000.0, -1.0, 0.0, 1e9); /* pass-KV first, then pass-Q: never from there on */
    assert_true(isnan(crossed(100, 50000, &side)) && side == -1);
    set(5000.0, 1.0, 300.0, 1e9); /* pass-KV below 300, pass-Q up to 5,000 */
    assert_true(fabs(crossed(100, 50000, &side) / 5000.0 - 1.0) < 3e-3);
    set(5000.0, 1.0, 0.0, 20000.0);
    assert_true(fabs(crossed(100, 50000, &side) / 5000.0 - 1.0) < 3e-3);
    set(5000.0, 1.0, 0.0, 3000.0); /* what is left is pass-Q's */
    assert_true(isnan(crossed(100, 50000, &side)) && side == -1);
    set(5000.0, 1.0, 0.0, 1.0); /* nothing is left */
    assert_true(isnan(crossed(100, 50000, &side)) && side == 0);
    set(100.0, 1.0, 0.0, 1e9); /* a tie at the least is pass-KV's */
    assert_true(isnan(crossed(100, 50000, &side)) && side == 1);
}

static void test_failures(void **state) {
    (void)state;
    for (int at = 1; at <= 22; at += 7) {
        double out;
        int side;
        rc_error err = {0};
        set(5000.0, 1.0, 0.0, 1e9);
        fails_at = at;
        most = least = asked = 0;
        assert_int_equal(rc_tune_cross(NULL, 4, 100000, 100, 50000, &out, &side, &err), RC_E_INPUT);
        assert_non_null(strstr(err.msg, "no time of"));
    }
}

/* Losses of 0, 1, ..., 39 per cent and ten times as many milliseconds, in any order: the mean, the 38th of 40 and the last. */
static void test_scores(void **state) {
    (void)state;
    double pct[40], ms[40];
    for (int i = 0; i < 40; i++) {
        pct[i] = (i * 7) % 40;
        ms[i] = 10.0 * ((i * 11) % 40);
    }
    const rc_tune_score s = rc_tune_score_of(pct, ms, 40, 10);
    assert_true(s.points == 40 && s.hit_rate == 0.25 && s.mean_pct == 19.5 && s.p95_pct == 37.0 &&
                s.worst_pct == 39.0);
    assert_true(s.mean_ms == 195.0 && s.p95_ms == 370.0 && s.worst_ms == 390.0);
    const rc_tune_score nothing = rc_tune_score_of(pct, ms, 0, 0);
    assert_true(nothing.points == 0 && nothing.mean_pct == 0.0 && nothing.hit_rate == 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tie), cmocka_unit_test(test_sides),
                                       cmocka_unit_test(test_failures),
                                       cmocka_unit_test(test_scores)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
