/* Quantities: what is read, what is refused, and the exact words of a refusal.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <string.h>
#include "sim/base/quantity.h"

static void reads_every_dimension(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rc_dim dim;
        double value;
    } rows[] = {
        {"0", RC_DIM_COUNT, 0},
        {"128K", RC_DIM_COUNT, 128000},
        {"128k", RC_DIM_COUNT, 128000},
        {"128Ki", RC_DIM_COUNT, 131072},
        {"1M", RC_DIM_COUNT, 1e6},
        {"1.5 Gi", RC_DIM_COUNT, 1.5 * 1073741824},
        {"2T", RC_DIM_COUNT, 2e12},
        {"-3", RC_DIM_COUNT, -3},
        {"+3e2", RC_DIM_COUNT, 300},
        {"989e12", RC_DIM_FLOPS, 989e12},
        {"800TFLOP/s", RC_DIM_FLOPS, 800e12},
        {"1.979 PFLOP/s", RC_DIM_FLOPS, 1.979e15},
        {"80GB", RC_DIM_BYTES, 80e9},
        {"80GiB", RC_DIM_BYTES, 80 * 1073741824.0},
        {"64 KiB", RC_DIM_BYTES, 65536},
        {"17", RC_DIM_BYTES, 17},
        {"3.35TB/s", RC_DIM_BANDWIDTH, 3.35e12},
        {"2.4TB/s", RC_DIM_BANDWIDTH, 2.4e12},
        {"400Gb/s", RC_DIM_BANDWIDTH, 50e9},
        {"1b/s", RC_DIM_BANDWIDTH, 0.125},
        {"1GiB/s", RC_DIM_BANDWIDTH, 1073741824},
        {"4.5us", RC_DIM_TIME, 4.5e-6},
        {"77 s", RC_DIM_TIME, 77},
        {"1ps", RC_DIM_TIME, 1e-12},
        {"500W", RC_DIM_POWER, 500},
        {"0.7kW", RC_DIM_POWER, 700},
        {"1.98GHz", RC_DIM_FREQUENCY, 1.98e9},
        {"1830 MHz", RC_DIM_FREQUENCY, 1.83e9},
        {"89%", RC_DIM_RATIO, 0.89},
        {"0.89", RC_DIM_RATIO, 0.89},
        {"1e-5", RC_DIM_RATIO, 1e-5},
        {"1E+2", RC_DIM_RATIO, 100},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double v = NAN;
        rc_error e = {0};
        if (rc_quantity_parse(rows[i].text, rows[i].dim, &v, &e) != RC_OK)
            fail_msg("'%s': %s", rows[i].text, e.msg);
        if (v != rows[i].value)
            fail_msg("'%s' gives %.17g, not %.17g", rows[i].text, v, rows[i].value);
    }
}

static void refuses_what_is_not_a_quantity(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rc_dim dim;
    } rows[] = {
        {"", RC_DIM_COUNT},
        {" 1", RC_DIM_COUNT},
        {"1 ", RC_DIM_COUNT},
        {"1  K", RC_DIM_COUNT},
        {"1_000", RC_DIM_COUNT},
        {"1,000", RC_DIM_COUNT},
        {"0x10", RC_DIM_COUNT},
        {"inf", RC_DIM_COUNT},
        {"nan", RC_DIM_COUNT},
        {"-inf", RC_DIM_COUNT},
        {".5", RC_DIM_COUNT},
        {"5.", RC_DIM_COUNT},
        {"1e", RC_DIM_COUNT},
        {"1e+", RC_DIM_COUNT},
        {"--1", RC_DIM_COUNT},
        {"+-1", RC_DIM_COUNT},
        {"+ 1", RC_DIM_COUNT},
        {"128KB", RC_DIM_COUNT},
        {"128ki", RC_DIM_COUNT},
        {"1e400", RC_DIM_COUNT},
        {"1e-400", RC_DIM_COUNT},
        {"1e99999999999", RC_DIM_COUNT},
        {"3.35e3 XB/s", RC_DIM_BANDWIDTH},
        {"1gb/s", RC_DIM_BANDWIDTH},
        {"1GB", RC_DIM_BANDWIDTH},
        {"1GB/s", RC_DIM_BYTES},
        {"1Gb", RC_DIM_BYTES},
        {"5 GHz", RC_DIM_TIME},
        {"5 S", RC_DIM_TIME},
        {"5us5", RC_DIM_TIME},
        {"5 %", RC_DIM_COUNT},
        {"5%%", RC_DIM_RATIO},
        {"5W\n", RC_DIM_POWER},
        {"1TFLOPs", RC_DIM_FLOPS},
        {"1\xC2\xA0K", RC_DIM_COUNT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double v = 42;
        rc_error e;
        if (rc_quantity_parse(rows[i].text, rows[i].dim, &v, &e) != RC_E_INPUT)
            fail_msg("'%s' is accepted as %g", rows[i].text, v);
        assert_true(v == 42); /* untouched */
        assert_int_equal(rc_quantity_parse(rows[i].text, rows[i].dim, &v, NULL), RC_E_INPUT);
    }
}

static void says_what_was_found_and_expected(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rc_dim dim;
        const char *msg;
    } rows[] = {
        {"3.35 XB/s", RC_DIM_BANDWIDTH, "found '3.35 XB/s', expected a bandwidth such as 2.4TB/s"},
        {"", RC_DIM_BYTES, "found nothing, expected a size such as 80GB"},
        {"x", RC_DIM_COUNT, "found 'x', expected a count such as 128K"},
        {"x", RC_DIM_FLOPS, "found 'x', expected a compute rate such as 800TFLOP/s"},
        {"x", RC_DIM_TIME, "found 'x', expected a time such as 4.5us"},
        {"x", RC_DIM_POWER, "found 'x', expected a power such as 500W"},
        {"x", RC_DIM_FREQUENCY, "found 'x', expected a frequency such as 1.98GHz"},
        {"x", RC_DIM_RATIO, "found 'x', expected a ratio such as 0.89 or 89%"},
        {"1e999", RC_DIM_TIME, "found '1e999', which is too large for a number"},
        {"1e-999", RC_DIM_TIME, "found '1e-999', which is too small for a number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double v;
        rc_error e;
        assert_int_equal(rc_quantity_parse(rows[i].text, rows[i].dim, &v, &e), RC_E_INPUT);
        assert_string_equal(e.msg, rows[i].msg);
        assert_string_equal(e.file, "");
        assert_int_equal(e.line, 0);
    }
}

static void reads_whole_numbers_exactly(void **state) {
    (void)state;
    int64_t v = 0;
    assert_int_equal(rc_quantity_int("9223372036854775807", 0, INT64_MAX, &v, NULL), RC_OK);
    assert_true(v == INT64_MAX);
    assert_int_equal(rc_quantity_int("-9223372036854775808", INT64_MIN, 0, &v, NULL), RC_OK);
    assert_true(v == INT64_MIN);
    assert_int_equal(rc_quantity_int("9007199254740993", 0, INT64_MAX, &v, NULL), RC_OK);
    assert_true(v == 9007199254740993);
    assert_int_equal(rc_quantity_int("0.3M", 0, INT64_MAX, &v, NULL), RC_OK);
    assert_true(v == 300000);
    assert_int_equal(rc_quantity_int("1.28e5", 0, INT64_MAX, &v, NULL), RC_OK);
    assert_true(v == 128000);
    assert_int_equal(rc_quantity_int("128 K", 0, INT64_MAX, &v, NULL), RC_OK);
    assert_true(v == 128000);
}

static void int_error(const char *text, int64_t lo, int64_t hi, const char *msg) {
    rc_error e;
    int64_t v = 42;
    assert_int_equal(rc_quantity_int(text, lo, hi, &v, &e), RC_E_INPUT);
    assert_true(v == 42);
    assert_string_equal(e.msg, msg);
}

static void refuses_numbers_that_are_not_whole_or_out_of_range(void **state) {
    (void)state;
    int_error("0", 1, 64, "found '0', expected a whole number from 1 to 64");
    int_error("65", 1, 64, "found '65', expected a whole number from 1 to 64");
    int_error("1.5", 1, 64, "found '1.5', expected a whole number from 1 to 64");
    int_error("8x", 1, 64, "found '8x', expected a whole number from 1 to 64");
    int_error("", 1, 64, "found nothing, expected a whole number from 1 to 64");
    int_error("-1", 0, INT64_MAX, "found '-1', expected a whole number of at least 0");
    int_error("9", INT64_MIN, 8, "found '9', expected a whole number of at most 8");
    int_error("9223372036854775808", INT64_MIN, INT64_MAX,
              "found '9223372036854775808', expected a whole number such as 128K");
    int_error("1e19", INT64_MIN, INT64_MAX, "found '1e19', expected a whole number such as 128K");
}

static void shows_the_shortest_unit(void **state) {
    (void)state;
    static const struct {
        double v;
        rc_dim dim;
        const char *text;
    } rows[] = {
        {0, RC_DIM_COUNT, "0"},
        {7, RC_DIM_COUNT, "7"},
        {128000, RC_DIM_COUNT, "128K"},
        {131072, RC_DIM_COUNT, "128Ki"},
        {80e9, RC_DIM_BYTES, "80GB"},
        {0, RC_DIM_BYTES, "0B"},
        {2.4e12, RC_DIM_BANDWIDTH, "2.4TB/s"},
        {1e15, RC_DIM_FLOPS, "1PFLOP/s"},
        {1e-6, RC_DIM_TIME, "1us"},
        {60, RC_DIM_TIME, "60s"},
        {1.98e9, RC_DIM_FREQUENCY, "1.98GHz"},
        {500, RC_DIM_POWER, "500W"},
        {0.89, RC_DIM_RATIO, "0.89"},
        {INFINITY, RC_DIM_TIME, "inf"},
    };
    char buf[64];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(rc_quantity_format(rows[i].v, rows[i].dim, buf, sizeof buf),
                            rows[i].text);
}

static void range_error(const char *text, rc_dim dim, double lo, double hi, const char *msg) {
    rc_error e;
    double v = 0;
    assert_int_equal(rc_quantity_parse(text, dim, &v, NULL), RC_OK);
    assert_int_equal(rc_quantity_range(v, text, dim, lo, hi, &e), RC_E_INPUT);
    assert_string_equal(e.msg, msg);
}

static void names_the_bounds_that_are_finite(void **state) {
    (void)state;
    assert_int_equal(rc_quantity_range(1, "1", RC_DIM_COUNT, 1, 1, NULL), RC_OK);
    range_error("9TB/s", RC_DIM_BANDWIDTH, 1e9, 8e12,
                "found '9TB/s', expected a bandwidth from 1GB/s to 8TB/s");
    range_error("0", RC_DIM_TIME, 1e-9, INFINITY, "found '0', expected a time of at least 1ns");
    range_error("2", RC_DIM_RATIO, -INFINITY, 1, "found '2', expected a ratio of at most 1");
    range_error("0", RC_DIM_POWER, DBL_MIN, INFINITY, "found '0', expected a power above 0W");
    range_error("2", RC_DIM_RATIO, DBL_MIN, 1, "found '2', expected a ratio above 0 and at most 1");
    assert_string_equal(rc_dim_name(RC_DIM_BANDWIDTH), "bandwidth");
}

/* What people write names its unit; zero needs none, counts and ratios have none. */
static void test_stated(void **state) {
    (void)state;
    double v = -1;
    rc_error err = {0};
    assert_int_equal(rc_quantity_stated("100", RC_DIM_BANDWIDTH, &v, &err), RC_E_INPUT);
    assert_string_equal(err.msg,
                        "found '100' without a unit, expected a bandwidth such as 2.4TB/s");
    assert_int_equal(rc_quantity_stated("1e-3", RC_DIM_TIME, &v, &err), RC_E_INPUT);
    static const char *const not_zero[] = {"1", "10", "0.5", "1.0", "0.05", "0.10", "0.001", "1e0"};
    static const char *const zeros[] = {"0", "00", "-0", "0.0", "0.00", "0e5", "0.0e-3"};
    for (size_t i = 0; i < sizeof not_zero / sizeof not_zero[0]; i++)
        if (rc_quantity_stated(not_zero[i], RC_DIM_TIME, &v, &err) != RC_E_INPUT)
            fail_msg("%s needs no unit", not_zero[i]);
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++)
        if (rc_quantity_stated(zeros[i], RC_DIM_TIME, &v, &err) != RC_OK || v != 0.0)
            fail_msg("%s is refused: %s", zeros[i], err.msg);
    assert_int_equal(rc_quantity_stated("0", RC_DIM_TIME, &v, &err), RC_OK);
    assert_true(v == 0.0);
    assert_int_equal(rc_quantity_stated("0.0", RC_DIM_BYTES, &v, &err), RC_OK);
    assert_int_equal(rc_quantity_stated("100GB/s", RC_DIM_BANDWIDTH, &v, &err), RC_OK);
    assert_true(v == 100e9);
    assert_int_equal(rc_quantity_stated("0.5", RC_DIM_RATIO, &v, &err), RC_OK);
    assert_int_equal(rc_quantity_stated("8K", RC_DIM_COUNT, &v, &err), RC_OK);
    assert_int_equal(rc_quantity_stated("five", RC_DIM_TIME, &v, &err), RC_E_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stated),
        cmocka_unit_test(reads_every_dimension),
        cmocka_unit_test(refuses_what_is_not_a_quantity),
        cmocka_unit_test(says_what_was_found_and_expected),
        cmocka_unit_test(reads_whole_numbers_exactly),
        cmocka_unit_test(refuses_numbers_that_are_not_whole_or_out_of_range),
        cmocka_unit_test(shows_the_shortest_unit),
        cmocka_unit_test(names_the_bounds_that_are_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
