/* Tics of logarithmic axes: 1, 2 and 5 of each decade where there are few, decades where there are many.
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
#include "sim/plot/gnuplot.h"
#include "sim/plot/plot_axes.h"

static void assert_axis(char axis, double lo, double hi, const char *expected) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    rc_plot_log_axis(f, axis, lo, hi);
    (void)fclose(f);
    assert_string_equal(text, expected);
    free(text);
}

static void test_few_decades(void **state) {
    (void)state;
    assert_axis(
        'x', 400.0, 12000.0,
        "set logscale x\nset xrange [400:12000]\nset xtics ('500' 500, '1K' 1000, '2K' 2000, "
        "'5K' 5000, '10K' 10000)\n");
    assert_axis(
        'y', 0.1, 1.0,
        "set logscale y\nset yrange [0.1:1]\nset ytics ('0.1' 0.1, '0.2' 0.2, '0.5' 0.5, '1' "
        "1)\n");
}

static void test_many_decades(void **state) {
    (void)state;
    assert_axis(
        'x', 60.0, 2e6,
        "set logscale x\nset xrange [60:2e+06]\nset xtics ('100' 100, '1K' 1000, '10K' 10000, "
        "'100K' 100000, '1M' 1000000)\n");
}

/* Three decades are few, and a bit more are many. What is within a billionth of an end stands there. */
static void test_ends(void **state) {
    (void)state;
    assert_axis(
        'x', 10.0, 1e4,
        "set logscale x\nset xrange [10:10000]\nset xtics ('10' 10, '20' 20, '50' 50, '100' "
        "100, '200' 200, '500' 500, '1K' 1000, '2K' 2000, '5K' 5000, '10K' 10000)\n");
    assert_axis('x', 10.0, 10010.0,
                "set logscale x\nset xrange [10:10010]\nset xtics ('10' 10, '100' 100, '1K' 1000, "
                "'10K' 10000)\n");
    assert_axis('x', 10.0 * (1.0 + 0.9e-9), 100.0 * (1.0 - 0.9e-9),
                "set logscale x\nset xrange [10:100]\nset xtics ('10' 10, '20' 20, '50' 50, '100' "
                "100)\n");
    assert_axis('x', 10.0 * (1.0 + 1.2e-9), 100.0 * (1.0 - 1.2e-9),
                "set logscale x\nset xrange [10:100]\nset xtics ('20' 20, '50' 50)\n");
}

static void test_labels(void **state) {
    static const struct {
        double value;
        const char *label;
    } cases[] = {{0.05, "0.05"},       {8, "8"},           {1000, "1K"},
                 {1024, "1024"},       {1500, "1500"},     {9999, "9999"},
                 {10000, "10K"},       {10001, "10.001K"}, {12345, "12.345K"},
                 {999999, "999.999K"}, {1e6, "1M"},        {999, "999"},
                 {22627, "22.627K"},   {128000, "128K"},   {1.5e6, "1.5M"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[32];
        rc_plot_tic(cases[i].value, out, sizeof out);
        assert_string_equal(out, cases[i].label);
    }
}

/* A text stands in a script in quotes: control characters are blanks, what means something to gnuplot or to its enhanced
 * text is escaped, letters of any language stay. */
static void test_texts(void **state) {
    (void)state;
    static const char *const of[][2] = {
        {"plain, 1.5 %", "\"plain, 1.5 %\""},
        {"", "\"\""},
        {"a\tb\x1f\x7f.", "\"a b  .\""},
        {"a_b", "\"a\\134\\137b\""},
        {"{^@&~}", "\"\\134\\173\\134\\136\\134\\100\\134\\046\\134\\176\\134\\175\""},
        {"'\"`$", "\"\\047\\042\\140\\044\""},
        {"\\", "\"\\134\\134\""},
        {"\xc2\xb5s", "\"\xc2\xb5s\""},
        {"\xe2\x80\x93", "\"\xe2\x80\x93\""}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        assert_non_null(f);
        rc_plot_text(f, "%s", of[i][0]);
        (void)fclose(f);
        assert_string_equal(text, of[i][1]);
        free(text);
    }
}

/* Four places from 10 to 10,000: a decade each. */
static void test_spaced(void **state) {
    (void)state;
    static const double at[] = {10.0, 100.0, 1000.0, 10000.0};
    for (int i = 0; i < 4; i++)
        assert_true(fabs(rc_plot_spaced(10.0, 1e4, i, 4) / at[i] - 1.0) < 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_decades), cmocka_unit_test(test_many_decades),
        cmocka_unit_test(test_ends),        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_texts),       cmocka_unit_test(test_spaced)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
