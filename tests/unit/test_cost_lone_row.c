/* A curve of which one size alone was measured, as those are that `--wanted` asks for: what it says of other sizes, by
 * hand, and held against the rows of the H100 and the H200 that are left out of theirs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/cost/leave_out.h"
#include "sim/cost/series.h"
#include "tests/support/cost_store.h"

static void close_to(double got, double want) {
    if (!(fabs(got / want - 1.0) < 1e-9))
        fail_msg("got %.9g, expected %.9g", got, want);
}

static double us_at(const rc_series *s, double size, rc_probe *p) {
    rc_series_at(s, log(size), p);
    return 1e6 * exp(p->y);
}

/* 100 us at 8,192: 2 us of latency, 98 of work. */
static void test_a_lone_point_by_hand(void **state) {
    (void)state;
    rc_knot knot = {.x = log(8192.0), .y = log(100e-6), .spread = 0.03, .basis = RC_MEASURED};
    rc_series s = {.knot = &knot, .n = 1, .power = 1.0};
    rc_probe p;
    close_to(us_at(&s, 8192.0, &p), 100.0);
    assert_true(p.spread == 0.03 && p.basis == RC_MEASURED);
    close_to(us_at(&s, 4096.0, &p), 51.0);
    close_to(p.spread, hypot(0.03, 0.25));
    assert_int_equal(p.basis, RC_EXTRAPOLATED);
    close_to(us_at(&s, 1.0, &p), 2.0 + 98.0 / 8192.0);
    close_to(us_at(&s, 16384.0, &p), 200.0);
    close_to(p.spread, hypot(0.03, 0.25));
    s.power = 2.0; /* of the square of the size */
    close_to(us_at(&s, 4096.0, &p), 2.0 + 98.0 / 4.0);
    knot.y = log(1.5e-6); /* faster than any kernel is said to be: no work is left */
    close_to(us_at(&s, 64.0, &p), 1.5);
}

/* A second point says what the latency is. */
static void test_two_points_by_hand(void **state) {
    (void)state;
    rc_knot knots[] = {{.x = log(1000.0), .y = log(20e-6), .basis = RC_MEASURED},
                       {.x = log(2000.0), .y = log(30e-6), .basis = RC_MEASURED}};
    rc_series s = {.knot = knots, .n = 2, .power = 1.0};
    rc_probe p;
    close_to(us_at(&s, 500.0, &p), 15.0);
    assert_true(p.spread == 0.0);
    assert_false(rc_series_reaches(&s, log(999.0)));
    assert_true(rc_series_reaches(&s, log(1000.0)) && rc_series_reaches(&s, log(2000.0)));
    assert_false(rc_series_reaches(&s, log(2001.0)));
}

/* Two of about one size, the larger by chance the faster: each end goes on as a lone point would. */
static void test_two_close_points(void **state) {
    (void)state;
    rc_knot knots[] = {{.x = log(8000.0), .y = log(50e-6), .basis = RC_MEASURED},
                       {.x = log(8192.0), .y = log(49e-6), .basis = RC_MEASURED}};
    rc_series s = {.knot = knots, .n = 2, .power = 1.0};
    rc_probe p;
    assert_false(rc_series_spans(&s));
    close_to(us_at(&s, 4000.0, &p), 2.0 + 48.0 / 2.0);
    close_to(p.spread, 0.25);
    close_to(us_at(&s, 16384.0, &p), 98.0);
    close_to(us_at(&s, 8192.0, &p), 49.0);
    assert_true(p.spread == 0.0 && p.basis == RC_MEASURED);
    knots[1].x = log(8000.0) + RC_SERIES_APART;
    assert_true(rc_series_spans(&s));
    close_to(us_at(&s, 4000.0, &p), 50.0); /* no larger call is faster: all of it is latency */
    assert_true(p.spread == 0.0);
}

static const int64_t SIZES[] = {16384, 65536, 262144, 1048576};

/* The largest stays and is not asked for; the others are, as one curve. */
static void test_all_but_the_largest_are_left_out(void **state) {
    (void)state;
    enum { N = sizeof SIZES / sizeof SIZES[0] };
    syn_store s = {.noise = 0.0, .seed = 1};
    rc_left_out *all = NULL;
    size_t n;
    rc_machine m;
    assert_int_equal(rc_rows_create(&s.rows, NULL), RC_OK);
    for (int i = 0; i < N; i++)
        syn_add(&s, "h200-sxm", "burst", "copy", "", "", SIZES[i], 0, 0, 0,
                2e-6 + 1e-12 * (double)SIZES[i], "measured");
    assert_false(s.failed);
    rc_machine_of_rows("h200-sxm", "burst", &m);
    const rc_leaving how = {.by = RC_LEFT_OUT_LONE};
    assert_int_equal(rc_leave_out(s.rows, &m, &how, &all, &n, NULL), RC_OK);
    assert_int_equal(n, N - 1);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(all[i].row->a, SIZES[i]);
        assert_true(all[i].answered && !all[i].between);
        close_to(all[i].cost.p50, all[i].row->p50);
    }
    free(all);
    rc_rows_free(s.rows);
}

/* Median and 95th percentile of |forecast / measured - 1| over all curves of an op, in %. One row is one row: what few
 * tokens take in ops whose widths differ in how their rows are dealt to the SMs it cannot know. */
static void hold(const rc_rows *rows, const char *machine, const char *op, double median,
                 double p95) {
    rc_machine m;
    rc_left_out *all = NULL;
    const rc_left_out **at;
    rc_left_out_errors e;
    size_t n;
    const rc_leaving how = {.by = RC_LEFT_OUT_LONE, .op = op};
    rc_machine_of_rows(machine, "burst", &m);
    assert_int_equal(rc_leave_out(rows, &m, &how, &all, &n, NULL), RC_OK);
    assert_true(n > 40);
    at = calloc(n, sizeof *at);
    assert_non_null(at);
    for (size_t i = 0; i < n; i++)
        at[i] = &all[i];
    assert_int_equal(rc_left_out_errors_of(at, n, &e, NULL), RC_OK);
    if (!(100.0 * e.median <= median && 100.0 * e.p95 <= p95))
        fail_msg("%s of %s: %.2f and %.2f %%, held to %g and %g", op, machine, 100.0 * e.median,
                 100.0 * e.p95, median, p95);
    free(at);
    free(all);
}

static void test_rows_of_both_parts(void **state) {
    (void)state;
    static const char *const machines[] = {"h100-sxm", "h200-sxm"};
    rc_rows *rows = NULL;
    assert_int_equal(rc_store_rows(NULL, NULL, &rows, NULL), RC_OK);
    for (int i = 0; i < 2; i++) {
        hold(rows, machines[i], "gemm", 3.5, 13.0);
        hold(rows, machines[i], "residual_add", 1.0, 5.0);
        hold(rows, machines[i], "rmsnorm", 3.0, 10.0);
        hold(rows, machines[i], "rmsnorm_fp8", 2.0, 13.0);
        hold(rows, machines[i], "swiglu", 1.0, 80.0);
    }
    rc_rows_free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lone_point_by_hand),
        cmocka_unit_test(test_two_points_by_hand),
        cmocka_unit_test(test_two_close_points),
        cmocka_unit_test(test_all_but_the_largest_are_left_out),
        cmocka_unit_test(test_rows_of_both_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
