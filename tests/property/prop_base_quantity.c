/* Quantities: what is written is read back, whatever the unit and the spelling.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include "sim/base/quantity.h"
#include "tests/support/prop.h"

static rc_dim any_dim(prop_case *c) {
    return (rc_dim)prop_range(c, RC_DIM_COUNT, RC_DIM_RATIO);
}

/* format, then parse: the same to ten digits. */
static bool format_then_parse(prop_case *c) {
    rc_dim dim = any_dim(c);
    double v = ldexp(prop_unit(c) - 0.5, (int)prop_range(c, -60, 60));
    char text[64];
    double back = NAN;
    rc_error e = {0};
    rc_quantity_format(v, dim, text, sizeof text);
    PROP_CHECK(c, rc_quantity_parse(text, dim, &back, &e) == RC_OK, "%.200s", e.msg);
    PROP_CHECK(c, fabs(back - v) <= 1e-9 * fabs(v), "'%s' gives %.17g, not %.17g", text, back, v);
    return true;
}

/* Seventeen digits without a unit give the very same double. */
static bool plain_numbers_are_exact(prop_case *c) {
    double v = ldexp(prop_unit(c) - 0.5, (int)prop_range(c, -300, 300)), back = NAN;
    char text[64];
    (void)snprintf(text, sizeof text, "%.17g", v);
    PROP_CHECK(c, rc_quantity_parse(text, any_dim(c), &back, NULL) == RC_OK, "'%s'", text);
    PROP_CHECK(c, back == v, "'%s' gives %.17g", text, back);
    return true;
}

static bool whole_numbers_are_exact(prop_case *c) {
    int64_t v = (int64_t)prop_u64(c) >> prop_range(c, 0, 63), back = 0;
    char text[64];
    (void)snprintf(text, sizeof text, "%" PRId64, v);
    PROP_CHECK(c, rc_quantity_int(text, INT64_MIN, INT64_MAX, &back, NULL) == RC_OK, "'%s'", text);
    PROP_CHECK(c, back == v, "'%s' gives %" PRId64, text, back);
    PROP_CHECK(c, rc_quantity_int(text, v, v, &back, NULL) == RC_OK, "'%s' at its bound", text);
    if (v < INT64_MAX)
        PROP_CHECK(c, rc_quantity_int(text, v + 1, INT64_MAX, &back, NULL) == RC_E_INPUT,
                   "'%s' below its bound", text);
    return true;
}

/* A prefix is a factor: 3K is 3000 and 3Ki is 3072, with and without the blank. */
static bool prefixes_are_factors(prop_case *c) {
    static const struct {
        const char *name;
        int64_t factor;
    } prefixes[] = {
        {"K", 1000},       {"Ki", 1024},    {"M", 1000000},       {"Mi", 1 << 20},
        {"G", 1000000000}, {"Gi", 1 << 30}, {"T", 1000000000000}, {"Ti", (int64_t)1 << 40}};
    size_t p = (size_t)prop_below(c, sizeof prefixes / sizeof prefixes[0]);
    int64_t n = prop_range(c, -8000, 8000), v = 0;
    char text[64];
    (void)snprintf(text, sizeof text, "%" PRId64 "%s%s", n, prop_one_in(c, 2) ? " " : "",
                   prefixes[p].name);
    PROP_CHECK(c, rc_quantity_int(text, INT64_MIN, INT64_MAX, &v, NULL) == RC_OK, "'%s'", text);
    PROP_CHECK(c, v == n * prefixes[p].factor, "'%s' gives %" PRId64, text, v);
    return true;
}

/* One wrong character anywhere is never read as another number with a trailing rest. */
static bool a_rest_is_refused(prop_case *c) {
    static const char rest[] = "_,xX;:\t\n'\"#$&*()=<>/";
    char text[80];
    double v = 42;
    (void)snprintf(text, sizeof text, "%d.%dGB/s%c", (int)prop_range(c, 0, 999),
                   (int)prop_range(c, 0, 9), rest[prop_below(c, sizeof rest - 1)]);
    PROP_CHECK(c, rc_quantity_parse(text, RC_DIM_BANDWIDTH, &v, NULL) == RC_E_INPUT, "'%s'", text);
    PROP_CHECK(c, v == 42, "'%s' wrote %g", text, v);
    return true;
}

#define RUN(name)                                                                                  \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        assert_true(prop_run(#name, name, 20));                                                    \
    }
RUN(format_then_parse)
RUN(plain_numbers_are_exact)
RUN(whole_numbers_are_exact)
RUN(prefixes_are_factors)
RUN(a_rest_is_refused)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_then_parse),
        cmocka_unit_test(test_plain_numbers_are_exact),
        cmocka_unit_test(test_whole_numbers_are_exact),
        cmocka_unit_test(test_prefixes_are_factors),
        cmocka_unit_test(test_a_rest_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
