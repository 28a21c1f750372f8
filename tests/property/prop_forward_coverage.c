/* Do p5 and p95 hold nine of ten? Passes whose noise is known exactly: of one fitted number inside its
 * interval, or of one family of costs by its spread. What truly happens then follows a distribution
 * that can be written down, and so does its share inside the interval that the draws gave.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "sim/base/quantile.h"
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

enum { DRAWS = 200 };
#define Z_80 1.2815515655446004 /* half-widths of the middle 80 and 90 % of a normal distribution */
#define Z_90 1.6448536269514722

static double held; /* of all cases, the share of what truly happens inside p5..p95 */
static int cases;

/* The share of a normal distribution between two of its standard scores. */
static double between(double lo, double hi) {
    return 0.5 * (erf(hi / sqrt(2.0)) - erf(lo / sqrt(2.0)));
}

/* Only products take time, and all of them vary together by 80 % within a factor 1 + s. */
static bool one_family(prop_case *c) {
    fake_pass f;
    rc_forward r;
    rc_error err = {0};
    fake_draw(c, "tp", 8, 16, &f);
    f.spec.eager = false;
    f.spec.draws = DRAWS;
    f.spec.seed = (uint64_t)prop_range(c, 0, 1000000);
    for (int i = 0; i < FAKE_KINDS; i++)
        f.costs.fixed[i] = f.costs.slope[i] = 0;
    f.costs.fixed[FAKE_GEMM] = 1000000;
    f.costs.spread = 0.02 + 0.2 * prop_unit(c);
    double drawn[DRAWS];
    f.spec.drawn = drawn;
    PROP_CHECK(c, rc_forward_run(&f.spec, &r, &err) == RC_OK, "%.300s", err.msg);
    double sigma = f.costs.spread / Z_80;
    rc_sort(drawn, DRAWS); /* the draws that the caller is given are those behind the interval */
    PROP_CHECK(c,
               fabs(rc_quantile(drawn, DRAWS, 0.05) / r.p5 - 1.0) < 1e-12 &&
                   fabs(rc_quantile(drawn, DRAWS, 0.95) / r.p95 - 1.0) < 1e-12,
               "p5 %g, p95 %g of other draws", r.p5, r.p95);
    held += between(log(r.p5 / r.time) / sigma, log(r.p95 / r.time) / sigma);
    cases++;
    return true;
}

/* The pass waits for its host alone, whose launches take what they take: 90 % of all times within
 * the interval, each half-width its own. */
static bool one_number(prop_case *c) {
    fake_pass f;
    rc_forward r;
    rc_error err = {0};
    fake_draw(c, "tp", 8, 16, &f);
    rc_machine *m = &f.costs.machine;
    double below = 0.05 + 0.3 * prop_unit(c), above = 0.05 + 0.3 * prop_unit(c);
    m->launch = 1e-6;
    m->fitted_count = 1;
    strcpy(m->fitted[0].name, "launch");
    m->fitted[0].value = m->launch;
    m->fitted[0].lo = m->launch * (1.0 - below);
    m->fitted[0].hi = m->launch * (1.0 + above);
    f.spec.eager = true;
    f.spec.draws = DRAWS;
    f.spec.seed = (uint64_t)prop_range(c, 0, 1000000);
    for (int i = 0; i < FAKE_KINDS; i++)
        f.costs.fixed[i] = f.costs.slope[i] = 0;
    PROP_CHECK(c, rc_forward_run(&f.spec, &r, &err) == RC_OK, "%.300s", err.msg);
    held +=
        between((r.p5 / r.time - 1.0) / (below / Z_90), (r.p95 / r.time - 1.0) / (above / Z_90));
    cases++;
    return true;
}

static void nine_of_ten(const char *name, bool (*one)(prop_case *)) {
    held = 0.0;
    cases = 0;
    assert_true(prop_run(name, one, 16));
    if (fabs(held / cases - 0.9) > 0.015)
        fail_msg("%s: p5..p95 hold %.1f %%", name, 100.0 * held / cases);
}

static void test_families(void **state) {
    (void)state;
    nine_of_ten("one_family", one_family);
}

static void test_fitted(void **state) {
    (void)state;
    nine_of_ten("one_number", one_number);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_fitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
