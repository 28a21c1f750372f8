/* Intervals of printed figures: what the paper's repeats scatter by is found again where it is known,
 * and with it on top of a forecast's own interval, nine of ten printed figures lie inside.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "sim/engine/engine.h"
#include "sim/report/paper_internal.h"

#define Z_90 1.6448536269514722

static rc_paper_row row(const char *metric, const char *unit, int config, double paper,
                        double predicted) {
    rc_paper_row r = {.paper = paper, .predicted = predicted, .duplicate_of = -1, .scored = true};
    (void)snprintf(r.table, sizeof r.table, "7");
    (void)snprintf(r.metric, sizeof r.metric, "%s", metric);
    (void)snprintf(r.unit, sizeof r.unit, "%s", unit);
    (void)snprintf(r.config, sizeof r.config, "CP%d", config);
    r.p5 = r.p95 = r.predicted;
    return r;
}

static void pairs_of_one_pass(void **state) {
    (void)state;
    rc_paper_repeats found[RC_PAPER_KINDS];
    rc_paper_row rows[] = {
        row("ttft", "ms", 1, 100.0, 90.0),   row("ttft", "ms", 1, 110.0, 90.0),
        row("ttft", "ms", 2, 150.0, 90.0), /* another configuration */
        row("ttft", "ms", 1, 300.0, 95.0), /* another pass */
        row("ttft", "ms", 1, 110.0, 90.0), /* the second again */
        row("ttit", "ms", 1, 100.0, 90.0), /* another kind */
        row("whole_us", "us", 1, 10.0, 9.0), row("whole_us", "us", 1, 10.0, 9.0), /* to the digit */
    };
    rows[4].duplicate_of = 1;
    rc_error err = {0};
    assert_int_equal(rc_paper_widen(rows, sizeof rows / sizeof rows[0], found, &err), RC_OK);
    assert_int_equal(found[RC_PAPER_TTFT].pairs, 1);
    assert_true(fabs(found[RC_PAPER_TTFT].sigma - log(1.1) / sqrt(2.0)) < 1e-12);
    assert_int_equal(found[RC_PAPER_TTIT].pairs, 0);
    assert_true(found[RC_PAPER_TTIT].sigma == 0.0);
    assert_int_equal(found[RC_PAPER_PART].pairs, 0);
}

/* A pair 5 % apart, and a figure of the same kind whose forecast is known to 4 %. */
static void widths_add_as_variances(void **state) {
    (void)state;
    rc_error err = {0};
    rc_paper_repeats found[RC_PAPER_KINDS];
    double apart = 0.03 / Z_90 * sqrt(2.0);
    rc_paper_row rows[] = {
        row("ttit", "ms", 1, 40.0, 40.0),         row("ttit", "ms", 1, 40.0 * exp(apart), 40.0),
        row("ttit", "ms", 1, 70.0, 50.0),         row("ttft", "ms", 1, 50.0, 50.0),
        row("ttft_ratio", "ratio", 1, 2.0, 50.0), row("ttit", "ms", 1, 60.0, 50.5),
    };
    for (int i = 0; i < 6; i++) {
        rows[i].p5 = rows[i].predicted * exp(-0.04);
        rows[i].p95 = rows[i].predicted * exp(0.04);
    }
    rows[5].p5 = rows[5].p95 = NAN;
    assert_int_equal(rc_paper_widen(rows, 6, found, &err), RC_OK);
    assert_true(fabs(log(rows[2].p95 / 50.0) - 0.05) < 1e-12);
    assert_true(fabs(log(rows[2].p5 / 50.0) + 0.05) < 1e-12);
    for (int i = 3; i < 5; i++) /* of another kind, of none */
        assert_true(fabs(log(rows[i].p95 / 50.0) - 0.04) < 1e-12);
    assert_true(isnan(rows[5].p5));
    for (int i = 0; i < 2; i++) /* nothing of the pair's own */
        assert_true(fabs(log(rows[i].p95 / 40.0) - 0.04) < 1e-12);
}

/* Passes that are off their forecasts by 3 %, each printed twice, 5 % apart. */
static void nine_of_ten_are_held(void **state) {
    enum { PASSES = 500 };
    (void)state;
    rc_paper_row *rows = calloc(2 * PASSES, sizeof *rows);
    rc_paper_repeats found[RC_PAPER_KINDS];
    rc_paper_summary s = {0};
    rc_error err = {0};
    rc_rng rng;
    assert_non_null(rows);
    rc_rng_seed(&rng, 3);
    for (int i = 0; i < 2 * PASSES; i++) {
        if (i % 2)
            continue;
        double predicted = 100.0 + i, truth = predicted * exp(0.03 * rc_rng_normal(&rng));
        for (int k = i; k < i + 2; k++) {
            double printed = truth * exp(0.05 * rc_rng_normal(&rng));
            rows[k] = row("ttft", "ms", i, printed, predicted);
            rows[k].p5 = predicted * exp(-0.03 * Z_90);
            rows[k].p95 = predicted * exp(0.03 * Z_90);
        }
    }
    assert_int_equal(rc_paper_widen(rows, 2 * PASSES, found, &err), RC_OK);
    rc_paper_summarise(rows, 2 * PASSES, &s);
    assert_int_equal(found[RC_PAPER_TTFT].pairs, PASSES);
    assert_true(fabs(found[RC_PAPER_TTFT].sigma - 0.05) < 0.004);
    assert_int_equal(s.cover_ttft.rows, 2 * PASSES);
    if (fabs(s.cover_ttft.covered / (2.0 * PASSES) - 0.9) > 0.025)
        fail_msg("%d of %d", s.cover_ttft.covered, 2 * PASSES);
    assert_true(fabs(s.cover_ttft.width / s.cover_ttft.asked - 1.0) < 0.06);
    assert_int_equal(s.cover_ttit.rows, 0);
    free(rows);
}

/* Draw by draw: two jobs that vary together by half have a ratio that does not vary at all. */
static void ratios_are_of_the_same_draws(void **state) {
    (void)state;
    double drawn[] = {1.0, 1.2, 1.5, 2.0, 2.4, 3.0, 4.0, 3.0, 2.0}, p5, p95;
    rc_job jobs[3] = {{.draws = true}, {.draws = true}, {.draws = true}};
    rc_paper p = {.options = {.draws = 3}, .jobs = jobs, .job_count = 3, .drawn = drawn};
    rc_paper_ratio_interval(&p, 1, 0, &p5, &p95);
    assert_true(fabs(p5 - 2.0) < 1e-12 && fabs(p95 - 2.0) < 1e-12);
    rc_paper_ratio_interval(&p, 2, 0, &p5, &p95);
    assert_true(p5 < 1.6 && p95 > 3.6);
    jobs[0].status = RC_E_NOFIT;
    rc_paper_ratio_interval(&p, 2, 0, &p5, &p95);
    assert_true(isnan(p5) && isnan(p95));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_of_one_pass),
        cmocka_unit_test(widths_add_as_variances),
        cmocka_unit_test(nine_of_ten_are_held),
        cmocka_unit_test(ratios_are_of_the_same_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
