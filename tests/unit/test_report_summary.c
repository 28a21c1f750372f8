/* The summary's arithmetic on rows made by hand, and the parallel loop.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/report/paper.h"
#include "sim/base/parallel.h"

#define assert_near(a, b) assert_true(fabs((a) - (b)) <= 1e-9)

static rc_paper_row row(const char *table, const char *metric, double paper, double predicted,
                        bool fitted) {
    rc_paper_row r = {.p = 0,
                      .t = 1000,
                      .paper = paper,
                      .predicted = predicted,
                      .p5 = NAN,
                      .p95 = NAN,
                      .fitted = fitted,
                      .scored = true,
                      .duplicate_of = -1,
                      .predicted_1024 = NAN};
    r.error_pct = 100.0 * (predicted / paper - 1.0);
    (void)snprintf(r.table, sizeof r.table, "%s", table);
    (void)snprintf(r.metric, sizeof r.metric, "%s", metric);
    r.schedule = rc_schedule_named("tp");
    return r;
}

static void errors_are_averaged_apart(void **state) {
    (void)state;
    rc_paper_row rows[] = {
        row("6", "ttft", 100, 110, false),  row("6", "ttft", 100, 80, false),
        row("7", "ttft", 100, 101, true),   row("6", "ttit", 50, 53, false),
        row("6", "ttit", 50, 49, true),     row("5", "attn_us", 10, 15, false),
        row("8", "whole_us", 10, 9, false), row("8", "attn_op_us", 10, 13, false),
    };
    rc_paper_summary s = {.fitted_parameters = 3, .choices = 2, .wall_s = 1.5};
    rows[5].scored = rows[6].scored = rows[7].scored = false;
    rc_paper_summarise(rows, sizeof rows / sizeof rows[0], &s);
    assert_near(s.ttft_mape_predicted, 15.0);
    assert_near(s.ttft_max_predicted, 20.0);
    assert_near(s.ttft_mape_fitted, 1.0);
    assert_near(s.ttft_mape_all, 31.0 / 3.0);
    assert_near(s.ttit_mape_predicted, 6.0);
    assert_near(s.ttit_mape_all, 4.0);
    assert_near(s.table5_mape, 50.0);
    assert_near(s.table8_whole_mape, 10.0);
    assert_near(s.table8_mape, 20.0);
    assert_int_equal(s.ttft_rows_predicted, 2);
    assert_int_equal(s.ttft_rows_all, 3);
    assert_int_equal(s.ttit_rows_predicted, 1);
    assert_int_equal(s.ttit_rows_all, 2);
    assert_int_equal(s.fitted_parameters, 3);
    assert_int_equal(s.choices, 2);
    assert_near(s.wall_s, 1.5);
}

static void duplicates_and_unscored_rows_do_not_count(void **state) {
    (void)state;
    rc_paper_row rows[] = {row("6", "ttft", 100, 110, false), row("7", "ttft", 100, 110, false),
                           row("points", "ttft", 60, 30, false), row("6", "ttft", 100, NAN, false)};
    rc_paper_summary s = {0};
    rows[1].duplicate_of = 0;
    rows[2].scored = false;
    rc_paper_summarise(rows, 4, &s);
    assert_int_equal(s.ttft_rows_all, 1);
    assert_near(s.ttft_mape_all, 10.0);
    assert_near(s.ttft_max_predicted, 10.0);
}

static void nothing_gives_nan(void **state) {
    (void)state;
    rc_paper_summary s = {0};
    rc_paper_summarise(NULL, 0, &s);
    assert_true(isnan(s.ttft_mape_predicted) && isnan(s.ttft_max_predicted) &&
                isnan(s.ttft_mape_all));
    assert_int_equal(s.winners_total, 0);
}

static void k_1024_replaces_only_where_k_is_open(void **state) {
    (void)state;
    rc_paper_row rows[] = {row("6", "ttft", 100, 110, false), row("4", "ttft", 100, 120, false)};
    rc_paper_summary s = {0};
    rows[0].predicted_1024 = 104;
    rc_paper_summarise(rows, 2, &s);
    assert_near(s.ttft_mape_all, 15.0);
    assert_near(s.k1024_ttft_mape_all, 12.0);
    assert_near(s.k1024_ttft_mape_predicted, 12.0);
}

static void intervals_are_counted(void **state) {
    (void)state;
    rc_paper_row rows[] = {row("6", "ttft", 100, 110, false), row("6", "ttft", 100, 101, false),
                           row("6", "ttit", 100, 101, false)};
    rc_paper_summary s = {0};
    rows[0].p5 = 105, rows[0].p95 = 115;
    rows[1].p5 = 99, rows[1].p95 = 104;
    rc_paper_summarise(rows, 3, &s);
    assert_int_equal(s.with_interval, 2);
    assert_int_equal(s.covered, 1);
}

static void pair(rc_paper_row *two, int64_t t, double kv, double q, double kv_predicted,
                 double q_predicted) {
    two[0] = row("4", "ttft", kv, kv_predicted, false);
    two[1] = row("4", "ttft", q, q_predicted, false);
    two[0].t = two[1].t = t;
    two[0].schedule = &rc_schedule_pass_kv;
    two[1].schedule = &rc_schedule_pass_q;
}

static void winners(void **state) {
    (void)state;
    rc_paper_row rows[8];
    rc_paper_summary s = {0};
    pair(&rows[0], 10, 100, 110, 100, 101);   /* clear, right */
    pair(&rows[2], 20, 110, 100, 100, 101);   /* clear, wrong */
    pair(&rows[4], 30, 100, 101.4, 101, 100); /* 1.4 %: a tie; wrong */
    pair(&rows[6], 40, 101.6, 100, 110, 100); /* 1.6 %: clear, right */
    rc_paper_summarise(rows, 8, &s);
    assert_int_equal(s.winners_total, 3);
    assert_int_equal(s.winners_right, 2);
    assert_int_equal(s.winners_total_all, 4);
    assert_int_equal(s.winners_right_all, 2);
}

static rc_status square(void *ctx, size_t item, rc_error *err) {
    (void)err;
    ((size_t *)ctx)[item] = item * item;
    return RC_OK;
}

static rc_status fail_from_13(void *ctx, size_t item, rc_error *err) {
    (void)ctx;
    return item < 13 ? RC_OK : rc_fail(err, RC_E_INPUT, "item %zu", item);
}

static void parallel_loop(void **state) {
    (void)state;
    size_t out[500];
    for (int threads = 0; threads < 5; threads++) {
        rc_error err = {0};
        memset(out, 0, sizeof out);
        assert_int_equal(rc_parallel(500, threads, square, out, &err), RC_OK);
        for (size_t i = 0; i < 500; i++)
            assert_int_equal(out[i], i * i);
        assert_int_equal(rc_parallel(500, threads, fail_from_13, NULL, &err), RC_E_INPUT);
        assert_string_equal(err.msg, "item 13");
    }
    assert_int_equal(rc_parallel(0, 4, square, out, NULL), RC_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_averaged_apart),
        cmocka_unit_test(duplicates_and_unscored_rows_do_not_count),
        cmocka_unit_test(nothing_gives_nan),
        cmocka_unit_test(k_1024_replaces_only_where_k_is_open),
        cmocka_unit_test(intervals_are_counted),
        cmocka_unit_test(winners),
        cmocka_unit_test(parallel_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
