/* Numbers of traces: values that are drawn and written in one of the ways in which a number can be, and read back; dates against
 * the C library's calendar; every bound.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>
#include "sim/trace/reader.h"
#include "tests/support/prop.h"

static const char no_row[1] = ""; /* of a reader that says where it found something */

static rc_slice slice(const char *s) {
    return (rc_slice){s, strlen(s)};
}

/* The number `digits` x 10^-places, in one of many ways: with zeros before and behind it, a sign, an exponent. */
static void write_number(prop_case *c, const char *digits, int places, char *out, size_t size) {
    char all[128] = "";
    const int zeros = (int)prop_below(c, 4), behind = (int)prop_below(c, 4);
    (void)snprintf(all, sizeof all, "%.*s%s%.*s", zeros, "000", digits, behind, "000");
    const int n = (int)strlen(all), shift = prop_one_in(c, 2) ? 0 : (int)prop_range(c, -20, 20);
    /* places behind the point of what is written: with an exponent of `shift` that many more */
    const int point = n - (places + behind) - shift;
    char whole[256];
    if (point <= 0)
        (void)snprintf(whole, sizeof whole, "%s.%.*s%s", prop_one_in(c, 2) ? "0" : "", -point,
                       "0000000000000000000000000000000000000000", all);
    else if (point >= n)
        (void)snprintf(whole, sizeof whole, "%s%.*s%s", all, point - n,
                       "0000000000000000000000000000000000000000", prop_one_in(c, 2) ? "." : "");
    else
        (void)snprintf(whole, sizeof whole, "%.*s.%s", point, all, all + point);
    if (shift == 0 && prop_one_in(c, 2))
        (void)snprintf(out, size, "%s%s", prop_one_in(c, 2) ? "+" : "", whole);
    else
        (void)snprintf(out, size, "%s%c%s%d", whole, prop_one_in(c, 2) ? 'e' : 'E',
                       shift >= 0 && prop_one_in(c, 2) ? "+" : "", shift);
}

static uint64_t drawn(prop_case *c, uint64_t most) {
    const uint64_t v = prop_u64(c) >> prop_below(c, 64);
    return prop_one_in(c, 8) ? most : v % (most + 1);
}

/* A whole number is what it was, within its bounds; beyond them it is refused for its reason. */
static bool whole_numbers(prop_case *c) {
    rc_reader r = {.row = no_row, .end = no_row, .line = 1};
    char digits[32], text[300];
    const int64_t v = (int64_t)drawn(c, UINT64_C(1000000000000000000)),
                  lo = prop_one_in(c, 2) ? 0 : (int64_t)drawn(c, 1000);
    const int64_t hi = lo + (int64_t)drawn(c, UINT64_C(1000000000000000000));
    const bool half = prop_one_in(c, 8);
    (void)snprintf(digits, sizeof digits, "%lld%s", (long long)v, half ? "5" : "");
    write_number(c, digits, half, text, sizeof text);
    int64_t got = -1;
    const bool taken = rc_read_whole(&r, slice(text), "x", lo, hi, &got);
    PROP_CHECK(c, taken == (!half && v >= lo && v <= hi), "%s within %lld to %lld: %s", text,
               (long long)lo, (long long)hi, r.why);
    PROP_CHECK(c, !taken || got == v, "%s is %lld, not %lld", text, (long long)got, (long long)v);
    PROP_CHECK(c, taken || r.fault == (!half && v == 0 ? RC_FAULT_ZERO : RC_FAULT_ABSURD),
               "%s: fault %d", text, (int)r.fault);
    char below[302];
    (void)snprintf(below, sizeof below, "-%s", text[0] == '+' ? text + 1 : text);
    r = (rc_reader){.row = no_row, .end = no_row, .line = 1};
    const bool zero = v == 0 && !half;
    PROP_CHECK(c, rc_read_whole(&r, slice(below), "x", 0, INT64_MAX, &got) == zero, "%s", below);
    PROP_CHECK(c, zero || r.fault == RC_FAULT_NEGATIVE, "%s: fault %d", below, (int)r.fault);
    return true;
}

/* A time to the picosecond, in seconds, milliseconds, microseconds or nanoseconds: no digit of it is lost. What lies behind the
 * picoseconds of seconds is rounded. */
static bool times_are_exact(prop_case *c) {
    static const int per_s[] = {1, 1000, 1000000, 1000000000};
    rc_reader r = {.row = no_row, .end = no_row, .line = 1};
    char digits[64], text[300];
    const int unit = (int)prop_below(c, 4);
    const int64_t s = (int64_t)drawn(c, UINT64_C(1000000000)),
                  pico = (int64_t)drawn(c, UINT64_C(999999999999));
    const int more = unit == 0 && prop_one_in(c, 2) ? (int)prop_below(c, 10) : -1;
    (void)snprintf(digits, sizeof digits, "%lld%012lld", (long long)s, (long long)pico);
    if (more >= 0)
        (void)snprintf(digits + strlen(digits), 2, "%d", more);
    write_number(c, digits, 12 - 3 * unit + (more >= 0), text, sizeof text);
    rc_stamp got = {-1, -1};
    PROP_CHECK(c, rc_read_stamp(&r, slice(text), "x", per_s[unit], &got), "%s: %s", text, r.why);
    const int64_t up = more >= 5, want_ps = (pico + up) % INT64_C(1000000000000),
                  want_s = s + (pico + up) / INT64_C(1000000000000);
    PROP_CHECK(c, got.s == want_s && got.ps == want_ps, "%s is %lld s %lld ps, not %lld s %lld ps",
               text, (long long)got.s, (long long)got.ps, (long long)want_s, (long long)want_ps);
    return true;
}

/* Days of the calendar up to the year 9999, with a fraction and a zone or without. */
static bool dates_are_the_calendars(prop_case *c) {
    rc_reader r = {.row = no_row, .end = no_row, .line = 1};
    const time_t at = (time_t)prop_below(c, UINT64_C(253402300800));
    struct tm t;
    char text[128];
    PROP_CHECK(c, gmtime_r(&at, &t) != NULL, "no such time");
    size_t n = (size_t)snprintf(text, sizeof text, "%04d-%02d-%02d%c%02d:%02d:%02d",
                                t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                                prop_one_in(c, 2) ? 'T' : ' ', t.tm_hour, t.tm_min, t.tm_sec);
    int64_t ps = 0, zone = 0;
    if (prop_one_in(c, 2)) {
        const int places = 1 + (int)prop_below(c, 12);
        int64_t unit = INT64_C(1000000000000), most = 1;
        for (int i = 0; i < places; i++)
            unit /= 10, most *= 10;
        const int64_t f = (int64_t)prop_below(c, (uint64_t)most);
        ps = f * unit;
        n += (size_t)snprintf(text + n, sizeof text - n, ".%0*lld", places, (long long)f);
    }
    const uint64_t kind = prop_below(c, 4);
    const int h = (int)prop_below(c, 24), m = (int)prop_below(c, 60);
    if (kind == 0)
        (void)snprintf(text + n, sizeof text - n, "Z");
    else if (kind < 3) {
        zone = (kind == 1 ? 1 : -1) * (3600 * h + 60 * m);
        (void)snprintf(text + n, sizeof text - n, "%c%02d:%02d", kind == 1 ? '+' : '-', h, m);
    }
    rc_stamp got = {-1, -1};
    PROP_CHECK(c, rc_read_date(&r, slice(text), &got), "%s: %s", text, r.why);
    PROP_CHECK(c, got.s == (int64_t)at - zone && got.ps == ps, "%s is %lld s %lld ps", text,
               (long long)got.s, (long long)got.ps);
    PROP_CHECK(c, rc_is_date(slice(text)), "%s is no date", text);
    return true;
}

/* ---- by hand -------------------------------------------------------------------------------- */

static void no_numbers(void **state) {
    (void)state;
    static const char *const none[] = {"+",  "-",  ".",   "e3",    "1e",  "1e+", "1e-", "1.2.3",
                                       "1 ", " 1", "0x1", "1e3.5", "--1", "1f",  "inf", "nan"};
    int64_t v;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        rc_reader r = {.row = no_row, .end = no_row, .line = 1};
        assert_false(rc_read_whole(&r, slice(none[i]), "x", 0, 9, &v));
        assert_int_equal(r.fault, RC_FAULT_SYNTAX);
    }
    rc_reader r = {.row = no_row, .end = no_row, .line = 1};
    assert_false(rc_read_whole(&r, slice(""), "x", 0, 9, &v));
    assert_int_equal(r.fault, RC_FAULT_MISSING);
    static const char *const huge[] = {"9223372036854775807",
                                       "9223372036854775808",
                                       "99999999999999999999",
                                       "1e19",
                                       "1e9999",
                                       "1e99999999999",
                                       "123456789012345678901234567890"};
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        r = (rc_reader){.row = no_row, .end = no_row, .line = 1};
        assert_false(rc_read_whole(&r, slice(huge[i]), "x", 0, INT64_MAX - 1, &v));
        assert_int_equal(r.fault, RC_FAULT_ABSURD);
    }
    assert_true(rc_read_whole(&r, slice("9223372036854775806"), "x", 0, INT64_MAX - 1, &v) &&
                v == INT64_MAX - 1);
    assert_true(rc_read_whole(&r, slice("0e99999999999"), "x", 0, 9, &v) && v == 0);
    assert_true(rc_read_whole(&r, slice("-0.000"), "x", 0, 9, &v) && v == 0);
}

static void far_times(void **state) {
    (void)state;
    rc_reader r = {.row = no_row, .end = no_row, .line = 1};
    rc_stamp t;
    assert_true(rc_read_stamp(&r, slice("1000000000000000"), "x", 1, &t) &&
                t.s == INT64_C(1000000000000000));
    assert_false(rc_read_stamp(&r, slice("1000000000000001"), "x", 1, &t));
    assert_int_equal(r.fault, RC_FAULT_ABSURD);
    assert_true(rc_read_stamp(&r, slice("1000000000000000999"), "x", 1000, &t) &&
                t.s == INT64_C(1000000000000000));
    assert_true(rc_read_stamp(&r, slice("0.9999999999995"), "x", 1, &t) && t.s == 1 && t.ps == 0);
    assert_true(rc_read_stamp(&r, slice("0.9999999999994"), "x", 1, &t) && t.s == 0 &&
                t.ps == INT64_C(999999999999));
}

/* What a first arrival says of its unit: seconds until 3168, then milliseconds, microseconds and nanoseconds since 1970. */
static void epochs(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int per_s;
    } firsts[] = {{"99999999999", 7},
                  {"100000000000", 1000},
                  {"99999999999999", 1000},
                  {"100000000000000", 1000000},
                  {"99999999999999999", 1000000},
                  {"100000000000000000", 1000000000}};
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        rc_reader r = {.row = no_row, .end = no_row, .line = 1, .per_s = 1};
        rc_stamp t;
        assert_true(rc_read_arrival(&r, slice(firsts[i].text), "x", &t));
        const bool told = firsts[i].per_s != 7;
        assert_true(r.unit_told == told && r.per_s == (told ? firsts[i].per_s : 1) && !r.fractions);
        assert_true(rc_read_arrival(&r, slice("0.5"), "x", &t) && r.fractions);
        r = (rc_reader){.row = no_row, .end = no_row, .line = 1, .per_s = 1, .unit_told = true};
        assert_true(rc_read_arrival(&r, slice("100000000000"), "x", &t) &&
                    r.per_s == 1); /* it is known */
    }
}

static void no_dates(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool date;
    } texts[] = {{"2023-02-28 00:00:00", true},        {"2023-02-29 00:00:00", false},
                 {"2024-02-29 00:00:00", true},        {"2000-02-29 00:00:00", true},
                 {"2100-02-29 00:00:00", false},       {"2024-02-30 00:00:00", false},
                 {"2024-04-30 00:00:00", true},        {"2024-04-31 00:00:00", false},
                 {"2024-12-31 00:00:00", true},        {"2024-01-32 00:00:00", false},
                 {"2024-00-01 00:00:00", false},       {"2024-13-01 00:00:00", false},
                 {"2024-01-00 00:00:00", false},       {"1969-12-31 23:59:59", false},
                 {"1970-01-01 00:00:00", true},        {"9999-12-31 23:59:59", true},
                 {"2024-01-01 24:00:00", false},       {"2024-01-01 23:60:00", false},
                 {"2024-01-01 23:59:60", true},        {"2024-01-01 23:59:61", false},
                 {"2024-01-01 23:59:59.", false},      {"2024-01-01 23:59:59.5x", false},
                 {"2024-01-01 23:59", false},          {"2024-01-01_23:59:59", false},
                 {"2024-01-01 23:59:59+23:59", true},  {"2024-01-01 23:59:59+24:00", false},
                 {"2024-01-01 23:59:59+01:60", false}, {"2024-01-01 23:59:59+0100", false},
                 {"2024-01-01 23:59:59Z1", false},     {"24-01-01 23:59:59", false}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rc_reader r = {.row = no_row, .end = no_row, .line = 1};
        rc_stamp t;
        if (rc_read_date(&r, slice(texts[i].text), &t) != texts[i].date)
            fail_msg("%s: %s", texts[i].text, r.why);
        assert_true(texts[i].date || r.fault == RC_FAULT_SYNTAX);
    }
    rc_reader r = {.row = no_row, .end = no_row, .line = 1};
    rc_stamp t;
    assert_true(rc_read_date(&r, slice("1970-01-02 00:00:01.1234567890129"),
                             &t)); /* a digit more than there are picoseconds */
    assert_true(t.s == 86401 && t.ps == INT64_C(123456789012));
    assert_false(rc_read_date(&r, slice(""), &t));
    assert_int_equal(r.fault, RC_FAULT_MISSING);
    assert_false(rc_is_date(slice("2024-01-01")) || rc_is_date(slice("20240101 000000")) ||
                 rc_is_date(slice("12345678901")));
}

#define RUN(name, property, size)                                                                  \
    static void name(void **state) {                                                               \
        (void)state;                                                                               \
        assert_true(prop_run(#property, property, size));                                          \
    }
RUN(test_whole, whole_numbers, 1)
RUN(test_times, times_are_exact, 1)
RUN(test_dates, dates_are_the_calendars, 1)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole), cmocka_unit_test(test_times), cmocka_unit_test(test_dates),
        cmocka_unit_test(no_numbers), cmocka_unit_test(far_times),  cmocka_unit_test(epochs),
        cmocka_unit_test(no_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
